"""Who may see an item: a short list of audiences, the narrowest by default."""

from collections.abc import Mapping
from enum import StrEnum


class Audience(StrEnum):
    """Whom an item is for. Whoever cares for the case is part of each."""

    COUNSELOR = "counselor"  # only those who care for the case
    PERSON = "person"  # the person whom it is of
    COUPLE = "couple"  # both of them
    STAFF = "staff"  # the person whom it is of, and staff with the right to review


class Side(StrEnum):
    """How somebody stands to an item."""

    CARES = "cares"  # counselor, co-counselor or supervisor of the case, or has broken the glass
    REVIEWS = "reviews"  # has the right to review, and the case isn't restricted against them
    OWN = "own"  # it is theirs, and they have proved it twice
    TOGETHER = "together"  # in the couple that it is of, and has proved twice who they are


SEEN_FROM: Mapping[Audience, frozenset[Side]] = {
    Audience.COUNSELOR: frozenset({Side.CARES}),
    Audience.PERSON: frozenset({Side.CARES, Side.OWN}),
    Audience.COUPLE: frozenset({Side.CARES, Side.TOGETHER}),
    Audience.STAFF: frozenset({Side.CARES, Side.OWN, Side.REVIEWS}),
}


def sees(audience: Audience, sides: frozenset[Side]) -> bool:
    """Whether somebody who stands so to an item may see it."""
    return bool(SEEN_FROM[audience] & sides)


def seen_from(side: Side) -> list[Audience]:
    """The audiences that somebody who stands so is part of."""
    return [audience for audience, sides in SEEN_FROM.items() if side in sides]
