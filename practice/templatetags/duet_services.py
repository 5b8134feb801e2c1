"""Services and appointments in words."""

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from practice.models import Appointment, Service

register = template.Library()


@register.filter
def price(service: Service) -> str:
    """free, or 120.00 USD"""
    if not service.price_cents:
        return _("free")
    whole, rest = divmod(service.price_cents, 100)
    amount = number_format(f"{whole}.{rest:02}" if rest else whole, use_l10n=True)
    return f"{amount} {service.currency}"


@register.filter
def minutes_words(service: Service) -> str:
    """50 minutes"""
    return ngettext("%(count)d minute", "%(count)d minutes", service.minutes) % {
        "count": service.minutes
    }


@register.filter
def who_comes(service: Service) -> str:
    """for one, for two, alone or together"""
    return {
        Service.Attendees.ONE: _("for one person"),
        Service.Attendees.COUPLE: _("for two"),
        Service.Attendees.EITHER: _("alone or together"),
    }[Service.Attendees(service.attendees)]


@register.filter
def place_kind(service: Service) -> str:
    """at the practice, by phone, by video"""
    return {
        Service.Place.ADDRESS: _("at the practice"),
        Service.Place.PHONE: _("by phone"),
        Service.Place.VIDEO: _("by video"),
    }[Service.Place(service.place)]


@register.filter
def place(appointment: Appointment) -> str:
    """Where it is, as an attendee is told."""
    service = appointment.service
    if service.place_text:
        return service.place_text
    if service.place == Service.Place.PHONE:
        return _("By phone: we call you")
    if service.place == Service.Place.VIDEO:
        return _("By video")
    return _("At the practice")


@register.filter
def place_url(appointment: Appointment) -> str:
    """The link to a video room, where there is one."""
    by_video = appointment.service.place == Service.Place.VIDEO
    return appointment.counselor.video_url if by_video else ""


@register.filter
def state_words(state: str) -> str:
    """An appointment's state, as the desk calls it."""
    return {
        "held": _("held"),
        "requested": _("asked for"),
        "confirmed": _("booked"),
        "cancelled": _("cancelled"),
        "done": _("took place"),
        "no_show": _("nobody came"),
    }.get(state, state)
