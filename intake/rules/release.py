"""What of the cycle can be released to a couple, and what stands in its way."""

from collections.abc import Iterable
from typing import Final

from intake.rules.cycle import Reflection

# In the order in which a couple reads them.
PARTS: Final = ("dance", "positions", "feelings", "reasons", "repair")
# Of the words to which somebody agrees. Raised when they change.
SHARE_VERSION: Final = "1"
# What stands in the way.
NOT_TWO, VERSIONS, UNREADABLE, CONSENT, FLAG, NOTHING, ONE_VIEW, TOO_LITTLE = (
    "not_two",
    "versions",
    "unreadable",
    "consent",
    "flag",
    "nothing",
    "one_view",
    "too_little",
)


def in_order(parts: Iterable[str]) -> tuple[str, ...]:
    """Parts as they are shown. Refuses (ValueError) one that there isn't."""
    wanted = set(parts)
    if unknown := wanted - set(PARTS):
        raise ValueError(f"No part of the cycle: {', '.join(sorted(unknown))}")
    return tuple(one for one in PARTS if one in wanted)


def unfit(found: Reflection) -> tuple[str, ...]:
    """Why an account of two can't be shown to both: it is one person's view, or names no dance.

    What all comes from one is that one's own: on the couple's page the other would read it.
    """
    if found.one_view:
        return (ONE_VIEW,)
    return (TOO_LITTLE,) if found.dance == "insufficient" else ()
