"""May a record be erased? Never one that is in use; and before its time only on a legal ground."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

# A word or a few for a list, never a sentence about somebody.
_CODE: Final = re.compile(r"[a-z][a-z0-9-]{1,28}[a-z0-9]")


class MayNotErase(Exception):
    """The record has to stay: the text is one sentence, and `until` its last day where it has one.

    `why` is a code: `coming`, `open`, `kept`.
    """

    def __init__(self, why: str, sentence: str, until: date | None = None) -> None:
        super().__init__(sentence)
        self.why, self.until = why, until


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands to the practice. `ended_on` is None for whom nobody ever treated."""

    coming: int = 0
    open_cases: int = 0
    ended_on: date | None = None


def kept_until(ended_on: date, years: int) -> date:
    """The last day on which a record has to be there, so many years after the care has ended."""
    try:
        return ended_on.replace(year=ended_on.year + years)
    except ValueError:  # a 29th of February
        return date(ended_on.year + years, 3, 1)


def check_erasable(standing: Standing, *, years: int, today: date, despite: str = "") -> None:
    """Refuses (MayNotErase) a person in care, and a record whose time to be kept isn't over.

    `despite` names the legal ground on which the law's period doesn't count; care still does.
    """
    if standing.coming:
        raise MayNotErase(
            "coming",
            f"Appointments are still to come ({standing.coming}): cancel them first.",
        )
    if standing.open_cases:
        raise MayNotErase(
            "open", f"Cases are still open ({standing.open_cases}): close them first."
        )
    if standing.ended_on is None or despite:
        return
    until = kept_until(standing.ended_on, years)
    if today <= until:
        raise MayNotErase(
            "kept",
            f"The care ended on {standing.ended_on:%d %B %Y}, and its record is to be kept for"
            f" {years} years: until {until:%d %B %Y}.",
            until,
        )


def check_code(text: str) -> None:
    """Refuses (ValueError) what could be more than a code: such a text would outlive the record."""
    if not _CODE.fullmatch(text):
        raise ValueError("A code has 3 to 30 small letters, digits and hyphens.")
