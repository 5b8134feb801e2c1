"""Scores of one person's answers, exact: sums of weights by the definition, and nothing else."""

import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final

from intake.rules.answers import Answers, worth
from intake.rules.conditions import given
from intake.rules.definition import Cut, Definition, Item, Subscale

# Stored with every score. Raised when the same answers could give another score than before.
ENGINE: Final = "duet 1"

Scores = Mapping[str, Fraction | None]

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def score(
    definition: Definition, answers: Answers, *, short: bool = False
) -> dict[str, Fraction | None]:
    """Each subscale's score, or none where too little was answered.

    Answers of items that aren't asked don't count; a non-answer is missing, and never 0.
    """
    said = given(definition, answers, short=short)
    items = {item.id: item for item in definition.items}
    weights = {key: worth(definition, items[key], answer) for key, answer in said.items()}
    return {one.id: _score(definition, one, items, weights) for one in definition.subscales}


def cuts_met(definition: Definition, scores: Scores) -> list[Cut]:
    """The published thresholds that the scores meet, unrounded."""
    met = []
    for cut in definition.cuts:
        value = scores.get(cut.subscale)
        if value is not None and _COMPARE[cut.operator](value, cut.value):
            met.append(cut)
    return met


def half_up(value: Fraction) -> int:
    """A score as it is shown: to the next whole number, halves away from 0 (62.5 is 63)."""
    whole = (abs(value) + Fraction(1, 2)) // 1
    return int(whole if value >= 0 else -whole)


def span(definition: Definition, item: Item) -> tuple[Fraction, Fraction] | None:
    """The least and greatest weight of an item's options; none if one has no weight."""
    scale = definition.scale_of(item)
    weights = [one.value for one in scale.options] if scale else []
    known = [one for one in weights if one is not None]
    return (min(known), max(known)) if known and len(known) == len(weights) else None


def _score(
    definition: Definition,
    subscale: Subscale,
    items: Mapping[str, Item],
    weights: Scores,
) -> Fraction | None:
    answered = {key: weight for key in subscale.items if (weight := weights.get(key)) is not None}
    wanted = len(subscale.items) if subscale.missing == "strict" else subscale.min_valid
    if not answered or len(answered) < wanted:
        return None
    counted = list(subscale.items) if subscale.missing == "zero" else list(answered)
    total = sum(answered.values(), Fraction(0))
    if subscale.method == "mean":
        result = total / len(counted)
    elif subscale.method == "sum":
        result = total * len(subscale.items) / len(counted)
    else:
        spans = (span(definition, items[key]) for key in counted)
        result = 100 * total / sum((most for _, most in filter(None, spans)), Fraction(0))
    return result * subscale.multiply
