"""Which answers a clinician must see."""

from intake.rules.answers import Answers
from intake.rules.conditions import given, holds
from intake.rules.definition import Condition, Definition, StaffFlag


def raised(
    definition: Definition, answers: Answers, *, sent: bool, short: bool = False
) -> list[StaffFlag]:
    """The flags that these answers raise, in the order of the definition.

    An item without an answer raises nothing, but for a flag that says so (`exists: false`), and
    only once all is sent. Until then only those count that must not wait: those that show help.
    """
    said = given(definition, answers, short=short)
    found = []
    for flag in definition.staff_flags:
        if not (sent or flag.shows_help):
            continue
        item = definition.item(flag.item)
        answer = said.get(flag.item)
        if item is None or (answer is None and not (sent and _wants_none(flag))):
            continue
        if holds(
            Condition(flag.item, flag.operator, flag.value), answer, definition.scale_of(item)
        ):
            found.append(flag)
    return found


def _wants_none(flag: StaffFlag) -> bool:
    return flag.operator == "exists" and flag.value is False
