"""The words of an instrument in a language, and what client wording never says."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from intake.rules.definition import Definition


def own_texts(definition: Definition) -> dict[str, str | None]:
    """Every text that can be translated, by its key; none where the words are still missing."""
    return dict(_texts(definition))


def text(definition: Definition, key: str, language: str) -> str:
    """A text in a language, or in the instrument's own; empty where there are no words.

    "es-MX" is looked for as "es-MX" and as "es".
    """
    for code in (language, language.split("-")[0]):
        if code == definition.language:
            break
        found = definition.translations.get(code, {}).get(key)
        if found:
            return found
    return own_texts(definition).get(key) or ""


def texts(definition: Definition, language: str) -> dict[str, str]:
    """All texts in a language at once, for a page."""
    own = {key: words or "" for key, words in _texts(definition)}
    if language == definition.language:
        return own
    translated = definition.translations
    found = translated.get(language) or translated.get(language.split("-")[0]) or {}
    return own | {key: words for key, words in found.items() if words}


def text_hash(definition: Definition) -> str:
    """The hash of the words that a locked instrument must keep: stem, items, answers, notice.

    Scales count in the order in which the items use them: a mapping's own order may be lost.
    """
    own = own_texts(definition)
    used = list(dict.fromkeys(item.scale for item in definition.items if item.scale))
    scales = [key for scale in used for key in own if key.startswith(f"scales.{scale}.")]
    parts = [key for key in own if key.startswith(("sections.", "items."))]
    words = [("intro", definition.intro), ("notice", definition.notice)]
    kept = [*words, *((key, own[key]) for key in [*parts, *scales])]
    told = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()


def banned(stems: Iterable[str], words: Mapping[str, str]) -> list[tuple[str, str]]:
    """The texts that contain a banned stem, as pairs of the text's key and the stem."""
    stems = [stem.casefold() for stem in stems]
    return [(key, stem) for key, told in words.items() for stem in stems if stem in told.casefold()]


def _texts(definition: Definition) -> Iterator[tuple[str, str | None]]:
    for name in ("title", "client_title", "intro", "statement"):
        if words := getattr(definition, name):
            yield name, words
    for section in definition.sections:
        if section.title:
            yield f"sections.{section.id}.title", section.title
        if section.intro:
            yield f"sections.{section.id}.intro", section.intro
    for item in definition.items:
        yield f"items.{item.id}", item.text
        if item.help:
            yield f"items.{item.id}.help", item.help
    for scale in definition.scales.values():
        for option in scale.options:
            yield f"scales.{scale.id}.{option.code}", option.label
        for other in scale.non_answers:
            yield f"scales.{scale.id}.{other.code}", other.label
    for subscale in definition.subscales:
        yield f"subscales.{subscale.id}", subscale.label
    for place, cut in enumerate(definition.cuts):
        if cut.label_client:
            yield f"cuts.{place}.label_client", cut.label_client
    yield from _told("wording", definition.wording)


def _told(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """The texts of a mapping, at any depth; its lists are for people who write, not for clients."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _told(f"{path}.{key}", one)
