"""Forms of a case at the desk: who was given what and what came in, never what it says."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from clients import doors
from clients.doors import MemberRequest
from clients.models import Case
from clients.rules.permissions import NotPermitted
from intake.actions import giving
from intake.queries import giving as given
from practice.actions import forms, reads
from practice.forms.desk import Answered
from practice.forms.given import Given
from practice.queries import caseload
from practice.queries import forms as asked
from practice.templatetags import duet_times
from practice.views.cases import find_case
from practice.views.desk import glass_of, the_practice

# How long after its day something by hand can still be sent.
_AFTER_DUE: Final = timedelta(days=14)


@doors.desk
@doors.about("case")
@require_http_methods(["GET", "HEAD", "POST"])
def of_case(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Give those of a case what a member chooses.

    Refuses (403) who gives them nothing, (404) a case that they may not know of.
    """
    now, found = timezone.now(), find_case(request, pk)
    if not asked.may_give(request.actor, found):
        raise NotPermitted
    practice, voices = the_practice(), caseload.voices(found)
    zone = caseload.zone(found, practice.zone)
    present = asked.present(found, voices)
    form = Given(
        request.POST if request.method == "POST" else None,
        instruments=given.givable(request.actor),
        persons=[one.person for one in present],
        zone=zone,
        now=now,
    )
    if form.is_bound and form.is_valid() and _is_given(request, found, form, now):
        return redirect("practice:desk-case", pk=found.pk)
    reads.on_case(case=found, persons=[one.person for one in voices], by=request.actor, now=now)
    context = {
        "practice": practice,
        "section": "cases",
        "case": found,
        "glass": glass_of(request.actor, found.pk, now),
        "names": " & ".join(str(one.person.shown_name) for one in voices),
        "given": asked.given_to(request.actor, found, voices),
        "may_give": True,
        "form": form,
        "zone": zone,
        "zone_label": duet_times.zone_words(zone),
    }
    status = form.status if form.is_bound and form.errors else 200
    return render(request, "duet/practice/desk_forms.html", context, status=status)


def _is_given(request: MemberRequest, case: Case, form: Given, now: datetime) -> bool:
    """Give it; what is refused stands on the form then."""
    due_at = form.due_at()
    try:
        forms.give_by_hand(
            case=case,
            persons=form.whom(),
            slugs=form.slugs(),
            due_at=due_at,
            expires_at=due_at + _AFTER_DUE if due_at else None,
            short=form.cleaned_data["short"],
            by=request.actor,
            now=now,
        )
    except giving.StillOpen as refused:
        titles = {one.slug: one.title for one in form.instruments.values()}
        form.add_error(
            None,
            _("%(title)s is still open for one of them. Withdraw it first, or wait.")
            % {"title": titles.get(refused.slug, refused.slug)},
        )
    except giving.CaseClosed:
        form.add_error(None, _("This case is closed."))
    except (giving.Unpublished, giving.NotOfCase):
        form.add_error(None, _("Something changed meanwhile. Please choose again."))
    else:
        messages.success(request, _("They are asked, each by their own link."))
        return True
    return False


@doors.desk
@doors.about("assignment")
@require_POST
def withdraw(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Take back a form that nobody has sent."""
    now = timezone.now()
    found = given.assignment(request.actor, pk)
    if found is None or not Answered(request.POST).is_valid():
        raise Http404
    case = found.intake.case
    try:
        forms.withdraw(assignment=found, by=request.actor, now=now)
    except giving.NotOpen:
        messages.error(request, _("It was sent, or its time is over: nothing was withdrawn."))
    else:
        messages.success(request, _("Withdrawn."))
    return redirect("practice:desk-case", pk=case.pk)


@doors.desk
@doors.about("intake")
@require_POST
def ask_again(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Send somebody their link once more."""
    now = timezone.now()
    found = given.intake(request.actor, pk)
    if found is None or not Answered(request.POST).is_valid():
        raise Http404
    try:
        forms.ask_again(intake=found, by=request.actor, now=now)
    except giving.NotOpen:
        messages.error(request, _("Nothing is open any more: no letter is sent."))
    else:
        messages.success(request, _("A letter with the link is on its way, if one may be sent."))
    return redirect("practice:desk-case", pk=found.case_id)
