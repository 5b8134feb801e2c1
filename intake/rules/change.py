"""Whether a score has changed, and what a change means.

Reliable change is only spoken of where a published error of the measure is known (Jacobson and
Truax 1991). Comparisons are exact: no root is taken before it is decided.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from intake.rules.definition import Change

Better = Literal["higher", "lower", ""]
Category = Literal["recovered", "improved", "unchanged", "deteriorated"]

# 1.96 standard errors: of twenty persons who haven't changed, one seems to.
LIMIT: Final = Fraction(196, 100)
# From the least to the most favourable.
CATEGORIES: Final[tuple[Category, ...]] = ("deteriorated", "unchanged", "improved", "recovered")


@dataclass(frozen=True, slots=True)
class Step:
    """From one score to a later one.

    `rc`, `crossed` and `category` only where the measure's error is known; `about_the_same` only
    where the definition says what is, as long as the error isn't known.
    """

    difference: Fraction
    rc: float | None = None
    crossed: bool | None = None
    category: Category | None = None
    about_the_same: bool | None = None


def sem(sd: Fraction, reliability: Fraction) -> float:
    """The standard error of measurement."""
    return math.sqrt(sd**2 * (1 - reliability))


def s_diff(sd: Fraction, reliability: Fraction) -> float:
    """The standard error of a difference between two measurements."""
    return math.sqrt(_variance(sd, reliability))


def rci(change: Change) -> float | None:
    """The difference from which on a change is reliable: as published, or from the error."""
    if change.rci is not None:
        return float(change.rci)
    if change.sd is None or change.reliability is None:
        return None
    return float(LIMIT) * s_diff(change.sd, change.reliability)


def rc(change: Change, difference: Fraction) -> float | None:
    """A difference in standard errors of a difference."""
    index = rci(change)
    return None if not index else float(LIMIT) * float(difference) / index


def is_reliable(change: Change, difference: Fraction) -> bool | None:
    """Whether a difference is larger than the error explains; exactly at the limit it counts."""
    if change.rci is not None:
        return abs(difference) >= change.rci
    if change.sd is None or change.reliability is None:
        return None
    return difference**2 >= LIMIT**2 * _variance(change.sd, change.reliability)


def cut_between(
    mean_functional: Fraction,
    sd_functional: Fraction,
    mean_distressed: Fraction,
    sd_distressed: Fraction,
) -> Fraction:
    """Jacobson and Truax's cut c: the point between two groups, weighed by their spread."""
    weighed = sd_functional * mean_distressed + sd_distressed * mean_functional
    return weighed / (sd_functional + sd_distressed)


def crosses(cut: Fraction, better: Better, before: Fraction, after: Fraction) -> bool:
    """Whether somebody came from the cut or its worse side to its better side.

    The cut itself is on the worse side: it is where a measure begins to say that something is the
    matter.
    """
    if better == "lower":
        return after < cut <= before
    return before <= cut < after


def step(
    change: Change | None,
    better: Better,
    before: Fraction,
    after: Fraction,
    *,
    same_below: Fraction | None = None,
) -> Step:
    """What lies between two scores of one person on one subscale of one version.

    Without a known error there is the raw difference; with `same_below`, a step of the answers'
    scale, also whether it is about the same.
    """
    difference = after - before
    reliable = is_reliable(change, difference) if change and better else None
    if change is None or reliable is None:
        same = None if same_below is None else abs(difference) < same_below
        return Step(difference, about_the_same=same)
    crossed = None if change.cut is None else crosses(change.cut, better, before, after)
    return Step(
        difference,
        rc=rc(change, difference),
        crossed=crossed,
        category=_category(difference, better, reliable=reliable, crossed=bool(crossed)),
    )


def less_favourable(categories: Iterable[Category | None]) -> Category | None:
    """What a couple shows: the less favourable of both, never the mean; none if one is unknown."""
    found = list(categories)
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found):
        return None
    return min(known, key=CATEGORIES.index)


def moving_apart(categories: Iterable[Category | None]) -> bool:
    """Whether one is doing better and the other worse."""
    found = set(categories)
    return "deteriorated" in found and bool(found & {"improved", "recovered"})


def _variance(sd: Fraction, reliability: Fraction) -> Fraction:
    """Of a difference: twice that of one measurement's error."""
    return 2 * sd**2 * (1 - reliability)


def _category(difference: Fraction, better: Better, *, reliable: bool, crossed: bool) -> Category:
    if not reliable:
        return "unchanged"
    if (difference > 0) is not (better == "higher"):
        return "deteriorated"
    return "recovered" if crossed else "improved"
