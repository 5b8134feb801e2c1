"""The guard: the one way in which a period of a counselor's time is taken.

`INSERT … ON CONFLICT DO NOTHING RETURNING` on the exclusion constraint is a single statement in
the common case and never deadlocks, where a plain INSERT (`Model.save()`) does when requests
overlap partly. Only when it comes back empty is the counselor locked, so that expired holds that
stand in the way can be cleared; then it is tried once more.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from psycopg import errors

from practice.models import NO_OVERLAP, NO_ROOM_OVERLAP, Appointment, Counselor

# What was overbooked lies outside the exclusion constraint, and keeps others out all the same.
_OVERBOOKED_THERE = (
    "overbooked AND state <> 'cancelled' AND counselor_id = %s AND blocked && %s AND id <> %s"
)


class SlotTaken(Exception):
    """The time isn't free any more (or the room it needs isn't)."""


def lock_counselors(ids: Iterable[UUID]) -> None:
    """Lock these counselors' rows in the order of their ids until the transaction ends.

    NO KEY UPDATE: plain FOR UPDATE deadlocks with the foreign-key check of somebody's booking.
    """
    list(
        Counselor.objects.filter(pk__in=set(ids))
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk")
    )


def take(*, appointment: Appointment, now: datetime) -> None:
    """Insert a new appointment or hold if nothing stands in its way.

    Refuses (SlotTaken) when another active one, held and requested ones included, overlaps its
    blocked time, or its session in the same room. Expired holds are cleared on the way.
    """
    if _insert(appointment):
        return
    lock_counselors([appointment.counselor_id])
    _clear_expired(appointment, now)
    if not _insert(appointment):
        raise SlotTaken


def take_overbooked(*, appointment: Appointment) -> None:
    """Insert knowingly over another appointment; the row must say so, and why (a CHECK).

    Under the counselor's lock, so that two overbookings are at least made one after the other.
    """
    lock_counselors([appointment.counselor_id])
    if not _insert(appointment):
        raise SlotTaken


def retake(*, appointment: Appointment, now: datetime) -> None:
    """Write a moved appointment's new period; the caller holds the counselor's lock.

    Refuses (SlotTaken) and leaves the old period as it was.
    """
    _clear_expired(appointment, now)
    in_the_way = Appointment.objects.filter(
        counselor=appointment.counselor_id, overbooked=True, blocked__overlap=appointment.blocked
    ).exclude(Q(pk=appointment.pk) | Q(state=Appointment.State.CANCELLED))
    if not appointment.overbooked and in_the_way.exists():
        raise SlotTaken
    try:
        with transaction.atomic():
            appointment.save(
                update_fields=[
                    "period",
                    "blocked",
                    "sequence",
                    "settled_at",
                    "agreed_zone",
                    "agreed_wall",
                    "offered_under",
                    "override_reason",
                    "overbooked",
                ]
            )
    except IntegrityError as refused:
        cause = refused.__cause__
        if isinstance(cause, errors.ExclusionViolation) and cause.diag.constraint_name in {
            NO_OVERLAP,
            NO_ROOM_OVERLAP,
        }:
            raise SlotTaken from refused
        raise


def _insert(appointment: Appointment) -> bool:
    """One statement; True when the row went in.

    No conflict target is named, since the counselor's and the room's constraint both count; the
    primary key is random, so nothing else can conflict.
    """
    fields = Appointment._meta.concrete_fields
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    values = [
        field.get_db_prep_save(field.pre_save(appointment, add=True), connection)
        for field in fields
    ]
    table = Appointment._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({columns}) SELECT {marks} "  # noqa: S608
            f"WHERE %s OR NOT EXISTS (SELECT 1 FROM {table} WHERE {_OVERBOOKED_THERE}) "
            "ON CONFLICT DO NOTHING RETURNING id",
            [
                *values,
                appointment.overbooked,
                appointment.counselor_id,
                appointment.blocked,
                appointment.pk,
            ],
        )
        taken = cursor.fetchone() is not None
    appointment._state.adding = not taken
    return taken


def _clear_expired(appointment: Appointment, now: datetime) -> None:
    """Remove expired holds in the way, but for those that somebody is booking right now."""
    in_the_way = Q(counselor=appointment.counselor_id, blocked__overlap=appointment.blocked)
    if appointment.room_id:
        in_the_way |= Q(room=appointment.room_id, period__overlap=appointment.period)
    expired = (
        Appointment.objects.select_for_update(skip_locked=True)
        .filter(in_the_way, state=Appointment.State.HELD, held_until__lte=now)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    Appointment.objects.filter(pk__in=list(expired)).delete()
