"""What must hold of the data at any moment, asked of whole tables and trusting no constraint.

Each check is one statement that finds the rows which break it. The numbers are those of the
reliability document: I1 every booking has its rows, I2 no overlap, I3 nobody is told twice, I4
what is due goes out, I5 no sender holds on for ever, I6 nothing about what is gone or over, I8
every act is on record, I9 no personal text where it doesn't belong. Gate, contact, hold, key and
seal are promises of the same rank. The rest of the ten can't be seen in a database.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final
from uuid import UUID

from django.db import connection

from clients.queries import audit, seals
from practice.models import Appointment
from practice.rules import wall

MOST: Final = 100
# A chain is sealed every half minute; what stays unsealed longer has been forgotten.
_SEALED_WITHIN: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Breach:
    """One row that breaks one invariant, in words; `subject` is the row's id."""

    invariant: str
    subject: UUID | None
    what: str


@dataclass(frozen=True, slots=True)
class _Check:
    """`finds` selects the ids of rows for which `what` is true; it may use %(now)s."""

    invariant: str
    what: str
    finds: str


# A letter about the end of an appointment is the one thing that may be said of it afterwards.
_ABOUT = """
  FROM duet_clients_message m
  JOIN duet_practice_attendance t ON t.id = m.subject_id
  JOIN duet_practice_appointment a ON a.id = t.appointment_id
 WHERE m.subject_kind = 'attendance'
"""
_OPEN = "m.state IN ('planned', 'claimed', 'sending', 'uncertain')"
_OF_THE_END = "m.purpose IN ('cancelled', 'declined')"

# Sorting by start and looking back for the latest end needs no index, and no trust in one.
_OVERLAP = """
SELECT id FROM (
  SELECT id, lower({period}) AS starts,
         max(upper({period})) OVER (PARTITION BY {whose} ORDER BY lower({period}), id
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS busy_until
    FROM duet_practice_appointment
   WHERE state <> 'cancelled' AND NOT overbooked AND {whose} IS NOT NULL
     AND NOT isempty({period})) AS diary
 WHERE busy_until > starts
"""

_SEALED_BY_ANOTHER = """
SELECT {row}.id FROM {table} {row} {join} JOIN duet_clients_datakey k ON k.id = p.key_id
 WHERE {row}.{column} IS NOT NULL
   AND substring({row}.{column} FROM 1 FOR 9) IS DISTINCT FROM
       '\\x01'::bytea || substring(sha256(convert_to(k.id::text, 'UTF8')) FROM 1 FOR 8)
"""


def _sealed(table: str, row: str, join: str, column: str) -> _Check:
    return _Check(
        "key",
        f"{table}.{column} isn't sealed with the key of its person",
        _SEALED_BY_ANOTHER.format(table=table, row=row, join=join, column=column),
    )


_OF_ATTENDANCE = "JOIN duet_clients_person p ON p.id = t.person_id"
_OF_ANSWER = f"JOIN duet_practice_attendance t ON t.id = w.attendance_id {_OF_ATTENDANCE}"

_CHECKS: Final = (
    _Check(
        "I1",
        "an appointment that nobody booked",
        """
        SELECT a.id FROM duet_practice_appointment a
         WHERE a.state <> 'held' AND NOT EXISTS (
           SELECT FROM duet_practice_attendance t
            WHERE t.appointment_id = a.id AND t.role = 'booker')
        """,
    ),
    _Check(
        "I2",
        "an appointment overlaps another one of its counselor",
        _OVERLAP.format(period="blocked", whose="counselor_id"),
    ),
    _Check(
        "I2",
        "an appointment overlaps another one in its room",
        _OVERLAP.format(period="period", whose="room_id"),
    ),
    _Check(
        "I2",
        "an appointment with an empty or endless period, which no overlap check can see",
        """
        SELECT id FROM duet_practice_appointment
         WHERE isempty(period) OR isempty(blocked) OR lower_inf(blocked) OR upper_inf(blocked)
            OR lower(blocked) = '-infinity' OR upper(blocked) = 'infinity'
            OR NOT blocked @> period
        """,
    ),
    _Check(
        "I2",
        "an appointment names neither the hours it was offered under nor why it was made",
        """
        SELECT id FROM duet_practice_appointment
         WHERE (offered_under IS NULL) = (override_reason = '')
            OR overbooked AND override_reason = ''
        """,
    ),
    _Check(
        "I3",
        "a message stands in the ledger twice",
        """
        SELECT min(id::text)::uuid FROM duet_clients_message
         GROUP BY purpose, subject_kind, subject_id, person_id, channel, version
        HAVING count(*) > 1
        """,
    ),
    _Check(
        "I3",
        "an attendee was told twice that an appointment was made",
        """
        SELECT subject_id FROM duet_clients_message
         WHERE state = 'sent' AND purpose IN ('confirmation', 'invitation')
         GROUP BY subject_kind, subject_id, person_id, channel
        HAVING count(*) > 1
        """,
    ),
    _Check(
        "I3",
        "an attendee was told twice that an appointment is off",
        """
        SELECT subject_id FROM duet_clients_message
         WHERE state = 'sent' AND purpose IN ('cancelled', 'declined')
         GROUP BY subject_kind, subject_id, person_id, channel
        HAVING count(*) > 1
        """,
    ),
    _Check(
        "I4",
        "a message has been due for more than ten minutes",
        f"""
        SELECT m.id FROM duet_clients_message m
         WHERE {_OPEN} AND m.due_at < %(now)s - interval '10 minutes'
        """,  # noqa: S608
    ),
    _Check(
        "I4",
        "a message that wasn't sent doesn't say why",
        """
        SELECT id FROM duet_clients_message
         WHERE state IN ('failed', 'missed', 'suppressed', 'cancelled') AND reason = ''
            OR state = 'sent' AND sent_at IS NULL
        """,
    ),
    _Check(
        "I5",
        "a message was taken by a sender that never came back",
        """
        SELECT id FROM duet_clients_message
         WHERE state IN ('claimed', 'sending')
           AND next_try_at < %(now)s - interval '5 minutes'
        """,
    ),
    _Check(
        "I6",
        "a message about an attendance that doesn't exist",
        """
        SELECT m.id FROM duet_clients_message m
         WHERE m.subject_kind = 'attendance'
           AND NOT EXISTS (SELECT FROM duet_practice_attendance t WHERE t.id = m.subject_id)
        """,
    ),
    _Check(
        "I6",
        "a message about a cancelled appointment may still be sent",
        f"""
        SELECT m.id {_ABOUT} AND {_OPEN} AND NOT {_OF_THE_END}
           AND (a.state = 'cancelled' OR t.state = 'cancelled')
        """,
    ),
    _Check(
        "I6",
        "a message about a time that was moved may still be sent",
        f"""
        SELECT m.id {_ABOUT} AND {_OPEN}
           AND (m.version <> a.sequence OR m.about_at <> lower(a.period))
        """,
    ),
    _Check(
        "I6",
        "a message about an appointment that has begun may still be sent",
        f"""
        SELECT m.id FROM duet_clients_message m
         WHERE {_OPEN} AND NOT {_OF_THE_END}
           AND m.about_at < %(now)s - interval '10 minutes'
        """,  # noqa: S608
    ),
    _Check(
        "I6",
        "a message was sent after what it is about had begun",
        f"""
        SELECT m.id FROM duet_clients_message m
         WHERE m.state = 'sent' AND NOT {_OF_THE_END}
           AND m.sent_at > m.about_at + interval '30 seconds'
        """,  # noqa: S608
    ),
    _Check(
        "I6",
        "a message was sent after its appointment had been cancelled",
        f"""
        SELECT m.id {_ABOUT} AND m.state = 'sent' AND NOT {_OF_THE_END}
           AND m.sent_at > least(a.cancelled_at, t.cancelled_at) + interval '30 seconds'
        """,
    ),
    _Check(
        "I6",
        "a message was sent after its appointment had been moved",
        f"""
        SELECT m.id {_ABOUT} AND m.state = 'sent' AND NOT {_OF_THE_END}
           AND a.state <> 'cancelled' AND m.version < a.sequence
           AND m.sent_at > a.settled_at + interval '30 seconds'
        """,
    ),
    _Check(
        "I8",
        "an appointment that nobody is on record for",
        """
        SELECT a.id FROM duet_practice_appointment a
         WHERE NOT EXISTS (SELECT FROM duet_clients_auditentry e
                            WHERE e.subject_id = a.id AND e.subject_kind = 'appointment')
        """,
    ),
    _Check(
        "I8",
        "a person that nobody is on record for",
        """
        SELECT p.id FROM duet_clients_person p
         WHERE NOT EXISTS (SELECT FROM duet_clients_auditentry e
                            WHERE e.subject_id = p.id AND e.subject_kind = 'person')
        """,
    ),
    _Check(
        "I8",
        "a case that nobody is on record for",
        """
        SELECT c.id FROM duet_clients_case c
         WHERE NOT EXISTS (SELECT FROM duet_clients_auditentry e
                            WHERE e.subject_id = c.id AND e.subject_kind = 'case')
        """,
    ),
    _Check(
        "I9",
        "an audit entry holds what looks like an address",
        "SELECT id FROM duet_clients_auditentry WHERE strpos(detail::text, '@') > 0",
    ),
    _Check(
        "I9",
        "a message's reason holds what looks like an address",
        "SELECT id FROM duet_clients_message WHERE strpos(reason, '@') > 0",
    ),
    _Check(
        "gate",
        "somebody who may not be written to has a message that was sent or may be",
        f"""
        SELECT m.id {_ABOUT} AND t.gate <> 'open' AND (m.state = 'sent' OR {_OPEN})
           -- What was sent before a gate was shut was right when it was sent.
           AND NOT (m.state = 'sent' AND EXISTS (
             SELECT FROM duet_clients_auditentry e
              WHERE e.subject_id = a.id AND e.person_id = t.person_id
                AND e.verb = 'attendance.gate_' || t.gate
                AND e.at > m.sent_at - interval '30 seconds'))
        """,  # noqa: S608
    ),
    _Check(
        "contact",
        "a message was sent to somebody who had said no to its channel",
        """
        SELECT m.id FROM duet_clients_message m
          JOIN duet_clients_safecontact s
            ON s.person_id = m.person_id AND s.channel = m.channel
         WHERE m.state = 'sent' AND s.permission = 'no'
           AND m.sent_at > s.asked_at + interval '30 seconds'
        """,
    ),
    _Check(
        "hold",
        "a hold ended more than five minutes ago and still takes up its time",
        """
        SELECT id FROM duet_practice_appointment
         WHERE state = 'held' AND held_until < %(now)s - interval '5 minutes'
        """,
    ),
    _sealed("duet_clients_person", "p", "", "name"),
    _sealed("duet_clients_person", "p", "", "email"),
    _sealed("duet_clients_person", "p", "", "phone"),
    _sealed("duet_practice_attendance", "t", _OF_ATTENDANCE, "token"),
    _sealed("duet_practice_attendance", "t", _OF_ATTENDANCE, "cancel_reason"),
    _sealed("duet_practice_answer", "w", _OF_ANSWER, "text"),
)

INVARIANTS: Final = (*dict.fromkeys(check.invariant for check in _CHECKS), "seal")


def breaches(now: datetime, progress: seals.Progress | None = None) -> list[Breach]:
    """Every row that breaks an invariant, at most `MOST` for each check; empty when all hold."""
    return [*of_the_rows(now), *of_the_chain(now), *of_the_seals(progress)]


def of_the_rows(now: datetime) -> list[Breach]:
    """As `breaches`, without reading the audit chain and opening what is sealed."""
    found = []
    with connection.cursor() as cursor:
        for check in _CHECKS:
            cursor.execute(f"{check.finds} LIMIT {MOST}", {"now": now})
            found += [Breach(check.invariant, row[0], check.what) for row in cursor.fetchall()]
    return found


def of_the_chain(now: datetime) -> Iterable[Breach]:
    """What is wrong with the audit chain; an entry may wait for its seal for ten minutes."""
    sentences: dict[str, str] = {
        "changed": "an audit entry was changed after it was sealed",
        "removed": "an audit entry was removed",
        "broken": "the audit chain is broken at this place",
        "unkeyed": "a seal of the audit chain has no key",
        "keyless": "a key of the audit chain is gone",
        "doubled": "an audit entry is there twice",
        "missing": "seals of the audit chain are missing",
        "unsealed": "an audit entry was never sealed",
    }
    for breach in islice(audit.breaches(unsealed_before=now - _SEALED_WITHIN), MOST):
        yield Breach("I8", breach.entry_id, sentences[breach.kind])


def of_the_seals(progress: seals.Progress | None = None) -> Iterable[Breach]:
    """What can't be opened, although nobody erased it."""
    for one in islice(seals.damaged(progress), MOST):
        yield Breach("seal", one.row, f"{one.table}.{one.column} can't be opened")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An appointment whose agreed wall time is no longer the one that its instant shows."""

    appointment: UUID
    zone: str
    agreed: str
    shows: str


def wall_time_disagreements(now: datetime) -> list[Disagreement]:
    """Coming appointments whose zone changed its rules since they were agreed.

    The instant is what counts; the attendees should be told what their clocks will show.
    """
    found = []
    for row in Appointment.objects.coming(now).order_by("period"):
        local = wall.wall(wall.minute_floor(row.starts_at), row.agreed_zone)
        shows = local.strftime("%Y-%m-%dT%H:%M")
        if shows != row.agreed_wall:
            found.append(Disagreement(row.pk, row.agreed_zone, row.agreed_wall, shows))
    return found
