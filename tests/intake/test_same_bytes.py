"""Whatever Ana answers or leaves, all that Ben can reach is the same to the byte (law 8).

One couple is booked and given the same forms. Then Ana does one thing, or another, or nothing, and
each time everything that Ben can reach is taken down: pages behind his links and in his own page,
what his own forms answer as he fills them in, the API by his token, his letters and calendar
entries, the number of statements behind each. Nothing is taken out of it but what is drawn anew
each time. So are the desk's pages of those who may not know of a flag.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.conf import settings as site
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from clients.models import Case, ClientSession, Person
from clients.queries import permissions
from clients.rules.actors import PROOF_LINK, PROOF_SECOND, Actor
from intake.actions import answering, instruments
from intake.models import Agreement, Assignment, Flag, Intake, Response, Review
from intake.queries import taking as taken
from practice import tasks
from practice.models import Attendance, FormRule
from tests import factories as make
from tests import smtp_peer
from tests.clients.message_cast import talk_to
from tests.intake import browsing, filling
from tests.practice.views import portal_walk, walk
from tests.smtp_peer import Peer
from tests.test_matrix import address_of

pytestmark = [pytest.mark.django_db, pytest.mark.faults, pytest.mark.timeout(900)]

# Every page for everything that Ana may do takes minutes: `make faults` does all of it.
LONG = os.environ.get("FAULTS") == "long"
BEN = "ben@example.org"
OURS = ("practice:", "intake:")
ASKED = ("private-check", "practice-intake", "cycle-reflection", "phq-9")
DRAWN_ANEW = [
    (re.compile(r'(name="(?:csrfmiddlewaretoken|note|made)" value=")[^"]*'), r"\1"),
    (re.compile(r'(data-options=")[^"]*'), r"\1"),
    (re.compile(r"(?m)^(Message-ID|Date|X-Request-ID): .*$"), r"\1"),
    (re.compile(r"={5,}\d{10,}=="), "a boundary"),
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "a row"),
]


# --- what is taken down --------------------------------------------------------------------------


@dataclass
class Couple:
    """The couple, and who looks."""

    case: Case
    ana: Person
    ben: Person
    intakes: dict[str, Intake]
    browsers: dict[str, Client]
    peer: Peer
    set_clock: Callable[[datetime], None]


@dataclass
class Taken:
    """Answers in the order in which they came, each under a name that says nothing of Ana."""

    found: dict[str, object] = field(default_factory=dict)

    def answer(self, name: str, ask: Callable[[], Any]) -> Any:
        """Ask, and note all that can be seen of the answer."""
        assert name not in self.found, name
        connection.queries_log.clear()
        with CaptureQueriesContext(connection) as statements:
            response = ask()
        body = response.getvalue() if response.streaming else response.content
        text = same(body.decode("utf-8", "replace"))
        headers = {
            key: value for key, value in response.headers.items() if key not in {"X-Request-ID"}
        }
        self.found[name] = (response.status_code, headers, len(body), text, len(statements))
        return response


def same(text: str) -> str:
    for pattern, kept in DRAWN_ANEW:
        text = pattern.sub(kept, text)
    return text


def difference(one: Taken, other: Taken) -> list[str]:
    """The names under which two differ, with the first place where they do."""
    found = [f"{name}: only once" for name in one.found.keys() ^ other.found.keys()]
    for name, first in one.found.items():
        second = other.found.get(name, first)
        if first != second:
            found.append(f"{name}: {_where(repr(first), repr(second))}")
    return found


def _where(one: str, other: str) -> str:
    at = next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    return f"…{one[max(at - 60, 0) : at + 60]}… / …{other[max(at - 60, 0) : at + 60]}…"


# --- all that Ben can reach ----------------------------------------------------------------------

# Which of his browsers stand at a door.
AT_THE_DOOR = {
    "public": ("link",),
    "visitor": ("link",),
    "by_link": ("link",),
    "portal": ("portal", "proved"),
    "portal_proved": ("portal", "proved"),
}


def reached_by_ben(couple: Couple, *, fills_in: bool) -> Taken:
    taken = Taken()
    _walk_as_ben(couple, taken, "first")
    if fills_in:
        for minute, slug in enumerate(ASKED, 1):
            # One after the other: what came at one moment has no order.
            couple.set_clock(make.NOW + timedelta(minutes=minute))
            _fill_in(couple, taken, slug)
        _walk_as_ben(couple, taken, "then")
    _letters(couple, taken)
    return taken


def _walk_as_ben(couple: Couple, taken: Taken, when: str) -> None:
    """Every route that isn't the desk's, with each id and token that Ben could have, or guess."""
    given = Assignment.objects.filter(intake=couple.intakes["ben"])
    own = {str(pk) for pk in given.values_list("pk", flat=True)}
    for route in permissions.routes():
        is_ours = route.door in AT_THE_DOOR and route.name.startswith(OURS)
        if not is_ours or "GET" not in route.methods:
            continue
        if route.name == "practice:exit":
            continue  # it ends what it leaves
        for number, value in enumerate(_values(couple, route.path)):
            # All pages of his own forms; of what isn't his, one is as good as another.
            numbers = range(1, 14) if value in own and "<int:" in route.path else [1]
            for page, who in product(numbers, AT_THE_DOOR[route.door]):
                path = route.path.replace("<int:number>", str(page)).replace("<int:pk>", "7")
                address, browser = address_of(path, value), couple.browsers[who]
                name = f"{when} {who} {route.name} {number} {page}"
                taken.answer(name, lambda a=address, b=browser: b.get(a))  # type: ignore[misc]


def _values(couple: Couple, path: str) -> list[str]:
    """What may stand in the place of an address's parameter."""
    if "<uuid:" in path:
        return _ids(couple)
    if "token:" in path:
        booked = Attendance.objects.select_related("person__key").get(person=couple.ben)
        return [booked.token, couple.intakes["ben"].token, "B" * 22]
    return ["first-talk"]


def _ids(couple: Couple) -> list[str]:
    """Ben's own rows, Ana's, and their case; those that are there whatever Ana does."""
    rows: list[Any] = [couple.case, couple.ana, couple.ben, *couple.intakes.values()]
    rows += Attendance.objects.order_by("role")
    for who in ("ben", "ana"):
        given = Assignment.objects.filter(intake=couple.intakes[who])
        rows += given.order_by("position", "pk")
    rows += Review.objects.filter(case=couple.case)
    return [str(row.pk) for row in rows]


def _fill_in(couple: Couple, taken: Taken, slug: str) -> None:
    """Ben fills in a form over its pages, and sends it."""
    client = couple.browsers["link"]
    given = filling.assignment(couple.intakes["ben"], slug)
    definition, address = given.instrument.parsed, f"/i/{given.pk}/"
    for step in range(120):
        name = f"{slug} {step}"
        page = taken.answer(name, lambda a=address: client.get(a))  # type: ignore[misc]
        if page.status_code == 302:
            address = page["Location"]
            if address == "/i/policy/":
                sent = browsing.hidden(client.get(address))
            else:
                continue
        elif address.endswith("/review/"):
            sent = browsing.hidden(page) | (
                {"signed_name": "Ben Birch"} if b'name="signed_name"' in page.content else {}
            )
        elif address.endswith("/sent/"):
            return
        else:
            sent = browsing.filled(page, definition)
        answer = taken.answer(
            f"{name} sent",
            lambda a=address, s=sent: client.post(a, s),  # type: ignore[misc]
        )
        assert answer.status_code == 302, walk.text(answer)
        address = answer["Location"]
    raise AssertionError("a form without an end")


def _letters(couple: Couple, taken: Taken) -> None:
    """Everything that goes on by itself until after the session, and what reaches Ben of it."""
    before = len(couple.peer.taken)
    for hours in (0, 1, *range(6, 5 * 24, 6)):
        couple.set_clock(make.NOW + timedelta(hours=hours))
        for name in sorted(site.CELERY_BEAT_SCHEDULE):
            module, _, task = name.rpartition(".")
            if module == "practice.tasks":
                getattr(tasks, task)()
    couple.set_clock(make.NOW)
    his = [letter for letter in couple.peer.taken[before:] if BEN in str(letter["To"])]
    assert his, "letters reach him at all"
    taken.found["letters"] = len(his)
    for number, letter in enumerate(his):
        parts = [
            same(bytes(part.get_payload(decode=True) or b"").decode())
            for part in letter.walk()
            if not part.is_multipart()
        ]
        headers = [(name, same(f"{name}: {value}")) for name, value in letter.items()]
        taken.found[f"letter {number}"] = (headers, parts, [len(part) for part in parts])


# --- the desk of those who may not know of a flag ------------------------------------------------

DESK = ("sam", "rita", "olive", "theo")


def reached_at_the_desk(couple: Couple) -> Taken:
    taken = Taken()
    booked = Attendance.objects.get(person=couple.ana)
    review = Review.objects.get(case=couple.case)
    named: dict[str, list[Any]] = {
        "desk/appointments/": [booked.appointment_id],
        "desk/attendances/": [booked.pk],
        "desk/persons/": [couple.ana.pk, couple.ben.pk],
        "desk/intake/": [review.pk],
    }
    for route in permissions.routes():
        is_ours = route.door in {"desk", "desk_api"} and route.name.startswith(OURS)
        if not is_ours or "GET" not in route.methods:
            continue
        values = [found for start, found in named.items() if route.path.startswith(start)]
        those = values[0] if values else [couple.case.pk]
        for (number, value), who in product(enumerate(those), DESK):
            path = route.path.replace("<int:number>", "1").replace("<int:pk>", "7")
            address, client = address_of(path, str(value)), couple.browsers[who]
            taken.answer(
                f"{who} {route.name} {number}",
                lambda a=address, c=client: c.get(a),  # type: ignore[misc]
            )
    return taken


# --- what Ana does -------------------------------------------------------------------------------


def _nothing(_couple: Couple) -> None:
    pass


def _stops(couple: Couple) -> None:
    """She isn't alone, and says so."""
    given = filling.assignment(couple.intakes["ana"], "private-check")
    filling.accept(couple.intakes["ana"])
    by = Actor.of_person(couple.ana.pk)
    answering.save(assignment=given, values={"S1": "no"}, revision=0, by=by, now=make.NOW)


def _begins(couple: Couple) -> None:
    filling.send(filling.assignment(couple.intakes["ana"], "private-check"), CALM)
    filling.save(filling.assignment(couple.intakes["ana"], "cycle-reflection"), upto=3)


def _answers(couple: Couple, check: filling.Pick, **picks: filling.Pick) -> None:
    for slug in ASKED:
        pick = check if slug == "private-check" else picks.get(slug.replace("-", "_"), CALM)
        filling.send(filling.assignment(couple.intakes["ana"], slug), pick)


CALM = filling.but(filling.first, S2="no", S3="no", S4="yes")
AFRAID = filling.but(filling.first, S2="yes", S3="yes", S4="no")
SKIPS = filling.but(filling.first, S2="~skip", S3="~skip", S4="~skip")
DECLINES = filling.but(filling.first, share="no")


def _answers_all(couple: Couple) -> None:
    _answers(couple, CALM)


def _is_afraid(couple: Couple) -> None:
    """A positive check, and an answer of which a clinician is told at once."""
    _answers(couple, AFRAID, phq_9=filling.last)
    assert set(Flag.objects.values_list("kind", flat=True)) > {"self-harm"}


def _skips(couple: Couple) -> None:
    _answers(couple, SKIPS)
    assert Flag.objects.exists()


def _says_nothing(couple: Couple) -> None:
    _answers(couple, SKIPS, practice_intake=filling.nothing, cycle_reflection=filling.nothing)


def _declines(couple: Couple) -> None:
    _answers(couple, CALM, cycle_reflection=DECLINES)
    assert not Agreement.objects.standing().filter(kind="share").exists()


def _takes_back(couple: Couple) -> None:
    _answers(couple, CALM)
    assert Agreement.objects.standing().filter(kind="share", person=couple.ana).exists()
    answering.share(
        case=couple.case,
        person=couple.ana,
        agreed=False,
        version="1",
        words="",
        language="en",
        by=Actor.of_person(couple.ana.pk),
        now=make.NOW,
    )


SITUATIONS = {
    "stops": _stops,
    "begins": _begins,
    "answers all": _answers_all,
    "is afraid": _is_afraid,
    "skips": _skips,
    "says nothing": _says_nothing,
    "declines": _declines,
    "takes back": _takes_back,
}
# At the desk it may be seen that all came in, and what is for the practice: nothing beyond.
ALIKE_AT_THE_DESK = {
    one: SITUATIONS[one] for one in ("is afraid", "skips", "declines", "takes back")
}


# --- one couple for all --------------------------------------------------------------------------


@contextmanager
def undone() -> Iterator[None]:
    point = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(point)


@pytest.fixture
def couple(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Couple]:
    """Booked over the pages, with all forms that come with it; Ben has been written to."""

    def set_clock(moment: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: moment)

    set_clock(make.NOW)
    make.practice()
    make.reminder(2880)
    make.reminder(120)
    iris = make.counselor("iris")
    talk = make.service(counselors=[iris])
    instruments.load_shipped(by=make.SYSTEM, now=make.NOW)
    for position, slug in enumerate(ASKED):
        FormRule.objects.create(service=talk, slug=slug, position=position)
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        alike = {"partner_tz": "America/New_York", "partner_language": "en"}
        booked = walk.book(Client(), talk, make.at(4, "10:00"), **(walk.BEN | alike))
        assert booked.status_code == 302, walk.text(booked)
        rows = Attendance.objects.select_related("person__key", "appointment__case")
        ana, ben = rows.order_by("role")
        case = ana.appointment.case
        assert case is not None
        intakes = {
            who: Intake.objects.select_related("person__key", "case").get(person=row.person)
            for who, row in (("ana", ana), ("ben", ben))
        }
        made = Couple(case, ana.person, ben.person, intakes, {}, peer, set_clock)
        _browsers(made, ben)
        yield made


def _browsers(couple: Couple, ben: Attendance) -> None:
    link = browsing.come_in(couple.intakes["ben"])
    assert link.post(f"/a/{ben.token}/confirm/").status_code == 302
    # To set a PIN ends every other session.
    proved = portal_walk.prove(couple.ben)
    couple.browsers = {"link": link, "portal": portal_walk.sign_in(couple.ben), "proved": proved}
    assert set(ClientSession.objects.values_list("proof", flat=True)) == {
        PROOF_LINK,
        PROOF_SECOND,
    }
    make.counselor("theo")
    for name, roles in (
        ("sam", ["front_desk"]),
        ("rita", ["reviewer"]),
        ("olive", ["admin"]),
    ):
        make.member(name, roles=roles)
    for name in DESK:
        couple.browsers[name] = Client()
        assert couple.browsers[name].login(username=name, password=make.PASSWORD)


# --- the same ------------------------------------------------------------------------------------


@pytest.fixture(params=[False, True], ids=["who_answered_nothing", "who_answers_everything"])
def fills_in(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def taken_down(couple: Couple, does: Callable[[Couple], None], *, fills_in: bool) -> Taken:
    with undone():
        does(couple)
        return reached_by_ben(couple, fills_in=fills_in)


def test_ben_reaches_the_same_whatever_ana_does(couple: Couple, *, fills_in: bool) -> None:
    plain = taken_down(couple, _nothing, fills_in=fills_in)
    shown = {name for name, one in plain.found.items() if isinstance(one, tuple) and one[0] == 200}
    for name in ("portal practice:portal-mine", "proved practice:portal-copy", "link intake:mine"):
        assert any(one.startswith(f"first {name}") for one in shown), name
    assert len(shown) > 40
    # Where he goes through all his forms himself, it is the extremes that could tell on them.
    extremes = ("is afraid", "takes back") if fills_in else ("answers all", "is afraid", "skips")
    tried = SITUATIONS if LONG else extremes
    for name in tried:
        found = difference(plain, taken_down(couple, SITUATIONS[name], fills_in=fills_in))
        assert found == [], f"Ana {name}"


def test_the_desk_shows_the_same_to_who_may_not_know(couple: Couple) -> None:
    with undone():
        _answers_all(couple)
        plain = reached_at_the_desk(couple)
    assert len(plain.found) > 80
    for name, does in ALIKE_AT_THE_DESK.items():
        if name not in ("is afraid", "skips") and not LONG:
            continue
        with undone():
            does(couple)
            found = difference(plain, reached_at_the_desk(couple))
        assert found == [], f"Ana {name}"


# --- and would be found --------------------------------------------------------------------------


def test_a_page_that_counts_the_others_answers_is_found(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the list of one's own forms, with those of the case in it."""
    plain = taken_down(couple, _nothing, fills_in=False)
    assert difference(plain, taken_down(couple, _nothing, fills_in=False)) == []
    listed = taken.listed

    def both(intake: Intake, now: datetime) -> list[taken.Listed]:
        found = [
            one for other in Intake.objects.filter(case=intake.case) for one in listed(other, now)
        ]
        return [one for one in found if one.is_sent] + listed(intake, now)

    monkeypatch.setattr(taken, "listed", both)
    found = difference(
        taken_down(couple, _nothing, fills_in=False),
        taken_down(couple, _answers_all, fills_in=False),
    )
    assert any(one.startswith("first link intake:mine") for one in found)


def test_a_letter_that_waits_for_the_other_is_found(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: once Ana has sent something, Ben is reminded of nothing any more."""
    run = tasks.send_due

    def only_while_she_has_not_answered() -> object:
        return {} if Response.objects.sent().exists() else run()

    plain = taken_down(couple, _nothing, fills_in=False)
    monkeypatch.setattr(tasks, "send_due", only_while_she_has_not_answered)
    with undone():
        _answers_all(couple)
        with pytest.raises(AssertionError, match="letters reach him at all"):
            reached_by_ben(couple, fills_in=False)
    assert plain.found["letters"]


def test_a_desk_that_knows_of_a_flag_is_found(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: flags that everybody sees."""
    with undone():
        _answers_all(couple)
        plain = reached_at_the_desk(couple)
    monkeypatch.setattr(type(Flag.objects.all()), "visible_to", lambda rows, _actor: rows)
    with undone():
        _is_afraid(couple)
        found = difference(plain, reached_at_the_desk(couple))
    assert any("desk-intake" in one for one in found)
