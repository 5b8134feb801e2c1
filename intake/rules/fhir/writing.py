"""A definition as a FHIR R4 Questionnaire. One that came from a file leaves as it came."""

import copy
import itertools
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Final
from urllib.parse import quote

from intake.rules.answers import Answered, worth
from intake.rules.conditions import holds
from intake.rules.definition import Condition, Definition, Item, Kind, NonAnswer, Option, Section
from intake.rules.fhir import names
from intake.rules.fhir.plain import Node

_TYPES: Final[dict[Kind, str]] = {
    "choice": "choice",
    "multi": "choice",
    "open_choice": "open-choice",
    "boolean": "boolean",
    "consent": "boolean",
    "signature": "string",
    "text": "string",
    "long_text": "text",
    "url": "url",
    "integer": "integer",
    "decimal": "decimal",
    "date": "date",
    "date_time": "dateTime",
    "time": "time",
    "display": "display",
}
_ANSWERS: Final[dict[Kind, str]] = {
    "boolean": "answerBoolean",
    "consent": "answerBoolean",
    "integer": "answerInteger",
    "decimal": "answerDecimal",
    "date": "answerDate",
    "date_time": "answerDateTime",
    "time": "answerTime",
}
_STATUS: Final = {"draft": "draft", "published": "active", "retired": "retired"}

# No answer of any form: what is compared with it is never asked.
_NEVER: Final[Node] = {"system": names.SCALE, "code": "never"}

# Of several comparisons one has to hold.
_Any = list[Node]


def questionnaire(
    definition: Definition, *, fhir: Mapping[str, Any] | None = None, state: str = "draft"
) -> dict[str, Any]:
    """The Questionnaire of a definition; `fhir` is the file that it came from, if it did.

    Ours carry their words in their own language, each option's weight as it counts (turned round
    where the item is), and no narrative.
    """
    if fhir is not None:
        return copy.deepcopy(dict(fhir))
    words = [definition.intro, definition.statement]
    rights = [definition.copyright, definition.notice]
    found: dict[str, Any] = {
        "resourceType": "Questionnaire",
        "language": definition.language,
        "url": canonical(definition),
        "version": definition.version,
        "name": _name(definition.id),
        "title": definition.title,
        "status": _STATUS[state],
        "subjectType": ["Patient"],
        "description": "\n\n".join(filter(None, words)),
        "copyright": "\n\n".join(filter(None, rights)),
        "code": [_coding(definition.code, "")] if definition.code else [],
        "item": _sections(definition),
    }
    return {name: value for name, value in found.items() if value not in ("", [])}


def canonical(definition: Definition) -> str:
    """Under which name a questionnaire of ours is known, without its version."""
    return f"{names.INSTRUMENT}:{definition.id}"


# --- the tree ------------------------------------------------------------------------------------


def _sections(definition: Definition) -> list[Node]:
    """A group for each run of items in one section; without a heading they stand by themselves."""
    taken = {one.id for one in definition.items}
    by_id = {one.id: one for one in definition.sections}
    stops: list[Item] = []
    found: list[Node] = []
    for section_id, run in itertools.groupby(definition.items, key=lambda one: one.section):
        inside: list[Node] = []
        for item in run:
            inside.append(_wrapped(definition, item, stops, taken))
            if item.stop_unless:
                stops.append(item)
        section = by_id.get(section_id) or Section(section_id, "")
        if not section.title and not section.intro:
            found += inside
            continue
        link_id = _free(section.id, taken)
        if section.intro:
            inside.insert(0, _display(_free(f"{link_id}.intro", taken), section.intro))
        found.append(
            _without_blanks(
                {"linkId": link_id, "type": "group", "text": section.title, "item": inside}
            )
        )
    return found


def _free(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "-"
    taken.add(wanted)
    return wanted


def _wrapped(definition: Definition, item: Item, stops: Iterable[Item], taken: set[str]) -> Node:
    """The item with its conditions; `any` inside of `all` takes a group around it."""
    single, several = _conditions(definition, item, stops)
    made = _item(definition, item, taken)
    if not single and several:
        _enable(made, several.pop(), "any")
    elif single:
        _enable(made, single, "all")
    for one in several:
        made = {
            "linkId": _free(f"{item.id}.when", taken),
            "type": "group",
            "item": [made],
        }
        _enable(made, one, "any")
    return made


def _enable(made: Node, conditions: _Any, behavior: str) -> None:
    made["enableWhen"] = conditions
    if len(conditions) > 1:
        made["enableBehavior"] = behavior


def _item(definition: Definition, item: Item, taken: set[str]) -> Node:
    made: Node = {"linkId": item.id, "type": _TYPES[item.kind]}
    if item.code:
        made["code"] = [_coding(item.code, "")]
    if item.text:
        made["text"] = item.text
    if item.kind == "display":
        return made
    if item.required:
        made["required"] = True
    if item.kind == "multi":
        made["repeats"] = True
    if item.max_length and item.kind in {"text", "long_text", "url"}:
        made["maxLength"] = item.max_length
    bounds = [
        {"url": url, "valueInteger" if item.kind == "integer" else "valueDecimal": number(bound)}
        for url, bound in ((names.LEAST, item.least), (names.MOST, item.most))
        if bound is not None
    ]
    if bounds:
        made["extension"] = bounds
    if options := _options(definition, item):
        made["answerOption"] = options
    if item.help:
        made["item"] = [_help(_free(f"{item.id}.help", taken), item.help)]
    return made


def _display(link_id: str, words: str) -> Node:
    return {"linkId": link_id, "type": "display", "text": words}


def _help(link_id: str, words: str) -> Node:
    control = {"coding": [{"system": names.CONTROLS, "code": "help"}]}
    return _display(link_id, words) | {
        "extension": [{"url": names.CONTROL, "valueCodeableConcept": control}]
    }


# --- options -------------------------------------------------------------------------------------


def _options(definition: Definition, item: Item) -> list[Node]:
    """What it offers, and last what says nothing, under the codes that FHIR has for that."""
    scale = definition.scale_of(item)
    if scale is None:
        return []
    found = []
    for option in scale.options:
        made: Node = {"valueCoding": _option(definition, scale.id, option)}
        weight = worth(definition, item, Answered(option.code))
        if weight is not None:
            made["extension"] = [{"url": names.ORDINAL, "valueDecimal": number(weight)}]
        found.append(made)
    silent = [one for one in scale.non_answers if one.fits(item)]
    return found + [{"valueCoding": _silent(one)} for one in silent]


def _option(definition: Definition, scale: str, option: Option) -> Node:
    system = f"{names.SCALE}:{definition.id}:{quote(scale, safe='')}"
    return _coding((system, option.code), option.label or "")


def _silent(one: NonAnswer) -> Node:
    if one.code in names.NO_ANSWER_CODES:
        return _coding((names.NO_ANSWER, names.NO_ANSWER_CODES[one.code]), one.label)
    return _coding((names.SILENT, one.code), one.label)


def _coding(code: tuple[str, str], display: str) -> Node:
    return _without_blanks({"system": code[0], "code": code[1], "display": display})


def number(value: Fraction) -> int | float:
    """A number for JSON: whole where it is."""
    return value.numerator if value.denominator == 1 else float(value)


# --- when it is asked ----------------------------------------------------------------------------


def _conditions(
    definition: Definition, item: Item, stops: Iterable[Item]
) -> tuple[_Any, list[_Any]]:
    """What all have to hold one by one, and the lists of which one has to.

    Behind an answer that stops the form comes nothing: there each item has that condition too.
    """
    single: _Any = []
    several: list[_Any] = []
    blocks = [_compared(definition, Condition(stop.id, "=", stop.stop_unless)) for stop in stops]
    if item.show_when:
        compared = [_compared(definition, one) for one in item.show_when.conditions]
        blocks += [[each for one in compared for each in one]] if item.show_when.any else compared
    for block in blocks:
        if len(block) == 1:
            single += [one for one in block if one not in single]
        else:
            several.append(block)
    return single, several


def _compared(definition: Definition, condition: Condition) -> _Any:
    """A condition as comparisons of which one has to hold; on a scale, each answer that fits."""
    question = definition.item(condition.item)
    if question is None or condition.operator == "exists":
        wanted = condition.value is not False
        return [_when(condition.item, "exists", "answerBoolean", wanted)]
    scale = definition.scale_of(question)
    if scale is None:
        kind = _ANSWERS.get(question.kind, "answerString")
        if condition.operator == "in":
            return [_when(question.id, "=", kind, one) for one in condition.value]
        return [_when(question.id, condition.operator, kind, condition.value)]
    offered = [
        (one["valueCoding"], _said(definition, question, place))
        for place, one in enumerate(_options(definition, question))
    ]
    fitting = [coding for coding, said in offered if holds(condition, said, scale)]
    others = [coding for coding, _ in offered if coding not in fitting]
    if condition.operator == "!=" and len(others) == 1:
        return [_when(question.id, "!=", "answerCoding", others[0])]
    found = [_when(question.id, "=", "answerCoding", one) for one in fitting or [_NEVER]]
    if condition.operator == "!=":
        found.append(_when(question.id, "exists", "answerBoolean", False))
    return found


def _said(definition: Definition, question: Item, place: int) -> Answered:
    """The answer at a place of what `_options` lists."""
    scale = definition.scales[question.scale]
    if place < len(scale.options):
        return Answered(scale.options[place].code)
    silent = [one for one in scale.non_answers if one.fits(question)]
    return Answered(non=silent[place - len(scale.options)].code)


def _when(question: str, sign: str, kind: str, value: Any) -> Node:
    told = number(value) if isinstance(value, Fraction) else value
    if kind == "answerInteger" and isinstance(told, float):
        kind = "answerDecimal"
    return {"question": question, "operator": sign, kind: told}


def _name(slug: str) -> str:
    """A name for programs: letters and digits, a letter first."""
    made = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", slug))
    return made if made[:1].isalpha() else f"Q{made}"


def _without_blanks(node: Node) -> Node:
    return {name: value for name, value in node.items() if value != ""}
