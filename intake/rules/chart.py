"""Small multiples as geometry: one panel for a score, one line for each voice, one axis for all.

A version change breaks a line, and what wasn't answered stays a gap: nothing is drawn between.
All coordinates are of the view box `VIEW_BOX`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final

from intake.rules.map import diamond

VIEW_BOX: Final = "0 0 300 128"
LEFT, RIGHT, TOP, BOTTOM = 34.0, 288.0, 12.0, 104.0
_RADIUS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One person's score at one moment, under one version; without a value a gap."""

    at: datetime
    value: Fraction | None
    version: str
    # Of the round; what belongs together stands in one line of the table.
    number: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """One reading on the panel."""

    x: float
    y: float

    @property
    def diamond(self) -> str:
        return diamond(self.x, self.y, _RADIUS * 1.25)


@dataclass(frozen=True, slots=True)
class Band:
    """Within what error alone could move a score, around where somebody began."""

    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """A voice's line: unbroken pieces, the marks on them, and the band around its beginning."""

    voice: str
    pieces: tuple[str, ...]
    marks: tuple[Mark, ...]
    band: Band | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place of the upright axis."""

    y: float
    value: Fraction


@dataclass(frozen=True, slots=True)
class Panel:
    """One score over time."""

    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    cuts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """The time that all panels of a page share."""

    first: datetime
    last: datetime

    def x(self, at: datetime) -> float:
        """Where a moment lies; alone it lies in the middle."""
        length = (self.last - self.first).total_seconds()
        if not length:
            return (LEFT + RIGHT) / 2
        share = (at - self.first).total_seconds() / length
        # Marks at the ends stay whole.
        return round(LEFT + 10 + (RIGHT - LEFT - 18) * share, 1)


def axis(moments: Iterable[datetime]) -> Axis:
    """The axis from the first of these to the last. Refuses (ValueError) none at all."""
    known = sorted(moments)
    if not known:
        raise ValueError("An axis of no moment.")
    return Axis(known[0], known[-1])


def panel(
    readings: Sequence[tuple[str, Sequence[Reading]]],
    *,
    along: Axis,
    limits: tuple[Fraction, Fraction],
    cuts: Iterable[Fraction] = (),
    rci: Fraction | None = None,
) -> Panel:
    """A panel of each voice's readings, the oldest first. `cuts` and `rci` only where cited."""
    low, high = limits
    middle = (low + high) / 2

    def y(value: Fraction) -> float:
        share = float((value - low) / (high - low)) if high != low else 0.5
        return round(BOTTOM - (BOTTOM - TOP) * min(max(share, 0.0), 1.0), 1)

    return Panel(
        tuple(_line(voice, of_voice, along, y, rci) for voice, of_voice in readings),
        tuple(Tick(y(value), value) for value in (low, middle, high)),
        tuple(y(cut) for cut in cuts if low <= cut <= high),
    )


def _line(
    voice: str,
    readings: Sequence[Reading],
    along: Axis,
    y: Callable[[Fraction], float],
    rci: Fraction | None,
) -> Line:
    marks = [None if one.value is None else Mark(along.x(one.at), y(one.value)) for one in readings]
    pieces: list[list[Mark]] = []
    broken = True
    for place, (reading, mark) in enumerate(zip(readings, marks, strict=True)):
        broken = broken or reading.version != readings[place - 1].version
        if mark is not None:
            pieces = [*pieces, []] if broken else pieces
            pieces[-1].append(mark)
        broken = mark is None
    return Line(
        voice,
        tuple(_path(piece) for piece in pieces if len(piece) > 1),
        tuple(mark for mark in marks if mark is not None),
        _band(readings, y, rci),
    )


def _path(piece: Sequence[Mark]) -> str:
    return "M" + "L".join(f"{one.x:g} {one.y:g}" for one in piece)


def _band(
    readings: Sequence[Reading], y: Callable[[Fraction], float], rci: Fraction | None
) -> Band | None:
    """Around the first score under the version that is answered now."""
    if rci is None or not readings:
        return None
    version = readings[-1].version
    began = [one.value for one in readings if one.version == version and one.value is not None]
    if not began:
        return None
    top, bottom = y(began[0] + rci), y(began[0] - rci)
    return Band(top, round(bottom - top, 1))
