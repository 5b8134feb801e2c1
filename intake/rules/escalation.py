"""When a flag that nobody has seen is told further up, and what it takes to close one."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from intake.rules.answers import Answers
from intake.rules.definition import StaffFlag

URGENT: Final = "urgent"
# From the gravest to the mildest.
SEVERITIES: Final = (URGENT, "high", "ask")
# Of an urgent flag, however long the practice lets others wait.
URGENT_AFTER: Final = timedelta(hours=1)
# Told again for as long as nobody has seen it.
AGAIN_AFTER: Final = timedelta(hours=24)
LEAST_NOTE: Final = 10
MOST_NOTE: Final = 2000


class NotAllowed(Exception):
    """The state doesn't allow it; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code: Final = code


def gravest(found: Iterable[StaffFlag]) -> Mapping[str, str]:
    """For each kind the gravest severity among what the answers raised."""
    worst: dict[str, str] = {}
    for one in found:
        worst[one.kind] = graver(worst.get(one.kind, one.severity), one.severity)
    return worst


def latest(found: Iterable[StaffFlag], answers: Answers) -> Mapping[str, int]:
    """For each kind the newest revision among the answers that raised it; 0 for what has none."""
    newest: dict[str, int] = {}
    for one in found:
        answer = answers.get(one.item)
        newest[one.kind] = max(newest.get(one.kind, 0), answer.revision if answer else 0)
    return newest


def graver(one: str, other: str) -> str:
    """The graver of two severities."""
    return min(one, other, key=SEVERITIES.index)


def check_closable(*, closed: bool) -> None:
    """Refuses (NotAllowed) to close twice."""
    if closed:
        raise NotAllowed("closed")


def check_note(text: str) -> None:
    """Refuses (NotAllowed) a note that says too little, or too much to read."""
    if sum(one.isalpha() for one in text) < LEAST_NOTE:
        raise NotAllowed("note_short")
    if len(text) > MOST_NOTE:
        raise NotAllowed("note_long")
