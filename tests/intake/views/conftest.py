"""A practice whose forms are published, and a couple who were given them."""

from collections.abc import Mapping
from typing import Any

import pytest

from clients.models import Case, Person
from intake.models import Intake
from intake.queries import instruments
from intake.rules import schema
from practice.models import Counselor
from tests import factories as make
from tests.intake import filling
from tests.intake.views.browser import Browser
from tests.practice.views.conftest import clock, iris, practice

__all__ = ["clock", "iris", "practice"]


@pytest.fixture(scope="session")
def files() -> list[Mapping[str, Any]]:
    """What of the software's own is given before a first session."""
    read = (schema.read(path.read_bytes()) for path in instruments.shipped_files())
    return [raw for raw, _faults in read if raw and raw["id"] in filling.ALL]


@pytest.fixture
def shipped(db: None, files: list[Mapping[str, Any]]) -> None:
    """The same as a practice finds it, with a small one of the tests' own."""
    for raw in (*files, make.MOOD):
        make.instrument(raw)


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
    """Ana's: everything that comes before a first session, and the small one."""
    return filling.give(case, ana, *filling.ALL, "mood")


@pytest.fixture
def phone() -> Browser:
    return Browser()
