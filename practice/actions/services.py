"""What the practice offers: new services, changed ones, and who offers them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from clients.actions import audit
from clients.rules import permissions
from clients.rules.actors import Actor
from clients.rules.permissions import Right
from practice.models import Counselor, Offer, Service
from practice.queries import services


class SlugTaken(Exception):
    """Another service has this short name."""


class Changed(Exception):
    """Somebody else has changed it since it was read."""


@transaction.atomic
def add(
    *, values: Mapping[str, Any], offered_by: Sequence[Counselor], by: Actor, now: datetime
) -> Service:
    """Add a service. Refuses (NotPermitted) without the right, (SlugTaken) a second of one name."""
    permissions.check(by, Right.MANAGE_PRACTICE)
    row = Service(**values)
    # One statement: of two at once with one short name the second finds it taken.
    Service.objects.bulk_create([row], ignore_conflicts=True)
    if not Service.objects.filter(pk=row.pk).exists():
        raise SlugTaken
    _offer(row, offered_by)
    _record("service.added", row, by, now)
    return row


@transaction.atomic
def change(
    *,
    service: Service,
    values: Mapping[str, Any],
    offered_by: Sequence[Counselor] | None,
    seen: str,
    by: Actor,
    now: datetime,
) -> Service:
    """Change a service that still is as it was `seen`. What is booked already stays as it is.

    Refuses (NotPermitted) without the right, (Changed) one that is another by now.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    row = Service.objects.select_for_update(no_key=True).get(pk=service.pk)
    if services.service_version(row) != seen:
        raise Changed
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))
    if offered_by is not None:
        Offer.objects.filter(service=row).exclude(counselor__in=offered_by).delete()
        _offer(row, offered_by)
    _record("service.changed", row, by, now)
    return row


def _offer(row: Service, offered_by: Sequence[Counselor]) -> None:
    Offer.objects.bulk_create(
        [Offer(service=row, counselor=counselor) for counselor in offered_by],
        ignore_conflicts=True,
    )


def _record(verb: str, row: Service, by: Actor, now: datetime) -> None:
    audit.record(verb=verb, subject_kind="service", subject_id=row.pk, by=by, now=now)
