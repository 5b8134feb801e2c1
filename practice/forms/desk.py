"""What members fill in at the desk."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext as _

from clients import models as clients
from clients.forms import fields
from practice.forms.booking import COUPLE, ONE, Person, partner_fields
from practice.models import Service
from practice.rules import wall

REASON_LIMIT = 200
_OFFSETS = [
    f"{sign}{hour:02}:{minute:02}"
    for sign in "+-"
    for hour in range(15)
    for minute in (0, 15, 30, 45)
]


class Answered(fields.Strict):
    """Nothing but the button."""


class Invited(fields.Strict):
    """That a partner may be invited, and whether a clinician asked them in person."""

    asked = forms.ChoiceField(required=False, choices=[("yes", "yes")])


class RequestAnswer(fields.Strict):
    """What became of something that a client asked about their record; of those that fit it."""

    def __init__(self, *args: Any, answers: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        one = _("Please choose one of these.")
        self.fields["answer"] = forms.ChoiceField(
            label=_("What became of it"),
            choices=answers,
            widget=forms.RadioSelect,
            error_messages={"required": one, "invalid_choice": one},
        )


class Closed(fields.Strict):
    """Whether it took place."""

    came = forms.ChoiceField(choices=[("yes", "yes"), ("no", "no")])


class ListedTime(fields.Strict):
    """A time out of the list of open ones."""

    start = fields.Instant()


class ByHand(fields.Strict):
    """A date and a wall-clock time of the counselor's, with a reason where it isn't offered.

    A time that the clock skips is refused; one that it shows twice asks which of the two.
    """

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone
        self.offsets: tuple[timedelta, ...] = ()
        self.fields |= {
            "date": fields.Day(
                label=_("Day"), error_messages={"required": _("Please fill this in.")}
            ),
            "time": fields.line_field(
                limit=5, label=_("Time"), widget=forms.TimeInput(attrs={"type": "time"})
            ),
            # Asked only where the clock shows the time twice.
            "offset": forms.ChoiceField(
                required=False,
                label=_("Which of the two?"),
                choices=[(one, one) for one in _OFFSETS],
                widget=forms.RadioSelect,
            ),
            "reason": fields.line_field(
                limit=REASON_LIMIT,
                required=False,
                label=_("Why outside the offered times"),
                help_text=_(
                    "Only if this time isn't one that you offer. It is kept with the appointment."
                ),
            ),
            "overbook": forms.BooleanField(
                required=False, label=_("Book it all the same, over what is there")
            ),
        }

    def clean(self) -> None:
        super().clean()
        on, at = self.cleaned_data.get("date"), self.cleaned_data.get("time")
        if isinstance(on, date) and at:
            self._resolve(on, at)
        if self.cleaned_data.get("overbook") and not self.cleaned_data.get("reason"):
            self.add_error("reason", _("Please say why it is booked over another one."))

    def _resolve(self, on: date, at: str) -> None:
        try:
            minutes = wall.resolve(on, at, self.zone, self._offset())
        except wall.LocalTimeRefused as refused:
            self.offsets = refused.offsets
            self.add_error("time", _refusal(refused))
        else:
            self.cleaned_data["start"] = wall.instant(minutes)

    def _offset(self) -> timedelta | None:
        text = self.cleaned_data.get("offset")
        if not text:
            return None
        minutes = int(text[1:3]) * 60 + int(text[4:])
        return timedelta(minutes=minutes if text[0] == "+" else -minutes)

    @property
    def offset_part(self) -> BoundField | None:
        """The choice between two offsets, where there is one to make."""
        if len(self.offsets) < 2:
            return None
        choices = [(_offset_text(one), _offset_text(one)) for one in self.offsets]
        self.fields["offset"].choices = choices  # type: ignore[attr-defined]
        return self["offset"]


def _refusal(refused: wall.LocalTimeRefused) -> str:
    return {
        "missing": _("The clocks go forward over this time: it doesn't exist on that day."),
        "twice": _("The clocks go back: this time comes twice on that day. Say which one below."),
        "offset": _("This time doesn't have that offset on that day."),
    }.get(refused.code, _("Give the time as HH:MM, from 00:00 to 23:59."))


def _offset_text(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


class KnownClients(ByHand):
    """Book again for the persons of a case: the time is asked, and of a couple who comes.

    An appointment for one of two is nothing that the other hears of.
    """

    besides = frozenset({"service", "counselor", "case"})

    def __init__(
        self, *args: Any, of: Service, known: Sequence[clients.Person], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.known = {str(one.pk): one for one in known}
        if len(known) > 1 and of.attendees != Service.Attendees.COUPLE:
            alone = [(key, str(one.shown_name)) for key, one in self.known.items()]
            both = [] if of.attendees == Service.Attendees.ONE else [(COUPLE, _("Both"))]
            self.fields["comes"] = forms.ChoiceField(
                label=_("Who comes?"),
                choices=[*both, *alone],
                widget=forms.RadioSelect,
                error_messages={"required": _("Please choose one of these.")},
            )

    @property
    def who_comes(self) -> BoundField | None:
        """The choice of who comes, where there is one to make."""
        return self["comes"] if "comes" in self.fields else None

    def comes(self) -> list[clients.Person]:
        """Those who come: the one who was chosen, or all."""
        chosen = self.known.get(self.cleaned_data.get("comes", ""))
        return [chosen] if chosen else list(self.known.values())


class NewClients(ByHand, Person):
    """Book for somebody new, alone or with a partner."""

    besides = frozenset({"service", "counselor", "case"})

    def __init__(
        self,
        *args: Any,
        of: Service,
        may_ask: bool,
        zone: str,
        region: str,
        zones: Sequence[tuple[str, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, zone=zone, region=region, zones=zones, **kwargs)
        labels = {
            "name": _("Name"),
            "email": _("E-mail address"),
            "phone": _("Telephone number"),
            "language": _("We write to them in"),
            "tz": _("Time zone"),
        }
        for name, label in labels.items():
            self.fields[name].label = label
            self.fields[name].widget.attrs.pop("autocomplete", None)
        if of.attendees != Service.Attendees.ONE:
            self.fields["who"] = forms.ChoiceField(
                label=_("Who comes?"),
                choices=[(COUPLE, _("Two")), (ONE, _("One alone"))],
                widget=forms.RadioSelect,
                error_messages={"required": _("Please choose one of these.")},
            )
            self.fields |= partner_fields(region, zones, same=_("The same as the client's"))
            self.fields["partner_safe"].label = _(
                "Did the client say that it is safe to write to the other one?"
            )
            self.fields["partner_safe"].help_text = _("Unless they did, nothing is sent.")
            if may_ask:
                self.fields["asked_in_person"] = forms.BooleanField(
                    required=False, label=_("I asked the partner in person, alone.")
                )

    def clean(self) -> None:
        super().clean()
        self.check_reachable()
        self.check_partner()

    @property
    def client_part(self) -> list[BoundField]:
        return [self[name] for name in ("name", "email", "phone", "language", "tz")]

    @property
    def partner_part(self) -> list[BoundField]:
        names = [name for name in self.fields if name.startswith("partner_")]
        return [self[name] for name in (*names, "asked_in_person") if name in self.fields]


class Where(fields.Strict):
    """Which service in whose diary a form is about."""

    service = fields.Slug()
    counselor = fields.Slug()
    case = forms.UUIDField(required=False)
