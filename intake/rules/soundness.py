"""Whether the parts of a definition fit together; their form has been checked before."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

from intake.rules import cycle, vectors, wording
from intake.rules.answers import number
from intake.rules.definition import (
    WITH_OPTIONS,
    Condition,
    Definition,
    Item,
    Scale,
    Subscale,
)
from intake.rules.given import NON, OWN_WORDS
from intake.rules.scoring import span
from intake.rules.source import Path

# A place in the file, and a sentence.
Unsound = tuple[Path, str]

LOCKED: Final = (
    "The words of a locked instrument have changed. An edit of it makes a new instrument, with an "
    "id of its own, unlocked and without cut points."
)
FEWEST_VECTORS: Final = 3

_NUMBERS: Final = frozenset({"integer", "decimal"})
_MOMENTS: Final = frozenset({"date", "date_time", "time"})
_TRUTHS: Final = frozenset({"boolean", "consent"})
_ORDER: Final = frozenset({">", "<", ">=", "<="})


def unsound(definition: Definition) -> Iterator[Unsound]:
    """Every place that doesn't fit the others. Vectors are only tried if all the rest does."""
    found = [
        *_twice(definition),
        *_scales(definition),
        *_items(definition),
        *_subscales(definition),
        *_thresholds(definition),
        *_flags(definition),
        *_texts(definition),
        *_scorer(definition),
    ]
    yield from found
    if not found:
        yield from _vectors(definition)


def _twice(definition: Definition) -> Iterator[Unsound]:
    lists: dict[str, Sequence[Any]] = {
        "sections": definition.sections,
        "items": definition.items,
        "subscales": definition.subscales,
        "test_vectors": definition.vectors,
    }
    for name, rows in lists.items():
        seen: set[str] = set()
        for place, row in enumerate(rows):
            if row.id in seen:
                yield (name, place, "id"), f"The id '{row.id}' stands twice."
            seen.add(row.id)


def _scales(definition: Definition) -> Iterator[Unsound]:
    for scale in definition.scales.values():
        at = ("scales", scale.id)
        codes = _codes(scale)
        for code, times in Counter(codes).items():
            if times > 1:
                yield at, f"The code '{code}' stands {times} times."
        for option in scale.options:
            if option.code.startswith(NON) or option.code == OWN_WORDS:
                named = option.label or option.code
                yield (
                    at,
                    f"The code '{option.code}' of “{named[:60]}” means something else in an"
                    " answer: the option needs another one.",
                )
        weighed = [one for one in scale.options if one.value is not None]
        if weighed and len(weighed) < len(scale.options):
            yield at, "Some options have a value and others have none."


def _codes(scale: Scale) -> list[str]:
    return [one.code for one in scale.options] + [one.code for one in scale.non_answers]


# --- items ---------------------------------------------------------------------------------------


def _items(definition: Definition) -> Iterator[Unsound]:
    sections = {one.id for one in definition.sections}
    earlier: dict[str, Item] = {}
    for place, item in enumerate(definition.items):
        at = ("items", place)
        if item.section not in sections:
            yield (*at, "section"), f"No section is named '{item.section}'."
        yield from _scale_of(definition, item, at)
        if item.show_when:
            for condition in item.show_when.conditions:
                for sentence in _condition(definition, condition, earlier, "shown"):
                    yield (*at, "show_when"), sentence
        earlier[item.id] = item
    for place, item_id in enumerate(definition.short_form):
        if item_id not in earlier:
            yield ("short_form", place), f"No item is named '{item_id}'."


def _scale_of(definition: Definition, item: Item, at: Path) -> Iterator[Unsound]:
    scale = definition.scale_of(item)
    if item.scale and scale is None:
        yield (*at, "scale"), f"No scale is named '{item.scale}'."
    elif item.kind in WITH_OPTIONS and scale is None:
        yield (*at, "scale"), "The scale with its answers is missing."
    elif item.kind not in WITH_OPTIONS and scale is not None:
        yield (*at, "scale"), f"An item of the kind {item.kind} has no scale."
    if item.reverse and span(definition, item) is None:
        yield (*at, "reverse"), "Only an item whose answers all have a value can be reversed."
    if item.least is not None and item.most is not None and item.least > item.most:
        yield (*at, "least"), "The least is more than the most."
    if item.stop_unless and (scale is None or scale.option(item.stop_unless) is None):
        yield (*at, "stop_unless"), f"'{item.stop_unless}' is none of the answers."
    if item.kind == "consent" and not item.version:
        yield (*at, "version"), "A consent needs the version of its text."


def _condition(
    definition: Definition, condition: Condition, known: dict[str, Item], what: str
) -> Iterator[str]:
    item = definition.item(condition.item)
    if item is None:
        yield f"No item is named '{condition.item}'."
    elif condition.item not in known:
        yield f"'{condition.item}' comes later: an item is {what} by what stands before it."
    else:
        yield from _comparison(item, definition.scale_of(item), condition.operator, condition.value)


def _comparison(item: Item, scale: Scale | None, operator: str, value: Any) -> Iterator[str]:
    """Whether an item's answers can be compared with a value in this way."""
    if operator == "exists":
        if not isinstance(value, bool | None):
            yield "`exists` takes true or false."
        return
    if value is None:
        yield "The value to compare with is missing."
        return
    if (operator == "in") != isinstance(value, tuple):
        yield "`in` takes a list of values, and nothing else does."
        return
    for one in value if isinstance(value, tuple) else (value,):
        sentence = _value(item, scale, operator, one)
        if sentence:
            yield sentence


def _value(item: Item, scale: Scale | None, operator: str, value: Any) -> str:
    if item.kind in WITH_OPTIONS:
        return _value_of_scale(item, scale, operator, value)
    fits: bool
    if item.kind in _NUMBERS:
        fits, wanted = number(value) is not None and not isinstance(value, str), "a number"
    elif item.kind in _MOMENTS:
        fits, wanted = _is_moment(value), "a date or time such as 2027-01-31 or 14:30"
    elif item.kind in _TRUTHS:
        fits, wanted = isinstance(value, bool) and operator in {"=", "!="}, "= or != and true"
    elif item.kind == "display":
        return f"'{item.id}' is never answered."
    else:
        fits, wanted = isinstance(value, str) and operator not in _ORDER, "= or != and a text"
    return "" if fits else f"'{item.id}' of the kind {item.kind} is compared with {wanted}."


def _value_of_scale(item: Item, scale: Scale | None, operator: str, value: Any) -> str:
    if scale is None:
        return ""
    if isinstance(value, str):
        if operator in _ORDER:
            return f"'{operator}' needs a number: a code has no order."
        if item.kind != "open_choice" and value not in _codes(scale):
            return f"'{value}' is none of the answers to '{item.id}'."
        return ""
    weights = {one.value for one in scale.options}
    if isinstance(value, bool) or weights == {None}:
        return f"The answers to '{item.id}' have no value: compare with a code, in quotes."
    if operator not in _ORDER and number(value) not in weights:
        return f"No answer to '{item.id}' has the value {value}."
    return ""


def _is_moment(value: Any) -> bool:
    for attempt in (f"{value}", f"2000-01-01T{value}"):
        try:
            datetime.fromisoformat(attempt)
        except ValueError:
            continue
        return isinstance(value, str)
    return False


def _flags(definition: Definition) -> Iterator[Unsound]:
    known = {item.id: item for item in definition.items}
    for place, flag in enumerate(definition.staff_flags):
        condition = Condition(flag.item, flag.operator, flag.value)
        for sentence in _condition(definition, condition, known, "flagged"):
            yield ("staff_flags", place), sentence


# --- scores --------------------------------------------------------------------------------------


def _subscales(definition: Definition) -> Iterator[Unsound]:
    for place, subscale in enumerate(definition.subscales):
        at = ("subscales", place)
        spans = []
        for number_of, item_id in enumerate(subscale.items):
            item = definition.item(item_id)
            if item is None:
                yield (*at, "items", number_of), f"No item is named '{item_id}'."
                continue
            found = span(definition, item)
            if item.kind != "choice" or not item.scored or found is None:
                yield (*at, "items", number_of), f"'{item_id}' has no value to be scored."
                continue
            spans.append(found)
        if subscale.min_valid > len(subscale.items):
            yield (*at, "min_valid"), f"There are only {len(subscale.items)} items."
        if len(spans) == len(subscale.items):
            yield from _range(subscale, spans, at)


def _range(
    subscale: Subscale, spans: Sequence[tuple[Fraction, Fraction]], at: Path
) -> Iterator[Unsound]:
    if subscale.missing == "prorate" and subscale.method != "pct" and len(set(spans)) > 1:
        yield (*at, "missing"), "Only items with the same values can stand for one another."
    if subscale.method == "pct" and any(most <= 0 for _, most in spans):
        yield (*at, "method"), "A percentage needs answers with values above 0."
        return
    zero = subscale.missing == "zero"
    low = sum((min(least, Fraction(0)) if zero else least for least, _ in spans), Fraction(0))
    high = sum((most for _, most in spans), Fraction(0))
    if subscale.method == "mean":
        low, high = low / len(spans), high / len(spans)
    elif subscale.method == "pct":
        low, high = 100 * low / high, Fraction(100)
    low, high = low * subscale.multiply, high * subscale.multiply
    stated_low, stated_high = subscale.range
    # With missing ones as 0 the least possible isn't what a publication states.
    if stated_high != high or (stated_low < low if zero else stated_low != low):
        yield (*at, "range"), f"The items give {_told(low)} to {_told(high)}."


def _thresholds(definition: Definition) -> Iterator[Unsound]:
    subscales = {one.id: one for one in definition.subscales}
    for place, cut in enumerate(definition.cuts):
        at: Path = ("cuts", place)
        subscale = subscales.get(cut.subscale)
        if subscale is None:
            yield (*at, "subscale"), f"No subscale is named '{cut.subscale}'."
        elif not subscale.range[0] <= cut.value <= subscale.range[1]:
            yield (*at, "value"), "It lies outside the range of the subscale."
        if not cut.citation.strip():
            yield (*at, "citation"), "A cut point needs its source."
    seen = set()
    for place, change in enumerate(definition.change):
        at = ("change", place)
        subscale = subscales.get(change.subscale)
        if subscale is None:
            yield (*at, "subscale"), f"No subscale is named '{change.subscale}'."
        elif not subscale.better:
            yield at, f"'{change.subscale}' doesn't say which direction is better."
        if change.subscale in seen:
            yield (*at, "subscale"), f"'{change.subscale}' stands twice."
        seen.add(change.subscale)
        if (change.sd is None) != (change.reliability is None):
            yield at, "The standard deviation and the reliability go together."
        if change.sd is None and change.rci is None:
            yield at, "Either the standard deviation and the reliability or the index is needed."
        if not change.citation.strip():
            yield (*at, "citation"), "What is known of an error needs its source."


# --- words ---------------------------------------------------------------------------------------


def _texts(definition: Definition) -> Iterator[Unsound]:
    own = {key for key, words in wording.own_texts(definition).items() if words}
    every = set(wording.own_texts(definition))
    for language, words in definition.translations.items():
        at = ("translations", language)
        if language == definition.language:
            yield at, "This is the language of the instrument itself."
        for key in words:
            if key not in every:
                yield (*at, key), "No text has this key."
        lacking = sorted(own - {key for key, told in words.items() if told.strip()})
        if lacking:
            yield at, f"{len(lacking)} texts aren't translated: {_listed(lacking)}."
    if definition.locked and not definition.wordless():
        told = wording.text_hash(definition)
        if not definition.text_hash:
            yield ("locked",), f"A locked instrument needs the hash of its words: {told}."
        elif definition.text_hash != told:
            yield ("text_hash",), LOCKED
    if definition.licence.basis == "public-notice" and not definition.notice.strip():
        yield ("licence",), "The notice that permits its use is missing."


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(keys[:5]) + (", …" if len(keys) > 5 else "")


# --- the scorer and the vectors ------------------------------------------------------------------


def _scorer(definition: Definition) -> Iterator[Unsound]:
    if definition.scorer == "cycle":
        for place in cycle.missing_parts(definition):
            yield ("scorer",), f"The cycle needs {place}."


def _vectors(definition: Definition) -> Iterable[Unsound]:
    if definition.subscales and len(definition.vectors) < FEWEST_VECTORS:
        yield ("test_vectors",), f"A scored instrument needs {FEWEST_VECTORS} worked examples."
    for place, sentence in vectors.failures(definition):
        yield ("test_vectors", place), sentence


def _told(value: Fraction) -> str:
    return str(vectors.plain(value))
