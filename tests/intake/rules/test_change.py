"""Change over time: the published arithmetic, and what it is called."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.rules import change
from intake.rules.change import CATEGORIES, step
from intake.rules.definition import Change

PLAIN = Change(
    "total", "Somebody 2027", sd=Fraction(7), reliability=Fraction(85, 100), kind="retest"
)
RDAS = Change("total", "Anderson 2014", rci=Fraction("11.58"), cut=Fraction("47.31"))


def test_the_error_of_a_measure() -> None:
    assert change.sem(Fraction(7), Fraction(85, 100)) == pytest.approx(2.7111, abs=1e-4)
    assert change.s_diff(Fraction(7), Fraction(85, 100)) == pytest.approx(3.8341, abs=1e-4)
    assert change.rci(PLAIN) == pytest.approx(7.5148, abs=1e-4)
    assert change.rci(RDAS) == 11.58
    assert change.rci(Change("total", "Somebody 2027")) is None


def test_the_cut_between_two_groups() -> None:
    # Functional: mean 52, spread 6; distressed: mean 40, spread 8.
    found = change.cut_between(Fraction(52), Fraction(6), Fraction(40), Fraction(8))
    assert float(found) == pytest.approx((6 * 40 + 8 * 52) / 14)
    assert float(found) == pytest.approx(46.857, abs=1e-3)


@pytest.mark.parametrize(
    ("before", "after", "rc", "crossed", "category"),
    [
        pytest.param(40, 52, 2.031, True, "recovered", id="recovered"),
        pytest.param(46, 53, 1.185, True, "unchanged", id="crosses-and-is-not-reliable"),
        pytest.param(40, 51, 1.862, True, "unchanged", id="not-reliable"),
        pytest.param(30, 42, 2.031, False, "improved", id="improved"),
        pytest.param(50, 62, 2.031, False, "improved", id="was-never-below"),
        pytest.param(52, 40, -2.031, False, "deteriorated", id="deteriorated"),
        pytest.param(50, 50, 0, False, "unchanged", id="the-same"),
    ],
)
def test_the_worked_numbers(
    before: int, after: int, rc: float, crossed: bool, category: str
) -> None:
    found = step(RDAS, "higher", Fraction(before), Fraction(after))
    assert found.rc == pytest.approx(rc, abs=1e-3)
    assert (found.crossed, found.category) == (crossed, category)
    assert found.difference == after - before
    assert found.about_the_same is None


def test_less_is_better_where_the_definition_says_so() -> None:
    found = Change("total", "Somebody 2027", rci=Fraction(5), cut=Fraction(10))
    assert step(found, "lower", Fraction(15), Fraction(9)).category == "recovered"
    # A cut of 10 is met at 10: who comes to it hasn't left it.
    assert step(found, "lower", Fraction(15), Fraction(10)).category == "improved"
    assert step(found, "lower", Fraction(10), Fraction(5)).category == "recovered"
    assert step(found, "lower", Fraction(9), Fraction(15)).category == "deteriorated"


def test_at_the_limit_it_counts_and_exactly() -> None:
    # Spread 5 and reliability .5: the error of a difference is 5, and 1.96 of them are 9.8.
    exact = Change("total", "Somebody 2027", sd=Fraction(5), reliability=Fraction(1, 2))
    hair = Fraction(1, 10**30)
    for sign in (1, -1):
        assert change.is_reliable(exact, sign * Fraction("9.8"))
        assert not change.is_reliable(exact, sign * (Fraction("9.8") - hair))
        assert change.is_reliable(RDAS, sign * Fraction("11.58"))
        assert not change.is_reliable(RDAS, sign * (Fraction("11.58") - hair))


@given(st.fractions(-100, 100), st.fractions(-100, 100))
def test_there_and_back(before: Fraction, after: Fraction) -> None:
    there, back = step(PLAIN, "higher", before, after), step(PLAIN, "higher", after, before)
    assert there.rc is not None
    assert back.rc is not None
    assert there.rc == pytest.approx(-back.rc)
    assert (there.category == "improved") is (back.category == "deteriorated")
    assert (there.category == "unchanged") is (back.category == "unchanged")
    # The same, seen as a measure of which less is better.
    assert step(PLAIN, "lower", after, before).category == there.category


@pytest.mark.parametrize(
    ("difference", "same"),
    [(Fraction("12.4"), True), (Fraction("12.5"), False), (Fraction("-12.5"), False)],
)
def test_without_a_known_error_nothing_is_called_reliable(difference: Fraction, same: bool) -> None:
    found = step(
        None, "higher", Fraction(50), Fraction(50) + difference, same_below=Fraction("12.5")
    )
    assert found == change.Step(difference, about_the_same=same)
    assert step(None, "higher", Fraction(1), Fraction(3)) == change.Step(Fraction(2))
    # Nor where nobody said which direction is wished for.
    assert step(RDAS, "", Fraction(40), Fraction(60)).category is None


@pytest.mark.parametrize(
    ("both", "shown", "apart"),
    [
        (("recovered", "deteriorated"), "deteriorated", True),
        (("improved", "deteriorated"), "deteriorated", True),
        (("recovered", "improved"), "improved", False),
        (("recovered", "unchanged"), "unchanged", False),
        (("unchanged", "deteriorated"), "deteriorated", False),
        (("deteriorated", "deteriorated"), "deteriorated", False),
        (("recovered", None), None, False),
        ((None, None), None, False),
        ((), None, False),
    ],
    ids=str,
)
def test_a_couple_shows_the_less_favourable(both: Any, shown: str | None, apart: bool) -> None:
    assert change.less_favourable(both) == shown
    assert change.less_favourable(reversed(both)) == shown
    assert change.moving_apart(both) is apart


def test_the_order_of_what_it_is_called() -> None:
    assert CATEGORIES == ("deteriorated", "unchanged", "improved", "recovered")
