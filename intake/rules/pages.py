"""Which questions stand on which page, how far somebody has come, and what is still missing.

Pages are numbered over all that a form may ask, so that a number means the same questions whatever
was answered; a page of which nothing is asked now is passed over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from intake.rules.answers import Answered, Answers, is_answered
from intake.rules.conditions import asked
from intake.rules.definition import SHOWN_ONLY, Definition, Item, Section

# Whoever signs does so at the end, beneath all that they said.
AT_THE_END = frozenset({"signature"})
SIGNED = frozenset({"consent", "signature"})


@dataclass(frozen=True, slots=True)
class Page:
    """Questions that are asked together. `opens`: the first page of its section."""

    number: int
    section: Section
    items: tuple[Item, ...]
    opens: bool

    @property
    def questions(self) -> tuple[Item, ...]:
        """What is answered on it."""
        return tuple(one for one in self.items if one.kind not in SHOWN_ONLY)

    @property
    def stops(self) -> Item | None:
        """The question that may end the form for now; it stands on its page alone."""
        return next((one for one in self.items if one.stop_unless), None)


def pages(definition: Definition, answers: Answers, *, short: bool = False) -> list[Page]:
    """The pages on which something is asked now, in order."""
    shown = {one.id for one in asked(definition, answers, short=short)}
    found: list[Page] = []
    opened: set[str] = set()
    for number, items in enumerate(_layout(definition, short=short), start=1):
        now = tuple(one for one in items if one.id in shown)
        if not any(one.kind not in SHOWN_ONLY for one in now):
            continue
        section = _section(definition, now[0].section)
        found.append(Page(number, section, now, section.id not in opened))
        opened.add(section.id)
    return found


def _layout(definition: Definition, *, short: bool) -> list[list[Item]]:
    """All pages that there may be. What depends on an answer stands on a later page than it."""
    chosen = frozenset(definition.short_form) if short else frozenset()
    layout: list[list[Item]] = []
    for item in definition.items:
        if item.kind in AT_THE_END or not _is_in(item, chosen):
            continue
        if layout and _goes_on(layout[-1], item):
            layout[-1].append(item)
        else:
            layout.append([item])
    return layout


def _is_in(item: Item, chosen: frozenset[str]) -> bool:
    return not chosen or item.id in chosen


def _goes_on(page: Sequence[Item], item: Item) -> bool:
    """Whether an item stands on the page before it; a text between questions leads to the next."""
    last = page[-1]
    if last.section != item.section or last.stop_unless or item.stop_unless:
        return False
    depends = {one.item for one in item.show_when.conditions} if item.show_when else set()
    if depends & {one.id for one in page}:
        return False
    if item.page or last.page:
        return item.page == last.page
    return all(one.kind in SHOWN_ONLY for one in page)


def _section(definition: Definition, section_id: str) -> Section:
    return next(one for one in definition.sections if one.id == section_id)


def page_of(found: Iterable[Page], number: int) -> Page | None:
    """The page of this number, if it asks something now."""
    return next((one for one in found if one.number == number), None)


def after(found: Iterable[Page], number: int) -> Page | None:
    """The next page; none after the last one."""
    return next((one for one in found if one.number > number), None)


def before(found: Sequence[Page], number: int) -> Page | None:
    """The page before; none before the first one."""
    return next((one for one in reversed(found) if one.number < number), None)


def first_open(found: Iterable[Page], answers: Answers) -> Page | None:
    """Where somebody goes on: the first page with a question that nothing was said to."""
    return next((one for one in found if not _is_done(one, answers)), None)


def _is_done(page: Page, answers: Answers) -> bool:
    return all(is_said(one, answers) for one in page.questions)


def is_said(item: Item, answers: Answers) -> bool:
    """Whether the question needs nothing more; one that may stay empty counts once it was seen."""
    answer = answers.get(item.id)
    return is_answered(answer) or (not item.required and answer is not None)


def step(
    definition: Definition, answers: Answers, number: int, *, short: bool = False
) -> tuple[int, int]:
    """Which page of how many this is, of those that are asked now.

    A question that may end the form counts as passed: what comes behind it belongs to the way.
    """
    passed = {one.id: Answered(one.stop_unless) for one in definition.items if one.stop_unless}
    found = pages(definition, {**answers, **passed}, short=short)
    return sum(one.number <= number for one in found), len(found)


def missing(found: Iterable[Page], answers: Answers) -> list[tuple[Page, Item]]:
    """What has to be answered before the form can be sent, and isn't.

    A consent that has to be given counts as missing until it is.
    """
    return [
        (page, item)
        for page in found
        for item in page.questions
        if item.required and not _suffices(item, answers)
    ]


def _suffices(item: Item, answers: Answers) -> bool:
    answer = answers.get(item.id)
    if item.kind == "consent":
        return answer is not None and answer.value is True
    return is_answered(answer)


def to_sign(definition: Definition) -> bool:
    """Whether a name is to be written beneath the form: where it asks for consents, or for one."""
    return any(one.kind in SIGNED for one in definition.items)
