"""How many letters one address gets, so that nobody can have our mail poured over somebody."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

MOST: Final = 3
WITHIN: Final = timedelta(hours=1)


def next_free(due_at: datetime, others: Iterable[datetime]) -> datetime:
    """The first moment from `due_at` on in whose last hour fewer than three others are due."""
    moments = sorted(others)
    free = due_at
    while len(lately := [one for one in moments if free - WITHIN < one <= free]) >= MOST:
        free = lately[-MOST] + WITHIN
    return free
