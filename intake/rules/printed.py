"""What somebody answered, in words: each question that was asked beside the answer to it."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from intake.rules import conditions, wording
from intake.rules.answers import Answered, Answers, is_answered
from intake.rules.definition import SHOWN_ONLY, Definition, Item


@dataclass(frozen=True, slots=True)
class Line:
    """One question and what was said to it: words, a yes or no, or that nothing was.

    A date stands in `words` as it is kept, and in `day` to be written as its reader writes dates.
    """

    item: str
    section: str
    question: str
    words: str = ""
    yes: bool | None = None
    # "I'd rather not say" and the like, whose words stand in `words`.
    said_nothing: bool = False
    day: date | None = None

    @property
    def is_answered(self) -> bool:
        """Whether there is anything to print."""
        return bool(self.words) or self.yes is not None


def lines(
    definition: Definition, answers: Answers, language: str, *, short: bool = False
) -> list[Line]:
    """The questions that were asked, in order, in the words of a language."""
    texts = wording.texts(definition, language)
    return [
        _line(definition, item, answers.get(item.id), texts)
        for item in conditions.asked(definition, answers, short=short)
        if item.kind not in SHOWN_ONLY
    ]


def _line(
    definition: Definition, item: Item, answer: Answered | None, texts: dict[str, str]
) -> Line:
    section = texts.get(f"sections.{item.section}.title", "")
    question = texts.get(f"items.{item.id}", "")
    if answer is None or not is_answered(answer):
        return Line(item.id, section, question)
    if answer.non:
        words = _label(item, answer.non, texts)
        return Line(item.id, section, question, words, said_nothing=True)
    if isinstance(answer.value, bool):
        return Line(item.id, section, question, yes=answer.value)
    words = _words(definition, item, answer.value, texts)
    day = date.fromisoformat(words) if item.kind == "date" else None
    return Line(item.id, section, question, words, day=day)


def _words(definition: Definition, item: Item, value: Any, texts: dict[str, str]) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_words(definition, item, one, texts) for one in value)
    scale = definition.scale_of(item)
    if scale is not None and scale.option(str(value)) is not None:
        return _label(item, str(value), texts)
    return str(value)


def _label(item: Item, code: str, texts: dict[str, str]) -> str:
    """The words of an option; its code where they are still missing."""
    return texts.get(f"scales.{item.scale}.{code}") or code
