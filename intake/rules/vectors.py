"""A definition's worked examples: what it must give for them, and where it doesn't."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

from intake.rules import cycle, flags
from intake.rules.answers import Answered, by_weight, number
from intake.rules.definition import Definition
from intake.rules.scoring import score

# A file may round what it expects to four places.
TOLERANCE: Final = Fraction(1, 10_000)


def results(definition: Definition, answers: Any) -> dict[str, Any]:
    """What answers in the form of the vectors give, under the names of what vectors expect.

    For most: each subscale's score, and the kinds of the flags that are raised if there are any to
    raise. The scorer `cycle` takes both partners and gives their reflection. Refuses (ValueError,
    with a sentence) answers that the definition doesn't know.
    """
    if definition.scorer == "cycle":
        a, b = cycle.from_vector(definition, answers)
        return cycle.as_expected(cycle.reflect(definition, a, b))
    said = _answers(definition, answers)
    found: dict[str, Any] = dict(score(definition, said))
    if definition.staff_flags:
        found["flags"] = [flag.kind for flag in flags.raised(definition, said, sent=True)]
    return found


def failures(definition: Definition) -> Iterator[tuple[int, str]]:
    """The vectors that don't come out, each with its place and a sentence."""
    for place, vector in enumerate(definition.vectors):
        try:
            found = results(definition, vector.answers)
        except ValueError as refusal:
            yield place, str(refusal)
            continue
        for name, expected in vector.expected.items():
            if name not in found:
                yield place, f"Nothing is named '{name}' in what this instrument gives."
            elif not agrees(found[name], expected):
                told = f"'{name}' comes out as {_shown(found[name])}"
                yield place, f"{told}, and {_shown(expected)} is expected."


def agrees(found: Any, expected: Any) -> bool:
    """Whether a result is what a file expects, numbers to 0.0001."""
    if isinstance(expected, Mapping):
        return (
            isinstance(found, Mapping)
            and found.keys() == expected.keys()
            and all(agrees(found[key], expected[key]) for key in expected)
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(map(agrees, found, expected))
        )
    wanted = number(expected) if isinstance(expected, int | float) else None
    if wanted is None:
        return type(found) is type(expected) and bool(found == expected)
    known = number(found) if isinstance(found, Fraction | int) else None
    return known is not None and abs(known - wanted) <= TOLERANCE


def plain(found: Any) -> Any:
    """A result for a file: whole numbers as such, others to four places, halves up."""
    if isinstance(found, Mapping):
        return {key: plain(one) for key, one in found.items()}
    if isinstance(found, list):
        return [plain(one) for one in found]
    if not isinstance(found, Fraction):
        return found
    steps = int((abs(found) * 10_000 + Fraction(1, 2)) // 1)
    steps = steps if found >= 0 else -steps
    return steps // 10_000 if steps % 10_000 == 0 else steps / 10_000


def _answers(definition: Definition, raw: Any) -> dict[str, Answered]:
    if not isinstance(raw, Mapping):
        raise ValueError("The answers must be an object with an entry for each item.")
    said = {}
    for item, value in raw.items():
        if definition.item(item) is None:
            raise ValueError(f"No item is named '{item}'.")
        if value is None:
            continue
        answer = by_weight(definition, item, value)
        if answer is None:
            raise ValueError(f"'{value}' is no answer to {item}.")
        said[item] = answer
    return said


def _shown(value: Any) -> str:
    told = plain(value)
    return "null" if told is None else str(told)
