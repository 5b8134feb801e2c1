"""The life of a message, from values: its states, when it is tried again, when it is too late."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

PLANNED: Final = "planned"
CLAIMED: Final = "claimed"
SENDING: Final = "sending"
SENT: Final = "sent"
FAILED: Final = "failed"
MISSED: Final = "missed"
SUPPRESSED: Final = "suppressed"
CANCELLED: Final = "cancelled"
UNCERTAIN: Final = "uncertain"

TRANSITIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        PLANNED: frozenset({CLAIMED, MISSED, FAILED, CANCELLED}),
        # Back to planned when the sender gives it free, or the plan changed meanwhile.
        # Uncertain when both its sender and the database fell.
        CLAIMED: frozenset({PLANNED, SENDING, FAILED, MISSED, SUPPRESSED, CANCELLED, UNCERTAIN}),
        # Suppressed or cancelled when the look that follows says so: nothing has left then.
        SENDING: frozenset({SENT, PLANNED, FAILED, SUPPRESSED, CANCELLED, UNCERTAIN}),
        UNCERTAIN: frozenset({CLAIMED, FAILED, CANCELLED}),
        # Wanted again before anything left: the plan is what counts.
        CANCELLED: frozenset({PLANNED}),
        SENT: frozenset(),
        FAILED: frozenset(),
        MISSED: frozenset(),
        SUPPRESSED: frozenset(),
    }
)

# States that a changed plan may still alter; what is `sending` is left alone.
UNSENT: Final = frozenset({PLANNED, CLAIMED, UNCERTAIN})

LEASE: Final = timedelta(seconds=120)
# A dialog with a dead server ends within this; with less of the lease left, none is begun.
DIALOG: Final = timedelta(seconds=30)
RENDER_TRIES: Final = 5

# Four minutes at most: with a scan every half minute, all is out five minutes after a fault ends.
_BACK_OFF: Final = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 240))
_LAST_CALL: Final = timedelta(seconds=60)


class Heard(StrEnum):
    """What a channel says became of a letter."""

    ACCEPTED = "accepted"
    # Refused before the letter was handed over; later it may pass.
    TEMPORARY = "temporary"
    # Refused for good.
    PERMANENT = "permanent"
    # No dialog came about, or it broke before the letter was handed over.
    UNREACHABLE = "unreachable"
    # The letter was handed over, and no answer came: it may have arrived.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Fate:
    """Where a row goes: its new state, why (a code), and when it may be taken again."""

    state: str
    reason: str = ""
    next_try_at: datetime | None = None


def check_transition(state: str, to: str) -> None:
    """Refuses (ValueError) a change of state that is not in the table."""
    if to not in TRANSITIONS[state]:
        raise ValueError(f"A message that is {state} can't become {to}.")


def next_try(*, attempts: int, now: datetime, window_ends_at: datetime) -> datetime:
    """When to try again after `attempts` tries: later each time, once more near the window's end.

    Never past the window: what comes up at its very end is missed.
    """
    planned = now + _BACK_OFF[min(max(attempts, 1), len(_BACK_OFF)) - 1]
    last_call = window_ends_at - _LAST_CALL
    if planned <= last_call:
        return planned
    return last_call if last_call > now else max(window_ends_at, now)


def too_late(
    *, now: datetime, window_ends_at: datetime, about_at: datetime, uncertain: bool
) -> Fate | None:
    """The end of a row whose window, or the subject's start, has passed; None while in time.

    One that may have gone out before is not `missed`: nobody knows.
    """
    if now < min(window_ends_at, about_at):
        return None
    return Fate(FAILED, "answer_lost") if uncertain else Fate(MISSED, "window_passed")


def may_write(*, permission: str | None, bounced: bool, has_address: bool) -> Fate | None:
    """The end of a row whose person must not, or cannot, be written to; None when all is well.

    Every letter of ours is neutral, so `neutral` permits as much as `yes`; a channel that was
    never asked about is as good as neutral.
    """
    if permission == "no":
        return Fate(SUPPRESSED, "safe_contact_no")
    if not has_address:
        return Fate(SUPPRESSED, "no_address")
    # A dead mailbox may be given to somebody else one day.
    return Fate(SUPPRESSED, "address_bounced") if bounced else None


def unwritable(*, attempts: int, now: datetime, window_ends_at: datetime) -> Fate:
    """What becomes of a row whose letter couldn't be written for the `attempts`th time."""
    if attempts >= RENDER_TRIES:
        return Fate(FAILED, "not_writable")
    later = next_try(attempts=attempts, now=now, window_ends_at=window_ends_at)
    return Fate(PLANNED, "not_writable", later)


def after(
    heard: Heard,
    *,
    code: str,
    attempts: int,
    uncertain: bool,
    now: datetime,
    window_ends_at: datetime,
) -> Fate:
    """What becomes of a row in `sending`; `uncertain` says that it may have gone out before.

    A letter whose answer was lost is sent once more: twice is better than never. A second loss
    ends it, since a server that never answers would otherwise deliver a copy at every try.
    """
    if heard is Heard.ACCEPTED:
        return Fate(SENT)
    if heard is Heard.PERMANENT:
        return Fate(FAILED, code)
    later = next_try(attempts=attempts, now=now, window_ends_at=window_ends_at)
    if heard is Heard.LOST:
        return Fate(FAILED, "answer_lost") if uncertain else Fate(UNCERTAIN, code, later)
    # Nothing left this time; if a copy left earlier, `uncertain_at` still says so.
    return Fate(PLANNED, code, later)
