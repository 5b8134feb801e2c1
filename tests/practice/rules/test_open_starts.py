"""Open times: hours, busy time, buffers, notice, horizon and the asked window together."""

import pickle
import random
from datetime import UTC, date, datetime, timedelta
from typing import TypedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from practice.rules import slots, wall
from practice.rules.slots import Dated, Diary, Hours, Interval, Weekly, any_of, open_starts
from tests.practice.rules import brute_force

MONDAY = date(2030, 7, 1)
MIDNIGHT = wall.minute_floor(datetime(2030, 7, 1, tzinfo=UTC))
DAY: Interval = (MIDNIGHT, MIDNIGHT + 1440)
NINE_TO_NOON = Hours((Weekly(0, 540, 720, "UTC"),))
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Atlantic/Azores",
    "Pacific/Kiritimati",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "America/Santiago",
    "UTC",
)
# Days around which most of these zones change their clocks.
CHANGES = (date(2030, 3, 30), date(2030, 4, 6), date(2030, 9, 7), date(2030, 10, 26))


def free(
    hours: Hours = NINE_TO_NOON,
    busy: list[Interval] | None = None,
    rooms: list[Interval] | None = None,
    *,
    length: int = 60,
    step: int = 30,
    before: int = 0,
    after: int = 0,
    earliest: int = 0,
    latest: int = 10**10,
    window: Interval = DAY,
) -> list[int]:
    """Open starts as minutes of 1 July 2030, UTC."""
    found = open_starts(
        hours=hours,
        busy=[(start + MIDNIGHT, end + MIDNIGHT) for start, end in busy or []],
        rooms=[(start + MIDNIGHT, end + MIDNIGHT) for start, end in rooms or []],
        length=length,
        step=step,
        before=before,
        after=after,
        earliest=earliest,
        latest=latest,
        window=window,
    )
    return [start - MIDNIGHT for start in found]


def test_starts_lie_on_the_grid_from_the_opening_and_the_last_one_still_fits() -> None:
    assert free() == [540, 570, 600, 630, 660]
    assert free(length=50, step=25) == [540, 565, 590, 615, 640, 665]
    assert free(length=180) == [540]
    assert free(length=181) == []


def test_the_grid_starts_where_the_opening_does() -> None:
    assert free(Hours((Weekly(0, 555, 720, "UTC"),))) == [555, 585, 615, 645]


def test_a_session_may_touch_busy_time_but_not_overlap_it() -> None:
    assert free(busy=[(600, 660)]) == [540, 660]
    assert free(busy=[(601, 660)]) == [540, 660]
    assert free(busy=[(599, 660)]) == [660]
    assert free(busy=[(600, 661)]) == [540]


def test_buffers_keep_their_distance_on_both_sides() -> None:
    assert free(busy=[(630, 645)], before=15, step=15) == [540, 555, 570, 660]
    assert free(busy=[(630, 645)], after=15, step=15) == [540, 555, 645, 660]


def test_a_buffer_may_lie_outside_the_opening() -> None:
    assert free(before=60, after=60) == [540, 570, 600, 630, 660]
    assert free(busy=[(500, 530)], before=30) == [570, 600, 630, 660]
    assert free(busy=[(725, 800)], after=30) == [540, 570, 600, 630]


def test_a_room_in_use_blocks_the_session_and_not_its_buffers() -> None:
    assert free(rooms=[(600, 660)], before=30, after=30) == [540, 660]
    assert free(rooms=[(600, 660)], busy=[(660, 700)], after=15) == [540]
    assert free(rooms=[(610, 610)]) == free()


def test_busy_time_may_come_unsorted_overlapping_and_doubled() -> None:
    assert free(busy=[(630, 640), (540, 545), (535, 550), (540, 545)], step=10, length=30) == [
        550,
        560,
        570,
        580,
        590,
        600,
        640,
        650,
        660,
        670,
        680,
        690,
    ]


def test_busy_time_without_length_blocks_nothing() -> None:
    assert free(busy=[(600, 600), (630, 620)]) == free()


def test_busy_time_from_long_before_until_long_after_blocks_everything() -> None:
    assert free(busy=[(-100_000, 100_000)]) == []


def test_notice_and_horizon_count_for_the_start() -> None:
    assert free(earliest=MIDNIGHT + 600) == [600, 630, 660]
    assert free(earliest=MIDNIGHT + 601) == [630, 660]
    assert free(latest=MIDNIGHT + 600) == [540, 570]
    assert free(earliest=MIDNIGHT + 600, latest=MIDNIGHT + 600) == []


def test_the_window_takes_its_first_minute_and_not_its_last() -> None:
    assert free(window=(MIDNIGHT + 570, MIDNIGHT + 630)) == [570, 600]
    assert free(window=(MIDNIGHT + 571, MIDNIGHT + 631)) == [600, 630]
    assert free(window=(MIDNIGHT + 600, MIDNIGHT + 600)) == []
    assert free(window=(MIDNIGHT + 700, MIDNIGHT + 600)) == []


def test_hours_until_midnight_hold_a_session_that_ends_at_midnight() -> None:
    assert free(Hours((Weekly(0, 1320, 1440, "UTC"),))) == [1320, 1350, 1380]


def test_no_session_goes_over_midnight_even_where_hours_meet_there() -> None:
    hours = Hours((Weekly(0, 1380, 1440, "UTC"), Weekly(1, 0, 60, "UTC")))
    window = (MIDNIGHT, MIDNIGHT + 2880)
    assert free(hours, window=window) == [1380, 1440]


@pytest.mark.parametrize("weekday", range(7))
def test_hours_in_two_zones_that_overlap_offer_each_start_once_and_in_order(weekday: int) -> None:
    # The same real hours: Monday 20:00 in Honolulu is Tuesday 20:00 in Kiritimati.
    hours = Hours(
        (
            Weekly((weekday + 1) % 7, 1200, 1320, "Pacific/Kiritimati"),
            Weekly(weekday, 1200, 1320, "Pacific/Honolulu"),
        )
    )
    first = weekday * 1440 + 1800
    window = (MIDNIGHT + first - 360, MIDNIGHT + first + 1080)
    assert free(hours, window=window) == [first, first + 30, first + 60]


@pytest.mark.parametrize("weekday", range(7))
def test_hours_and_window_may_lie_on_different_dates(weekday: int) -> None:
    # Monday 00:00 to 02:00 in Kiritimati is Sunday 10:00 to 12:00 UTC ...
    east = Hours((Weekly(weekday, 0, 120, "Pacific/Kiritimati"),))
    the_day = (MIDNIGHT + (weekday + 7) * 1440, MIDNIGHT + (weekday + 8) * 1440)
    day_before = (the_day[0] - 1440, the_day[0])
    assert free(east, window=day_before) == [
        day_before[0] - MIDNIGHT + minute for minute in (600, 630, 660)
    ]
    assert free(east, window=the_day) == []
    # ... and Monday 22:00 to 24:00 in Honolulu is Tuesday 08:00 to 10:00 UTC.
    west = Hours((Weekly(weekday, 1320, 1440, "Pacific/Honolulu"),))
    day_after = (the_day[1], the_day[1] + 1440)
    assert free(west, window=day_after) == [
        day_after[0] - MIDNIGHT + minute for minute in (480, 510, 540)
    ]
    assert free(west, window=the_day) == []


def test_busy_time_just_outside_the_window_counts() -> None:
    early, late = (MIDNIGHT + 540, MIDNIGHT + 601), (MIDNIGHT + 600, MIDNIGHT + 720)
    assert free(window=early) == [540, 570, 600]
    assert free(window=early, busy=[(650, 655)]) == [540, 570]
    assert free(window=early, busy=[(665, 670)], after=15) == [540, 570]
    assert free(window=early, rooms=[(650, 655)]) == [540, 570]
    assert free(window=late, busy=[(580, 595)], before=15) == [630, 660]


def test_nobody_without_hours_is_free() -> None:
    assert free(Hours()) == []


@pytest.mark.parametrize(
    ("length", "step", "before", "after"),
    [(0, 30, 0, 0), (60, 0, 0, 0), (60, 30, -1, 0), (60, 30, 0, -1), (-60, 30, 0, 0)],
)
def test_a_session_without_length_or_step_or_with_negative_buffers_is_refused(
    length: int, step: int, before: int, after: int
) -> None:
    with pytest.raises(ValueError, match="last a minute"):
        free(length=length, step=step, before=before, after=after)


def test_windows_at_the_ends_of_the_calendar_are_empty_rather_than_errors() -> None:
    always = Hours(tuple(Weekly(day, 0, 1440, "UTC") for day in range(7)))
    far = 10**12
    for window in ((far, far + 2880), (-far, -far + 2880)):
        assert free(always, earliest=-far, latest=2 * far, window=window) == []


class Request(TypedDict):
    length: int
    step: int
    before: int
    after: int
    earliest: int
    latest: int
    window: Interval


@st.composite
def rule_sets(draw: st.DrawFn) -> Hours:
    zones = draw(st.lists(st.sampled_from(ZONES), min_size=1, max_size=2))
    edges = st.one_of(st.integers(0, 1440), st.integers(0, 96).map(lambda quarter: quarter * 15))
    pairs = st.tuples(edges, edges).map(lambda pair: (min(pair), max(pair)))
    weekly = [
        Weekly(weekday, *pair, draw(st.sampled_from(zones)))
        for weekday, pair in draw(
            st.lists(st.tuples(st.integers(0, 6), pairs), min_size=1, max_size=12)
        )
    ]
    dated = [
        Dated(draw(st.sampled_from(CHANGES)) + timedelta(days=1), zones[0], tuple(found))
        for found in draw(st.lists(st.lists(pairs, max_size=3), max_size=2))
    ]
    return Hours(tuple(weekly), tuple(dated))


@st.composite
def busy_around(draw: st.DrawFn, midnight: int) -> list[Interval]:
    starts = st.integers(midnight - 3000, midnight + 6000)
    return [
        (start, start + length)
        for start, length in draw(
            st.lists(st.tuples(starts, st.sampled_from((0, 1, 20, 50, 80, 700))), max_size=14)
        )
    ]


@st.composite
def requests(draw: st.DrawFn) -> Request:
    on = draw(st.sampled_from(CHANGES))
    midnight = wall.minute_floor(datetime(on.year, on.month, on.day, tzinfo=UTC))
    window_start = midnight + draw(st.integers(-1440, 1440))
    earliest = midnight + draw(st.sampled_from((-9999, 0, 61, 800)))
    return {
        "length": draw(st.sampled_from((1, 20, 50, 80, 240))),
        "step": draw(st.sampled_from((1, 15, 30, 50, 60))),
        "before": draw(st.sampled_from((0, 5, 30))),
        "after": draw(st.sampled_from((0, 10, 45))),
        "earliest": earliest,
        "latest": earliest + draw(st.sampled_from((0, 1000, 99_999))),
        "window": (window_start, window_start + draw(st.integers(0, 4000))),
    }


def expected(
    hours: Hours, busy: list[Interval], request: Request, rooms: list[Interval] | None = None
) -> list[int]:
    window = request["window"]
    first = date(1970, 1, 1) + timedelta(days=window[0] // 1440 - 2)
    spans = [
        span
        for day_spans in slots.openings(hours, first, first + timedelta(days=9)).values()
        for span in day_spans
    ]
    return brute_force.starts(spans, busy, rooms or (), **request)


@settings(deadline=None, max_examples=120)
@given(hours=rule_sets(), request=requests(), data=st.data())
def test_open_starts_are_those_that_asking_minute_by_minute_finds(
    hours: Hours, request: Request, data: st.DataObject
) -> None:
    window = request["window"]
    busy = data.draw(busy_around(window[0]))
    rooms = data.draw(busy_around(window[0]))
    found = open_starts(hours=hours, busy=busy, rooms=rooms, **request)
    assert found == expected(hours, busy, request, rooms)


@settings(deadline=None, max_examples=40)
@given(hours=rule_sets(), request=requests(), data=st.data())
def test_what_is_offered_does_not_depend_on_the_window_asked_for(
    hours: Hours, request: Request, data: st.DataObject
) -> None:
    window = request["window"]
    busy = data.draw(busy_around(window[0]))
    cut = data.draw(st.integers(*window))
    earlier: Request = {**request, "window": (window[0], cut)}
    later: Request = {**request, "window": (cut, window[1])}
    parts = [
        *open_starts(hours=hours, busy=busy, **earlier),
        *open_starts(hours=hours, busy=busy, **later),
    ]
    assert parts == open_starts(hours=hours, busy=busy, **request)


@settings(deadline=None, max_examples=40)
@given(hours=rule_sets(), request=requests(), data=st.data())
def test_the_order_of_busy_time_does_not_matter(
    hours: Hours, request: Request, data: st.DataObject
) -> None:
    window = request["window"]
    busy = data.draw(busy_around(window[0]))
    shuffled = data.draw(st.permutations(busy))
    assert open_starts(hours=hours, busy=busy, **request) == open_starts(
        hours=hours,
        busy=shuffled,
        **request,
    )


@settings(deadline=None, max_examples=40)
@given(
    many=st.lists(rule_sets(), min_size=1, max_size=3),
    repeat=st.booleans(),
    request=requests(),
    data=st.data(),
)
def test_anyone_is_each_counselor_asked_alone(
    many: list[Hours], repeat: bool, request: Request, data: st.DataObject
) -> None:
    window = request["window"]
    if repeat:
        many = [*many, many[0]]
    diaries = [
        Diary(
            f"counselor-{n}",
            hours,
            data.draw(busy_around(window[0])),
            data.draw(busy_around(window[0])),
        )
        for n, hours in enumerate(many)
    ]
    alone = {
        diary.counselor: set(
            open_starts(hours=diary.hours, busy=diary.busy, rooms=diary.rooms, **request)
        )
        for diary in diaries
    }
    found = any_of(diaries, **request)
    assert found == [
        (start, tuple(who for who, starts in alone.items() if start in starts))
        for start in sorted(set().union(*alone.values()))
    ]


def test_anyone_of_nobody_is_nobody() -> None:
    none: list[Diary[str]] = []
    assert any_of(none, length=60, step=30, earliest=0, latest=10**10, window=DAY) == []


def test_equal_hours_share_what_was_worked_out_and_differ_from_others() -> None:
    def hours(end: int = 720) -> Hours:
        return Hours((Weekly(0, 540, end, "UTC"),), (Dated(MONDAY, "UTC", ((600, 660),)),))

    assert hours() == hours()
    assert hash(hours()) == hash(hours())
    assert hours() != hours(721)
    assert pickle.loads(pickle.dumps(hours())) == hours()


def test_many_rule_sets_do_not_grow_the_memory_without_bound() -> None:
    assert slots._expansion.cache_info().maxsize is not None
    assert slots._week_of_starts.cache_info().maxsize is not None
    assert slots._openings_on.cache_info().maxsize is not None
    assert wall._plain_midnight.cache_info().maxsize is not None
    assert wall._edge.cache_info().maxsize is not None


def test_a_diary_full_of_other_weeks_does_not_change_this_week() -> None:
    chance = random.Random(20300701)
    hours = Hours(tuple(Weekly(day, 540, 1020, "Europe/Berlin") for day in range(5)))
    busy = [
        (start, start + 60)
        for start in (MIDNIGHT + 30 * chance.randrange(365 * 48) for _ in range(2_000))
    ]
    request: Request = {
        "length": 50,
        "step": 30,
        "before": 0,
        "after": 10,
        "earliest": MIDNIGHT,
        "latest": MIDNIGHT + 90 * 1440,
        "window": (MIDNIGHT, MIDNIGHT + 7 * 1440),
    }
    found = open_starts(hours=hours, busy=busy, **request)
    assert found == expected(hours, busy, request)
