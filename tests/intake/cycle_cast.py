"""Couples who have answered the cycle's questions, as its worked examples have it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from clients.models import Case, Person
from intake.models import Instrument, Intake, Response
from intake.rules import scoring
from intake.rules.answers import Answered, Answers
from intake.rules.cycle import Who, from_vector
from intake.rules.definition import Definition, parse
from tests import factories as make

FILE = Path(__file__).resolve().parents[2] / "intake/content/instruments/cycle-reflection.yaml"


@cache
def raw() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(FILE.read_text())
    return found


@cache
def definition() -> Definition:
    return parse(raw())


@cache
def vector(name: str) -> Mapping[Who, Answers | None]:
    """The answers of one worked example: TV1 and so on."""
    found = next(one for one in definition().vectors if one.id == name)
    a, b = from_vector(definition(), found.answers)
    return {"A": a, "B": b}


def instrument(**changes: Any) -> Instrument:
    """The shipped questions, published; once, or another version of them."""
    version = changes.get("version", raw()["version"])
    found = Instrument.objects.filter(slug=raw()["id"], version=version).first()
    return found or make.instrument(raw(), **changes)


def sent(
    case: Case,
    person: Person,
    answers: Answers | None,
    *,
    number: int = 1,
    now: datetime = make.NOW,
    of: Instrument | None = None,
    short: bool = False,
) -> Response | None:
    """What this person sent in one round; nothing for None."""
    if answers is None:
        return None
    link = Intake.objects.filter(case=case, person=person).first() or make.intake(case, person)
    asked = make.assignment(link, of or instrument(), number=number, short=short, assigned_at=now)
    scores = scoring.score(asked.instrument.parsed, answers, short=short)
    return make.response(
        asked,
        answers,
        scores={name: None if one is None else str(one) for name, one in scores.items()},
        now=now,
    )


def round_of(
    case: Case,
    ana: Person,
    ben: Person,
    name: str = "TV1",
    *,
    number: int = 1,
    day: int = 0,
    of: Instrument | None = None,
    without: str = "",
) -> list[Response | None]:
    """A round as a worked example has it; `without` leaves out A or B."""
    told = vector(name)
    at = make.NOW + timedelta(days=day)
    return [
        sent(case, person, None if who == without else told[who], number=number, now=at, of=of)  # type: ignore[index]
        for who, person in (("A", ana), ("B", ben))
    ]


def agree(case: Case, *persons: Person) -> None:
    """These agree to be shown a summary together."""
    for person in persons:
        make.agreement(case, person)


def answered(values: Mapping[str, str | None]) -> dict[str, Answered]:
    """Single answers by their code; None is "I would rather not say"."""
    return {
        item: Answered(non="skip", revision=1) if one is None else Answered(one, revision=1)
        for item, one in values.items()
    }
