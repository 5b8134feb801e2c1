"""Erase a person where the rules allow it, and again in a database that was restored."""

import secrets
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import transaction

from clients.actions import erasure
from clients.models import Case, Erasure, Person
from clients.queries.erased_keys import Erased
from clients.rules import retention
from clients.rules.actors import Actor
from intake.actions import reviewing
from practice.actions import forms
from practice.models import Attendance, BookedOnce
from practice.queries import standing


@transaction.atomic
def erase(*, person: Person, reason: str, despite: str = "", by: Actor, now: datetime) -> Erasure:
    """Erase a person; what is a couple's, or the partner's, stays as it is.

    Refuses (MayNotErase) a person with a coming appointment or an open case, and before the end
    of the time to keep the record, unless `despite` names the legal ground (a code); and as
    `clients.actions.erasure.erase` does.
    """
    person = erasure.lock(person_id=person.pk, by=by, now=now)
    retention.check_erasable(
        standing.of_persons([person.pk], now)[person.pk],
        years=settings.DUET["RETENTION_YEARS"],
        today=now.date(),
        despite=despite,
    )
    _end_links(person, by, now)
    _close_enquiries(person, by, now)
    return erasure.erase(person=person, reason=reason, despite=despite, by=by, now=now)


@transaction.atomic
def erase_again(*, erased: Iterable[Erased], by: Actor, now: datetime) -> list[Erasure]:
    """Destroy keys of a list that a restored database holds again; what may be was decided then."""
    stones = []
    for one in erased:
        person_id = Person.objects.values_list("pk", flat=True).get(key=one.key_id)
        person = erasure.lock(person_id=person_id, by=by, now=now)
        _end_links(person, by, now)
        stones.append(
            erasure.erase(person=person, reason=one.reason, erased_at=one.at, by=by, now=now)
        )
    return stones


def _end_links(person: Person, by: Actor, now: datetime) -> None:
    """Links in old letters lead nowhere; what a repeated booking would be answered goes too."""
    forms.end_of_person(person=person, by=by, now=now)
    own = Attendance.objects.filter(person=person)
    BookedOnce.objects.filter(attendance__in=own).delete()
    for row in own.select_for_update(of=("self",)).order_by("pk").only("pk"):
        Attendance.objects.filter(pk=row.pk).update(token_hash=secrets.token_bytes(32))


def _close_enquiries(person: Person, by: Actor, now: datetime) -> None:
    """Nobody comes back to an enquiry of a person alone who isn't known any more."""
    found = Case.objects.filter(person=person, closed_at__isnull=True)
    for case in found.select_for_update(of=("self",), no_key=True).order_by("pk"):
        case.state, case.closed_at = Case.State.CLOSED, now
        case.save(update_fields=["state", "closed_at"])
        reviewing.end(case_id=case.pk, by=by, now=now)
