"""What reading is unusual: by how much of it there is, and by whose record it is.

Only what somebody opens counts. A list that everybody's work begins with shows a name to whoever
needs another one; opening is what somebody does because they want to know.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Final
from uuid import UUID

# The verbs of lists: the diary, the caseload, the access report itself, what clients ask, intakes,
# what was given and what was sent.
LISTS: Final = frozenset(
    {
        *("diary.read", "caseload.read", "access.read", "request.read", "queue.read"),
        *("assignment.read", "responses.read"),
    }
)

HOUR: Final = timedelta(hours=1)
# Distinct persons whom somebody doesn't care for. A front desk that opens both of everybody who
# comes to ten counselors in one hour opens twenty; two every three minutes beside that is reading
# through the register.
MOST_IN_AN_HOUR: Final = 30
# Ten counselors' eight couples of a day are 160, of which a front desk opens those with a question:
# half of them, seldom more.
MOST_IN_A_DAY: Final = 100

MASS: Final = "mass"
OWN_NAME: Final = "own_name"
CLOSED: Final = "closed"
KINDS: Final = (MASS, OWN_NAME, CLOSED)


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody opened something of one person's.

    `cares`: they care for the case, or are named for it. `own`: the person has the reader's family
    name or address. `closed`: the case had been closed before.
    """

    at: datetime
    person: UUID
    cares: bool = False
    own: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of unusual reading on one day, and of how many persons."""

    kind: str
    on: date
    persons: int


def findings(looks: Iterable[Look], zone: tzinfo) -> list[Finding]:
    """What is unusual about one member's looks; at most one finding for each kind and day."""
    beside = sorted((one for one in looks if not one.cares), key=lambda one: one.at)
    by_day: dict[date, list[Look]] = {}
    for one in beside:
        by_day.setdefault(one.at.astimezone(zone).date(), []).append(one)
    rushed = _rushed(beside, zone)
    found = []
    for on, of_day in sorted(by_day.items()):
        persons = {one.person for one in of_day}
        if len(persons) > MOST_IN_A_DAY or on in rushed:
            found.append(Finding(MASS, on, len(persons)))
        for kind, those in (
            (OWN_NAME, {one.person for one in of_day if one.own}),
            (CLOSED, {one.person for one in of_day if one.closed}),
        ):
            if those:
                found.append(Finding(kind, on, len(those)))
    return found


def _rushed(looks: Iterable[Look], zone: tzinfo) -> set[date]:
    """The days on which some hour ends that holds more persons than an hour may."""
    window: deque[Look] = deque()
    persons: Counter[UUID] = Counter()
    days = set()
    for one in looks:
        window.append(one)
        persons[one.person] += 1
        while window[0].at <= one.at - HOUR:
            gone = window.popleft().person
            persons[gone] -= 1
            if not persons[gone]:
                del persons[gone]
        if len(persons) > MOST_IN_AN_HOUR:
            days.add(one.at.astimezone(zone).date())
    return days
