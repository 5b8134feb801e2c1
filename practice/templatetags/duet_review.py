"""Intakes, reviews and flags in the words of the desk."""

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from practice.queries.acquaintance import Known
from practice.queries.review_queue import Waiting

register = template.Library()


@register.filter
def came_in_words(row: Waiting) -> str:
    """How many have sent all that they were given; for staff, never for a client."""
    return ngettext("%(sent)d of %(of)d in", "%(sent)d of %(of)d in", row.came_in) % {
        "sent": row.came_in,
        "of": row.of,
    }


@register.filter
def decision_words(decision: str) -> str:
    """What was decided."""
    return {
        "accepted": _("accepted"),
        "declined": _("declined"),
        "waitlisted": _("on the waiting list"),
        "closed": _("the case was closed"),
    }.get(decision, decision)


@register.filter
def step_words(kind: str) -> str:
    """What was done about an intake, in the past tense."""
    return {
        "claimed": _("claimed"),
        "released": _("given back"),
        "asked": _("asked for more"),
        "accepted": _("accepted"),
        "declined": _("declined"),
        "waitlisted": _("put on the waiting list"),
        "closed": _("out of the queue: the case was closed"),
        "reopened": _("back in the queue"),
    }.get(kind, kind)


@register.filter
def flag_words(kind: str) -> str:
    """Why a flag was raised."""
    return {
        "self-harm": _("Thoughts of being better off dead, or of self-harm"),
        "individual-first": _("The private check: speak with this person alone first"),
        "ask-in-person": _("The private check: not answered, to be asked in person"),
        "private-check": _("The private check"),
    }.get(kind, _("An answer that asks for a clinician's look"))


@register.filter
def severity_words(severity: str) -> str:
    """How soon somebody should look."""
    return {
        "urgent": _("urgent"),
        "high": _("before anything is done together"),
        "ask": _("to be asked in person"),
    }.get(severity, severity)


@register.filter
def minute_of_day(minute: int) -> str:
    """22:30"""
    return f"{minute // 60:02}:{minute % 60:02}"


@register.filter
def permission_words(permission: str) -> str:
    """What the person said about it."""
    return {
        "yes": _("yes, also openly"),
        "neutral": _("only neutrally: no reason, no names"),
        "no": _("no: not on this way"),
    }.get(permission, permission)


@register.filter
def hint_words(hint: Known) -> str:
    """By what somebody may be known here; the sentence goes on with where."""
    name = {"name": str(hint.person.shown_name)}
    return {
        "self": _("%(name)s is part of another case here."),
        "email": _("Somebody with %(name)s's e-mail address is known here."),
        "phone": _("Somebody with %(name)s's telephone number is known here."),
        "name": _("Somebody with %(name)s's name is known here."),
    }[hint.sign] % name
