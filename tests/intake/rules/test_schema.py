"""What is wrong with a definition: each fault with its line, its place and a sentence."""

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.rules import schema, soundness
from intake.rules.definition import parse
from tests.intake.rules import shipped
from tests.intake.rules.small import RAW, raw

SUBSCALE = RAW["subscales"][0]
CUT = {
    "subscale": "total",
    "operator": ">=",
    "value": 10,
    "label_staff": "Look",
    "citation": "Somebody 2027",
}
FLAG = {"item": "q1", "operator": ">", "value": 0, "severity": "urgent", "kind": "now"}
ON_ONE = {"item": "q1", "operator": "exists"}
CHANGE = {"subscale": "total", "rci": 5, "citation": "Somebody 2027"}


def found(changed: dict[str, Any]) -> list[tuple[str, str]]:
    """Where something is wrong and what, as a file; and the same without one, but for the lines."""
    faults = schema.faults(json.dumps(changed, indent=1))
    assert all(one.line > 0 for one in faults)
    told = [(one.where, one.message) for one in faults]
    assert sorted(told) == sorted((one.where, one.message) for one in schema.check(changed))
    return told


def with_item(place: int, **fields: Any) -> dict[str, Any]:
    items = copy.deepcopy(RAW["items"])
    items[place] |= fields
    items[place] = {name: value for name, value in items[place].items() if value != "-"}
    return raw(items=items)


def with_subscale(**fields: Any) -> dict[str, Any]:
    return raw(subscales=[{**SUBSCALE, **fields}])


def with_option(**fields: Any) -> dict[str, Any]:
    scales = copy.deepcopy(RAW["scales"])
    scales["five"]["options"][1] = fields
    return raw(scales=scales)


def test_the_small_one_is_in_order() -> None:
    assert found(raw()) == []


def test_a_draft_without_words_is_in_order() -> None:
    changed = with_item(0, text=None)
    assert found(changed) == []
    assert parse(changed).wordless() == ["items.q1"]


FORM = [
    pytest.param(raw(title=None), "", "'title' is missing.", id="missing"),
    pytest.param(raw(titel="x"), "titel", "No entry has this name. Is 'title' meant?", id="name"),
    pytest.param(raw(version=1.0), "version", "a text: put it in quotes.", id="type"),
    pytest.param(raw(id="Not A Slug"), "id", "small letters, digits", id="slug"),
    pytest.param(raw(visibility="all"), "visibility", "one of counselor, person", id="word"),
    pytest.param(raw(title=""), "title", "must not be empty", id="empty"),
    pytest.param(raw(title="x" * 201), "title", "longer than 200", id="long"),
    pytest.param(raw(items=[]), "items", "needs at least 1", id="no-items"),
    pytest.param(raw(minutes=-1), "minutes", "at least 0", id="negative"),
    pytest.param(raw(minutes=True), "minutes", "must be a whole number", id="truth"),
    pytest.param(raw(licence={}), "licence", "'basis' is missing.", id="no-basis"),
    pytest.param(raw(scales={"five": 1}), "scales.five", "must be a mapping", id="scale"),
    pytest.param(with_option(label="x"), "scales.five.options.1", "a code or a value", id="code"),
    pytest.param(
        with_option(value="one", label="x"),
        "scales.five.options.1.value",
        "must be a number or null.",
        id="value-no-number",
    ),
    pytest.param(with_item(0, kind="slider"), "items.q1.kind", "must be one of", id="kind"),
    pytest.param(with_item(0, text="-"), "items.q1", "'text' is missing.", id="no-text"),
    pytest.param(
        with_item(1, show_when={"item": "q1", "value": 1}),
        "items.q2.show_when",
        "operator is missing",
        id="no-operator",
    ),
    pytest.param(
        with_item(1, show_when={"item": "q1", "operator": "~", "value": 1}),
        "items.q2.show_when.operator",
        "must be one of",
        id="unknown-operator",
    ),
    pytest.param(
        with_item(1, show_when={"value": 1}),
        "items.q2.show_when",
        "one condition, or a list",
        id="no-condition",
    ),
    pytest.param(
        with_item(1, show_when={"item": "q1", "operator": "exists", "any": [ON_ONE]}),
        "items.q2.show_when",
        "one condition, or a list",
        id="two-kinds-of-condition",
    ),
    pytest.param(with_subscale(method="max"), "subscales.total.method", "one of", id="method"),
    pytest.param(with_subscale(min_valid=0), "subscales.total.min_valid", "at least 1", id="min"),
    pytest.param(
        with_subscale(items=["q1", "q1"]), "subscales.total.items", "in it twice", id="same-item"
    ),
    pytest.param(
        raw(cuts=[{**CUT, "citation": ""}]),
        "cuts.0.citation",
        "must not be empty",
        id="cut-without-citation",
    ),
    pytest.param(
        raw(change=[{**CHANGE, "reliability": 1}]),
        "change.0.reliability",
        "must be less than 1",
        id="reliability",
    ),
    pytest.param(
        raw(staff_flags=[{**FLAG, "severity": "low"}]),
        "staff_flags.0.severity",
        "must be one of urgent, high, ask.",
        id="severity",
    ),
    pytest.param(
        raw(translations={"Spanish": {}}), "translations", "a language such as", id="language"
    ),
]


@pytest.mark.parametrize(("changed", "where", "sentence"), FORM)
def test_a_fault_of_form(changed: dict[str, Any], where: str, sentence: str) -> None:
    faults = found(changed)
    assert len(faults) == 1
    assert faults[0][0] == where
    assert sentence in faults[0][1]


def hangs_on(place: int, item: str, operator: str, *value: Any) -> dict[str, Any]:
    condition = {"item": item, "operator": operator} | ({"value": value[0]} if value else {})
    return with_item(place, show_when=condition)


SENSE = [
    pytest.param(with_item(1, id="q1"), "items.q1.id", "stands twice", id="item-twice"),
    pytest.param(
        raw(sections=[{"id": "a"}, {"id": "a"}]), "sections.a.id", "stands twice", id="section"
    ),
    pytest.param(
        raw(subscales=[SUBSCALE, SUBSCALE]), "subscales.total.id", "stands twice", id="subscale"
    ),
    pytest.param(
        with_option(code="c0", value=1, label="x"), "scales.five", "'c0' stands 2 times", id="code"
    ),
    pytest.param(
        with_option(code="+own", value=1, label="Other"), "scales.five", "“Other”", id="own-words"
    ),
    pytest.param(
        with_option(code="~c0", value=1, label="Other"), "scales.five", "“Other”", id="non-answer"
    ),
    pytest.param(with_option(code="x", label="x"), "scales.five", "others have none", id="weights"),
    pytest.param(with_item(0, section="b"), "items.q1.section", "No section", id="no-section"),
    pytest.param(with_item(0, scale="b"), "items.q1.scale", "No scale is named 'b'", id="scale"),
    pytest.param(with_item(0, scale="-"), "items.q1.scale", "is missing", id="scale-missing"),
    pytest.param(with_item(0, kind="text"), "items.q1.scale", "has no scale", id="text-scale"),
    pytest.param(
        with_item(0, scale="colour", reverse=True), "items.q1.reverse", "reversed", id="reverse"
    ),
    pytest.param(with_item(0, least=3, most=2), "items.q1.least", "more than", id="least"),
    pytest.param(with_item(0, stop_unless="x"), "items.q1.stop_unless", "none of", id="stop"),
    pytest.param(
        with_item(0, kind="consent", scale="-"), "items.q1.version", "version", id="consent"
    ),
    pytest.param(hangs_on(1, "q9", "exists"), "items.q2.show_when", "No item", id="unknown"),
    pytest.param(hangs_on(1, "q3", "exists"), "items.q2.show_when", "later", id="forward"),
    pytest.param(hangs_on(1, "q2", "exists"), "items.q2.show_when", "later", id="on-itself"),
    pytest.param(hangs_on(1, "q1", "exists", 1), "items.q2.show_when", "true or", id="exists"),
    pytest.param(hangs_on(1, "q1", "="), "items.q2.show_when", "is missing", id="no-value"),
    pytest.param(hangs_on(1, "q1", "in", 1), "items.q2.show_when", "a list", id="in-no-list"),
    pytest.param(hangs_on(1, "q1", "=", [1]), "items.q2.show_when", "a list", id="a-list"),
    pytest.param(hangs_on(1, "q1", "=", "x"), "items.q2.show_when", "none of", id="no-code"),
    pytest.param(hangs_on(1, "q1", "=", 7), "items.q2.show_when", "the value 7", id="no-weight"),
    pytest.param(hangs_on(1, "q1", ">", "c1"), "items.q2.show_when", "no order", id="code-order"),
    pytest.param(hangs_on(1, "q1", "=", True), "items.q2.show_when", "a code", id="truth-on-scale"),
    pytest.param(raw(short_form=["q9"]), "short_form.0", "No item is named", id="short-form"),
    pytest.param(
        with_subscale(items=["q1", "q9"]), "subscales.total.items.1", "No item", id="subscale-item"
    ),
    pytest.param(
        with_item(0, scored=False), "subscales.total.items.0", "no value to be", id="not-scored"
    ),
    pytest.param(
        with_subscale(min_valid=5), "subscales.total.min_valid", "only 4 items", id="min-valid"
    ),
    pytest.param(with_subscale(range=[0, 20]), "subscales.total.range", "0 to 16", id="range"),
    pytest.param(
        with_subscale(method="mean", range=[0, 16]), "subscales.total.range", "0 to 4", id="mean"
    ),
    pytest.param(
        with_subscale(method="pct", range=[0, 16]), "subscales.total.range", "0 to 100", id="pct"
    ),
    pytest.param(with_subscale(multiply=4), "subscales.total.range", "0 to 64", id="multiplied"),
    pytest.param(
        raw(cuts=[{**CUT, "subscale": "x"}]), "cuts.0.subscale", "No subscale", id="cut-unknown"
    ),
    pytest.param(raw(cuts=[{**CUT, "value": 17}]), "cuts.0.value", "outside", id="cut-outside"),
    pytest.param(
        raw(cuts=[{**CUT, "citation": "  "}]), "cuts.0.citation", "its source", id="cut-blank"
    ),
    pytest.param(raw(change=[CHANGE]), "change.0", "which direction is better", id="direction"),
    pytest.param(
        raw(staff_flags=[{**FLAG, "item": "q9"}]), "staff_flags.0", "No item", id="flag-item"
    ),
    pytest.param(
        raw(staff_flags=[{**FLAG, "value": "c1"}]), "staff_flags.0", "no order", id="flag-value"
    ),
    pytest.param(
        raw(translations={"es": {"titel": "x"}}),
        "translations.es.titel",
        "No text has this key",
        id="translation-key",
    ),
    pytest.param(
        raw(translations={"es": {"title": "x"}}), "translations.es", "aren't translated", id="gaps"
    ),
    pytest.param(
        raw(translations={"en": {}}), "translations.en", "language of the instrument", id="own"
    ),
    pytest.param(raw(locked=True), "locked", "needs the hash", id="no-hash"),
    pytest.param(
        raw(locked=True, text_hash="0" * 64), "text_hash", soundness.LOCKED, id="other-hash"
    ),
    pytest.param(
        raw(licence={"basis": "public-notice"}), "licence", "notice that permits", id="notice"
    ),
    pytest.param(raw(scorer="cycle"), "scorer", "The cycle needs", id="cycle"),
    pytest.param(
        raw(test_vectors=RAW["test_vectors"][:2]), "test_vectors", "needs 3", id="two-vectors"
    ),
]


@pytest.mark.parametrize(("changed", "where", "sentence"), SENSE)
def test_parts_that_do_not_fit(changed: dict[str, Any], where: str, sentence: str) -> None:
    assert any(place == where and sentence in message for place, message in found(changed)), found(
        changed
    )


def test_change_needs_an_error_and_once() -> None:
    better = with_subscale(better="lower")
    assert found({**better, "change": [CHANGE]}) == []
    for wrong, sentence in (
        ({"subscale": "total", "citation": "x"}, "Either the standard deviation"),
        ({"subscale": "total", "citation": "x", "sd": 2, "rci": 3}, "go together"),
        ({**CHANGE, "citation": " "}, "needs its source"),
        ({**CHANGE, "subscale": "x"}, "No subscale"),
    ):
        assert any(sentence in told for _, told in found({**better, "change": [wrong]}))
    twice = found({**better, "change": [CHANGE, CHANGE]})
    assert any("stands twice" in told for _, told in twice)


def test_unlike_items_can_not_stand_for_one_another() -> None:
    scales = {**RAW["scales"], "three": {"options": RAW["scales"]["five"]["options"][:3]}}
    items = [*RAW["items"][:3], {**RAW["items"][3], "scale": "three"}]
    changed = raw(scales=scales, items=items, test_vectors=[])
    changed["subscales"] = [{**SUBSCALE, "range": [0, 14]}]
    assert any("stand for one another" in told for _, told in found(changed))


@pytest.mark.parametrize(
    ("vector", "sentence"),
    [
        pytest.param(
            {"answers": {"q1": 1}, "expected": {"total": 0}},
            "'total' comes out as null, and 0 is expected.",
            id="another-score",
        ),
        pytest.param(
            {"answers": {"q9": 1}, "expected": {"total": 0}}, "No item is named 'q9'.", id="item"
        ),
        pytest.param(
            {"answers": {"q1": 9}, "expected": {"total": 0}}, "'9' is no answer to q1.", id="answer"
        ),
        pytest.param(
            {"answers": {}, "expected": {"sum": None}}, "Nothing is named 'sum'", id="name"
        ),
    ],
)
def test_an_example_that_does_not_come_out_is_named(vector: dict[str, Any], sentence: str) -> None:
    changed = raw(test_vectors=[*RAW["test_vectors"], {"id": "v4", **vector}])
    ((where, message),) = found(changed)
    assert where == "test_vectors.v4"
    assert sentence in message


def test_a_fault_has_the_line_of_its_place() -> None:
    path = next(one for one in shipped.FILES if one.stem == "cycle-reflection")
    text = path.read_text().replace("method: pct", "method: max", 1)
    number = text[: text.index("method: max")].count("\n") + 1
    assert [(one.line, one.where) for one in schema.faults(text)] == [
        (number, "subscales.PURSUE.self.method")
    ]


def test_the_example_of_the_documentation_is_in_order() -> None:
    text = (shipped.FILES[0].parents[3] / "docs" / "instruments.md").read_text()
    example = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert example
    assert schema.faults(example[1]) == []


def test_what_is_no_mapping_is_no_definition() -> None:
    for text in ("", "- 1", "3", '["x"]'):
        told, faults = schema.read(text)
        assert told is None
        assert faults[0].message == "A definition is a mapping of names to values."


def test_names_are_put_in_the_order_of_the_schema() -> None:
    shuffled = dict(reversed(list(raw().items())))
    ordered = schema.in_order(shuffled)
    assert ordered == raw()
    assert list(ordered)[:4] == ["id", "version", "language", "title"]


paths = st.sampled_from(
    [
        (name, *inner)
        for name in RAW
        for inner in [(), (0,), (0, "id"), (0, "items"), ("five",), ("five", "options", 0)]
    ]
)
junk: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 10**12, 0.5, "", "x", "q1", [], {}, [[]], [{}], {"item": "q1"}, ["q1", 1]]
)


@given(st.lists(st.tuples(paths, junk), max_size=3))
def test_whatever_is_put_into_it_is_found_or_parsed(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    changed: Any = copy.deepcopy(RAW)
    for path, value in changes:
        inside = changed
        try:
            for step in path[:-1]:
                inside = inside[step]
            # Names are texts in every file.
            if isinstance(path[-1], str) or isinstance(inside, list):
                inside[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    if not schema.check(changed):
        parse(changed)
