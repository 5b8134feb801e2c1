"""From a time to an appointment: hold it, say who comes, done."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

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
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clients import doors
from clients.actions import people
from clients.rules.actors import Actor
from practice.actions import booking
from practice.actions.guard import SlotTaken
from practice.forms.booking import COUPLE, ONE, YES, Choice, Details
from practice.models import Appointment, Counselor, Practice, Service
from practice.queries import offers, pages
from practice.templatetags import duet_times
from practice.views import public, times, visit

_VISITOR = Actor.visitor()
# A form that was left open for longer asks to be sent once more; nothing typed is lost.
_FORM_LIVES = timedelta(hours=12)
_SALT = "practice.booking.form"


@doors.visitor
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
        return public.choose(request, practice, unknown=True, status=422)
    asked = _asked(request, form.cleaned_data, found, practice)
    wanted = form.cleaned_data.get("counselor", "")
    if not valid or (wanted and asked.counselor is None):
        sentences = [str(error) for errors in form.errors.values() for error in errors]
        notice = sentences[0] if sentences else _("This person doesn't offer that. Choose a time.")
        return public.times_page(request, practice, asked, now, notice=notice, status=422)
    start = form.cleaned_data["start"]
    visit.keep_zone(request.session, asked.zone)
    _let_go(request, now)
    try:
        _hold(request, found.service, asked.counselor, start, asked.who, now)
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


def _let_go(request: HttpRequest, now: datetime) -> bool:
    """One live hold per browser: the one before ends."""
    kept = visit.hold(request.session)
    if kept is None:
        return False
    visit.drop_hold(request.session)
    return booking.release(token=kept.token, by=_VISITOR, now=now)


def _hold(
    request: HttpRequest,
    service: Service,
    counselor: Counselor | None,
    start: datetime,
    who: str,
    now: datetime,
) -> booking.Held:
    held = booking.hold(service=service, counselor=counselor, start=start, by=_VISITOR, now=now)
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
@require_POST
def release(request: HttpRequest) -> HttpResponse:
    """Give the held time back and return to the times, with the choices as they were."""
    kept = visit.hold(request.session)
    _let_go(request, timezone.now())
    return redirect(_times_of(request, kept))


def _times_of(request: HttpRequest, kept: visit.Kept | None) -> str:
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
@require_http_methods(["GET", "HEAD", "POST"])
def details(request: HttpRequest) -> HttpResponse:
    """Who comes, and how to reach them: the one form of a booking."""
    now = timezone.now()
    if request.method == "POST":
        return _sent(request, now)
    kept = visit.hold(request.session)
    held = pages.held(booking.token_hash(kept.token), now) if kept else None
    practice = pages.practice()
    found = pages.bookable(kept.service) if kept else None
    if kept is None or held is None or practice is None or found is None:
        if kept is not None:
            messages.warning(request, _("The time is no longer held for you. Choose one again."))
        return redirect(_times_of(request, kept))
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
    held = pages.held(booking.token_hash(kept.token), now) if kept and about_held else None
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
            request, filled, form, held=held, mark=_fresh(request, mark), status=422
        )
    try:
        _book(request, form, filled, kept if about_held else None, mark or "", now)
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
    wanted = _request(form)
    if kept is not None:
        try:
            return _book_held(request, kept.token, wanted, form, mark, now)
        except booking.HoldGone:
            if visit.sent(visit.as_stored(request.session), mark):
                return None
    _let_go(request, now)
    held = _hold(request, filled.bookable.service, filled.counselor, filled.start, filled.who, now)
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
        booked = booking.book(token=token, request=wanted, by=_VISITOR, now=now)
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


def _request(form: Details) -> booking.Request:
    data = form.cleaned_data
    booker = people.NewPerson(
        data["name"], data["email"] or None, data["phone"] or None, data["language"], data["tz"]
    )
    partner = None
    if data.get("who", ONE) == COUPLE:
        partner = people.NewPerson(
            data["partner_name"],
            data["partner_email"] or None,
            data["partner_phone"] or None,
            data["partner_language"] or booker.language,
            data["partner_tz"] or booker.zone,
        )
    return booking.Request(
        booker=booker,
        partner=partner,
        partner_safe_to_invite=data.get("partner_safe") == YES,
        answers=form.answers(),
        consents=form.agreed(),
    )


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
        "manage_path": path,
        "manage_url": settings.DUET["BASE_URL"] + path,
        "calendar_url": reverse("practice:attendance-calendar", args=[own.token]),
    }
    return render(request, "duet/practice/done.html", context)
