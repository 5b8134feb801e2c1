"""A practice with one counselor and one service, at one moment."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.utils import timezone

from practice.models import Counselor, Practice, Service
from tests import factories as make

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
