"""Moments in words: always in a named zone, in the reader's language, with a spoken form."""

from datetime import date, datetime
from functools import cache

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from practice.rules import wall

register = template.Library()


def local(moment: datetime, zone: str) -> datetime:
    """The moment as the clocks of `zone` show it."""
    return moment.astimezone(wall.zone_info(zone))


def _clock(reading: datetime) -> str:
    """The time; where the clocks show it twice that day, with the name of the offset."""
    text = date_format(reading, "H:i")
    twice = reading.replace(fold=0).utcoffset() != reading.replace(fold=1).utcoffset()
    return f"{text} {reading.tzname()}" if twice else text


@register.filter
def clock_in(moment: datetime, zone: str) -> str:
    """14:30"""
    return _clock(local(moment, zone))


@register.filter
def clock_with_zone(moment: datetime, zone: str) -> str:
    """14:30, Berlin time"""
    return f"{clock_in(moment, zone)}, {zone_words(zone)}"


@register.filter
def in_zone(moment: datetime, zone: str) -> str:
    """Tue 8 Dec, 14:30"""
    reading = local(moment, zone)
    return f"{date_format(reading, 'D j M')}, {_clock(reading)}"


@register.filter
def day_in(moment: datetime, zone: str) -> str:
    """Tuesday 8 December 2026"""
    return long_day(local(moment, zone).date())


@register.filter
def long_in(moment: datetime, zone: str) -> str:
    """Tuesday 8 December 2026, 14:30"""
    reading = local(moment, zone)
    return f"{long_day(reading.date())}, {_clock(reading)}"


@register.filter
def spoken_in(moment: datetime, zone: str) -> str:
    """14:30, Tuesday 8 December 2026: begins with what is seen."""
    reading = local(moment, zone)
    return f"{_clock(reading)}, {long_day(reading.date())}"


@register.filter
def short_day(on: date) -> str:
    """Tue 8 Dec"""
    return date_format(on, "D j M")


@register.filter
def long_day(on: date) -> str:
    """Tuesday 8 December 2026"""
    return date_format(on, "l j F Y")


@register.filter
def zone_words(zone: str) -> str:
    """Berlin time"""
    if zone == "UTC":
        return _("UTC")
    return _("%(city)s time") % {"city": _city(zone)}


@register.simple_tag
def when(moment: datetime, zone: str, style: str = "short") -> SafeString:
    """A `<time>` with the moment in words; style short, long or clock. The zone is not named."""
    words = {"short": in_zone, "long": long_in, "clock": clock_in}[style](moment, zone)
    marked = '<time class="long" datetime="{}">{}</time>'
    return format_html(
        marked if style == "long" else '<time datetime="{}">{}</time>',
        local(moment, zone).isoformat(),
        words,
    )


def _city(zone: str) -> str:
    return zone.rsplit("/", 1)[-1].replace("_", " ")


@cache
def zone_choices() -> tuple[tuple[str, str], ...]:
    """Every place to choose from, by city: (Europe/Berlin, Berlin (Europe))."""
    names = {wall.canonical_zone(name) for name in wall.zone_names()}
    places = sorted(
        (name for name in names if "/" in name and not name.startswith("Etc/")), key=_city
    )
    return (
        *((name, f"{_city(name)} ({_region(name)})") for name in places),
        ("UTC", "UTC"),
    )


def _region(zone: str) -> str:
    return ", ".join(zone.split("/")[:-1]).replace("_", " ")
