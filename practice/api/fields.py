"""The API's fields that know of zones; the others are `clients.api.fields`."""

from django import forms

from clients.api.fields import Cleaned
from practice.forms import zone


class Zone(Cleaned):
    """An IANA zone."""

    schema = {"type": "string", "maxLength": 64, "example": "Europe/Berlin"}

    def form_field(self) -> forms.Field:
        """As the pages'."""
        return zone.Zone()
