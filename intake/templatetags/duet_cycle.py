"""The cycle in the desk's words, with the field's terms; clients' words are the instrument's."""

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from intake.rules.picture import Theme
from intake.rules.scoring import half_up

register = template.Library()

NOTHING = "–"


@register.filter
def whole(value: Fraction | int | None) -> str:
    """A score as it is shown, half up; a dash where there is none."""
    return NOTHING if value is None else str(half_up(Fraction(value)))


@register.filter
def signed(value: Fraction | None) -> str:
    """A difference with its sign."""
    if value is None:
        return NOTHING
    shown = half_up(value)
    return f"+{shown}" if shown > 0 else f"−{-shown}" if shown < 0 else "0"


@register.filter
def date_in(moment: datetime, zone: str) -> str:
    """12 Mar 2027, as the calendars of a zone have it."""
    return date_format(moment.astimezone(ZoneInfo(zone)), "j M Y")


@register.filter
def theme_words(theme: str) -> str:
    """What lies beneath, in two or three words; a theme that we don't know stands as it is."""
    return {
        "abandoned": _("left alone"),
        "anxious": _("can't settle"),
        "betrayed": _("let down"),
        "fear-of-losing": _("afraid to lose us"),
        "violated": _("a line crossed"),
        "controlled": _("steered"),
        "afraid-of-the-wrong-words": _("afraid of wrong words"),
        "past-criticism-or-rejection": _("put down or turned away before"),
        "conflict-feels-unsafe": _("conflict itself feels unsafe"),
        "intimidated": _("feels outmatched"),
        "needs-time-to-process": _("needs time to find words"),
        "does-not-see-the-issue": _("doesn't see what it is about"),
    }.get(theme, theme.replace("-", " "))


@register.filter
def position_words(position: str | None) -> str:
    """What somebody does in the dance."""
    return {
        "reaching": _("reaches"),
        "stepping_back": _("steps back"),
        "both": _("reaches and steps back"),
        "settled": _("steady"),
    }.get(position or "", _("not enough answers"))


@register.filter
def move_words(move: str) -> str:
    """One of the two moves."""
    return {"reach": _("Reaching"), "step": _("Stepping back")}[move]


@register.filter
def dance_words(dance: str) -> str:
    """The field's term."""
    return {
        "pursue_withdraw": _("pursue / withdraw"),
        "mutual_pursue": _("both pursue"),
        "mutual_withdraw": _("both withdraw"),
        "no_fixed_pattern": _("no fixed pattern"),
    }.get(dance, "")


@register.filter
def intensity_words(label: str | None) -> str:
    """How much of their hard moments it is."""
    return {
        "faint": _("faint"),
        "now and then": pgettext("how often a dance shows", "now and then"),
        "often part of our hard moments": _("often part of their hard moments"),
        "most of our hard moments": _("most of their hard moments"),
    }.get(label or "", label or "")


@register.filter
def unsaid_words(code: str) -> str:
    """An answer that isn't on the scale: for the clinician, never for the partner."""
    return {"skip": _("not said"), "unknown": _("not known")}.get(code, code or NOTHING)


@register.filter
def part_words(part: str) -> str:
    """A part that can be released."""
    return {
        "dance": _("The dance, in words"),
        "positions": _("Who reaches and who steps back"),
        "feelings": _("What each feels beneath it"),
        "reasons": _("What needing space is made of"),
        "repair": _("Finding each other again"),
    }.get(part, part)


@register.filter
def category_words(category: str | None) -> str:
    """What became of a score between two times."""
    return {
        "recovered": _("recovered"),
        "improved": _("improved"),
        "unchanged": _("no reliable change"),
        "deteriorated": _("deteriorated"),
        "about_the_same": _("about the same"),
    }.get(category or "", category or "")


@register.filter
def own_said(theme: Theme) -> str:
    """What somebody says of themselves: a step of the scale, or that they didn't."""
    return _step(theme.own, theme.unsaid)


@register.filter
def guessed(theme: Theme) -> str:
    """What the other thinks it is for them: a step of the scale, or that they didn't say."""
    return _step(theme.guess, theme.unguessed)


def _step(step: int | None, non: str) -> str:
    """Words stand smaller than figures: a column of figures is narrow."""
    if step is None and non:
        return format_html("<small>{}</small>", unsaid_words(non))
    return NOTHING if step is None else str(step)
