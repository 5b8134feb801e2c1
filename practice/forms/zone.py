"""The field that takes a time zone."""

from functools import lru_cache
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import flatatt
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from practice.rules import wall


@lru_cache(maxsize=2_048)
def _option(value: str, label: str, *, selected: bool) -> SafeString:
    marked = '<option value="{}" selected>{}</option>'
    return format_html(marked if selected else '<option value="{}">{}</option>', value, label)


class ZoneSelect(forms.Select):
    """A select of some 430 zones, put together from kept options: a template each is too slow."""

    def render(
        self,
        name: str,
        value: Any,
        attrs: dict[str, Any] | None = None,
        renderer: Any = None,  # noqa: ARG002
    ) -> SafeString:
        chosen = "" if value is None else str(value)
        options = (
            _option(str(one), str(label), selected=str(one) == chosen)
            for one, label in self.choices
        )
        final = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        return mark_safe(f"<select{flatatt(final)}>{''.join(options)}</select>")  # noqa: S308


class Zone(forms.ChoiceField):
    """An IANA zone; old spellings are taken and stored under the name that holds today."""

    widget = ZoneSelect

    def clean(self, value: Any) -> str:
        try:
            return wall.canonical_zone(str(value or "").strip())
        except wall.UnknownZone:
            if not value and not self.required:
                return ""
            raise ValidationError(
                _("Choose a time zone from the list, such as Europe/Berlin."), code="zone"
            ) from None
