"""When something is asked, and asked again: decided from values, written by actions.

Nothing here looks at whether anybody answered: when one partner is asked must not tell the other
what became of the last time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# The least time that somebody has before it is due.
_LEAST: Final = timedelta(hours=1)
# Whoever comes to a first session without it can still send it for so long after its begin.
_AFTER_FIRST: Final = timedelta(days=14)
_AFTER_SECOND: Final = timedelta(days=1)
# How long before it is due something is asked ahead of a session; and by when, on a rhythm.
_AHEAD: Final = timedelta(days=3)
_TIME: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Asked:
    """By when something is due, and until when it can be sent."""

    due_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Before:
    """The last time that it was asked: when, and until when its own time lasts."""

    given_at: datetime
    over_at: datetime | None


@dataclass(frozen=True, slots=True)
class Sessions:
    """How many a case has had, when the last one ended, and when the next one begins."""

    had: int = 0
    last_ended_at: datetime | None = None
    next_starts_at: datetime | None = None


def before_first(*, starts_at: datetime, hours_before: int, now: datetime) -> Asked:
    """What comes before a first session: due so many hours ahead, and never in less than one."""
    due_at = max(starts_at - timedelta(hours=hours_before), now + _LEAST)
    return Asked(due_at, max(starts_at + _AFTER_FIRST, due_at + _LEAST))


def every_weeks(
    *, weeks: int, last: Before | None, sessions: Sessions, now: datetime
) -> Asked | None:
    """What is asked every so many weeks, from the first session on; None while it isn't time.

    Each time ends when the next begins.
    """
    step = timedelta(weeks=weeks)
    if sessions.last_ended_at is None or not _is_over(last, now):
        return None
    if last is not None and last.given_at + step > now:
        return None
    return Asked(now + min(_TIME, step / 2), now + step)


def every_second(
    *, hours_before: int, last: Before | None, sessions: Sessions, now: datetime
) -> Asked | None:
    """What is asked before the second, fourth, sixth session; None while it isn't time.

    Only when the session before it is over, so that each session has its own time.
    """
    starts_at, ended_at = sessions.next_starts_at, sessions.last_ended_at
    if starts_at is None or ended_at is None or sessions.had % 2 == 0 or not _is_over(last, now):
        return None
    due_at = max(starts_at - timedelta(hours=hours_before), now + _LEAST)
    if now < due_at - _AHEAD or now >= starts_at:
        return None
    if last is not None and last.given_at >= ended_at:
        return None
    return Asked(due_at, max(starts_at + _AFTER_SECOND, due_at + _LEAST))


def _is_over(last: Before | None, now: datetime) -> bool:
    """Whether the time of the last round has ended, whoever of them sent what they were given."""
    return last is None or last.over_at is None or last.over_at <= now
