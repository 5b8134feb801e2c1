"""A stranger's JSON file, as values: every number as it stands there, every name once."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, NoReturn

from intake.rules.source import Fault

LARGEST: Final = 1_048_576  # bytes
DEEPEST: Final = 64  # levels of JSON; a question eight groups deep takes some twenty
_LARGEST_WHOLE: Final = 2**53

# A database stores neither.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


class _Refused(Exception):
    """What the parser meets and doesn't take."""


def loads(content: bytes) -> tuple[dict[str, Any] | None, list[Fault]]:
    """The object that a file holds, or why it isn't taken; with or without a byte order mark.

    Refused are more than 1 MB, what isn't JSON in UTF-8 (with line and column), a name given twice
    in one object, more than 64 levels, NaN, and numbers that wouldn't leave as they came: past
    2**53, or with more digits than a double holds.
    """
    if len(content) > LARGEST:
        return None, [Fault(0, "", "The file is longer than 1 MB.")]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None, [Fault(0, "", "The file isn't UTF-8.")]
    if text.lstrip().startswith("<"):
        return None, [Fault(1, "", "This is XML: send the same resource as JSON.")]
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_number,
            parse_int=_whole,
        )
        _check(value)
    except RecursionError:
        return None, [Fault(0, "", f"The file is nested deeper than {DEEPEST} levels.")]
    except json.JSONDecodeError as error:
        return None, [Fault(error.lineno, "", f"This isn't JSON: {error.msg}.", error.colno)]
    except _Refused as refused:
        return None, [Fault(0, "", str(refused))]
    if not isinstance(value, dict):
        return None, [Fault(1, "", "The file has to hold one JSON object.")]
    return value, []


def line_of(content: bytes, link_id: str, nth: int = 1) -> int:
    """The line on which an item's linkId stands; 0 where it isn't found as it was written."""
    text = content.decode("utf-8-sig", errors="replace")
    pattern = re.compile(r'"linkId"\s*:\s*' + re.escape(json.dumps(link_id, ensure_ascii=False)))
    for number, found in enumerate(pattern.finditer(text), start=1):
        if number == nth:
            return text.count("\n", 0, found.start()) + 1
    return 0


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise _Refused(f"The name “{name[:60]}” stands twice in one object.")
        found[name] = value
    return found


def _constant(_text: str) -> NoReturn:
    raise _Refused("NaN and Infinity aren't numbers.")


def _number(text: str) -> float:
    # The length first: a double holds 17 digits.
    number = float(text) if len(text) <= 40 else float("inf")
    if number in {float("inf"), float("-inf")} or Decimal(text) != Decimal(repr(number)):
        raise _Refused(f"The number {text[:20]} can't be kept exactly.")
    return number


def _whole(text: str) -> int:
    # Python takes quadratic time over thousands of digits, or raises.
    number = int(text) if len(text) <= 17 else _LARGEST_WHOLE + 1
    if abs(number) > _LARGEST_WHOLE:
        raise _Refused(f"The number {text[:20]} can't be kept exactly.")
    return number


def _check(value: object) -> None:
    """Refuses what is too deep or can't be stored, level by level and without recursion."""
    level = [value]
    for _ in range(DEEPEST):
        if any(_UNSTORABLE.search(text) for text in _texts(level)):
            raise _Refused("A text holds characters that can't be stored.")
        level = list(_inner(level))
        if not level:
            return
    raise _Refused(f"The file is nested deeper than {DEEPEST} levels.")


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
