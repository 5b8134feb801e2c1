"""An appointment as an iCalendar file (RFC 5545, 5546) that tells nobody what it is about."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

from icalendar import (
    Calendar,
    Event,
    Timezone,
    TimezoneDaylight,
    TimezoneStandard,
    vCalAddress,
    vText,
)

from practice.rules import wall

Method = Literal["PUBLISH", "REQUEST", "CANCEL"]

_SUMMARY: Final = "Appointment"
_PRODUCT: Final = "-//Duet//Appointment//EN"
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One attendee's appointment.

    `uid` stays for ever, `sequence` rises with every change, `stamped_at` is when this version
    was written. `organizer` is the practice's address, `attendee` the reader's own or none.
    """

    uid: str
    sequence: int
    method: Method
    starts_at: datetime
    ends_at: datetime
    zone: str
    stamped_at: datetime
    place: str = ""
    summary: str = _SUMMARY
    organizer: str = ""
    organizer_name: str = ""
    attendee: str = ""


def calendar(entry: Entry) -> bytes:
    """The file. Control characters in a text become blanks, so that none can add a line."""
    file = Calendar()
    file.add("prodid", _PRODUCT)
    file.add("version", "2.0")
    file.add("calscale", "GREGORIAN")
    file.add("method", entry.method)
    file.add_component(_event(entry))
    # The zone's block is long and always the same, so it is written once and put in as it is.
    clock = _zone(entry.zone, entry.starts_at.year)
    return bytes(file.to_ical()).replace(b"BEGIN:VEVENT", clock + b"BEGIN:VEVENT", 1)


def _event(entry: Entry) -> Event:
    starts_at, ends_at = _local(entry.starts_at, entry.zone), _local(entry.ends_at, entry.zone)
    if starts_at.fold or ends_at.fold:
        # A clock that shows this time twice can't say in a file which one is meant.
        starts_at, ends_at = wall.utc(starts_at), wall.utc(ends_at)
    event = Event()
    event.add("uid", entry.uid)
    event.add("sequence", entry.sequence)
    event.add("dtstamp", wall.utc(entry.stamped_at).replace(microsecond=0))
    event.add("dtstart", starts_at)
    event.add("dtend", ends_at)
    event.add("summary", _one_line(entry.summary))
    if entry.place:
        event.add("location", _one_line(entry.place))
    event.add("status", "CANCELLED" if entry.method == "CANCEL" else "CONFIRMED")
    event.add("class", "PRIVATE")
    if entry.organizer:
        organizer = vCalAddress(f"mailto:{_one_line(entry.organizer)}")
        organizer.params["CN"] = vText(_one_line(entry.organizer_name).replace('"', ""))
        event.add("organizer", organizer, encode=False)
    if entry.attendee:
        attendee = vCalAddress(f"mailto:{_one_line(entry.attendee)}")
        attendee.params["RSVP"] = vText("FALSE")
        event.add("attendee", attendee, encode=False)
    return event


def _local(moment: datetime, zone: str) -> datetime:
    return wall.utc(moment).astimezone(wall.zone_info(zone))


def _one_line(text: str) -> str:
    return "".join(
        " " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char for char in text
    )


@lru_cache(maxsize=256)
def _zone(name: str, year: int) -> bytes:
    """A zone's clock changes, from the year before `year` to the year after it.

    Written here, since the library dates the change to summer time by the new clock, an hour off
    what the standard asks for.
    """
    if name == "UTC":
        return b""
    block = Timezone()
    block.add("tzid", name)
    for at, before, after, daylight in _changes(name, year):
        part = TimezoneDaylight() if daylight else TimezoneStandard()
        part.add("dtstart", (at + before).replace(tzinfo=None))
        part.add("tzoffsetfrom", before)
        part.add("tzoffsetto", after)
        block.add_component(part)
    return bytes(block.to_ical())


def _changes(name: str, year: int) -> Iterator[tuple[datetime, timedelta, timedelta, bool]]:
    """Each change as its instant, the offset before and after, and whether it is summer time."""
    day, end = datetime(year - 1, 1, 1, tzinfo=UTC), datetime(year + 2, 1, 1, tzinfo=UTC)
    offset, daylight = _clock(day, name)
    yield day, offset, offset, daylight
    while day < end:
        if _clock(day + _DAY, name)[0] != offset:
            early, late = day, day + _DAY
            while late - early > _SECOND:
                middle = (early + (late - early) / 2).replace(microsecond=0)
                early, late = (
                    (middle, late) if _clock(middle, name)[0] == offset else (early, middle)
                )
            after, daylight = _clock(late, name)
            yield late, offset, after, daylight
            offset = after
        day += _DAY


def _clock(moment: datetime, name: str) -> tuple[timedelta, bool]:
    local = moment.astimezone(wall.zone_info(name))
    return local.utcoffset() or timedelta(), bool(local.dst())
