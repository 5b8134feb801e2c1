"""Which forms come with a service, and how the practice keeps what is said alone."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from clients.actions import audit
from clients.rules import permissions
from clients.rules.actors import Actor
from clients.rules.permissions import Right
from intake.queries import instruments
from practice.models import FormRule, Practice


class Listed(Exception):
    """There is a rule for this form, this service and this time already."""


class Unpublished(Exception):
    """No version of this form is published: nobody could be given it."""


@transaction.atomic
def add(*, values: Mapping[str, Any], by: Actor, now: datetime) -> FormRule:
    """Add a rule; bookings from now on bring its form.

    Refuses (NotPermitted) without the right, (Unpublished) a form that nobody could be given,
    (Listed) a second rule for the same form, service and time.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    row = FormRule(**values)
    if instruments.published(row.slug) is None:
        raise Unpublished
    # One statement: of two at once the second finds it listed.
    FormRule.objects.bulk_create([row], ignore_conflicts=True)
    if not FormRule.objects.filter(pk=row.pk).exists():
        raise Listed
    _record("form_rule.added", "form_rule", row.pk, {"form": row.slug, "when": row.when}, by, now)
    return row


@transaction.atomic
def change(*, rule: FormRule, values: Mapping[str, Any], by: Actor, now: datetime) -> FormRule:
    """Change a rule, or switch it off or on; what was given already stays as it is.

    Refuses (NotPermitted) without the right.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    row = FormRule.objects.select_for_update(no_key=True).get(pk=rule.pk)
    _write("form_rule", row, values, by, now)
    return row


@transaction.atomic
def keep(*, values: Mapping[str, Any], by: Actor, now: datetime) -> Practice:
    """Say how what one partner says alone is kept, and within what time somebody looks.

    Cases that have their own way keep it. Refuses (NotPermitted) without the right.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    row = Practice.objects.select_for_update(no_key=True).get()
    _write("practice", row, values, by, now)
    return row


def _write(
    kind: str, row: FormRule | Practice, values: Mapping[str, Any], by: Actor, now: datetime
) -> None:
    """Write what is another than it was, and put each on record as it was and as it is."""
    others = {
        name: [getattr(row, name), value]
        for name, value in values.items()
        if getattr(row, name) != value
    }
    if not others:
        return
    for name in others:
        setattr(row, name, values[name])
    row.save(update_fields=list(others))
    _record(f"{kind}.changed", kind, row.pk, others, by, now)


def _record(
    verb: str, kind: str, pk: UUID, detail: Mapping[str, object], by: Actor, now: datetime
) -> None:
    audit.record(verb=verb, subject_kind=kind, subject_id=pk, by=by, now=now, detail=dict(detail))
