"""JSON as strangers may send it: what leaves open what was meant, or breaks others, is refused."""

import json
import math
import re
from collections.abc import Iterator
from typing import NoReturn

LARGEST_BODY = 1_048_576  # bytes
DEEPEST = 32
MOST_VALUES = 10_000  # checking each of them takes time, which a short text could buy cheaply
LARGEST_WHOLE = 2**53  # what JavaScript, and so most senders, can count to

# PostgreSQL stores neither: the driver would raise long after anybody could say what was wrong.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Refused(Exception):
    """A text that isn't taken; `sentence` says why, without quoting it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def loads(body: bytes) -> object:
    """The value that a JSON text in UTF-8 stands for.

    Refuses (Refused) more than 1 MB, other encodings, more than 32 levels or 10,000 values, a name
    given twice in one object, NaN and numbers that aren't finite, whole numbers past 2**53,
    surrogates and NUL.
    Python's own parser lets all of these pass, or raises RecursionError.
    """
    if len(body) > LARGEST_BODY:
        raise Refused("The text is longer than 1 MB.")
    try:
        value: object = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_number,
            parse_int=_whole,
        )
    except UnicodeDecodeError:
        raise Refused("The text isn't UTF-8.") from None
    except RecursionError:
        raise Refused(f"The text is nested deeper than {DEEPEST} levels.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Refused(f"The text isn't JSON: see {place}.") from None
    _check(value)
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refused("A name stands twice in one object.")
    return found


def _constant(_text: str) -> NoReturn:
    raise Refused("NaN and Infinity aren't numbers.")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Refused("A number is out of range.")
    return number


def _whole(text: str) -> int | float:
    # The length first: Python takes quadratic time over thousands of digits, or raises.
    number = int(text) if len(text) <= 17 else LARGEST_WHOLE + 1
    if abs(number) > LARGEST_WHOLE:
        raise Refused("A number is out of range.")
    # "-0" is no way to write a whole number: as a float, no whole-number field takes it.
    return -0.0 if text == "-0" else number


def _check(value: object) -> None:
    """Refuses what is too deep or can't be stored, level by level and without recursion."""
    level, values = [value], 0
    for _ in range(DEEPEST):
        values += len(level)
        if values > MOST_VALUES:
            raise Refused(f"The text holds more than {MOST_VALUES} values.")
        for text in _texts(level):
            if _UNSTORABLE.search(text):
                raise Refused("A text holds characters that can't be stored.")
        level = list(_inner(level))
        if not level:
            return
    raise Refused(f"The text is nested deeper than {DEEPEST} levels.")


def _texts(level: list[object]) -> Iterator[str]:
    for value in level:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from value


def _inner(level: list[object]) -> Iterator[object]:
    for value in level:
        if isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, list):
            yield from value
