"""Definitions of ours as Questionnaires: what is asked when, and what each answer is worth."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from intake.queries.instruments import shipped_files
from intake.rules import schema
from intake.rules.answers import Answered
from intake.rules.conditions import asked, given
from intake.rules.definition import Definition, parse
from intake.rules.fhir import reading, response, writing
from intake.rules.scoring import score
from tests import factories as make
from tests.intake.fhir import forms
from tests.intake.fhir.test_response import ABOUT


def shipped(path: Path) -> Definition:
    raw, faults = schema.read(path.read_bytes())
    assert raw is not None
    assert faults == []
    return parse(raw)


def items(node: forms.Node) -> list[forms.Node]:
    found = []
    for one in node.get("item", ()):
        found += [one, *items(one)]
    return found


def definition(*items: forms.Node, **more: Any) -> Definition:
    own = {"licence": {"basis": "own"}, "subscales": []}
    raw = {**make.MOOD, **own, "items": list(items), **more}
    assert schema.check(raw) == []
    return parse(raw)


def mood(item_id: str, **more: Any) -> forms.Node:
    return {"id": item_id, "kind": "choice", "scale": "often", "text": "?", **more}


FILES = shipped_files()


@pytest.mark.parametrize("path", FILES, ids=[one.stem for one in FILES])
def test_every_shipped_instrument_leaves_and_is_read_again(path: Path) -> None:
    one = shipped(path)
    form = writing.questionnaire(one, state="published")
    link_ids = Counter(each["linkId"] for each in items(form))
    assert set(link_ids.values()) == {1}
    assert {each.id for each in one.items} <= link_ids.keys()
    assert form["version"] == one.version
    assert form["url"] == f"urn:duet:instrument:{one.id}"
    assert one.notice in form.get("copyright", "")
    found, faults = reading.read(forms.raw(form))
    assert found, [str(fault) for fault in faults]
    # The same answers ask the same of both.
    other = parse(found.raw)
    answers = some_answers(one)
    shown = {each.id for each in asked(one, answers)}
    assert shown == {each.id for each in asked(other, answers)} & {each.id for each in one.items}


@pytest.mark.parametrize("path", FILES, ids=[one.stem for one in FILES])
def test_answers_leave_and_come_back(path: Path) -> None:
    one = shipped(path)
    answers = some_answers(one)
    left = response.write(one, answers, ABOUT)
    back = response.read(one, left)
    assert back.notes == ()
    assert {key: (each.value, each.non) for key, each in back.answers.items()} == {
        key: (each.value, each.non) for key, each in given(one, answers).items()
    }


def some_answers(one: Definition) -> dict[str, Answered]:
    """Something for each item: options in turn, now and then nothing said."""
    found = {}
    for place, item in enumerate(one.items):
        scale = one.scale_of(item)
        if scale is None:
            value = {"boolean": True, "consent": True, "integer": "3", "decimal": "2.5"}
            moments = {"date": "1990-02-03", "date_time": "2027-02-03T10:30", "time": "10:30"}
            words: Any = {**value, **moments}.get(item.kind, "Words")
            found[item.id] = Answered(words)
        elif item.stop_unless:
            found[item.id] = Answered(item.stop_unless)
        elif place % 5 == 0 and (silent := [s for s in scale.non_answers if s.fits(item)]):
            found[item.id] = Answered(non=silent[0].code)
        else:
            code = scale.options[place % len(scale.options)].code
            found[item.id] = Answered([code] if item.kind == "multi" else code)
    return {key: each for key, each in found.items() if one.item(key).kind != "display"}  # type: ignore[union-attr]


def test_a_weight_is_what_the_answer_counts() -> None:
    """Turned round where the item is: whoever adds them up gets our score."""
    one = definition(mood("plain"), mood("turned", reverse=True))
    told = {
        each["linkId"]: [
            [extension["valueDecimal"] for extension in option.get("extension", ())]
            for option in each["answerOption"]
        ]
        for each in items(writing.questionnaire(one))
    }
    assert told == {"plain": [[0], [2], []], "turned": [[2], [0], []]}


def test_what_says_nothing_is_offered_last_and_without_a_weight() -> None:
    form = writing.questionnaire(definition(mood("plain")))
    assert items(form)[0]["answerOption"][-1] == {
        "valueCoding": {
            "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
            "code": "asked-declined",
            "display": "I would rather not say",
        }
    }


OFTEN = {"system": "urn:duet:scale:mood:often", "code": "often", "display": "Often"}
NEVER = {"system": "urn:duet:scale:mood:often", "code": "never", "display": "Never"}
SILENT = {
    "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
    "code": "asked-declined",
    "display": "I would rather not say",
}


def compared(operator: str, coding: forms.Node) -> forms.Node:
    return {"question": "first", "operator": operator, "answerCoding": coding}


def exists(wanted: bool) -> forms.Node:
    return {"question": "first", "operator": "exists", "answerBoolean": wanted}


@pytest.mark.parametrize(
    ("condition", "conditions"),
    [
        ({"operator": "=", "value": "often"}, [compared("=", OFTEN)]),
        ({"operator": "=", "value": "skip"}, [compared("=", SILENT)]),
        ({"operator": "!=", "value": "often"}, [compared("!=", OFTEN)]),
        ({"operator": ">=", "value": 1}, [compared("=", OFTEN)]),
        ({"operator": ">=", "value": 0}, [compared("=", NEVER), compared("=", OFTEN)]),
        (
            {"operator": "in", "value": ["often", "skip"]},
            [compared("=", OFTEN), compared("=", SILENT)],
        ),
        ({"operator": "exists", "value": True}, [exists(True)]),
        ({"operator": "exists", "value": False}, [exists(False)]),
        (
            {"operator": ">", "value": 5},
            [compared("=", {"system": "urn:duet:scale", "code": "never"})],
        ),
    ],
)
def test_conditions_name_each_answer_that_fits(
    condition: forms.Node, conditions: list[forms.Node]
) -> None:
    one = definition(mood("first"), mood("then", show_when={"item": "first", **condition}))
    made = items(writing.questionnaire(one))[1]
    assert made["enableWhen"] == conditions
    assert made.get("enableBehavior") == ("any" if len(conditions) > 1 else None)


def test_any_inside_of_all_takes_a_group_around_it() -> None:
    both = [
        {"item": "first", "operator": ">=", "value": 0},
        {"item": "second", "operator": "=", "value": "often"},
    ]
    one = definition(mood("first"), mood("second"), mood("then", show_when={"all": both}))
    group = writing.questionnaire(one)["item"][2]
    assert (group["type"], group["enableBehavior"]) == ("group", "any")
    assert [each["question"] for each in group["enableWhen"]] == ["first", "first"]
    assert [each["question"] for each in group["item"][0]["enableWhen"]] == ["second"]


def test_behind_an_answer_that_stops_everything_hangs_on_it() -> None:
    one = definition(mood("alone", stop_unless="often"), mood("then"), mood("last"))
    told = items(writing.questionnaire(one))
    assert "enableWhen" not in told[0]
    assert [each["enableWhen"][0]["answerCoding"] for each in told[1:]] == [OFTEN, OFTEN]


def test_a_private_check_that_was_stopped_asks_the_same_elsewhere() -> None:
    path = next(one for one in FILES if one.stem == "private-check")
    one = shipped(path)
    other = parse(reading.read(forms.raw(writing.questionnaire(one)))[0].raw)  # type: ignore[union-attr]
    stop = next(each for each in one.items if each.stop_unless)
    for code in [each.code for each in one.scales[stop.scale].options]:
        answers = {stop.id: Answered(code)}
        ours = [each.id for each in asked(one, answers)]
        theirs = [each.id for each in asked(other, answers) if one.item(each.id)]
        assert ours == theirs, code


def test_a_score_is_the_same_after_the_way_there_and_back() -> None:
    path = next(one for one in FILES if one.stem == "phq-9")
    one = shipped(path)
    found, _ = reading.read(forms.raw(writing.questionnaire(one)))
    assert found
    answers = {
        each.id: Answered(one.scales[each.scale].options[place % 4].code)
        for place, each in enumerate(one.items)
        if each.scale
    }
    left = response.write(one, answers, ABOUT)
    other = parse(found.raw)
    back = response.read(other, left, fhir=found.fhir)
    assert list(score(other, back.answers).values()) == list(score(one, answers).values())


def test_nothing_of_a_narrative_is_written() -> None:
    for path in FILES:
        assert '"div"' not in json.dumps(writing.questionnaire(shipped(path)))
