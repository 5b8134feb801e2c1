"""Small multiples: one axis for all, gaps that stay gaps, lines that break with the questions."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from intake.rules import chart
from intake.rules.chart import Reading

START = datetime(2027, 1, 11, tzinfo=UTC)
HUNDRED = (Fraction(0), Fraction(100))


def readings(*values: int | None, versions: str = "") -> list[Reading]:
    return [
        Reading(
            START + timedelta(days=30 * place),
            None if value is None else Fraction(value),
            (versions or "1" * len(values))[place],
        )
        for place, value in enumerate(values)
    ]


def drawn(*values: int | None, versions: str = "", rci: int | None = None) -> chart.Line:
    of_one = readings(*values, versions=versions)
    panel = chart.panel(
        [("a", of_one)],
        along=chart.axis(one.at for one in of_one),
        limits=HUNDRED,
        rci=None if rci is None else Fraction(rci),
    )
    return panel.lines[0]


def test_a_line_goes_through_all_that_was_answered() -> None:
    line = drawn(0, 50, 100)
    assert len(line.marks) == 3
    assert len(line.pieces) == 1
    assert [one.y for one in line.marks] == [chart.BOTTOM, 58, chart.TOP]
    assert line.marks[0].x < line.marks[1].x < line.marks[2].x


def test_a_gap_stays_a_gap() -> None:
    line = drawn(10, 20, None, 30, 40)
    assert [piece.count("L") for piece in line.pieces] == [1, 1]
    assert len(line.marks) == 4


def test_a_new_version_breaks_the_line() -> None:
    assert [one.count("L") for one in drawn(1, 2, 3, 4, versions="1122").pieces] == [1, 1]
    # Two single marks are joined by nothing, nor is a change hidden in a gap.
    assert drawn(1, 2, versions="12").pieces == ()
    assert drawn(1, None, 2, versions="112").pieces == ()


def test_the_band_lies_around_where_somebody_began_under_these_questions() -> None:
    assert drawn(10, 20).band is None
    band = drawn(90, 50, 60, versions="122", rci=10).band
    assert band
    assert band.y < drawn(90, 50, 60).marks[1].y < band.y + band.height


def test_only_cuts_within_the_range_are_drawn() -> None:
    of_one = readings(1, 2)
    along = chart.axis(one.at for one in of_one)
    cuts = [Fraction(50), Fraction(101)]
    panel = chart.panel([("a", of_one)], along=along, limits=HUNDRED, cuts=cuts)
    assert panel.cuts == (58,)


def test_all_panels_share_one_axis_and_a_single_time_lies_in_the_middle() -> None:
    axis = chart.axis([START, START + timedelta(days=10)])
    assert axis.x(START) < axis.x(START + timedelta(days=5)) < axis.x(START + timedelta(days=10))
    assert chart.axis([START]).x(START) == (chart.LEFT + chart.RIGHT) / 2
    with pytest.raises(ValueError, match="no moment"):
        chart.axis([])
