"""Gates, messages and history in the words of the desk."""

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clients.rules.actors import Actor
from clients.rules.permissions import Right, can
from practice.models import FormRule
from practice.queries import diary
from practice.queries.diary import Happened

register = template.Library()


@register.filter
def books(actor: Actor | str) -> bool:
    """Whether a member books in any diary: their own, or everybody's; pages without one say so."""
    return diary.books(actor) if isinstance(actor, Actor) else True


@register.filter
def answers_requests(actor: Actor | str) -> bool:
    """Whether a member answers what clients ask about their record."""
    return isinstance(actor, Actor) and can(actor, Right.ANSWER_REQUESTS)


@register.filter
def manages_practice(actor: Actor | str) -> bool:
    """Whether a member says what the practice offers, and asks of those who come."""
    return isinstance(actor, Actor) and can(actor, Right.MANAGE_PRACTICE)


@register.filter
def case_words(state: str) -> str:
    """Where a case stands."""
    return {
        "enquiry": _("enquiry"),
        "active": _("in care"),
        "paused": _("paused"),
        "closed": _("closed"),
    }.get(state, state)


@register.filter
def care_words(kind: str) -> str:
    """As what somebody has to do with a case."""
    return {
        "counselor": _("counselor"),
        "co_counselor": _("co-counselor"),
        "supervisor": _("supervisor"),
        "named": _("named: may know of it, reads nothing"),
    }.get(kind, kind)


@register.filter
def gate_words(gate: str) -> str:
    """Why somebody can't be written to yet."""
    return {
        "open": _("may be written to"),
        "said_unsafe": _("nobody said that writing is safe"),
        "shared_address": _("both gave the same address"),
        "private_check": _("waits for the private check of both"),
        "no_contact": _("no e-mail address"),
    }.get(gate, gate)


@register.filter
def gate_step(gate: str) -> str:
    """What can be done about a shut gate."""
    return {
        "said_unsafe": _("Ask the client alone. Write only if a clinician asked in person."),
        "shared_address": _("Ask for another address, or hand the link over in person."),
        "private_check": _("Speak with each of them alone, then say so here."),
        "no_contact": _("Ask for an e-mail address, or call."),
    }.get(gate, "")


@register.filter
def form_words(state: str) -> str:
    """What became of a form that somebody was given."""
    return {
        "open": _("not sent yet"),
        "sent": _("sent"),
        "expired": _("not sent in time"),
        "withdrawn": _("withdrawn"),
    }.get(state, state)


@register.filter
def rule_words(rule: FormRule) -> str:
    """When a form comes, to whom, and how long it may take: before the first session, each."""
    weeks = rule.weeks or 0
    when = {
        FormRule.When.BEFORE_FIRST: _("before the first session"),
        FormRule.When.EVERY_WEEKS: ngettext("every week", "every %(weeks)d weeks", weeks)
        % {"weeks": weeks},
        FormRule.When.EVERY_SECOND: _("before every second session"),
    }[FormRule.When(rule.when)]
    each = rule.who == FormRule.Who.EACH
    hours = rule.due_hours_before
    due = ngettext("due %(hours)d hour before", "due %(hours)d hours before", hours)
    said = [
        when,
        _("each of them") if each else _("only the one who books"),
        *([_("short form")] if rule.short else []),
        *([] if rule.weeks else [due % {"hours": hours}]),
        _("place %(number)d") % {"number": rule.position},
    ]
    return " · ".join(said)


@register.filter
def attendance_words(state: str) -> str:
    return {
        "expected": _("not confirmed yet"),
        "confirmed": _("confirmed"),
        "cancelled": _("cancelled"),
    }.get(state, state)


@register.filter
def purpose_words(purpose: str) -> str:
    """What a message is for: confirmation, reminder 48 h before."""
    if purpose.startswith("reminder-") and purpose[9:].isdecimal():
        minutes = int(purpose[9:])
        if minutes % 60:
            return _("reminder %(minutes)d min before") % {"minutes": minutes}
        return _("reminder %(hours)d h before") % {"hours": minutes // 60}
    return {
        "confirmation": _("confirmation"),
        "requested": _("request received"),
        "invitation": _("invitation"),
        "moved": _("new time"),
        "cancelled": _("cancellation"),
        "declined": _("request declined"),
        "sign_in": _("link to their own page"),
        "intake": _("link to their forms"),
        "intake-nudge-1": _("first reminder of their forms"),
        "intake-nudge-2": _("second reminder of their forms"),
    }.get(purpose, purpose)


@register.filter
def message_words(state: str) -> str:
    return {
        "planned": _("planned"),
        "claimed": _("about to leave"),
        "sending": _("leaving now"),
        "sent": _("sent"),
        "failed": _("failed"),
        "missed": _("missed its time, not sent"),
        "suppressed": _("not sent"),
        "cancelled": _("no longer needed"),
        "uncertain": _("may have been sent"),
    }.get(state, state)


@register.filter
def reason_words(reason: str) -> str:
    """Why a message is in its state; empty for what needs no explanation."""
    if reason.startswith("gate_"):
        return gate_words(reason.removeprefix("gate_"))
    if reason.startswith(("smtp_2", "run_")):
        return ""
    if reason.startswith("smtp_"):
        code = reason.removeprefix("smtp_").partition("_")[0]
        return _("the mail server refused it (%(code)s)") % {"code": code}
    return {
        "window_passed": _("it could not leave in time"),
        "answer_lost": _("the mail server did not say whether it took it"),
        "sender_died": _("the sender stopped while it was leaving"),
        "safe_contact_no": _("this person asked not to be written to"),
        "no_address": _("no address"),
        "address_bounced": _("the address does not exist"),
        "not_writable": _("it could not be written: tell the operator"),
        "too_many": _("many letters to this address within an hour: somebody may misuse it"),
        "no_channel": _("no way to send it is set up"),
        "no_mail_server": _("no mail server is set up"),
        "sign_in_refused": _("the mail server refused our sign-in"),
        "unreachable": _("the mail server could not be reached"),
        "hung": _("the mail server did not answer"),
        "dropped": _("the mail server hung up"),
        "moved": _("the time changed"),
        "cancelled": _("the appointment was cancelled"),
        "declined": _("the request was declined"),
        "link_used": _("the link was used already"),
        "no_link": _("the link is gone"),
        "left": _("this person or another cancelled"),
        "accepted": _("the request was accepted"),
        "rule_changed": _("the reminder rules changed"),
        "contact_changed": _("the contact changed"),
        "safe_contact": _("what this person said about contact changed"),
        "no_intake": _("the link is gone"),
        "ended": _("the link has ended"),
        "all_sent": _("everything was sent"),
        "withdrawn": _("it was withdrawn"),
        "given": _("something new was given"),
        "asked_again": _("it was sent anew"),
        "asked_anew": _("it was sent anew"),
        "gate_opened": _("the partner is invited"),
        "case_closed": _("the case was closed"),
        "erased": _("the record was erased"),
    }.get(reason, reason)


@register.filter
def verb_words(verb: str) -> str:
    """What happened, in the past tense."""
    return {
        "appointment.loaded": _("loaded"),
        "appointment.held": _("held"),
        "appointment.released": _("let go"),
        "appointment.booked": _("booked"),
        "appointment.requested": _("asked for"),
        "appointment.accepted": _("accepted"),
        "appointment.declined": _("declined"),
        "appointment.cancelled": _("cancelled"),
        "appointment.moved": _("moved"),
        "appointment.done": _("noted: took place"),
        "appointment.no_show": _("noted: nobody came"),
        "attendance.confirmed": _("confirmed"),
        "attendance.cancelled": _("cancelled own part"),
        "attendance.gate_opened": _("partner asked in person"),
    }.get(verb, verb)


@register.filter
def actor_words(line: Happened) -> str:
    """Who it was: by name where we know it."""
    if line.who:
        return line.who
    return {
        "system": _("the system"),
        "visitor": _("a visitor, when booking"),
        "member": _("a member"),
        "person": _("an attendee"),
    }.get(line.kind, line.kind)
