"""An attendee's own page: own time, place and state; nothing of anybody else who comes.

Every page exists twice: behind the link (`/a/<token>/…`), where the address is the capability, and
without the token (`/a/…`) for half an hour after the first button was pressed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clients import doors, limits
from clients.actions import access
from clients.forms import fields
from clients.queries import access as queries
from clients.rules.access import token_hash
from clients.rules.actors import Actor
from practice.actions import booking
from practice.actions.guard import SlotTaken
from practice.forms import attendance as forms
from practice.limits import LINKS_BY_ADDRESS, LINKS_BY_BROWSER, UNKNOWN_LINKS
from practice.models import Appointment, Attendance, Practice, Service
from practice.queries import letters, offers, pages
from practice.queries import portal as own
from practice.rules import cancellation
from practice.templatetags import duet_services, duet_times
from practice.views import times, visit

_read_or_send = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, slots=True)
class Page:
    """One attendee's page as it stands now, and how its links are made."""

    part: pages.OwnPart
    token: str | None

    @property
    def attendance(self) -> Attendance:
        return self.part.attendance

    @property
    def practice(self) -> Practice:
        return self.part.practice

    @property
    def now(self) -> datetime:
        return self.part.now

    @property
    def appointment(self) -> Appointment:
        return self.attendance.appointment

    @property
    def by(self) -> Actor:
        return Actor.of_person(self.attendance.person_id)

    @property
    def zone(self) -> str:
        return self.attendance.person.zone

    def url(self, name: str = "") -> str:
        """A page of this attendee's, behind the link or behind the session."""
        mine = self.token is None
        base = "practice:attendance-mine" if mine else "practice:attendance"
        return reverse(f"{base}-{name}" if name else base, args=[] if mine else [self.token])


def _by_link(request: HttpRequest, token: str, now: datetime) -> Page:
    """Refuses (404, the same for all) links that are unknown, mistyped or have ended.

    Only those are counted and limited: a link that works always does.
    """
    attendance = pages.by_link(token_hash(token), now)
    practice = pages.practice()
    if attendance is None or practice is None:
        limits.check(request, UNKNOWN_LINKS)
        raise Http404
    return Page(pages.OwnPart(attendance, practice, now), token)


def _mine(request: HttpRequest, now: datetime) -> Page:
    """Refuses (404, the same for all) a browser in which nobody's page is open any more.

    So it does a form of somebody else's page: two may have used this browser one after the other,
    and a button must never act on the other one's part.
    """
    ids = visit.own(request.session, now)
    if ids and request.method == "POST" and request.POST.get("own") != str(ids[1]):
        raise Http404
    attendance = pages.own(*ids, now) if ids else None
    practice = pages.practice()
    if attendance is None or practice is None:
        raise Http404
    return Page(pages.OwnPart(attendance, practice, now), None)


# --- behind the link -----------------------------------------------------------------------------


@doors.by_link
@doors.about("attendance")
@require_safe
def page(request: HttpRequest, token: str) -> HttpResponse:
    """The attendee's own appointment."""
    return _in_their_language(_show, request, _by_link(request, token, timezone.now()))


@doors.by_link
@doors.about("attendance")
@require_POST
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """The attendee says that they come."""
    return _in_their_language(_confirm, request, _by_link(request, token, timezone.now()))


@doors.by_link
@doors.about("attendance")
@_read_or_send
def move(request: HttpRequest, token: str) -> HttpResponse:
    """Other times with the same counselor, and the button that moves."""
    return _in_their_language(_move, request, _by_link(request, token, timezone.now()))


@doors.by_link
@doors.about("attendance")
@_read_or_send
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """Ask once more, then cancel this person's own part."""
    return _in_their_language(_cancel, request, _by_link(request, token, timezone.now()))


@doors.by_link
@doors.about("person")
@require_POST
def portal(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for the link to the attendee's own page: it goes to the contact on record."""
    return _portal(request, _by_link(request, token, timezone.now()))


@doors.by_link
@doors.about("attendance")
@require_safe
def calendar(request: HttpRequest, token: str) -> HttpResponse:
    """The calendar file, with a neutral title."""
    return _in_their_language(_calendar, request, _by_link(request, token, timezone.now()))


@doors.by_link
@doors.about("attendance")
def unknown(request: HttpRequest) -> HttpResponse:
    """Whatever else stands where a link should be: the page of a link that doesn't work."""
    limits.check(request, UNKNOWN_LINKS)
    raise Http404


# --- without the token, after a button -----------------------------------------------------------


@doors.visitor
@doors.about("attendance")
@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """As `page`."""
    return _in_their_language(_show, request, _mine(request, timezone.now()))


@doors.visitor
@doors.about("attendance")
@require_POST
def mine_confirm(request: HttpRequest) -> HttpResponse:
    """As `confirm`."""
    return _in_their_language(_confirm, request, _mine(request, timezone.now()))


@doors.visitor
@doors.about("attendance")
@_read_or_send
def mine_move(request: HttpRequest) -> HttpResponse:
    """As `move`."""
    return _in_their_language(_move, request, _mine(request, timezone.now()))


@doors.visitor
@doors.about("attendance")
@_read_or_send
def mine_cancel(request: HttpRequest) -> HttpResponse:
    """As `cancel`."""
    return _in_their_language(_cancel, request, _mine(request, timezone.now()))


@doors.visitor
@doors.about("person")
@require_POST
def mine_portal(request: HttpRequest) -> HttpResponse:
    """As `portal`."""
    return _portal(request, _mine(request, timezone.now()))


@doors.visitor
@doors.about("attendance")
@require_safe
def mine_calendar(request: HttpRequest) -> HttpResponse:
    """As `calendar`."""
    return _in_their_language(_calendar, request, _mine(request, timezone.now()))


# --- what both do --------------------------------------------------------------------------------


def _in_their_language(
    view: Callable[[HttpRequest, Page], HttpResponse], request: HttpRequest, page: Page
) -> HttpResponse:
    """The page speaks the language in which this person is written to."""
    language = page.attendance.person.language
    if language not in dict(settings.LANGUAGES):
        return view(request, page)
    with translation.override(language):
        response = view(request, page)
        response["Content-Language"] = language
        return response


def _show(
    request: HttpRequest, page: Page, *, refusal: str = "", status: int = 200
) -> HttpResponse:
    return render(
        request,
        "duet/practice/attendance.html",
        _context(page) | {"refusal": refusal},
        status=status,
    )


def _context(page: Page) -> dict[str, object]:
    """What every page of an attendee may show, and nothing else."""
    appointment = page.appointment
    practice_zone = appointment.counselor.zone
    at_practice = appointment.service.place == Service.Place.ADDRESS
    return {
        # The tab, the head of the page and the history: neutral, as in the messages.
        "practice": {"name": page.practice.neutral_name, "phone": page.practice.phone},
        "appointment": {
            "when": duet_times.long_in(page.attendance.starts_at, page.zone),
            "when_iso": duet_times.local(page.attendance.starts_at, page.zone).isoformat(),
            "zone": duet_times.zone_words(page.zone),
            "length": duet_services.minutes_words(appointment.service),
            "place": duet_services.place(appointment),
            "place_url": "" if page.part.gone else duet_services.place_url(appointment),
        },
        "there": _there(page.attendance.starts_at, practice_zone)
        if at_practice and practice_zone != page.zone
        else "",
        "state": page.part.state,
        "can_confirm": page.part.can_confirm,
        "can_change": page.part.can_change,
        "too_late": page.part.takes_place and not page.part.can_change,
        "by_link": page.token is not None,
        "own": "" if page.token else page.attendance.pk,
        "own_url": page.url(),
        "confirm_url": page.url("confirm"),
        "move_url": page.url("move"),
        "cancel_url": page.url("cancel"),
        "calendar_url": page.url("calendar"),
        "portal_url": page.url("portal") if page.attendance.person.has_email else "",
        "zone": page.zone,
        "zone_label": duet_times.zone_words(page.zone),
    }


def _there(start: datetime, zone: str) -> str:
    """The time on the clocks of the place, where it isn't the reader's own."""
    return _("%(when)s in %(zone)s") % {
        "when": duet_times.in_zone(start, zone),
        "zone": duet_times.zone_words(zone),
    }


def _remembered(request: HttpRequest, page: Page) -> HttpResponse:
    """After a button the token leaves the address: on to the page that the session knows."""
    if page.token is None:
        visit.prolong_own(request.session, page.now)
    else:
        visit.keep_own(request.session, page.attendance, page.now)
    return redirect("practice:attendance-mine")


def _too_late(page: Page, refused: cancellation.NotAllowed) -> str:
    if not isinstance(refused, cancellation.TooLate):
        return _("This appointment can no longer be changed.")
    if page.practice.phone:
        return _("It is too late to change this here. Please call the practice: %(phone)s.") % {
            "phone": page.practice.phone
        }
    return _("It is too late to change this here. Please call the practice.")


def _confirm(request: HttpRequest, page: Page) -> HttpResponse:
    form = forms.Confirm(request.POST)
    if not form.is_valid():
        refusal = _("Please press the button once more.")
        return _show(request, page, refusal=refusal, status=form.status)
    try:
        booking.confirm(attendance=page.attendance, by=page.by, now=page.now)
    except cancellation.NotAllowed:
        refusal = _("This appointment can no longer be confirmed.")
        return _show(request, page, refusal=refusal, status=422)
    messages.success(request, _("Thank you. We expect you."))
    return _remembered(request, page)


def _move(request: HttpRequest, page: Page) -> HttpResponse:
    if request.method != "POST":
        return _times(request, page)
    form = forms.Move(request.POST)
    if not form.is_valid():
        notice = _("Please choose a time from the list again.")
        return _times(request, page, notice=notice, status=form.status)
    start = form.cleaned_data["start"]
    if page.attendance.state == Attendance.State.CANCELLED:
        # Somebody who has left decides no longer when the others come.
        return _show(request, page, status=422)
    try:
        changed = booking.move(appointment=page.appointment, start=start, by=page.by, now=page.now)
    except SlotTaken:
        notice = _("That time has just been taken. You keep the one you have.")
        return _times(request, page, start=start, notice=notice, status=409)
    except booking.NotOffered:
        notice = _("That time can't be booked. You keep the one you have.")
        return _times(request, page, notice=notice, status=422)
    except cancellation.NotAllowed as refused:
        return _show(request, page, refusal=_too_late(page, refused), status=422)
    _say(request, _("The time has been changed."), changed)
    return _remembered(request, page)


def _times(
    request: HttpRequest,
    page: Page,
    *,
    start: datetime | None = None,
    notice: str = "",
    status: int = 200,
) -> HttpResponse:
    """Other open times with the same counselor, in the attendee's own zone."""
    if not page.part.can_change:
        return _show(request, page, status=status)
    service, counselor = page.appointment.service, page.appointment.counselor
    asked = duet_times.local(start, page.zone).date() if start else None
    shown = times.window(
        asked=asked or fields.a_date(request.GET.get("from", "")),
        zone=page.zone,
        horizon_days=service.horizon_days,
        now=page.now,
    )
    found = offers.open_times(
        service=service,
        counselor=counselor,
        from_on=shown.from_on,
        to_on=shown.to_on,
        zone=page.zone,
        now=page.now,
        moving=page.appointment.pk,
    )
    others = [one for one in found if one.start != page.appointment.starts_at]
    here = page.url("move")
    context = _context(page) | {
        "days": times.by_day(others, page.zone),
        "from_date": shown.from_on,
        "min_date": shown.first_on,
        "max_date": shown.last_on,
        "earlier_url": f"{here}?from={shown.earlier}" if shown.earlier else "",
        "later_url": f"{here}?from={shown.later}" if shown.later else "",
        "notice": notice,
    }
    return render(request, "duet/practice/attendance_move.html", context, status=status)


def _cancel(request: HttpRequest, page: Page) -> HttpResponse:
    if request.method != "POST":
        return _ask_to_cancel(request, page, forms.Cancel())
    form = forms.Cancel(request.POST)
    if not form.is_valid():
        return _ask_to_cancel(request, page, form, status=form.status)
    try:
        changed = booking.leave(
            attendance=page.attendance,
            reason=form.cleaned_data["reason"],
            by=page.by,
            now=page.now,
        )
    except cancellation.NotAllowed as refused:
        return _show(request, page, refusal=_too_late(page, refused), status=422)
    _say(request, _("Your appointment is cancelled."), changed)
    return _remembered(request, page)


def _ask_to_cancel(
    request: HttpRequest, page: Page, form: forms.Cancel, *, status: int = 200
) -> HttpResponse:
    if not page.part.can_change:
        return _show(request, page, status=status)
    context = _context(page) | {"form": form}
    return render(request, "duet/practice/attendance_cancel.html", context, status=status)


def _say(request: HttpRequest, sentence: str, changed: booking.Changed) -> None:
    if changed.on_its_way:
        sentence = f"{sentence} " + _(
            "A message with the earlier state may have left just before; please ignore it."
        )
    messages.success(request, sentence)


def _portal(request: HttpRequest, page: Page) -> HttpResponse:
    """Never opens the page itself: this link may be in anybody's hands."""
    limits.check(request, LINKS_BY_BROWSER)
    limits.check_key(LINKS_BY_ADDRESS, str(page.attendance.person_id))
    person = own.who_may_be_written_to().filter(pk=page.attendance.person_id)
    access.send_links(persons=queries.not_crowded(person, page.now), by=page.by, now=page.now)
    return redirect("practice:portal-sent")


def _calendar(request: HttpRequest, page: Page) -> HttpResponse:
    response = HttpResponse(
        letters.calendar_bytes(page.attendance, page.now),
        content_type="text/calendar; charset=utf-8",
    )
    response["Content-Disposition"] = 'attachment; filename="appointment.ics"'
    return response
