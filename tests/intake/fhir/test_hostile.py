"""Files that aren't taken, each with a sentence that says where and why."""

import json
from typing import Any

import pytest

from intake.rules.fhir import document, reading
from tests.intake.fhir import forms


def refusals(content: bytes) -> list[str]:
    found, faults = reading.read(content)
    assert found is None
    assert faults
    return [str(one) for one in faults]


def refused(node: Any) -> str:
    return "\n".join(refusals(forms.raw(node)))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "line 1, column 1: This isn't JSON"),
        (b'{"resourceType": "Questionnaire"\n "item": []}', "line 2, column 2: This isn't JSON"),
        (b"<Questionnaire/>", "This is XML"),
        (b"[]", "one JSON object"),
        (b'{"a": "\xff"}', "isn't UTF-8"),
        ("{}".encode("utf-16"), "isn't UTF-8"),
        (b'{"a": NaN}', "aren't numbers"),
        (b'{"a": -Infinity}', "aren't numbers"),
        (b'{"a": 1e999}', "can't be kept exactly"),
        (b'{"a": ' + b"9" * 50_000 + b"}", "can't be kept exactly"),
        (b'{"a": 0.12345678901234567890123}', "can't be kept exactly"),
        (b'{"a": "\\u0000"}', "can't be stored"),
        (b'{"a": "\\ud800"}', "can't be stored"),
        (b'{"\\u0000": 1}', "can't be stored"),
        (b'{"item": [], "item": []}', "stands twice in one object"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "nested deeper"),
        (b" " * (document.LARGEST + 1), "longer than 1 MB"),
    ],
)
def test_what_is_no_json_of_ours(content: bytes, sentence: str) -> None:
    assert any(sentence in one for one in refusals(content))


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        ({"resourceType": "Observation"}, "no Questionnaire: “Observation”"),
        ({}, "no Questionnaire: “”"),
        ({"resourceType": ["Questionnaire"]}, "no Questionnaire"),
        ({"resourceType": "Questionnaire"}, "asks nothing"),
        ({"resourceType": "Questionnaire", "item": {"linkId": "a"}}, "“item” isn't of the type"),
        ({"resourceType": "Questionnaire", "item": ["a", 1, None]}, "“item” isn't of the type"),
        (
            {"resourceType": "Questionnaire", "group": {"question": [{"linkId": "a"}]}},
            "FHIR DSTU2",
        ),
        (
            forms.form({"linkId": "a", "type": "choice", "option": [{"valueString": "x"}]}),
            "FHIR STU3",
        ),
        (
            forms.form({"linkId": "a", "type": "choice", "options": {"reference": "#v"}}),
            "FHIR STU3",
        ),
        (forms.form(forms.choice("a", enableWhen={"question": "b"})), "“enableWhen” isn't of"),
        (forms.form(forms.choice("a", repeats="true")), "“repeats” isn't of the type"),
        (forms.form({"linkId": "a", "type": "coding", "text": "?"}), "FHIR R5"),
        (forms.form({"linkId": "a", "type": "question", "text": "?"}), "no such type: “question”"),
        (forms.form({"linkId": "a", "text": "?"}), "no such type"),
        (forms.form({"linkId": 5, "type": "string"}), "needs a linkId"),
        (forms.form({"type": "string", "text": "?"}), "needs a linkId"),
        (forms.form({"linkId": " ", "type": "string", "text": "?"}), "needs a linkId"),
        (forms.form(forms.choice("a"), implicitRules="http://x.org"), "can't be followed"),
        (forms.form(forms.choice("a", answerOption=[])), "no answers to choose from"),
        (
            forms.form(forms.choice("a", answerOption=[{"valueReference": {}}])),
            "can't be offered",
        ),
        (forms.form(forms.choice("a", answerOption=[{"valueCoding": {}}])), "can't be offered"),
        (
            forms.form(forms.choice("a", answerOption=[{"valueCoding": {"system": "x"}}])),
            "neither a text nor a code",
        ),
        (
            forms.form(forms.choice("a", answerOption=[{"valueString": "x"}] * 2)),
            "stands there twice",
        ),
    ],
)
def test_what_is_no_form_of_r4(node: Any, sentence: str) -> None:
    assert sentence in refused(node)


def test_a_link_id_that_stands_twice_is_named_with_its_line() -> None:
    node = forms.form(forms.choice("a"), forms.choice("b"), forms.choice("a"))
    content = forms.raw(node)
    line = [
        number
        for number, text in enumerate(content.decode().splitlines(), start=1)
        if '"linkId": "a"' in text
    ][1]
    assert refusals(content) == [f"line {line}: a: This linkId stands there twice."]


@pytest.mark.parametrize("where", ["form", "item", "option", "contained"])
def test_a_modifier_extension_is_never_passed_over(where: str) -> None:
    node = forms.nine("contained")
    extra = {"modifierExtension": [{"url": "http://example.org/not", "valueBoolean": True}]}
    places = {
        "form": node,
        "item": node["item"][3],
        "option": node["item"][9]["answerOption"][0],
        "contained": node["contained"][0],
    }
    places[where].update(extra)
    assert "modifierExtension changes what it means" in refused(node)
    assert "http://example.org/not" in refused(node)


@pytest.mark.parametrize(
    "address",
    ["http://loinc.org/vs/LL358-3", "#nothing", "http://127.0.0.1:9/ValueSet/x", "file:///etc"],
)
def test_answers_that_are_elsewhere_are_asked_for_and_not_fetched(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("Something was opened.")

    monkeypatch.setattr("socket.socket.connect", opened)
    monkeypatch.setattr("builtins.open", opened)
    node = forms.form({"linkId": "a", "type": "choice", "text": "?", "answerValueSet": address})
    sentence = refused(node)
    assert f"“{address}”, which isn't in the file, and nothing is fetched" in sentence


@pytest.mark.parametrize(
    "compose",
    [
        {"include": [{"system": "http://loinc.org", "filter": [{"property": "parent"}]}]},
        {"include": [{"system": "http://loinc.org"}]},
        {"include": [{"valueSet": ["http://example.org/other"]}]},
        {"include": [{"concept": [{"code": "a"}]}], "exclude": [{"system": "b"}]},
        {},
        "everything",
    ],
)
def test_a_value_set_that_only_describes_its_answers_is_refused(compose: Any) -> None:
    node = forms.nine("contained")
    node["contained"][0]["compose"] = compose
    assert "describes its answers and doesn't list them" in refused(node)


def test_an_expansion_lists_them() -> None:
    node = forms.nine("contained")
    concepts = node["contained"][0]["compose"]["include"][0]["concept"]
    node["contained"][0] |= {"compose": {}, "expansion": {"contains": concepts}}
    found, faults = reading.read(forms.raw(node))
    assert (bool(found), faults) == (True, [])


def deep(levels: int) -> forms.Node:
    node = forms.choice("leaf")
    for level in range(levels - 1):
        node = {"linkId": f"g{level}", "type": "group", "item": [node]}
    return forms.form(node)


def test_bounds() -> None:
    assert reading.read(forms.raw(deep(8)))[0]
    assert "deeper than 8 levels" in refused(deep(9))
    many = [{"linkId": str(number), "type": "string", "text": "?"} for number in range(501)]
    assert reading.read(forms.raw(forms.form(*many[:500])))[0]
    assert "more than 500 items" in refused(forms.form(*many))


# --- conditions ----------------------------------------------------------------------------------


def asked_when(*conditions: forms.Node, first: Any = None, **more: Any) -> forms.Node:
    first = first or forms.choice("first")
    return forms.form(first, forms.choice("then", enableWhen=list(conditions), **more))


def when(operator: str = "=", question: str = "first", **answer: Any) -> forms.Node:
    return {"question": question, "operator": operator, **answer}


CODING: forms.Node = {"answerCoding": forms.coding("never")}
NUMBER = {"linkId": "first", "type": "integer", "text": "?"}
WORDS = {"linkId": "first", "type": "string", "text": "?"}


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (asked_when(when(question="other", **CODING)), "doesn't stand before it"),
        (asked_when(when(question="then", **CODING)), "doesn't stand before it"),
        (asked_when(when("~", **CODING)), "no operator that FHIR knows"),
        (asked_when(when()), "compare with one answer"),
        (asked_when(when(**CODING, answerString="x")), "compare with one answer"),
        (asked_when(when("exists", answerString="yes")), "true or false"),
        # Seen in a file of the standard's own: nobody knows which option a bare text means.
        (asked_when(when(answerString="never")), "with answerString"),
        (asked_when(when(answerInteger=1)), "with answerInteger"),
        (asked_when(when(">", **CODING)), "in order that are only chosen"),
        (asked_when(when(answerCoding=forms.coding("often"))), "doesn't offer once"),
        (asked_when(when(answerString="1"), first=NUMBER), "of type integer, with answerString"),
        (asked_when(when(answerInteger="1"), first=NUMBER), "of type integer"),
        (asked_when(when(answerInteger=True), first=NUMBER), "of type integer"),
        (asked_when(when(">", answerString="b"), first=WORDS), "of type string in order"),
        (asked_when(when(**CODING), when("!=", **CODING)), "all or any"),
        (asked_when(when(**CODING), when(**CODING), enableBehavior="some"), "all or any"),
    ],
)
def test_conditions_that_are_not_in_order(node: forms.Node, sentence: str) -> None:
    assert sentence in refused(node)


def test_any_inside_of_all_is_refused_and_not_simplified() -> None:
    several = [when(**CODING), when(answerCoding=forms.coding("every day"))]
    inner = forms.choice("then", enableWhen=several, enableBehavior="any")
    group = {
        "linkId": "g",
        "type": "group",
        "enableWhen": [when("exists", answerBoolean=True)],
        "item": [inner],
    }
    assert "any of all" in refused(forms.form(forms.choice("first"), group))


def test_a_condition_on_what_nobody_is_asked_is_refused() -> None:
    node = forms.nine("flat")
    last = forms.choice("last", enableWhen=[when(">", "/total", answerDecimal=9)])
    node["item"].append(last)
    assert "which nobody is asked" in refused(node)


def test_random_damage_is_refused_or_read_and_never_breaks() -> None:
    """Each value of a file in turn is put out of its type."""
    whole = forms.nine("contained", total=forms.calculated("%resource.item.answer.weight().sum()"))
    whole["item"][1]["enableWhen"] = [when(question="/q1", **CODING)]
    paths = list(_paths(whole))
    assert len(paths) > 70
    damages: tuple[Any, ...] = (None, 5, "x", [], {}, [[]], True)
    for path in paths:
        for damage in damages:
            node = json.loads(json.dumps(whole))
            inside = node
            for step in path[:-1]:
                inside = inside[step]
            inside[path[-1]] = damage
            found, faults = reading.read(forms.raw(node))
            assert (found is None) == bool(faults), path


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Any:
    steps = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in steps:
        yield (*path, step)
        # One question is like the next.
        if isinstance(inner, dict | list) and not (path == ("item",) and step > 1):
            yield from _paths(inner, (*path, step))
