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
    """One round in the table: when the last of them answered, each voice's value, and the new
    version where the questions changed before it.
    """

    at: datetime
    values: tuple[Fraction | None, ...]
    new_version: str

    @property
    def has_value(self) -> bool:
        return any(one is not None for one in self.values)


@dataclass(frozen=True, slots=True)
class Multiple:
    """A score over time."""

    label: str
    panel: Panel
    voices: tuple[Voice, ...]
    lines: tuple[Line, ...]
    along: Axis
    box: str = chart.VIEW_BOX

    @property
    def is_over_time(self) -> bool:
        """Whether there is more than one time to compare."""
        return len([one for one in self.lines if one.has_value]) > 1

    @property
    def latest(self) -> Line:
        """The last time that has a value; the last of all where none has."""
        return next((one for one in reversed(self.lines) if one.has_value), self.lines[-1])


def multiple(
    label: str,
    voices: Sequence[Voice],
    *,
    along: Axis,
    limits: tuple[Fraction, Fraction],
    cuts: Iterable[Fraction] = (),
    rci: Fraction | None = None,
) -> Multiple:
    """A panel of these voices and its table; readings of one round stand in one line."""
    panel = chart.panel(
        [(one.mark, one.readings) for one in voices],
        along=along,
        limits=limits,
        cuts=cuts,
        rci=rci,
    )
    return Multiple(label, panel, tuple(voices), tuple(_lines(voices)), along)


def _lines(voices: Sequence[Voice]) -> Iterable[Line]:
    of_round = [{one.number: one for one in voice.readings} for voice in voices]
    version = ""
    for number in sorted({number for numbers in of_round for number in numbers}):
        found = [numbers.get(number) for numbers in of_round]
        there = [one for one in found if one is not None]
        under = there[-1].version
        changed = under if version and under != version else ""
        version = under
        yield Line(
            max(one.at for one in there),
            tuple(one.value if one else None for one in found),
            changed,
        )
