"""Services and weekly hours through the API: who may change them, and over what."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from clients.models import AuditEntry, Member
from practice.models import Counselor, Service, WorkingHours
from tests import factories as make
from tests.practice.api.conftest import V1, Caller

NEW = {"slug": "couple-90", "name": "Ninety minutes", "minutes": 90, "price": "120.50"}
WEEK = {
    "tz": "Europe/Berlin",
    "openings": [
        {"weekday": 0, "start": "09:00", "end": "12:00"},
        {"weekday": 0, "start": "12:00", "end": "24:00"},
    ],
}


def patch(api: Caller, path: str, body: object, etag: str | None) -> Any:
    headers = {} if etag is None else {"If-Match": etag}
    return api.client.patch(
        f"{V1}/{path}", json.dumps(body), content_type="application/json", headers=headers
    )


@pytest.fixture
def admin(api: Caller, talk: Service) -> Caller:
    api.client.force_login(make.admin("adam").user)
    return api


def sign_in(api: Caller, member: Member) -> None:
    api.client.force_login(member.user)


def test_a_new_service_is_there_at_once_and_stands_in_the_trail(admin: Caller) -> None:
    answer = admin.post("services/", NEW | {"counselors": ["iris"]})
    assert answer.status_code == 201
    assert answer.json() == {
        "slug": "couple-90",
        "name": "Ninety minutes",
        "about": "",
        "position": 0,
        "minutes": 90,
        "step": 30,
        "buffer_before": 0,
        "buffer_after": 0,
        "notice": 240,
        "horizon_days": 60,
        "attendees": "either",
        "place": "address",
        "place_text": "",
        "booking": "instant",
        "invite_gate": "private_check",
        "price": "120.50",
        "currency": "USD",
        "hidden": False,
        "active": True,
        "counselors": ["iris"],
    }
    assert "no-store" in answer["Cache-Control"]
    told = Caller().get("services/").json()["results"]
    assert [one["price"] for one in told if one["slug"] == "couple-90"] == ["120.50"]
    row = Service.objects.get(slug="couple-90")
    assert AuditEntry.objects.get(verb="service.added").subject_id == row.pk
    again = admin.get("services/couple-90/")
    assert (again.json(), again["ETag"]) == (answer.json(), answer["ETag"])


def test_a_short_name_is_given_once(admin: Caller) -> None:
    assert admin.post("services/", NEW).status_code == 201
    second = admin.post("services/", NEW | {"name": "Another"})
    assert second.status_code == 409
    assert second.json()["type"] == "urn:duet:exists"
    assert Service.objects.get(slug="couple-90").name == "Ninety minutes"


def test_whoever_may_not_keep_the_practice_adds_and_changes_nothing(
    api: Caller, talk: Service, iris: Counselor
) -> None:
    assert api.post("services/", NEW).status_code == 401
    for member in (make.front_desk("fred"), iris.member, make.reviewer("rita")):
        sign_in(api, member)
        assert api.post("services/", NEW).status_code == 403
        assert api.post("services/", {}).status_code == 403
        assert api.get("services/first-talk/").status_code == 403
        assert patch(api, "services/first-talk/", {"minutes": 5}, "*").status_code == 403
    assert list(Service.objects.values_list("slug", "minutes")) == [("first-talk", 50)]


def test_anybody_reads_what_is_offered_whoever_asks(api: Caller, talk: Service) -> None:
    anonymous = api.get("services/")
    sign_in(api, make.admin("adam"))
    assert api.get("services/").content == anonymous.content
    assert "cookie" not in api.get("services/")["Vary"].lower()
    assert api.get("services/", Authorization="Bearer x").status_code == 200


def test_of_two_who_read_the_same_the_second_does_not_change_over_the_first(
    admin: Caller,
) -> None:
    """AP-131."""
    first = admin.get("services/first-talk/")["ETag"]
    second = admin.get("services/first-talk/")["ETag"]
    assert patch(admin, "services/first-talk/", {"minutes": 60}, first).status_code == 200
    late = patch(admin, "services/first-talk/", {"minutes": 45}, second)
    assert late.status_code == 412
    assert late.json()["type"] == "urn:duet:changed"
    assert Service.objects.get(slug="first-talk").minutes == 60
    assert patch(admin, "services/first-talk/", {"minutes": 45}, None).status_code == 400
    who = patch(
        admin, "services/first-talk/", {"counselors": []}, admin.get("services/first-talk/")["ETag"]
    )
    assert who.json()["counselors"] == []
    assert who["ETag"] != first


def test_a_change_names_what_it_changes_and_nothing_else(admin: Caller) -> None:
    etag = admin.get("services/first-talk/")["ETag"]
    for body in ({"slug": "other"}, {"id": "x"}, {"price_cents": 1}, {"minutes": None}):
        assert patch(admin, "services/first-talk/", body, etag).status_code == 422
    assert patch(admin, "services/nothing/", {}, etag).status_code == 404
    assert patch(admin, "services/first-talk/", {"counselors": ["nobody"]}, etag).status_code == 422
    assert admin.get("services/first-talk/")["ETag"] == etag


# --- weekly hours --------------------------------------------------------------------------------


def test_a_counselor_sets_their_own_week_and_nobody_elses(api: Caller, iris: Counselor) -> None:
    make.counselor("omar")
    sign_in(api, iris.member)
    before = api.get("working-hours/iris/")
    assert before.json()["openings"][0] == {"weekday": 0, "start": "09:00", "end": "17:00"}
    assert patch(api, "working-hours/omar/", WEEK, '"omar-1"').status_code == 403
    assert patch(api, "working-hours/iris/", WEEK, before["ETag"]).json() == {
        "counselor": "iris",
        **WEEK,
    }
    assert patch(api, "working-hours/iris/", WEEK, before["ETag"]).status_code == 412
    assert WorkingHours.objects.filter(counselor__slug="omar").count() == 5
    assert len(api.get("working-hours/").json()["results"]) == 2
    assert AuditEntry.objects.filter(verb="counselor.hours_set").count() == 1


def test_one_more_opening_where_there_is_none_yet(admin: Caller, iris: Counselor) -> None:
    opening = {"counselor": "iris", "weekday": 5, "start": "10:00", "end": "12:00"}
    assert admin.post("working-hours/", opening).status_code == 201
    assert admin.post("working-hours/", opening).status_code == 422
    assert (
        admin.post("working-hours/", opening | {"start": "12:00", "end": "13:00"}).status_code
        == 201
    )
    assert WorkingHours.objects.filter(counselor=iris, weekday=5).count() == 2
    sign_in(admin, make.front_desk("fred"))
    assert admin.post("working-hours/", opening | {"weekday": 6}).status_code == 403


@pytest.mark.parametrize(
    ("opening", "field"),
    [
        ({"start": "12:00", "end": "09:00"}, "openings.0.end"),
        ({"start": "09:00", "end": "09:00"}, "openings.0.end"),
        ({"start": "24:00", "end": "24:00"}, "openings.0.end"),
        ({"start": "9:00"}, "openings.0.start"),
        ({"start": "25:00"}, "openings.0.start"),
        ({"start": "٠٩:٠٠"}, "openings.0.start"),
        ({"start": "09:00\n"}, "openings.0.start"),
        ({"weekday": 7}, "openings.0.weekday"),
        ({"weekday": True}, "openings.0.weekday"),
        ({"weekday": "0"}, "openings.0.weekday"),
    ],
)
def test_an_opening_that_no_week_has_is_refused(
    admin: Caller, opening: dict[str, Any], field: str
) -> None:
    etag = admin.get("working-hours/iris/")["ETag"]
    one = {"weekday": 0, "start": "09:00", "end": "12:00"} | opening
    answer = patch(admin, "working-hours/iris/", {"tz": "Europe/Berlin", "openings": [one]}, etag)
    assert answer.status_code == 422
    assert field in answer.json()["errors"]
    twice = [WEEK["openings"][0], {"weekday": 0, "start": "11:59", "end": "12:30"}]
    body = {"tz": "Europe/Berlin", "openings": twice}
    assert patch(admin, "working-hours/iris/", body, etag).status_code == 422
    assert admin.get("working-hours/iris/")["ETag"] == etag


# --- whose request it is -------------------------------------------------------------------------


def test_another_sites_page_changes_nothing_in_a_members_name(talk: Service) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make.admin("adam").user)

    def send(**headers: str) -> Any:
        return browser.post(
            f"{V1}/services/", json.dumps(NEW), content_type="application/json", headers=headers
        )

    assert send().status_code == 403
    assert send(**{"X-CSRFToken": "x" * 32}).status_code == 403
    token = browser.get("/accounts/login/", follow=True).cookies.get("csrftoken")
    browser.cookies["csrftoken"] = token.value if token else "a" * 32
    ours = {"X-CSRFToken": browser.cookies["csrftoken"].value}
    assert send(Origin="https://evil.example", **ours).status_code == 403
    assert not Service.objects.filter(slug="couple-90").exists()
    assert send(**ours).status_code == 201


def test_an_admin_without_the_second_factor_that_the_role_asks_for_changes_nothing(
    admin: Caller, settings: Settings
) -> None:
    settings.DUET = {**settings.DUET, "MODE": "production"}
    assert admin.post("services/", NEW).status_code == 403
    assert patch(admin, "services/first-talk/", {}, "*").status_code == 403
    assert admin.get("services/").status_code == 200
    settings.DUET = {**settings.DUET, "STRONG_AUTH": "tests.practice.api.test_services.has_one"}
    assert admin.post("services/", NEW).status_code == 201


def has_one(_user: object) -> bool:
    return True


@pytest.mark.parametrize("path", ["services/first-talk/", "working-hours/iris/"])
def test_a_version_is_compared_as_if_match_demands(admin: Caller, path: str) -> None:
    body = {"name": "Again"} if path.startswith("services") else WEEK

    def etag() -> str:
        return str(admin.get(path)["ETag"])

    for said in (f"W/{etag()}", etag().strip('"'), '"other"', f'"other", W/{etag()}', '"*"'):
        assert patch(admin, path, body, said).status_code == 412, said
    assert patch(admin, path, body, f'W/"a", "other",{etag()}').status_code == 200
    assert patch(admin, path, body, "*").status_code == 200
    assert patch(admin, path.replace("/", "/no-", 1), body, "*").status_code == 404
    assert patch(admin, path, body, etag()).status_code == 200
