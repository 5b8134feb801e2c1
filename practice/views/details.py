"""The one form between a held time and an appointment, and the page after it."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from clients import doors, limits
from clients.limits import TooMany
from clients.rules.access import token_hash
from practice.actions import booking
from practice.actions.guard import SlotTaken
from practice.forms.booking import COUPLE, Choice, Details
from practice.limits import BOOKINGS
from practice.models import Appointment, Counselor, Practice, Service
from practice.queries import offers, pages
from practice.rules import cancellation
from practice.templatetags import duet_times
from practice.views import persons, public, times, visit
from practice.views.booking import VISITOR, hold_for, let_go, times_of

# A form that was left open for longer asks to be sent once more; nothing typed is lost.
_FORM_LIVES = timedelta(hours=12)
_SALT = "practice.booking.form"


@dataclass(frozen=True, slots=True)
class Filled:
    """What a details form is about, as the form itself says."""

    practice: Practice
    bookable: pages.Bookable
    counselor: Counselor | None
    start: datetime
    zone: str
    who: str


@doors.visitor
@doors.about("appointment")
@require_http_methods(["GET", "HEAD", "POST"])
def details(request: HttpRequest) -> HttpResponse:
    """Who comes, and how to reach them: the one form of a booking."""
    now = timezone.now()
    if request.method == "POST":
        return _sent(request, now)
    kept = visit.hold(request.session)
    held = pages.held(token_hash(kept.token), now) if kept else None
    practice = pages.practice()
    found = pages.bookable(kept.service) if kept else None
    if kept is None or held is None or practice is None or found is None:
        if kept is not None:
            messages.warning(request, _("The time is no longer held for you. Choose one again."))
        return redirect(times_of(request, kept))
    filled = Filled(
        practice=practice,
        bookable=found,
        counselor=found.counselor(kept.counselor),
        start=held.starts_at,
        zone=public.zone_of(request, "", practice),
        who=kept.who,
    )
    form = _form(filled, None)
    return _details_page(request, filled, form, held=held, mark=_new_mark())


def _form(filled: Filled, data: QueryDict | None) -> Details:
    service = filled.bookable.service
    questions, consents = pages.asked_before(service)
    return Details(
        data,
        of=service,
        questions=questions,
        consents=consents,
        region=filled.practice.region,
        zones=_zones(filled.zone),
        initial={
            "service": service.slug,
            "counselor": filled.counselor.slug if filled.counselor else "",
            "start": filled.start.isoformat(),
            "who": filled.who or (COUPLE if service.attendees == COUPLE else ""),
            "language": _language(),
            "tz": filled.zone,
        },
    )


def _language() -> str:
    known = dict(settings.LANGUAGES)
    now = get_language() or settings.LANGUAGE_CODE
    return now if now in known else settings.LANGUAGE_CODE


def _zones(own: str) -> list[tuple[str, str]]:
    """The zones to choose from; one's own is among them even if it names no place."""
    places = list(duet_times.zone_choices())
    return places if own in dict(places) else [(own, own), *places]


def _new_mark() -> str:
    """A signed mark by which a form is known again when it is sent twice."""
    return signing.dumps(secrets.token_urlsafe(9), salt=_SALT)


def _mark(request: HttpRequest) -> str | None:
    """The mark of the form that was sent, or None for a forged, doubled or old one."""
    marks = request.POST.getlist("made")
    try:
        mark = signing.loads(marks[0], salt=_SALT, max_age=_FORM_LIVES) if len(marks) == 1 else None
    except signing.BadSignature:
        return None
    return mark if isinstance(mark, str) else None


def _details_page(
    request: HttpRequest,
    filled: Filled,
    form: Details,
    *,
    mark: str,
    held: Appointment | None = None,
    gone: str = "",
    next_times: list[times.Time] | None = None,
    status: int = 200,
) -> HttpResponse:
    service = filled.bookable.service
    context = {
        "practice": filled.practice,
        "service": service,
        "start": filled.start,
        "counselor": held.counselor if held else filled.counselor,
        "zone": filled.zone,
        "zone_label": duet_times.zone_words(filled.zone),
        "form": form,
        "mark": mark,
        "held_until": held.held_until if held else None,
        "held_seconds": _seconds_left(held),
        "gone": gone,
        "next_times": next_times or [],
        "times_url": public.book_url(
            service=service.slug,
            counselor=filled.counselor.slug if filled.counselor else "",
            who=filled.who,
            tz=filled.zone,
        ),
    }
    return render(request, "duet/practice/details.html", context, status=status)


def _seconds_left(held: Appointment | None) -> int:
    until = held.held_until if held else None
    return int((until - timezone.now()).total_seconds()) if until else 0


def _sent(request: HttpRequest, now: datetime) -> HttpResponse:
    """The form came: book, or say beside the field what is missing."""
    mark = _mark(request)
    if mark and visit.sent(request.session, mark):
        return redirect("practice:done")
    filled = _filled(request)
    if filled is None:
        return public.choose(request, pages.practice(), unknown=True, status=422)
    kept = visit.hold(request.session)
    about_held = (
        kept is not None
        and kept.service == filled.bookable.service.slug
        and datetime.fromisoformat(kept.start) == filled.start
    )
    held = pages.held(token_hash(kept.token), now) if kept and about_held else None
    form = _form(filled, request.POST)
    valid = form.is_valid()
    if request.POST.get("counselor") and filled.counselor is None:
        form.add_error("counselor", _("This person doesn't offer that."))
        valid = False
    if mark is None:
        form.add_error(None, _("This form was open for very long. Please send it once more."))
        valid = False
    if not valid:
        return _details_page(
            request, filled, form, held=held, mark=_fresh(request, mark), status=form.status
        )
    try:
        limits.check(request, BOOKINGS)
        _book(request, form, filled, kept if about_held else None, mark or "", now)
    except TooMany as refused:
        form.add_error(None, refused.sentence)
        return refused.mark(
            _details_page(request, filled, form, held=held, mark=_fresh(request, mark))
        )
    except (SlotTaken, booking.NotOffered) as gone:
        if visit.sent(visit.as_stored(request.session), mark):
            return redirect("practice:done")
        return _gone_page(request, filled, form, gone, now)
    return redirect("practice:done")


def _fresh(request: HttpRequest, mark: str | None) -> str:
    """The same mark again while it is good, so that a form mended twice is still one form."""
    return request.POST["made"] if mark else _new_mark()


def _filled(request: HttpRequest) -> Filled | None:
    """What the form is about, or None where it names no service or no time."""
    about = Choice({name: request.POST.get(name, "") for name in ("service", "counselor", "start")})
    about.is_valid()
    slug, start = about.cleaned_data.get("service"), about.cleaned_data.get("start")
    practice = pages.practice()
    found = pages.bookable(slug) if slug else None
    if start is None or practice is None or found is None:
        return None
    return Filled(
        practice=practice,
        bookable=found,
        counselor=found.counselor(about.cleaned_data.get("counselor", "")),
        start=start,
        zone=public.zone_of(request, request.POST.get("tz", ""), practice),
        who=public.who_for(found.service, request.POST.get("who", "")),
    )


def _book(
    request: HttpRequest,
    form: Details,
    filled: Filled,
    kept: visit.Kept | None,
    mark: str,
    now: datetime,
) -> None:
    """Book the held time; where the hold has ended, hold the same start anew first.

    The session is written in the transaction of the booking: the same form sent at the same
    moment finds either no booking, or the booking and what it became.
    """
    wanted = replace(
        persons.wanted(form.cleaned_data), answers=form.answers(), consents=form.agreed()
    )
    if kept is not None:
        try:
            return _book_held(request, kept.token, wanted, form, mark, now)
        except booking.HoldGone:
            if visit.sent(visit.as_stored(request.session), mark):
                return None
    let_go(request, now)
    held = hold_for(
        request, filled.bookable.service, filled.counselor, filled.start, filled.who, now
    )
    return _book_held(request, held.token, wanted, form, mark, now)


def _book_held(
    request: HttpRequest,
    token: str,
    wanted: booking.Request,
    form: Details,
    mark: str,
    now: datetime,
) -> None:
    with transaction.atomic():
        booked = booking.book(token=token, request=wanted, by=VISITOR, now=now)
        attendance = booked.attendances[0]
        partner = ""
        if wanted.partner:
            # Whether both share an address is not told: the answer is the same.
            partner = "yes" if wanted.partner_safe_to_invite and wanted.partner.email else "no"
        visit.drop_hold(request.session)
        visit.keep_zone(request.session, wanted.booker.zone)
        visit.keep_sent(
            request.session,
            mark,
            visit.Sent(attendance.pk, attendance.person_id, partner, now),
        )
        request.session.save()
    limits.free(token)


def _gone_page(
    request: HttpRequest, filled: Filled, form: Details, gone: Exception, now: datetime
) -> HttpResponse:
    """The time is gone: the form as it was typed, and the next times as its buttons."""
    taken = isinstance(gone, SlotTaken)
    found = offers.next_times(
        service=filled.bookable.service, counselor=filled.counselor, after=filled.start, now=now
    )
    sentence = (
        _("That time has just been taken by somebody else.")
        if taken
        else _("That time can no longer be booked.")
    )
    return _details_page(
        request,
        filled,
        form,
        mark=request.POST["made"],
        gone=sentence,
        next_times=times.in_words(found, filled.zone),
        status=409 if taken else 422,
    )


@doors.visitor
@doors.about("appointment")
@require_safe
def done(request: HttpRequest) -> HttpResponse:
    """What was booked, what happens next, and how to change it."""
    now = timezone.now()
    sent = visit.sent(request.session)
    practice = pages.practice()
    fresh = sent is not None and now < sent.at + visit.OWN_PAGE
    own = pages.own(sent.person, sent.attendance, now) if sent and fresh else None
    if sent is None or own is None or practice is None:
        return redirect("practice:book")
    path = reverse("practice:attendance", args=[own.token])
    context = {
        "practice": practice,
        "attendance": own,
        "appointment": own.appointment,
        "service": own.appointment.service,
        "zone": own.person.zone,
        "zone_label": duet_times.zone_words(own.person.zone),
        "waits": own.appointment.state == Appointment.State.REQUESTED,
        "partner": sent.partner,
        "invites_at_once": own.appointment.service.invite_gate == Service.InviteGate.SAID_SAFE,
        "can_change": cancellation.can_change(
            starts_at=own.appointment.starts_at,
            cutoff_minutes=practice.cutoff_minutes,
            state=own.appointment.state,
            now=now,
        ),
        "manage_path": path,
        "manage_url": settings.DUET["BASE_URL"] + path,
        "calendar_url": reverse("practice:attendance-calendar", args=[own.token]),
    }
    return render(request, "duet/practice/done.html", context)
