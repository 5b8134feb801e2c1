"""The course of a review: how far an intake has come in, until when it waits, what may be done."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

Standing = Literal["asked", "none", "some", "all"]

LEAST_WORDS: Final = 10
MOST_WORDS: Final = 2000


class NotAllowed(Exception):
    """The state doesn't allow it; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code: Final = code


def due(
    *,
    opened_at: datetime,
    latest_at: datetime | None,
    came_in_at: datetime | None,
    within: timedelta,
) -> datetime:
    """Until when somebody reviews: so long after the first form came in, and before the session.

    `latest_at` is the session, or whatever else it may not wait beyond. With neither, so long
    after it was opened.
    """
    since = came_in_at if latest_at is not None or came_in_at is not None else opened_at
    ends = [one for one in (latest_at, since + within if since else None) if one is not None]
    return max(min(ends), opened_at)


@dataclass(frozen=True, slots=True)
class Given:
    """What one person was given for one case: how many forms were sent, and how many are not."""

    person: UUID
    sent: int
    missing: int

    @property
    def is_in(self) -> bool:
        """Whether everything that they were given came in."""
        return self.sent > 0 and self.missing == 0


def how_many_in(persons: Iterable[UUID], given: Iterable[Given]) -> int:
    """Of these persons, how many have sent all that they were given."""
    sent = {one.person for one in given if one.is_in}
    return sum(one in sent for one in persons)


def standing(*, came_in: int, of: int, asked: bool) -> Standing:
    """How far an intake is, in one word; `asked`: more was asked for, and isn't there yet."""
    if asked:
        return "asked"
    if came_in == 0:
        return "none"
    return "all" if came_in >= of else "some"


# --- what may be done ----------------------------------------------------------------------------


def check_open(*, decided: bool) -> None:
    """Refuses (NotAllowed) what somebody has decided meanwhile."""
    if decided:
        raise NotAllowed("decided")


def check_case_open(*, closed: bool) -> None:
    """Refuses (NotAllowed) a case that was closed: it is reopened first."""
    if closed:
        raise NotAllowed("closed")


def check_claimable(*, claimed_by: UUID | None, by: UUID | None, take_over: bool) -> None:
    """Refuses (NotAllowed) what a colleague has claimed, unless it is taken over on purpose."""
    if claimed_by is not None and claimed_by != by and not take_over:
        raise NotAllowed("claimed")


def check_decidable(*, claimed_by: UUID | None, by: UUID | None) -> None:
    """Refuses (NotAllowed) to decide on what a colleague has claimed: it is taken over first."""
    check_claimable(claimed_by=claimed_by, by=by, take_over=False)


def check_releasable(*, claimed_by: UUID | None, by: UUID | None) -> None:
    """Refuses (NotAllowed) to give back what isn't one's own."""
    if claimed_by is None or claimed_by != by:
        raise NotAllowed("not_claimed")


def check_resumable(*, on_list: bool) -> None:
    """Refuses (NotAllowed) what isn't on the waiting list, or not any more."""
    if not on_list:
        raise NotAllowed("not_on_list")


def check_words(text: str) -> None:
    """Refuses (NotAllowed) words that say too little, or too much to read."""
    if sum(one.isalnum() for one in text) < LEAST_WORDS:
        raise NotAllowed("words_short")
    if len(text) > MOST_WORDS:
        raise NotAllowed("words_long")
