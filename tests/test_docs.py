"""What the documents name exists."""

import ast
import re
from functools import cache

import pytest

from tests.test_architecture import ROOT

NAMED = re.compile(r"`((?:[\w-]+/)*test_\w+\.py)::(test_\w+)`")
ITEM = re.compile(r"\b(\d{1,2}\.\d{1,2}\.\d{1,2})\b")
ASVS = (ROOT / "docs" / "asvs.md").read_text()


@cache
def functions(path: str) -> frozenset[str]:
    """The tests of a file below `tests/`; none of a file that isn't there."""
    file = ROOT / "tests" / path
    if not file.is_file():
        return frozenset()
    nodes = ast.walk(ast.parse(file.read_text()))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef))


def missing(text: str) -> list[str]:
    named = set(NAMED.findall(text))
    return sorted(f"{path}::{name}" for path, name in named if name not in functions(path))


def test_every_test_that_the_asvs_page_names_exists() -> None:
    assert len(NAMED.findall(ASVS)) > 100
    assert ASVS.count("::test_") == len(NAMED.findall(ASVS)), "named in another form"
    assert missing(ASVS) == []


@pytest.mark.parametrize(
    "text", ["`config/test_headers.py::test_nothing`", "`config/test_nothing.py::test_it`"]
)
def test_a_test_that_does_not_exist_is_noticed(text: str) -> None:
    """The control."""
    assert len(missing(text)) == 1
    assert missing("`test_docs.py::test_a_test_that_does_not_exist_is_noticed`") == []


def test_whatever_the_asvs_page_calls_met_names_a_test_or_a_page() -> None:
    rows = [line for line in ASVS.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) > 90
    for row in rows:
        state = row.split("|")[3].strip()
        assert re.match(r"met|partly|not met|by build|operator", state), row
        if state.startswith("met"):
            assert "::test_" in state or "as 3.4.1" in state or ".md" in state, row


def test_no_item_of_the_asvs_page_is_judged_twice() -> None:
    rows = [line.split("|")[1] for line in ASVS.splitlines() if re.match(r"\| \d", line)]
    items = [item for row in rows for item in ITEM.findall(row)]
    assert sorted(items) == sorted(set(items))
