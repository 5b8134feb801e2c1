"""An answer stays with its version, and what is empty or unsigned is never complete (law 12)."""

import pytest
from django.db import IntegrityError, transaction

from clients.rules.actors import Actor
from intake.actions import answering
from intake.actions.answering import Incomplete
from intake.models import Assignment, Instrument, Response
from intake.queries import taking
from intake.rules import signing
from intake.rules.definition import PRIVATE_CHECK
from tests import factories as make
from tests.factories import MOOD, NOW
from tests.intake import filling

pytestmark = pytest.mark.django_db

SIGNED = {
    **MOOD,
    "id": "consents",
    "items": [
        {"id": "say", "kind": "text", "text": "What shall we call you?", "page": "one"},
        {"id": "agree", "kind": "consent", "text": "I agree.", "version": "3", "required": True},
    ],
    "subscales": [],
}


def _second_version() -> Instrument:
    """The same with one question more, other words and other weights; the first one is retired."""
    Instrument.objects.filter(slug="mood", state="published").update(
        state=Instrument.State.RETIRED, retired_at=NOW
    )
    items = [
        {"id": "new", "kind": "text", "text": "Something new?", "required": True},
        *({**one, "text": f"Anew: {one['text']}"} for one in MOOD["items"]),
    ]
    return make.instrument(version="2.0", items=items)


def _ben() -> Assignment:
    case = make.case(make.ana(), make.ben())
    assert case.couple is not None
    ben = case.couple.members.get(voice=1).person
    return filling.assignment(filling.give(case, ben, "mood"), "mood")


def test_a_second_version_changes_nothing_for_who_holds_the_first() -> None:
    first = make.instrument()
    given = _ben()
    filling.save(given, upto=1)
    before = Response.objects.get()
    hashed = bytes(first.content_hash)

    second = _second_version()
    again = filling.assignment(given.intake, "mood")
    assert again.instrument == first
    assert [one.id for one in again.instrument.parsed.items] == ["close", "calm", "words"]
    assert Response.objects.get().answers == before.answers

    sent = filling.send(again)
    assert sent.assignment.instrument == first
    assert set(taking.answers_of(sent)) == {"close", "calm", "words"}
    assert sent.content_hash == signing.content_hash(hashed, sent.answers)
    # Whoever is asked from now on is asked the second.
    asked = filling.assignment(filling.give(given.intake.case, given.intake.person, "mood"), "mood")
    assert asked.instrument == second
    assert asked.number == 2
    with pytest.raises(Incomplete):
        answering.send(assignment=asked, by=Actor.of_person(asked.intake.person_id), now=NOW)


def test_what_is_published_is_never_edited_under_its_holder() -> None:
    make.instrument()
    given = _ben()
    with pytest.raises(IntegrityError, match="stays as it is"), transaction.atomic():
        Instrument.objects.filter(pk=given.instrument_id).update(definition={})


def test_an_empty_form_is_not_complete() -> None:
    make.instrument()
    given = _ben()
    filling.accept(given.intake)
    by = Actor.of_person(given.intake.person_id)
    with pytest.raises(Incomplete) as refused:
        answering.send(assignment=given, by=by, now=NOW)
    assert refused.value.empty
    # Gone through without a word is as empty.
    values = {"close": "", "calm": "", "words": " "}
    answering.save(assignment=given, values=values, revision=0, by=by, now=NOW)
    with pytest.raises(Incomplete):
        answering.send(assignment=given, by=by, now=NOW)
    given.refresh_from_db()
    assert given.state == Assignment.State.OPEN
    assert not Response.objects.sent().exists()


@pytest.mark.parametrize("name", ["", " \t\n"])
def test_an_unsigned_form_is_not_complete(name: str) -> None:
    make.instrument(SIGNED)
    case = make.case(make.ana())
    assert case.person is not None
    given = filling.assignment(filling.give(case, case.person, "consents"), "consents")
    filling.save(given)
    by = Actor.of_person(case.person.pk)
    with pytest.raises(Incomplete) as refused:
        answering.send(assignment=given, signed_name=name, by=by, now=NOW)
    assert refused.value.unsigned
    assert not Response.objects.sent().exists()


def test_a_consent_that_is_not_given_is_not_complete() -> None:
    make.instrument(SIGNED)
    case = make.case(make.ana())
    assert case.person is not None
    given = filling.assignment(filling.give(case, case.person, "consents"), "consents")
    filling.accept(given.intake)
    by = Actor.of_person(case.person.pk)
    answering.save(assignment=given, values={"say": "Ana"}, revision=0, by=by, now=NOW)
    with pytest.raises(Incomplete) as refused:
        answering.send(assignment=given, signed_name="Ana Alder", by=by, now=NOW)
    assert [item for _, item in refused.value.missing] == ["agree"]


def test_nothing_is_asked_before_the_private_check_is_sent() -> None:
    assert PRIVATE_CHECK == "private-check"
    make.instrument()
    make.instrument(id=PRIVATE_CHECK)
    case = make.case(make.ana())
    assert case.person is not None
    intake = filling.give(case, case.person, "mood", PRIVATE_CHECK)
    with pytest.raises(answering.CheckFirst):
        filling.save(filling.assignment(intake, "mood"))
    filling.send(filling.assignment(intake, PRIVATE_CHECK))
    filling.send(filling.assignment(intake, "mood"))
    guarded = dict(Response.objects.values_list("assignment__slug", "guarded"))
    assert guarded == {"mood": False, PRIVATE_CHECK: True}
