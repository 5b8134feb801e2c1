"""Checks a definition: first its form, against a JSON Schema, then whether its parts fit together.

The schema stands in `definition.schema.json` beside this file, for editors too.
"""

import difflib
import json
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import jsonschema

from intake.rules.definition import parse
from intake.rules.soundness import unsound
from intake.rules.source import Fault, Path, Source, Unreadable, load

__all__ = ["Fault", "check", "faults", "in_order", "read"]

SCHEMA: Final[dict[str, Any]] = json.loads(
    pathlib.Path(__file__).with_name("definition.schema.json").read_text(encoding="utf-8")
)
# A file that is wrong all over says so; nobody reads a thousand sentences.
MOST_FAULTS: Final = 100

_VALIDATOR: Final = jsonschema.Draft202012Validator(SCHEMA)
_KINDS: Final = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
# Lists whose entries are named by their `id`.
_WITH_IDS: Final = frozenset({"items", "sections", "subscales", "test_vectors"})


def read(text: str | bytes) -> tuple[dict[str, Any] | None, list[Fault]]:
    """A definition in its plain form, and what is wrong with it; none if it can't be read at all.

    Only one without faults may be parsed.
    """
    try:
        source = load(text)
    except Unreadable as refusal:
        return None, [refusal.fault]
    if not isinstance(source.value, dict):
        return None, [Fault(1, "", "A definition is a mapping of names to values.")]
    return source.value, _faults(source)


def faults(text: str | bytes) -> list[Fault]:
    """What is wrong with a definition file, in the order of its lines."""
    return read(text)[1]


def check(raw: Any) -> list[Fault]:
    """What is wrong with a definition that didn't come from a file of ours; without lines."""
    return _faults(Source(raw, {}))


def in_order(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A definition with its names in the order of the schema, for people who read it."""
    found: dict[str, Any] = _ordered(raw, SCHEMA)
    return found


def _faults(source: Source) -> list[Fault]:
    found = list(islice(_of_form(source), 10 * MOST_FAULTS))
    if not found:
        found = [
            Fault(source.line(path), _where(source.value, path), sentence)
            for path, sentence in unsound(parse(source.value))
        ]
    unique = list(dict.fromkeys(sorted(found, key=lambda fault: fault.line)))
    return unique[:MOST_FAULTS]


def _of_form(source: Source) -> Iterator[Fault]:
    for error in _VALIDATOR.iter_errors(source.value):
        path: Path = tuple(error.absolute_path)
        for inner, sentence in _sentences(error):
            at = (*path, *inner)
            yield Fault(source.line(at), _where(source.value, at), sentence)


def _sentences(error: Any) -> Iterator[tuple[Path, str]]:
    """What a validation error says, for people; and the place below its own, where there is one."""
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", ()))
        others = (name for name in error.instance if name not in known)
        for name in islice(others, MOST_FAULTS):
            near = difflib.get_close_matches(name[:60], known, 1)
            hint = f" Is '{near[0]}' meant?" if near else ""
            yield (name,), f"No entry has this name.{hint}"
        return
    if error.validator == "required":
        name = re.match(r"'(.+)' is", error.message)
        yield (), f"'{name[1] if name else '?'}' is missing."
        return
    said = _SENTENCES.get(error.validator)
    yield (), said(error) if said else "This isn't as it has to be."


def _type(error: Any) -> str:
    kinds = error.validator_value
    names = [_KINDS[one] for one in ([kinds] if isinstance(kinds, str) else kinds)]
    hint = ""
    if "a text" in names and isinstance(error.instance, bool | int | float):
        hint = ": put it in quotes"
    return f"This must be {' or '.join(names)}{hint}."


_SENTENCES: Final[dict[str, Callable[[Any], str]]] = {
    "type": _type,
    "enum": lambda error: f"This must be one of {_words(error.validator_value)}.",
    "pattern": lambda error: f"This {error.schema.get('description', 'has a wrong form')}.",
    "anyOf": lambda error: f"This {error.schema['description']}.",
    "oneOf": lambda error: f"This {error.schema['description']}.",
    "dependentRequired": lambda _: "The operator is missing.",
    "minLength": lambda _: "This must not be empty.",
    "maxLength": lambda error: f"This is longer than {error.validator_value} characters.",
    "minItems": lambda error: f"This needs at least {error.validator_value}.",
    "maxItems": lambda error: f"These are more than {error.validator_value}.",
    "minProperties": lambda _: "This must not be empty.",
    "maxProperties": lambda error: f"These are more than {error.validator_value}.",
    "uniqueItems": lambda _: "Something stands in it twice.",
    "minimum": lambda error: f"This must be at least {error.validator_value}.",
    "maximum": lambda error: f"This must be at most {error.validator_value}.",
    "exclusiveMinimum": lambda error: f"This must be more than {error.validator_value}.",
    "exclusiveMaximum": lambda error: f"This must be less than {error.validator_value}.",
}


def _words(values: list[Any]) -> str:
    return ", ".join("null" if one is None else str(one) for one in values if one != "")


def _where(value: Any, path: Path) -> str:
    """A place as people name it: list entries by their id, where they have one."""
    told: list[str] = []
    inside: str | int = ""
    for step in path:
        name = str(step)
        value = _below(value, step)
        if isinstance(step, int) and inside in _WITH_IDS and isinstance(value, dict):
            own = value.get("id")
            name = own if isinstance(own, str) and own else name
        told.append(name[:100])
        inside = step
    return ".".join(told)


def _below(value: Any, step: str | int) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None


def _ordered(value: Any, schema: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(value, list):
        return [_ordered(one, schema.get("items", {})) for one in value]
    if not isinstance(value, Mapping):
        return value
    known = schema.get("properties", {})
    more = schema.get("additionalProperties")
    inner = more if isinstance(more, dict) else {}
    names = [name for name in known if name in value]
    names += sorted(name for name in value if name not in known)
    return {name: _ordered(value[name], known.get(name, inner)) for name in names}
