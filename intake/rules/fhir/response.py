"""Answers as a FHIR R4 QuestionnaireResponse, and back.

Whoever answered is its subject, author and source. Of the other partner nothing stands in it: no
reference, no name, not that there is one. A stated total is never read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

from intake.rules.answers import Answered, Answers, is_answered, number
from intake.rules.conditions import asked, given
from intake.rules.definition import Definition, Item
from intake.rules.fhir import names
from intake.rules.fhir.options import Choice, weight_in
from intake.rules.fhir.plain import Node, node, objects, text
from intake.rules.fhir.reading import known_items
from intake.rules.fhir.tree import Entry
from intake.rules.fhir.writing import canonical, questionnaire
from intake.rules.fhir.writing import number as plain_number

# Who may not simply read it, in the words that FHIR has for that.
RESTRICTED: Final[tuple[Node, ...]] = (
    {"system": names.CONFIDENTIALITY, "code": "R", "display": "restricted"},
    {"system": names.ACT_CODE, "code": "SDV"},
)


@dataclass(frozen=True, slots=True)
class About:
    """Of which response the answers are. `at` is when it was sent, or saved last."""

    id: UUID
    person: UUID
    at: datetime
    sent: bool = True
    guarded: bool = False

    @property
    def respondent(self) -> Node:
        return {"reference": f"Patient/{self.person}"}

    @property
    def meta(self) -> Node:
        """Labels, for what is for the clinician alone."""
        return {"meta": {"security": [dict(one) for one in RESTRICTED]}} if self.guarded else {}


@dataclass(frozen=True, slots=True)
class Read:
    """What a response says, and what of it wasn't taken, in sentences."""

    answers: dict[str, Answered]
    notes: tuple[str, ...]


# --- writing -------------------------------------------------------------------------------------


def write(
    definition: Definition,
    answers: Answers,
    about: About,
    *,
    fhir: Mapping[str, Any] | None = None,
    short: bool = False,
    zone: tzinfo = UTC,
) -> dict[str, Any]:
    """The QuestionnaireResponse: what was asked and answered, in the order of the form.

    `fhir` is the file that the definition came from; `zone` is that of times without an offset.
    """
    form = questionnaire(definition, fhir=fhir)
    entries, ids = known_items(form)
    by_link = {one.link_id: one for one in entries}
    writer = _Writer(definition, given(definition, answers, short=short), by_link, ids, zone)
    name = text(form.get("url")) or canonical(definition)
    version = text(form.get("version")) or definition.version
    return {
        "resourceType": "QuestionnaireResponse",
        "id": str(about.id),
        **about.meta,
        "questionnaire": f"{name}|{version}",
        "status": "completed" if about.sent else "in-progress",
        "subject": about.respondent,
        "authored": about.at.isoformat(timespec="seconds"),
        "author": about.respondent,
        "source": about.respondent,
        **_filled("item", writer.items(form.get("item"))),
    }


@dataclass(frozen=True, slots=True)
class _Writer:
    definition: Definition
    said: Answers
    by_link: Mapping[str, Entry]
    ids: Mapping[str, str]
    zone: tzinfo

    def items(self, listed: object) -> list[Node]:
        """The items of a group or form that were answered."""
        found = []
        for one in objects(listed):
            link_id = text(one.get("linkId"))
            answers = self._answers(link_id)
            inside = self.items(one.get("item"))
            if not answers and not inside:
                continue
            made: Node = {"linkId": link_id, **_filled("text", text(one.get("text")))}
            if answers:
                # What stands below a question belongs to its answer.
                answers[0] |= _filled("item", inside)
                made["answer"] = answers
            else:
                made["item"] = inside
            found.append(made)
        return found

    def _answers(self, link_id: str) -> list[Node]:
        item = self.definition.item(self.ids[link_id])
        answer = self.said.get(item.id) if item else None
        if item is None or answer is None:
            return []
        if answer.non:
            return [self._chosen(link_id, answer.non)]
        values = answer.value if isinstance(answer.value, list | tuple) else [answer.value]
        return [self._value(item, link_id, value) for value in values]

    def _value(self, item: Item, link_id: str, value: Any) -> Node:
        if item.scale:
            return self._chosen(link_id, str(value))
        match item.kind:
            case "boolean" | "consent":
                return {"valueBoolean": bool(value)}
            case "integer" | "decimal":
                told = plain_number(number(value) or Fraction(0))
                whole = item.kind == "integer" and isinstance(told, int)
                return {"valueInteger" if whole else "valueDecimal": told}
            case "date":
                return {"valueDate": str(value)}
            case "date_time":
                return {"valueDateTime": self._moment(str(value))}
            case "time":
                return {"valueTime": f"{value}:00" if str(value).count(":") == 1 else str(value)}
            case "url":
                return {"valueUri": str(value)}
            case _:
                return {"valueString": str(value)}

    def _moment(self, value: str) -> str:
        """With an offset, as FHIR wants it of every date with a time."""
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.zone)
        return moment.isoformat(timespec="seconds")

    def _chosen(self, link_id: str, code: str) -> Node:
        """An option as the form has it, with its weight; what isn't one is somebody's own words."""
        choice = next((one for one in self.by_link[link_id].choices if one.code == code), None)
        if choice is None:
            return {"valueString": code}
        if choice.kind != "valueCoding":
            return {choice.kind: choice.value}
        return {"valueCoding": _with_weight(choice)}


def _with_weight(choice: Choice) -> Node:
    """Some programs look for the weight on the answer's coding."""
    coding: Node = choice.value
    if choice.weight is None or weight_in(coding)[0] is not None:
        return coding
    weight = {"url": choice.weight_url or names.ORDINAL, "valueDecimal": choice.weight}
    return coding | {"extension": [*objects(coding.get("extension")), weight]}


def _filled(name: str, value: Any) -> Node:
    return {name: value} if value else {}


# --- reading -------------------------------------------------------------------------------------


def read(
    definition: Definition, response: Mapping[str, Any], *, fhir: Mapping[str, Any] | None = None
) -> Read:
    """The answers that a QuestionnaireResponse gives to this definition.

    Items are found by their linkId wherever they stand, since some programs write flat what a form
    nests. Left out, and noted, is what the form doesn't have or doesn't offer, what it asks nobody
    (totals above all), and what it doesn't ask after these answers. Refuses (ValueError, with a
    sentence) what is no QuestionnaireResponse.
    """
    if response.get("resourceType") != "QuestionnaireResponse":
        raise ValueError("This is no QuestionnaireResponse.")
    form = questionnaire(definition, fhir=fhir)
    entries, ids = known_items(form)
    by_link = {one.link_id: one for one in entries}
    notes = _of_another_form(form, response)
    answers: dict[str, Answered] = {}
    for item, values in _answered(response):
        link_id = text(item.get("linkId"))
        entry = by_link.get(link_id)
        if entry is None:
            notes.append(f"The form has no item “{link_id[:60]}”.")
            continue
        ours = definition.item(ids[link_id])
        if ours is None:
            notes.append(f"“{link_id[:60]}” isn't asked, so what it says isn't taken.")
            continue
        if ours.id in answers:
            notes.append(f"“{link_id[:60]}” stands there twice: the first counts.")
            continue
        found = _read(ours, entry, values)
        if found is None:
            notes.append(f"The answer to “{link_id[:60]}” is none that it offers.")
        else:
            answers[ours.id] = found
    shown = {one.id for one in asked(definition, answers)}
    for hidden in [one for one in answers if one not in shown]:
        notes.append(f"“{hidden}” isn't asked after these answers, so what it says isn't taken.")
        del answers[hidden]
    return Read(answers, tuple(notes))


def _of_another_form(form: Node, response: Mapping[str, Any]) -> list[str]:
    named, _, version = text(response.get("questionnaire")).partition("|")
    url = text(form.get("url"))
    if named and url and named != url:
        return [f"It says that it answers another form: “{named[:120]}”."]
    if version and text(form.get("version")) not in {"", version}:
        return [f"It says that it answers another version: “{version[:40]}”."]
    return []


def _answered(holder: Mapping[str, Any]) -> Iterator[tuple[Node, list[Node]]]:
    """Each item with an answer, at any depth, below answers too."""
    waiting = objects(holder.get("item"))[::-1]
    for _ in range(10_000):
        if not waiting:
            return
        item = waiting.pop()
        answers = objects(item.get("answer"))
        if answers:
            yield item, answers
        below = objects(item.get("item"))
        below += [one for answer in answers for one in objects(answer.get("item"))]
        waiting += below[::-1]


def _read(item: Item, entry: Entry, answers: Sequence[Node]) -> Answered | None:
    found = [one for answer in answers if (one := _one(item, entry, answer)) is not None]
    if len(found) < len(answers) or not found:
        return None
    if item.kind == "multi":
        silent = [one for one in found if one.non]
        return silent[0] if silent else Answered([one.value for one in found])
    return found[0] if len(found) == 1 else None


def _one(item: Item, entry: Entry, answer: Node) -> Answered | None:
    kind = next((name for name in answer if name.startswith("value")), "")
    value = answer.get(kind)
    if item.scale:
        return _option(item, entry, kind, value)
    fitting = _FITTING.get(item.kind, ("valueString",))
    if kind not in fitting or isinstance(value, dict | list):
        return None
    if item.kind in {"boolean", "consent"}:
        return Answered(value) if isinstance(value, bool) else None
    if item.kind in {"integer", "decimal"}:
        return Answered(str(value)) if number(value) is not None else None
    found = Answered(value)
    return found if isinstance(value, str) and is_answered(found) else None


_FITTING: Final[dict[str, tuple[str, ...]]] = {
    "boolean": ("valueBoolean",),
    "consent": ("valueBoolean",),
    "integer": ("valueInteger",),
    "decimal": ("valueDecimal", "valueInteger"),
    "date": ("valueDate",),
    "date_time": ("valueDateTime", "valueDate"),
    "time": ("valueTime",),
    "url": ("valueUri", "valueString"),
}


def _option(item: Item, entry: Entry, kind: str, value: Any) -> Answered | None:
    found = [one for one in entry.choices if one.matches(kind, value)]
    if len(found) == 1:
        code = found[0].code
        return Answered(non=code) if found[0].is_non_answer else Answered(code)
    if item.kind == "open_choice" and not found:
        words = text(value) or text(node(value).get("display"))
        return Answered(words) if words.strip() else None
    return None
