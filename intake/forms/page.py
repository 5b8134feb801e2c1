"""One page of a form: its questions as fields, read by the one rule for answers.

Field names: `q-` and the question's id; `o-` words of one's own beside a choice; `k-` which of two
answers is kept, where another device answered in another way meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from clients.forms import fields
from intake.rules import given
from intake.rules.answers import Answered, Answers, is_answered
from intake.rules.definition import Definition, Item
from intake.rules.pages import Page

QUESTION, WORDS, KEPT = "q-", "o-", "k-"
MINE, STORED = "mine", "stored"
# Kinds that a browser sends nothing of where nothing is ticked.
TICKED = frozenset({"multi", "consent"})
_AS_ONE_TYPES = {
    "integer": ("text", "numeric"),
    "decimal": ("text", "decimal"),
    "date": ("date", ""),
    "date_time": ("datetime-local", ""),
    "time": ("time", ""),
    "url": ("url", "url"),
    "text": ("text", ""),
}


class _Sent(forms.Widget):
    """Every value that was sent under a name; words of one's own in place of their choice."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:  # noqa: ARG002
        values = list(data.getlist(name))
        words = data.get(WORDS + name.removeprefix(QUESTION), "")
        if given.OWN_WORDS in values or (words.strip() and not values):
            return [*(one for one in values if one != given.OWN_WORDS), words]
        return values


class _Answer(forms.Field):
    """A question. What can't be taken is said in words."""

    widget = _Sent

    def __init__(
        self, read: Callable[[list[str]], Answered], say: Callable[[str, object], str]
    ) -> None:
        super().__init__(required=False)
        self.read, self.say = read, say

    def clean(self, value: Any) -> Answered:
        try:
            return self.read(list(value or ()))
        except given.Wrong as refused:
            raise ValidationError(
                self.say(refused.code, refused.limit), code=refused.code
            ) from None


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer that is offered."""

    value: str
    label: str
    checked: bool
    # "I'd rather not say" and the like stand apart.
    says_nothing: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One question, or a text between them, as its page shows it."""

    item: Item
    text: str
    help: str
    name: str
    sent: Sequence[str] = ()
    errors: Sequence[str] = ()
    choices: Sequence[Choice] = ()
    # What another device answered meanwhile, in words; and which of the two is to be kept.
    elsewhere: str | None = None
    limit: int = 0

    @property
    def id(self) -> str:
        return f"id_{self.name}"

    @property
    def is_list(self) -> bool:
        """Several inputs under one question."""
        return self.item.kind in {"choice", "multi", "open_choice", "boolean"}

    @property
    def one_type(self) -> str:
        """The input's type; empty for those that aren't one line."""
        return _AS_ONE_TYPES.get(self.item.kind, ("", ""))[0]

    @property
    def input_mode(self) -> str:
        return _AS_ONE_TYPES.get(self.item.kind, ("", ""))[1]

    @property
    def value(self) -> str:
        return self.sent[0] if self.sent else ""

    @property
    def own_words(self) -> str:
        """Of an open choice, the words that are none of its choices."""
        return "" if any(one.checked for one in self.choices) else self.value


class PageForm(fields.Strict):
    """The questions of one page. What was sent is kept, to be shown again as it was typed."""

    besides = frozenset({"own", "revision", "go", "helped", "chosen"})

    def __init__(
        self,
        definition: Definition,
        page: Page,
        *,
        texts: Mapping[str, str],
        today: date,
        say: Callable[[str, object], str],
        stored: Answers,
        data: Any = None,
    ) -> None:
        super().__init__(data)
        self.definition, self.page, self.texts, self.stored = definition, page, texts, stored
        for item in page.questions:
            self.fields[QUESTION + item.id] = _Answer(
                lambda sent, item=item: given.read(definition, item, sent, today=today),  # type: ignore[misc]
                say,
            )
            self.fields[QUESTION + item.id].label = texts.get(f"items.{item.id}", "")
        words = {WORDS + item.id for item in page.questions if item.kind == "open_choice"}
        kept = {KEPT + item.id for item in page.questions}
        self.besides = self.besides | words | kept

    @property
    def _doubled(self) -> list[str]:
        several = {QUESTION + one.id for one in self.page.questions if one.kind == "multi"}
        return [name for name in super()._doubled if name not in several]

    @property
    def is_foreign(self) -> bool:
        """Whether it can't have come from this page: nothing of it is kept."""
        return bool(self._foreign) or any(name not in self.fields for name in self._doubled)

    @property
    def revision(self) -> int:
        """At which revision the page was read; 0 for what no page of ours sends."""
        text = str(self.data.get("revision", ""))
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0

    def require(self, say: str) -> None:
        """Whoever goes on has to have answered what is needed."""
        for item in self.page.questions:
            name = QUESTION + item.id
            if item.required and name not in self.errors and not self._answers(item):
                self.add_error(name, ValidationError(say, code="required"))

    def _answers(self, item: Item) -> bool:
        answer: Answered | None = self.cleaned_data.get(QUESTION + item.id)
        return is_answered(answer)

    def ask_which(self) -> None:
        """Of two answers given in two places, one has to be chosen."""
        if not self.data.get("chosen"):
            return
        for name in str(self.data["chosen"]).split():
            if KEPT + name in self.besides and self.data.get(KEPT + name) not in (MINE, STORED):
                self.add_error(QUESTION + name, _("Please choose which of the two we keep."))

    def values(self, *, seen: bool) -> dict[str, list[str]]:
        """What can be taken, by question, as it was sent.

        A question that was never answered and isn't now counts once its page was gone through
        (`seen`), and not when it is only kept meanwhile.
        """
        found: dict[str, list[str]] = {}
        for item in self.page.questions:
            name = QUESTION + item.id
            if name not in self.cleaned_data or self.data.get(KEPT + item.id) == STORED:
                continue
            answered, before = is_answered(self.cleaned_data[name]), item.id in self.stored
            # Of buttons that exclude each other none can be let go again: then nothing was said.
            untouched = item.kind not in TICKED and name not in self.data
            if not answered and (untouched if before else not seen):
                continue
            found[item.id] = self.fields[name].widget.value_from_datadict(self.data, {}, name)
        return found

    def questions(self, elsewhere: Mapping[str, str] | None = None) -> Iterator[Question]:
        """What the page shows: what was sent, or else what is stored."""
        for item in self.page.items:
            name = QUESTION + item.id
            sent = self._sent(item)
            yield Question(
                item=item,
                text=self.texts.get(f"items.{item.id}", ""),
                help=self.texts.get(f"items.{item.id}.help", ""),
                name=name,
                sent=sent,
                errors=[str(one) for one in self.errors.get(name, [])],
                choices=list(self._choices(item, sent)),
                elsewhere=(elsewhere or {}).get(item.id),
                limit=given.limit_of(item),
            )

    def _sent(self, item: Item) -> list[str]:
        name = QUESTION + item.id
        if self.is_bound and name in self.fields:
            found: list[str] = self.fields[name].widget.value_from_datadict(self.data, {}, name)
            return found
        return given.write(self.stored.get(item.id))

    def _choices(self, item: Item, sent: Sequence[str]) -> Iterator[Choice]:
        if item.kind == "boolean":
            yield Choice(given.YES, _("Yes"), given.YES in sent)
            yield Choice(given.NO, _("No"), given.NO in sent)
        scale = self.definition.scale_of(item)
        if scale is None:
            return
        for option in scale.options:
            label = self.texts.get(f"scales.{scale.id}.{option.code}", option.code)
            yield Choice(option.code, label, option.code in sent)
        for one in scale.non_answers:
            if one.fits(item):
                code = given.NON + one.code
                label = self.texts.get(f"scales.{scale.id}.{one.code}", one.label)
                yield Choice(code, label, code in sent, says_nothing=True)


class Signature(fields.Strict):
    """The name beneath a form. The date is the server's: a sent one is refused."""

    besides = frozenset({"own"})

    def __init__(self, *args: Any, signs: bool, label: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if signs:
            self.fields["signed_name"] = fields.name_field(label=label)
            self.fields["signed_name"].widget.attrs["autocomplete"] = "name"


class Policy(fields.Strict):
    """That somebody accepts how what they say alone is kept, in the words that they read."""

    besides = frozenset({"own"})
    kind = fields.Slug()
    version = fields.Slug()
