"""What members write about an intake, and about a flag."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from clients.forms import fields
from clients.models import Person
from intake.models import Instrument
from intake.rules import escalation, review

EVERYBODY = "all"


class _Told(fields.Strict):
    """Words that a client reads on their own page."""

    def words_field(self, label: str, *, required: bool = True) -> forms.Field:
        return fields.text_field(
            limit=review.MOST_WORDS,
            required=required,
            label=label,
            help_text=_(
                "Each of them reads this on their own page. Write nothing here that one of them "
                "said alone."
            ),
        )

    def clean_words(self) -> str:
        """Refuses what says too little."""
        text = str(self.cleaned_data["words"]).strip()
        if not text and not self.fields["words"].required:
            return ""
        try:
            review.check_words(text)
        except review.NotAllowed:
            raise ValidationError(_("Please say it in at least ten characters.")) from None
        return text


class Asked(_Told):
    """What is still missing, and of whom."""

    def __init__(
        self, *args: Any, persons: Iterable[Person], given: Iterable[Instrument], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.by_id = {str(one.pk): one for one in persons}
        one = _("Please choose one of these.")
        if len(self.by_id) > 1:
            self.fields["who"] = forms.ChoiceField(
                label=_("Whom do you ask?"),
                choices=[
                    (EVERYBODY, _("Both, each on their own page")),
                    *((key, str(person.shown_name)) for key, person in self.by_id.items()),
                ],
                initial=EVERYBODY,
                widget=forms.RadioSelect,
                error_messages={"required": one, "invalid_choice": one},
            )
        self.fields["words"] = self.words_field(_("What is still missing?"))
        self.fields["slug"] = forms.ChoiceField(
            label=_("Where do they answer?"),
            choices=[
                ("", _("In what they have open")),
                *((one.slug, one.title) for one in given),
            ],
            required=False,
        )

    def person(self) -> Person | None:
        """Who was chosen; none for all of them."""
        return self.by_id.get(self.cleaned_data.get("who", EVERYBODY))


class Ended(_Told):
    """Why an intake isn't taken on now, for us, and what they are told."""

    def __init__(self, *args: Any, must_tell: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        label = _("To whom else can they turn?") if must_tell else _("What do you tell them?")
        self.fields["words"] = self.words_field(label, required=must_tell)
        self.fields["reason"] = fields.text_field(
            limit=review.MOST_WORDS,
            required=False,
            label=_("Why, for the practice alone"),
        )


class Noted(fields.Strict):
    """What came of a flag."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"] = fields.text_field(
            limit=escalation.MOST_NOTE,
            label=_("What did you find, and what did you agree on?"),
            help_text=_("At least ten letters. It is kept with the flag, for who may see that."),
        )
        self.fields["asked"] = forms.BooleanField(
            required=False,
            label=_("I asked this person in person, and alone"),
        )

    def clean_note(self) -> str:
        """Refuses what says too little."""
        text = str(self.cleaned_data["note"]).strip()
        try:
            escalation.check_note(text)
        except escalation.NotAllowed:
            raise ValidationError(_("Please write at least ten letters.")) from None
        return text
