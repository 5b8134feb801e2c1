"""Bad-input cases that take a page: what a browser of ours would never send."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from clients.models import Message
from practice.models import Appointment, Attendance, Counselor, Service
from tests import factories as make
from tests.bad_inputs import cases
from tests.practice.views import walk
from tests.practice.views.conftest import SetClock

pytestmark = pytest.mark.django_db

START = make.at(3, "10:00")


@pytest.fixture
def ana(iris: Counselor, talk: Service) -> Attendance:
    """Ana's part in what she booked with Ben."""
    booked = make.appointment(iris, talk, make.ana(), make.ben(), start=START)
    return booked.attendances.get(role="booker")


def link(attendance: Attendance, button: str = "") -> str:
    return f"/a/{attendance.token}/{button}"


def is_stated(case_id: str, response: Any) -> bool:
    return response.status_code in cases.case(case_id).expect["status"]


def test_a_list_of_services_is_refused(client: Client, talk: Service) -> None:
    value = cases.case("BK-241").input["value"]
    sent = {"service": [talk.slug, *value], "start": START.isoformat()}
    assert is_stated("BK-241", client.post("/book/hold/", sent))
    assert not Appointment.objects.exists()


def test_fields_that_set_what_is_not_theirs_are_refused(client: Client, talk: Service) -> None:
    body = cases.case("BK-242").input["request"]["body"]
    for name in body:
        refused = walk.book(client, talk, **(walk.ALONE | {name: "confirmed"}))
        assert is_stated("BK-242", refused)
    assert Appointment.objects.get().state == Appointment.State.HELD


def test_a_form_without_the_token_of_our_page_is_refused(talk: Service) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert is_stated("BK-245", walk.hold(strict, talk, START))
    assert is_stated("BK-245", strict.post("/book/details/", walk.ANA))
    assert not Appointment.objects.exists()


def test_an_address_does_not_book(client: Client, talk: Service) -> None:
    query = cases.case("BK-247").input["request"]["query"]
    assert is_stated("BK-247", client.get("/book/hold/", query | {"service": talk.slug}))
    assert not Appointment.objects.exists()


def test_another_method_than_the_one_sent_is_not_read(client: Client, ana: Attendance) -> None:
    headers = cases.case("BK-248").input["request"]["headers"]
    assert is_stated("BK-248", client.get(link(ana, "cancel/"), headers=headers))
    body = cases.case("BK-249").input["request"]["body"]
    assert is_stated("BK-249", client.post(link(ana, "cancel/"), body))
    ana.refresh_from_db()
    assert ana.state == Attendance.State.CONFIRMED


@pytest.mark.parametrize("case_id", ["BK-250", "BK-252"])
def test_a_start_sent_twice_or_as_a_list_is_refused(
    client: Client, talk: Service, case_id: str
) -> None:
    raw = cases.case(case_id).input["request"]["raw_form"]
    for address in ("/book/hold/", "/book/details/"):
        for start in (raw, raw.replace("=A", f"={START:%Y-%m-%dT%H:%M}Z")):
            sent = f"service={talk.slug}&counselor=&{start}"
            refused = client.post(address, sent, "application/x-www-form-urlencoded")
            assert is_stated(case_id, refused)
    assert not Appointment.objects.exists()


def test_what_can_be_computed_opens_no_link(client: Client, ana: Attendance) -> None:
    row = ana.appointment
    texts = [
        f"{ana.person_id}{row.starts_at}{row.counselor_id}",
        f"{ana.pk}",
        f"{row.pk}",
        f"{ana.person_id}",
    ]
    guesses = [
        *texts,
        *(hashlib.md5(text.encode()).hexdigest() for text in texts),
        *(hashlib.sha256(text.encode()).hexdigest() for text in texts),
        bytes(ana.token_hash).hex(),
    ]
    for guess in guesses:
        assert is_stated("BK-254", client.post(f"/a/{guess}/cancel/"))
    number = cases.case("BK-255").input["request"]["path_id"]
    assert is_stated("BK-255", client.post(f"/a/{number}/cancel/"))
    ana.refresh_from_db()
    assert ana.state == Attendance.State.CONFIRMED


def test_cancelling_twice_says_so_and_plans_nothing_more(client: Client, ana: Attendance) -> None:
    client.post(link(ana, "cancel/"))
    told = Message.objects.count()
    again = client.post(link(ana, "cancel/"), follow=True)
    assert is_stated("BK-256", again)
    assert "This appointment is cancelled" in walk.text(again)
    assert Message.objects.count() == told


def test_cancelling_within_the_notice_is_refused_in_words(
    client: Client, ana: Attendance, clock: SetClock
) -> None:
    clock(START - timedelta(hours=1))
    refused = client.post(link(ana, "cancel/"))
    assert is_stated("BK-258", refused)
    assert "too late to change this here" in walk.text(refused)


def test_the_page_to_move_shows_nothing_of_a_person(client: Client, ana: Attendance) -> None:
    response = client.get(reverse("practice:attendance-move", args=[ana.token]))
    assert is_stated("BK-259", response)
    page = walk.text(response)
    for canary in ("Alder", "Birch", "Ben", "@example.org", "+12015550"):
        assert canary not in page


@pytest.mark.parametrize("path", ["/book/", "/book/details/", "/desk/", "/a/"])
def test_a_session_cookie_that_is_no_key_is_no_session(client: Client, path: str) -> None:
    client.cookies["sessionid"] = "\x00abcdefghijkl"
    assert client.get(path).status_code < 500


@pytest.mark.parametrize(
    "path", ["/book/hold/", "/accounts/login/", "/a/aaaaaaaaaaaaaaaaaaaaaa/confirm/"]
)
@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded; charset=utf-7",
        "application/x-www-form-urlencoded; charset=base64",
        "multipart/form-data",
        "multipart/form-data; boundary=\xff",
    ],
)
def test_a_body_that_can_not_be_read_is_refused(path: str, content_type: str) -> None:
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    response = client.generic("POST", path, b"a=1", content_type=content_type)
    assert 400 <= response.status_code < 500
