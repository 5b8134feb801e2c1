"""Who cares for a case, who may know of it, and whether it goes on."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clients import doors
from clients.actions import care as actions
from clients.doors import MemberRequest
from clients.models import Case
from clients.queries import care
from clients.rules import care as policy
from clients.rules import retention
from clients.rules.permissions import NotPermitted, Right, can, can_close, can_restrict
from practice.actions import cases, reads
from practice.forms.cases import Assigned, Related
from practice.forms.desk import Answered
from practice.queries import caseload
from practice.templatetags import duet_times
from practice.views.cases import find_case
from practice.views.desk import glass_of, the_practice


def _find(request: MemberRequest, pk: UUID) -> Case:
    """Refuses (404) as the case's page does, (NotPermitted) who has only opened it."""
    found = find_case(request, pk)
    if care.only_by_glass(request.actor, found):
        raise NotPermitted
    return found


@doors.desk
@doors.about("case")
@require_safe
def team(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Who cares for the case. Refuses (403) who may neither change that nor restrict it."""
    return _page(request, _find(request, pk))


def _page(
    request: MemberRequest,
    found: Case,
    *,
    assigned: Assigned | None = None,
    related: Related | None = None,
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    if not can_restrict(request.actor, found.counselor_id):
        raise NotPermitted(Right.MANAGE_CARE)
    practice, now = the_practice(), timezone.now()
    zone = caseload.zone(found, practice.zone)
    members = care.candidates(found)
    voices = caseload.voices(found)
    reads.on_case(case=found, persons=[one.person for one in voices], by=request.actor, now=now)
    context = {
        "practice": practice,
        "section": "cases",
        "case": found,
        "voices": voices,
        "glass": glass_of(request.actor, found.pk, now),
        "team": care.team(found),
        "may_manage": can(request.actor, Right.MANAGE_CARE),
        "is_closed": found.state == Case.State.CLOSED,
        "may_close": can_close(request.actor, found.counselor_id),
        "kept_until": _kept_until(found.closed_at or now),
        "assigned": assigned or Assigned(members=members),
        "related": related or Related(members=members),
        "refusal": refusal,
        "zone": zone,
        "zone_label": duet_times.zone_words(zone),
    }
    return render(request, "duet/practice/desk_care.html", context, status=status)


def _kept_until(closed_at: datetime) -> int:
    """The year up to which a record is kept whose case is closed then."""
    return retention.kept_until(closed_at.date(), settings.DUET["RETENTION_YEARS"]).year


def _refused(code: str) -> str:
    return {
        "closed": _("The case is closed: nobody new cares for it."),
        "shut_out": _("This member doesn't sign in any more."),
        "role_missing": _("This member doesn't have the role for that."),
        "is_counselor": _("This member is the case's counselor already."),
        "stands_already": _("This member is that already."),
        "ended_already": _("That has ended already."),
    }.get(code, _("Its state doesn't allow this any more. Below is how it stands now."))


@doors.desk
@doors.about("case", Right.MANAGE_CARE)
@require_POST
def assign(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Give the case to a counselor."""
    found = _find(request, pk)
    form = Assigned(request.POST, members=care.candidates(found))
    if not form.is_valid():
        return _page(request, found, assigned=form, status=form.status)
    try:
        actions.assign(case=found, member=form.member(), by=request.actor, now=timezone.now())
    except policy.NotAllowed as refused:
        return _page(request, found, refusal=_refused(refused.code), status=422)
    messages.success(request, _("The case has this counselor now; who is concerned is told."))
    return redirect("practice:desk-care", pk=found.pk)


@doors.desk
@doors.about("case", Right.MANAGE_CARE)
@require_POST
def relate(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Let somebody else care for the case, or know of it."""
    found = _find(request, pk)
    form = Related(request.POST, members=care.candidates(found))
    if not form.is_valid():
        return _page(request, found, related=form, status=form.status)
    try:
        actions.relate(
            case=found,
            member=form.member(),
            kind=form.cleaned_data["kind"],
            by=request.actor,
            now=timezone.now(),
        )
    except policy.NotAllowed as refused:
        return _page(request, found, refusal=_refused(refused.code), status=422)
    messages.success(request, _("Noted; the counselor is told."))
    return redirect("practice:desk-care", pk=found.pk)


@doors.desk
@doors.about("case", Right.MANAGE_CARE)
@require_POST
def end(request: MemberRequest, pk: UUID) -> HttpResponse:
    """End a relation. Refuses (404) one of a case that they may not know of, and one that ended."""
    relation = care.relation(request.actor, pk)
    if relation is None:
        raise Http404
    found = _find(request, relation.case_id)
    if not Answered(request.POST).is_valid():
        return _page(request, found, refusal=_("Please press the button once more."), status=422)
    try:
        actions.end(relation=relation, by=request.actor, now=timezone.now())
    except policy.NotAllowed as refused:
        return _page(request, found, refusal=_refused(refused.code), status=422)
    messages.success(request, _("That has ended; the counselor is told."))
    return redirect("practice:desk-care", pk=found.pk)


@doors.desk
@doors.about("case")
@require_http_methods(["GET", "HEAD", "POST"])
def restrict(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Ask once more, then let only those know of the case who care for it or are named."""
    found = _find(request, pk)
    if not can_restrict(request.actor, found.counselor_id):
        raise NotPermitted(Right.MANAGE_CARE)
    knowing = care.team(found)
    stays = request.actor.id in {found.counselor_id, *(one.member_id for one in knowing)}
    if request.method != "POST":
        voices, now = caseload.voices(found), timezone.now()
        reads.on_case(case=found, persons=[one.person for one in voices], by=request.actor, now=now)
        context = {
            "practice": the_practice(),
            "section": "cases",
            "case": found,
            "voices": voices,
            "team": knowing,
            "stays": stays,
        }
        return render(request, "duet/practice/desk_restrict.html", context)
    if not Answered(request.POST).is_valid():
        return _page(request, found, refusal=_("Please press the button once more."), status=422)
    actions.restrict(case=found, by=request.actor, now=timezone.now())
    messages.success(request, _("Only those who care for the case or are named know of it now."))
    return redirect("practice:desk-case", pk=found.pk) if stays else redirect("practice:desk-cases")


@doors.desk
@doors.about("case")
@require_POST
def lift(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Let those know of the case again whose roles let them know of others."""
    found = _find(request, pk)
    if not Answered(request.POST).is_valid():
        return _page(request, found, refusal=_("Please press the button once more."), status=422)
    actions.lift(case=found, by=request.actor, now=timezone.now())
    messages.success(request, _("The case is no longer restricted."))
    return redirect("practice:desk-care", pk=found.pk)


@doors.desk
@doors.about("case")
@require_POST
def close(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Close the case, where nothing is to come any more."""
    found = _find(request, pk)
    if not Answered(request.POST).is_valid():
        return _page(request, found, refusal=_("Please press the button once more."), status=422)
    try:
        cases.close(case=found, by=request.actor, now=timezone.now())
    except cases.StillComing:
        refusal = _(
            "Something is still booked for this case. Cancel it first, then close the case."
        )
        return _page(request, found, refusal=refusal, status=422)
    messages.success(request, _("The case is closed."))
    return redirect("practice:desk-care", pk=found.pk)


@doors.desk
@doors.about("case")
@require_POST
def reopen(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Go on with a closed case."""
    found = _find(request, pk)
    if not Answered(request.POST).is_valid():
        return _page(request, found, refusal=_("Please press the button once more."), status=422)
    cases.reopen(case=found, by=request.actor, now=timezone.now())
    messages.success(request, _("The case is open again."))
    return redirect("practice:desk-care", pk=found.pk)
