"""What of the cycle can be released to a couple, and what stands in its way."""

from collections.abc import Iterable
from typing import Final

# In the order in which a couple reads them.
PARTS: Final = ("dance", "positions", "feelings", "reasons", "repair")
# Of the words to which somebody agrees. Raised when they change.
SHARE_VERSION: Final = "1"
# What stands in the way.
NOT_TWO, VERSIONS, UNREADABLE, CONSENT, FLAG, NOTHING = (
    "not_two",
    "versions",
    "unreadable",
    "consent",
    "flag",
    "nothing",
)


def in_order(parts: Iterable[str]) -> tuple[str, ...]:
    """Parts as they are shown. Refuses (ValueError) one that there isn't."""
    wanted = set(parts)
    if unknown := wanted - set(PARTS):
        raise ValueError(f"No part of the cycle: {', '.join(sorted(unknown))}")
    return tuple(one for one in PARTS if one in wanted)
