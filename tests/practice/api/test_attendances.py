"""An attendee's own part through the API: as on their page, and no more."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from practice.models import Appointment, Attendance, Counselor, Service
from tests import factories as make
from tests.practice.api.bodies import BEN, booking
from tests.practice.api.conftest import Caller
from tests.practice.views.conftest import SetClock

START = make.at(3, "10:00")


@pytest.fixture
def tokens(api: Caller, talk: Service) -> tuple[str, str]:
    """The links of Ana, who booked, and of Ben, who comes along."""
    api.book(booking(start=START.isoformat(), partner=BEN, partner_safe_to_invite=True))
    ana, ben = Attendance.objects.select_related("person__key").order_by("role")
    return ana.token, ben.token


def test_it_tells_the_own_time_place_and_state(api: Caller, tokens: tuple[str, str]) -> None:
    told = api.get(f"attendances/{tokens[1]}/")
    assert told.json() == {
        "state": "expected",
        "start": "2027-01-14T15:00:00+00:00",
        "end": "2027-01-14T15:50:00+00:00",
        "tz": "UTC",
        "minutes": 50,
        "place": told.json()["place"],
        "can_confirm": True,
        "can_change": True,
    }
    assert "no-store" in told["Cache-Control"]
    assert told["Referrer-Policy"] == "no-referrer"
    assert "Ana" not in told.content.decode()


def test_what_one_does_is_not_seen_by_the_other(api: Caller, tokens: tuple[str, str]) -> None:
    ana, ben = tokens
    before = api.get(f"attendances/{ana}/").json()
    assert api.post(f"attendances/{ben}/confirm/", {}).json()["state"] == "confirmed"
    assert api.get(f"attendances/{ana}/").json() == before
    assert api.post(f"attendances/{ben}/cancel/", {"reason": "No."}).json()["state"] == "cancelled"
    assert api.get(f"attendances/{ana}/").json() == before
    assert Appointment.objects.get().state == Appointment.State.CONFIRMED


def test_twice_is_the_same_as_once(api: Caller, tokens: tuple[str, str]) -> None:
    for _ in range(2):
        assert api.post(f"attendances/{tokens[1]}/confirm/", {}).status_code == 200
    for _ in range(2):
        assert api.post(f"attendances/{tokens[1]}/cancel/", {}).json()["state"] == "cancelled"


def test_a_move_takes_an_open_time_and_keeps_the_old_one_when_it_is_taken(
    api: Caller, talk: Service, tokens: tuple[str, str]
) -> None:
    taken = make.at(3, "14:00")
    make.appointment(Counselor.objects.get(), talk, start=taken)
    refused = api.post(f"attendances/{tokens[0]}/move/", {"start": taken.isoformat()})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:duet:slot_taken")
    assert refused.json()["next"]
    assert api.get(f"attendances/{tokens[0]}/").json()["start"] == "2027-01-14T16:00:00+01:00"
    free = make.at(3, "16:00").isoformat()
    moved = api.post(f"attendances/{tokens[0]}/move/", {"start": free})
    assert (moved.status_code, moved.json()["start"]) == (200, "2027-01-14T22:00:00+01:00")


def test_past_the_cut_off_it_is_too_late(
    api: Caller, tokens: tuple[str, str], clock: SetClock
) -> None:
    clock(START - timedelta(hours=2))
    move = {"start": make.at(4, "10:00").isoformat()}
    for path, body in (("move", move), ("cancel", {})):
        refused = api.post(f"attendances/{tokens[0]}/{path}/", body)
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:duet:too_late")
    assert api.get(f"attendances/{tokens[0]}/").json()["can_change"] is False


def test_what_is_cancelled_is_not_confirmed(api: Caller, tokens: tuple[str, str]) -> None:
    api.post(f"attendances/{tokens[1]}/cancel/", {})
    refused = api.post(f"attendances/{tokens[1]}/confirm/", {})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:duet:not_allowed")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("move", {}, "start"),
        ("move", {"start": "soon"}, "start"),
        ("move", {"start": START.isoformat(), "counselor": "omar"}, "counselor"),
        ("cancel", {"reason": "x" * 1001}, "reason"),
        ("cancel", {"reason": 7}, "reason"),
        ("cancel", {"by": "staff"}, "by"),
        ("confirm", {"state": "confirmed"}, "state"),
        ("confirm", [], "body"),
    ],
)
def test_a_refused_body_names_its_field(
    api: Caller, tokens: tuple[str, str], path: str, body: Any, field: str
) -> None:
    before = Attendance.objects.values_list().order_by("pk")
    rows = list(before)
    refused = api.post(f"attendances/{tokens[0]}/{path}/", body)
    assert (refused.status_code, list(refused.json()["errors"])) == (422, [field])
    assert list(before.all()) == rows


def test_unknown_and_ended_links_look_alike(
    api: Caller, tokens: tuple[str, str], clock: SetClock
) -> None:
    clock(START + timedelta(days=3))
    unknown = "A" * 22
    calls: list[Callable[[str], Any]] = [
        lambda token: api.get(f"attendances/{token}/"),
        lambda token: api.post(f"attendances/{token}/confirm/", {}),
        lambda token: api.post(f"attendances/{token}/move/", {"start": START.isoformat()}),
        lambda token: api.post(f"attendances/{token}/cancel/", {}),
    ]
    for call in calls:
        ended, never = call(tokens[0]), call(unknown)
        assert ended.status_code == never.status_code == 404
        assert ended.json() == never.json()


def test_a_get_changes_nothing(api: Caller, tokens: tuple[str, str]) -> None:
    for path in ("", "confirm/", "move/", "cancel/"):
        for ask in (api.client.get, api.client.head):
            answer = ask(f"/api/v1/attendances/{tokens[0]}/{path}")
            assert answer.status_code == (405 if path else 200)
    assert Attendance.objects.filter(state="expected").count() == 1


def test_a_move_locks_everybodys_messages_at_once_in_the_order_of_the_sender(
    api: Caller, tokens: tuple[str, str]
) -> None:
    """One attendee after the other would cross a sender that marks both, and one would fail."""
    with CaptureQueriesContext(connection) as ran:
        moved = api.post(
            f"attendances/{tokens[0]}/move/", {"start": make.at(3, "16:00").isoformat()}
        )
    assert moved.status_code == 200
    locks = [
        one["sql"]
        for one in ran.captured_queries
        if "FOR UPDATE" in one["sql"] and 'FROM "duet_clients_message"' in one["sql"]
    ]
    assert all(one.pk.hex in locks[0].replace("-", "") for one in Attendance.objects.all())
    assert re.search(r'ORDER BY (1|"duet_clients_message"."id") ASC', locks[0])
