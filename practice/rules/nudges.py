"""When somebody is told of what waits for them, and reminded of it: decided from values."""

from datetime import datetime, timedelta
from typing import Final

from practice.rules.reminders import Planned, Quiet, after_quiet_hours, before_quiet_hours

# What such a letter is about in the ledger, and the first of them; the others only remind.
SUBJECT: Final = "intake"
FIRST: Final = "intake"
# How long before it is due each reminder goes.
NUDGES: Final = {"intake-nudge-1": timedelta(days=2), "intake-nudge-2": timedelta(0)}
# That the practice's decision can be read there, in its words; for so long it is news.
WORDS: Final = "intake-words"
_NEWS: Final = timedelta(days=14)
# Between two of these letters there is half a day at least.
_APART: Final = timedelta(hours=12)


def plan(
    *,
    asked_at: datetime,
    due_at: datetime | None,
    ends_at: datetime,
    delay: timedelta,
    now: datetime,
    quiet: Quiet | None,
    zone: str,
) -> tuple[Planned, ...]:
    """The letters about what one person was asked at one moment, by due time.

    The first waits for the end of their quiet hours, the others come before these begin. A
    reminder too close to the letter before it is left out; one whose successor is due is missed.
    """
    planned = [(FIRST, after_quiet_hours(asked_at + delay, quiet, zone))]
    if due_at is not None:
        for purpose, lead in NUDGES.items():
            nudge_at = before_quiet_hours(due_at - lead, quiet, zone)
            if nudge_at - planned[-1][1] >= _APART:
                planned.append((purpose, nudge_at))
    # The first is of use as long as the link is; a reminder until the next one goes.
    windows = [ends_at, *(moment for _, moment in planned[2:]), ends_at]
    return tuple(
        Planned(purpose, moment, window)
        for (purpose, moment), window in zip(planned, windows, strict=False)
        if window > max(moment, now)
    )


def about_words(
    *, told_at: datetime, ends_at: datetime, delay: timedelta, quiet: Quiet | None, zone: str
) -> Planned:
    """The letter that says that there is something to read; it waits for quiet hours to end."""
    due_at = after_quiet_hours(told_at + delay, quiet, zone)
    return Planned(WORDS, due_at, max(due_at, min(ends_at, told_at + _NEWS)))
