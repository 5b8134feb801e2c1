"""What can be booked: open times, loaded in one round trip and decided by `rules.slots`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from practice.models import Counselor, Practice, Service
from practice.rules import fair, slots, wall

MAX_DAYS = 62

# One row per counselor, all that decides their open times in the window. Expired holds block
# nothing here; the guard clears them when somebody takes their place. What is overbooked is busy
# like the rest. The hold of the one who asks, and an appointment being moved, are left out. What
# overlaps the window also ends after its beginning: said apart, it is what an index answers.
# Hours come as text, read once for as long as it stays the same; busy time as two arrays of
# epoch minutes. JSON for it took longer than all the rest.
_DIARIES = """
SELECT c.id, c.slug, c.hours_version,
  (SELECT json_agg(json_build_array(w.weekday, w.start, w."end", w.zone, w.from_on, w.until_on)
                   ORDER BY w.weekday, w.start, w.id)::text
     FROM duet_practice_workinghours w WHERE w.counselor_id = c.id),
  (SELECT json_agg(json_build_array(x."on", x.zone, x.start, x."end")
                   ORDER BY x."on", x.zone, x.start)::text
     FROM duet_practice_hoursexception x
    WHERE x.counselor_id = c.id AND x."on" >= %(first_on)s),
  busy.starts, busy.ends, room.starts, room.ends{columns}
  FROM {offers}
  JOIN duet_practice_counselor c ON c.id = o.counselor_id
  LEFT JOIN LATERAL (
    SELECT array_agg(floor(date_part('epoch', lower(taken.span)) / 60)::int) AS starts,
           array_agg(ceil(date_part('epoch', upper(taken.span)) / 60)::int) AS ends
      FROM (SELECT a.blocked AS span
              FROM duet_practice_appointment a
             WHERE a.counselor_id = c.id AND a.blocked && %(window)s::tstzrange
               AND upper(a.blocked) > lower(%(window)s::tstzrange)
               AND NOT %(if_free)s AND a.state <> 'cancelled' AND a.id <> %(moving)s
               AND NOT (a.state = 'held'
                        AND (a.held_until <= %(now)s OR a.hold_hash = %(hold_hash)s))
            UNION ALL
            SELECT t.period
              FROM duet_practice_timeoff t
             WHERE (t.counselor_id = c.id OR t.counselor_id IS NULL)
               AND t.period && %(window)s::tstzrange) taken) busy ON true
  LEFT JOIN LATERAL (
    SELECT array_agg(floor(date_part('epoch', lower(r.period)) / 60)::int) AS starts,
           array_agg(ceil(date_part('epoch', upper(r.period)) / 60)::int) AS ends
      FROM duet_practice_appointment r
     WHERE NOT %(if_free)s AND {needs_room} AND r.room_id = c.room_id AND r.counselor_id <> c.id
       AND r.period && %(window)s::tstzrange
       AND upper(r.period) > lower(%(window)s::tstzrange)
       AND r.state <> 'cancelled' AND r.id <> %(moving)s
       AND NOT (r.state = 'held'
                AND (r.held_until <= %(now)s OR r.hold_hash = %(hold_hash)s))) room ON true
 WHERE c.active AND {asked}
 ORDER BY c.slug
"""
_OF_A_SERVICE = _DIARIES.format(
    columns="",
    offers="duet_practice_offer o",
    needs_room="%(needs_room)s",
    asked="o.service_id = %(service)s"
    " AND (%(counselor)s::uuid IS NULL OR c.id = %(counselor)s::uuid)",
)
_BY_NAMES = _DIARIES.format(
    columns=", s.minutes, s.step, s.buffer_before, s.buffer_after, s.notice, s.horizon_days",
    offers="duet_practice_service s JOIN duet_practice_offer o ON o.service_id = s.id",
    needs_room="s.place = 'address'",
    asked="s.slug = %(service)s AND s.active AND NOT s.hidden"
    " AND (%(counselor)s::text IS NULL OR c.slug = %(counselor)s::text)",
)

# How far outside a window a session can lie and still reach into it, whatever its service.
_LONGEST_REACH = 480 + 240 + 240
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Offered:
    """A counselor, and the version of the hours under which a time is offered."""

    counselor: UUID
    slug: str
    hours_version: int


class OpenTime(NamedTuple):
    """A start at which a session can be booked, and with whom, in a stable order."""

    start: datetime
    offered: tuple[Offered, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """The open times of a service, and how many minutes its session lasts."""

    minutes: int
    times: list[OpenTime]


@dataclass(frozen=True, slots=True)
class _Session:
    """What of a service decides at which times it can be booked; all in minutes but the horizon."""

    minutes: int
    step: int
    buffer_before: int
    buffer_after: int
    notice: int
    horizon_days: int


def the_practice() -> Practice:
    """The practice's own row. Refuses (DoesNotExist) before it is set up."""
    return Practice.objects.get()


def open_times(
    *,
    service: Service,
    counselor: Counselor | None,
    from_on: date,
    to_on: date,
    zone: str,
    now: datetime,
    hold_hash: bytes | None = None,
    moving: UUID | None = None,
) -> list[OpenTime]:
    """Open starts on the dates [from_on, to_on) of `zone`, in order; one statement.

    Without `counselor`, of anyone who offers the service. The service's notice and horizon apply.
    `hold_hash` is the asker's own hold, `moving` an appointment to be moved: neither blocks.
    Refuses (ValueError) more than 62 days.
    """
    return _open(service, counselor, _window(from_on, to_on, zone), now, hold_hash, moving)


def listed(
    *,
    service: str,
    counselor: str | None,
    from_on: date,
    to_on: date,
    zone: str,
    now: datetime,
    hold_hash: bytes | None = None,
) -> Listed | None:
    """As `open_times`, for the slugs of a public service and of a counselor; one statement in all.

    None where nobody offers that, or not this counselor. Refuses (ValueError) more than 62 days.
    """
    window = _window(from_on, to_on, zone)
    asked = {"service": service, "counselor": counselor}
    rows = _load(_BY_NAMES, asked, window, _LONGEST_REACH, now, hold_hash, None)
    if not rows:
        return None
    session = _Session(*rows[0][9:])
    return Listed(session.minutes, _times(session, rows, window, now))


def _window(from_on: date, to_on: date, zone: str) -> slots.Interval:
    if (to_on - from_on).days > MAX_DAYS:
        raise ValueError(f"Ask for at most {MAX_DAYS} days.")
    return wall.first_minute(from_on, 0, zone), wall.first_minute(to_on, 0, zone)


def offers_at(
    *,
    service: Service,
    counselor: Counselor | None,
    start: datetime,
    now: datetime,
    hold_hash: bytes | None = None,
    moving: UUID | None = None,
) -> tuple[Offered, ...]:
    """Who offers exactly this start; empty when nobody does."""
    minute = wall.minute_floor(start)
    if wall.instant(minute) != start:
        return ()
    found = _open(service, counselor, (minute, minute + 1), now, hold_hash, moving)
    return found[0].offered if found else ()


def would_be_offered(
    *, service: Service, counselor: Counselor | None, start: datetime, now: datetime
) -> bool:
    """Whether somebody would offer this start if nobody had an appointment or a hold."""
    minute = wall.minute_floor(start)
    window = (minute, minute + 1)
    return wall.instant(minute) == start and bool(
        _open(service, counselor, window, now, None, None, if_free=True)
    )


def next_times(
    *,
    service: Service,
    counselor: Counselor | None,
    after: datetime,
    now: datetime,
    most: int = 6,
    moving: UUID | None = None,
) -> list[OpenTime]:
    """The next open starts from `after` on: what somebody is shown who came too late."""
    low = wall.minute_floor(max(after, now))
    found = _open(service, counselor, (low, low + 21 * wall.DAY), now, None, moving)
    return found[:most]


def fairest(*, offered: Sequence[Offered], start: datetime, zone: str) -> list[Offered]:
    """Those who offer a time, whoever has the fewest minutes booked that week first."""
    if len(offered) < 2:
        return list(offered)
    week = fair.week_of(wall.minute_floor(start), zone)
    booked = _booked_minutes([one.counselor for one in offered], week)
    remaining = list(offered)
    ordered: list[Offered] = []
    while remaining:
        chosen = fair.choose([one.counselor for one in remaining], booked)
        ordered.extend(one for one in remaining if one.counselor == chosen)
        remaining = [one for one in remaining if one.counselor != chosen]
    return ordered


def _booked_minutes(counselors: list[UUID], week: slots.Interval) -> dict[UUID, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT counselor_id,
                   sum(extract(epoch FROM upper(period) - lower(period)) / 60)::bigint
              FROM duet_practice_appointment
             WHERE counselor_id = ANY(%(counselors)s) AND state <> 'cancelled'
               AND period && tstzrange(%(low)s, %(high)s) AND upper(blocked) > %(low)s
             GROUP BY counselor_id
            """,
            {
                "counselors": counselors,
                "low": wall.instant(week[0]),
                "high": wall.instant(week[1]),
            },
        )
        return dict(cursor.fetchall())


def _open(
    service: Service,
    counselor: Counselor | None,
    window: slots.Interval,
    now: datetime,
    hold_hash: bytes | None,
    moving: UUID | None,
    *,
    if_free: bool = False,
) -> list[OpenTime]:
    asked = {
        "if_free": if_free,
        "service": service.pk,
        "counselor": counselor.pk if counselor else None,
        "needs_room": service.place == Service.Place.ADDRESS,
    }
    session = _Session(
        service.minutes,
        service.step,
        service.buffer_before,
        service.buffer_after,
        service.notice,
        service.horizon_days,
    )
    reach = session.minutes + session.buffer_before + session.buffer_after
    rows = _load(_OF_A_SERVICE, asked, window, reach, now, hold_hash, moving)
    return _times(session, rows, window, now)


def _load(
    statement: str,
    asked: Mapping[str, Any],
    window: slots.Interval,
    reach: int,
    now: datetime,
    hold_hash: bytes | None,
    moving: UUID | None,
) -> Sequence[Any]:
    low, high = wall.instant(window[0] - reach), wall.instant(window[1] + reach)
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {
                "if_free": False,
                **asked,
                "now": now,
                "hold_hash": hold_hash or b"",
                "moving": moving or _NOBODY,
                # From today on if that is earlier: so most windows are given the same text.
                "first_on": min(low, now).date() - timedelta(days=2),
                "window": f"[{low.isoformat()},{high.isoformat()})",
            },
        )
        rows: Sequence[Any] = cursor.fetchall()
        return rows


def _times(
    session: _Session, rows: Sequence[Any], window: slots.Interval, now: datetime
) -> list[OpenTime]:
    found = slots.any_of(
        [
            slots.Diary(
                Offered(*row[:3]),
                _hours(row[3] or "[]", row[4] or "[]"),
                tuple(zip(row[5] or (), row[6] or (), strict=True)),
                tuple(zip(row[7] or (), row[8] or (), strict=True)),
            )
            for row in rows
        ],
        length=session.minutes,
        step=session.step,
        before=session.buffer_before,
        after=session.buffer_after,
        earliest=wall.minute_ceiling(now + timedelta(minutes=session.notice)),
        latest=wall.minute_floor(now + timedelta(days=session.horizon_days)),
        window=window,
    )
    return [OpenTime(wall.instant(start), offered) for start, offered in found]


@lru_cache(maxsize=1_024)
def _hours(weekly: str, dated: str) -> slots.Hours:
    """A rule set from its text; the same text gives the same object, which keeps what it took."""
    days: dict[tuple[str, str], list[slots.Interval]] = {}
    for on, zone, start, end in json.loads(dated):
        openings = days.setdefault((on, zone), [])
        if start is not None and end is not None:
            openings.append((start, end))
    return slots.Hours(
        weekly=tuple(_weekly(*row) for row in json.loads(weekly)),
        dated=tuple(
            slots.Dated(date.fromisoformat(on), zone, tuple(openings))
            for (on, zone), openings in days.items()
        ),
    )


def _weekly(
    weekday: int, start: int, end: int, zone: str, from_on: str | None, until_on: str | None
) -> slots.Weekly:
    return slots.Weekly(
        weekday,
        start,
        end,
        zone,
        date.fromisoformat(from_on) if from_on else None,
        date.fromisoformat(until_on) if until_on else None,
    )
