"""Crisis lines: those that people are shown, and those that nobody looked up lately."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

from intake.models import CrisisLine

# Numbers change. After so long a line counts as unverified again.
HOLDS_FOR: Final = timedelta(days=180)


def lines(country: str, language: str) -> list[CrisisLine]:
    """The lines of a country in the practice's order; of one kind, first what speaks `language`.

    None is left out for its language: most find an interpreter.
    """
    spoken = language.partition("-")[0]
    found = CrisisLine.objects.public().filter(country=country.upper()).order_by("position", "pk")
    kinds: dict[str, list[CrisisLine]] = {}
    for one in found:
        kinds.setdefault(one.kind, []).append(one)
    return [
        one
        for kind in kinds.values()
        for one in sorted(kind, key=lambda one: bool(one.languages) and spoken not in one.languages)
    ]


def stale(today: date, countries: Iterable[str]) -> list[CrisisLine]:
    """The shown lines of these countries that nobody verified, or not within 180 days."""
    found = CrisisLine.objects.public().filter(country__in=countries).order_by("position", "pk")
    return [one for one in found if one.verified_on is None or one.verified_on < today - HOLDS_FOR]
