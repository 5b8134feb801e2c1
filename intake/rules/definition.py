"""An instrument's definition as values: what is asked, how it is scored, whom it is for.

A definition is data (YAML or FHIR); this is the form in which the rules read it. It is checked
against its schema before (`intake.rules.schema`); nothing found in it is ever executed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Literal

Kind = Literal[
    "choice",
    "multi",
    "open_choice",
    "boolean",
    "consent",
    "signature",
    "text",
    "long_text",
    "url",
    "integer",
    "decimal",
    "date",
    "date_time",
    "time",
    "display",
]
Perspective = Literal["self", "partner", "us"]
Operator = Literal["=", "!=", ">", "<", ">=", "<=", "in", "exists"]
Basis = Literal["own", "public-notice", "cc", "attested"]

# The instrument that asks each person alone whether they are safe: its answers are guarded.
PRIVATE_CHECK: Final = "private-check"

# Kinds whose answer is one of the options, or several.
WITH_OPTIONS: Final = frozenset({"choice", "multi", "open_choice"})
# Kinds that are shown and not answered.
SHOWN_ONLY: Final = frozenset({"display"})


@dataclass(frozen=True, slots=True)
class Option:
    """One answer of a scale; `value` is its weight, or none where it isn't scored."""

    code: str
    label: str | None
    value: Fraction | None = None


@dataclass(frozen=True, slots=True)
class NonAnswer:
    """An answer that says nothing, such as "I'd rather not say": stored, and never scored."""

    code: str
    label: str
    perspectives: frozenset[str] = frozenset()

    def fits(self, item: "Item") -> bool:
        """Whether the item offers it; without perspectives every item does."""
        return not self.perspectives or item.perspective in self.perspectives


@dataclass(frozen=True, slots=True)
class Scale:
    """The options that items share."""

    id: str
    options: tuple[Option, ...]
    non_answers: tuple[NonAnswer, ...] = ()

    def option(self, code: str) -> Option | None:
        """The option with this code."""
        return next((one for one in self.options if one.code == code), None)


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison with another item's answer; of `in`, the value is a tuple."""

    item: str
    operator: Operator
    value: Any = None


@dataclass(frozen=True, slots=True)
class ShowWhen:
    """When an item is asked: all of the conditions hold, or any."""

    conditions: tuple[Condition, ...]
    any: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One question, or a text between them. `text` is none where the licensee enters it.

    Consecutive items of one section with the same `page` stand on one page.
    """

    id: str
    kind: Kind
    text: str | None
    section: str
    page: str = ""
    scale: str = ""
    help: str = ""
    reverse: bool = False
    perspective: Perspective | None = None
    theme: str = ""
    show_when: ShowWhen | None = None
    required: bool = False
    scored: bool = True
    # Anything but this answer ends the form for now, and nothing more is shown.
    stop_unless: str = ""
    # Of a consent: the version of its text.
    version: str = ""
    max_length: int = 0
    least: Fraction | None = None
    most: Fraction | None = None
    # Of a date: `past` refuses one that lies ahead.
    past: bool = False
    # system and code, where a published one is known.
    code: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Items under one heading. Before it the form says who will see the answers."""

    id: str
    title: str
    intro: str = ""


@dataclass(frozen=True, slots=True)
class Subscale:
    """A score made of items.

    `method`: their sum; their mean; or pct, 100 x the sum over its greatest possible value.
    `missing`: strict gives none unless all are answered; prorate fills up with the mean of the
    answered ones from `min_valid` on (for pct: both sums are those of the answered ones); zero
    counts a missing one as 0, from `min_valid` on. `multiply` scales the result. `better` says in
    which direction a change is wished for, where there is one.
    """

    id: str
    label: str
    items: tuple[str, ...]
    method: Literal["sum", "mean", "pct"]
    min_valid: int
    missing: Literal["strict", "prorate", "zero"]
    range: tuple[Fraction, Fraction]
    multiply: Fraction = Fraction(1)
    better: Literal["higher", "lower", ""] = ""
    code: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """A published threshold of a subscale; it never speaks to a client without `label_client`."""

    subscale: str
    operator: Literal[">", "<", ">=", "<="]
    value: Fraction
    label_staff: str
    label_client: str | None
    citation: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is known of a subscale's error, for reliable change. Nothing without a citation."""

    subscale: str
    citation: str
    sd: Fraction | None = None
    reliability: Fraction | None = None
    kind: Literal["alpha", "retest", ""] = ""
    # A published index of reliable change in points, where sd and reliability aren't given.
    rci: Fraction | None = None
    cut: Fraction | None = None


@dataclass(frozen=True, slots=True)
class StaffFlag:
    """An answer that a clinician must see. With `shows_help`, help stands on the page at once."""

    item: str
    operator: Operator
    value: Any
    severity: Literal["urgent", "high", "ask"]
    kind: str
    shows_help: bool = False


@dataclass(frozen=True, slots=True)
class Licence:
    """On which ground the words may be used, by whose word, and since when."""

    basis: Basis
    by: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Vector:
    """A worked example: these answers give these scores."""

    id: str
    answers: Any
    expected: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of an instrument."""

    id: str
    version: str
    language: str
    title: str
    items: tuple[Item, ...]
    scales: Mapping[str, Scale]
    sections: tuple[Section, ...]
    subscales: tuple[Subscale, ...] = ()
    cuts: tuple[Cut, ...] = ()
    change: tuple[Change, ...] = ()
    staff_flags: tuple[StaffFlag, ...] = ()
    vectors: tuple[Vector, ...] = ()
    # What clients read instead of the title, which may say too much on a screen.
    client_title: str = ""
    intro: str = ""
    statement: str = ""
    notice: str = ""
    source_citation: str = ""
    copyright: str = ""
    licence: Licence = Licence("own")
    locked: bool = False
    text_hash: str = ""
    minutes: int = 0
    # Items of a shorter form for repeated use; empty where there is none.
    short_form: tuple[str, ...] = ()
    short_minutes: int = 0
    window_days: int = 0
    private: bool = True
    per_partner: bool = True
    # Whom the answers are for: an audience of `clients.rules.audience`.
    visibility: Literal["counselor", "person", "staff"] = "counselor"
    scorer: str = "standard"
    # Of the scorer: thresholds and the like, as the file has them.
    scoring: Mapping[str, Any] = field(default_factory=dict)
    wording: Mapping[str, Any] = field(default_factory=dict)
    code: tuple[str, str] | None = None
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def item(self, item_id: str) -> Item | None:
        """The item with this id."""
        return next((one for one in self.items if one.id == item_id), None)

    def scale_of(self, item: Item) -> Scale | None:
        """The scale whose options an item offers."""
        return self.scales.get(item.scale)

    def languages(self) -> tuple[str, ...]:
        """The languages in which it can be read, its own first."""
        return (self.language, *self.translations)

    def wordless(self) -> list[str]:
        """The places whose words the licensee still has to enter, as text keys."""
        items = [f"items.{one.id}" for one in self.items if one.text is None]
        options = [
            f"scales.{scale.id}.{option.code}"
            for scale in self.scales.values()
            for option in scale.options
            if option.label is None
        ]
        return items + options


def parse(raw: Mapping[str, Any]) -> Definition:
    """A definition from its plain form, which the schema has found to be in order."""
    sections = tuple(
        Section(one["id"], one.get("title", ""), one.get("intro", ""))
        for one in raw.get("sections", ())
    ) or (Section("all", ""),)
    respondent = raw.get("respondent_rule", {})
    licence = raw.get("licence", {"basis": "own"})
    return Definition(
        id=raw["id"],
        version=raw["version"],
        language=raw["language"],
        title=raw["title"],
        items=tuple(_item(one, sections[0].id) for one in raw["items"]),
        scales={name: _scale(name, one) for name, one in raw.get("scales", {}).items()},
        sections=sections,
        subscales=tuple(_subscale(one) for one in raw.get("subscales", ())),
        cuts=tuple(_cut(one) for one in raw.get("cuts", ())),
        change=tuple(_change(one) for one in raw.get("change") or ()),
        staff_flags=tuple(_flag(one) for one in raw.get("staff_flags", ())),
        vectors=tuple(
            Vector(one["id"], one["answers"], one["expected"])
            for one in raw.get("test_vectors", ())
        ),
        client_title=raw.get("client_title", ""),
        intro=raw.get("intro", ""),
        statement=raw.get("statement", ""),
        notice=raw.get("notice", ""),
        source_citation=raw.get("source_citation", ""),
        copyright=raw.get("copyright", ""),
        licence=Licence(licence["basis"], licence.get("by", ""), str(licence.get("date", ""))),
        locked=raw.get("locked", False),
        text_hash=raw.get("text_hash", ""),
        minutes=raw.get("minutes", 0),
        short_form=tuple(raw.get("short_form", ())),
        short_minutes=raw.get("short_minutes", 0),
        window_days=raw.get("window_days", 0),
        private=respondent.get("private", True),
        per_partner=respondent.get("per_partner", True),
        visibility=raw.get("visibility", "counselor"),
        scorer=raw.get("scorer", "standard"),
        scoring=raw.get("scoring", {}),
        wording=raw.get("wording", {}),
        code=_code(raw.get("code")),
        translations=raw.get("translations", {}),
    )


def content_hash(raw: Mapping[str, Any]) -> bytes:
    """The hash of a definition in its plain form, whatever the order of its names."""
    told = json.dumps(raw, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(told.encode()).digest()


def exact(number: Any) -> Fraction:
    """A number of a file as the fraction that its decimal text says; 0.1 is a tenth."""
    return Fraction(str(number))


def _exact_or_none(number: Any) -> Fraction | None:
    return None if number is None else exact(number)


def _item(raw: Mapping[str, Any], first_section: str) -> Item:
    return Item(
        id=raw["id"],
        kind=raw.get("kind", "choice"),
        text=raw.get("text"),
        section=raw.get("section", first_section),
        page=raw.get("page", ""),
        scale=raw.get("scale", ""),
        help=raw.get("help", ""),
        reverse=raw.get("reverse", False),
        perspective=raw.get("perspective"),
        theme=raw.get("theme", ""),
        show_when=_show_when(raw.get("show_when")),
        required=raw.get("required", False),
        scored=raw.get("scored", True),
        stop_unless=raw.get("stop_unless", ""),
        version=str(raw.get("version", "")),
        max_length=raw.get("max_length", 0),
        least=_exact_or_none(raw.get("least")),
        most=_exact_or_none(raw.get("most")),
        past=raw.get("past", False),
        code=_code(raw.get("code")),
    )


def _scale(name: str, raw: Mapping[str, Any]) -> Scale:
    return Scale(
        name,
        tuple(
            Option(
                str(one.get("code", one.get("value"))),
                one.get("label"),
                _exact_or_none(one.get("value")),
            )
            for one in raw["options"]
        ),
        tuple(
            NonAnswer(one["code"], one["label"], frozenset(one.get("perspectives", ())))
            for one in raw.get("non_answers", ())
        ),
    )


def _show_when(raw: Any) -> ShowWhen | None:
    """One condition, or a list of them under `all` or `any`."""
    if not raw:
        return None
    if "item" in raw:
        return ShowWhen((_condition(raw),))
    chosen: Iterable[Mapping[str, Any]] = raw.get("all") or raw.get("any") or ()
    return ShowWhen(tuple(_condition(one) for one in chosen), "any" in raw)


def _condition(raw: Mapping[str, Any]) -> Condition:
    value = raw.get("value")
    return Condition(
        raw["item"], raw["operator"], tuple(value) if isinstance(value, list) else value
    )


def _subscale(raw: Mapping[str, Any]) -> Subscale:
    low, high = raw["range"]
    return Subscale(
        id=raw["id"],
        label=raw["label"],
        items=tuple(raw["items"]),
        method=raw["method"],
        min_valid=raw["min_valid"],
        missing=raw["missing"],
        range=(exact(low), exact(high)),
        multiply=exact(raw.get("multiply", 1)),
        better=raw.get("better", ""),
        code=_code(raw.get("code")),
    )


def _cut(raw: Mapping[str, Any]) -> Cut:
    return Cut(
        subscale=raw["subscale"],
        operator=raw["operator"],
        value=exact(raw["value"]),
        label_staff=raw["label_staff"],
        label_client=raw.get("label_client"),
        citation=raw["citation"],
    )


def _change(raw: Mapping[str, Any]) -> Change:
    return Change(
        subscale=raw["subscale"],
        citation=raw["citation"],
        sd=_exact_or_none(raw.get("sd")),
        reliability=_exact_or_none(raw.get("reliability")),
        kind=raw.get("kind", ""),
        rci=_exact_or_none(raw.get("rci")),
        cut=_exact_or_none(raw.get("cut")),
    )


def _flag(raw: Mapping[str, Any]) -> StaffFlag:
    value = raw.get("value")
    return StaffFlag(
        item=raw["item"],
        operator=raw["operator"],
        value=tuple(value) if isinstance(value, list) else value,
        severity=raw["severity"],
        kind=raw["kind"],
        shows_help=raw.get("shows_help", False),
    )


def _code(raw: Any) -> tuple[str, str] | None:
    return (raw["system"], raw["code"]) if raw else None
