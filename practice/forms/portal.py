"""What a person sends from their own page."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clients.forms import fields
from clients.models import DataRequest, SafeContact
from clients.rules import access, contact
from practice.forms.zone import Zone

_ANSWER_LIMIT = 16_384


class Button(fields.Strict):
    """Nothing but the button."""


class Ask(fields.Strict):
    """The address to which the link shall go."""

    email = fields.email_field(label=gettext_lazy("Your e-mail address"))


def _digits(**kwargs: Any) -> fields.Cleaned:
    """A PIN or a code: what is typed isn't shown, nor kept by the browser."""
    return fields.Cleaned(
        lambda text: access.tidied(contact.one_line(text, limit=40)),
        limit=40,
        widget=forms.PasswordInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        **kwargs,
    )


class Pin(fields.Strict):
    """The PIN that a person has set."""

    besides = frozenset({"then"})

    pin = _digits(label=gettext_lazy("Your PIN"))


class _NewPin(fields.Strict):
    """A PIN, twice."""

    pin = _digits(
        label=gettext_lazy("Your new PIN"),
        help_text=gettext_lazy("6 to 12 digits. Not a birthday, and nothing like 123456."),
    )
    again = _digits(label=gettext_lazy("Your new PIN once more"))

    def clean_pin(self) -> str:
        pin: str = self.cleaned_data["pin"]
        try:
            access.check_pin(pin)
        except access.PinRefused as refused:
            raise ValidationError(
                _("That PIN is guessed too easily. Please choose another one.")
                if refused.code == "simple"
                else _("A PIN has 6 to 12 digits."),
                code=refused.code,
            ) from None
        return pin

    def clean(self) -> dict[str, Any]:
        pin, again = self.cleaned_data.get("pin"), self.cleaned_data.get("again")
        if pin and again and pin != again:
            self.add_error("again", _("These two aren't the same."))
        return self.cleaned_data


class FirstPin(_NewPin):
    """A new PIN, with the code that the practice has handed over."""

    field_order = ("code", "pin", "again")

    code = _digits(
        label=gettext_lazy("The code from the practice"),
        help_text=gettext_lazy("8 digits, told to you by the practice itself."),
    )

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if not access.is_code(code):
            raise ValidationError(_("A code has 8 digits."), code="digits")
        return code


class OtherPin(_NewPin):
    """A new PIN in place of the one so far."""

    field_order = ("current", "pin", "again")

    current = _digits(label=gettext_lazy("Your PIN so far"))


class _Answer(forms.CharField):
    """What a browser made of a passkey's question, as JSON; a library reads it."""

    widget = forms.HiddenInput

    def __init__(self) -> None:
        super().__init__(strip=False, max_length=_ANSWER_LIMIT)


class Passkey(fields.Strict):
    """A passkey's answer, with the note that says what was asked."""

    besides = frozenset({"then"})

    note = _Answer()
    answer = _Answer()


class NewPasskey(Passkey):
    """A new passkey, and what its owner calls it."""

    name = fields.line_field(limit=60, label=gettext_lazy("What do you call this device?"))


class Quiet(fields.Strict):
    """A channel on which nothing shall come any more."""

    channel = forms.ChoiceField(choices=SafeContact.Channel.choices)


def _hours() -> list[tuple[str, str]]:
    return [("", _("no limit")), *((str(60 * h), f"{h:02}:00") for h in range(24))]


class HowToReach(fields.Strict):
    """How a person may be reached on one channel."""

    channel = forms.ChoiceField(choices=SafeContact.Channel.choices, widget=forms.HiddenInput)
    permission = forms.ChoiceField(
        choices=[
            ("yes", gettext_lazy("Yes")),
            ("neutral", gettext_lazy("Only neutral words")),
            ("no", gettext_lazy("No, not this way")),
        ],
        widget=forms.RadioSelect,
        label=gettext_lazy("May we use it?"),
    )
    quiet_from = forms.ChoiceField(
        choices=_hours, required=False, label=gettext_lazy("Nothing from")
    )
    quiet_until = forms.ChoiceField(
        choices=_hours, required=False, label=gettext_lazy("Nothing until")
    )
    voicemail = forms.BooleanField(
        required=False, label=gettext_lazy("You may leave a message on the voicemail")
    )

    def clean(self) -> dict[str, Any]:
        begin, end = self.cleaned_data.get("quiet_from"), self.cleaned_data.get("quiet_until")
        if bool(begin) != bool(end) or (begin and begin == end):
            self.add_error("quiet_until", _("Please choose both hours, or neither."))
        return self.cleaned_data

    @property
    def quiet(self) -> tuple[int, int] | None:
        begin, end = self.cleaned_data["quiet_from"], self.cleaned_data["quiet_until"]
        return (int(begin), int(end)) if begin else None


class Contact(fields.Strict):
    """The language and the clock in which a person is written to."""

    language = forms.ChoiceField(label=gettext_lazy("Language"))
    tz = Zone(label=gettext_lazy("Time zone"))

    def __init__(
        self,
        *args: Any,
        languages: list[tuple[str, str]],
        zones: list[tuple[str, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = languages  # type: ignore[attr-defined]
        self.fields["tz"].choices = zones  # type: ignore[attr-defined]


class Request(fields.Strict):
    """What a person asks about their record."""

    kind = forms.ChoiceField(choices=DataRequest.Kind.choices)
