"""A used practice, looked through for what doesn't belong there: mail, logs, Redis, errors, search.

The pages themselves are walked in `tests/test_matrix.py`; here is every other way by which a word
about somebody could reach somebody else.
"""

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from itertools import product
from typing import Any

import pytest
import redis
from django.conf import settings as site
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from clients.actions import messages
from config import logs
from practice.models import Attendance
from practice.queries import letters, pages
from tests import canaries, smtp_peer
from tests import factories as make
from tests.canaries import EMAIL, NAME, PHONE, REASON, Cast, Word, canary
from tests.clients.message_cast import talk_to
from tests.practice.views import walk
from tests.smtp_peer import Peer

pytestmark = pytest.mark.django_db
BOTH = ("ana", "ben")


@dataclass
class Used:
    """What a booking of two, a confirmation, a cancellation and the reminders left behind."""

    letters: Peer
    logs: str
    cast: Cast


def address(who: str) -> str:
    return f"{canary(who, EMAIL)}@kx.example"


def in_redis(url: str, prefix: str) -> str:
    """Every key of this site, and all that is kept under it."""
    client = redis.Redis.from_url(url, decode_responses=True, encoding_errors="replace")
    read: dict[str, Any] = {
        "string": client.get,
        "list": lambda key: client.lrange(key, 0, -1),
        "set": client.smembers,
        "hash": client.hgetall,
        "zset": lambda key: client.zrange(key, 0, -1),
    }
    found = [f"{key} {read[str(client.type(key))](key)}" for key in client.scan_iter(f"{prefix}*")]
    client.close()
    return "\n".join(found)


@pytest.fixture
def used(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Used]:
    """A couple books over the pages; one confirms, the other cancels and says why."""
    monkeypatch.setattr(timezone, "now", lambda: make.NOW)
    # Counts are what the site keeps in Redis: with them on.
    settings.DUET = {**settings.DUET, "THROTTLE": True}
    cache.clear()
    practice = make.practice()
    make.reminder(2880)
    talk = make.service(counselors=[make.counselor("iris")], minutes=50)
    written, handler = StringIO(), logging.StreamHandler()
    handler.setStream(written)
    handler.setFormatter(logs.formatter("json"))
    root = logging.getLogger()
    root.addHandler(handler)
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        fields = walk.BEN | {
            "name": canary("ana", NAME),
            "email": address("ana"),
            "phone": "+12015550170",
            "partner_name": canary("ben", NAME),
            "partner_email": address("ben"),
            "partner_phone": "+12015550171",
        }
        booked = walk.book(Client(), talk, make.at(4, "10:00"), **fields)
        assert booked.status_code == 302, walk.text(booked)
        _send(timedelta())
        ana, ben = Attendance.objects.select_related("person__key").order_by("role")
        assert Client().post(f"/a/{ana.token}/confirm/").status_code == 302
        left = Client().post(f"/a/{ben.token}/cancel/", {"reason": canary("ben", REASON)})
        assert left.status_code == 302
        _send(timedelta(minutes=1))
        _send(timedelta(days=2, hours=2))
        cast = Cast()
        cast.other_words = {
            "2015550170": ("ana", PHONE),
            "2015550171": ("ben", PHONE),
            ana.token: ("ana", canaries.TOKEN),
            ben.token: ("ben", canaries.TOKEN),
        }
        logging.getLogger("duet.test").error("A line of the test's own.")
        yield Used(peer, written.getvalue(), cast)
    root.removeHandler(handler)
    assert practice.pk


def _send(later: timedelta) -> None:
    now = make.NOW + later
    messages.send_due(subjects=letters.subjects(), by=make.SYSTEM, now=now, clock=lambda: now)


def test_no_letter_tells_one_of_the_other(used: Used) -> None:
    """Headers, texts and calendar files: of somebody else there is not a word, nor a number."""
    readers = [str(letter["To"]) for letter in used.letters.taken]
    assert {address(who) for who in BOTH} == set(readers)
    assert len(readers) >= 4
    links: set[Word] = set()
    for letter, (who, other) in product(used.letters.taken, (BOTH, BOTH[::-1])):
        if address(who) not in str(letter["To"]):
            continue
        parts = [str(part.get_payload(decode=True) or b"", "utf-8") for part in letter.walk()
                 if not part.is_multipart()]  # fmt: skip
        found = used.cast.found_in("\n".join([letter.as_string(), *parts]))
        assert (who, EMAIL) in found, "the letter is read at all"
        links |= {word for word in found if word[1] == canaries.TOKEN}
        assert {word for word in found if word[0] == other} == set()
    assert links == {(who, canaries.TOKEN) for who in BOTH}, "and its links are"


def test_logs_and_redis_hold_nobody(used: Used) -> None:
    assert "A line of the test's own." in used.logs
    assert used.cast.found_in(used.logs) == set()
    kept = in_redis(site.REDIS_URL, site.REDIS_PREFIX)
    assert "limit:" in kept, "there is something to look through"
    assert used.cast.found_in(kept) == set()


def test_the_same_look_finds_what_is_there(used: Used) -> None:
    cache.set("planted", {"who": address("ana"), "at": "/a/+1 (201) 555-0171/"})
    found = used.cast.found_in(in_redis(site.REDIS_URL, site.REDIS_PREFIX))
    assert found == {("ana", EMAIL), ("ben", PHONE)}


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nothing/{}/", "/a/{}/", "/portal/in/{}", "/api/v1/{}/"])
def test_a_page_that_is_not_there_does_not_repeat_its_address(path: str) -> None:
    make.practice()
    answer = Client().get(path.format(canary("ana", NAME)))
    assert answer.status_code == 404
    assert Cast().found_in(walk.text(answer) + str(answer.headers)) == set()


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, 500), (OperationalError, 503), (PermissionError, 500)]
)
def test_a_fault_says_nothing_of_what_it_is_about(
    error: type[Exception], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error(canary("ana", NAME), address("ana"))

    monkeypatch.setattr(pages, "practice", fail)
    answer = Client(raise_request_exception=False).get("/", {"q": canary("ben", NAME)})
    assert answer.status_code == status
    assert Cast().found_in(walk.text(answer) + str(answer.headers)) == set()


def test_refusals_repeat_nothing(settings: Settings) -> None:
    make.practice()
    settings.DUET = {**settings.DUET, "THROTTLE": True}
    cache.clear()
    visitor = Client()
    statuses = set()
    for _ in range(80):
        answer = visitor.post("/portal/", {"email": address("ana")})
        statuses.add(answer.status_code)
        assert Cast().found_in(walk.text(answer) + str(answer.headers)) == set()
    assert 429 in statuses
    bad = visitor.post("/api/v1/bookings/", address("ana"), content_type="application/json")
    assert bad.status_code == 400
    assert Cast().found_in(walk.text(bad)) == set()


# --- search --------------------------------------------------------------------------------------


@pytest.fixture
def cast(monkeypatch: pytest.MonkeyPatch) -> Cast:
    monkeypatch.setattr(timezone, "now", lambda: make.NOW)
    return canaries.populate()


def _searched(cast: Cast, caller: str, text: str) -> str:
    """What a search shows, but for what was looked for."""
    answer = cast.clients[caller].post("/desk/cases/", {"q": text})
    page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", walk.text(answer))
    return f"{answer.status_code} {page.replace(text, '')}"


def test_a_search_finds_whom_one_may_know_of_and_nobody_else(cast: Cast) -> None:
    """By name, by address and by number; what is hidden is answered as what doesn't exist."""
    none = {
        NAME: "zq9nobody9name",
        EMAIL: "zq9nobody9email@kx.example",
        PHONE: "+12015550199",
    }
    for caller in cast.members:
        absent = {what: _searched(cast, caller, text) for what, text in none.items()}
        for who, case in canaries.CASE_OF.items():
            person = cast.persons[who]
            texts = {NAME: canary(who, NAME), EMAIL: person.email, PHONE: person.phone}
            for what, text in texts.items():
                page = _searched(cast, caller, str(text))
                if case in canaries.KNOWS.get(caller, ""):
                    assert page != absent[what], (caller, who, what)
                elif caller not in canaries.MAY_BREAK or case == "R" or what == NAME:
                    assert page == absent[what], (caller, who, what)
                # Else they may break its glass, and are told by an address whose case it is.
                told = {found for found in cast.found_in(page) if found[1] != NAME}
                assert told <= canaries.allowed(caller), (caller, who, what)


def test_an_export_of_ones_own_record_names_nobody_else(cast: Cast) -> None:
    for caller, other in (("ana2", "ben"), ("ben2", "ana")):
        answer = cast.clients[caller].get("/portal/copy/")
        assert answer.status_code == 200
        content: bytes = answer.getvalue()
        told = cast.found_in(content.decode())
        assert told, "there is something in it"
        couples = (other, "wordscouple")
        assert {word for word in told if word[0] == other} <= {couples}
        json.loads(content)
