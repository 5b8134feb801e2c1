"""The cycle map as geometry: where each one's bead lies on the dance line, and marks on an axis.

The line is the figure of `duet/components/_dance_line.html`; a test holds both to the same curve.
Its left loop is the first voice's, the right loop the second's. Along each loop the outer end
means stepping back and the crossing means reaching: the upper arc is how somebody sees themselves,
the lower arc how the other sees them. All coordinates are of the view box `VIEW_BOX`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import hypot
from typing import Final, Literal

Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]
Loop = Literal["a", "b"]

VIEW_BOX: Final = "12 14 616 192"
_MIDDLE: Final = 320.0

# From the crossing over the upper arc of the left loop to its outer end, then back beneath.
_UPPER: Final[tuple[Point, ...]] = (
    (320, 110),
    *((282.4, 89), (244.9, 68.1), (210.2, 53.3)),
    *((175.5, 38.4), (143.7, 29.9), (117.2, 30)),
    *((90.7, 30.1), (69.5, 38.9), (55.3, 53.9)),
    *((41.1, 68.9), (33.8, 89.9), (34, 110.9)),
)
_LOWER: Final[tuple[Point, ...]] = (
    (34, 110.9),
    *((34.2, 132), (41.9, 152.7), (56.6, 167.4)),
    *((71.2, 182), (92.7, 190.4), (119.5, 190)),
    *((146.3, 189.6), (178.4, 180.6), (213.3, 165.4)),
    *((248.1, 150.2), (285.8, 129.1), (323.3, 108.1)),
)
# Where the stroke leans on the other one's loop before it ends.
_LEAN: Final[tuple[Point, ...]] = (
    (323.3, 108.1),
    *((360.9, 87.1), (400.8, 70.3), (436.6, 60.7)),
    *((472.3, 51.1), (502.8, 49), (524.7, 50)),
)
# A bead keeps clear of the outer end and of the crossing, where two would lie on each other.
_FIRST, _LAST = 0.03, 0.88
_LEAST_RADIUS, _MOST_RADIUS = 8.0, 15.0
_STEPS: Final = 64


@dataclass(frozen=True, slots=True)
class Bead:
    """A mark on the line: where, and how large."""

    x: float
    y: float
    r: float

    @property
    def diamond(self) -> str:
        """The same as a path with four corners, as large as the circle to the eye."""
        return diamond(self.x, self.y, self.r * 1.2)


def diamond(x: float, y: float, r: float) -> str:
    """A path with corners `r` away from its middle."""
    return f"M{_n(x)} {_n(y - r)}l{_n(r)} {_n(r)}-{_n(r)} {_n(r)}-{_n(r)}-{_n(r)}z"


def stroke(loop: Loop) -> str:
    """The whole stroke of a voice, as a path."""
    points = [_turned(point, loop) for point in (*_UPPER, *_LOWER[1:], *_LEAN[1:])]
    first, *rest = points
    curves = "".join(
        "C" + " ".join(f"{_n(x)} {_n(y)}" for x, y in rest[place : place + 3])
        for place in range(0, len(rest), 3)
    )
    return f"M{_n(first[0])} {_n(first[1])}{curves}"


def bead(
    loop: Loop, *, reach: Fraction | None, step: Fraction | None, seen_by: Literal["self", "other"]
) -> Bead | None:
    """Where somebody lies who reaches and steps back so much (0..100); none where that is unknown.

    The more the reaching outweighs the stepping back, the nearer to the crossing; the more of both
    there is, the larger.
    """
    if reach is None or step is None:
        return None
    share = float((reach - step + 100) / 200)
    arc = _arc(seen_by == "self")
    x, y = _along(arc, _FIRST + (_LAST - _FIRST) * min(max(share, 0.0), 1.0))
    much = float((reach + step) / 200)
    radius = _LEAST_RADIUS + (_MOST_RADIUS - _LEAST_RADIUS) * min(max(much, 0.0), 1.0)
    x, y = _turned((x, y), loop)
    return Bead(round(x, 1), round(y, 1), round(radius, 1))


def _turned(point: Point, loop: Loop) -> Point:
    """A point of the left loop, or where it lies in the right one: its mirror image."""
    x, y = point
    return (x, y) if loop == "a" else (2 * _MIDDLE - x, y)


@cache
def _arc(upper: bool) -> tuple[Point, ...]:
    """An arc as short straight lines, from the outer end to the crossing."""
    points = tuple(reversed(_UPPER)) if upper else _LOWER
    found: list[Point] = [points[0]]
    for place in range(0, len(points) - 1, 3):
        curve = (points[place], points[place + 1], points[place + 2], points[place + 3])
        found += [_on(curve, step / _STEPS) for step in range(1, _STEPS + 1)]
    return tuple(found)


def _on(curve: Curve, t: float) -> Point:
    """A point of a cubic Bézier curve."""
    weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
    return (
        sum(weight * point[0] for weight, point in zip(weights, curve, strict=True)),
        sum(weight * point[1] for weight, point in zip(weights, curve, strict=True)),
    )


def _along(line: Sequence[Point], share: float) -> Point:
    """The point after this share of a line's length."""
    lengths = [hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(line)]
    left = share * sum(lengths)
    for (a, b), length in zip(pairwise(line), lengths, strict=True):
        if left <= length:
            part = left / length if length else 0.0
            return a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part
        left -= length
    return line[-1]


# --- marks on an axis ----------------------------------------------------------------------------

AXIS_BOX: Final = "0 0 180 22"
_FROM, _TO, _HEIGHT = 11.0, 169.0, 11.0


@dataclass(frozen=True, slots=True)
class Strip:
    """One line from 0 to 100 with the own view as a filled mark and the other's as a hollow one."""

    own: float | None
    other: float | None

    @property
    def apart(self) -> bool:
        """Whether there are two marks that don't lie on each other."""
        return self.own is not None and self.other is not None and self.own != self.other

    @property
    def own_diamond(self) -> str:
        return diamond(self.own, _HEIGHT, 7.0) if self.own is not None else ""

    @property
    def other_diamond(self) -> str:
        return diamond(self.other, _HEIGHT, 7.5) if self.other is not None else ""


def strip(own: Fraction | int | None, other: Fraction | int | None) -> Strip:
    """Where two values from 0 to 100 lie on the axis of `AXIS_BOX`."""
    return Strip(_place(own), _place(other))


def ticks(steps: int) -> tuple[float, ...]:
    """Where the steps of a scale lie on the same axis, the ends among them."""
    return tuple(round(_FROM + (_TO - _FROM) * one / steps, 1) for one in range(steps + 1))


def _place(value: Fraction | int | None) -> float | None:
    if value is None:
        return None
    share = min(max(float(value) / 100, 0.0), 1.0)
    return round(_FROM + (_TO - _FROM) * share, 1)


def _n(number: float) -> str:
    """A number as it stands in a path: at most one decimal, and no empty one."""
    return f"{round(number, 1):g}"
