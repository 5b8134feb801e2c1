"""What an item lets somebody choose from, with the weight of each option."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from intake.rules.fhir import names
from intake.rules.fhir.plain import Node, extensions, node, objects, text, value_of

# A code that can stay an option's code with us; others get one by their place.
_PLAIN: Final = re.compile(r"\S([^\n\r\t]{0,98}\S)?")
_OURS: Final = {theirs: ours for ours, theirs in names.NO_ANSWER_CODES.items()}
_SILENT: Final = frozenset({names.NO_ANSWER, names.SILENT})
_PLAIN_VALUES: Final = ("valueString", "valueInteger", "valueDate", "valueTime")


class Unknown(Exception):
    """The options aren't in the file, or aren't options; `sentence` says which."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Choice:
    """One option. `code` is ours, unique among an item's options; `value` is as the file has it.

    `kind` is the name under which FHIR keeps the value: valueCoding, valueString and so on.
    """

    code: str
    label: str
    weight: int | float | None
    kind: str
    value: Any
    weight_url: str = ""

    @property
    def is_non_answer(self) -> bool:
        """Whether it says that nothing is said, by FHIR's own codes for that."""
        return self.kind == "valueCoding" and self.value.get("system") in _SILENT

    def matches(self, kind: str, value: Any) -> bool:
        """Whether a value of another document is this option.

        Of codings the code decides, and the system where both name one: some files leave it out.
        """
        if kind != self.kind:
            return False
        if kind != "valueCoding":
            return bool(value == self.value) and type(value) is type(self.value)
        mine, other = self.value, node(value)
        if not text(mine.get("code")) or not text(other.get("code")):
            return bool(text(mine.get("display"))) and mine.get("display") == other.get("display")
        one, two = mine.get("system"), other.get("system")
        return mine["code"] == other["code"] and (not one or not two or one == two)


def choices(item: Node, contained: Iterable[Node]) -> list[Choice]:
    """The options of an item, from its own list or from a value set inside the file.

    Refuses (Unknown) a value set that isn't in the file, which is never fetched, and lists that
    name nothing, the same twice, or what can't be chosen.
    """
    found: list[Choice] = []
    for kind, value, weight, url in _listed(item, contained):
        label = _label(kind, value)
        if not label:
            raise Unknown("An answer has neither a text nor a code.")
        if any(one.kind == kind and one.value == value for one in found):
            raise Unknown(f"The answer “{label[:60]}” stands there twice.")
        code = _code(kind, value, len(found) + 1, {one.code for one in found})
        found.append(Choice(code, label, weight, kind, value, url))
    if not found and text(item.get("type")) == "choice":
        raise Unknown("It has no answers to choose from.")
    return found


def weight_in(*holders: Node) -> tuple[int | float | None, str]:
    """The first weight that these elements carry, in their order, and the address it came under."""
    for holder in holders:
        for one in extensions(holder, names.WEIGHTS):
            weight = value_of(one)
            if isinstance(weight, int | float) and not isinstance(weight, bool):
                return weight, text(one.get("url"))
    return None, ""


def _listed(
    item: Node, contained: Iterable[Node]
) -> Iterator[tuple[str, Any, int | float | None, str]]:
    """Each option's kind, value and weight; a weight may stand on the option or on the coding."""
    for option in objects(item.get("answerOption")):
        coding = node(option.get("valueCoding"))
        weight, url = weight_in(option, coding)
        if coding:
            yield "valueCoding", coding, weight, url
            continue
        kind = next((one for one in _PLAIN_VALUES if one in option), "")
        if not isinstance(option.get(kind), str | int) or isinstance(option.get(kind), bool):
            raise Unknown("An answer is of a kind that can't be offered.")
        yield kind, option[kind], weight, url
    if not item.get("answerOption") and (address := text(item.get("answerValueSet"))):
        yield from _of_set(address, contained)


def _of_set(
    address: str, contained: Iterable[Node]
) -> Iterator[tuple[str, Any, int | float | None, str]]:
    wanted, _, version = address.partition("|")
    for one in contained:
        if one.get("resourceType") != "ValueSet":
            continue
        known = one.get("version") if version else ""
        if wanted == f"#{one.get('id')}" or (wanted == one.get("url") and version == (known or "")):
            yield from _concepts(one)
            return
    raise Unknown(
        f"Its answers are in “{address[:120]}”, which isn't in the file, and nothing is fetched:"
        " put the list into the file, as answerOption or as a contained ValueSet."
    )


def _concepts(value_set: Node) -> Iterator[tuple[str, Any, int | float | None, str]]:
    """The concepts that a value set lists; one that is only described holds no answers for us."""
    compose = node(value_set.get("compose"))
    groups = objects(compose.get("include"))
    listed = [(group, one) for group in groups for one in objects(group.get("concept"))]
    described = any(group.get("filter") or group.get("valueSet") for group in groups)
    if compose.get("exclude") or described or not all(group.get("concept") for group in groups):
        listed = []
    if not listed:
        expansion = objects(node(value_set.get("expansion")).get("contains"))
        listed = [(one, one) for one in expansion]
    if not listed:
        raise Unknown(
            f"The value set “{text(value_set.get('id'))[:60]}” describes its answers and doesn't"
            " list them: put the list into the file."
        )
    for group, concept in listed:
        coding = {
            name: value
            for name, value in (
                ("system", group.get("system")),
                ("code", concept.get("code")),
                ("display", concept.get("display")),
            )
            if isinstance(value, str)
        }
        weight, url = weight_in(concept)
        yield "valueCoding", coding, weight, url


def _label(kind: str, value: Any) -> str:
    if kind == "valueCoding":
        return text(value.get("display")) or text(value.get("code"))
    return str(value)


def _code(kind: str, value: Any, place: int, taken: set[str]) -> str:
    wanted = text(value.get("code")) if kind == "valueCoding" else str(value)
    if kind == "valueCoding" and value.get("system") == names.NO_ANSWER:
        wanted = _OURS.get(wanted, wanted)
    if _PLAIN.fullmatch(wanted) and wanted not in taken:
        return wanted
    made, number = f"o{place}", 0
    while made in taken:
        number += 1
        made = f"o{place}-{number}"
    return made
