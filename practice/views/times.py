"""A page of open times: which days it shows, and the times by day in one zone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from practice.queries.offers import OpenTime
from practice.templatetags import duet_times

PAGE_DAYS = 7


@dataclass(frozen=True, slots=True)
class Window:
    """The days [from_on, to_on) of one page, out of those that can be booked."""

    from_on: date
    first_on: date
    last_on: date

    @property
    def to_on(self) -> date:
        return self.from_on + timedelta(days=PAGE_DAYS)

    @property
    def earlier(self) -> date | None:
        """Where the page before this one begins, if there is one."""
        if self.from_on <= self.first_on:
            return None
        return max(self.first_on, self.from_on - timedelta(days=PAGE_DAYS))

    @property
    def later(self) -> date | None:
        """Where the next page begins, if there is one."""
        return self.to_on if self.to_on <= self.last_on else None


def window(*, asked: date | None, zone: str, horizon_days: int, now: datetime) -> Window:
    """The page that holds the day asked for, or today; never outside what can be booked."""
    first = duet_times.local(now, zone).date()
    last = duet_times.local(now + timedelta(days=horizon_days), zone).date()
    return Window(min(max(asked or first, first), last), first, last)


@dataclass(frozen=True, slots=True)
class Time:
    """One open time as a button says it; `value` is the instant that it sends."""

    label: str
    long_label: str
    value: str


@dataclass(frozen=True, slots=True)
class Day:
    date: date
    label: str
    long_label: str
    times: tuple[Time, ...]


def by_day(found: Iterable[OpenTime], zone: str) -> list[Day]:
    """Open times grouped by the dates of a zone, in words."""
    starts = (one.start for one in found)
    return [
        Day(
            on,
            duet_times.short_day(on),
            duet_times.long_day(on),
            tuple(
                Time(
                    duet_times.clock_in(start, zone),
                    duet_times.spoken_in(start, zone),
                    duet_times.local(start, zone).isoformat(),
                )
                for start in group
            ),
        )
        for on, group in groupby(starts, key=lambda start: duet_times.local(start, zone).date())
    ]


def in_words(found: Iterable[OpenTime], zone: str) -> list[Time]:
    """Open times one by one, each with its day: for a short list of the next ones."""
    return [
        Time(
            duet_times.in_zone(one.start, zone),
            f"{duet_times.in_zone(one.start, zone)}, {duet_times.day_in(one.start, zone)}",
            duet_times.local(one.start, zone).isoformat(),
        )
        for one in found
    ]
