"""Bad inputs of a person's own pages: links, sessions, and one partner in the other's place."""

import io
import logging
import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from clients.actions import access
from clients.models import ClientSession, Person, SignInLink
from config import logs
from practice import tasks
from practice.models import Answer, Appointment, Attendance, Counselor, Question, Service
from tests import factories as make
from tests.bad_inputs import cases
from tests.practice.views import portal_walk, walk

pytestmark = pytest.mark.django_db

CANARY = "canary of Ana"


@pytest.fixture
def couple(iris: Counselor, talk: Service) -> Appointment:
    row = make.appointment(iris, talk, make.ana(), make.ben(), start=make.at(3))
    question = Question.objects.create(service=talk, slug="what", label="What is it about?")
    for attendance in row.attendances.select_related("person__key"):
        text = f"canary of {attendance.person.name.split()[0]}"
        Answer.objects.create(attendance=attendance, question=question, text=text, audience="staff")
    return row


def person(role: str) -> Person:
    return Person.objects.select_related("key").get(attendances__role=role)


@pytest.fixture
def ana(couple: Appointment) -> Person:
    return person("booker")


@pytest.fixture
def ben(couple: Appointment) -> Person:
    return person("partner")


def is_stated(case_id: str, response: Any) -> bool:
    return response.status_code in cases.case(case_id).expect["status"]


# --- in the other's place ------------------------------------------------------------------------


def test_a_parameter_makes_nobody_the_partner(ana: Person, ben: Person) -> None:
    """`parameter ignored or 404`: it is ignored, and the page is Ben's, to the byte."""
    client = portal_walk.prove(ben)
    plain = client.get("/portal/mine/")
    (name,) = cases.case("PO-001").input["request"]["query"]
    for query in ({name: str(ana.pk)}, {"person": str(ana.pk)}, {"then": str(ana.pk)}):
        for path in ("/portal/mine/", "/portal/answers/", "/portal/looks/"):
            response = client.get(path, query)
            assert CANARY not in walk.text(response)
            assert "Ana Alder" not in walk.text(response)
        assert portal_walk.same(client.get("/portal/mine/", query)) == portal_walk.same(plain)


def test_a_copy_holds_ones_own_alone(ana: Person, ben: Person) -> None:
    response = portal_walk.prove(ben).get("/portal/copy/")
    assert is_stated("PO-004", response)
    assert "canary of Ben" in walk.text(response)
    for word in (CANARY, "Alder", "ana@example.org"):
        assert word not in walk.text(response)


def test_the_second_link_in_a_browser_ends_the_first_ones_session(ana: Person, ben: Person) -> None:
    client = portal_walk.prove(ana)
    first = portal_walk.session(ana)
    portal_walk.sign_in(ben, client)
    first.refresh_from_db()
    assert first.ended_at is not None
    response = client.get("/portal/mine/")
    assert is_stated("PO-006", response)
    assert "This is the page of <b>Ben Birch</b>" in walk.text(response)
    assert "Alder" not in walk.text(response)
    # Nor does the proof of the one pass to the other.
    assert "/portal/prove/" in client.get("/portal/answers/")["Location"]


def test_no_answer_is_not_modified_for_somebody_else(ana: Person, ben: Person) -> None:
    seen = portal_walk.sign_in(ana).get("/portal/mine/")
    client = portal_walk.sign_in(ben)
    for etag in (seen.headers.get("ETag", '"seen"'), "*"):
        response = client.get("/portal/mine/", headers={"If-None-Match": etag})
        assert is_stated("PO-008", response)
        assert "Ben Birch" in walk.text(response)


# --- links ---------------------------------------------------------------------------------------


def mangled(token: str, other: str) -> dict[str, str]:
    """The token of each case, as it stands in the address."""
    flipped = token[:-2] + chr(ord(token[-2]) ^ 1) + token[-1]
    return {
        "PO-010": flipped if flipped.isalnum() else token[::-1],
        "PO-011": token[:-4],
        "PO-012": "",
        "PO-015": token + ".",
        "PO-017": other,
        "PO-019": token[:4] + "%2525" + token[4:],
        "PO-020": token + "%00",
        "PO-021": token + "A" * 100_000,
        "PO-022": "%D0%B0" + token[1:],
        "PO-023": f"?token[]={token}",
    }


@pytest.mark.parametrize("case_id", mangled("a" * 22, "b" * 22))
def test_a_mangled_link_opens_nothing_and_says_nothing(ana: Person, case_id: str) -> None:
    link = portal_walk.link_for(ana)
    other = Attendance.objects.get(person=ana).token
    unknown = Client().get("/portal/in/AAAAAAAAAAAAAAAAAAAAAA/")
    path = f"/portal/in/{mangled(link.token, other)[case_id]}"
    for response in (Client().get(path + "/"), Client().post(path + "/"), Client().get(path)):
        assert is_stated(case_id, response), response.status_code
        assert response.content == unknown.content
        assert not response.cookies
    assert not ClientSession.objects.exists()
    assert SignInLink.objects.get().used_at is None


def test_a_link_is_good_once(ana: Person) -> None:
    link = portal_walk.link_for(ana)
    assert Client().post(f"/portal/in/{link.token}/").status_code == 302
    for client in (Client(), Client()):
        assert is_stated("PO-025", client.post(f"/portal/in/{link.token}/"))
        assert is_stated("PO-025", client.get(f"/portal/in/{link.token}/"))


def test_a_link_is_dead_after_the_practice_has_ended_all_sessions(ana: Person) -> None:
    make.front_desk()
    link, desk = portal_walk.link_for(ana), Client()
    desk.login(username="sam", password=make.PASSWORD)
    desk.post(f"/desk/persons/{ana.pk}/sessions/")
    assert is_stated("PO-028", Client().post(f"/portal/in/{link.token}/"))


def test_a_scanner_uses_nothing_up(ana: Person) -> None:
    link = portal_walk.link_for(ana)
    path = f"/portal/in/{link.token}/"
    assert Client().head(path).status_code == 200
    for number in range(3):
        assert Client(REMOTE_ADDR=f"192.0.2.{number}").get(path).status_code == 200
    assert not ClientSession.objects.exists()
    assert Client().post(path).status_code == 302
    assert ClientSession.objects.get().person_id == ana.pk


def test_guessing_is_slowed_down_for_each_address(ana: Person, settings: Settings) -> None:
    settings.DUET = settings.DUET | {"THROTTLE": True}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    for address in ("192.0.2.1", "192.0.2.2"):
        client = Client(REMOTE_ADDR=address)
        found = [
            client.get(f"/portal/in/{secrets.token_urlsafe(16)}/").status_code for _ in range(80)
        ]
        assert set(found[:60]) == {404}
        assert is_stated("PO-031", client.get(f"/portal/in/{secrets.token_urlsafe(16)}/"))
    # Whoever has the link gets in all the same.
    link = portal_walk.link_for(ana)
    assert Client(REMOTE_ADDR="192.0.2.1").post(f"/portal/in/{link.token}/").status_code == 302
    cache.clear()


def test_the_address_of_a_link_is_told_to_nobody(ana: Person) -> None:
    link = portal_walk.link_for(ana)
    response = Client().get(f"/portal/in/{link.token}/")
    assert is_stated("PO-032", response)
    assert response["Referrer-Policy"] == "no-referrer"
    page = walk.text(response)
    assert link.token not in page
    assert "http://" not in page
    assert "https://" not in page
    used = Client().post(f"/portal/in/{link.token}/")
    assert used["Location"] == "/portal/mine/"
    assert used["Referrer-Policy"] == "no-referrer"


def test_no_log_has_the_token(ana: Person) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.formatter("words"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        link = portal_walk.link_for(ana)
        path = f"/portal/in/{link.token}/"
        client = Client()
        for response in (client.get(path), client.post(path), client.post(path), client.put(path)):
            assert response.status_code in {200, 302, 404, 405}
        tasks.expire_holds()
        logging.getLogger("django.request").error("Internal Server Error: %s", path)
        logging.getLogger("gunicorn.access").warning('"GET %s HTTP/1.1" 200', path)
        logging.getLogger("practice").warning("Somebody opened %s", path)
    finally:
        root.removeHandler(handler)
    assert "portal-in" in written.getvalue()
    assert link.token not in written.getvalue()
    assert client.cookies["duet"].value not in written.getvalue()


def test_a_session_of_yesterday_opens_nothing(ana: Person, clock: Any) -> None:
    client = portal_walk.prove(ana)
    clock(make.NOW + timedelta(days=1))
    assert client.get("/portal/answers/")["Location"] == "/portal/"
    access.forget(by=make.SYSTEM, now=make.NOW + timedelta(days=3))
    assert client.get("/portal/answers/")["Location"] == "/portal/"
