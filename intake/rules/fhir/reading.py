"""A FHIR R4 Questionnaire as a definition of ours, with the file itself kept to the letter.

No address in it is opened, no expression run, no narrative shown. What can't be kept as it is
meant is refused in a sentence; what is kept and not used is noted. Codes are taken along, and
never say what an instrument is: public files carry wrong ones.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from intake.rules import schema
from intake.rules.fhir import document, names, shown, suggested
from intake.rules.fhir.ids import item_ids
from intake.rules.fhir.options import Choice, Unknown, choices
from intake.rules.fhir.plain import Node, extensions, objects, text, value_of, walk
from intake.rules.fhir.tree import DEEPEST, KINDS, MOST_ITEMS, NOT_ASKED, TYPES, Entry, entries
from intake.rules.source import Fault

# What would change the form without a word if it were passed over in another type.
_LISTS: Final = ("item", "enableWhen", "answerOption", "extension", "contained", "code")
_FLAGS: Final = ("required", "repeats", "readOnly")

# What a total calls itself, where nothing else in the file says that it is one.
_TOTAL: Final = re.compile(r"\b(total|sum|raw|overall)\b.*\bscore\b|\btotal\s*$|\bscore\s*$", re.I)
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,39}")
_LONG_TITLE: Final = 120


@dataclass(frozen=True, slots=True)
class Imported:
    """A definition in its plain form, the file it came from, and what somebody has to know of it.

    With `hindrances` it can't be given to anybody: the file asks for what needs an engine.
    """

    raw: dict[str, Any]
    fhir: dict[str, Any]
    notes: tuple[str, ...]
    hindrances: tuple[Fault, ...]


def read(content: bytes, *, language: str = "en") -> tuple[Imported | None, list[Fault]]:
    """The definition that a file holds, or why it isn't taken. `language`: where it names none."""
    found, faults = document.loads(content)
    if found is None:
        return None, faults
    faults = list(_of_another_kind(found)) or list(_of_form(found, content))
    if faults:
        return None, faults
    known, faults = _understood(found, content)
    if faults:
        return None, faults
    made, notes, faults = _made(found, known, content, language)
    faults = faults or schema.check(made)
    if faults:
        return None, faults
    return Imported(made, found, tuple(notes), tuple(hindrances(found))), []


def hindrances(questionnaire: Mapping[str, Any]) -> list[Fault]:
    """What keeps a form from being published: items whose showing only an expression decides."""
    found, _ = _understood(dict(questionnaire), b"")
    return [
        Fault(
            0,
            one.link_id,
            "An expression decides whether it is asked, and none is ever run:"
            " write it as enableWhen, or in a definition of ours.",
        )
        for one in found
        if not one.why_not and any(each.shown_by_expression for each in (*one.parents, one))
    ]


def known_items(questionnaire: Mapping[str, Any]) -> tuple[list[Entry], dict[str, str]]:
    """The items of a form that was read before, and the id of each by its linkId."""
    found, _ = _understood(dict(questionnaire), b"")
    return found, item_ids(one.link_id for one in found)


# --- what it is ----------------------------------------------------------------------------------


def _mistyped(found: Node) -> Iterator[Fault]:
    inside = (*walk(found.get("item")), *walk(found.get("contained")))
    sentence = "“{}” isn't of the type that FHIR gives it."
    for part in (found, *inside):
        for name in _LISTS:
            # A concept's code is a text, and that of an item or a form a list.
            of_concept = name == "code" and isinstance(part.get(name), str)
            if name in part and not of_concept and not _is_list(part[name]):
                yield Fault(0, text(part.get("linkId")), sentence.format(name))
        for name in _FLAGS:
            if name in part and not isinstance(part[name], bool):
                yield Fault(0, text(part.get("linkId")), sentence.format(name))


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _of_another_kind(found: Node) -> list[Fault]:
    kind = text(found.get("resourceType"))
    if kind != "Questionnaire":
        return [Fault(0, "resourceType", f"This is no Questionnaire: “{kind[:40]}”.")]
    items = list(walk(found.get("item")))
    if "group" in found and "item" not in found:
        return [Fault(0, "", "This is a Questionnaire of FHIR DSTU2; only R4 is read.")]
    if any("option" in one or "options" in one or "hasAnswer" in one for one in items):
        return [
            Fault(0, "", "This is a Questionnaire of FHIR STU3 (option, options); only R4 is read.")
        ]
    if any(one.get("type") == "coding" or "answerConstraint" in one for one in items):
        return [Fault(0, "", "This is a Questionnaire of FHIR R5 (coding); only R4 is read.")]
    return []


def _of_form(found: Node, content: bytes) -> list[Fault]:
    """What no R4 form may hold, and what we don't take."""
    faults = []
    if found.get("implicitRules"):
        faults.append(Fault(0, "implicitRules", "Rules that aren't in the file can't be followed."))
    for part in walk(found):
        if "modifierExtension" in part:
            urls = [text(each.get("url"))[:120] for each in objects(part["modifierExtension"])]
            sentence = "A modifierExtension changes what it means, and isn't known: "
            faults.append(Fault(0, text(part.get("linkId")), sentence + ", ".join(urls)))
    faults += list(_mistyped(found))
    everything = list(entries(found.get("item")))
    if not everything:
        faults.append(Fault(0, "item", "It asks nothing."))
    if len(everything) > MOST_ITEMS:
        return [*faults, Fault(0, "item", f"It has more than {MOST_ITEMS} items.")]
    seen: dict[str, int] = {}
    for one in everything:
        link_id = one.link_id
        seen[link_id] = seen.get(link_id, 0) + 1
        line = document.line_of(content, link_id, seen[link_id]) if link_id else 0
        if not link_id.strip() or len(link_id) > 255:
            faults.append(Fault(line, "linkId", "Each item needs a linkId of 1 to 255 characters."))
        elif seen[link_id] > 1:
            faults.append(Fault(line, link_id, "This linkId stands there twice."))
        if one.type not in TYPES:
            faults.append(Fault(line, link_id, f"R4 knows no such type: “{one.type[:40]}”."))
        if len(one.parents) >= DEEPEST:
            faults.append(Fault(line, link_id, f"It lies deeper than {DEEPEST} levels."))
    return faults


# --- what its items are --------------------------------------------------------------------------


def _understood(found: Node, content: bytes) -> tuple[list[Entry], list[Fault]]:
    """Its items, each with its options, or with the reason why nobody is asked it."""
    contained = objects(found.get("contained"))
    known = list(entries(found.get("item")))
    faults = []
    for one in known:
        one.why_not = _why_not(one)
        if one.type not in {"choice", "open-choice"} or one.why_not:
            continue
        try:
            one.choices = choices(one.node, contained)
        except Unknown as refused:
            line = document.line_of(content, one.link_id)
            faults.append(Fault(line, one.link_id, refused.sentence))
    if any(one.weighted for one in known):
        for one in known:
            if one.type in {"integer", "decimal"} and not one.why_not and _TOTAL.search(one.text):
                one.why_not = "a total by its name"
    return known, faults


def _why_not(one: Entry) -> str:
    above = next((each.why_not for each in one.parents if each.why_not), "")
    if one.is_computed:
        return "a total, or something else that is computed"
    if one.is_hidden:
        return "hidden"
    if one.type in NOT_ASKED:
        return f"of type {one.type}"
    if one.type == "display" and not one.text:
        return "without a text"
    return above


# --- what becomes of it --------------------------------------------------------------------------


def _made(
    found: Node, known: list[Entry], content: bytes, language: str
) -> tuple[dict[str, Any], list[str], list[Fault]]:
    ids = item_ids(one.link_id for one in known)
    head, notes = _head(found, content, language)
    faults: list[Fault] = []
    scales = _Scales()
    sections = _Sections()
    earlier: dict[str, Entry] = {}
    items: list[Node] = []
    for one in known:
        if one.is_group:
            earlier[one.link_id] = one
            notes += _note_of_repeats(one)
            continue
        if one.why_not:
            earlier[one.link_id] = one
            notes.append(f"“{one.link_id}” isn't asked: {one.why_not}.")
            continue
        if one.is_help and one.parents and not one.parents[-1].is_group:
            _explain(items, ids[one.parents[-1].link_id], one.text)
            continue
        try:
            condition = shown.show_when(one, earlier, ids)
        except shown.Refused as refused:
            line = document.line_of(content, one.link_id)
            faults.append(Fault(line, one.link_id, refused.sentence))
            condition = None
        made = _item(one, ids[one.link_id], sections.of(one), scales.of(one))
        if condition:
            made["show_when"] = condition
        items.append(made)
        earlier[one.link_id] = one
        notes += _note_of_repeats(one)
    raw: dict[str, Any] = {
        **head,
        "sections": sections.listed,
        "scales": scales.listed,
        "items": items,
    }
    notes += scales.notes
    if not faults:
        made_of, sentence = suggested.subscales(known, ids)
        if made_of:
            raw["subscales"] = made_of
            raw["test_vectors"] = suggested.vectors(raw)
            notes.append(f"{sentence} It is a suggestion: its examples are generated, check both.")
    return raw, notes, faults


def _head(found: Node, content: bytes, language: str) -> tuple[dict[str, Any], list[str]]:
    notes = []
    title = (text(found.get("title")) or text(found.get("name")) or text(found.get("id"))).strip()
    named = text(found.get("name")) or text(found.get("id")) or title
    own = text(found.get("language"))
    if not _LANGUAGE.fullmatch(own) or len(own) > 10:
        own = language
        notes.append(f"It names no language: it is taken to be {language}.")
    version = text(found.get("version"))
    if not _VERSION.fullmatch(version):
        version = f"sha-{hashlib.sha256(content).hexdigest()[:12]}"
        notes.append("It has no version that can be kept: it is named by its content.")
    copyright_ = text(found.get("copyright")).strip()
    source = text(found.get("url")) or text(found.get("publisher"))
    head: dict[str, Any] = {
        # A file from elsewhere is never taken for a version of an instrument of ours.
        "id": "fhir-" + (_slug(named) or "form"),
        "version": version,
        "language": own,
        "title": title[:200].strip() or "Untitled",
        "source_citation": f"FHIR Questionnaire {source}"[:5000].strip(),
        "licence": {"basis": "attested"},
        "visibility": "counselor",
    }
    if copyright_:
        head["copyright" if len(copyright_) <= 2_000 else "notice"] = copyright_
    codings = objects(found.get("code"))
    if codings and (code := _coding(codings[0])):
        head["code"] = code
    return head, notes


def _item(one: Entry, item_id: str, section: str, scale: str) -> Node:
    kind = KINDS[one.type]
    if one.node.get("repeats") is True and kind == "choice":
        kind = "multi"
    made: Node = {"id": item_id, "kind": kind, "section": section, "text": one.text or None}
    if scale:
        made["scale"] = scale
    if one.node.get("required") is True and kind != "display":
        made["required"] = True
    longest = one.node.get("maxLength")
    if isinstance(longest, int) and longest > 0 and kind in {"text", "long_text", "url"}:
        made["max_length"] = min(longest, 20_000)
    if kind in {"integer", "decimal"}:
        for name, url in (("least", names.LEAST), ("most", names.MOST)):
            value = next((value_of(each) for each in extensions(one.node, [url])), None)
            if isinstance(value, int | float) and not isinstance(value, bool):
                made[name] = value
    codings = objects(one.node.get("code"))
    if codings and (code := _coding(codings[0])):
        made["code"] = code
    return made


def _coding(coding: Node) -> Node | None:
    system, code = text(coding.get("system")), text(coding.get("code"))
    fits = 0 < len(system) <= 300 and 0 < len(code) <= 100
    return {"system": system, "code": code} if fits else None


def _slug(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[^a-z0-9]+", "-", spaced.lower())[:44].strip("-")


def _explain(items: list[Node], item_id: str, words: str) -> None:
    for made in items:
        if made["id"] == item_id:
            made["help"] = f"{made.get('help', '')}\n{words}".strip()


def _note_of_repeats(one: Entry) -> list[str]:
    if one.node.get("repeats") is not True or one.type == "choice":
        return []
    return [f"“{one.link_id}” may be answered several times in the file: here it is asked once."]


class _Scales:
    """Lists of options, each once."""

    def __init__(self) -> None:
        self.listed: dict[str, Node] = {}
        self.notes: list[str] = []
        self._names: dict[str, str] = {}

    def of(self, one: Entry) -> str:
        """The name of an item's options; empty where it has none."""
        if one.type not in {"choice", "open-choice"}:
            return ""
        kept = [each for each in one.choices if not each.is_non_answer]
        scale: Node = {"options": [_option(each, one.weighted) for each in kept]}
        silent = [each for each in one.choices if each.is_non_answer]
        if silent:
            scale["non_answers"] = [
                {"code": each.code, "label": each.label[:300]} for each in silent
            ]
        if not one.weighted and any(each.weight is not None for each in kept):
            self.notes.append(f"“{one.link_id}” isn't scored: not every answer has one weight.")
        known = repr(scale)
        if known not in self._names:
            self._names[known] = f"answers-{len(self._names) + 1}"
            self.listed[self._names[known]] = scale
        return self._names[known]


def _option(choice: Choice, weighted: bool) -> Node:
    made: Node = {"code": choice.code, "label": choice.label}
    if weighted:
        made["value"] = choice.weight
    return made


class _Sections:
    """Runs of items with the same group around them; a group that goes on later has a new one."""

    def __init__(self) -> None:
        self.listed: list[Node] = []
        self._around: tuple[Entry, ...] | None = None
        self._told: set[str] = set()

    def of(self, one: Entry) -> str:
        """The section in which an item stands."""
        around = tuple(each for each in one.parents if each.is_group)
        if around != self._around:
            self._around = around
            self.listed.append(self._section(around))
        return str(self.listed[-1]["id"])

    def _section(self, around: tuple[Entry, ...]) -> Node:
        words = [each.text for each in around if each.link_id not in self._told and each.text]
        self._told.update(each.link_id for each in around)
        made: Node = {"id": f"part-{len(self.listed) + 1}", "title": ""}
        if words and len(words[-1]) <= _LONG_TITLE:
            made["title"] = words.pop()
        if words:
            made["intro"] = "\n\n".join(words)
        return made
