"""Change the hours, the days off and the reminder rules."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import F

from clients.actions import audit
from clients.rules import permissions
from clients.rules.actors import Actor
from clients.rules.permissions import Right
from practice.actions import guard, planning
from practice.models import (
    Appointment,
    Counselor,
    HoursException,
    Practice,
    ReminderRule,
    Service,
    TimeOff,
    WorkingHours,
)

_CLOSED: tuple[tuple[int | None, int | None], ...] = ((None, None),)


@dataclass(frozen=True, slots=True)
class Opening:
    """Wall-clock minutes of one weekday, 0 for Monday."""

    weekday: int
    start: int
    end: int

    def overlaps(self, other: "Opening") -> bool:
        """Whether both are open at some minute of the week."""
        same_day = self.weekday == other.weekday
        return same_day and self.start < other.end and other.start < self.end


class HoursChanged(Exception):
    """Somebody else has changed the hours since they were read."""


class Overlap(Exception):
    """The opening overlaps with another one."""


def raise_version(*, counselor: Counselor, by: Actor, now: datetime, what: str) -> None:
    """Count a change of a counselor's hours: appointments name the version they were made under."""
    Counselor.objects.filter(pk=counselor.pk).update(hours_version=F("hours_version") + 1)
    audit.record(
        verb=f"counselor.{what}",
        subject_kind="counselor",
        subject_id=counselor.pk,
        by=by,
        now=now,
    )


@transaction.atomic
def set_hours(
    *,
    counselor: Counselor,
    openings: Iterable[Opening],
    zone: str,
    by: Actor,
    now: datetime,
    seen: int | None = None,
) -> None:
    """Replace a counselor's weekly hours. What is booked already stays booked.

    Refuses (NotPermitted) hours that aren't one's own, without the right, and (HoursChanged) hours
    that are another version by now than the one that was `seen`.
    """
    permissions.check_sets_hours(by, counselor.member_id)
    guard.lock_counselors([counselor.pk])
    if (
        seen is not None
        and not Counselor.objects.filter(pk=counselor.pk, hours_version=seen).exists()
    ):
        raise HoursChanged
    WorkingHours.objects.filter(counselor=counselor).delete()
    WorkingHours.objects.bulk_create(
        WorkingHours(
            counselor=counselor,
            weekday=opening.weekday,
            start=opening.start,
            end=opening.end,
            zone=zone,
        )
        for opening in openings
    )
    raise_version(counselor=counselor, by=by, now=now, what="hours_set")


@transaction.atomic
def add_opening(
    *, counselor: Counselor, opening: Opening, zone: str, by: Actor, now: datetime
) -> None:
    """Add one weekly opening.

    Refuses (NotPermitted) hours that aren't one's own, without the right, and (Overlap) one that
    overlaps with another.
    """
    permissions.check_sets_hours(by, counselor.member_id)
    guard.lock_counselors([counselor.pk])
    if WorkingHours.objects.filter(
        counselor=counselor,
        weekday=opening.weekday,
        start__lt=opening.end,
        end__gt=opening.start,
    ).exists():
        raise Overlap
    WorkingHours.objects.create(
        counselor=counselor,
        weekday=opening.weekday,
        start=opening.start,
        end=opening.end,
        zone=zone,
    )
    raise_version(counselor=counselor, by=by, now=now, what="opening_added")


@transaction.atomic
def set_exception(
    *,
    counselor: Counselor,
    on: date,
    openings: Sequence[tuple[int, int]],
    zone: str,
    by: Actor,
    now: datetime,
) -> None:
    """Replace one date's hours; no opening closes it.

    Refuses (NotPermitted) hours that aren't one's own, without the right.
    """
    permissions.check_sets_hours(by, counselor.member_id)
    guard.lock_counselors([counselor.pk])
    HoursException.objects.filter(counselor=counselor, on=on).delete()
    HoursException.objects.bulk_create(
        HoursException(counselor=counselor, on=on, start=start, end=end, zone=zone)
        for start, end in openings or _CLOSED
    )
    raise_version(counselor=counselor, by=by, now=now, what="exception_set")


@transaction.atomic
def take_time_off(
    *,
    counselor: Counselor | None,
    starts_at: datetime,
    ends_at: datetime,
    label: str,
    by: Actor,
    now: datetime,
) -> TimeOff:
    """Offer nothing in a period, of one counselor or of the whole practice.

    Appointments in it stay: somebody has to speak with those people. Refuses (NotPermitted) what
    isn't one's own, without the right.
    """
    permissions.check_sets_hours(by, counselor.member_id if counselor else None)
    row = TimeOff.objects.create(
        counselor=counselor, period=DateTimeTZRange(starts_at, ends_at), label=label
    )
    audit.record(verb="diary.time_off", subject_kind="timeoff", subject_id=row.pk, by=by, now=now)
    return row


@transaction.atomic
def set_reminders(
    *, service: Service | None, minutes_before: Iterable[int], by: Actor, now: datetime
) -> None:
    """Replace the e-mail reminder rules of a service, or the general ones.

    Every unsent reminder of every coming appointment that they concern is planned anew. Refuses
    (NotPermitted) members without the right.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    # One change of the rules at a time: two at once would leave both sets.
    list(Practice.objects.select_for_update(no_key=True))
    ReminderRule.objects.filter(service=service, channel="email").delete()
    ReminderRule.objects.bulk_create(
        ReminderRule(service=service, minutes_before=minutes)
        for minutes in sorted(set(minutes_before))
    )
    audit.record(
        verb="reminders.set",
        subject_kind="service",
        subject_id=service.pk if service else None,
        by=by,
        now=now,
    )
    coming = Appointment.objects.coming(now).select_related("service")
    if service is not None:
        coming = coming.filter(service=service)
    for appointment in coming.select_for_update(of=("self",), no_key=True).order_by("pk"):
        planning.replan(appointment=appointment, reason="rule_changed", by=by, now=now)
