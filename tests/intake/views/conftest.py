"""A practice whose forms are published, and a couple who were given them."""

import pytest

from clients.models import Case, Person
from intake.actions import instruments
from intake.models import Intake
from practice.models import Counselor
from tests import factories as make
from tests.intake import filling
from tests.intake.views.browser import Browser
from tests.practice.views.conftest import clock, iris, practice

__all__ = ["clock", "iris", "practice"]


@pytest.fixture
def shipped(db: None) -> None:
    """What comes with the software, as a practice finds it."""
    instruments.load_shipped(by=make.SYSTEM, now=make.NOW)


@pytest.fixture
def ana(db: None) -> Person:
    return make.ana()


@pytest.fixture
def ben(db: None) -> Person:
    return make.ben()


@pytest.fixture
def case(iris: Counselor, ana: Person, ben: Person) -> Case:
    return make.case(ana, ben, counselor=iris)


@pytest.fixture
def mine(shipped: None, case: Case, ana: Person) -> Intake:
    """Ana's: everything that comes before a first session."""
    return filling.give(case, ana)


@pytest.fixture
def phone() -> Browser:
    return Browser()
