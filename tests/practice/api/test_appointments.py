"""The diary through the API: for members, what each may see, and no names."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clients.models import Member
from practice.models import Appointment, Counselor, Service
from tests import factories as make
from tests.practice.api.conftest import Caller

WEEK = {"from": "2027-01-11", "to": "2027-01-18"}


@pytest.fixture
def booked(talk: Service, iris: Counselor) -> list[Appointment]:
    """Three of Iris's and one of Omar's, in this order."""
    omar = make.counselor("omar")
    ana, ben = make.ana(), make.ben()
    return [
        make.appointment(iris, talk, ana, ben, start=make.at(1, "09:00")),
        make.appointment(omar, talk, start=make.at(1, "09:00")),
        make.appointment(iris, talk, start=make.at(2, "09:00"), state="requested"),
        make.appointment(iris, talk, start=make.at(3, "09:00"), state="cancelled"),
    ]


def sign_in(api: Caller, member: Member) -> None:
    api.client.force_login(member.user)


def ids(answer: Any) -> list[str]:
    return [one["id"] for one in answer.json()["results"]]


def test_staff_see_the_whole_diary_and_a_counselor_their_own(
    api: Caller, iris: Counselor, booked: list[Appointment]
) -> None:
    sign_in(api, make.front_desk())
    assert set(ids(api.get("appointments/", WEEK))) == {str(one.pk) for one in booked}
    sign_in(api, iris.member)
    own = [str(one.pk) for one in booked if one.counselor == iris]
    assert ids(api.get("appointments/", WEEK)) == own
    foreign = next(one for one in booked if one.counselor != iris)
    absent = api.get("appointments/00000000-0000-4000-8000-000000000000/")
    hidden = api.get(f"appointments/{foreign.pk}/")
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json() == absent.json()


def test_a_row_names_nobody(api: Caller, booked: list[Appointment]) -> None:
    sign_in(api, make.admin())
    answer = api.get(f"appointments/{booked[0].pk}/")
    assert answer.json() == {
        "id": str(booked[0].pk),
        "state": "confirmed",
        "start": "2027-01-12T09:00:00-05:00",
        "end": "2027-01-12T09:50:00-05:00",
        "tz": "America/New_York",
        "service": "first-talk",
        "counselor": "iris",
        "case": str(booked[0].case_id),
        "overbooked": False,
        "attendees": [
            {"role": "booker", "state": "confirmed", "gate": "open"},
            {"role": "partner", "state": "expected", "gate": "open"},
        ],
    }
    assert "no-store" in answer["Cache-Control"]


def test_a_held_time_is_no_appointment_yet(api: Caller, talk: Service) -> None:
    held = api.post("holds/", {"service": "first-talk", "start": make.at(1).isoformat()})
    assert held.status_code == 201
    sign_in(api, make.admin())
    assert ids(api.get("appointments/", WEEK)) == []


def test_filters_and_order(api: Caller, booked: list[Appointment]) -> None:
    sign_in(api, make.admin())
    asked = api.get("appointments/", WEEK | {"state": "requested"})
    assert ids(asked) == [str(booked[2].pk)]
    of_omar = api.get("appointments/", WEEK | {"counselor": "omar"})
    assert ids(of_omar) == [str(booked[1].pk)]
    forwards = ids(api.get("appointments/", WEEK))
    assert ids(api.get("appointments/", WEEK | {"ordering": "-start"})) == forwards[::-1]
    assert ids(api.get("appointments/", {"from": "2027-01-13", "to": "2027-01-14"})) == [
        str(booked[2].pk)
    ]


@pytest.mark.parametrize("ordering", ["start", "-start"])
def test_pages_hold_each_row_once_whatever_comes_in_between(
    api: Caller, iris: Counselor, talk: Service, booked: list[Appointment], ordering: str
) -> None:
    sign_in(api, make.admin())
    whole = ids(api.get("appointments/", WEEK | {"ordering": ordering}))
    seen: list[str] = []
    path: str | None = None
    while len(seen) < 10:
        asked = WEEK | {"page_size": "1", "ordering": ordering}
        answer = api.client.get(path) if path else api.get("appointments/", asked)
        seen += ids(answer)
        path = answer.json()["next"]
        if path is None:
            break
        # A row before the place that was reached moves nothing behind it.
        at = make.at(0, "09:00") if ordering == "start" else make.at(4, "09:00")
        if not Appointment.objects.filter(period__startswith=at).exists():
            make.appointment(iris, talk, start=at)
    assert seen == whole


@pytest.mark.parametrize(("asked", "found"), [("-1", 1), ("0", 1), ("2", 2), ("9999", 4)])
def test_the_size_of_a_page_is_brought_into_bounds(
    api: Caller, booked: list[Appointment], asked: str, found: int
) -> None:
    sign_in(api, make.admin())
    assert len(ids(api.get("appointments/", WEEK | {"page_size": asked}))) == found


@pytest.mark.parametrize(
    "query",
    [
        {"ordering": "-password"},
        {"ordering": "start,(CASE WHEN 1=1 THEN 1 END)"},
        {"client__user__password__startswith": "a"},
        {"_connector": "OR 1=1 OR"},
        {"counselor__isnull": "true"},
        {"expand": "case.notes"},
        {"page": "-1"},
        {"page_size": "1e9"},
        {"page_size": "\u0663"},
        {"cursor": "AAAA"},
        {"cursor": ""},
        {"state": "held"},
        {"from": "0001-01-01"},
    ],
)
def test_whatever_else_the_query_says_is_refused(
    api: Caller, booked: list[Appointment], query: dict[str, str]
) -> None:
    sign_in(api, make.admin())
    refused = api.get("appointments/", WEEK | query)
    assert (refused.status_code, list(refused.json()["errors"])) == (400, list(query))


def test_a_counselor_whom_there_isnt_is_refused(api: Caller, booked: list[Appointment]) -> None:
    sign_in(api, make.admin())
    refused = api.get("appointments/", WEEK | {"counselor": "zz"})
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["counselor"])


def test_nobody_and_somebody_else_are_refused(api: Caller, booked: list[Appointment]) -> None:
    path = f"appointments/{booked[0].pk}/"
    for asked in ("appointments/", path):
        refused = api.get(asked)
        assert (refused.status_code, refused.json()["type"]) == (401, "urn:duet:not_signed_in")
        assert refused["WWW-Authenticate"] == "Session"
    for name, active in (("visitor", True), ("gone", False)):
        user = get_user_model().objects.create_user(name, is_active=active)
        api.client.force_login(user)
        assert api.get("appointments/").status_code == (403 if active else 401)


@pytest.mark.parametrize("said", ["Bearer ", "Bearer null", "Token", "Basic YTpi", "Bearer a.b."])
def test_a_token_that_isnt_known_is_refused_also_beside_a_session(
    api: Caller, booked: list[Appointment], said: str
) -> None:
    sign_in(api, make.admin())
    assert api.get("appointments/", Authorization=said).status_code == 401


def test_the_number_of_statements_is_fixed(
    api: Caller, iris: Counselor, talk: Service, booked: list[Appointment]
) -> None:
    sign_in(api, make.admin())
    counts = []
    for day in (4, 7):
        make.appointment(iris, talk, make.ana(), make.ben(), start=make.at(day, "14:00"))
        with CaptureQueriesContext(connection) as ran:
            api.get("appointments/", WEEK)
        counts.append(len(ran))
    # The session, its user, the member, the practice; the appointments and their attendees; and
    # that they were shown.
    assert counts == [7, 7]
