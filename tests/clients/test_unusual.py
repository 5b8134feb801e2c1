"""Which reading is unusual: by how much there is of it, and whose record it is."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from clients.rules import unusual
from clients.rules.unusual import CLOSED, MASS, OWN_NAME, Finding, Look

NINE = datetime(2027, 1, 11, 9, 0, tzinfo=UTC)
DAY = NINE.date()


def looks(
    count: int, *, every: timedelta, start: datetime = NINE, cares: bool = False
) -> list[Look]:
    """One after the other, each of somebody else."""
    return [Look(start + number * every, uuid4(), cares=cares) for number in range(count)]


def kinds(found: list[Finding]) -> set[str]:
    return {one.kind for one in found}


SECONDS, MINUTES = timedelta(seconds=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("count", "every", "found"),
    [
        (unusual.MOST_IN_AN_HOUR, SECONDS, []),
        (unusual.MOST_IN_AN_HOUR + 1, SECONDS, [Finding(MASS, DAY, 31)]),
        # Just as many, but none of its hours holds more than thirty.
        (unusual.MOST_IN_AN_HOUR + 1, 2 * MINUTES, []),
        (unusual.MOST_IN_A_DAY, 5 * MINUTES, []),
        (unusual.MOST_IN_A_DAY + 1, 5 * MINUTES, [Finding(MASS, DAY, 101)]),
    ],
)
def test_mass_is_by_the_hour_and_by_the_day(
    count: int, every: timedelta, found: list[Finding]
) -> None:
    assert unusual.findings(looks(count, every=every), UTC) == found


def test_opening_one_record_often_is_not_mass() -> None:
    one = uuid4()
    often = [Look(NINE + number * SECONDS, one) for number in range(500)]
    assert unusual.findings(often, UTC) == []


def test_those_whom_somebody_cares_for_do_not_count() -> None:
    assert unusual.findings(looks(500, every=SECONDS, cares=True), UTC) == []


def test_an_hour_is_any_hour_and_does_not_begin_at_the_full_one() -> None:
    start = NINE - timedelta(minutes=30)
    assert kinds(unusual.findings(looks(31, every=MINUTES, start=start), UTC)) == {MASS}


def test_each_day_is_found_once_and_by_the_zone_that_is_asked_for() -> None:
    late = NINE.replace(hour=23)
    those = looks(40, every=SECONDS, start=late) + looks(40, every=SECONDS)
    assert unusual.findings(those, UTC) == [Finding(MASS, DAY, 80)]
    tokyo = unusual.findings(those, ZoneInfo("Asia/Tokyo"))
    assert [one.on for one in tokyo] == [DAY, DAY + timedelta(days=1)]


def test_ones_own_name_and_closed_cases_count_from_the_first() -> None:
    person = UUID(int=7)
    twice = [Look(NINE, person, own=True), Look(NINE + MINUTES, person, own=True, closed=True)]
    assert unusual.findings(twice, UTC) == [Finding(OWN_NAME, DAY, 1), Finding(CLOSED, DAY, 1)]
    cared = [Look(NINE, person, cares=True, own=True, closed=True)]
    assert unusual.findings(cared, UTC) == []
