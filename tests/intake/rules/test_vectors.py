"""Worked examples: all that are shipped come out; one that doesn't is named."""

from fractions import Fraction
from typing import Any

import pytest

from intake.rules import vectors
from tests.intake.rules import shipped


@pytest.mark.parametrize(("slug", "place"), list(shipped.vectors()))
def test_each_worked_example_comes_out(slug: str, place: int) -> None:
    definition = shipped.definition(slug)
    vector = definition.vectors[place]
    found = vectors.results(definition, vector.answers)
    for name, expected in vector.expected.items():
        assert vectors.agrees(found[name], expected), (vector.id, name, found[name])
    if definition.scorer == "cycle":
        assert found.keys() == vector.expected.keys()


@pytest.mark.parametrize(
    ("found", "expected", "same"),
    [
        pytest.param(Fraction(50, 3), 16.6667, True, id="rounded"),
        pytest.param(Fraction(50, 3), 16.6669, False, id="beyond-the-tolerance"),
        pytest.param(Fraction(0), 0, True, id="nought"),
        pytest.param(None, 0, False, id="none-is-not-nought"),
        pytest.param(Fraction(0), None, False, id="nought-is-not-none"),
        pytest.param(Fraction(1), True, False, id="one-is-not-true"),
        pytest.param(True, True, True, id="true"),
        pytest.param(False, None, False, id="false-is-not-none"),
        pytest.param({"a": None}, {"a": None}, True, id="mapping"),
        pytest.param({"a": None, "b": None}, {"a": None}, False, id="one-name-more"),
        pytest.param(["a"], [], False, id="one-more"),
    ],
)
def test_what_agrees(found: Any, expected: Any, same: bool) -> None:
    assert vectors.agrees(found, expected) is same


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Fraction(50), 50),
        (Fraction(50, 3), 16.6667),
        (Fraction(-50, 3), -16.6667),
        (Fraction(1, 20_000), 0.0001),
        (Fraction(-1, 20_000), -0.0001),
        (Fraction(1, 30_000), 0),
    ],
    ids=str,
)
def test_numbers_are_told_to_four_places(value: Fraction, shown: float) -> None:
    assert vectors.plain(value) == shown
    assert isinstance(vectors.plain(value), type(shown))
