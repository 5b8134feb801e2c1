"""Which reminders an attendee gets, and when: decided from values, written by actions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from practice.rules import wall

# From one wall clock minute until before another, over midnight where the first is the later one.
# Two equal minutes are no quiet hours at all.
Quiet: TypeAlias = tuple[int, int]

_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ReminderLead:
    """One reminder rule: how many minutes before the session it is due."""

    key: str
    minutes_before: int

    def __post_init__(self) -> None:
        if self.minutes_before < 1:
            raise ValueError("A reminder comes a minute before the session at least.")


@dataclass(frozen=True, slots=True)
class Planned:
    """One reminder to be sent from `due_at` on, and missed from `window_ends_at` on."""

    purpose: str
    due_at: datetime
    window_ends_at: datetime


def plan(
    *,
    starts_at: datetime,
    ends_at: datetime,
    booked_at: datetime,
    now: datetime,
    rules: Iterable[ReminderLead],
    quiet: Quiet | None,
    zone: str,
) -> tuple[Planned, ...]:
    """The reminders of one attendee, by due time; `quiet` and `zone` are that person's own.

    `booked_at` is when the session was last booked or moved: a reminder due at that moment or
    before it is left out, since the confirmation serves. So is one whose window has ended by
    `now`. Quiet hours bring a reminder forward to the minute before they begin, and with it past
    `booked_at` if need be: whoever books in the quiet hours has just had the confirmation. Where
    that makes several due at one moment, the one with the longest window is kept.
    Refuses a session that does not end after it starts.
    """
    starts_at, booked_at, now = wall.utc(starts_at), wall.utc(booked_at), wall.utc(now)
    if wall.utc(ends_at) <= starts_at:
        raise ValueError("A session ends after it starts.")
    planned: dict[datetime, Planned] = {}
    for minutes in sorted({rule.minutes_before for rule in rules}, reverse=True):
        lead = timedelta(minutes=minutes)
        due_at = before_quiet_hours(starts_at - lead, quiet, zone)
        # A late one is of use until a quarter of its lead is left.
        window_ends_at = starts_at - lead / 4
        if due_at > booked_at and window_ends_at > now:
            planned[due_at] = Planned(f"reminder-{minutes}", due_at, window_ends_at)
    return tuple(planned[due_at] for due_at in sorted(planned))


def in_quiet_hours(moment: datetime, quiet: Quiet | None, zone: str) -> bool:
    """Whether a person's clock shows a minute of their quiet hours."""
    if quiet is None:
        return False
    start, end = _checked(quiet)
    local = moment.astimezone(wall.zone_info(zone))
    minute = local.hour * 60 + local.minute
    return start <= minute < end if start <= end else minute >= start or minute < end


def before_quiet_hours(moment: datetime, quiet: Quiet | None, zone: str) -> datetime:
    """`moment`, or if it falls in quiet hours, the last minute before these begin."""
    # Again where the clocks skip all that the quiet hours leave of a date.
    while quiet is not None and in_quiet_hours(moment, quiet, zone):
        moment = _began(moment, _checked(quiet)[0], zone) - _MINUTE
    return moment


def after_quiet_hours(moment: datetime, quiet: Quiet | None, zone: str) -> datetime:
    """`moment`, or if it falls in quiet hours, the minute in which these are over."""
    if quiet is None or not in_quiet_hours(moment, quiet, zone):
        return moment
    end = _checked(quiet)[1] % wall.DAY
    local = moment.astimezone(wall.zone_info(zone))
    ends_on = local.date()
    if local.hour * 60 + local.minute >= end:
        ends_on += timedelta(days=1)
    # Where the clocks go back over the end it comes twice, and the first one may be past.
    return max(wall.instant(wall.first_minute(ends_on, end, zone)), moment)


def _began(moment: datetime, start: int, zone: str) -> datetime:
    """When the quiet hours in which `moment` lies began, on the person's own clock."""
    local = moment.astimezone(wall.zone_info(zone))
    began_on = local.date()
    if local.hour * 60 + local.minute < start:
        began_on -= timedelta(days=1)
    # Where the clocks go back over the beginning it comes twice: the first one counts.
    return wall.instant(wall.first_minute(began_on, start, zone))


def _checked(quiet: Quiet) -> Quiet:
    start, end = quiet
    if not (0 <= start < wall.DAY and 0 <= end <= wall.DAY) or (start, end) == (0, wall.DAY):
        raise ValueError("Quiet hours lie between 00:00 and 24:00 and leave part of the day.")
    return quiet
