"""What somebody answered, as values: how it is kept, and what it is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from intake.rules.definition import Definition, Item


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
