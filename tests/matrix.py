"""Reads `matrix.txt`: what every route answers to everybody."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_LINES = [
    line.split()
    for line in Path(__file__).with_name("matrix.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
CALLERS = tuple(_LINES[0][3:])


class Row(NamedTuple):
    """What becomes of some methods at one route, for each caller."""

    route: str
    methods: frozenset[str]
    names: str
    cells: dict[str, str]


def rows() -> Iterator[Row]:
    """The table, read."""
    for route, methods, names, *cells in _LINES[1:]:
        words = (cell.replace("_", " ") for cell in cells)
        told = dict(zip(CALLERS, words, strict=True))
        yield Row(route, frozenset(methods.split(",")), names, told)
