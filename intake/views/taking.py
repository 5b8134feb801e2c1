"""What stands behind somebody's own link: the start, their forms, and how what they say is kept.

The token leaves the address with the first button; from then on the session knows whose it is.
"""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods, require_safe

from clients import doors, limits
from clients.rules.access import token_hash
from intake.actions import answering
from intake.forms.page import Policy
from intake.limits import UNKNOWN_LINKS
from intake.queries import taking
from intake.rules import wording
from intake.rules.taking import POLICY_VERSION, spoken
from intake.views import frame, visit, words
from intake.views.frame import Own

_read_or_send = require_http_methods(["GET", "HEAD", "POST"])


@doors.by_link
@doors.about("assignment")
@_read_or_send
def start(request: HttpRequest, token: str) -> HttpResponse:
    """What waits behind the link, in neutral words; the button opens it.

    Refuses (404, the same for all) links that are unknown, mistyped or have ended.
    """
    now = timezone.now()
    intake = taking.by_link(token_hash(token), now)
    if intake is None:
        limits.check(request, UNKNOWN_LINKS)
        raise Http404
    if request.method == "POST":
        visit.keep_own(request.session, intake, now)
        return redirect("intake:mine")
    return frame.in_their_language(intake.person.language, _start, request, Own(intake, now))


def _start(request: HttpRequest, own: Own) -> HttpResponse:
    listed = taking.listed(own.intake, own.now)
    forms = [one for one in listed if not (one.is_sent or one.stuck)]
    context = {
        "stuck": any(one.stuck for one in listed),
        "forms": len(forms),
        "minutes": sum(one.minutes for one in forms),
        "begun": any(one.begun for one in forms),
        "until": own.intake.ends_at,
        "zone": own.intake.person.zone,
    }
    return render(request, "duet/intake/start.html", context)


@doors.by_link
@doors.about("assignment")
def unknown(request: HttpRequest) -> HttpResponse:
    """Whatever else stands where a link should be: the page of a link that doesn't work."""
    limits.check(request, UNKNOWN_LINKS)
    raise Http404


@doors.visitor
@doors.about("assignment")
@require_safe
@frame.own
def mine(request: HttpRequest, own: Own) -> HttpResponse:
    """The person's own forms, and what the practice wrote back. Nothing of anybody else."""
    forms = [
        {
            "pk": one.assignment.pk,
            "title": _title(one, own),
            "minutes": one.minutes,
            "begun": one.begun,
            "locked": one.locked,
            "stuck": one.stuck,
            "is_sent": one.is_sent,
            "due": one.assignment.due_at,
        }
        for one in taking.listed(own.intake, own.now)
    ]
    open_ones = [one for one in forms if not one["is_sent"]]
    told = taking.words_of_review(own.intake)
    context = frame.context(
        own,
        forms=forms,
        next=next((one for one in open_ones if not one["locked"]), None),
        all_sent=bool(forms) and not open_ones,
        stuck=any(one["stuck"] for one in forms),
        told=told.shown_words if told else "",
        until=own.intake.ends_at,
        zone=own.intake.person.zone,
    )
    return render(request, "duet/intake/mine.html", context)


def _title(listed: taking.Listed, own: Own) -> str:
    definition = listed.assignment.instrument.parsed
    return words.title(wording.texts(definition, spoken(definition, own.language)))


@doors.visitor
@doors.about("agreement")
@_read_or_send
@frame.own
def policy(request: HttpRequest, own: Own) -> HttpResponse:
    """How what somebody says alone is kept: accepted before the first private question."""
    kind = taking.policy_of(own.intake)
    paragraphs = words.policy(kind)
    form = Policy(request.POST or None)
    if request.method == "POST" and form.is_valid():
        read = (form.cleaned_data["kind"], form.cleaned_data["version"])
        if read == (kind, POLICY_VERSION):
            answering.accept_policy(
                intake=own.intake,
                kind=kind,
                words="\n\n".join(paragraphs),
                language=get_language() or "en",
                by=own.by,
                now=own.now,
            )
            return _go_on(own)
    context = frame.context(
        own,
        kind=kind,
        version=POLICY_VERSION,
        paragraphs=paragraphs,
        accepted=taking.has_accepted(own.intake),
        form=form,
    )
    # Sent, and still here: it was no form of ours, or the words are others by now.
    status = form.status if request.method == "POST" else 200
    return render(request, "duet/intake/policy.html", context, status=status)


def _go_on(own: Own) -> HttpResponse:
    """To the next form that is open; to all of them where there is none."""
    waiting = (one for one in taking.listed(own.intake, own.now) if not one.is_sent)
    following = next((one for one in waiting if not one.locked), None)
    if following is None:
        return redirect("intake:mine")
    return redirect("intake:form", following.assignment.pk)


@doors.visitor
@doors.about("assignment")
@require_safe
@frame.own
def later(request: HttpRequest, own: Own) -> HttpResponse:
    """Somebody isn't alone: nothing more is shown, and they can come back."""
    context = {"until": own.intake.ends_at, "zone": own.intake.person.zone}
    return render(request, "duet/intake/later.html", context)
