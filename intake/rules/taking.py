"""What holds for filling in any form: what comes first, what ends it, in which language it is."""

from typing import Final

from intake.rules.answers import Answered
from intake.rules.definition import Definition, Item

# Of the words on how what is said alone is kept. Raised when they change: then all accept anew.
POLICY_VERSION: Final = "1"
# Under this slug it is kept that the counselor may show a summary to both.
SHARED: Final = "summary"
# An item of this name asks for it.
SHARE_ITEM: Final = "share"


def stops(item: Item, answer: Answered) -> bool:
    """Whether the form ends here for now: not alone, or not sure to be."""
    return bool(item.stop_unless) and (bool(answer.non) or answer.value != item.stop_unless)


def spoken(definition: Definition, language: str) -> str:
    """The language in which somebody reads a form: theirs, else English, else the form's own."""
    plain = language.partition("-")[0]
    there = definition.languages()
    return next((one for one in (language, plain, "en") if one in there), definition.language)
