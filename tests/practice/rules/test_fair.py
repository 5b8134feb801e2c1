"""Who gets a booking that asked for anyone."""

from datetime import UTC, datetime

import pytest

from practice.rules import fair, wall


def minutes(text: str) -> int:
    return wall.minute_floor(datetime.fromisoformat(text).replace(tzinfo=UTC))


def test_the_one_with_the_fewest_booked_minutes_is_chosen() -> None:
    assert fair.choose(["ada", "ben", "cleo"], {"ada": 240, "ben": 80, "cleo": 160}) == "ben"


def test_nothing_booked_is_fewest() -> None:
    assert fair.choose(["ada", "ben"], {"ada": 80}) == "ben"


def test_among_equals_the_order_given_decides() -> None:
    assert fair.choose(["cleo", "ada", "ben"], {"ada": 80, "ben": 80, "cleo": 80}) == "cleo"
    assert fair.choose(["ben", "ada"], {}) == "ben"


def test_choosing_from_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="Nobody"):
        fair.choose([], {})


def test_the_week_runs_from_monday_to_monday_on_the_wall_clock_of_the_zone() -> None:
    # 23:30 UTC on Sunday is Monday in Berlin.
    sunday_late = minutes("2030-07-07T23:30")
    assert fair.week_of(sunday_late, "UTC") == (
        minutes("2030-07-01T00:00"),
        minutes("2030-07-08T00:00"),
    )
    assert fair.week_of(sunday_late, "Europe/Berlin") == (
        minutes("2030-07-07T22:00"),
        minutes("2030-07-14T22:00"),
    )


def test_a_week_in_which_clocks_change_is_longer_or_shorter() -> None:
    week = fair.week_of(minutes("2030-10-24T12:00"), "Europe/Berlin")
    assert week[1] - week[0] == 7 * 1440 + 60


def test_only_the_minutes_within_the_week_count() -> None:
    week = (10_000, 20_000)
    sessions = [(9_950, 10_050), (15_000, 15_080), (19_990, 20_070), (1, 2), (30_000, 30_050)]
    assert fair.booked_in(week, sessions) == 50 + 80 + 10
