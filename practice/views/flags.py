"""One flag, for the clinicians of its case: why it was raised, how to reach the person, its end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from clients import doors
from clients.doors import MemberRequest
from clients.queries import care
from clients.rules.permissions import NotPermitted
from intake.actions import safety as acts
from intake.models import Flag, Response
from intake.queries import safety
from intake.rules import escalation, flags, printed
from intake.rules.printed import Line
from practice.actions import reads
from practice.actions import safety as closing
from practice.forms.desk import Answered
from practice.forms.review import Noted
from practice.queries import caseload
from practice.templatetags import duet_times
from practice.views.desk import glass_of, the_practice


def find(request: MemberRequest, pk: UUID) -> Flag:
    """Refuses (404) what doesn't exist and what isn't theirs to see alike."""
    found = safety.flag(request.actor, pk)
    if found is None:
        raise Http404
    return found


@doors.desk
@doors.about("flag")
@require_safe
def flag(request: MemberRequest, pk: UUID) -> HttpResponse:
    """One flag. To look at it changes nothing; that somebody did is on record."""
    return _flag_page(request, find(request, pk), timezone.now())


def _flag_page(
    request: MemberRequest,
    found: Flag,
    now: datetime,
    *,
    form: Noted | None = None,
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    actor, practice = request.actor, the_practice()
    said = safety.response_of(actor, found)
    raised, others = _lines(found, said)
    reads.on_flag(flag=found, with_answers=said is not None, by=actor, now=now)
    case = caseload.case(actor, found.case_id)
    if case is None:  # closed to them since the flag was read
        raise Http404
    mark = [one.mark for one in caseload.voices(case) if one.person.pk == found.person_id]
    knows = not care.only_by_glass(actor, case)
    zone = caseload.zone(case, practice.zone)
    context: dict[str, Any] = {
        "practice": practice,
        "section": "cases",
        "flag": found,
        "mark": mark[0] if mark else "a",
        "is_couple": case.couple_id is not None,
        "may_see": knows and found.seen_at is None and found.closed_at is None,
        "may_close": found.closed_at is None and safety.may_close(actor, case),
        "reads_answers": said is not None or found.response_id is None,
        "raised": raised,
        "others": others,
        "ways": safety.ways(found.person),
        "form": form or Noted(),
        "glass": glass_of(actor, found.case_id, now),
        "refusal": refusal,
        "zone": zone,
        "zone_label": duet_times.zone_words(zone),
    }
    return render(request, "duet/practice/desk_flag.html", context, status=status)


def _lines(found: Flag, said: Response | None) -> tuple[Sequence[Line], Sequence[Line]]:
    """The answers that raised it, and the others; of what isn't sent yet only the former."""
    if said is None:
        return [], []
    assignment, sent = said.assignment, said.sent_at is not None
    definition = assignment.instrument.parsed
    given = said.said()
    why = {
        one.item
        for one in flags.raised(definition, given, sent=sent, short=assignment.short)
        if one.kind == found.kind
    }
    lines = printed.lines(definition, given, translation.get_language(), short=assignment.short)
    raised = [one for one in lines if one.item in why]
    return raised, [one for one in lines if sent and one.item not in why]


@doors.desk
@doors.about("flag")
@require_POST
def see(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Put down that somebody has it in hand: it is told no further up."""
    now, found = timezone.now(), find(request, pk)
    if not Answered(request.POST).is_valid():
        again = _("Please press the button once more.")
        return _flag_page(request, found, now, refusal=again, status=422)
    acts.see(flag=found, by=request.actor, now=now)
    messages.success(request, _("It is on record that you have seen it."))
    return redirect("practice:desk-flag", pk=pk)


@doors.desk
@doors.about("flag")
@require_POST
def close(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Close it with a note. Refuses (403) whoever is no clinician of the case, or by the glass."""
    now, found = timezone.now(), find(request, pk)
    if not safety.may_close(request.actor, found.case):
        raise NotPermitted
    form = Noted(request.POST)
    if not form.is_valid():
        return _flag_page(request, found, now, form=form, status=form.status)
    try:
        closing.close(flag=found, by=request.actor, now=now, **form.cleaned_data)
    except escalation.NotAllowed:
        late = _("A colleague has closed it meanwhile. Below is what they wrote.")
        return _flag_page(request, find(request, pk), now, refusal=late, status=409)
    messages.success(request, _("The flag is closed, with your note."))
    return redirect("practice:desk-flag", pk=pk)
