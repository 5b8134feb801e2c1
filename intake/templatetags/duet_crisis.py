"""Whom to turn to at once, for pages: `{% crisis_lines country as lines %}`."""

from django import template
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from intake.models import CrisisLine
from intake.queries import crisis

register = template.Library()


@register.simple_tag
def crisis_lines(country: str) -> list[CrisisLine]:
    """The lines of a country, as somebody who reads the page's language is shown them."""
    return crisis.lines(country, get_language() or "en")


@register.filter
def crisis_kind(line: CrisisLine) -> str:
    """What a line is for, in words that say nothing of whoever reads them."""
    return {
        CrisisLine.Kind.EMERGENCY: _("If someone is in danger now"),
        CrisisLine.Kind.SUICIDE: _("If you think of ending your life"),
        CrisisLine.Kind.VIOLENCE: _("If you are afraid at home"),
        CrisisLine.Kind.OTHER: _("If you need to talk to someone now"),
    }[CrisisLine.Kind(line.kind)]


@register.filter
def dialled(number: str) -> str:
    """The number as a link dials it: digits, and a plus before them."""
    return "".join(sign for sign in number if sign in "0123456789+*#")
