"""`manage.py slots` prints what the public page would offer."""

import json
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from practice.models import Service
from practice.queries import offers
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def service() -> Service:
    factories.practice()
    iris = factories.counselor("iris", weekdays=range(7))
    theo = factories.counselor("theo", weekdays=range(7), start=10 * 60, zone="Europe/Madrid")
    return factories.service("first-talk", counselors=[iris, theo])


def _slots(*arguments: str) -> str:
    out = StringIO()
    call_command("slots", "--service", "first-talk", *arguments, stdout=out)
    return out.getvalue()


def _week() -> tuple[str, str]:
    today = timezone.now().date() + timedelta(days=2)
    return today.isoformat(), (today + timedelta(days=7)).isoformat()


def test_it_prints_the_times_that_the_page_would_offer(service: Service) -> None:
    first, last = _week()
    found = json.loads(_slots("--from", first, "--to", last, "--tz", "Europe/Berlin", "--json"))
    assert found["tz"] == "Europe/Berlin"
    offered = offers.open_times(
        service=service,
        counselor=None,
        from_on=datetime.fromisoformat(first).date(),
        to_on=datetime.fromisoformat(last).date(),
        zone="Europe/Berlin",
        now=timezone.now(),
    )
    assert [datetime.fromisoformat(slot["start"]) for slot in found["slots"]] == [
        time.start for time in offered
    ]
    slot = found["slots"][0]
    start, end = (datetime.fromisoformat(slot[name]) for name in ("start", "end"))
    assert end - start == timedelta(minutes=50)
    assert start.utcoffset() is not None
    assert set(slot["counselors"]) <= {"iris", "theo"}


def test_one_counselor_only_if_asked(service: Service) -> None:
    first, last = _week()
    found = json.loads(
        _slots(
            *("--counselor", "theo", "--from", first, "--to", last),
            *("--tz", "Asia/Calcutta", "--json"),
        )
    )
    assert found["tz"] == "Asia/Kolkata"
    assert {slug for slot in found["slots"] for slug in slot["counselors"]} == {"theo"}


def test_without_json_it_prints_a_line_for_each_time(service: Service) -> None:
    first, last = _week()
    lines = _slots("--from", first, "--to", last, "--tz", "UTC").splitlines()
    assert any(line.endswith("iris, theo") for line in lines)
    assert _slots("--from", first, "--to", first, "--tz", "UTC") == "No open times.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from", "2027-01-01", "--to", "2027-01-02", "--tz", "Mars/Phobos"], "time zone"),
        (["--from", "2027-01-01", "--to", "2027-04-01", "--tz", "UTC"], "at most 62 days"),
        (["--from", "2027-02-30", "--to", "2027-04-01", "--tz", "UTC"], "no date"),
        (
            ["--counselor", "nobody", "--from", "2027-01-01", "--to", "2027-01-02", "--tz", "UTC"],
            "No counselor",
        ),
    ],
)
def test_what_it_cannot_answer_it_says(
    service: Service, arguments: list[str], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        _slots(*arguments)


def test_a_hidden_service_is_no_service(service: Service) -> None:
    Service.objects.update(hidden=True)
    with pytest.raises(CommandError, match="No service"):
        _slots("--from", "2027-01-01", "--to", "2027-01-02", "--tz", "UTC")
