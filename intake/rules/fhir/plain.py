"""Values of a stranger's document: of the type that was expected, or nothing."""

from collections.abc import Iterable, Iterator
from typing import Any

Node = dict[str, Any]


def objects(value: object) -> list[Node]:
    """The objects of a list; whatever else stands in it is left out."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def node(value: object) -> Node:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """A text, or an empty one."""
    return value if isinstance(value, str) else ""


def extensions(holder: Node, urls: Iterable[str]) -> Iterator[Node]:
    """The extensions of an element with one of these addresses, in the order of the addresses."""
    found = objects(holder.get("extension"))
    for url in urls:
        yield from (one for one in found if one.get("url") == url)


def value_of(extension: Node) -> object:
    """The value that an extension carries, of whichever type."""
    return next((value for name, value in extension.items() if name.startswith("value")), None)


def walk(value: object) -> Iterator[Node]:
    """Every object of a document, at any depth."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
