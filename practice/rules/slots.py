"""Open times: from working hours and busy time to the minutes at which a session may start.

Every instant is an integer of epoch minutes (see `wall`), every period is half-open. Wall clock
hours become instants once per rule set and date, and are kept; the rest is one sweep.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from math import inf
from typing import Final, Generic, TypeAlias, TypeVar

from practice.rules import wall

Interval: TypeAlias = tuple[int, int]  # [start, end)
Who = TypeVar("Who", bound=Hashable)

_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
# Whole weeks that leave room for the offsets at both ends of the calendar.
_FIRST_ORDINAL: Final = 14
_LAST_ORDINAL: Final = date.max.toordinal() - 14


@dataclass(frozen=True, slots=True)
class Weekly:
    """Hours of one weekday (0 is Monday) in wall clock minutes, 0..1440, of an IANA zone.

    They hold on dates from `from_on` until before `until_on`. Refuses an end before the start:
    hours over midnight are two rules.
    """

    weekday: int
    start: int
    end: int
    zone: str
    from_on: date | None = None
    until_on: date | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.weekday <= 6:
            raise ValueError("A weekday is 0 (Monday) to 6 (Sunday).")
        _check_hours(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Dated:
    """The openings of one date in place of all its weekly hours; none means closed."""

    on: date
    zone: str
    openings: tuple[Interval, ...] = ()

    def __post_init__(self) -> None:
        for start, end in self.openings:
            _check_hours(start, end)


@dataclass(frozen=True, slots=True)
class Hours:
    """One counselor's rule set. Equal rule sets share what was worked out for them."""

    weekly: tuple[Weekly, ...] = ()
    dated: tuple[Dated, ...] = ()
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.weekly, self.dated)))

    def __hash__(self) -> int:
        """Worked out once: every look-up asks for it, and it goes through all rules."""
        return self._hash


@dataclass(frozen=True, slots=True)
class Diary(Generic[Who]):
    """One counselor for `any_of`: who, their hours, their busy time, and their room's."""

    counselor: Who
    hours: Hours
    busy: Sequence[Interval] = ()
    rooms: Sequence[Interval] = ()


class _Expansion:
    """A rule set sorted by weekday and date; compared by identity, so that look-ups are cheap."""

    __slots__ = ("by_date", "by_weekday")

    def __init__(self, hours: Hours) -> None:
        self.by_weekday: list[list[Weekly]] = [[] for _ in range(7)]
        for rule in hours.weekly:
            self.by_weekday[rule.weekday].append(rule)
        self.by_date: dict[int, list[Dated]] = {}
        for exception in hours.dated:
            self.by_date.setdefault(exception.on.toordinal(), []).append(exception)


def openings(hours: Hours, from_on: date, to_on: date) -> dict[date, tuple[Interval, ...]]:
    """The openings of each local date from `from_on` until before `to_on`; closed dates left out.

    Those of one date are merged where they touch. Those of two dates never are: an opening
    belongs to its date, so that what is offered does not depend on the dates asked for.
    """
    expansion = _expansion(hours)
    found = (
        (ordinal, _openings_on(expansion, ordinal))
        for ordinal in range(from_on.toordinal(), to_on.toordinal())
    )
    return {date.fromordinal(ordinal): spans for ordinal, spans in found if spans}


def open_starts(
    *,
    hours: Hours,
    busy: Iterable[Interval],
    rooms: Iterable[Interval] = (),
    length: int,
    step: int,
    before: int = 0,
    after: int = 0,
    earliest: int,
    latest: int,
    window: Interval,
) -> list[int]:
    """The minutes at which a session of `length` may start, in order.

    A start lies on its opening's grid (every `step` real minutes from where it opens) and in the
    window, is not before `earliest` and is before `latest`. The session ends within the opening;
    with `before` and `after` around it, it touches no busy interval. `rooms` are sessions in the
    room it needs: those it must not touch by itself, since a room has no buffers. Intervals may
    come in any order and overlap; empty ones block nothing. Refuses lengths and steps below one
    minute and negative buffers.
    """
    _check_session(length, step, before, after)
    low, high = max(earliest, window[0]), min(latest, window[1])
    if low >= high:
        return []
    blocked = _blocked_starts(busy, rooms, length, before, after, low, high)
    return _free(_grid(hours, length, step, low, high), blocked, low, high)


def any_of(
    diaries: Iterable[Diary[Who]],
    *,
    length: int,
    step: int,
    before: int = 0,
    after: int = 0,
    earliest: int,
    latest: int,
    window: Interval,
) -> list[tuple[int, tuple[Who, ...]]]:
    """As `open_starts`, for several counselors: each start with those free, in the order given."""
    _check_session(length, step, before, after)
    low, high = max(earliest, window[0]), min(latest, window[1])
    if low >= high:
        return []
    grids: dict[Hours, list[int]] = {}
    free: defaultdict[int, list[Who]] = defaultdict(list)
    for diary in diaries:
        grid = grids.get(diary.hours)
        if grid is None:
            grid = grids[diary.hours] = _grid(diary.hours, length, step, low, high)
        blocked = _blocked_starts(diary.busy, diary.rooms, length, before, after, low, high)
        for start in _free(grid, blocked, low, high):
            free[start].append(diary.counselor)
    return [(start, tuple(free[start])) for start in sorted(free)]


def _free(grid: list[int], blocked: list[Interval], low: int, high: int) -> list[int]:
    """The sweep: the stretches of the grid that lie between blocked runs, within [low, high).

    It never goes back, so that runs which overlap or lie within each other do no harm.
    """
    here = bisect_left(grid, low)
    end = bisect_left(grid, high)
    starts: list[int] = []
    for from_minute, to_minute in blocked:
        stop = bisect_left(grid, from_minute, here, end)
        starts += grid[here:stop]
        here = bisect_left(grid, to_minute, stop, end)
    starts += grid[here:end]
    return starts


def _blocked_starts(
    busy: Iterable[Interval],
    rooms: Iterable[Interval],
    length: int,
    before: int,
    after: int,
    low: int,
    high: int,
) -> list[Interval]:
    """Where no session may start because of busy time: runs [from, to) in order; some overlap."""
    reach = length + after - 1
    runs = [
        (start - reach, end + before)
        for start, end in busy
        if start < end and start - reach < high and end + before > low
    ]
    runs += [
        (start - length + 1, end)
        for start, end in rooms
        if start < end and start - length < high and end > low
    ]
    runs.sort()
    return runs


def _grid(hours: Hours, length: int, step: int, low: int, high: int) -> list[int]:
    """Every start that hours alone allow in [low, high), and some before and after, in order.

    Local dates differ from the UTC date by one at most. Windows beyond the calendar are empty.
    """
    expansion = _expansion(hours)
    first = max(low // wall.DAY + _EPOCH_ORDINAL - 1, _FIRST_ORDINAL)
    last = min((high - 1) // wall.DAY + _EPOCH_ORDINAL + 1, _LAST_ORDINAL)
    starts: list[int] = []
    in_order = True
    for week in range(first // 7, last // 7 + 1):
        found = _week_of_starts(expansion, week, length, step)
        # Dates are in order in one zone; the same date in two zones may be a day apart.
        in_order = in_order and not (starts and found and found[0] <= starts[-1])
        starts += found
    return starts if in_order else sorted(set(starts))


@lru_cache(maxsize=4_096)
def _week_of_starts(expansion: _Expansion, week: int, length: int, step: int) -> tuple[int, ...]:
    """The starts that the hours of seven dates allow; by week, so that windows share them."""
    starts = [
        start
        for ordinal in range(7 * week, 7 * week + 7)
        for opens, closes in _openings_on(expansion, ordinal)
        for start in range(opens, closes - length + 1, step)
    ]
    return tuple(sorted(set(starts)))


@lru_cache(maxsize=1_024)
def _expansion(hours: Hours) -> _Expansion:
    return _Expansion(hours)


@lru_cache(maxsize=65_536)
def _openings_on(expansion: _Expansion, ordinal: int) -> tuple[Interval, ...]:
    """The merged openings of one local date."""
    exceptions = expansion.by_date.get(ordinal)
    if exceptions is not None:
        hours = [(rule.zone, start, end) for rule in exceptions for start, end in rule.openings]
    else:
        on = date.fromordinal(ordinal)
        hours = [
            (rule.zone, rule.start, rule.end)
            for rule in expansion.by_weekday[on.weekday()]
            if (rule.from_on is None or rule.from_on <= on)
            and (rule.until_on is None or on < rule.until_on)
        ]
    return tuple(_merged(wall.opening(zone, ordinal, start, end) for zone, start, end in hours))


def _merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same minutes as intervals that do not touch, in order; empty ones drop out."""
    merged: list[Interval] = []
    reached: float = -inf
    for interval in sorted(intervals):
        start, end = interval
        if start > reached:
            if start < end:
                merged.append(interval)
                reached = end
        elif end > reached:
            merged[-1] = (merged[-1][0], end)
            reached = end
    return merged


def _check_hours(start: int, end: int) -> None:
    if not 0 <= start <= end <= wall.DAY:
        raise ValueError("Hours run from 00:00 to 24:00 at most, and do not end before they start.")


def _check_session(length: int, step: int, before: int, after: int) -> None:
    if length < 1 or step < 1 or before < 0 or after < 0:
        raise ValueError("A session and its step last a minute at least; buffers are not negative.")
