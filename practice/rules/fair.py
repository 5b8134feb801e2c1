"""Who gets a booking that asked for anyone."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from practice.rules import wall
from practice.rules.slots import Interval

Who = TypeVar("Who", bound=Hashable)


def choose(free: Sequence[Who], booked_minutes: Mapping[Who, int]) -> Who:
    """The one with the fewest minutes booked that week; among equals the first as given.

    A counselor who is not in `booked_minutes` has none booked. Refuses an empty choice.
    """
    if not free:
        raise ValueError("Nobody is free to choose from.")
    return min(free, key=lambda who: booked_minutes.get(who, 0))


def week_of(start: int, zone: str) -> Interval:
    """The week, Monday to Monday on the wall clock of `zone`, that holds an epoch minute."""
    on = wall.wall(start, zone).date()
    monday = on - timedelta(days=on.weekday())
    return (
        wall.first_minute(monday, 0, zone),
        wall.first_minute(monday + timedelta(days=7), 0, zone),
    )


def booked_in(week: Interval, sessions: Iterable[Interval]) -> int:
    """How many minutes of these sessions lie in the week."""
    return sum(max(0, min(end, week[1]) - max(start, week[0])) for start, end in sessions)
