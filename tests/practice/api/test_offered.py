"""What the API tells anybody: services, counselors, open times."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from practice.models import Consent, Counselor, Question, Service
from practice.queries import offers
from tests import factories as make
from tests.practice.api.conftest import Caller
from tests.practice.views.conftest import SetClock

TUESDAY = {"service": "first-talk", "from": "2027-01-12", "to": "2027-01-13"}


def test_services_say_what_comes_before_a_booking(api: Caller, talk: Service) -> None:
    Question.objects.create(service=talk, slug="why", label="What brings you?")
    Consent.objects.create(
        service=talk, slug="privacy", version=3, text="We keep notes.", published_at=make.NOW
    )
    make.service("hidden", hidden=True)
    told = api.get("services/").json()
    assert told == {
        "results": [
            {
                "slug": "first-talk",
                "name": "First talk",
                "about": "",
                "minutes": 50,
                "attendees": "either",
                "booking": "instant",
                "place": "address",
                "price": "0.00",
                "currency": "USD",
                "consents": [
                    {"slug": "privacy", "version": 3, "text": "We keep notes.", "required": True}
                ],
                "questions": [
                    {"slug": "why", "label": "What brings you?", "choices": [], "required": False}
                ],
                "counselors": ["iris"],
            }
        ],
        "next": None,
    }


def test_counselors_are_those_who_offer_something(api: Caller, talk: Service) -> None:
    make.counselor("omar")
    told = api.get("counselors/").json()
    assert [one["slug"] for one in told["results"]] == ["iris"]
    assert told["results"][0] | {"name": "", "about": "", "languages": []} == {
        "slug": "iris",
        "name": "",
        "about": "",
        "languages": [],
        "tz": "America/New_York",
        "services": ["first-talk"],
    }


def test_slots_carry_the_offset_of_the_zone_that_was_asked_for(api: Caller, talk: Service) -> None:
    told = api.get("slots/", {**TUESDAY, "tz": "Europe/Berlin"}).json()
    assert told["tz"] == "Europe/Berlin"
    assert told["slots"][0] == {
        "start": "2027-01-12T15:00:00+01:00",
        "end": "2027-01-12T15:50:00+01:00",
        "counselors": ["iris"],
    }
    same = api.get("slots/", TUESDAY).json()
    assert same["slots"][0]["start"] == "2027-01-12T09:00:00-05:00"
    assert len(same["slots"]) == len(told["slots"])


def test_a_slot_of_several_names_all_who_offer_it(api: Caller, iris: Counselor) -> None:
    make.service(counselors=[iris, make.counselor("omar")])
    assert api.get("slots/", TUESDAY).json()["slots"][0]["counselors"] == ["iris", "omar"]
    own = api.get("slots/", TUESDAY | {"counselor": "omar"}).json()
    assert own["slots"][0]["counselors"] == ["omar"]


def test_without_dates_slots_are_those_of_a_week(api: Caller, talk: Service) -> None:
    told = api.get("slots/", {"service": "first-talk"}).json()
    starts = [datetime.fromisoformat(one["start"]) for one in told["slots"]]
    assert starts[0] >= make.NOW
    assert starts[-1] < datetime(2027, 1, 18, 5, tzinfo=UTC)


def test_who_has_the_slots_already_gets_304_until_one_is_taken(
    api: Caller, talk: Service, clock: SetClock
) -> None:
    first = api.get("slots/", TUESDAY)
    assert "public" in first["Cache-Control"]
    again = api.get("slots/", TUESDAY, **{"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    # A minute later the same times are open: still nothing new.
    clock(make.NOW + timedelta(minutes=1))
    assert api.get("slots/", TUESDAY, **{"If-None-Match": first["ETag"]}).status_code == 304
    held = api.post("holds/", {"service": "first-talk", "start": make.at(1, "10:00").isoformat()})
    assert held.status_code == 201
    changed = api.get("slots/", TUESDAY, **{"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_the_holder_of_a_time_still_sees_it_and_nobody_keeps_that_answer(
    api: Caller, talk: Service
) -> None:
    before = api.get("slots/", TUESDAY).json()["slots"]
    start = make.at(1, "10:00").isoformat()
    held = api.post("holds/", {"service": "first-talk", "start": start}).json()
    assert len(api.get("slots/", TUESDAY).json()["slots"]) < len(before)
    own = api.get("slots/", TUESDAY | {"hold": held["hold"]})
    assert own.json()["slots"] == before
    assert own["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"service": "a b"}, "service"),
        ({"service": "x\0"}, "service"),
        ({"tz": "Mars/Olympus"}, "tz"),
        ({"tz": "../etc/passwd"}, "tz"),
        ({"from": "2027-02-30"}, "from"),
        ({"from": "1999-01-01"}, "from"),
        ({"from": "2027-01-12T00:00:00Z"}, "from"),
        ({"to": "tomorrow"}, "to"),
        ({"hold": "short"}, "hold"),
        ({"counselor__member__user__password": "x"}, "counselor__member__user__password"),
        ({"to": ["2027-01-13", "2027-01-14"]}, "to"),
    ],
)
def test_a_query_that_cant_be_read_names_its_field(
    api: Caller, talk: Service, changes: dict[str, object], field: str
) -> None:
    refused = api.get("slots/", TUESDAY | changes)
    assert refused.status_code == 400
    assert refused["Content-Type"] == "application/problem+json"
    told = refused.json()
    assert (told["type"], told["status"]) == ("urn:duet:invalid", 400)
    assert list(told["errors"]) == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"service": "nope"}, "service"),
        ({"counselor": "omar"}, "counselor"),
        ({"to": "2027-01-11"}, "to"),
        ({"to": "2027-03-16"}, "to"),
    ],
)
def test_what_there_isnt_and_too_much_at_once_is_refused_by_field(
    api: Caller, talk: Service, changes: dict[str, object], field: str
) -> None:
    refused = api.get("slots/", TUESDAY | changes)
    assert (refused.status_code, list(refused.json()["errors"])) == (422, [field])


def test_sixty_two_days_are_not_too_many(api: Caller, talk: Service) -> None:
    assert api.get("slots/", TUESDAY | {"to": "2027-03-15"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "query", "statements"),
    [("services/", {}, 4), ("counselors/", {}, 2), ("slots/", {**TUESDAY, "tz": "UTC"}, 1)],
)
def test_the_number_of_statements_is_fixed(
    api: Caller, talk: Service, path: str, query: dict[str, str], statements: int
) -> None:
    for number in range(2):
        with CaptureQueriesContext(connection) as ran:
            assert api.get(path, query).status_code == 200
        assert len(ran) == statements, [one["sql"] for one in ran.captured_queries]
        if number == 0:
            more = [make.counselor(f"more-{index}") for index in range(3)]
            for index in range(3):
                make.service(f"other-{index}", counselors=more)
            for hour in range(9, 14):
                make.appointment(more[0], talk, start=make.at(1, f"{hour}:00"))


def test_before_the_practice_is_set_up_the_answer_says_so(api: Caller, db: None) -> None:
    refused = api.get("slots/", {"service": "first-talk"})
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:duet:away")
    assert api.get("services/").json() == {"results": [], "next": None}


@pytest.mark.parametrize("path", ["", "nothing/", "_get", "appointments/%00", "slots", "slots/x/"])
def test_whatever_else_stands_below_the_address_is_not_found(
    api: Caller, db: None, path: str
) -> None:
    for answer in (api.get(path), api.post(path, {})):
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:duet:not_found")


def test_a_method_that_isnt_offered_is_refused_in_the_same_shape(
    api: Caller, talk: Service
) -> None:
    refused = api.post("slots/", {})
    assert refused.status_code == 405
    assert refused.json()["type"] == "urn:duet:method_not_allowed"
    assert "GET" in refused["Allow"]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (OperationalError("terminating connection"), 503, "away"),
        (RuntimeError("of Ana's"), 500, "failed"),
    ],
)
def test_what_fails_inside_is_told_in_the_same_shape_and_quotes_nobody(
    api: Caller,
    talk: Service,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    kind: str,
) -> None:
    def fail(**_asked: object) -> None:
        raise error

    monkeypatch.setattr(offers, "listed", fail)
    api.client.raise_request_exception = False
    refused = api.get("slots/", TUESDAY)
    assert (refused.status_code, refused.json()["type"]) == (status, f"urn:duet:{kind}")
    assert "Ana" not in refused.content.decode()
    assert ("Retry-After" in refused) == (status == 503)


def test_a_session_costs_public_answers_nothing_and_leaves_them_to_shared_caches(
    api: Caller, talk: Service
) -> None:
    api.client.force_login(make.admin().user)
    with CaptureQueriesContext(connection) as ran:
        answer = api.get("slots/", {**TUESDAY, "tz": "UTC"})
    assert len(ran) == 1
    assert "Cookie" not in answer["Vary"]


def test_a_head_says_how_long_the_answer_is_and_sends_none_of_it(
    api: Caller, talk: Service
) -> None:
    whole = api.get("slots/", TUESDAY)
    head = api.client.head("/api/v1/slots/", TUESDAY)
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Length"] == str(len(whole.content))
