"""Plan what is sent: the ledger's unsent rows follow their subject. `delivery` sends them."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from kombu.pools import producers

from clients.actions.delivery import Outcome, send_due
from clients.channels.letter import Subject
from clients.models import Message
from clients.rules import crowding, ledger
from clients.rules.actors import Actor

__all__ = [
    "Due",
    "Outcome",
    "Replanned",
    "Subject",
    "Wanted",
    "due_lately",
    "replan",
    "ring",
    "send_due",
]

logger = logging.getLogger(__name__)

# Seconds that a ring may take. Celery's own way to a broker that is away tries for six seconds,
# `retry=False` or not, since it retries the connection too: a booking can't wait for that.
_PATIENCE = 0.25
_AT_ONCE_OR_NOT = {
    "max_retries": 0,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    "connect_retries_timeout": _PATIENCE,
    "socket_timeout": _PATIENCE,
    "socket_connect_timeout": _PATIENCE,
}

_AHEAD = timedelta(days=1)
# In one order, so that two bookings for the same two addresses never wait for each other.
_LOCK_ADDRESSES = """
SELECT pg_advisory_xact_lock(hashtextextended('letters to ' || encode(digest, 'hex'), 0))
  FROM unnest(%s::bytea[]) digest"""
_DUE_LATELY = """
SELECT same.digest, m.subject_id, m.due_at, m.state IN ('planned', 'claimed')
  FROM duet_clients_blindindex same
  JOIN duet_clients_message m ON m.person_id = same.person_id
 WHERE same.kind = 'email' AND same.digest = ANY(%s::bytea[])
   AND m.channel = 'email' AND m.due_at > %s AND m.due_at < %s
   AND m.state NOT IN ('suppressed', 'cancelled', 'missed', 'failed')"""

_MOMENTS = ("due_at", "window_ends_at", "about_at")
_Key = tuple[str, UUID, str, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One message that a subject wants: sent from `due_at` on, too late from `window_ends_at`.

    `about_at` is when the subject begins; nothing about it leaves after that. With `suppressed`,
    a code, a row that isn't there yet is only put down, and never sent.
    """

    purpose: str
    person_id: UUID
    channel: str
    version: int
    due_at: datetime
    window_ends_at: datetime
    about_at: datetime
    suppressed: str = ""

    @property
    def key(self) -> _Key:
        return (self.purpose, self.person_id, self.channel, self.version)


@dataclass(frozen=True, slots=True)
class Replanned:
    """How many rows were planned, changed and cancelled.

    `on_its_way` counts those no longer wanted that a sender has in hand at this moment, or whose
    sender died over them: they may arrive.
    """

    planned: int = 0
    changed: int = 0
    cancelled: int = 0
    on_its_way: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """A letter to an address: about what, when it is or was due, and whether it still waits."""

    subject_id: UUID
    due_at: datetime
    waits: bool


def due_lately(*, addresses: Mapping[UUID, bytes], now: datetime) -> dict[UUID, list[Due]]:
    """What these persons' addresses got in the last hour, and get in the next day.

    By address (its fingerprint in the blind index), since every booking makes a new person. It is
    locked until the caller's transaction ends: of many bookings at the same moment each has to
    see the ones before.
    """
    found: dict[UUID, list[Due]] = {person_id: [] for person_id in addresses}
    digests = sorted(set(addresses.values()))
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_ADDRESSES, [digests])
        cursor.execute(_DUE_LATELY, [digests, now - crowding.WITHIN, now + _AHEAD])
        rows = cursor.fetchall()
    for digest, *due in rows:
        for person_id, own in addresses.items():
            if own == bytes(digest):
                found[person_id].append(Due(*due))
    return found


def lock(*, subject_kind: str, subject_ids: Iterable[UUID]) -> None:
    """Lock all rows of these subjects in order of id until the transaction ends.

    A step of whoever changes the plans of several: one subject after the other would cross the
    order in which a sender locks what it marks.
    """
    found = Message.objects.filter(subject_kind=subject_kind, subject_id__in=list(subject_ids))
    list(found.select_for_update().order_by("pk").values_list("pk"))


@transaction.atomic
def replan(
    *,
    subject_kind: str,
    subject_id: UUID,
    wanted: Sequence[Wanted],
    reason: str,
    by: Actor,  # noqa: ARG001 - the audit entry is that of the action which changed the plan
    now: datetime,
) -> Replanned:
    """Make the unsent rows of one subject be exactly `wanted`; `reason` stays on the cancelled.

    What was sent, failed, missed or suppressed stays as it is, and is not planned again; what
    was cancelled before anything left is planned anew. Rows are locked in order of id, so that a
    sender, which holds one row for a moment, is waited for and never met crosswise.
    """
    rows = list(
        Message.objects.filter(subject_kind=subject_kind, subject_id=subject_id)
        .select_for_update()
        .order_by("pk")
    )
    plan = {want.key: want for want in wanted}
    new = [want for key, want in plan.items() if key not in {_key(row) for row in rows}]
    changed = [row for row in rows if _take_over(row, plan.get(_key(row)), now)]
    unwanted = [row for row in rows if _key(row) not in plan]
    cancelled = [row for row in unwanted if row.state in ledger.UNSENT]
    on_its_way = [row for row in unwanted if row.state in {ledger.SENDING, ledger.UNCERTAIN}]
    _save(changed)
    _cancel(cancelled, reason)
    inserted = _insert(new, subject_kind=subject_kind, subject_id=subject_id, now=now)
    return Replanned(inserted, len(changed), len(cancelled), len(on_its_way))


def ring(*, task: str = "") -> None:
    """Ask for a scan, or for another task, once the caller's transaction is committed.

    A lost ring delays a message until the next scan, 30 s at most, and is no reason to fail.
    """
    transaction.on_commit(partial(_ring, task) if task else _ring, robust=True)


def _ring(task: str = "") -> None:
    bell = task or str(settings.DUET.get("BELL", "practice.tasks.send_due"))
    try:
        broker = current_app.connection_for_write(transport_options=_AT_ONCE_OR_NOT)
        with producers[broker].acquire(block=True, timeout=_PATIENCE) as producer:
            current_app.send_task(bell, producer=producer, retry=False, ignore_result=True)
    except Exception as error:
        logger.warning("The bell %s isn't heard: %s", bell, type(error).__name__)


def _key(row: Message) -> _Key:
    return (row.purpose, row.person_id, row.channel, row.version)


def _take_over(row: Message, want: Wanted | None, now: datetime) -> bool:
    """Give an unsent row the moments that are wanted now; whether that changed it.

    A sender that has only claimed the row finds it changed under its hands, and lets it go.
    """
    if want is None:
        return False
    # A copy of it may have left before it was cancelled: a second one helps nobody.
    revived = row.state == ledger.CANCELLED and row.uncertain_at is None
    moved = any(getattr(row, name) != getattr(want, name) for name in _MOMENTS)
    if not revived and not (moved and row.state in ledger.UNSENT):
        return False
    for name in _MOMENTS:
        setattr(row, name, getattr(want, name))
    if row.state != ledger.UNCERTAIN:
        row.state, row.reason = Message.State.PLANNED, ""
        row.next_try_at = want.due_at
    if revived:
        row.planned_at = now
    return True


def _save(rows: Iterable[Message]) -> None:
    Message.objects.bulk_update(
        rows, [*_MOMENTS, "state", "next_try_at", "planned_at", "reason"], batch_size=200
    )


def _cancel(rows: Iterable[Message], reason: str) -> None:
    Message.objects.filter(pk__in=[row.pk for row in rows]).update(
        state=Message.State.CANCELLED, reason=reason
    )


def _insert(new: Iterable[Wanted], *, subject_kind: str, subject_id: UUID, now: datetime) -> int:
    """Add what is new; a row that somebody else added at the same moment is theirs."""
    rows = new_rows(new, subject_kind=subject_kind, subject_id=subject_id, now=now)
    return len(Message.objects.bulk_create(rows, ignore_conflicts=True))


def new_rows(
    wanted: Iterable[Wanted], *, subject_kind: str, subject_id: UUID, now: datetime
) -> list[Message]:
    """The rows of what is wanted of a subject that has none yet; they aren't written."""
    return [
        Message(
            purpose=want.purpose,
            subject_kind=subject_kind,
            subject_id=subject_id,
            person_id=want.person_id,
            channel=want.channel,
            version=want.version,
            planned_at=now,
            due_at=want.due_at,
            window_ends_at=want.window_ends_at,
            about_at=want.about_at,
            next_try_at=want.due_at,
            state=Message.State.SUPPRESSED if want.suppressed else Message.State.PLANNED,
            reason=want.suppressed,
        )
        for want in wanted
    ]
