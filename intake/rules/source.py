"""A file of YAML or JSON as plain values, with the line of each of them.

Of YAML only what JSON can say: no tags, no anchors and aliases, no second document, no dates, and
`yes` is a text. So nothing in a file makes an object, grows when it is read, or changes its type.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import yaml

LARGEST: Final = 1_048_576
DEEPEST: Final = 12
MOST_VALUES: Final = 60_000

Path = tuple[str | int, ...]

# libyaml is the same parser in C; without it the pure one reads the same, slowly.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WHOLE: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
_DECIMAL: Final = re.compile(
    r"[-+]?(([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)", re.ASCII
)
_WORDS: Final = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
# PostgreSQL stores neither.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_LARGEST_NUMBER: Final = 1e15


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a file: the line (0 where it has none), the place in it, a sentence."""

    line: int
    where: str
    message: str
    column: int = 0

    def __str__(self) -> str:
        at = f"line {self.line}" + (f", column {self.column}" if self.column else "")
        parts = [at if self.line else "", self.where, self.message]
        return ": ".join(part for part in parts if part)


class Unreadable(Exception):
    """A text that can't be read at all."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Source:
    """What a file says, and on which line each place of it stands."""

    value: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of a place, or of what is around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def load(
    text: str | bytes, *, largest: int = LARGEST, most_values: int = MOST_VALUES, lines: bool = True
) -> Source:
    """The values of a file, and their lines. What starts with a brace or bracket is JSON.

    Without `lines` those of JSON aren't looked for, which takes longer than to read it. Refuses
    (Unreadable) more than 1 MB, what isn't UTF-8, syntax errors (with line and column), more than
    12 levels or 60,000 values, a key given twice, anchors, aliases, tags, several documents,
    numbers that are out of range and characters that can't be stored.
    """
    text = _decoded(text, largest)
    if text.lstrip()[:1] not in {"{", "["}:
        return _walk(text, most_values)
    value = _json(text)
    _check(value, most_values)
    try:
        # JSON is YAML, but for tabs between its parts: so its lines are found in the same way.
        return Source(value, _walk(text.replace("\t", " "), most_values).lines if lines else {})
    except _NotYaml:
        return Source(value, {})


class _NotYaml(Unreadable):
    """A syntax error."""


def _refuse(message: str, line: int = 0, column: int = 0) -> NoReturn:
    raise Unreadable(Fault(line, "", message, column))


def _decoded(text: str | bytes, largest: int) -> str:
    if len(text) > largest:
        _refuse(f"The file is larger than {largest // LARGEST} MB.")
    if isinstance(text, str):
        text = text.removeprefix("\ufeff")
    else:
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            _refuse("The file isn't UTF-8.", error.object.count(b"\n", 0, error.start) + 1)
    found = _UNSTORABLE.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        _refuse("The file holds a character that can't be stored.", line)
    return text


# --- YAML ----------------------------------------------------------------------------------------


class _Open:
    """A mapping or list that is being read."""

    def __init__(self, value: dict[str, Any] | list[Any], path: Path) -> None:
        self.value = value
        self.path = path
        self.key: str | None = None


class _Reader:
    """Builds the values from the parser's events: level by level, without recursion."""

    def __init__(self, most_values: int) -> None:
        self._most_values = most_values
        self.root: Any = None
        self.lines: dict[Path, int] = {}
        self._open: list[_Open] = []
        self._values = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            _refuse("Anchors and aliases aren't read: write the value out.", line, column)
        if getattr(event, "tag", None):
            _refuse("Tags aren't read.", line, column)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                _refuse("The file holds a second document.", line, column)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line, column)
        elif isinstance(event, yaml.MappingStartEvent):
            self._begin({}, line, column)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._begin([], line, column)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()

    def _scalar(self, event: yaml.ScalarEvent, line: int, column: int) -> None:
        inside = self._open[-1] if self._open else None
        if inside and isinstance(inside.value, dict) and inside.key is None:
            key = str(event.value)
            if key in inside.value:
                _refuse(f"'{key[:60]}' stands twice here.", line, column)
            inside.key = key
            self.lines[(*inside.path, key)] = line
            return
        plain = event.implicit[0]
        self._put(_scalar(event.value, line, column) if plain else event.value, line, column)

    def _begin(self, value: dict[str, Any] | list[Any], line: int, column: int) -> None:
        if len(self._open) >= DEEPEST:
            _refuse(f"The file is nested deeper than {DEEPEST} levels.", line, column)
        path = self._put(value, line, column)
        self._open.append(_Open(value, path))

    def _put(self, value: Any, line: int, column: int) -> Path:
        self._values += 1
        if self._values > self._most_values:
            _refuse(f"The file holds more than {self._most_values} values.", line, column)
        inside = self._open[-1] if self._open else None
        path: Path
        if inside is None:
            self.root, path = value, ()
        elif isinstance(inside.value, list):
            path = (*inside.path, len(inside.value))
            inside.value.append(value)
        elif inside.key is None:
            _refuse("A key must be a text.", line, column)
        else:
            path = (*inside.path, inside.key)
            inside.value[inside.key] = value
            inside.key = None
        self.lines.setdefault(path, line)
        return path


def _walk(text: str, most_values: int) -> Source:
    reader = _Reader(most_values)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise _NotYaml(Fault(at[0], "", f"This isn't YAML: {error.problem}.", at[1])) from None
    except yaml.reader.ReaderError as error:
        # The C parser says where in bytes, the other one in characters.
        line = text.encode()[: error.position].count(b"\n") + 1
        raise _NotYaml(Fault(line, "", "The file holds a character that YAML forbids.")) from None
    except yaml.YAMLError:
        raise _NotYaml(Fault(0, "", "This isn't YAML.")) from None
    return Source(reader.root, reader.lines)


def _scalar(text: str, line: int, column: int) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    try:
        if _WHOLE.fullmatch(text):
            return _whole(text)
        if _DECIMAL.fullmatch(text):
            return _decimal(text)
    except ValueError as error:
        _refuse(str(error), line, column)
    return text


def _whole(text: str) -> int:
    # The length first: Python takes quadratic time over thousands of digits, or raises.
    number = int(text) if len(text) <= 17 else 10**17
    if abs(number) > _LARGEST_NUMBER:
        raise ValueError("A number is out of range.")
    return number


def _decimal(text: str) -> float:
    number = float(text) if len(text) <= 40 else math.inf
    if not abs(number) <= _LARGEST_NUMBER:
        raise ValueError("A number is out of range.")
    return number


# --- JSON ----------------------------------------------------------------------------------------


def _json(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_decimal,
            parse_int=_whole,
        )
    except json.JSONDecodeError as error:
        _refuse(f"This isn't JSON: {error.msg}.", error.lineno, error.colno)
    except RecursionError:
        _refuse(f"The file is nested deeper than {DEEPEST} levels.")
    except _Twice as error:
        # Where it stands is known to the other parser.
        _walk(text.replace("\t", " "), MOST_VALUES)
        _refuse(f"'{error.args[0][:60]}' stands twice in one object.")
    except ValueError as error:
        _refuse(str(error))


class _Twice(Exception):
    """A key that an object holds a second time."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = value
    return found


def _constant(_text: str) -> NoReturn:
    raise ValueError("NaN and Infinity aren't numbers.")


def _check(value: Any, most_values: int) -> None:
    """Refuses what is too deep or too much, and characters that JSON can write and not hold."""
    level, values = [value], 0
    for _ in range(DEEPEST + 1):
        values += len(level)
        if values > most_values:
            _refuse(f"The file holds more than {most_values} values.")
        for one in level:
            words = [one] if isinstance(one, str) else one if isinstance(one, dict) else ()
            if any(_UNSTORABLE.search(word) for word in words):
                _refuse("The file holds a character that can't be stored.")
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    _refuse(f"The file is nested deeper than {DEEPEST} levels.")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
