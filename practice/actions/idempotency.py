"""One key, one booking: a request that is sent again is answered with what it became."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.rules.actors import Actor
from practice.actions.booking import Booked
from practice.models import Attendance, BookedOnce

KEPT = timedelta(hours=24)


class KeyReused(Exception):
    """The key came before, with another body."""


@dataclass(frozen=True, slots=True)
class Once:
    """The booker's part in the appointment, and whether it was booked by an earlier request."""

    attendance: Attendance
    repeated: bool


def book_once(
    *,
    key_hash: bytes,
    body_hash: bytes,
    book: Callable[[BookedOnce], Booked],
    by: Actor,
    now: datetime,
) -> Once:
    """Book by `book` unless this key has booked in the last 24 hours; then say what it booked.

    `book` writes the row that it is given in the transaction that books: of many at once one can,
    and what fails leaves no key behind. So the key is asked for only when `book` has refused,
    whatever the reason: the time may be taken, or the hold gone, because the same request was here
    before. Refuses (KeyReused) a known key with another body, and whatever `book` refuses.
    """
    row = BookedOnce(key_hash=key_hash, body_hash=body_hash, created_at=now)
    try:
        return Once(book(row).attendances[0], repeated=False)
    except Exception:
        known = _known(key_hash)
        if known is None:
            raise
    if known.created_at <= now - KEPT:
        known.delete()
        return book_once(key_hash=key_hash, body_hash=body_hash, book=book, by=by, now=now)
    if bytes(known.body_hash) != body_hash:
        raise KeyReused
    return Once(known.attendance, repeated=True)


def _known(key_hash: bytes) -> BookedOnce | None:
    return (
        BookedOnce.objects.select_related(
            "attendance__person__key", "attendance__appointment__counselor"
        )
        .filter(key_hash=key_hash)
        .first()
    )


def forget(*, by: Actor, now: datetime) -> int:  # noqa: ARG001 - every action says by whom
    """Remove the keys that are over."""
    count, _ = BookedOnce.objects.filter(created_at__lte=now - KEPT).delete()
    return count
