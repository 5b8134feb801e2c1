"""Two plain shapes of a total's expression, known by their looks: nothing of it is ever run.

What is known is offered as a score of our own, for a person to check. Anything else is kept as it
came and computes nothing.
"""

import re
from dataclasses import dataclass
from typing import Final

from intake.rules.fhir import names
from intake.rules.fhir.plain import Node, extensions, node, text, value_of

# After blanks are taken out; a linkId stands between quotes.
_WEIGHT: Final = r"\.(?:weight|ordinal)\(\)\.sum\(\)"
_LINK: Final = r"'[^'\\]{1,255}'"
_ALL: Final = re.compile(
    r"(?:%resource\.|%context\.)?"
    r"(?:answers\(\)(?:\.value)?|(?:repeat\(item\)|descendants\(\)|item)\.answer(?:\.value)?)"
    + _WEIGHT
)
_BUT: Final = re.compile(
    rf"(?:%resource\.)?item\.where\((linkId!={_LINK}(?:andlinkId!={_LINK})*)\)"
    r"\.answer(?:\.value(?:Coding)?)?" + _WEIGHT
)
_LISTED: Final = re.compile(
    rf"(?:%resource\.)?(?:(?:repeat\(item\)|descendants\(\)|item))\.where\("
    rf"(linkId={_LINK}(?:orlinkId={_LINK})*|linkIdin\({_LINK}(?:\|{_LINK})*\))\)"
    r"\.answer(?:\.value(?:Coding)?)?" + _WEIGHT
)


@dataclass(frozen=True, slots=True)
class Sum:
    """The weights of which items are added: of `only` these, or of all `but` those."""

    only: frozenset[str] = frozenset()
    but: frozenset[str] = frozenset()


def of(item: Node) -> Sum | None:
    """The sum that an item's expression plainly is; none for anything else."""
    for one in extensions(item, sorted(names.CALCULATED)):
        expression = node(value_of(one))
        if text(expression.get("language")) != "text/fhirpath":
            continue
        found = recognised(text(expression.get("expression")))
        if found:
            return found
    return None


def recognised(expression: str) -> Sum | None:
    """As `of`, from the expression's text."""
    if len(expression) > 10_000:
        return None
    plain = _without_blanks(expression)
    if _ALL.fullmatch(plain):
        return Sum()
    for pattern, name in ((_BUT, "but"), (_LISTED, "only")):
        if found := pattern.fullmatch(plain):
            links = frozenset(one[1:-1] for one in re.findall(_LINK, found[1]))
            return Sum(**{name: links})
    return None


def _without_blanks(expression: str) -> str:
    """Blanks inside of quotes belong to a linkId and stay."""
    parts = re.split(r"('[^']*')", expression)
    return "".join(one if one.startswith("'") else re.sub(r"\s+", "", one) for one in parts)
