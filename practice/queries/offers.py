"""What can be booked: open times, loaded in one round trip and decided by `rules.slots`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import connection

from practice.models import Counselor, Practice, Service
from practice.rules import fair, slots, wall

MAX_DAYS = 62

# One row per counselor, all that decides their open times in the window. Expired holds block
# nothing here; the guard clears them when somebody takes their place. What is overbooked is busy
# like the rest. The hold of the one who asks, and an appointment being moved, are left out.
_DIARIES = """
SELECT c.id, c.slug, c.hours_version,
  (SELECT json_agg(json_build_array(w.weekday, w.start, w."end", w.zone, w.from_on, w.until_on)
                   ORDER BY w.weekday, w.start, w.id)
     FROM duet_practice_workinghours w WHERE w.counselor_id = c.id),
  (SELECT json_agg(json_build_array(x."on", x.zone, x.start, x."end")
                   ORDER BY x."on", x.zone, x.start)
     FROM duet_practice_hoursexception x
    WHERE x.counselor_id = c.id AND x."on" BETWEEN %(first_on)s AND %(last_on)s),
  (SELECT json_agg(json_build_array(
            floor(extract(epoch FROM lower(a.blocked)) / 60)::bigint,
            ceil(extract(epoch FROM upper(a.blocked)) / 60)::bigint))
     FROM duet_practice_appointment a
    WHERE a.counselor_id = c.id AND a.blocked && %(window)s::tstzrange
      AND a.state <> 'cancelled' AND a.id <> %(moving)s
      AND NOT (a.state = 'held'
               AND (a.held_until <= %(now)s OR a.hold_hash = %(hold_hash)s))),
  (SELECT json_agg(json_build_array(
            floor(extract(epoch FROM lower(t.period)) / 60)::bigint,
            ceil(extract(epoch FROM upper(t.period)) / 60)::bigint))
     FROM duet_practice_timeoff t
    WHERE (t.counselor_id = c.id OR t.counselor_id IS NULL)
      AND t.period && %(window)s::tstzrange),
  CASE WHEN %(needs_room)s AND c.room_id IS NOT NULL THEN
  (SELECT json_agg(json_build_array(
            floor(extract(epoch FROM lower(r.period)) / 60)::bigint,
            ceil(extract(epoch FROM upper(r.period)) / 60)::bigint))
     FROM duet_practice_appointment r
    WHERE r.room_id = c.room_id AND r.counselor_id <> c.id
      AND r.period && %(window)s::tstzrange
      AND r.state <> 'cancelled' AND r.id <> %(moving)s
      AND NOT (r.state = 'held'
               AND (r.held_until <= %(now)s OR r.hold_hash = %(hold_hash)s))) END
  FROM duet_practice_counselor c
  JOIN duet_practice_offer o ON o.counselor_id = c.id AND o.service_id = %(service)s
 WHERE c.active AND (%(counselor)s::uuid IS NULL OR c.id = %(counselor)s::uuid)
 ORDER BY c.slug
"""

_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Offered:
    """A counselor, and the version of the hours under which a time is offered."""

    counselor: UUID
    slug: str
    hours_version: int


@dataclass(frozen=True, slots=True)
class OpenTime:
    """A start at which a session can be booked, and with whom, in a stable order."""

    start: datetime
    offered: tuple[Offered, ...]


def the_practice() -> Practice:
    """The practice's own row. Refuses (DoesNotExist) before it is set up."""
    return Practice.objects.get()


def service_for_booking(slug: str) -> Service | None:
    """A public service with its bookable counselors, or None; two statements."""
    return Service.objects.public().prefetch_related("counselors__member").filter(slug=slug).first()


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
    if (to_on - from_on).days > MAX_DAYS:
        raise ValueError(f"Ask for at most {MAX_DAYS} days.")
    window = (wall.first_minute(from_on, 0, zone), wall.first_minute(to_on, 0, zone))
    return _open(service, counselor, window, now, hold_hash, moving)


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
             WHERE counselor_id = ANY(%s) AND period && tstzrange(%s, %s)
               AND state <> 'cancelled'
             GROUP BY counselor_id
            """,
            [counselors, wall.instant(week[0]), wall.instant(week[1])],
        )
        return dict(cursor.fetchall())


def _open(
    service: Service,
    counselor: Counselor | None,
    window: slots.Interval,
    now: datetime,
    hold_hash: bytes | None,
    moving: UUID | None,
) -> list[OpenTime]:
    earliest = wall.minute_ceiling(now + timedelta(minutes=service.notice))
    latest = wall.minute_floor(now + timedelta(days=service.horizon_days))
    reach = service.minutes + service.buffer_before + service.buffer_after
    loaded = (wall.instant(window[0] - reach), wall.instant(window[1] + reach))
    with connection.cursor() as cursor:
        cursor.execute(
            _DIARIES,
            {
                "service": service.pk,
                "counselor": counselor.pk if counselor else None,
                "needs_room": service.place == Service.Place.ADDRESS,
                "now": now,
                "hold_hash": hold_hash or b"",
                "moving": moving or _NOBODY,
                "first_on": loaded[0].date() - timedelta(days=2),
                "last_on": loaded[1].date() + timedelta(days=2),
                "window": f"[{loaded[0].isoformat()},{loaded[1].isoformat()})",
            },
        )
        rows = cursor.fetchall()
    diaries = [
        slots.Diary(
            Offered(*row[:3]),
            _hours(row[3] or (), row[4] or ()),
            [tuple(busy) for busy in (*(row[5] or ()), *(row[6] or ()))],
            rooms=[tuple(busy) for busy in row[7] or ()],
        )
        for row in rows
    ]
    found = slots.any_of(
        diaries,
        length=service.minutes,
        step=service.step,
        before=service.buffer_before,
        after=service.buffer_after,
        earliest=earliest,
        latest=latest,
        window=window,
    )
    return [OpenTime(wall.instant(start), offered) for start, offered in found]


def _hours(weekly: Iterable[Sequence[object]], dated: Iterable[Sequence[object]]) -> slots.Hours:
    days: dict[tuple[str, str], list[slots.Interval]] = {}
    for on, zone, start, end in dated:
        openings = days.setdefault((str(on), str(zone)), [])
        if isinstance(start, int) and isinstance(end, int):
            openings.append((start, end))
    return slots.Hours(
        weekly=tuple(_weekly(row) for row in weekly),
        dated=tuple(
            slots.Dated(date.fromisoformat(on), zone, tuple(openings))
            for (on, zone), openings in days.items()
        ),
    )


def _weekly(row: Sequence[object]) -> slots.Weekly:
    weekday, start, end, zone, from_on, until_on = row
    return slots.Weekly(
        int(str(weekday)),
        int(str(start)),
        int(str(end)),
        str(zone),
        date.fromisoformat(str(from_on)) if from_on else None,
        date.fromisoformat(str(until_on)) if until_on else None,
    )
