"""Answers and scores as FHIR: of the one who answered, and of nobody else."""

import json
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from intake.rules.answers import Answered
from intake.rules.definition import Definition, parse
from intake.rules.fhir import observation, reading, response
from intake.rules.fhir.reading import Imported
from intake.rules.fhir.response import About
from intake.rules.scoring import score
from tests import factories as make
from tests.intake.fhir import forms

ANA = UUID("6f9b0f4e-0000-4000-8000-000000000001")
ABOUT = About(
    UUID("6f9b0f4e-0000-4000-8000-000000000002"), ANA, datetime(2027, 1, 11, 13, 5, tzinfo=UTC)
)
MOOD = parse(make.MOOD)


def read(node: forms.Node) -> tuple[Imported, Definition]:
    found, faults = reading.read(forms.raw(node))
    assert found, [str(one) for one in faults]
    return found, parse(found.raw)


# --- writing -------------------------------------------------------------------------------------


def test_a_response_names_who_answered_and_nobody_else() -> None:
    told = response.write(MOOD, {"close": Answered("often"), "words": Answered("Yes.")}, ABOUT)
    assert told == {
        "resourceType": "QuestionnaireResponse",
        "id": str(ABOUT.id),
        "questionnaire": "urn:duet:instrument:mood|1.0",
        "status": "completed",
        "subject": {"reference": f"Patient/{ANA}"},
        "authored": "2027-01-11T13:05:00+00:00",
        "author": {"reference": f"Patient/{ANA}"},
        "source": {"reference": f"Patient/{ANA}"},
        "item": [
            {
                "linkId": "close",
                "text": "I feel close.",
                "answer": [
                    {
                        "valueCoding": {
                            "system": "urn:duet:scale:mood:often",
                            "code": "often",
                            "display": "Often",
                            "extension": [{"url": forms.ORDINAL, "valueDecimal": 2}],
                        }
                    }
                ],
            },
            {"linkId": "words", "text": "What else?", "answer": [{"valueString": "Yes."}]},
        ],
    }


def test_what_is_not_sent_yet_says_so() -> None:
    told = response.write(MOOD, {}, About(ABOUT.id, ANA, ABOUT.at, sent=False))
    assert told["status"] == "in-progress"
    assert "item" not in told


def test_a_private_check_carries_its_labels() -> None:
    about = About(ABOUT.id, ANA, ABOUT.at, guarded=True)
    codes = {one["code"] for one in response.write(MOOD, {}, about)["meta"]["security"]}
    assert codes == {"R", "SDV"}
    assert "meta" not in response.write(MOOD, {}, ABOUT)
    assert observation.write(MOOD, {"total": Fraction(1)}, about)[0]["meta"]["security"]


def test_only_what_is_asked_leaves_and_nothing_empty() -> None:
    items = [
        {"id": "first", "kind": "choice", "scale": "often", "text": "?"},
        {
            "id": "then",
            "kind": "text",
            "text": "?",
            "show_when": {"item": "first", "operator": "=", "value": "often"},
        },
        {"id": "blank", "kind": "text", "text": "?"},
    ]
    one = parse({**make.MOOD, "items": items, "subscales": []})
    answers = {
        "first": Answered("never"),
        "then": Answered("a word that was typed before"),
        "blank": Answered(""),
    }
    told = response.write(one, answers, ABOUT)
    assert [item["linkId"] for item in told["item"]] == ["first"]
    assert "typed before" not in json.dumps(told)


def test_answers_stand_where_the_form_has_them() -> None:
    """Nested as the file nests, with its own codings; below a question means in its answer."""
    node = forms.nine("nested")
    below = {"linkId": "why", "type": "string", "text": "Why?"}
    node["item"][0]["item"][0]["item"] = [below]
    found, one = read(node)
    answers = {"/q1": Answered("never"), "why": Answered("So."), "/q9": Answered("every day")}
    told = response.write(one, answers, ABOUT, fhir=found.fhir)
    group = told["item"][0]
    assert [item["linkId"] for item in group["item"]] == ["/q1", "g/2"]
    answer = group["item"][0]["answer"][0]
    assert answer["valueCoding"] == forms.coding("never") | {"extension": forms.weight(0)}
    assert answer["item"][0]["answer"] == [{"valueString": "So."}]
    assert group["item"][1]["item"][0]["linkId"] == "/q9"
    # Without an answer of its own, a question still holds what stands below it.
    del answers["/q1"]
    told = response.write(one, answers, ABOUT, fhir=found.fhir)
    assert told["item"][0]["item"][0]["item"][0]["linkId"] == "why"
    assert response.read(one, told, fhir=found.fhir).answers.keys() == answers.keys()


def test_kinds_of_values() -> None:
    kinds = {
        "integer": ("3", {"valueInteger": 3}),
        "decimal": ("2.50", {"valueDecimal": 2.5}),
        "boolean": (True, {"valueBoolean": True}),
        "consent": (False, {"valueBoolean": False}),
        "date": ("2027-02-03", {"valueDate": "2027-02-03"}),
        "date_time": ("2027-07-03T10:30", {"valueDateTime": "2027-07-03T10:30:00-04:00"}),
        "time": ("10:30", {"valueTime": "10:30:00"}),
        "url": ("http://example.org", {"valueUri": "http://example.org"}),
        "signature": ("Ana", {"valueString": "Ana"}),
    }
    items: list[Any] = [{"id": kind, "kind": kind, "text": "?", "version": "1"} for kind in kinds]
    one = parse({**make.MOOD, "items": items, "subscales": []})
    answers = {kind: Answered(value) for kind, (value, _) in kinds.items()}
    told = response.write(one, answers, ABOUT, zone=ZoneInfo("America/New_York"))
    assert {item["linkId"]: item["answer"] for item in told["item"]} == {
        kind: [value] for kind, (_, value) in kinds.items()
    }


def test_several_answers_and_own_words() -> None:
    several = forms.choice("several", repeats=True)
    free = forms.choice("free") | {"type": "open-choice"}
    found, one = read(forms.form(several, free))
    answers = {"several": Answered(["never", "every day"]), "free": Answered("now and then")}
    told = response.write(one, answers, ABOUT, fhir=found.fhir)
    assert len(told["item"][0]["answer"]) == 2
    assert told["item"][1]["answer"] == [{"valueString": "now and then"}]
    assert response.read(one, told, fhir=found.fhir).answers == answers


# --- reading -------------------------------------------------------------------------------------


def test_a_stated_total_is_never_read() -> None:
    """A published example states 13 where its items sum to 10."""
    found, one = read(forms.nine("flat"))
    given = forms.said(0, 0, 0, 1, 2, 1, 3, 2, 1)
    given["item"].append({"linkId": "/total", "answer": [{"valueDecimal": 13}]})
    answers = response.read(one, given, fhir=found.fhir)
    assert score(one, answers.answers) == {"total": 10}
    assert answers.notes == ("“/total” isn't asked, so what it says isn't taken.",)


@pytest.mark.parametrize(
    ("given", "note"),
    [
        (forms.response({"/q99": forms.coding("never")}), "The form has no item “/q99”."),
        (forms.response({"/q1": forms.coding("often")}), "The answer to “/q1” is none that it"),
        (forms.response({"/q1": 3}, kind="valueInteger"), "The answer to “/q1” is none that it"),
        (forms.response({"/q1": "never"}, kind="valueString"), "The answer to “/q1” is none that"),
        (forms.response({}, questionnaire="http://other.org|1"), "answers another form"),
        (
            forms.response({}, questionnaire="http://example.org/Questionnaire/nine|9"),
            "answers another version: “9”",
        ),
    ],
)
def test_what_does_not_fit_is_left_out_and_noted(given: forms.Node, note: str) -> None:
    found, one = read(forms.nine("flat"))
    answers = response.read(one, given, fhir=found.fhir)
    assert answers.answers == {}
    assert any(note in each for each in answers.notes)


def test_two_answers_to_one_question() -> None:
    found, one = read(forms.nine("flat"))
    given = forms.said(1)
    given["item"] *= 2
    answers = response.read(one, given, fhir=found.fhir)
    assert answers.answers == {"/q1": Answered("some days")}
    assert any("stands there twice" in each for each in answers.notes)
    given = forms.said(1)
    given["item"][0]["answer"] *= 2
    assert response.read(one, given, fhir=found.fhir).answers == {}


def test_an_answer_that_is_not_asked_for_is_not_taken() -> None:
    then = forms.choice(
        "then",
        enableWhen=[
            {"question": "first", "operator": "=", "answerCoding": forms.coding("every day")}
        ],
    )
    found, one = read(forms.form(forms.choice("first"), then))
    never, daily = forms.coding("never"), forms.coding("every day")
    hidden = response.read(one, forms.response({"first": never, "then": never}), fhir=found.fhir)
    assert set(hidden.answers) == {"first"}
    assert any("isn't asked after these answers" in note for note in hidden.notes)
    shown = response.read(one, forms.response({"first": daily, "then": never}), fhir=found.fhir)
    assert set(shown.answers) == {"first", "then"}


def test_systems_count_where_both_name_one() -> None:
    found, one = read(forms.nine("nested"))
    other = forms.response({"/q1": forms.coding("never", "http://other.org")})
    bare = forms.response({"/q1": {"code": "never"}})
    assert response.read(one, other, fhir=found.fhir).answers == {}
    assert response.read(one, bare, fhir=found.fhir).answers == {"/q1": Answered("never")}


def test_anything_else_is_refused_and_odd_shapes_break_nothing() -> None:
    with pytest.raises(ValueError, match="no QuestionnaireResponse"):
        response.read(MOOD, {"resourceType": "Observation"})
    odd: tuple[Any, ...] = (None, 5, "x", {}, [None], [{"linkId": 5}], [{"answer": "x"}])
    for items in odd:
        given = {"resourceType": "QuestionnaireResponse", "item": items}
        assert response.read(MOOD, given).answers == {}
    values: tuple[Any, ...] = (None, 5, [], {}, True, "often")
    for value in values:
        given = forms.response({"close": value, "words": value}, questionnaire="")
        assert response.read(MOOD, given).answers == {}


# --- scores --------------------------------------------------------------------------------------


def test_a_score_is_a_number() -> None:
    (told,) = observation.write(MOOD, {"total": Fraction(3)}, ABOUT)
    assert told["valueInteger"] == 3
    assert told["category"][0]["coding"][0]["code"] == "survey"
    assert told["subject"] == told["performer"][0] == {"reference": f"Patient/{ANA}"}
    assert told["derivedFrom"] == [{"reference": f"QuestionnaireResponse/{ABOUT.id}"}]
    assert told["code"]["text"] == "Total"


def test_a_fraction_is_a_quantity() -> None:
    (told,) = observation.write(MOOD, {"total": Fraction(125, 2)}, ABOUT)
    assert told["valueQuantity"] == {
        "value": 62.5,
        "unit": "{score}",
        "system": "http://unitsofmeasure.org",
        "code": "{score}",
    }


def test_no_score_has_a_reason() -> None:
    (told,) = observation.write(MOOD, {"total": None}, ABOUT)
    assert told["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert not [name for name in told if name.startswith("value")]


def test_several_scores_have_a_panel_and_lasting_ids() -> None:
    second = {**make.MOOD["subscales"][0], "id": "second", "label": "Second"}
    one = parse({**make.MOOD, "subscales": [make.MOOD["subscales"][0], second]})
    scores = {"total": Fraction(1), "second": None}
    panel, *parts = observation.write(one, scores, ABOUT)
    assert [each["reference"] for each in panel["hasMember"]] == [
        f"Observation/{each['id']}" for each in parts
    ]
    assert not [name for name in panel if name.startswith(("value", "dataAbsent"))]
    again = observation.write(one, scores, ABOUT)
    assert [each["id"] for each in again] == [panel["id"], *(each["id"] for each in parts)]
