"""The cycle map's geometry: where beads lie, and that the line is the one of all other pages."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.rules import map as cycle_map

LINE = Path(__file__).resolve().parents[3] / "templates/duet/components/_dance_line.html"
SCORES = st.fractions(min_value=0, max_value=100, max_denominator=16)


def numbers(path: str) -> list[float]:
    return [float(one) for one in re.findall(r"-?\d+(?:\.\d+)?", path)]


@pytest.mark.parametrize("loop", ["a", "b"])
def test_the_line_is_the_mark_of_every_other_page(loop: cycle_map.Loop) -> None:
    drawn = re.search(rf'<path class="{loop}" d="([^"]+)"', LINE.read_text())
    assert drawn
    assert numbers(cycle_map.stroke(loop)) == pytest.approx(numbers(drawn[1]), abs=0.11)


@given(SCORES, SCORES, SCORES)
def test_who_reaches_more_lies_nearer_to_the_crossing(
    reach: Fraction, more: Fraction, step: Fraction
) -> None:
    low, high = sorted((reach, more))
    near = cycle_map.bead("a", reach=high, step=step, seen_by="self")
    far = cycle_map.bead("a", reach=low, step=step, seen_by="self")
    assert near
    assert far
    assert near.x >= far.x
    assert near.r >= far.r


@given(SCORES, SCORES, st.sampled_from(["self", "other"]))
def test_the_loops_are_mirror_images(reach: Fraction, step: Fraction, seen_by: str) -> None:
    left = cycle_map.bead("a", reach=reach, step=step, seen_by=seen_by)  # type: ignore[arg-type]
    right = cycle_map.bead("b", reach=reach, step=step, seen_by=seen_by)  # type: ignore[arg-type]
    assert left
    assert right
    assert left.x + right.x == pytest.approx(640, abs=0.2)
    assert (left.y, left.r) == (right.y, right.r)
    # Each stays in its own loop, and the two never touch at the crossing.
    assert left.x + left.r * 1.2 < 320 < right.x - right.r * 1.2


def test_own_view_lies_above_and_the_others_below() -> None:
    own = cycle_map.bead("a", reach=Fraction(50), step=Fraction(50), seen_by="self")
    other = cycle_map.bead("a", reach=Fraction(50), step=Fraction(50), seen_by="other")
    assert own
    assert other
    assert own.y < 110 < other.y


def test_what_is_not_known_is_not_drawn() -> None:
    assert cycle_map.bead("a", reach=None, step=Fraction(3), seen_by="self") is None
    assert cycle_map.bead("a", reach=Fraction(3), step=None, seen_by="self") is None
    assert cycle_map.strip(None, None).own is None


def test_a_strip_runs_from_end_to_end() -> None:
    ends = cycle_map.strip(0, 100)
    assert (ends.own, ends.other) == (11, 169)
    assert cycle_map.ticks(4) == (11, 50.5, 90, 129.5, 169)
    assert not cycle_map.strip(Fraction(25), Fraction(25)).apart
    assert ends.apart
