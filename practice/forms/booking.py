"""What a visitor fills in to book."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.utils.translation import gettext as _

from clients.forms import fields
from practice.forms.zone import Zone
from practice.models import Consent, Question, Service

ONE, COUPLE = "one", "couple"
YES, NO = "yes", "no"
TEXT_LIMIT = 2_000

_PARTNER = (
    "partner_name",
    "partner_email",
    "partner_phone",
    "partner_safe",
    "partner_tz",
    "partner_language",
)


class Choice(fields.Strict):
    """A time out of the list, and for whom."""

    service = fields.Slug()
    counselor = fields.Slug(required=False)
    start = fields.Instant()
    who = forms.ChoiceField(choices=[(ONE, ONE), (COUPLE, COUPLE)], required=False)
    tz = Zone(required=False)


class VersionBox(forms.CheckboxInput):
    """A box to tick whose value is the version of the text that was shown."""

    def __init__(self, version: int) -> None:
        super().__init__(check_test=lambda value: str(value) == str(version))
        self.version = version

    def format_value(self, value: Any) -> str:  # noqa: ARG002 - ticked or not, the same value
        return str(self.version)

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:  # noqa: ARG002
        return data.get(name, "")


class ConsentBox(forms.CharField):
    """Agreement to one version of a text. Another version than the one in force is refused."""

    widget: VersionBox

    def __init__(self, consent: Consent) -> None:
        super().__init__(
            required=consent.required,
            widget=VersionBox(consent.version),
            label=_("I have read this and agree to it."),
        )
        self.consent = consent

    def clean(self, value: Any) -> str:
        text = str(value or "")
        if not text:
            if self.required:
                raise ValidationError(
                    _("We need your agreement to this before you can book."), code="required"
                )
            return ""
        if text != str(self.consent.version):
            raise ValidationError(
                _("This text has changed meanwhile. Please read it again."), code="version"
            )
        return text


def partner_fields(
    region: str, zones: Sequence[tuple[str, str]], *, same: str
) -> dict[str, forms.Field]:
    """What is asked about the one who comes along; all of it falls away for one who comes alone."""
    return {
        "partner_name": fields.name_field(
            label=_("Their name"),
            widget=forms.TextInput(attrs={"autocomplete": "off"}),
        ),
        "partner_email": fields.email_field(
            required=False, label=_("Their e-mail address"), autocomplete="off"
        ),
        "partner_phone": fields.phone_field(
            required=False, label=_("Their telephone number"), region=region, autocomplete="off"
        ),
        "partner_safe": forms.ChoiceField(
            label=_("Is it safe if we write to them about this appointment?"),
            help_text=_(
                "Unless you say yes, nothing is sent to them. What we send is neutral: it says "
                "neither what the appointment is about nor what you wrote."
            ),
            choices=[
                (YES, _("Yes, you may write to them")),
                (NO, _("No, or I am not sure")),
            ],
            widget=forms.RadioSelect,
            error_messages={"required": _("Please say whether we may write to them.")},
        ),
        "partner_tz": Zone(
            required=False, label=_("Their time zone"), choices=[("", same), *zones]
        ),
        "partner_language": forms.ChoiceField(
            required=False, label=_("Their language"), choices=[("", same), *settings.LANGUAGES]
        ),
    }


class Person(fields.Strict):
    """A person's name and how to reach them: by e-mail, by telephone, or both."""

    def __init__(self, *args: Any, region: str, zones: Sequence[tuple[str, str]], **kw: Any):
        super().__init__(*args, **kw)
        self.fields |= {
            "name": fields.name_field(
                label=_("Your name"), widget=forms.TextInput(attrs={"autocomplete": "name"})
            ),
            "email": fields.email_field(required=False, label=_("Your e-mail address")),
            "phone": fields.phone_field(
                required=False, label=_("Your telephone number"), region=region
            ),
            "language": forms.ChoiceField(
                label=_("We write to you in"), choices=list(settings.LANGUAGES)
            ),
            "tz": Zone(label=_("Your time zone"), choices=zones),
        }

    def check_reachable(self) -> None:
        """Refuses (an error beside the e-mail field) somebody who can't be reached at all."""
        given = self.cleaned_data.get("email") or self.cleaned_data.get("phone")
        if not given and not {"email", "phone"} & set(self.errors):
            self.add_error(
                "email", _("Please give an e-mail address or a telephone number, or both.")
            )

    def check_partner(self) -> None:
        """A partner has a name; writing to them needs a word on whether that is safe."""
        data = self.cleaned_data
        if data.get("who") != COUPLE:
            # Said to come alone: what was typed about the other is neither kept nor judged.
            for name in _PARTNER:
                self.errors.pop(name, None)
                data.pop(name, None)
            return
        nowhere_to_write = {"partner_email", "partner_phone"}.isdisjoint(self.errors) and not (
            data.get("partner_email") or data.get("partner_phone")
        )
        if nowhere_to_write and not self.data.get("partner_safe"):
            self.errors.pop("partner_safe", None)


class Details(Person):
    """The one short form between a held time and an appointment.

    It carries the time that it is about, so that a second tab with another time can't turn this
    one's into that.
    """

    besides = frozenset({"made", "website"})
    service = fields.Slug()
    counselor = fields.Slug(required=False)
    start = fields.Instant()

    def __init__(
        self,
        *args: Any,
        of: Service,
        questions: Iterable[Question],
        consents: Iterable[Consent],
        region: str,
        zones: Sequence[tuple[str, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, region=region, zones=zones, **kwargs)
        self.questions = {f"question_{one.slug}": one for one in questions}
        self.consents = {f"consent_{one.slug}": one for one in consents}
        if of.attendees != Service.Attendees.ONE:
            self.fields["who"] = forms.ChoiceField(
                label=_("Who comes?"),
                choices=[
                    (COUPLE, _("Two of us")),
                    (ONE, _("I come alone first")),
                ],
                widget=forms.RadioSelect,
                error_messages={"required": _("Please choose one of these.")},
            )
            self.fields |= partner_fields(region, zones, same=_("The same as mine"))
        self.fields |= {name: question_field(one) for name, one in self.questions.items()}
        self.fields |= {name: ConsentBox(one) for name, one in self.consents.items()}

    def clean(self) -> None:
        super().clean()
        self.check_reachable()
        self.check_partner()
        if self.data.get("website"):
            self.add_error(None, _("Please send this once more."))

    @property
    def partner_part(self) -> list[BoundField]:
        """The fields about the partner, where the service has any."""
        return [self[name] for name in _PARTNER if name in self.fields]

    @property
    def question_part(self) -> list[BoundField]:
        return [self[name] for name in self.questions]

    @property
    def consent_part(self) -> list[BoundField]:
        return [self[name] for name in self.consents]

    def answers(self) -> dict[Question, str]:
        """The questions that were answered."""
        return {
            question: self.cleaned_data[name]
            for name, question in self.questions.items()
            if self.cleaned_data.get(name)
        }

    def agreed(self) -> list[Consent]:
        """The texts that were agreed to."""
        return [one for name, one in self.consents.items() if self.cleaned_data.get(name)]


def question_field(question: Question) -> forms.Field:
    if not question.choices:
        return fields.text_field(limit=TEXT_LIMIT, label=question.label, required=question.required)
    return forms.ChoiceField(
        label=question.label,
        required=question.required,
        choices=[(choice, choice) for choice in question.choices],
        widget=forms.RadioSelect,
        error_messages={"required": _("Please choose one of these.")},
    )
