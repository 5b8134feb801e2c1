"""Hold a time and let it go."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clients import doors, limits
from clients.limits import TooMany
from clients.rules.actors import Actor
from practice.actions import booking
from practice.actions.guard import SlotTaken
from practice.forms.booking import Choice
from practice.limits import HOLDS, open_holds
from practice.models import Counselor, Practice, Service
from practice.queries import pages
from practice.templatetags import duet_times
from practice.views import public, visit

VISITOR = Actor.visitor()


@doors.visitor
@doors.about("appointment")
@require_POST
def hold(request: HttpRequest) -> HttpResponse:
    """Keep a time for this browser, and let go of the one that it had before."""
    now = timezone.now()
    practice = pages.practice()
    form = Choice(request.POST)
    valid = form.is_valid()
    slug = form.cleaned_data.get("service", "")
    found = pages.bookable(slug) if slug else None
    if practice is None or found is None:
        return public.choose(request, practice, unknown=True, status=form.status)
    asked = _asked(request, form.cleaned_data, found, practice)
    wanted = form.cleaned_data.get("counselor", "")
    if not valid or (wanted and asked.counselor is None):
        sentences = [str(error) for errors in form.errors.values() for error in errors]
        notice = sentences[0] if sentences else _("This person doesn't offer that. Choose a time.")
        return public.times_page(request, practice, asked, now, notice=notice, status=form.status)
    start = form.cleaned_data["start"]
    visit.keep_zone(request.session, asked.zone)
    try:
        limits.check(request, HOLDS)
        let_go(request, now)
        with limits.place(request, open_holds(practice.hold_minutes)) as place:
            held = hold_for(request, found.service, asked.counselor, start, asked.who, now)
            place.belongs_to(held.token)
    except TooMany as refused:
        notice = refused.sentence
        return refused.mark(
            public.times_page(request, practice, asked, now, notice=notice, status=429)
        )
    except SlotTaken:
        notice = _("That time has just been taken. These are still free:")
        return public.times_page(request, practice, asked, now, notice=notice, status=409)
    except booking.NotOffered:
        notice = _("That time can't be booked. These can:")
        return public.times_page(request, practice, asked, now, notice=notice, status=422)
    return redirect("practice:details")


def _asked(
    request: HttpRequest, cleaned: dict[str, Any], found: pages.Bookable, practice: Practice
) -> public.Asked:
    zone = public.zone_of(request, cleaned.get("tz", ""), practice)
    start = cleaned.get("start")
    return public.Asked(
        bookable=found,
        counselor=found.counselor(cleaned.get("counselor", "")),
        who=public.who_for(found.service, cleaned.get("who", "")),
        zone=zone,
        from_on=duet_times.local(start, zone).date().isoformat() if start else "",
    )


def let_go(request: HttpRequest, now: datetime) -> bool:
    """One live hold per browser: the one before ends."""
    kept = visit.hold(request.session)
    if kept is None:
        return False
    visit.drop_hold(request.session)
    limits.free(kept.token)
    return booking.release(token=kept.token, by=VISITOR, now=now)


def hold_for(
    request: HttpRequest,
    service: Service,
    counselor: Counselor | None,
    start: datetime,
    who: str,
    now: datetime,
) -> booking.Held:
    held = booking.hold(service=service, counselor=counselor, start=start, by=VISITOR, now=now)
    kept = visit.Kept(
        token=held.token,
        service=service.slug,
        counselor=counselor.slug if counselor else "",
        start=start.isoformat(),
        who=who,
    )
    visit.keep_hold(request.session, kept)
    return held


@doors.visitor
@doors.about("appointment")
@require_POST
def release(request: HttpRequest) -> HttpResponse:
    """Give the held time back and return to the times, with the choices as they were."""
    kept = visit.hold(request.session)
    let_go(request, timezone.now())
    return redirect(times_of(request, kept))


def times_of(request: HttpRequest, kept: visit.Kept | None) -> str:
    if kept is None:
        return public.book_url()
    return public.book_url(
        service=kept.service,
        counselor=kept.counselor,
        who=kept.who,
        tz=visit.zone(request.session),
        **{"from": _day_of(kept, visit.zone(request.session))},
    )


def _day_of(kept: visit.Kept, zone: str) -> str:
    start = datetime.fromisoformat(kept.start)
    return duet_times.local(start, zone or "UTC").date().isoformat()
