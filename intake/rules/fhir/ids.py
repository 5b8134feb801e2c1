"""A questionnaire's linkIds as ids of items: as they are, wherever they can be."""

import re
from collections.abc import Iterable
from typing import Final

_FITS: Final = re.compile(r"\S([^\n\r\t]{0,98}\S)?")


def item_ids(link_ids: Iterable[str]) -> dict[str, str]:
    """The id under which each linkId is kept; the same linkIds always give the same ids.

    One that is too long, or has blanks at its ends, is named by its place. The way back is this
    mapping, made again from the file.
    """
    given = list(link_ids)
    taken = set(given)
    found: dict[str, str] = {}
    for place, link_id in enumerate(given, start=1):
        made = link_id if _FITS.fullmatch(link_id) else f"item-{place}"
        while made != link_id and made in taken:
            made += "-"
        taken.add(made)
        found[link_id] = made
    return found
