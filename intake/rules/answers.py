"""What somebody answered, as values: how it is kept, and what it is worth."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from intake.rules.definition import Definition, Item, exact

# Written out: an exponent could ask for a number of a million digits.
_NUMBER: Final = re.compile(r"[-+]?\d{1,20}(\.\d{1,20})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answered:
    """One item's answer: a value, or the code of a non-answer. `revision` is when it was last put.

    Values by kind: choice and open_choice a code (or free text), multi a list of codes, boolean
    and consent true or false, the others a text as it was typed and checked (dates in ISO form).
    """

    value: Any = None
    non: str = ""
    revision: int = 0


Answers = Mapping[str, Answered]


def load(stored: Mapping[str, Mapping[str, Any]]) -> dict[str, Answered]:
    """Answers from their stored form."""
    return {
        item: Answered(one.get("v"), one.get("n", ""), one.get("r", 0))
        for item, one in stored.items()
    }


def dump(answers: Answers) -> dict[str, dict[str, Any]]:
    """The form in which answers are stored: `v` a value, `n` a non-answer, `r` the revision."""
    return {
        item: ({"n": one.non} if one.non else {"v": one.value}) | {"r": one.revision}
        for item, one in answers.items()
    }


def is_answered(answer: Answered | None) -> bool:
    """Whether something was said at all; a non-answer is an answer to the question, too."""
    if answer is None:
        return False
    return bool(answer.non) or answer.value not in (None, "", [], ())


def worth(definition: Definition, item: Item, answer: Answered | None) -> Fraction | None:
    """The weight of an answer, reversed where the item is; none for what isn't answered or scored.

    Reversed on a scale from least to most is least + most - weight.
    """
    if answer is None or answer.non or answer.value is None or not item.scored:
        return None
    scale = definition.scale_of(item)
    if scale is None:
        return None
    option = scale.option(str(answer.value))
    if option is None or option.value is None:
        return None
    if not item.reverse:
        return option.value
    weights = [one.value for one in scale.options if one.value is not None]
    return min(weights) + max(weights) - option.value


def number(value: object) -> Fraction | None:
    """A number that was given as one, or written out in a text; none for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Fraction):
        return Fraction(value)
    if isinstance(value, float):
        return exact(value) if math.isfinite(value) else None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Fraction(value)
    return None


def by_weight(definition: Definition, item_id: str, value: object) -> Answered | None:
    """The answer that a file names: a number is the weight of an option, a text its code.

    None where the item doesn't offer it. Items without options take what stands there.
    """
    item = definition.item(item_id)
    if item is None:
        return None
    scale = definition.scale_of(item)
    if scale is None:
        return Answered(value)
    if isinstance(value, list):
        codes = [one.code for one in scale.options]
        return Answered(value) if all(one in codes for one in value) else None
    if isinstance(value, str):
        if any(one.code == value for one in scale.non_answers if one.fits(item)):
            return Answered(non=value)
        return Answered(value) if scale.option(value) else None
    weight = number(value)
    found = [one.code for one in scale.options if weight is not None and one.value == weight]
    return Answered(found[0]) if found else None
