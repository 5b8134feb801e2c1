"""What a practice fills in about its forms: which come when, and how what is said alone is kept."""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from clients.forms import fields
from intake.models import CasePolicy, Instrument
from practice.models import FormRule, Practice, Service

_MOST_WEEKS: Final = 52
# Four weeks: a form that is due earlier than that was hardly given then.
_MOST_HOURS: Final = 28 * 24
_MOST_POSITION: Final = 999


class Rule(fields.Strict):
    """What can be changed of a rule: who is asked, how often, how long, by when, in what order."""

    NAMES: ClassVar = ("who", "weeks", "short", "due_hours_before", "position")

    def __init__(self, *args: Any, rule: FormRule | None = None, **kwargs: Any) -> None:
        if rule is not None:
            kwargs["initial"] = {name: getattr(rule, name) for name in self.NAMES}
            kwargs["auto_id"] = f"rule-{rule.pk}-%s"
        super().__init__(*args, **kwargs)
        self.rule = rule
        self.fields["who"] = forms.ChoiceField(
            label=_("Who is asked"),
            choices=[
                (FormRule.Who.EACH.value, _("each of them")),
                (FormRule.Who.BOOKER.value, _("only the one who books")),
            ],
        )
        if rule is None or rule.when == FormRule.When.EVERY_WEEKS:
            self.fields["weeks"] = forms.IntegerField(
                label=_("Every so many weeks"),
                required=rule is not None,
                min_value=1,
                max_value=_MOST_WEEKS,
                help_text="" if rule else _("Only for what is asked again after weeks."),
            )
        if rule is None or rule.when != FormRule.When.EVERY_WEEKS:
            self.fields["due_hours_before"] = forms.IntegerField(
                label=_("Due so many hours before the session"),
                min_value=0,
                max_value=_MOST_HOURS,
                initial=24,
            )
        self.fields["position"] = forms.IntegerField(
            label=_("Place in the order"),
            help_text=_("The smallest comes first; the private check comes before all of them."),
            min_value=0,
            max_value=_MOST_POSITION,
            initial=0,
        )
        self.fields["short"] = forms.BooleanField(
            required=False, label=_("Only the short form, if it has one")
        )

    def values(self) -> dict[str, Any]:
        """What the row gets."""
        return {name: self.cleaned_data[name] for name in self.NAMES if name in self.fields}


class NewRule(Rule):
    """A rule that isn't there yet: which form, with which service, and when."""

    def __init__(
        self,
        *args: Any,
        instruments: Iterable[Instrument],
        services: Iterable[Service],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.services = {one.slug: one for one in services}
        self.fields["slug"] = forms.ChoiceField(
            label=_("Form"), choices=[(one.slug, one.title) for one in instruments]
        )
        self.fields["service"] = forms.ChoiceField(
            label=_("Service"),
            required=False,
            choices=[("", _("any service")), *((one.slug, one.name) for one in services)],
            help_text=_("Rules of a service stand in place of those for any service."),
        )
        self.fields["when"] = forms.ChoiceField(
            label=_("When"),
            choices=[
                (FormRule.When.BEFORE_FIRST.value, _("before the first session")),
                (FormRule.When.EVERY_WEEKS.value, _("every so many weeks")),
                (FormRule.When.EVERY_SECOND.value, _("before every second session")),
            ],
        )
        self.order_fields(["slug", "service", "when", "weeks", "who"])

    def clean(self) -> None:
        super().clean()
        if "weeks" in self.errors or "when" in self.errors:
            return
        by_weeks = self.cleaned_data.get("when") == FormRule.When.EVERY_WEEKS
        if by_weeks and self.cleaned_data.get("weeks") is None:
            self.add_error("weeks", ValidationError(_("Please say after how many weeks.")))
        elif not by_weeks and self.cleaned_data.get("weeks") is not None:
            self.add_error(
                "weeks",
                ValidationError(_("Please leave this empty: it is for every so many weeks.")),
            )

    def values(self) -> dict[str, Any]:
        return super().values() | {
            "slug": self.cleaned_data["slug"],
            "service": self.services.get(self.cleaned_data["service"]),
            "when": self.cleaned_data["when"],
        }


class Switched(fields.Strict):
    """Whether a rule holds from now on."""

    active = forms.ChoiceField(choices=[("yes", "yes"), ("no", "no")])


class Kept(fields.Strict):
    """How what one partner says alone is kept, and within how many hours somebody looks."""

    NAMES: ClassVar = ("secrets_policy", "review_within_hours", "escalate_after_hours")

    def __init__(self, *args: Any, practice: Practice, **kwargs: Any) -> None:
        kwargs["initial"] = {name: getattr(practice, name) for name in self.NAMES}
        super().__init__(*args, **kwargs)
        self.fields["secrets_policy"] = forms.ChoiceField(
            label=_("What one partner says alone"),
            choices=[
                (
                    CasePolicy.Kind.NO_SECRETS.value,
                    _("no secrets: nothing is kept from the other that bears on the work"),
                ),
                (CasePolicy.Kind.LIMITED.value, _("limited: the counselor decides what to keep")),
            ],
            widget=forms.RadioSelect,
            help_text=_("For cases from now on: one in which forms were given keeps its own."),
        )
        self.fields["review_within_hours"] = forms.IntegerField(
            label=_("Hours until an intake is to be reviewed"),
            min_value=1,
            max_value=_MOST_HOURS,
        )
        self.fields["escalate_after_hours"] = forms.IntegerField(
            label=_("Hours until a flag that nobody has seen goes further up"),
            help_text=_("An urgent one does after an hour at most."),
            min_value=1,
            max_value=_MOST_HOURS,
        )

    def values(self) -> dict[str, Any]:
        """What the row gets."""
        return {name: self.cleaned_data[name] for name in self.NAMES}
