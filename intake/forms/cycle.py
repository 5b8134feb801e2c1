"""What a counselor sends from the page of a couple's cycle, and a person about sharing it."""

from typing import Any

from django import forms

from clients.forms import fields
from intake.rules import release


class Button(fields.Strict):
    """Nothing but the button."""


class Parts(fields.Strict):
    """Which parts of which round the couple shall see; each is a box of its own."""

    number = forms.IntegerField(min_value=1, max_value=32_767, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for part in release.PARTS:
            self.fields[f"part_{part}"] = forms.BooleanField(required=False)

    @property
    def parts(self) -> tuple[str, ...]:
        """What was ticked."""
        return tuple(one for one in release.PARTS if self.cleaned_data.get(f"part_{one}"))


class Share(fields.Strict):
    """Whether a person agrees, for one of their cases."""

    case = forms.UUIDField(widget=forms.HiddenInput)
    agreed = forms.TypedChoiceField(
        choices=[("yes", "yes"), ("no", "no")], coerce=lambda said: said == "yes"
    )
