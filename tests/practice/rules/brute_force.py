"""The same answers, found minute by minute from UTC alone.

Nothing here goes from a wall clock to an instant: every real minute is asked what its clock
shows. Slow, and with no line in common with the rules that it checks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

Interval = tuple[int, int]

# Odd clocks of the past: a whole date skipped, changes at midnight, a new offset of half an hour.
ODD_PAST = (
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Pacific/Fakaofo", date(2011, 12, 30)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("America/Sao_Paulo", date(2018, 2, 18)),
    ("America/Sao_Paulo", date(2018, 2, 17)),
    ("Asia/Pyongyang", date(2018, 5, 4)),
    ("Asia/Pyongyang", date(2015, 8, 15)),
    ("America/Caracas", date(2016, 5, 1)),
    ("Asia/Kathmandu", date(2020, 6, 1)),
    ("Europe/Volgograd", date(2020, 12, 27)),
    ("Antarctica/Casey", date(2018, 3, 11)),
)


@cache
def clocks() -> tuple[str, ...]:
    """One zone for each clock that is in use anywhere: tzdata's own list of them."""
    table = (files("tzdata") / "zoneinfo" / "zonenow.tab").read_text("utf-8")
    return tuple(line.split("\t")[2] for line in table.splitlines() if line[:1] not in ("", "#"))


@cache
def change_days(first_year: int = 2025, last_year: int = 2035) -> tuple[tuple[str, date], ...]:
    """Each (zone, local date) of these years on which, or at whose edge, the clock changes."""
    found: list[tuple[str, date]] = []
    days = (date(last_year + 1, 1, 1) - date(first_year, 1, 1)).days
    midnight = datetime(first_year, 1, 1, tzinfo=UTC)
    moments = [midnight + timedelta(days=day) for day in range(days + 1)]
    for zone in clocks():
        data = ZoneInfo(zone)
        offsets = [moment.astimezone(data).utcoffset() for moment in moments]
        for before, after, moment in zip(offsets, offsets[1:], moments, strict=False):
            if before != after:
                # The hour in which it changes, and then the minute.
                hours = [(moment + timedelta(hours=hour)).astimezone(data) for hour in range(25)]
                last = max(hour for hour in hours if hour.utcoffset() == before).astimezone(UTC)
                found.extend(
                    (zone, (last + timedelta(minutes=minute)).astimezone(data).date())
                    for minute in range(62)
                )
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Day:
    """One local date: its real minutes in order, each with the wall clock minute it shows.

    `runs` are the same as stretches in which the clock ran evenly: (instant, shown, minutes).
    """

    shown: tuple[tuple[int, int], ...]
    runs: tuple[tuple[int, int, int], ...]

    def hours(self, start: int, end: int) -> Interval | None:
        """The real minutes of hours from `start` to `end`, as first and end, or None."""
        inside = [
            (instant + max(start - minute, 0), instant + min(end - minute, length))
            for instant, minute, length in self.runs
            if minute < end and start < minute + length
        ]
        starts, ends = self._instants_that_show(start), self._instants_that_show(end)
        narrow = inside
        if len(starts) > 1:
            narrow = [(max(first, starts[-1]), last) for first, last in narrow]
        if len(ends) > 1:
            narrow = [(first, min(last, ends[0])) for first, last in narrow]
        kept = [stretch for stretch in narrow if stretch[0] < stretch[1]]
        if inside and not kept:
            kept = [(max(a, starts[0]), min(b, ends[0])) for a, b in inside]
            kept = [stretch for stretch in kept if stretch[0] < stretch[1]]
        for one, other in pairwise(kept):
            assert one[1] == other[0], "hours are one piece of real time"
        return (kept[0][0], kept[-1][1]) if kept else None

    def _instants_that_show(self, minute: int) -> list[int]:
        return [
            instant + minute - first
            for instant, first, length in self.runs
            if first <= minute < first + length
        ]


@cache
def day(zone: str, on: date) -> Day:
    """A date as its clock showed it, from a scan of all minutes that could belong to it."""
    data = ZoneInfo(zone)
    midnight = (on.toordinal() - date(1970, 1, 1).toordinal()) * 1440
    hours = [
        instant
        for instant in range(midnight - 15 * 60, midnight + 38 * 60, 60)
        if datetime.fromtimestamp(instant * 60, data).day == on.day
    ]
    shown: list[tuple[int, int]] = []
    runs: list[tuple[int, int, int]] = []
    for instant in range(hours[0] - 60, hours[-1] + 60) if hours else ():
        local = datetime.fromtimestamp(instant * 60, data)
        if local.day != on.day:
            continue
        minute = local.hour * 60 + local.minute
        if shown and shown[-1] == (instant - 1, minute - 1):
            runs[-1] = (runs[-1][0], runs[-1][1], runs[-1][2] + 1)
        else:
            runs.append((instant, minute, 1))
        shown.append((instant, minute))
    return Day(tuple(shown), tuple(runs))


def starts(
    spans: Iterable[Interval],
    busy: Iterable[Interval],
    rooms: Iterable[Interval] = (),
    *,
    length: int,
    step: int,
    before: int,
    after: int,
    earliest: int,
    latest: int,
    window: Interval,
) -> list[int]:
    """Every grid point of every opening, each asked against every busy interval."""
    taken = [(start, end) for start, end in busy if start < end]
    in_room = [(start, end) for start, end in rooms if start < end]
    return sorted(
        {
            at
            for opens, closes in spans
            for at in range(opens, closes, step)
            if at + length <= closes
            and earliest <= at < latest
            and window[0] <= at < window[1]
            and not any(at - before < end and start < at + length + after for start, end in taken)
            and not any(at < end and start < at + length for start, end in in_room)
        }
    )
