"""The couple's dance: worked examples, what always holds, and a second scorer that agrees."""

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from intake.rules import cycle, vectors
from tests.intake.rules import second_scorer
from tests.intake.rules.shipped import definition

D = definition("cycle-reflection")
SWAP = {"A": "B", "B": "A"}

rating = st.none() | st.integers(0, 4)


def lists(four: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    def some(length: int) -> st.SearchStrategy[list[Any]]:
        return st.lists(four, min_size=length, max_size=length)

    view = st.fixed_dictionaries(
        {"P": some(4), "W": some(4), "F1_4": some(4), "F5_7": some(3), "R": some(5)}
    )
    return st.fixed_dictionaries(
        {"self": view, "partner": view, "us": st.fixed_dictionaries({"V": some(4)})}
    )


half = lists(rating)
whole = lists(st.integers(0, 4))
couples = st.fixed_dictionaries({"A": st.none() | half, "B": st.none() | half})


def told(couple: dict[str, Any]) -> dict[str, Any]:
    return vectors.results(D, couple)


def reflected(couple: dict[str, Any]) -> cycle.Reflection:
    a, b = cycle.from_vector(D, couple)
    return cycle.reflect(D, a, b)


def person(p: int, w: int, p_seen: int | None = None, w_seen: int | None = None) -> dict[str, Any]:
    """Somebody who answers all four items of a list alike, about themselves and the partner."""
    return {
        "self": {"P": [p] * 4, "W": [w] * 4},
        "partner": {"P": [p_seen] * 4, "W": [w_seen] * 4},
    }


# --- positions and dances ------------------------------------------------------------------------

DANCES = [
    pytest.param((4, 0), (0, 4), ("pursue_withdraw", None, "A"), id="A-reaches"),
    pytest.param((0, 4), (4, 0), ("pursue_withdraw", None, "B"), id="B-reaches"),
    pytest.param((4, 0), (3, 1), ("mutual_pursue", None, None), id="both-reach"),
    pytest.param((1, 3), (0, 2), ("mutual_withdraw", None, None), id="both-step-back"),
    pytest.param((1, 1), (0, 0), ("no_fixed_pattern", "quiet", None), id="quiet"),
    pytest.param((3, 3), (0, 4), ("no_fixed_pattern", "switching", None), id="one-switches"),
    pytest.param((3, 3), (2, 2), ("no_fixed_pattern", "switching", None), id="both-switch"),
    pytest.param((3, 3), (1, 1), ("no_fixed_pattern", "switching", None), id="beside-quiet"),
    pytest.param((4, 0), (1, 1), ("no_fixed_pattern", "one_sided", None), id="one-reaches"),
    pytest.param((1, 1), (0, 4), ("no_fixed_pattern", "one_sided", None), id="one-steps-back"),
]


@pytest.mark.parametrize(("a", "b", "expected"), DANCES)
def test_each_pair_of_positions_has_its_dance(
    a: tuple[int, int], b: tuple[int, int], expected: tuple[str, str | None, str | None]
) -> None:
    found = reflected({"A": person(*a, *b), "B": person(*b, *a)})
    assert (found.dance, found.kind, found.pursuer) == expected
    assert set(found.basis.values()) == {"both"}
    assert not found.one_view
    assert found.discrepancy_flags == ()


@pytest.mark.parametrize(
    ("p", "w", "expected"),
    [
        (Fraction(499, 10), Fraction(499, 10), "settled"),
        (Fraction(50), Fraction(0), "reaching"),
        (Fraction(50), Fraction(375, 10), "reaching"),
        (Fraction(50), Fraction(3751, 100), "both"),
        (Fraction(0), Fraction(50), "stepping_back"),
        (Fraction(375, 10), Fraction(50), "stepping_back"),
        (Fraction(50), Fraction(50), "both"),
    ],
    ids=str,
)
def test_a_position_counts_at_its_threshold(p: Fraction, w: Fraction, expected: str) -> None:
    assert cycle._position(cycle._rules(D), {"P_A": p, "W_A": w}, "A") == expected


def test_thresholds_are_those_of_the_file() -> None:
    couple = {"A": person(4, 0, 0, 4), "B": person(0, 4, 4, 0)}
    a, b = cycle.from_vector(D, couple)
    thresholds = {**D.scoring["thresholds"], "lead": 100.5}
    of_another = replace(D, scoring={**D.scoring, "thresholds": thresholds})
    assert cycle.reflect(of_another, a, b).kind == "switching"


# --- one view ------------------------------------------------------------------------------------


@pytest.mark.parametrize("nobody", [None, {}], ids=["null", "empty"])
def test_with_one_account_the_picture_is_that_ones_view(nobody: Any) -> None:
    only = person(4, 0, 0, 4)
    for couple in ({"A": only, "B": nobody}, {"A": only}):
        found = told(couple)
        assert found["dance"] == "pursue_withdraw"
        assert found["pursuer"] == "A"
        assert found["one_view"] is True
        assert found["basis"] == {
            "P_A": "self_only",
            "W_A": "self_only",
            "P_B": "partner_only",
            "W_B": "partner_only",
        }
        assert found["scores_B"] is None
        assert "scores_B_self" not in found
        assert found["repair_couple"] == {"lower": None, "gap": None}
    other = told({"A": nobody, "B": only})
    assert (other["dance"], other["pursuer"], other["one_view"]) == ("pursue_withdraw", "B", True)
    assert other["scores_A"] is None


def test_a_partner_who_left_the_map_out_gives_no_second_view() -> None:
    silent = {"self": {"P": [None] * 4}, "partner": {}, "us": {"V": [1, 1, 1, 1]}}
    found = told({"A": person(4, 0, 0, 4), "B": silent})
    assert found["one_view"] is True
    assert found["scores_B_self"] == dict.fromkeys(cycle.SUBSCALES)
    assert found["repair_B"] is not None


def test_of_nobody_nothing_is_told() -> None:
    found = told({"A": None, "B": None})
    assert found["dance"] == "insufficient"
    assert found["one_view"] is False
    assert found["scores_A"] is found["scores_B"] is None


def test_shorter_lists_and_missing_keys_are_missing_answers() -> None:
    short = {"self": {"P": [4, 4, 4], "W": [0]}, "partner": {"P": [0, 0, 0, 0]}}
    full = {
        "self": {"P": [4, 4, 4, None], "W": [0, None, None, None], "R": [None] * 5},
        "partner": {"P": [0, 0, 0, 0], "W": [None] * 4},
        "us": {"V": [None] * 4},
    }
    assert told({"A": short}) == told({"A": full, "B": None})


# --- what always holds ---------------------------------------------------------------------------


def swapped(found: Any) -> Any:
    """A result with A and B exchanged in every name and value that speaks of them."""
    if isinstance(found, dict):
        return {_named(key): swapped(one) for key, one in found.items()}
    if isinstance(found, list):
        return [swapped(one) for one in found]
    return _named(found) if isinstance(found, str) else found


def _named(text: str) -> str:
    if text in SWAP:
        return SWAP[text]
    parts = [SWAP.get(part, part) for part in text.split("_")]
    parts = [{"A+": "B+", "A-": "B-", "B+": "A+", "B-": "A-"}.get(one, one) for one in parts]
    return "_".join(parts)


def unordered(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: unordered(one) for key, one in found.items()}
    return sorted(found, key=str) if isinstance(found, list) else found


@given(couples)
def test_nothing_hangs_on_who_is_called_a(couple: dict[str, Any]) -> None:
    found = told(couple)
    other = swapped(told({"A": couple["B"], "B": couple["A"]}))
    gaps = found["validation_given_minus_felt"]
    assert other["validation_given_minus_felt"] == gaps
    assert unordered(other) == unordered(found)


@given(whole, whole)
def test_the_four_scores_fit_together(a: dict[str, Any], b: dict[str, Any]) -> None:
    scores = reflected({"A": a, "B": b}).dance_scores
    assert scores is not None
    assert (
        scores["A_reaches_B_steps_back"] + scores["B_reaches_A_steps_back"]
        == scores["both_reach"] + scores["both_step_back"]
    )


@given(half, st.sampled_from(["P", "W", "F1_4"]), st.integers(0, 3))
def test_more_of_it_never_scores_less(one: dict[str, Any], name: str, place: int) -> None:
    scale = {"P": "PURSUE", "W": "WITHDRAW", "F1_4": "F_REACH"}[name]
    value = one["self"][name][place]
    assume(value is not None and value < 4)
    before = told({"A": one})["scores_A_self"][scale]
    values = list(one["self"][name])
    values[place] += 1
    after = told({"A": {**one, "self": {**one["self"], name: values}}})["scores_A_self"][scale]
    assert (before is None) is (after is None)
    if before is not None:
        assert after > before


@given(half)
def test_an_old_hurt_lowers_repair(one: dict[str, Any]) -> None:
    hurt = one["us"]["V"][3]
    assume(hurt is not None and hurt < 4)
    worse = {**one, "us": {"V": [*one["us"]["V"][:3], hurt + 1]}}
    before, after = told({"A": one})["repair_A"], told({"A": worse})["repair_A"]
    assert (before is None and after is None) or after < before


@given(st.lists(rating, min_size=4, max_size=4))
def test_below_three_of_four_there_is_no_score_and_else_the_mean_of_what_is_there(
    values: list[int | None],
) -> None:
    found = told({"A": {"self": {"P": values}}})["scores_A_self"]["PURSUE"]
    there = [one for one in values if one is not None]
    expected = Fraction(25 * sum(there), len(there)) if len(there) >= 3 else None
    assert found == expected


@given(couples)
def test_tentative_means_that_a_small_step_tells_another_dance(couple: dict[str, Any]) -> None:
    found = reflected(couple)
    if found.dance == "insufficient":
        assert found.tentative is None
        assert found.tentative_because is None
    else:
        assert found.tentative is bool(found.tentative_because)


@given(couples)
def test_a_second_scorer_agrees_on_whatever_is_drawn(couple: dict[str, Any]) -> None:
    _agree(couple)


def test_a_second_scorer_agrees_on_a_thousand_couples() -> None:
    drawn = random.Random(20_270_111)
    dances = set()
    for _ in range(1000):
        # From hardly anything skipped to most of it, and sometimes nobody there.
        gaps = drawn.choice([0, 0, 0.05, 0.3, 0.7])
        couple: dict[str, Any] = {who: _drawn(drawn, gaps) for who in "AB"}
        if drawn.random() < 0.1:
            couple[drawn.choice("AB")] = drawn.choice([None, {}])
        found = _agree(couple)
        dances.add((found["dance"], found["kind"], found["one_view"]))
    # The thousand are worth something: each dance was among them.
    kinds = {(dance, kind) for dance, kind, _ in dances}
    assert len(kinds) == 7
    assert {one_view for *_, one_view in dances} == {True, False}


def _drawn(drawn: random.Random, gaps: float) -> dict[str, Any]:
    lean = {"P": drawn.choice([0, 1, 2, 3]), "W": drawn.choice([0, 1, 2, 3])}

    def values(name: str, length: int) -> list[int | None]:
        low = lean.get(name, 0)
        high = min(4, low + 2) if name in lean else 4
        return [None if drawn.random() < gaps else drawn.randint(low, high) for _ in range(length)]

    view = {"P": 4, "W": 4, "F1_4": 4, "F5_7": 3, "R": 5}
    return {
        "self": {name: values(name, length) for name, length in view.items()},
        "partner": {name: values(name, length) for name, length in view.items()},
        "us": {"V": values("V", 4)},
    }


def _agree(couple: dict[str, Any]) -> dict[str, Any]:
    found, second = told(couple), second_scorer.score(couple)
    assert found.keys() == second.keys()
    for name, expected in second.items():
        assert vectors.agrees(found[name], expected), (name, found[name], expected)
    return found
