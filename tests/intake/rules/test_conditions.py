"""What is asked: conditions, hidden items, forms that stop."""

from typing import Any

import pytest

from intake.rules.answers import Answered
from intake.rules.conditions import asked, given, holds
from intake.rules.definition import Condition, Scale
from tests.intake.rules.small import chose, item, small

FIVE = small().scales["five"]
SKIPPED = Answered(non="skip")


@pytest.mark.parametrize(
    ("operator", "value", "answer", "expected"),
    [
        pytest.param("exists", True, Answered("c0"), True, id="exists"),
        pytest.param("exists", None, Answered("c0"), True, id="exists-without-a-value"),
        pytest.param("exists", True, None, False, id="exists-not"),
        pytest.param("exists", False, None, True, id="is-missing"),
        pytest.param("exists", False, Answered(""), True, id="an-empty-text-is-missing"),
        pytest.param("exists", True, SKIPPED, True, id="a-non-answer-exists"),
        pytest.param("=", "c2", Answered("c2"), True, id="code"),
        pytest.param("=", "c2", Answered("c3"), False, id="another-code"),
        pytest.param("=", 2, Answered("c2"), True, id="weight"),
        pytest.param("=", 0, None, False, id="no-answer-is-not-nought"),
        pytest.param("=", 0, SKIPPED, False, id="a-non-answer-is-not-nought"),
        pytest.param("=", "skip", SKIPPED, True, id="a-non-answer-by-its-code"),
        pytest.param("!=", "c2", Answered("c3"), True, id="not-equal"),
        pytest.param("!=", "c2", Answered("c2"), False, id="not-not-equal"),
        pytest.param("!=", "c2", None, True, id="unanswered-equals-nothing"),
        pytest.param("!=", "c2", SKIPPED, True, id="a-non-answer-is-another"),
        pytest.param(">", 2, Answered("c3"), True, id="more"),
        pytest.param(">", 2, Answered("c2"), False, id="not-more"),
        pytest.param(">=", 2, Answered("c2"), True, id="at-least"),
        pytest.param("<", 2, Answered("c1"), True, id="less"),
        pytest.param("<=", 2, Answered("c2"), True, id="at-most"),
        pytest.param("<", 2, None, False, id="no-answer-is-not-less"),
        pytest.param("<", 2, SKIPPED, False, id="a-non-answer-is-not-less"),
        pytest.param("<=", 0.5, Answered("c0"), True, id="a-part"),
        pytest.param("in", ("c1", "c2"), Answered("c2"), True, id="in"),
        pytest.param("in", ("c1", "c2"), Answered("c3"), False, id="not-in"),
        pytest.param("in", (1, "skip"), SKIPPED, True, id="in-with-a-non-answer"),
        pytest.param("=", "c1", Answered(["c1", "c4"]), True, id="one-of-several"),
        pytest.param("!=", "c1", Answered(["c1", "c4"]), False, id="none-of-several"),
        pytest.param(">", 3, Answered(["c1", "c4"]), True, id="one-of-several-is-more"),
    ],
)
def test_a_condition_on_a_scale(
    operator: Any, value: Any, answer: Answered | None, expected: bool
) -> None:
    assert holds(Condition("q", operator, value), answer, FIVE) is expected


@pytest.mark.parametrize(
    ("operator", "value", "answer", "expected"),
    [
        pytest.param("=", True, True, True, id="true"),
        pytest.param("!=", True, False, True, id="not-true"),
        pytest.param("=", 1, True, False, id="true-is-no-number"),
        pytest.param(">", 9, "10", True, id="numbers-not-letters"),
        pytest.param("=", 10, "10.0", True, id="equal-numbers"),
        pytest.param("=", 10, "ten", False, id="no-number"),
        pytest.param(">", 1, "1e999999999", False, id="no-number-of-a-million-digits"),
        pytest.param(">=", "2027-01-31", "2027-02-01", True, id="date"),
        pytest.param("<", "2027-01-31", "2027-01-31", False, id="same-date"),
        pytest.param(">", "09:30", "10:00", True, id="time"),
        pytest.param(">", "2027-01-31T10:00", "2027-01-31T11:00+00:00", True, id="moment"),
        pytest.param(">", "2027-01-31", "soon", False, id="no-date"),
        pytest.param("=", "Rome", "Rome", True, id="text"),
        pytest.param("=", "Rome", "rome", False, id="another-text"),
    ],
)
def test_a_condition_without_a_scale(
    operator: Any, value: Any, answer: Any, expected: bool
) -> None:
    assert holds(Condition("q", operator, value), Answered(answer)) is expected


def test_an_option_without_a_value_is_neither_more_nor_less() -> None:
    colour: Scale = small().scales["colour"]
    assert not holds(Condition("q", "<", 5), Answered("red"), colour)
    assert not holds(Condition("q", ">", 5), Answered("red"), colour)
    assert not holds(Condition("q", ">=", 0), Answered("gone"), colour)


def _ids(found: list[Any]) -> list[str]:
    return [one.id for one in found]


def test_what_hangs_on_a_hidden_item_is_hidden_too() -> None:
    form = small(
        items=[
            item("q1"),
            item("q2", show_when={"item": "q1", "operator": ">=", "value": 1}),
            item("q3", show_when={"item": "q2", "operator": "exists"}),
            item("q4"),
        ]
    )
    assert _ids(asked(form, {})) == ["q1", "q4"]
    assert _ids(asked(form, chose(q1=1))) == ["q1", "q2", "q4"]
    everything = chose(q1=1, q2=1, q3=1, q4=1)
    assert _ids(asked(form, everything)) == ["q1", "q2", "q3", "q4"]
    # The answers are still there; the first one was taken back.
    taken_back = everything | chose(q1=0)
    assert _ids(asked(form, taken_back)) == ["q1", "q4"]
    assert list(given(form, taken_back)) == ["q1", "q4"]


def test_not_equal_holds_on_what_is_hidden() -> None:
    form = small(
        items=[
            item("q1"),
            item("q2", show_when={"item": "q1", "operator": "=", "value": 1}),
            item("q3", show_when={"item": "q2", "operator": "!=", "value": 4}),
            item("q4"),
        ]
    )
    assert _ids(asked(form, chose(q1=0, q2=4))) == ["q1", "q3", "q4"]
    assert _ids(asked(form, chose(q1=1, q2=4))) == ["q1", "q2", "q4"]


@pytest.mark.parametrize(
    ("how", "first", "second", "shown"),
    [("all", 1, 1, True), ("all", 1, 0, False), ("any", 1, 0, True), ("any", 0, 0, False)],
)
def test_all_or_any(how: str, first: int, second: int, shown: bool) -> None:
    conditions = [
        {"item": "q1", "operator": "=", "value": 1},
        {"item": "q2", "operator": "=", "value": 1},
    ]
    form = small(items=[item("q1"), item("q2"), item("q3", show_when={how: conditions})])
    assert ("q3" in _ids(asked(form, chose(q1=first, q2=second)))) is shown


def test_a_text_between_is_shown_as_any_item() -> None:
    form = small(items=[{"id": "hello", "kind": "display", "text": "Hello"}, item("q1")])
    assert _ids(asked(form, {})) == ["hello", "q1"]


def test_behind_another_answer_than_the_one_it_waits_for_nothing_comes() -> None:
    form = small(items=[item("q1", stop_unless="c4"), item("q2")])
    assert _ids(asked(form, {})) == ["q1"]
    assert _ids(asked(form, chose(q1=3, q2=1))) == ["q1"]
    assert _ids(asked(form, chose(q1="skip"))) == ["q1"]
    assert list(given(form, chose(q1=3, q2=1))) == ["q1"]
    assert _ids(asked(form, chose(q1=4))) == ["q1", "q2"]


def test_the_short_form_asks_its_items_alone() -> None:
    form = small(
        short_form=["q1", "q3"],
        items=[
            item("q1"),
            item("q2"),
            item("q3", show_when={"item": "q2", "operator": "exists", "value": False}),
        ],
    )
    # What isn't in the short form has no answer there.
    assert _ids(asked(form, chose(q2=1), short=True)) == ["q1", "q3"]
    assert _ids(asked(form, chose(q2=1))) == ["q1", "q2"]
