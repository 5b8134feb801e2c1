"""The caseload, and one case: who it is, when they come, and what they said."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from clients import doors
from clients.doors import MemberRequest
from clients.models import Case
from clients.queries import care
from clients.rules.actors import COUNSELOR, SUPERVISOR, Actor
from clients.rules.permissions import Right, can, can_restrict, can_see_contact
from intake.queries import responses, reviewing, safety
from practice.actions import reads
from practice.forms.cases import Search
from practice.queries import caseload, diary, forms
from practice.templatetags import duet_times
from practice.views.by_hand import may_book_for
from practice.views.desk import glass_of, rows_of, the_practice

_PAGES = 10_000


@doors.desk
@doors.about("case")
@require_http_methods(["GET", "HEAD", "POST"])
def cases(request: MemberRequest) -> HttpResponse:
    """The cases that this member may know of, those who come next first.

    Whom somebody looks for is posted: a name has no place in an address.
    """
    now, actor, practice = timezone.now(), request.actor, the_practice()
    form = Search(request.POST if request.method == "POST" else None)
    mine, number = _asked(request)
    zone = practice.zone
    result = caseload.Found()
    if form.is_bound:
        mine, number = False, 1
        if form.is_valid():
            text = form.cleaned_data["q"]
            result = caseload.search(actor, text, region=practice.region, zone=zone)
    found = result.persons if form.is_bound else None
    page = caseload.listed(actor, now, mine=mine, found=found, number=number)
    shown = [(voice.person.pk, row.case.pk) for row in page.rows for voice in row.voices]
    reads.in_caseload(persons=shown, by=actor, now=now)
    told = [(person, one.case.pk) for one in result.others for person in one.found]
    reads.in_search(persons=told, by=actor, now=now)
    context = {
        "practice": practice,
        "section": "cases",
        "form": form,
        "searched": form.is_bound and form.is_valid(),
        "too_many": result.too_many,
        "others": result.others,
        "breaks_for_others": caseload.breaks_for_others(actor),
        "rows": page.rows,
        "more": page.more,
        "mine": mine,
        "mine_url": f"{request.path}?show=mine",
        "all_url": f"{request.path}?show=all",
        "newer_url": _page(request, mine, number - 1) if number > 1 else "",
        "older_url": _page(request, mine, number + 1) if page.more and not form.is_bound else "",
        "zone": zone,
        "zone_label": duet_times.zone_words(zone),
    }
    status = form.status if form.is_bound and not form.is_valid() else 200
    return render(request, "duet/practice/desk_cases.html", context, status=status)


def _asked(request: MemberRequest) -> tuple[bool, int]:
    """Whether only the member's own cases are asked for, and which page of them."""
    own = bool(request.actor.roles & {COUNSELOR, SUPERVISOR})
    show = request.GET.get("show", "")
    text = request.GET.get("page", "")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 1
    return (own if show not in ("mine", "all") else show == "mine"), min(max(number, 1), _PAGES)


def _page(request: MemberRequest, mine: bool, number: int) -> str:
    query = urlencode({"show": "mine" if mine else "all", "page": number})
    return f"{request.path}?{query}"


# --- one case ------------------------------------------------------------------------------------


def find_case(request: MemberRequest, pk: UUID) -> Case:
    """Refuses (404) a case that doesn't exist and one that they may not know of alike."""
    found = caseload.case(request.actor, pk)
    if found is None:
        raise Http404
    return found


@dataclass(frozen=True, slots=True)
class Allowed:
    """What this member may do with a case, as the actions would have it."""

    book: bool
    manage: bool
    break_glass: bool
    see_contact: bool


def allowed(actor: Actor, case: Case, *, is_open: bool) -> Allowed:
    """What is seen only through the broken glass is read, and nothing else."""
    knows = not care.only_by_glass(actor, case)
    return Allowed(
        book=case.state != Case.State.CLOSED
        and may_book_for(actor, case)
        and bool(diary.books(actor)),
        manage=knows and can_restrict(actor, case.counselor_id),
        break_glass=knows and not is_open and can(actor, Right.BREAK_GLASS),
        see_contact=can_see_contact(actor, opened=is_open),
    )


@doors.desk
@doors.about("case")
@require_safe
def case(request: MemberRequest, pk: UUID) -> HttpResponse:
    """One case. Who doesn't care for it sees who it is and when they come, and no more."""
    return _case_page(request, find_case(request, pk), timezone.now())


def _case_page(request: MemberRequest, found: Case, now: datetime) -> HttpResponse:
    actor, practice = request.actor, the_practice()
    is_open = care.is_open(actor, found)
    voices = caseload.voices(found)
    answers = caseload.answers(actor, found)
    persons = [one.person for one in voices]
    reads.on_case(case=found, persons=persons, answers=answers, by=actor, now=now)
    sessions = caseload.sessions(actor, found, now)
    zone = caseload.zone(found, practice.zone)
    contacts = diary.contacts(persons)
    context = {
        "practice": practice,
        "section": "cases",
        "case": found,
        "voices": [
            {
                "mark": one.mark,
                "person": one.person,
                "contact": contacts.get(one.person.pk),
                "answers": [
                    answer for answer in answers if answer.attendance.person_id == one.person.pk
                ],
            }
            for one in voices
        ],
        "names": " & ".join(str(one.shown_name) for one in persons),
        "is_open": is_open,
        "has_answers": bool(answers),
        "may": allowed(actor, found, is_open=is_open),
        "glass": glass_of(actor, found.pk, now),
        "flags": safety.open_flags(actor, found),
        "review": reviewing.of_case(actor, found),
        "steps": reviewing.steps(actor, found),
        "coming": rows_of(sessions.coming),
        "past": rows_of(sessions.past),
        "more_past": sessions.more_past,
        "team": care.team(found),
        "given": forms.given_to(actor, found, voices),
        "readable": responses.readable(actor, found),
        "may_give": forms.may_give(actor, found),
        "book_url": f"{reverse('practice:desk-book')}?{urlencode({'case': str(found.pk)})}",
        "zone": zone,
        "zone_label": duet_times.zone_words(zone),
    }
    return render(request, "duet/practice/desk_case.html", context)
