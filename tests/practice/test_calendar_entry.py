"""The iCalendar file: one entry, readable by others, whatever the texts in it hold."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from practice.rules import calendar_entry
from practice.rules.calendar_entry import Entry
from tests.practice.rules.brute_force import clocks

START = datetime(2027, 1, 14, 15, tzinfo=UTC)


def written(**fields: object) -> bytes:
    values: dict[str, object] = {
        "uid": "1@elm.example.org",
        "sequence": 0,
        "method": "REQUEST",
        "starts_at": START,
        "ends_at": START + timedelta(minutes=50),
        "zone": "America/New_York",
        "stamped_at": START - timedelta(days=3, microseconds=5),
    }
    return calendar_entry.calendar(Entry(**(values | fields)))  # type: ignore[arg-type]


def event(content: bytes) -> Any:
    (one,) = Calendar.from_ical(content).walk("VEVENT")
    return one


@pytest.mark.parametrize(
    "value",
    [
        "x\r\nATTENDEE:mailto:evil@example.org",
        "x\nBEGIN:VALARM",
        "x\rX-EVIL:1",
        "a;b,c\\d",
        "x\u2028X-EVIL:1",
        "x\x0b\x0c\x1c\x1d\x1e\x85X-EVIL:1",
        "e\u0301" * 60 + "日本" * 60,
        'quote "in" the middle',
    ],
)
@pytest.mark.parametrize("field", ["summary", "place", "organizer_name"])
def test_no_text_adds_a_line_or_a_property(field: str, value: str) -> None:
    content = written(organizer="p@elm.example.org", **{field: value})
    calendar = Calendar.from_ical(content)
    assert [part.name for part in calendar.walk()].count("VEVENT") == 1
    assert not calendar.walk("VALARM")
    properties = set(event(content)) - {"LOCATION"}
    assert properties == {
        "UID", "SEQUENCE", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "STATUS", "CLASS", "ORGANIZER"
    }  # fmt: skip
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    content.decode()  # no character was cut in two by the folding


@pytest.mark.parametrize("value", ["a;b,c\\d", "12 Lantern Street", "e\u0301" * 60])
def test_a_place_is_read_back_as_it_was(value: str) -> None:
    assert str(event(written(place=value))["LOCATION"]) == value


def test_the_moment_of_writing_has_no_fraction_and_is_utc() -> None:
    assert b"DTSTAMP:20270111T145959Z" in written()


def test_a_cancelled_one_says_so_twice() -> None:
    content = written(method="CANCEL", sequence=3)
    assert b"METHOD:CANCEL" in content
    assert str(event(content)["STATUS"]) == "CANCELLED"
    assert int(event(content)["SEQUENCE"]) == 3


def test_utc_needs_no_block_of_its_own() -> None:
    content = written(zone="UTC")
    assert b"VTIMEZONE" not in content
    assert b"DTSTART:20270114T150000Z" in content


def test_a_time_that_the_clock_shows_twice_is_written_in_utc() -> None:
    second_half_past_one = datetime(2027, 11, 7, 6, 30, tzinfo=UTC)
    content = written(
        starts_at=second_half_past_one, ends_at=second_half_past_one + timedelta(minutes=50)
    )
    assert b"DTSTART:20271107T063000Z" in content


def test_the_change_to_summer_time_is_dated_by_the_old_clock() -> None:
    assert b"DTSTART:20270314T020000\r\nTZOFFSETFROM:-0500\r\nTZOFFSETTO:-0400" in written()


def _offset_by_block(content: bytes, moment: datetime) -> timedelta:
    """What the file's own block says of a moment: the last change at or before it."""
    block: Any = Calendar.from_ical(content).walk("VTIMEZONE")[0]
    changes: list[tuple[datetime, timedelta]] = []
    for part in block.subcomponents:
        before = part["TZOFFSETFROM"].td
        at = part["DTSTART"].dt.replace(tzinfo=UTC) - before
        changes.append((at, part["TZOFFSETTO"].td))
    return max(change for change in changes if change[0] <= moment)[1]


@given(zone=st.sampled_from(clocks()), on=st.dates(date(2026, 1, 1), date(2036, 1, 1)))
@settings(max_examples=80, deadline=None)
def test_the_block_agrees_with_the_zone_data_in_every_zone(zone: str, on: date) -> None:
    start = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    content = written(zone=zone, starts_at=start, ends_at=start + timedelta(minutes=50))
    if b"VTIMEZONE" in content:
        assert _offset_by_block(content, start) == start.astimezone(ZoneInfo(zone)).utcoffset()
    assert event(content).start.astimezone(UTC) == start
