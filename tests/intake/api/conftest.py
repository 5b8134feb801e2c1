"""A practice with two couples, who have answered; and a client that speaks JSON."""

from dataclasses import dataclass

import pytest

from clients.models import Case, Member, Person
from intake.models import Assignment, Instrument, Response
from practice.models import Counselor
from tests import factories as make
from tests.practice.api.conftest import Caller, api
from tests.practice.views.conftest import clock, iris, practice

__all__ = ["Caller", "api", "clock", "iris", "practice"]


@dataclass
class World:
    """Iris counsels Ana and Ben; Theo counsels Chris, whom she doesn't know."""

    case: Case
    ana: Person
    ben: Person
    other: Case
    mood: Instrument
    check: Instrument
    sent: Response
    partner: Response
    guarded: Response
    foreign: Response
    waiting: Assignment
    started: Response
    members: dict[str, Member]


PRIVATE = {
    **make.MOOD,
    "id": "private-check",
    "title": "Alone",
    "items": [{"id": "safe", "kind": "choice", "scale": "often", "text": "I feel safe."}],
    "subscales": [],
}


@pytest.fixture
def world(iris: Counselor) -> World:
    theo = make.counselor("theo")
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben, counselor=iris)
    other = make.case(make.chris(), counselor=theo)
    mood, check = make.instrument(), make.instrument(PRIVATE)
    mine, his = make.intake(case, ana), make.intake(case, ben)
    chris = other.person
    assert chris is not None
    theirs = make.intake(other, chris)
    sent = make.response(
        make.assignment(mine, mood),
        {"close": "often", "calm": "never", "words": "=1+1 und Jäger"},
        scores={"total": "2"},
    )
    partner = make.response(make.assignment(his, mood), {"close": "never"}, scores={"total": None})
    guarded = make.response(make.assignment(mine, check), {"safe": "never"}, guarded=True)
    foreign = make.response(make.assignment(theirs, mood), {"close": "often"}, scores={})
    waiting = make.assignment(mine, mood, number=2)
    started = make.response(
        make.assignment(his, mood, number=2), {"words": "not sent yet"}, sent=False
    )
    members = {
        "iris": iris.member,
        "theo": theo.member,
        "sam": make.front_desk(),
        "rita": make.reviewer(),
        "olive": make.admin(),
    }
    return World(
        *(case, ana, ben, other, mood, check),
        *(sent, partner, guarded, foreign, waiting, started),
        members,
    )
