"""How somebody stands to a case, and what of it they may know of or open: the table in words.

The queries (`.visible_to`) say the same of rows; a test holds each against this.
"""

from enum import StrEnum

from clients.rules.audience import Audience, Side, sees
from clients.rules.permissions import Right


class Standing(StrEnum):
    """How somebody stands to a case, an appointment or a person."""

    NOBODY = "nobody"  # has nothing to do with it
    CARES = "cares"  # counselor or co-counselor of the case
    OVERSEES = "oversees"  # supervisor of the case
    GLASS = "glass"  # a member who broke the glass, for an hour, reading
    NAMED = "named"  # a member who may know of a restricted case
    DIARY = "diary"  # the member in whose diary the appointment stands
    OWN_LINK = "own_link"  # the person themselves, come by a mail link
    OWN_PROVED = "own_proved"  # the person themselves, with a second proof
    PARTNER = "partner"  # the other one of the couple, with a second proof


class Whose(StrEnum):
    """What kind of row it is, as far as who may know of it goes."""

    CASE = "case"  # the practice's own view of clients: no client ever sees one
    PERSON = "person"  # a person, and what belongs to one: seen by them too
    DIARY = "diary"  # as PERSON, and by whoever keeps the diary that it stands in
    RECORD = "record"  # of a case's record: seen by whoever reads that, and by no client
    SIGNED = "signed"  # as RECORD, and by the person who signed it
    ALONE = "alone"  # for whoever counsels the case, alone
    PRACTICE = "practice"  # nobody's: every member sees it


_COUNSELS = frozenset({Standing.CARES, Standing.GLASS})
_OPENS = _COUNSELS | {Standing.OVERSEES}
_OWN = frozenset({Standing.OWN_LINK, Standing.OWN_PROVED})
# Rows that no right of a role shows: only how somebody stands to them.
_NARROW = {
    Whose.RECORD: _OPENS,
    Whose.SIGNED: _OPENS | _OWN,
    Whose.ALONE: _COUNSELS,
}


def knows_of(
    whose: Whose, standing: Standing, rights: frozenset[Right], *, restricted: bool
) -> bool:
    """Whether somebody may know of such a row: who it is, when they come."""
    if whose in _NARROW:
        return standing in _NARROW[whose]
    if whose is Whose.PRACTICE:
        return standing not in _OWN | {Standing.PARTNER}
    if standing in _OWN:
        return whose is not Whose.CASE
    if standing is Standing.PARTNER:
        return False
    if standing in _OPENS or standing is Standing.NAMED:
        return True
    if standing is Standing.DIARY and whose is Whose.DIARY:
        return True
    return Right.SEE_DIARY in rights and not restricted


def reaches(standing: Standing, rights: frozenset[Right], *, restricted: bool) -> bool:
    """Whether somebody sees how a person is reached: for the work of the desk, or of the case."""
    known = knows_of(Whose.DIARY, standing, rights, restricted=restricted)
    needed = standing in _OPENS | _OWN | {Standing.DIARY}
    return known and (needed or bool(rights & {Right.KEEP_DIARY, Right.REVIEW}))


def reads(
    audience: Audience, standing: Standing, rights: frozenset[Right], *, restricted: bool
) -> bool:
    """Whether somebody may read an item of this audience."""
    sides = set()
    if standing in _OPENS:
        sides.add(Side.CARES)
    if Right.REVIEW in rights and knows_of(Whose.CASE, standing, rights, restricted=restricted):
        sides.add(Side.REVIEWS)
    if standing is Standing.OWN_PROVED:
        sides |= {Side.OWN, Side.TOGETHER}
    if standing is Standing.PARTNER:
        sides.add(Side.TOGETHER)
    return sees(audience, frozenset(sides))
