"""Which items are asked, given what was answered so far.

A condition compares as FHIR does: it holds if at least one answer does. `!=` holds if no answer
equals the value, so it holds on an item without an answer. A number is compared with an option's
weight, a text with its code or with the code of a non-answer.
"""

import operator
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, Final

from intake.rules.answers import Answered, Answers, is_answered, number
from intake.rules.definition import Condition, Definition, Item, Scale, ShowWhen

_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def asked(definition: Definition, answers: Answers, *, short: bool = False) -> list[Item]:
    """The items that stand in the form now, in order; those that are only shown as well.

    The answer of an item that isn't asked counts as none, so what hangs on it is hidden as well.
    Behind an answer that stops the form comes nothing.
    """
    shown: list[Item] = []
    said: dict[str, Answered] = {}
    for item in definition.items:
        if short and item.id not in definition.short_form:
            continue
        if item.show_when and not _is_shown(definition, item.show_when, said):
            continue
        shown.append(item)
        answer = answers.get(item.id)
        if answer is not None and is_answered(answer):
            said[item.id] = answer
        if item.stop_unless and (answer is None or answer.value != item.stop_unless):
            break
    return shown


def given(definition: Definition, answers: Answers, *, short: bool = False) -> dict[str, Answered]:
    """The answers to what is asked; the only ones that are sent, scored and looked at."""
    return {
        item.id: answers[item.id]
        for item in asked(definition, answers, short=short)
        if is_answered(answers.get(item.id))
    }


def holds(condition: Condition, answer: Answered | None, scale: Scale | None = None) -> bool:
    """Whether an answer fulfils a condition; `scale` is that of the item, for weights."""
    said = _said(answer)
    wanted = condition.value
    if condition.operator == "exists":
        return bool(said) is (wanted is not False)
    if condition.operator == "=":
        return any(_equal(one, wanted, scale) for one in said)
    if condition.operator == "!=":
        return not any(_equal(one, wanted, scale) for one in said)
    if condition.operator == "in":
        return any(_equal(one, each, scale) for one in said for each in wanted)
    if answer is None or answer.non:
        return False
    return any(_in_order(condition.operator, one, wanted, scale) for one in said)


def _is_shown(definition: Definition, show_when: ShowWhen, said: Answers) -> bool:
    found = (_holds_in(definition, one, said) for one in show_when.conditions)
    return any(found) if show_when.any else all(found)


def _holds_in(definition: Definition, condition: Condition, said: Answers) -> bool:
    item = definition.item(condition.item)
    scale = definition.scale_of(item) if item else None
    return holds(condition, said.get(condition.item), scale)


def _said(answer: Answered | None) -> list[Any]:
    """What an answer says: one thing, several, or nothing."""
    if answer is None or not is_answered(answer):
        return []
    if answer.non:
        return [answer.non]
    return list(answer.value) if isinstance(answer.value, list | tuple) else [answer.value]


def _equal(said: Any, wanted: Any, scale: Scale | None) -> bool:
    if isinstance(said, bool) or isinstance(wanted, bool):
        return said is wanted
    if isinstance(wanted, str):
        return bool(said == wanted)
    weight = _weight(said, scale)
    return weight is not None and weight == number(wanted)


def _in_order(operator: str, said: Any, wanted: Any, scale: Scale | None) -> bool:
    left: Any
    right: Any
    if isinstance(wanted, str):
        left, right = _moment(said), _moment(wanted)
    else:
        left, right = _weight(said, scale), number(wanted)
    if left is None or right is None:
        return False
    return _ORDER[operator](left, right)


def _weight(said: Any, scale: Scale | None) -> Fraction | None:
    if scale is None:
        return number(said)
    option = scale.option(str(said))
    return option.value if option else None


def _moment(text: Any) -> datetime | None:
    """A date, a time or both, for comparing; without an offset all are meant to be in one zone."""
    for attempt in (f"{text}", f"2000-01-01T{text}"):
        try:
            found = datetime.fromisoformat(attempt)
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None
