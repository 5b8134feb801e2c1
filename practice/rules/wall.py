"""Wall clock and instants: zone names, local readings, and the moments at which a zone changes.

Instants are integer minutes since 1970-01-01 00:00 UTC ("epoch minutes"). Zone data comes from
`zoneinfo`; which names exist, and which are old spellings of others, from the `tzdata` package.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

DAY: Final = 1440
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  (wall clock readings are naive on purpose)
_EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()

# The link lines of tzdata say which clocks agree, not which names are old: Europe/Oslo is a link
# to Europe/Berlin, and America/Coral_Harbour one to America/Panama. Names in zone.tab therefore
# stand, and these old spellings go to the city that they spell, which is itself such a link.
_SPELLS: Final = {
    "Africa/Asmera": "Africa/Asmara",
    "Africa/Timbuktu": "Africa/Bamako",
    "America/Coral_Harbour": "America/Atikokan",
    "America/Virgin": "America/St_Thomas",
    "Antarctica/South_Pole": "Antarctica/McMurdo",
    "Atlantic/Jan_Mayen": "Arctic/Longyearbyen",
    "Iceland": "Atlantic/Reykjavik",
    "Pacific/Ponape": "Pacific/Pohnpei",
    "Pacific/Truk": "Pacific/Chuuk",
    "Pacific/Yap": "Pacific/Chuuk",
}
# Kept by tzdata for old programs: they name a clock, not a place, so no city may stand for them.
_CLOCKS: Final = frozenset(
    "CET CST6CDT EET EST EST5EDT HST MET MST MST7MDT PST8PDT WET".split()  # noqa: SIM905
)
_NO_PLACE: Final = frozenset({"Factory"})


class UnknownZone(ValueError):
    """The name is not one of the IANA time zone names that this installation has."""

    sentence: Final = "Choose a time zone from the list, such as Europe/Berlin."

    def __init__(self) -> None:
        super().__init__(self.sentence)


class LocalTimeRefused(ValueError):
    """A wall clock reading that names no instant, or two; `code` says which.

    Codes: `form` (not HH:MM), `missing` (the clock skips it), `twice` (it comes twice and no
    offset was given), `offset` (it does not have the given offset). `offsets` are those that it
    does have: none when it is missing, two when it comes twice.
    """

    def __init__(self, code: str, sentence: str, offsets: tuple[timedelta, ...] = ()) -> None:
        super().__init__(sentence)
        self.code: Final = code
        self.sentence: Final = sentence
        self.offsets: Final = offsets


@cache
def _canonical_names() -> Mapping[str, str]:
    """Every accepted name with the name to store; read once from the tzdata package."""
    package = files("tzdata")
    zone_tab = (package / "zoneinfo" / "zone.tab").read_text("utf-8")
    places = {line.split("\t")[2] for line in zone_tab.splitlines() if line[:1] not in ("", "#")}
    names = set((package / "zones").read_text("utf-8").split()) - _NO_PLACE
    canonical = {name: name for name in names}
    renamed = names - places - _CLOCKS
    for line in (package / "zoneinfo" / "tzdata.zi").read_text("utf-8").splitlines():
        fields = line.split()
        if fields[:1] == ["L"] and fields[2] in renamed:
            canonical[fields[2]] = _SPELLS.get(fields[2], fields[1])
    return MappingProxyType(
        {name: "UTC" if to == "Etc/UTC" else to for name, to in canonical.items()}
    )


def zone_names() -> frozenset[str]:
    """All accepted names, old spellings included."""
    return frozenset(_canonical_names())


def canonical_zone(name: str) -> str:
    """The name to store for `name` (Asia/Calcutta gives Asia/Kolkata); refuses unlisted names."""
    try:
        return _canonical_names()[name]
    except KeyError:
        raise UnknownZone from None


def zone_info(name: str) -> ZoneInfo:
    """The zone's data; the name is looked up in the list first, so no path reaches a loader."""
    return ZoneInfo(canonical_zone(name))


def wall(minutes: int, zone: str) -> datetime:
    """The local reading, with its offset, of an instant in epoch minutes."""
    return datetime.fromtimestamp(minutes * 60, UTC).astimezone(zone_info(zone))


@lru_cache(maxsize=16_384)
def instant(minutes: int) -> datetime:
    """The aware UTC datetime of an instant in epoch minutes; a diary asks for the same ones."""
    return datetime.fromtimestamp(minutes * 60, UTC)


def utc(moment: datetime) -> datetime:
    """The same instant in UTC, where adding minutes adds real ones; refuses a naive datetime.

    In any other zone Python adds and compares wall clock readings.
    """
    if moment.tzinfo is None:
        raise ValueError("An instant needs a zone: this datetime is naive.")
    return moment.astimezone(UTC)


def minute_floor(moment: datetime) -> int:
    """Epoch minutes of an aware datetime, rounded down; use it where a period starts."""
    return (moment - _EPOCH_UTC) // _MINUTE


def minute_ceiling(moment: datetime) -> int:
    """Epoch minutes of an aware datetime, rounded up; use it where a period ends."""
    return -((_EPOCH_UTC - moment) // _MINUTE)


def resolve(on: date, at: str, zone: str, offset: timedelta | None = None) -> int:
    """Epoch minutes of the wall clock time `at` ("HH:MM") on a date.

    Refuses a time that the zone skips, one that it has twice unless `offset` (from UTC) says
    which, and any time whose offset there is another than the one given.
    """
    reading = _reading(on, at)
    offsets = _offsets(reading, zone_info(zone))
    if not offsets:
        raise LocalTimeRefused(
            "missing", f"{at} does not exist on {on} in {zone}: the clocks go forward then."
        )
    if offset is None and len(offsets) > 1:
        raise LocalTimeRefused(
            "twice", f"{at} comes twice on {on} in {zone}: say which one by its offset.", offsets
        )
    if offset is not None and offset not in offsets:
        raise LocalTimeRefused(
            "offset", f"{at} on {on} in {zone} does not have that offset from UTC.", offsets
        )
    return _minutes(reading - (offsets[0] if offset is None else offset))


def first_minute(on: date, minute: int, zone: str) -> int:
    """Epoch minutes of the earliest instant at which the clock shows `minute` (0..1440) of a date.

    A reading that is skipped gives the moment of the change.
    """
    return _edge(zone, on.toordinal(), minute)[0]


def last_minute(on: date, minute: int, zone: str) -> int:
    """As `first_minute`, for the latest such instant."""
    return _edge(zone, on.toordinal(), minute)[1]


def opening(zone: str, ordinal: int, start: int, end: int) -> tuple[int, int]:
    """The real minutes from wall clock minute `start` to `end` (0..1440) of the date `ordinal`.

    Edges that are skipped move to the moment of the change. Edges that come twice are read
    narrowly (start at the second, end at the first); if that leaves nothing, both at the first.
    The result is empty (end not after start) when the zone skips all of it.
    """
    midnight = _plain_midnight(zone, ordinal)
    if midnight is not None:
        return midnight + start, midnight + end
    start_first, start_last = _edge(zone, ordinal, start)
    end_first, _ = _edge(zone, ordinal, end)
    if start_last < end_first:
        return start_last, end_first
    return start_first, end_first


@lru_cache(maxsize=65_536)
def _plain_midnight(zone: str, ordinal: int) -> int | None:
    """Epoch minutes of a date's 00:00 if its clock runs evenly from there to 24:00, else None."""
    zone_data = zone_info(zone)
    midnight = datetime.fromordinal(ordinal)
    # The offset before any change that touches 00:00, and the one after any that touches 24:00.
    # No zone has ever changed and changed back within one date.
    offset = _offset(midnight, zone_data, 0)
    if _offset(midnight + timedelta(days=1), zone_data, 1) != offset or offset % _MINUTE:
        return None
    return (ordinal - _EPOCH_ORDINAL) * DAY - offset // _MINUTE


@lru_cache(maxsize=8_192)
def _edge(zone: str, ordinal: int, minute: int) -> tuple[int, int]:
    """The first and the last instant at which a date's clock shows `minute` (0..1440)."""
    zone_data = zone_info(zone)
    reading = datetime.fromordinal(ordinal) + timedelta(minutes=minute)
    early, late = (
        _minutes(reading - _offset(reading, zone_data, fold), up=bool(fold)) for fold in (0, 1)
    )
    if early <= late:
        return early, late
    # In a gap, `late` (the offset after the change) lies before it and `early` at or behind it.
    before = _offset_at(late, zone_data)
    unchanged, changed = late, early
    while changed - unchanged > 1:
        middle = (unchanged + changed) // 2
        if _offset_at(middle, zone_data) == before:
            unchanged = middle
        else:
            changed = middle
    return changed, changed


def _offsets(reading: datetime, zone_data: ZoneInfo) -> tuple[timedelta, ...]:
    """The offsets under which a zone's clock shows `reading`: none, one, or two in order."""
    found = (_offset(reading, zone_data, 0), _offset(reading, zone_data, 1))
    if found[0] < found[1]:
        return ()
    return found if found[0] > found[1] else found[:1]


def _offset(reading: datetime, zone_data: ZoneInfo, fold: int) -> timedelta:
    return reading.replace(tzinfo=zone_data, fold=fold).utcoffset() or timedelta()


def _offset_at(minutes: int, zone_data: ZoneInfo) -> timedelta:
    return instant(minutes).astimezone(zone_data).utcoffset() or timedelta()


def _minutes(utc_reading: datetime, *, up: bool = False) -> int:
    """Epoch minutes of a naive UTC reading; offsets with seconds are rounded as asked."""
    seconds = (utc_reading - _EPOCH) // timedelta(seconds=1)
    return -(-seconds // 60) if up else seconds // 60


def _reading(on: date, at: str) -> datetime:
    hour, colon, minute = at.partition(":")
    digits = len(hour) == len(minute) == 2 and (hour + minute).isdecimal() and at.isascii()
    if not (colon and digits and int(hour) < 24 and int(minute) < 60):
        raise LocalTimeRefused("form", "Give the time as HH:MM, from 00:00 to 23:59.")
    return datetime(on.year, on.month, on.day, int(hour), int(minute))  # noqa: DTZ001
