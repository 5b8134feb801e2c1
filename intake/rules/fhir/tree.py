"""The items of a Questionnaire in the order in which they stand, with what is around each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from intake.rules.definition import Kind
from intake.rules.fhir import names
from intake.rules.fhir.options import Choice
from intake.rules.fhir.plain import Node, extensions, node, objects, text, value_of

DEEPEST: Final = 8
MOST_ITEMS: Final = 500

KINDS: Final[dict[str, Kind]] = {
    "choice": "choice",
    "open-choice": "open_choice",
    "integer": "integer",
    "decimal": "decimal",
    "boolean": "boolean",
    "date": "date",
    "dateTime": "date_time",
    "time": "time",
    "string": "text",
    "text": "long_text",
    "url": "url",
    "display": "display",
}
# Kept in the file, and never asked.
NOT_ASKED: Final = frozenset({"quantity", "reference", "attachment"})
TYPES: Final = frozenset({"group", *KINDS, *NOT_ASKED})


@dataclass(slots=True)
class Entry:
    """One item, group or not. `parents` are around it, the outermost first."""

    node: Node
    parents: "tuple[Entry, ...]"
    choices: list[Choice]
    # Why nobody is asked it; empty for what is asked or shown.
    why_not: str = ""

    @property
    def link_id(self) -> str:
        return text(self.node.get("linkId"))

    @property
    def type(self) -> str:
        return text(self.node.get("type"))

    @property
    def text(self) -> str:
        return text(self.node.get("text"))

    @property
    def is_group(self) -> bool:
        return self.type == "group"

    @property
    def is_help(self) -> bool:
        """Whether it explains the question above it."""
        controls = extensions(self.node, [names.CONTROL])
        codings = (one for each in controls for one in objects(node(value_of(each)).get("coding")))
        return self.type == "display" and any(one.get("code") == "help" for one in codings)

    @property
    def weighted(self) -> bool:
        """Whether each of its options has a weight, those aside that say nothing."""
        weights = [one.weight for one in self.choices if not one.is_non_answer]
        return bool(weights) and None not in weights and not self.node.get("repeats")

    @property
    def is_computed(self) -> bool:
        """Whether the form fills it in, and nobody types."""
        return bool(self.node.get("readOnly")) or any(
            True for _ in extensions(self.node, names.CALCULATED)
        )

    @property
    def is_total(self) -> bool:
        """Whether it is a number that nobody is asked for."""
        return bool(self.why_not) and self.type in {"integer", "decimal", "quantity"}

    @property
    def is_hidden(self) -> bool:
        return any(value_of(one) is True for one in extensions(self.node, [names.HIDDEN]))

    @property
    def enabling(self) -> list[Node]:
        return objects(self.node.get("enableWhen"))

    @property
    def shown_by_expression(self) -> bool:
        return any(True for _ in extensions(self.node, [names.SHOWN_BY_EXPRESSION]))


def entries(items: object, parents: tuple[Entry, ...] = ()) -> Iterator[Entry]:
    """Every item, at most one level deeper than may be, so that a fault can be told."""
    for one in objects(items):
        entry = Entry(one, parents, [])
        yield entry
        if len(parents) < DEEPEST:
            yield from entries(one.get("item"), (*parents, entry))
