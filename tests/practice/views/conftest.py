"""A practice with one counselor and one service, at one moment."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.utils import timezone

from clients.models import Case, Member
from practice.models import Answer, Appointment, Counselor, Practice, Question, Service
from tests import factories as make

# Stands in what clients wrote.
WORDS = "kittiwake"

SetClock = Callable[[datetime], None]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """The clock that views read: it stands at `make.NOW` until a test sets it."""

    def set_to(moment: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: moment)

    set_to(make.NOW)
    return set_to


@pytest.fixture
def practice(db: None) -> Practice:
    row = make.practice(name="Elm Street Couples Therapy", neutral_name="Elm Street")
    row.phone = "+1 201 555 0100"
    row.save(update_fields=["phone"])
    return row


@pytest.fixture
def iris(practice: Practice) -> Counselor:
    return make.counselor("iris")


@pytest.fixture
def talk(iris: Counselor) -> Service:
    return make.service(counselors=[iris])


@pytest.fixture
def olive(practice: Practice) -> Member:
    """She runs the practice."""
    return make.admin()


@pytest.fixture
def theo(practice: Practice, talk: Service) -> Counselor:
    """He offers what Iris offers."""
    theo = make.counselor("theo")
    talk.counselors.add(theo)
    return theo


@pytest.fixture
def couple(iris: Counselor, talk: Service) -> Appointment:
    """Ana and Ben come to Iris; Ana has written something to whoever reviews, and to Iris."""
    row = make.appointment(iris, talk, make.ana(), make.ben(), start=make.at(1, "10:00"))
    booker = row.attendances.get(role="booker")
    for audience in ("staff", "counselor"):
        question = Question.objects.create(service=talk, slug=audience, label="What brings you?")
        Answer.objects.create(
            attendance=booker,
            question=question,
            text=f"{WORDS} for {audience}",
            audience=audience,
        )
    return row


@pytest.fixture
def case(couple: Appointment) -> Case:
    """Ana's and Ben's."""
    assert couple.case is not None
    return couple.case
