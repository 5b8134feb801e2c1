"""Fills in forms as their person would, page by page, with an answer to whatever is asked."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from clients.models import Case, Person
from clients.rules.actors import Actor
from intake.actions import answering, giving
from intake.models import Assignment, Intake, Response
from intake.queries import taking
from intake.rules import pages
from intake.rules.definition import PRIVATE_CHECK, Definition, Item
from tests import factories as make

# What is asked before a first session.
ALL = (PRIVATE_CHECK, "practice-intake", "cycle-reflection", "phq-9")
WORDS = "Something in my own words."
Answer = str | list[str]
Pick = Callable[[Definition, Item], Answer]

_PLAIN: Mapping[str, Answer] = {
    "boolean": "yes",
    "consent": "yes",
    "text": "A few words",
    "long_text": WORDS,
    "url": "https://kx.example/",
    "date": "1990-05-01",
    "date_time": "2026-05-01T10:00",
    "time": "10:00",
}


def first(definition: Definition, item: Item) -> Answer:
    """The first of the choices, or plain words."""
    scale = definition.scale_of(item)
    if scale is not None:
        code = scale.options[0].code
        return [code] if item.kind == "multi" else code
    if item.kind in {"integer", "decimal"}:
        return str(item.least or 1)
    return _PLAIN[item.kind]


def last(definition: Definition, item: Item) -> Answer:
    """The last of the choices."""
    scale = definition.scale_of(item)
    if scale is None or item.stop_unless:
        return item.stop_unless or first(definition, item)
    code = scale.options[-1].code
    return [code] if item.kind == "multi" else code


def nothing(definition: Definition, item: Item) -> Answer:
    """ "I'd rather not say" wherever that is offered, and nothing where nothing is needed."""
    scale = definition.scale_of(item)
    said = next((one for one in scale.non_answers if one.fits(item)), None) if scale else None
    if said is not None:
        return f"~{said.code}"
    if item.required:
        return item.stop_unless or first(definition, item)
    return [] if item.kind == "multi" else ""


def but(pick: Pick, **others: Answer) -> Pick:
    """As `pick`, with other answers to some questions."""
    return lambda definition, item: others.get(item.id) or pick(definition, item)


def give(case: Case, person: Person, *slugs: str, now: datetime = make.NOW, **more: Any) -> Intake:
    """Give somebody these forms by hand; all of `ALL` unless some are named."""
    return giving.give(
        case=case,
        person=person,
        slugs=slugs or ALL,
        origin=Assignment.Origin.HAND,
        due_at=None,
        expires_at=None,
        policy="limited",
        by=make.SYSTEM,
        now=now,
        **more,
    )


def assignment(intake: Intake, slug: str) -> Assignment:
    """The last form of this kind behind a link, with its person."""
    found = Assignment.objects.filter(intake=intake, slug=slug).select_related(
        "instrument", "intake__person__key", "intake__case"
    )
    return found.order_by("-number")[0]


def page_of(given: Assignment, item: str) -> int:
    """The number of the page that asks for this, before anything is answered."""
    found = pages.pages(given.instrument.parsed, {}, short=given.short)
    return next(one.number for one in found if item in {each.id for each in one.questions})


def accept(intake: Intake, *, now: datetime = make.NOW) -> None:
    """Accept how what is said alone is kept."""
    answering.accept_policy(
        intake=intake,
        kind=taking.policy_of(intake),
        words="How we keep it.",
        language="en",
        by=Actor.of_person(intake.person_id),
        now=now,
    )


def save(
    given: Assignment, pick: Pick = first, *, upto: int = 10**6, now: datetime = make.NOW
) -> None:
    """Answer the pages one after the other, as far as that one."""
    by = Actor.of_person(given.intake.person_id)
    accept(given.intake, now=now)
    definition, number, revision = given.instrument.parsed, 0, 0
    while True:
        stored = taking.answers_of(Response.objects.filter(assignment=given).first())
        page = pages.after(pages.pages(definition, stored, short=given.short), number)
        if page is None or page.number > upto:
            return
        values = {one.id: pick(definition, one) for one in page.questions}
        saved = answering.save(assignment=given, values=values, revision=revision, by=by, now=now)
        assert not saved.conflicts
        number, revision = page.number, saved.revision


def send(
    given: Assignment, pick: Pick = first, *, name: str = "A. Name", now: datetime = make.NOW
) -> Response:
    """Answer all of it, and send it."""
    save(given, pick, now=now)
    signed = name if pages.to_sign(given.instrument.parsed) else ""
    by = Actor.of_person(given.intake.person_id)
    return answering.send(
        assignment=assignment(given.intake, given.slug), signed_name=signed, by=by, now=now
    )
