"""Zone names, and wall clock readings that exist once, twice or never."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from practice.rules import wall
from tests.practice.rules import brute_force

SPRING = date(2030, 3, 31)
AUTUMN = date(2030, 10, 27)
BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "UTC+25",
        "localtime",
        "posixrules",
        "Factory",
        "posix/Europe/Berlin",
        "right/Europe/Berlin",
        "EST5EDT; DROP TABLE",
        "EST5EDT,M3.2.0,M11.1.0",
        "Europe/Atlantis",
        "Europe",
        "europe/berlin",
        "Europe/Berlin ",
        "Europe/Berlin\x00",
        "../../etc/passwd",
        "/usr/share/zoneinfo/Europe/Berlin",
        "Europe/../Europe/Berlin",
        "zone.tab",
        "tzdata.zi",
        "Europe/Berlin" * 1000,
        "\ud800",
    ],
)
def test_names_that_are_not_in_the_list_are_refused_in_words(name: str) -> None:
    for ask in (wall.canonical_zone, wall.zone_info):
        with pytest.raises(wall.UnknownZone) as refused:
            ask(name)
        # One sentence for all of them, which repeats nothing that was typed.
        assert str(refused.value) == "Choose a time zone from the list, such as Europe/Berlin."
    assert name not in wall.zone_names()


@pytest.mark.parametrize(
    ("old", "canonical"),
    [
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("America/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("US/Pacific", "America/Los_Angeles"),
        ("America/Montreal", "America/Toronto"),
        ("Asia/Saigon", "Asia/Ho_Chi_Minh"),
        ("America/Godthab", "America/Nuuk"),
        ("Etc/UTC", "UTC"),
        ("Zulu", "UTC"),
        ("GMT", "Etc/GMT"),
        # Not the city with the same clock in another country, where tzdata's link leads.
        ("Iceland", "Atlantic/Reykjavik"),
        ("America/Coral_Harbour", "America/Atikokan"),
        ("Pacific/Truk", "Pacific/Chuuk"),
    ],
)
def test_old_spellings_get_their_present_name(old: str, canonical: str) -> None:
    assert wall.canonical_zone(old) == canonical


@pytest.mark.parametrize(
    "name",
    [
        "Europe/Oslo",
        "Europe/Amsterdam",
        "Africa/Accra",
        "Atlantic/Reykjavik",
        "America/Nassau",
        "Asia/Kuwait",
        "Pacific/Chuuk",
        "Europe/Berlin",
        "UTC",
        "Etc/GMT-14",
        "EST5EDT",
        "EST",
        "CET",
    ],
)
def test_present_names_stand_even_where_another_city_has_the_same_clock(name: str) -> None:
    assert wall.canonical_zone(name) == name


def test_each_canonical_name_is_canonical_and_has_the_same_clock() -> None:
    moments = [datetime(year, month, 1, tzinfo=UTC) for year in (2024, 2030) for month in (1, 7)]
    for name in wall.zone_names():
        canonical = wall.canonical_zone(name)
        assert wall.canonical_zone(canonical) == canonical
        for moment in moments:
            offsets = [moment.astimezone(ZoneInfo(zone)).utcoffset() for zone in (name, canonical)]
            assert offsets[0] == offsets[1], name


def test_every_city_of_every_country_is_in_the_list() -> None:
    assert len(wall.zone_names()) > 590
    assert set(brute_force.clocks()) <= wall.zone_names()


def test_an_instant_reads_as_its_local_time_with_offset() -> None:
    at = wall.minute_floor(datetime(2030, 7, 1, 8, tzinfo=UTC))
    assert wall.wall(at, BERLIN).isoformat() == "2030-07-01T10:00:00+02:00"
    assert wall.wall(at, "Asia/Calcutta").isoformat() == "2030-07-01T13:30:00+05:30"
    assert wall.instant(at) == datetime(2030, 7, 1, 8, tzinfo=UTC)


def test_minutes_round_down_where_a_period_starts_and_up_where_it_ends() -> None:
    whole = datetime(2030, 7, 1, 8, tzinfo=UTC)
    assert wall.minute_floor(whole) == wall.minute_ceiling(whole)
    for part in (timedelta(microseconds=1), timedelta(seconds=59)):
        assert wall.minute_floor(whole + part) == wall.minute_floor(whole)
        assert wall.minute_ceiling(whole + part) == wall.minute_floor(whole) + 1
    before_1970 = datetime(1969, 12, 31, 23, 59, 30, tzinfo=UTC)
    assert (wall.minute_floor(before_1970), wall.minute_ceiling(before_1970)) == (-1, 0)


def test_an_instant_may_come_in_any_zone_but_not_without_one() -> None:
    in_utc = datetime(2030, 10, 27, 1, 30, tzinfo=UTC)
    assert wall.minute_floor(in_utc.astimezone(ZoneInfo(BERLIN))) == wall.minute_floor(in_utc)
    naive = datetime(2030, 7, 1, 8)  # noqa: DTZ001
    with pytest.raises(TypeError):
        wall.minute_floor(naive)
    with pytest.raises(ValueError, match="naive"):
        wall.utc(naive)


def test_a_time_that_exists_once_resolves_with_and_without_its_offset() -> None:
    expected = wall.minute_floor(datetime(2030, 7, 1, 8, tzinfo=UTC))
    assert wall.resolve(date(2030, 7, 1), "10:00", BERLIN) == expected
    assert wall.resolve(date(2030, 7, 1), "10:00", BERLIN, timedelta(hours=2)) == expected


def test_a_time_that_the_clock_skips_is_refused_whatever_the_offset() -> None:
    for offset in (None, timedelta(hours=1), timedelta(hours=2)):
        with pytest.raises(wall.LocalTimeRefused, match="does not exist") as refused:
            wall.resolve(SPRING, "02:30", BERLIN, offset)
        assert refused.value.code == "missing"
        assert refused.value.offsets == ()


def test_a_time_that_comes_twice_needs_its_offset() -> None:
    with pytest.raises(wall.LocalTimeRefused, match="comes twice") as refused:
        wall.resolve(AUTUMN, "02:30", BERLIN)
    assert refused.value.code == "twice"
    assert refused.value.offsets == (timedelta(hours=2), timedelta(hours=1))
    first, second = (wall.resolve(AUTUMN, "02:30", BERLIN, each) for each in refused.value.offsets)
    assert second - first == 60
    assert wall.wall(second, BERLIN).isoformat() == "2030-10-27T02:30:00+01:00"


def test_an_offset_that_the_time_does_not_have_is_refused() -> None:
    with pytest.raises(wall.LocalTimeRefused, match="does not have that offset") as refused:
        wall.resolve(date(2030, 7, 1), "10:00", BERLIN, timedelta(hours=9))
    assert refused.value.code == "offset"
    assert refused.value.offsets == (timedelta(hours=2),)


@pytest.mark.parametrize(
    "text", ["", "9:00", "09:0", "24:00", "12:60", "09.00", "0900", "-1:00", "１０:00", "09:00:00"]
)
def test_a_time_that_is_not_hours_and_minutes_is_refused(text: str) -> None:
    with pytest.raises(wall.LocalTimeRefused) as refused:
        wall.resolve(SPRING, text, BERLIN)
    assert refused.value.code == "form"


def test_a_time_in_an_unlisted_zone_is_refused() -> None:
    with pytest.raises(wall.UnknownZone):
        wall.resolve(SPRING, "10:00", "Europe/Atlantis")


@settings(deadline=None, max_examples=300)
@given(
    zone=st.sampled_from(brute_force.clocks()),
    minutes=st.integers(
        wall.minute_floor(datetime(2000, 1, 1, tzinfo=UTC)),
        wall.minute_floor(datetime(2037, 1, 1, tzinfo=UTC)),
    ),
)
def test_what_an_instant_shows_leads_back_to_it(zone: str, minutes: int) -> None:
    local = wall.wall(minutes, zone)
    offset = local.utcoffset()
    assert wall.resolve(local.date(), local.strftime("%H:%M"), zone, offset) == minutes


def test_on_change_days_a_reading_resolves_as_often_as_the_clock_shows_it() -> None:
    for zone, on in (*brute_force.change_days(2030, 2030), *brute_force.ODD_PAST):
        shown = brute_force.day(zone, on).shown
        times_shown = Counter(minute for _, minute in shown)
        for minute in range(0, 1440, 10):
            reading = f"{minute // 60:02}:{minute % 60:02}"
            if times_shown[minute] == 1:
                assert (wall.resolve(on, reading, zone), minute) in shown
                continue
            with pytest.raises(wall.LocalTimeRefused) as refused:
                wall.resolve(on, reading, zone)
            assert refused.value.code == ("twice" if times_shown[minute] else "missing")
            assert len(refused.value.offsets) == times_shown[minute]


def test_edges_of_a_reading_are_its_first_and_its_last_instant() -> None:
    first, last = (edge(AUTUMN, 150, BERLIN) for edge in (wall.first_minute, wall.last_minute))
    assert last - first == 60
    assert wall.first_minute(SPRING, 150, BERLIN) == wall.last_minute(SPRING, 150, BERLIN)
    assert wall.wall(wall.first_minute(SPRING, 150, BERLIN), BERLIN).hour == 3
    assert wall.first_minute(SPRING, 1440, BERLIN) == wall.first_minute(
        SPRING + timedelta(days=1), 0, BERLIN
    )


def test_a_fixed_offset_is_not_taken_for_a_zone() -> None:
    fixed = datetime(2030, 7, 1, 10, tzinfo=timezone(timedelta(hours=9)))
    assert wall.wall(wall.minute_floor(fixed), BERLIN).isoformat() == "2030-07-01T03:00:00+02:00"
