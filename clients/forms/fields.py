"""The fields of every form of every app: text by `clients.rules.contact`, instants, days, slugs.

The API cleans by the same ones; a test finds fields that take text in another way.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clients.rules import contact

_SENTENCES = {
    "bidi": gettext_lazy("Please leave out the characters that turn the writing direction."),
    "tags": gettext_lazy("Please leave out the invisible tag characters."),
    "characters": gettext_lazy("Please use letters, digits and signs only."),
    "line_break": gettext_lazy("Please write this on one line."),
    "blank": gettext_lazy("Please fill this in."),
    "link": gettext_lazy("Please write a name without a link in it."),
    "email": gettext_lazy("This doesn't look like an e-mail address. Example: ana@example.org"),
    "phone": gettext_lazy("This doesn't look like a telephone number. Example: +1 201 555 0123"),
}
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})", flags=re.ASCII)
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2190, 1, 1, tzinfo=UTC)
SLUG = re.compile(r"[a-z0-9_-]{1,50}", flags=re.ASCII | re.IGNORECASE)


class Strict(forms.Form):
    """A form that takes its own fields once each, and nothing else.

    An unknown field may be somebody's try to set what isn't theirs; two values for one field
    leave open which one was meant. Both are refused, never guessed at.
    """

    use_required_attribute = True
    # Names that the page around the form sends along.
    besides: frozenset[str] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)

    @property
    def status(self) -> int:
        """The answer to a form that was refused: 400 where no page of ours sends such, else 422."""
        return 400 if self._foreign or self._doubled else 422

    @property
    def _foreign(self) -> list[str]:
        known = {*self.fields, *self.besides, "csrfmiddlewaretoken"}
        return [key for key in self.data if key not in known]

    @property
    def _doubled(self) -> list[str]:
        if not isinstance(self.data, QueryDict):
            return []
        return [key for key, values in self.data.lists() if len(values) > 1]

    def full_clean(self) -> None:
        super().full_clean()
        if not self.is_bound:
            return
        if self._foreign:
            self.add_error(None, _("This form has a field that we don't know."))
        for key in self._doubled:
            name = key if key in self.fields else None
            self.add_error(name, _("This was sent twice, with two values."))


class Cleaned(forms.CharField):
    """Text that one of the contact rules cleans, or refuses in words."""

    def __init__(self, rule: Callable[[str], str], *, limit: int, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)
        self.rule = rule
        self.limit = limit

    def clean(self, value: Any) -> str:
        text = "" if value is None else str(value)
        if not text.strip():
            if self.required:
                raise ValidationError(_("Please fill this in."), code="required")
            return ""
        try:
            return self.rule(text)
        except contact.Refused as refused:
            raise ValidationError(self._sentence(refused), code=refused.code) from None

    def _sentence(self, refused: contact.Refused) -> str:
        if refused.code == "too_long":
            return ngettext(
                "Please use at most %(limit)d character.",
                "Please use at most %(limit)d characters.",
                self.limit,
            ) % {"limit": self.limit}
        return str(_SENTENCES.get(refused.code, refused.sentence))


def name_field(**kwargs: Any) -> Cleaned:
    """A person's name."""
    return Cleaned(contact.name, limit=contact.NAME_LIMIT, **kwargs)


def line_field(*, limit: int, **kwargs: Any) -> Cleaned:
    """One line of text."""
    return Cleaned(lambda text: contact.one_line(text, limit=limit), limit=limit, **kwargs)


def text_field(*, limit: int, rows: int = 4, **kwargs: Any) -> Cleaned:
    """Several lines of text."""
    return Cleaned(
        lambda text: contact.paragraph(text, limit=limit),
        limit=limit,
        widget=forms.Textarea(attrs={"rows": rows}),
        **kwargs,
    )


def email_field(*, autocomplete: str = "email", **kwargs: Any) -> Cleaned:
    """An e-mail address; its domain in lower case."""
    return Cleaned(
        contact.email,
        limit=contact.EMAIL_LIMIT,
        widget=forms.EmailInput(attrs={"autocomplete": autocomplete}),
        **kwargs,
    )


class Password(forms.CharField):
    """A password as it was typed, blanks and all; longer ones are refused before any hashing."""

    LONGEST = 256

    def __init__(self, *, new: bool = False, **kwargs: Any) -> None:
        autocomplete = "new-password" if new else "current-password"
        super().__init__(
            strip=False,
            max_length=self.LONGEST,
            widget=forms.PasswordInput(attrs={"autocomplete": autocomplete}),
            **kwargs,
        )


class Digits(forms.RegexField):
    """A code or a PIN: ASCII digits, without a blank before, in or after them."""

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(
            rf"\A[0-9]{{{least},{most}}}\Z",
            strip=False,
            max_length=most,
            error_messages={
                "invalid": gettext_lazy("Please type the digits alone, without blanks.")
            },
            **kwargs,
        )


class Token(forms.RegexField):
    """What a link or a hold carries; whether it opens anything is asked later."""

    widget = forms.HiddenInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(r"\A[A-Za-z0-9_-]{20,64}\Z", strip=False, **kwargs)


def phone_field(*, region: str, autocomplete: str = "tel", **kwargs: Any) -> Cleaned:
    """A telephone number in E.164."""
    return Cleaned(
        lambda text: contact.phone(text, region=region),
        limit=40,
        widget=forms.TextInput(
            attrs={"type": "tel", "inputmode": "tel", "autocomplete": autocomplete}
        ),
        **kwargs,
    )


def instant(text: str) -> datetime:
    """An instant with its offset, in UTC. Refuses (ValueError) all that isn't one such."""
    if not _INSTANT.fullmatch(text):
        raise ValueError("Not an instant.")
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError:
        raise ValueError("Out of range.") from None
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError("Out of range.")
    return moment


class Instant(forms.CharField):
    """A start as the pages write it: date, time and offset."""

    widget = forms.HiddenInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)

    def clean(self, value: Any) -> datetime:
        try:
            return instant(str(value or ""))
        except ValueError:
            raise ValidationError(
                _("Please choose a time from the list again."), code="start"
            ) from None


class Slug(forms.CharField):
    """The short name of a service or a counselor; whether it exists is asked later."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> str:
        text = str(value or "")
        if not text and not self.required:
            return ""
        if not SLUG.fullmatch(text):
            raise ValidationError(_("Please choose again."), code="slug")
        return text


def a_date(text: str) -> date | None:
    """A date out of an address, or None for all that isn't one between 2000 and 2190."""
    try:
        on = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else None
    except ValueError:
        return None
    return on if on and _EARLIEST.date() <= on < _LATEST.date() else None


class Day(forms.DateField):
    """A date as browsers send it, between 2000 and 2190."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

    def to_python(self, value: Any) -> date | None:
        if value in self.empty_values:
            return None
        found = a_date(str(value))
        if found is None:
            raise ValidationError(_("Please choose a day in these years."), code="invalid")
        return found
