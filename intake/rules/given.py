"""What may be answered to a question: read from what was sent, or refused with a code.

A value comes as a form or JSON carries it: a text, or several for a question with several
answers. `~code` is an answer that says nothing, such as "I'd rather not say".
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final

from intake.rules.answers import Answered
from intake.rules.definition import Definition, Item, Scale

# Before the code of a non-answer, and in place of a code where a text of one's own is meant.
NON: Final = "~"
# The choice that stands for words of one's own.
OWN_WORDS: Final = "+own"
YES, NO = "yes", "no"
LONGEST_LINE, LONGEST_TEXT = 200, 20_000
EARLIEST, LATEST = date(1900, 1, 1), date(2190, 1, 1)

_UNFIT = re.compile("[\x00\ud800-\udfff]")
_LINES = re.compile("[\r\n\u2028\u2029\x85\x0b\x0c]")
_ADDRESS = re.compile(r"https?://[^\s/]+\.[^\s]+")
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,15}([.,][0-9]{1,10})?")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class Wrong(Exception):
    """An answer that can't be taken; `code` says why, `limit` is the figure that it names."""

    def __init__(self, code: str, limit: object = None) -> None:
        super().__init__(code)
        self.code = code
        self.limit = limit


def read(
    definition: Definition, item: Item, sent: str | Sequence[str] | None, *, today: date
) -> Answered:
    """The answer that was meant; an empty one for nothing.

    Refuses (Wrong) a choice that isn't offered (`choice`), several where one is asked for
    (`several`), what doesn't fit the kind of question (`number`, `date`, `time`, `address`,
    `line_break`, `characters`), what is out of range (`least`, `most`, `future`, `too_long`), and
    consent that isn't plainly given (`consent`).
    """
    values = [sent] if isinstance(sent, str) else list(sent or ())
    # White space alone says nothing.
    values = [one for one in values if one.strip()]
    if not values:
        return Answered([] if item.kind == "multi" else None)
    scale = definition.scale_of(item)
    if item.kind == "multi":
        return _several(item, scale, values)
    if len(values) > 1:
        raise Wrong("several")
    (value,) = values
    if scale is not None and (non := _non_answer(item, scale, value)):
        return Answered(non=non)
    return Answered(_value(item, scale, value, today))


def _value(item: Item, scale: Scale | None, value: str, today: date) -> Any:
    match item.kind:
        case "choice":
            return _choice(scale, value)
        case "open_choice":
            if scale is not None and scale.option(value):
                return value
            return _line(item, value)
        case "boolean":
            if value not in (YES, NO):
                raise Wrong("choice")
            return value == YES
        case "consent":
            if value != YES:
                raise Wrong("consent")
            return True
        case "integer" | "decimal":
            return _number(item, value)
        case "date" | "date_time" | "time":
            return _moment(item, value, today)
        case "long_text":
            return _text(value, limit_of(item))
        case "url":
            text = _line(item, value)
            if not _ADDRESS.fullmatch(text):
                raise Wrong("address")
            return text
        case "text":
            return _line(item, value)
    raise Wrong("choice")


def _choice(scale: Scale | None, value: str) -> str:
    if scale is None or scale.option(value) is None:
        raise Wrong("choice")
    return value


def _non_answer(item: Item, scale: Scale, value: str) -> str:
    """The code of a non-answer that the item offers, or nothing."""
    if not value.startswith(NON) or scale.option(value):
        return ""
    code = value.removeprefix(NON)
    return next((one.code for one in scale.non_answers if one.code == code and one.fits(item)), "")


def _several(item: Item, scale: Scale | None, values: Sequence[str]) -> Answered:
    if scale is None:
        raise Wrong("choice")
    chosen = set(values)
    said_nothing = [one for one in values if _non_answer(item, scale, one)]
    if said_nothing:
        if len(chosen) > 1:
            raise Wrong("several")
        return Answered(non=_non_answer(item, scale, said_nothing[0]))
    for one in chosen:
        _choice(scale, one)
    # In the order of the form, each once: the same choice is the same answer.
    return Answered([one.code for one in scale.options if one.code in chosen])


def _line(item: Item, value: str) -> str:
    text = _text(value.strip(), limit_of(item))
    if _LINES.search(text):
        raise Wrong("line_break")
    return text


def _text(value: str, limit: int) -> str:
    """Text as it was typed (NFC); a browser sends its line breaks as two characters."""
    if _UNFIT.search(value):
        raise Wrong("characters")
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n"))
    if len(text) > limit:
        raise Wrong("too_long", limit)
    return text


def _number(item: Item, value: str) -> str:
    text = value.strip()
    pattern = _WHOLE if item.kind == "integer" else _DECIMAL
    if not pattern.fullmatch(text):
        raise Wrong("number")
    text = text.replace(",", ".")
    try:
        number = Fraction(Decimal(text))
    except InvalidOperation:
        raise Wrong("number") from None
    if item.least is not None and number < item.least:
        raise Wrong("least", _plain(item.least))
    if item.most is not None and number > item.most:
        raise Wrong("most", _plain(item.most))
    return text


def _plain(number: Fraction) -> str:
    return str(number.numerator if number.denominator == 1 else float(number))


def _moment(item: Item, value: str, today: date) -> str:
    """A date, a time of the day, or both, in ISO form as browsers send it."""
    if item.kind == "time":
        if not _TIME.fullmatch(value):
            raise Wrong("time")
        return value
    day, _, clock = value.partition("T")
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", day) or (item.kind == "date" and clock):
        raise Wrong("date")
    if item.kind == "date_time" and not _TIME.fullmatch(clock):
        raise Wrong("time")
    try:
        on = date.fromisoformat(day)
        datetime.fromisoformat(value)
    except ValueError:
        raise Wrong("date") from None
    if not EARLIEST <= on < LATEST:
        raise Wrong("date")
    if item.past and on > today:
        raise Wrong("future")
    return value


def write(answer: Answered | None) -> list[str]:
    """An answer as a form sends it: what `read` reads."""
    if answer is None or (not answer.non and answer.value is None):
        return []
    if answer.non:
        return [NON + answer.non]
    if isinstance(answer.value, bool):
        return [YES if answer.value else NO]
    return [str(one) for one in answer.value] if isinstance(answer.value, list) else [answer.value]


def limit_of(item: Item) -> int:
    """How many characters an answer in words may have."""
    return item.max_length or (LONGEST_TEXT if item.kind == "long_text" else LONGEST_LINE)


def day(iso: str) -> date:
    """The day of a date that was read before."""
    return date.fromisoformat(iso)
