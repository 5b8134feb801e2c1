"""Starts that are well-formed and still not to be had, asked of what the booking page asks."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clients.forms import fields
from practice.models import Counselor, Service
from practice.queries import offers, pages
from tests import factories
from tests.bad_inputs import cases
from tests.factories import NOW

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def iris() -> Counselor:
    """Works every day from nine to five in Berlin."""
    factories.practice(zone="Europe/Berlin")
    return factories.counselor("iris", zone="Europe/Berlin", weekdays=range(7))


def _start(case_id: str) -> datetime:
    given = cases.case(case_id).input
    value: Any = given["fields"]["start"] if "fields" in given else given["value"]
    cleaned: datetime = fields.Instant().clean(cases.unwrap(value, now=NOW))
    return cleaned


def _offered(service: Service, start: datetime, now: datetime) -> bool:
    return bool(offers.offers_at(service=service, counselor=None, start=start, now=now))


@pytest.mark.parametrize("case_id", ["BK-129", "BK-130", "BK-131"])
def test_too_early_or_too_late_to_ask_for(case_id: str) -> None:
    factories.practice()
    start = _start(case_id)
    iris = factories.counselor("iris", weekdays=range(7), start=start.minute % 5, end=1440)
    service = factories.service(counselors=[iris], step=5, notice=120)
    assert not _offered(service, start, NOW)
    # The control: it is on the grid, and a little longer ago one could have asked for it.
    assert _offered(service, start, start - timedelta(days=2))


@pytest.mark.parametrize("case_id", ["BK-132", "BK-133", "BK-141"])
def test_beside_the_hours_or_the_grid(iris: Counselor, case_id: str) -> None:
    service = factories.service(counselors=[iris])
    start = _start(case_id)
    asked = start - timedelta(days=10)
    assert not _offered(service, start, asked)
    ten = start.astimezone(BERLIN).replace(hour=10, minute=0, second=0)
    assert _offered(service, ten, asked)


def test_an_hour_that_comes_twice_is_offered_by_its_offset() -> None:
    """BK-140: the second half past two of the night in which the clocks go back."""
    factories.practice(zone="Europe/Berlin")
    iris = factories.counselor(
        "iris", zone="Europe/Berlin", weekdays=[6], start=2 * 60 + 30, end=5 * 60
    )
    service = factories.service(counselors=[iris])
    second = _start("BK-140")
    first = second - timedelta(hours=1)
    now = second - timedelta(days=5)
    assert second.astimezone(BERLIN).strftime("%H:%M") == "02:30"
    assert first.astimezone(BERLIN).strftime("%H:%M") == "02:30"
    assert _offered(service, second, now)
    assert not _offered(service, first, now), "hours are read narrowly where they come twice"


def _starts(service: Service, on: str, now: datetime) -> list[str]:
    day = datetime.fromisoformat(on).date()
    found = offers.open_times(
        service=service,
        counselor=None,
        from_on=day,
        to_on=day + timedelta(days=1),
        zone="Europe/Berlin",
        now=now,
    )
    return [time.start.astimezone(BERLIN).isoformat() for time in found]


def test_hours_that_a_clock_change_skips_or_repeats() -> None:
    """AP-028: Sunday 02:00-03:00 gives nothing in March, and the hour once in October."""
    factories.practice(zone="Europe/Berlin")
    iris = factories.counselor("iris", zone="Europe/Berlin", weekdays=[6], start=120, end=180)
    service = factories.service(counselors=[iris], minutes=60)
    march = datetime(2030, 3, 25, tzinfo=BERLIN)
    october = datetime(2030, 10, 21, tzinfo=BERLIN)
    assert _starts(service, "2030-03-31", march) == []
    assert _starts(service, "2030-10-27", october) == ["2030-10-27T02:00:00+01:00"]


def test_a_session_over_the_change_lasts_its_real_minutes() -> None:
    """BK-142: 01:30-03:30 on that night is an hour, and nothing begins at two."""
    factories.practice(zone="Europe/Berlin")
    iris = factories.counselor("iris", zone="Europe/Berlin", weekdays=[6], start=90, end=210)
    service = factories.service(counselors=[iris], minutes=60)
    march = datetime(2030, 3, 25, tzinfo=BERLIN)
    assert _starts(service, "2030-03-31", march) == ["2030-03-31T01:30:00+01:00"]


def test_a_service_or_counselor_that_is_not_to_be_had(iris: Counselor) -> None:
    """BK-236, BK-237, BK-238: not offered by this one, no longer here, not for visitors."""
    theo = factories.counselor("theo", zone="Europe/Berlin", active=False)
    couples = factories.service("couple-90", counselors=[theo])
    start = factories.at(1, "10:00", "Europe/Berlin")
    assert not offers.offers_at(service=couples, counselor=iris, start=start, now=NOW)
    assert not offers.offers_at(service=couples, counselor=theo, start=start, now=NOW)
    theo.active = True
    theo.save(update_fields=["active"])
    assert offers.offers_at(service=couples, counselor=theo, start=start, now=NOW)
    factories.service("internal", counselors=[iris], hidden=True)
    assert pages.bookable("internal") is None
    assert pages.bookable("couple-90") is not None
