"""Scores: methods, missing answers, reversed items, thresholds, rounding."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.rules.answers import by_weight
from intake.rules.scoring import cuts_met, half_up, score
from tests.intake.rules.shipped import definition
from tests.intake.rules.small import RAW, chose, item, small

Scores = dict[str, Fraction | None]


def total(method: str, missing: str, min_valid: int, **more: Any) -> Any:
    subscale = {**RAW["subscales"][0], "method": method, "missing": missing}
    return small(subscales=[{**subscale, "min_valid": min_valid, **more}])


FULL = chose(q1=1, q2=2, q3=1, q4=4)  # the third is reversed: 3
GAP = chose(q1=1, q2=2, q3=1, q4="skip")


@pytest.mark.parametrize(
    ("method", "missing", "full", "gap"),
    [
        ("sum", "strict", 10, None),
        ("sum", "prorate", 10, 8),
        ("sum", "zero", 10, 6),
        ("mean", "strict", Fraction(5, 2), None),
        ("mean", "prorate", Fraction(5, 2), 2),
        ("mean", "zero", Fraction(5, 2), Fraction(3, 2)),
        ("pct", "strict", Fraction(125, 2), None),
        ("pct", "prorate", Fraction(125, 2), 50),
        ("pct", "zero", Fraction(125, 2), Fraction(75, 2)),
    ],
)
def test_each_method_and_what_is_missing(method: str, missing: str, full: Any, gap: Any) -> None:
    form = total(method, missing, 3)
    assert score(form, FULL) == {"total": full}
    assert score(form, GAP) == {"total": gap}
    # Two of four are too few, also where a missing one counts as 0; and so are none.
    assert score(form, chose(q1=4, q2=4)) == {"total": None}
    assert score(form, {}) == {"total": None}


def test_a_result_may_be_multiplied() -> None:
    assert score(total("sum", "strict", 4, multiply=4), FULL) == {"total": 40}


def test_exactly_as_many_as_needed_are_enough() -> None:
    form = total("sum", "prorate", 1)
    assert score(form, chose(q2=3)) == {"total": 12}


def test_what_is_not_asked_is_not_scored() -> None:
    form = small(
        items=[
            item("q1"),
            item("q2", show_when={"item": "q1", "operator": "=", "value": 1}),
            item("q3"),
            item("q4"),
        ],
    )
    answers = chose(q1=0, q2=4, q3=0, q4=0)
    assert score(form, answers) == {"total": 0}
    assert score(form, answers | chose(q1=1)) == {"total": 5}


def test_an_answer_that_the_scale_does_not_know_is_missing() -> None:
    assert score(total("sum", "strict", 4), FULL | chose(q1=9)) == {"total": None}


def test_the_short_form_scores_its_items() -> None:
    form = small(short_form=["q1", "q2", "q3"])
    assert score(form, FULL, short=True) == {"total": 8}
    assert score(form, FULL) == {"total": 10}


@given(st.lists(st.none() | st.integers(0, 4), min_size=4, max_size=4))
def test_to_fill_up_is_to_take_the_mean_of_what_is_there(values: list[int | None]) -> None:
    answers = chose(**{f"q{place}": value for place, value in enumerate(values, 1)})
    weights = [
        4 - value if place == 2 else value
        for place, value in enumerate(values)
        if value is not None
    ]
    expected = Fraction(4 * sum(weights), len(weights)) if len(weights) >= 3 else None
    assert score(small(), answers)["total"] == expected


@given(st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_a_score_lies_in_its_range(values: list[int]) -> None:
    answers = chose(**{f"q{place}": value for place, value in enumerate(values, 1)})
    for method, most in (("sum", 16), ("mean", 4), ("pct", 100)):
        found = score(total(method, "strict", 4), answers)["total"]
        assert found is not None
        assert 0 <= found <= most


@pytest.mark.parametrize(
    ("operator", "value", "met"),
    [(">=", 10, True), (">", 10, False), ("<=", 10, True), ("<", 10, False), (">", 9.99, True)],
)
def test_a_threshold_compares_what_is_not_rounded(operator: str, value: float, met: bool) -> None:
    cut = {
        "subscale": "total",
        "operator": operator,
        "value": value,
        "label_staff": "Look",
        "citation": "Somebody 2027",
    }
    form = small(cuts=[cut])
    assert bool(cuts_met(form, score(form, FULL))) is met
    assert cuts_met(form, {"total": None}) == []
    assert cuts_met(form, {}) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("62.5", 63),
        ("12.5", 13),
        ("66.6667", 67),
        ("43.75", 44),
        ("0", 0),
        ("0.4999", 0),
        ("-12.5", -13),
        ("-12.4", -12),
        ("-0.4", 0),
    ],
)
def test_halves_are_shown_upwards(value: str, shown: int) -> None:
    assert half_up(Fraction(value)) == shown


@given(st.fractions())
def test_what_is_shown_is_never_more_than_a_half_away(value: Fraction) -> None:
    shown = half_up(value)
    assert abs(shown - value) <= Fraction(1, 2)
    assert half_up(-value) == -shown


# --- what is published of the shipped ones -------------------------------------------------------


def of(slug: str, answers: dict[str, Any]) -> Scores:
    form = definition(slug)
    said = {name: by_weight(form, name, value) for name, value in answers.items()}
    assert None not in said.values()
    return score(form, {name: one for name, one in said.items() if one is not None})


def every(slug: str, value: Any) -> dict[str, Any]:
    form = definition(slug)
    scored = {item_id for subscale in form.subscales for item_id in subscale.items}
    return dict.fromkeys(sorted(scored), value)


@pytest.mark.parametrize(
    ("slug", "low", "high"),
    [
        ("phq-9", 0, 27),
        ("phq-2", 0, 6),
        ("gad-7", 0, 21),
        ("gad-2", 0, 6),
        ("who-5", 0, 100),
        ("hits", 4, 20),
        ("rdas", 0, 69),
        ("csi-16", 0, 81),
        ("csi-4", 0, 21),
    ],
)
def test_totals_reach_from_end_to_end(slug: str, low: int, high: int) -> None:
    form = definition(slug)
    whole = max(form.subscales, key=lambda one: len(one.items))
    assert whole.range == (Fraction(low), Fraction(high))


def test_a_total_without_one_answer_is_none() -> None:
    for slug in ("phq-9", "gad-7"):
        answers = every(slug, 1)
        (total_of,) = {one.id for one in definition(slug).subscales}
        assert of(slug, answers)[total_of] == len(answers)
        answers.popitem()
        assert of(slug, answers)[total_of] is None
