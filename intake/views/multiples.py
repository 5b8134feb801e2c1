"""Small multiples: one score over time as a panel, with the same as a table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from intake.rules import chart
from intake.rules.chart import Axis, Panel, Reading


@dataclass(frozen=True, slots=True)
class Voice:
    """One person's readings of a score, the oldest first."""

    name: str
    mark: str
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One time in the table: each voice's value, and whether the questions changed before it."""

    at: datetime
    values: tuple[Fraction | None, ...]
    new_version: str


@dataclass(frozen=True, slots=True)
class Multiple:
    """A score over time."""

    label: str
    panel: Panel
    voices: tuple[Voice, ...]
    lines: tuple[Line, ...]
    box: str = chart.VIEW_BOX


def multiple(
    label: str,
    voices: Sequence[Voice],
    *,
    along: Axis,
    limits: tuple[Fraction, Fraction],
    cuts: Iterable[Fraction] = (),
    rci: Fraction | None = None,
) -> Multiple:
    """A panel of these voices and its table; readings of one time stand in one line."""
    panel = chart.panel(
        [(one.mark, one.readings) for one in voices],
        along=along,
        limits=limits,
        cuts=cuts,
        rci=rci,
    )
    return Multiple(label, panel, tuple(voices), tuple(_lines(voices)))


def _lines(voices: Sequence[Voice]) -> Iterable[Line]:
    by_time = [{one.at: one for one in voice.readings} for voice in voices]
    version = ""
    for at in sorted({at for times in by_time for at in times}):
        found = [times.get(at) for times in by_time]
        under = next(one.version for one in found if one is not None)
        changed = under if version and under != version else ""
        version = under
        yield Line(at, tuple(one.value if one else None for one in found), changed)
