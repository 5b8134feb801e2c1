"""Who looked at what, and what a member must be told, in the words of the desk."""

from collections.abc import Iterable

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clients.rules import actors, requests, unusual

register = template.Library()


@register.filter
def role_words(role: str) -> str:
    """What somebody is in the practice."""
    return {
        actors.FRONT_DESK: _("front desk"),
        actors.REVIEWER: _("intake reviewer"),
        actors.COUNSELOR: _("counselor"),
        actors.SUPERVISOR: _("supervisor"),
        actors.ADMIN: _("practice admin"),
    }.get(role, role)


@register.filter
def roles_words(roles: Iterable[str]) -> str:
    """All that somebody is, in one line."""
    return ", ".join(role_words(role) for role in roles)


@register.simple_tag
def finding_words(kind: str, persons: int) -> str:
    """Why reading was unusual, and of how many clients."""
    if kind == unusual.MASS:
        sentence = ngettext(
            "opened %(count)d client's record in a short time, beside their own cases",
            "opened %(count)d clients' records in a short time, beside their own cases",
            persons,
        )
    elif kind == unusual.OWN_NAME:
        sentence = ngettext(
            "opened the record of %(count)d client with their own family name or address",
            "opened the records of %(count)d clients with their own family name or address",
            persons,
        )
    elif kind == unusual.CLOSED:
        sentence = ngettext(
            "opened the record of %(count)d client whose case is closed and was not theirs",
            "opened the records of %(count)d clients whose cases are closed and were not theirs",
            persons,
        )
    else:
        return kind
    return sentence % {"count": persons}


@register.filter
def notice_words(kind: str) -> str:
    """What a notice says; never whom it is about: that stands behind its link."""
    return {
        "glass_broken": _("A colleague opened a case of yours in an emergency, for an hour."),
        "unusual_reading": _("Somebody read an unusual number or choice of records."),
        "access_report": _("The week's report is here: who looked at your clients' records."),
        "data_request": _("A client asks for a copy of their record, or to have it erased."),
        "record_unreadable": _("A record can't be read: its data is damaged."),
        "case_given": _("A case is yours from now on."),
        "case_taken": _("A case of yours was given to a colleague."),
        "care_added": _("Somebody joined those who care for a case."),
        "care_ended": _("Somebody no longer cares for a case with you."),
        "flag": _("Somebody answered something that you should see. Please look at it yourself."),
        "flag_escalated": _("A colleague has not seen yet what waits for them. Please look at it."),
        "booked_while_flagged": _("A colleague booked clients of yours together. Please look."),
        "needs_clinician": _("A case needs a clinician. Please see that somebody looks after it."),
        "review_taken": _("A colleague has taken over a review that you had claimed."),
    }.get(kind, _("There is something to look at."))


@register.filter
def answer_words(answer: str) -> str:
    """What became of it, as the desk says it."""
    return {
        requests.HANDED_OVER: _("The copy was handed over"),
        requests.ERASED: _("The record is erased"),
        requests.KEPT_BY_LAW: _("Not erased: the law asks us to keep it"),
        requests.WITHDRAWN: _("They don't want it any more"),
        requests.NOT_THEIR_RECORD: _("Refused: not asked by them, or not their record"),
    }.get(answer, answer)
