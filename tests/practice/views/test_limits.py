"""Limits on tries at the pages: typed text stays, and nobody is kept from their own appointment."""

import secrets
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from clients.limits import Limit
from practice import limits
from practice.models import Appointment, Attendance, Service
from tests import factories as make
from tests.bad_inputs import cases
from tests.practice.views import walk

pytestmark = pytest.mark.django_db

TEN = make.at(1, "10:00")
AT = [make.at(day, "10:00") for day in range(1, 4)]


@pytest.fixture(autouse=True)
def throttled(settings: Settings) -> None:
    settings.DUET = {**settings.DUET, "THROTTLE": True}
    cache.clear()


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, int], None]:
    """Let a view have one of its limits with another figure."""

    def set_to(view: str, name: str, times: int) -> None:
        monkeypatch.setattr(f"practice.views.{view}.{name}", Limit(name, times, 3600))

    return set_to


def test_one_address_holds_two_times_and_no_more(talk: Service) -> None:
    (stated,) = cases.case("BK-243").expect["status"]
    browsers = [Client() for _ in range(3)]
    for browser, start in zip(browsers[:2], AT, strict=False):
        assert walk.hold(browser, talk, start).status_code == 302
    refused = walk.hold(browsers[2], talk, AT[2])
    assert refused.status_code == stated
    assert refused["Retry-After"] == "600"
    assert "Please wait 10 minutes." in walk.text(refused)
    there = AT[2].astimezone(ZoneInfo("America/New_York")).isoformat()
    assert f'value="{there}"' in walk.text(refused), "the times stay on the page"
    assert Appointment.objects.count() == 2
    elsewhere = Client(REMOTE_ADDR="198.51.100.7")
    assert walk.hold(elsewhere, talk, AT[2]).status_code == 302


def test_without_the_limit_fifty_are_held(talk: Service, settings: Settings) -> None:
    settings.DUET = {**settings.DUET, "THROTTLE": False}
    for start in AT:
        assert walk.hold(Client(), talk, start).status_code == 302


def test_choosing_again_giving_back_and_booking_free_the_place(talk: Service) -> None:
    assert walk.hold(Client(), talk, AT[0]).status_code == 302
    one = Client()
    for start in (AT[1], AT[2], AT[1]):
        assert walk.hold(one, talk, start).status_code == 302
    one.post("/book/release/")
    other = Client()
    assert walk.hold(other, talk, AT[1]).status_code == 302
    page = walk.details(other)
    assert other.post("/book/details/", walk.filled(page, **walk.ALONE)).status_code == 302
    assert walk.hold(one, talk, AT[2]).status_code == 302


def test_a_time_that_was_taken_takes_no_place(talk: Service) -> None:
    assert walk.hold(Client(), talk, TEN).status_code == 302
    late = Client()
    for _ in range(3):
        assert walk.hold(late, talk, TEN).status_code == 409
    assert walk.hold(late, talk, AT[1]).status_code == 302


def test_pressing_too_often_keeps_the_time_that_one_has(
    client: Client, talk: Service, only: Callable[[str, str, int], None]
) -> None:
    only("booking", "HOLDS", 1)
    assert walk.hold(client, talk, TEN).status_code == 302
    assert walk.hold(client, talk, AT[1]).status_code == 429
    assert walk.details(client).status_code == 200
    assert Appointment.objects.get().starts_at == TEN


def test_a_form_past_the_limit_comes_back_as_it_was_typed(
    client: Client, talk: Service, only: Callable[[str, str, int], None]
) -> None:
    only("details", "BOOKINGS", 0)
    refused = walk.book(client, talk, **walk.ALONE)
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert "no-store" in refused["Cache-Control"]
    assert "Ana Alder" in walk.text(refused)
    assert "ana@example.org" in walk.text(refused)
    assert "Please wait" in walk.text(refused)
    assert Appointment.objects.get().state == Appointment.State.HELD
    only("details", "BOOKINGS", 1)
    cache.clear()
    sent = client.post("/book/details/", walk.filled(refused, **walk.ALONE))
    assert sent.status_code == 302


def test_a_form_with_a_mistake_is_not_counted(
    client: Client, talk: Service, only: Callable[[str, str, int], None]
) -> None:
    only("details", "BOOKINGS", 1)
    walk.hold(client, talk, TEN)
    page = walk.details(client)
    for _ in range(3):
        wrong = walk.filled(page, **walk.ALONE, name="")
        assert client.post("/book/details/", wrong).status_code == 422
    assert client.post("/book/details/", walk.filled(page, **walk.ALONE)).status_code == 302


@pytest.fixture
def ana(talk: Service) -> Attendance:
    iris = talk.counselors.get()
    booked = make.appointment(iris, talk, make.ana(), start=make.at(3, "10:00"))
    return booked.attendances.get(role="booker")


def test_guessing_links_ends_in_a_429_and_a_link_that_works_goes_on(
    client: Client, ana: Attendance
) -> None:
    def guess(path: str) -> int:
        return client.get(f"/a/{path}").status_code

    tried = [guess(f"{secrets.token_urlsafe(16)}/") for _ in range(limits.UNKNOWN_LINKS.times)]
    assert set(tried) == {404}
    assert guess(f"{secrets.token_urlsafe(16)}/") == 429
    assert guess("mistyped") == 429
    assert client.post(f"/a/{secrets.token_urlsafe(16)}/cancel/").status_code == 429
    rows = walk.domain_rows()
    assert guess(f"{ana.token}/") == 200
    assert guess(f"{ana.token}/cancel/") == 200
    assert walk.domain_rows() == rows
    cancelled = client.post(f"/a/{ana.token}/cancel/", follow=True)
    assert "This appointment is cancelled" in walk.text(cancelled)


def test_a_429_of_a_link_tells_its_address_to_nobody(
    client: Client, practice: object, only: Callable[[str, str, int], None]
) -> None:
    only("attendance", "UNKNOWN_LINKS", 0)
    refused = client.get(f"/a/{secrets.token_urlsafe(16)}/")
    assert refused.status_code == 429
    assert refused["Referrer-Policy"] == "no-referrer"
    assert "no-store" in refused["Cache-Control"]
    assert refused["X-Robots-Tag"] == "noindex"
    assert "A moment, please" in walk.text(refused)
