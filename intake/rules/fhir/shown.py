"""When an item is asked: a Questionnaire's `enableWhen` as conditions of ours.

What can't be said in our words is refused, and never guessed at: an item that is wrongly asked, or
wrongly left out, changes what somebody is understood to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from intake.rules.fhir.plain import Node, text
from intake.rules.fhir.tree import Entry

_OPERATORS: Final = frozenset({"exists", "=", "!=", ">", "<", ">=", "<="})
# The kinds of answer that fit a type of question, by the name under which FHIR has them.
_FITTING: Final[dict[str, frozenset[str]]] = {
    "boolean": frozenset({"answerBoolean"}),
    "integer": frozenset({"answerInteger"}),
    "decimal": frozenset({"answerDecimal", "answerInteger"}),
    "date": frozenset({"answerDate"}),
    "dateTime": frozenset({"answerDateTime"}),
    "time": frozenset({"answerTime"}),
    "string": frozenset({"answerString"}),
    "text": frozenset({"answerString"}),
    "url": frozenset({"answerString"}),
}
_IN_ORDER: Final = frozenset({"integer", "decimal", "date", "dateTime", "time"})


class Refused(Exception):
    """A condition that isn't in order, or can't be kept; `sentence` says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class _Block:
    """The conditions of one item or group."""

    conditions: tuple[Node, ...]
    any: bool


def show_when(
    entry: Entry, earlier: Mapping[str, Entry], item_ids: Mapping[str, str]
) -> Node | None:
    """The plain form of `ShowWhen`, with the conditions of what is around the item.

    Refuses (Refused) conditions on what stands later or isn't asked, answers of another type than
    the question's, `any` inside of `all`, and several conditions without saying which is meant.
    """
    blocks = [_block(one, earlier, item_ids) for one in (*entry.parents, entry) if one.enabling]
    some = [one for one in blocks if one.any and len(one.conditions) > 1]
    if not blocks:
        return None
    if some and len(blocks) > 1:
        raise Refused("It hangs on several conditions, and so does a group around it: any of all.")
    conditions = [one for block in blocks for one in block.conditions]
    if len(conditions) == 1:
        return conditions[0]
    return {"any" if some else "all": conditions}


def _block(entry: Entry, earlier: Mapping[str, Entry], item_ids: Mapping[str, str]) -> _Block:
    behavior = text(entry.node.get("enableBehavior"))
    if len(entry.enabling) > 1 and behavior not in {"all", "any"}:
        raise Refused("It has several conditions and doesn't say whether all or any count.")
    return _Block(
        tuple(_condition(one, earlier, item_ids) for one in entry.enabling), behavior == "any"
    )


def _condition(raw: Node, earlier: Mapping[str, Entry], item_ids: Mapping[str, str]) -> Node:
    wanted, sign = text(raw.get("question")), text(raw.get("operator"))
    question = earlier.get(wanted)
    if question is None:
        raise Refused(f"Its condition asks for “{wanted[:60]}”, which doesn't stand before it.")
    if question.why_not or question.is_group or question.type == "display":
        raise Refused(f"Its condition asks for “{wanted[:60]}”, which nobody is asked.")
    if sign not in _OPERATORS:
        raise Refused(f"Its condition has no operator that FHIR knows: “{sign[:20]}”.")
    kinds = [name for name in raw if name.startswith("answer")]
    if len(kinds) != 1:
        raise Refused("Its condition has to compare with one answer.")
    return {
        "item": item_ids[wanted],
        "operator": sign,
        "value": _value(question, sign, kinds[0], raw[kinds[0]]),
    }


def _value(question: Entry, sign: str, kind: str, value: Any) -> Any:
    if sign == "exists":
        if not isinstance(value, bool):
            raise Refused("With `exists` its condition has to say true or false.")
        return value
    if question.choices or question.type in {"choice", "open-choice"}:
        return _chosen(question, sign, kind, value)
    if kind not in _FITTING[question.type] or not _is(kind, value):
        raise Refused(
            f"Its condition compares “{question.link_id[:60]}”, of type {question.type},"
            f" with {kind}."
        )
    if sign not in {"=", "!="} and question.type not in _IN_ORDER:
        raise Refused(f"Its condition puts answers of type {question.type} in order.")
    return value


def _chosen(question: Entry, sign: str, kind: str, value: Any) -> str:
    """The code of the option that is meant. One of another type is never guessed at."""
    if sign not in {"=", "!="}:
        raise Refused("Its condition puts answers in order that are only chosen.")
    fitting = {f"answer{one.kind.removeprefix('value')}" for one in question.choices}
    if kind not in fitting:
        raise Refused(
            f"Its condition compares “{question.link_id[:60]}”, which offers answers to choose"
            f" from, with {kind}."
        )
    of_kind = f"value{kind.removeprefix('answer')}"
    found = [one for one in question.choices if one.matches(of_kind, value)]
    if len(found) != 1:
        raise Refused(
            f"Its condition names an answer that “{question.link_id[:60]}” doesn't offer once."
        )
    return found[0].code


def _is(kind: str, value: Any) -> bool:
    if kind == "answerBoolean":
        return isinstance(value, bool)
    if kind in {"answerInteger", "answerDecimal"}:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)
