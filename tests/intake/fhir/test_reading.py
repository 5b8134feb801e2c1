"""Questionnaires from elsewhere: read as they are meant, in every shape that public files have."""

import json
from typing import Any

import pytest

from intake.rules import schema
from intake.rules.definition import Definition, parse
from intake.rules.fhir import reading, response, writing
from intake.rules.fhir.reading import Imported
from intake.rules.scoring import score
from tests.intake.fhir import forms


def read(node: forms.Node) -> Imported:
    found, faults = reading.read(forms.raw(node))
    assert found, [str(one) for one in faults]
    return found


def parsed(node: forms.Node) -> Definition:
    return parse(read(node).raw)


@pytest.mark.parametrize("url", forms.WEIGHTS)
@pytest.mark.parametrize("shape", forms.SHAPES)
def test_every_shape_scores_to_its_items(shape: forms.Shape, url: str) -> None:
    found = read(forms.nine(shape, url=url))
    assert schema.check(found.raw) == []
    definition = parse(found.raw)
    assert [one.id for one in definition.items] == [f"/q{number}" for number in range(1, 11)]
    assert [one.items for one in definition.subscales] == [tuple(f"/q{n}" for n in range(1, 10))]
    given = forms.said(0, 1, 2, 3, 0, 1, 2, 3, 1, shape=shape)
    answers = response.read(definition, given, fhir=found.fhir)
    assert answers.notes == ()
    assert score(definition, answers.answers) == {"total": 13}


@pytest.mark.parametrize("shape", forms.SHAPES)
def test_it_leaves_as_it_came(shape: forms.Shape) -> None:
    node = forms.nine(shape) | {
        "extension": [{"url": "http://example.org/unknown", "valueString": "Jäger"}],
        "text": {"status": "generated", "div": "<div><script>alert(1)</script></div>"},
    }
    node["item"][0]["prefix"] = "1."
    found = read(node)
    left = writing.questionnaire(parse(found.raw), fhir=found.fhir, state="published")
    assert json.dumps(left, sort_keys=True) == json.dumps(node, sort_keys=True)
    assert "script" not in json.dumps(found.raw)


def test_a_byte_order_mark_changes_nothing() -> None:
    node = forms.nine("flat")
    found, _ = reading.read(b"\xef\xbb\xbf" + forms.raw(node))
    assert found
    assert found.raw == read(node).raw


def test_one_code_may_be_another_ones_elsewhere() -> None:
    """A public file has another code, in other words, for one option of one question."""
    node = forms.nine("nested")
    odd = node["item"][0]["item"][1]["answerOption"][2]["valueCoding"]
    odd["code"], odd["display"] = "LA18938-3", "More days than not"
    found = read(node)
    definition = parse(found.raw)
    assert len(definition.subscales[0].items) == 9
    given = forms.said(2, 0, 2, 2, 2, 2, 2, 2, 2, shape="nested")
    given["item"][1]["answer"][0]["valueCoding"] = {"code": "LA18938-3"}
    answers = response.read(definition, given, fhir=found.fhir)
    assert score(definition, answers.answers) == {"total": 18}


@pytest.mark.parametrize("code", ["44249-1", "69737-5"])
def test_no_code_says_what_a_form_is(code: str) -> None:
    """Public files carry each other's codes: nothing hangs on them, least of all a cut point."""
    node = forms.nine("flat") | {"code": [{"system": "http://loinc.org", "code": code}]}
    found = read(node)
    assert found.raw["id"] == "fhir-nine"
    assert "cuts" not in found.raw
    assert found.raw["licence"] == {"basis": "attested"}


@pytest.mark.parametrize("code", ["+own", "~never"])
def test_a_code_that_means_something_else_is_refused(code: str) -> None:
    """A page sends it for words of one's own, or for none: the choice would be lost."""
    free = forms.choice("free") | {"type": "open-choice"}
    coding = free["answerOption"][0]["valueCoding"]
    coding["code"] = code
    node = {**forms.nine("flat"), "item": [free]}
    found, faults = reading.read(forms.raw(node))
    assert found is None
    assert any(code in one.message and coding["display"] in one.message for one in faults)


def test_kinds_of_questions() -> None:
    types = ("integer", "decimal", "boolean", "date", "dateTime", "time", "string", "text", "url")
    items = [{"linkId": one, "type": one, "text": "What?"} for one in types]
    words = {"linkId": "words", "type": "display", "text": "Thank you."}
    several = forms.choice("several", repeats=True)
    free = forms.choice("free") | {"type": "open-choice"}
    kept = [
        {"linkId": one, "type": one, "text": "?"} for one in ("quantity", "reference", "attachment")
    ]
    found = read(forms.form(*items, words, several, free, *kept))
    assert {one["id"]: one["kind"] for one in found.raw["items"]} == {
        "integer": "integer",
        "decimal": "decimal",
        "boolean": "boolean",
        "date": "date",
        "dateTime": "date_time",
        "time": "time",
        "string": "text",
        "text": "long_text",
        "url": "url",
        "words": "display",
        "several": "multi",
        "free": "open_choice",
    }
    assert [note for note in found.notes if "isn't asked" in note] == [
        f"“{one}” isn't asked: of type {one}." for one in ("quantity", "reference", "attachment")
    ]


def test_groups_are_headings_and_their_conditions_hold_inside() -> None:
    first = forms.choice("first")
    inside = {"linkId": "in", "type": "string", "text": "Which?"}
    group = {
        "linkId": "group",
        "type": "group",
        "text": "More of it",
        "enableWhen": [equals("first", "every day")],
        "item": [inside],
    }
    definition = parsed(forms.form(first, group))
    item = definition.item("in")
    assert item
    assert item.show_when
    assert [(one.item, one.operator, one.value) for one in item.show_when.conditions] == [
        ("first", "=", "every day")
    ]
    assert [one.title for one in definition.sections] == ["", "More of it"]
    assert item.section == definition.sections[1].id


def equals(question: str, words: str, operator: str = "=") -> forms.Node:
    return {"question": question, "operator": operator, "answerCoding": forms.coding(words)}


def test_help_stands_with_its_question() -> None:
    control = {"coding": [{"code": "help"}]}
    extension = {
        "url": "http://hl7.org/fhir/StructureDefinition/questionnaire-itemControl",
        "valueCodeableConcept": control,
    }
    words = {"linkId": "h", "type": "display", "text": "Take your time.", "extension": [extension]}
    found = read(forms.form(forms.choice("first", item=[words])))
    assert [(one["id"], one["help"]) for one in found.raw["items"]] == [
        ("first", "Take your time.")
    ]


def test_an_option_that_says_nothing_is_no_answer() -> None:
    silent = {
        "valueCoding": {
            "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
            "code": "asked-declined",
            "display": "I'd rather not say",
        }
    }
    questions = [forms.choice(one) for one in ("a", "b")]
    for one in questions:
        one["answerOption"].append(silent)
    found = read(forms.form(*questions))
    definition = parse(found.raw)
    assert [one.code for one in definition.scales["answers-1"].non_answers] == ["skip"]
    given = forms.response({"a": silent["valueCoding"], "b": forms.coding("every day")})
    answers = response.read(definition, given, fhir=found.fhir).answers
    assert (answers["a"].non, answers["b"].value) == ("skip", "every day")
    assert score(definition, answers) == {"total": None}


@pytest.mark.parametrize(
    "total",
    [
        {"readOnly": True, "text": "Sum"},
        {"type": "quantity"},
        {"type": "integer", "text": "Nine questions: total score"},
        forms.calculated("%a + %b"),
        forms.calculated("alert('x')", "text/javascript") | {"text": "?"},
        forms.calculated("Score.Total", "text/cql") | {"text": "?"},
    ],
)
def test_totals_are_not_asked(total: dict[str, Any]) -> None:
    found = read(forms.nine("flat", total=total))
    assert "/total" not in {one["id"] for one in found.raw["items"]}
    assert any(note.startswith("“/total” isn't asked") for note in found.notes)
    assert len(found.raw["subscales"][0]["items"]) == 9


@pytest.mark.parametrize(
    ("expression", "items"),
    [
        ("%resource.answers().value.ordinal().sum()", 10),
        ("%resource.item.answer.weight().sum()", 10),
        ("%resource.item.where( linkId != '/q10' ).answer.weight().sum()", 9),
        ("%resource.item.where(linkId='/q1' or linkId = '/q2').answer.value.ordinal().sum()", 2),
        ("item.where(linkId in ('/q1' | '/q2' | '/q3')).answer.weight().sum()", 3),
        # Anything else is kept, and the suggestion rests on the answers' likeness.
        ("%resource.item.answer.weight().sum() + 1", 9),
        ("%resource.item.where(linkId='/q1' and true).answer.weight().sum()", 9),
        ("iif(%any, %a, 0)", 9),
    ],
)
def test_plain_sums_are_known_by_their_looks(expression: str, items: int) -> None:
    found = read(forms.nine("flat", total=forms.calculated(expression)))
    assert len(found.raw["subscales"][0]["items"]) == items


def test_a_sum_with_many_signs_takes_no_time() -> None:
    expression = "%resource.item.where(" + "linkId!='a'and" * 600
    found = read(forms.nine("flat", total=forms.calculated(expression)))
    assert len(found.raw["subscales"][0]["items"]) == 9


def test_suggested_scores_come_with_generated_examples() -> None:
    found = read(forms.nine("nested"))
    assert [one["id"] for one in found.raw["test_vectors"]] == [
        "generated-least",
        "generated-most",
        "generated-mixed",
    ]
    assert [one["expected"] for one in found.raw["test_vectors"]] == [
        {"total": 0},
        {"total": 27},
        {"total": 12},
    ]
    assert any("suggestion" in note for note in found.notes)


def test_turned_round_questions_belong_together() -> None:
    turned = forms.choice("turned")
    turned["answerOption"] = [
        {"valueCoding": forms.coding(words), "extension": forms.weight(3 - place)}
        for place, words in enumerate(forms.OFTEN)
    ]
    definition = parsed(forms.form(forms.choice("plain"), turned))
    assert definition.subscales[0].items == ("plain", "turned")


def test_options_without_all_weights_are_not_scored() -> None:
    half = forms.choice("half")
    del half["answerOption"][2]["extension"]
    found = read(forms.form(half, forms.choice("whole")))
    assert "subscales" not in found.raw
    assert any("isn't scored" in note for note in found.notes)


def test_the_first_weight_counts_in_the_order_of_places() -> None:
    one = forms.choice("one")
    for place, option in enumerate(one["answerOption"]):
        option["valueCoding"]["extension"] = forms.weight(9, forms.WEIGHTS[0])
        option["extension"] = forms.weight(7, forms.WEIGHTS[2]) + forms.weight(
            place, forms.WEIGHTS[0]
        )
    found = read(forms.form(one, one | {"linkId": "two"}))
    options = found.raw["scales"]["answers-1"]["options"]
    assert [option["value"] for option in options] == [0, 1, 2, 3]


def test_an_expression_that_decides_what_is_asked_hinders() -> None:
    hidden = {
        "url": forms.BY_EXPRESSION,
        "valueExpression": {"language": "text/cql", "expression": "ShowIt"},
    }
    found = read(forms.form(forms.choice("a"), forms.choice("b", extension=[hidden])))
    assert [one.where for one in found.hindrances] == ["b"]
    assert reading.hindrances(found.fhir) == list(found.hindrances)
    # On a total it hinders nothing: nobody is asked it.
    total = forms.calculated("Score", "text/cql")
    total["extension"].append(hidden)
    assert read(forms.nine("flat", total=total)).hindrances == ()


def test_link_ids_that_no_id_can_be_are_mapped_and_found_again() -> None:
    long, blank = "x" * 200, " /q "
    found = read(forms.form(forms.choice(long), forms.choice(blank), forms.choice("item-1")))
    definition = parse(found.raw)
    assert [one.id for one in definition.items] == ["item-1-", "item-2", "item-1"]
    given = forms.response({name: forms.coding("every day") for name in (long, blank, "item-1")})
    answers = response.read(definition, given, fhir=found.fhir)
    assert set(answers.answers) == {"item-1-", "item-2", "item-1"}


def test_a_file_without_version_and_language_is_told_from_its_next() -> None:
    node = forms.nine("flat")
    del node["version"], node["language"]
    one = read(node)
    node["item"][0]["text"] = "Changed"
    two = read(node)
    assert one.raw["version"] != two.raw["version"]
    assert one.raw["language"] == "en"
    spanish, _ = reading.read(forms.raw(node), language="es")
    assert spanish
    assert spanish.raw["language"] == "es"
