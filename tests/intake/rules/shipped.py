"""The shipped definitions, for the tests of rules."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from intake.rules import schema
from intake.rules.definition import Definition, parse

FILES = sorted((Path(__file__).parents[3] / "intake" / "content" / "instruments").glob("*.yaml"))


@cache
def definition(slug: str) -> Definition:
    path = next(one for one in FILES if one.stem == slug)
    raw, faults = schema.read(path.read_bytes())
    assert raw is not None, faults
    return parse(raw)


def vectors() -> Iterator[tuple[str, int]]:
    """Each worked example of each shipped definition, by its place."""
    for path in FILES:
        for place in range(len(definition(path.stem).vectors)):
            yield path.stem, place
