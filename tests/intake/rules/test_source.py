"""Files as values: what is read, what is refused, and on which line."""

import contextlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from intake.rules.source import DEEPEST, Unreadable, load


def refusal(text: str | bytes, **limits: Any) -> str:
    with pytest.raises(Unreadable) as refused:
        load(text, **limits)
    return str(refused.value)


def test_words_stay_words() -> None:
    text = 'a: [yes, no, on, 2027-01-31, 12:30, 012, 0x1F, 1_000, .inf, "1", ~, 1, -2.5, 1e3]'
    assert load(text).value["a"] == [
        *("yes", "no", "on", "2027-01-31", "12:30", "012", "0x1F", "1_000", ".inf", "1"),
        *(None, 1, -2.5, 1000.0),
    ]
    assert load("no: true").value == {"no": True}
    assert load("<<: {a: 1}").value == {"<<": {"a": 1}}


def test_each_place_has_its_line() -> None:
    for text in ("a: 1\nb:\n  - c: 2\n  - d\n", '{"a": 1,\n"b": [\n{\t"c": 2},\n"d"]}'):
        source = load(text)
        assert source.value == {"a": 1, "b": [{"c": 2}, "d"]}
        assert source.line(("a",)) == 1
        assert source.line(("b",)) == 2
        assert source.line(("b", 0, "c")) == 3
        assert source.line(("b", 1)) == 4
        # Of what isn't there: the line of what is around it.
        assert source.line(("b", 0, "missing")) == 3


def test_a_mark_of_order_at_its_beginning_is_no_text() -> None:
    for text in ("a: 1", '{"a": 1}'):
        assert load(("\ufeff" + text).encode()).value == {"a": 1}
        assert load("\ufeff" + text).value == {"a": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: b: c", "line 1, column 5: This isn't YAML", id="yaml"),
        pytest.param("a:\n\t- b", "line 2, column 1: This isn't YAML", id="tab"),
        pytest.param('{"a": 1\n"b": 2}', "line 2, column 1: This isn't JSON", id="json"),
        pytest.param('{"a": 1}\n{}', "line 2, column 1: This isn't JSON", id="two-objects"),
        pytest.param("a: 1\nb: 2\na: 3", "line 3, column 1: 'a' stands twice", id="yaml-twice"),
        pytest.param('{"a": 1,\n"a": 2}', "line 2, column 1: 'a' stands twice", id="json-twice"),
        pytest.param("a: &x 1", "line 1, column 4: Anchors", id="anchor"),
        pytest.param("a: &x [1]\nb: [*x, *x]", "line 1, column 4: Anchors", id="aliases"),
        pytest.param("a: !!python/object:os.system x", "line 1, column 4: Tags", id="python-tag"),
        pytest.param("!thing\na: 1", "line 1, column 1: Tags", id="tag"),
        pytest.param("a: 1\n---\nb: 2", "line 2, column 1: The file holds a second", id="two"),
        pytest.param("? [a]\n: b", "line 1, column 3: A key must be a text", id="list-as-key"),
        pytest.param("a: " + "9" * 5000, "line 1, column 4: A number is out", id="many-digits"),
        pytest.param("a: 1e999", "line 1, column 4: A number is out of range", id="infinite"),
        pytest.param('{"a": 1e999}', "A number is out of range", id="json-infinite"),
        pytest.param('{"a": ' + "9" * 5000 + "}", "A number is out of range", id="json-digits"),
        pytest.param('{"a": NaN}', "NaN and Infinity aren't numbers", id="nan"),
        pytest.param("a: 'x\x00'", "line 1: The file holds a character", id="nul"),
        pytest.param('{"a": "\\u0000"}', "a character that can't be stored", id="json-nul"),
        pytest.param('{"a": "\\ud800"}', "a character that can't be stored", id="surrogate"),
        pytest.param('{"\\ud800": 1}', "a character that can't be stored", id="surrogate-key"),
        pytest.param("a: \x07", "line 1: The file holds a character that YAML", id="bell"),
        pytest.param("[" * 100_000, "deeper than 12 levels", id="deep-json"),
        pytest.param('{"a":' * 100_000, "deeper than 12 levels", id="deep-objects"),
        pytest.param("a: " + "[" * 100_000, "deeper than 12 levels", id="deep-yaml"),
        pytest.param("- " * 1000, "deeper than 12 levels", id="deep-lists"),
        pytest.param(b"a: 1\nb: \xff", "line 2: The file isn't UTF-8", id="latin"),
        pytest.param("a: 1".encode("utf-16"), "The file isn't UTF-8", id="utf-16"),
    ],
)
def test_what_is_refused(text: str | bytes, said: str) -> None:
    assert said in refusal(text)


def test_the_limits() -> None:
    assert "larger than 1 MB" in refusal("#" * 1_048_577)
    assert load("#" * 1_048_576).value is None
    for text in (f"[{'1,' * 9}1]", "\n".join(["- 1"] * 10)):
        assert load(text, most_values=11).value == [1] * 10
        assert "more than 10 values" in refusal(text, most_values=10)
    deep = "[" * DEEPEST + "]" * DEEPEST
    assert load(deep).value
    assert "deeper" in refusal(f"[{deep}]")
    assert load("a: " + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)).value


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(-1e9, 1e9).map(lambda one: round(one, 6))
    | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(categories=["L", "N"])), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(st.characters(categories=["L"]), min_size=1), plain, max_size=4))
def test_what_is_written_is_read_again(value: dict[str, Any]) -> None:
    try:
        found = load(json.dumps(value))
    except Unreadable as refused:
        assert "deeper" in str(refused)  # noqa: PT017
        return
    assert found.value == value
    assert load(yaml.safe_dump(value, allow_unicode=True)).value == value


@given(st.text() | st.binary())
def test_whatever_comes_is_read_or_refused(text: str | bytes) -> None:
    with contextlib.suppress(Unreadable):
        load(text)


@given(st.text(alphabet='{}[]:,"-&*!|>? \n\t#a1.', max_size=60))
def test_whatever_looks_like_a_file_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Unreadable):
        load(text)
