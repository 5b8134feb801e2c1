"""One key, one booking: a request that is sent again is answered with what it became."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from clients.rules.actors import Actor
from practice.actions.booking import Booked
from practice.models import Attendance, BookedOnce

KEPT = timedelta(hours=24)

# Who comes second waits here until the first has booked or failed. A key that is over is taken
# over in the same statement.
_CLAIM = f"""
INSERT INTO {BookedOnce._meta.db_table} AS kept (id, key_hash, body_hash, created_at)
VALUES (%(id)s, %(key)s, %(body)s, %(now)s)
ON CONFLICT (key_hash) DO UPDATE
   SET id = excluded.id, body_hash = excluded.body_hash, created_at = excluded.created_at,
       attendance_id = NULL
 WHERE kept.created_at <= %(over)s
RETURNING id"""  # noqa: S608 - a table's name


class KeyReused(Exception):
    """The key came before, with another body."""


@dataclass(frozen=True, slots=True)
class Once:
    """The booker's part in the appointment, and whether it was booked by an earlier request."""

    attendance: Attendance
    repeated: bool


@transaction.atomic
def book_once(
    *,
    key_hash: bytes,
    body_hash: bytes,
    book: Callable[[], Booked],
    by: Actor,  # noqa: ARG001 - every action says by whom; `book` records it
    now: datetime,
) -> Once:
    """Book by `book` unless this key has booked in the last 24 hours; then say what it booked.

    The key is written first and in the same transaction: of many at once one books, and what
    fails leaves no key behind. Refuses (KeyReused) a known key with another body, and whatever
    `book` refuses.
    """
    row_id = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {"id": row_id, "key": key_hash, "body": body_hash, "now": now, "over": now - KEPT},
        )
        first = cursor.fetchone() is not None
    if first:
        attendance = book().attendances[0]
        BookedOnce.objects.filter(pk=row_id).update(attendance=attendance)
        return Once(attendance, repeated=False)
    row = BookedOnce.objects.select_related(
        "attendance__person__key", "attendance__appointment__counselor"
    ).get(key_hash=key_hash)
    if bytes(row.body_hash) != body_hash or row.attendance is None:
        raise KeyReused
    return Once(row.attendance, repeated=True)


def forget(*, by: Actor, now: datetime) -> int:  # noqa: ARG001 - every action says by whom
    """Remove the keys that are over."""
    count, _ = BookedOnce.objects.filter(created_at__lte=now - KEPT).delete()
    return count
