"""What members fill in to give somebody a form."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.utils.translation import gettext as _

from clients.forms import fields
from clients.models import Person
from intake.models import Instrument
from practice.rules import wall

_FORM, _PERSON = "form-", "person-"
_LONGEST: Final = timedelta(days=365)
# On the day itself, at six in the evening.
_DUE_MINUTE: Final = 18 * 60


class Given(fields.Strict):
    """Which forms, to whom, by when, and whether only the short form of each."""

    def __init__(
        self,
        *args: Any,
        instruments: Iterable[Instrument],
        persons: Iterable[Person],
        zone: str,
        now: datetime,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.zone, self.now = zone, now
        self.instruments = {_FORM + one.slug: one for one in instruments}
        self.persons = {_PERSON + str(one.pk): one for one in persons}
        for name, one in self.instruments.items():
            self.fields[name] = forms.BooleanField(required=False, label=one.title)
        for name, person in self.persons.items():
            self.fields[name] = forms.BooleanField(
                required=False, label=str(person.shown_name), initial=True
            )
        self.fields["due"] = fields.Day(
            required=False,
            label=_("Due on"),
            help_text=_("Until six in the evening. Left empty, nobody is reminded."),
        )
        self.fields["short"] = forms.BooleanField(
            required=False, label=_("Only the short form, of those that have one")
        )

    def clean_due(self) -> date | None:
        """Refuses a day that is past, or more than a year ahead."""
        on: date | None = self.cleaned_data["due"]
        if on is not None and not self.now < self._moment(on) < self.now + _LONGEST:
            raise ValidationError(_("Please choose a day within a year from now."))
        return on

    def clean(self) -> None:
        super().clean()
        if not any(self.cleaned_data.get(name) for name in self.instruments):
            self.add_error(None, _("Please choose at least one form."))
        if not any(self.cleaned_data.get(name) for name in self.persons):
            self.add_error(None, _("Please choose at least one person."))

    def slugs(self) -> list[str]:
        """The forms that were chosen."""
        chosen = [one for name, one in self.instruments.items() if self.cleaned_data[name]]
        return [one.slug for one in chosen]

    def whom(self) -> list[Person]:
        """Those who were chosen."""
        return [one for name, one in self.persons.items() if self.cleaned_data[name]]

    def due_at(self) -> datetime | None:
        """By when, on the clock of the case's counselor."""
        on = self.cleaned_data["due"]
        return self._moment(on) if on else None

    def _moment(self, on: date) -> datetime:
        return wall.instant(wall.first_minute(on, _DUE_MINUTE, self.zone))

    @property
    def form_boxes(self) -> list[BoundField]:
        """The forms to choose from."""
        return [self[name] for name in self.instruments]

    @property
    def person_boxes(self) -> list[BoundField]:
        """The persons to choose from."""
        return [self[name] for name in self.persons]
