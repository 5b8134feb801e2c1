"""What may become of an appointment and of an attendance, and until when the attendee decides."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from practice.rules.wall import utc

APPOINTMENT_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "held": frozenset({"requested", "confirmed", "cancelled"}),
        "requested": frozenset({"confirmed", "cancelled"}),
        "confirmed": frozenset({"cancelled", "done", "no_show"}),
        # Put down by hand afterwards, so a slip can be mended; a cancelled one has lost its time.
        "done": frozenset({"no_show"}),
        "no_show": frozenset({"done"}),
        "cancelled": frozenset(),
    }
)

ATTENDANCE_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "expected": frozenset({"confirmed", "cancelled"}),
        # A move asks everybody anew.
        "confirmed": frozenset({"expected", "cancelled"}),
        "cancelled": frozenset(),
    }
)

_CHANGEABLE: Final = frozenset({"requested", "confirmed"})


class NotAllowed(Exception):
    """The state does not allow it; `sentence` says so to the one who asked."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence: Final = sentence


class TooLate(NotAllowed):
    """The practice's cut-off has passed: changing was possible until the moment `until`."""

    def __init__(self, sentence: str, until: datetime) -> None:
        super().__init__(sentence)
        self.until: Final = until


def check_transition(state: str, to: str) -> None:
    """Refuses (`NotAllowed`) an appointment's change of state that is not in the table."""
    _check(APPOINTMENT_TRANSITIONS, "appointment", state, to)


def check_attendance_transition(state: str, to: str) -> None:
    """Refuses (`NotAllowed`) an attendance's change of state that is not in the table."""
    _check(ATTENDANCE_TRANSITIONS, "attendance", state, to)


def changeable_until(*, starts_at: datetime, cutoff_minutes: int) -> datetime:
    """The last moment at which an attendee may move or cancel by link."""
    return utc(starts_at) - timedelta(minutes=cutoff_minutes)


def check_changeable(
    *, starts_at: datetime, cutoff_minutes: int, state: str, now: datetime
) -> None:
    """Refuses an attendee's move or cancellation by link.

    `NotAllowed` if the appointment no longer (or not yet) takes place, `TooLate` once it has
    started or less than `cutoff_minutes` are left. The very moment of the cut-off is in time.
    """
    if state not in _CHANGEABLE:
        raise NotAllowed("This appointment can no longer be changed.")
    until = changeable_until(starts_at=starts_at, cutoff_minutes=cutoff_minutes)
    if utc(now) > until or utc(now) >= utc(starts_at):
        raise TooLate("It is too late to change this online. Please call the practice.", until)


def can_change(*, starts_at: datetime, cutoff_minutes: int, state: str, now: datetime) -> bool:
    """Whether `check_changeable` would let it pass."""
    try:
        check_changeable(starts_at=starts_at, cutoff_minutes=cutoff_minutes, state=state, now=now)
    except NotAllowed:
        return False
    return True


def appointment_after_leaving(attendances: Iterable[str]) -> str | None:
    """The appointment's new state once somebody has left: "cancelled" with the last one.

    Takes the states of all its attendances. None: it takes place for those who are left, and its
    time stays taken. An appointment without attendances has nobody to lose.
    """
    states = tuple(attendances)
    return "cancelled" if states and all(state == "cancelled" for state in states) else None


def _check(table: Mapping[str, frozenset[str]], what: str, state: str, to: str) -> None:
    if to not in table[state]:
        raise NotAllowed(f"This {what} is {_words(state)} and can't become {_words(to)}.")


def _words(state: str) -> str:
    return "a no-show" if state == "no_show" else state
