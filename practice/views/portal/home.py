"""What is a person's own: appointments, consents, what they wrote, who looked."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from clients import doors
from clients.doors import PersonRequest
from practice.forms import portal as forms
from practice.models import Attendance
from practice.queries import pages, portal
from practice.templatetags import duet_services, duet_times
from practice.views import visit
from practice.views.portal import frame


@doors.portal
@doors.about("attendance")
@require_safe
def mine(request: PersonRequest) -> HttpResponse:
    """The first page: whose it is, what waits, own appointments, and the ways on."""
    now, person = timezone.now(), request.portal.person
    practice = pages.practice()
    if practice is None:
        raise Http404
    parts = [pages.OwnPart(row, practice, now) for row in portal.appointments(person, now)]
    context = {
        "appointments": [_shown(part) for part in parts],
        "waiting": portal.waiting(person, now),
    }
    return frame.page(request, "mine", context)


def _shown(part: pages.OwnPart) -> dict[str, object]:
    """One's own time, place and state; what the other one does changes none of it."""
    attendance = part.attendance
    appointment, zone = attendance.appointment, attendance.person.zone
    return {
        "id": attendance.pk,
        "when": duet_times.long_in(attendance.starts_at, zone),
        "when_iso": duet_times.local(attendance.starts_at, zone).isoformat(),
        "zone": duet_times.zone_words(zone),
        "length": duet_services.minutes_words(appointment.service),
        "place": duet_services.place(appointment),
        "state": part.state,
    }


@doors.portal
@doors.about("attendance")
@require_POST
def appointment(request: PersonRequest, pk: UUID) -> HttpResponse:
    """On to the page of an own appointment. Refuses (404) any other, as one that isn't there."""
    now = timezone.now()
    found = pages.own(request.portal.person_id, pk, now)
    shut = found is None or found.gate != Attendance.Gate.OPEN
    if found is None or shut or not forms.Button(request.POST).is_valid():
        raise Http404
    visit.keep_own(request.session, found, now, portal=request.portal)
    return redirect("practice:attendance-mine")


@doors.portal
@doors.about("consent_given")
@require_safe
def consents(request: PersonRequest) -> HttpResponse:
    """What a person agreed to, word for word."""
    return frame.page(request, "consents", {"consents": portal.consents(request.portal.person_id)})


@doors.portal_proved
@doors.about("answer")
@require_safe
def answers(request: PersonRequest) -> HttpResponse:
    """What a person wrote themselves: before a session, and in forms that they have sent."""
    language = request.portal.person.language
    context = {
        "answers": portal.answers(request.actor),
        "written": portal.written(request.actor, language),
    }
    return frame.page(request, "answers", context)


@doors.portal_proved
@doors.about("audit_entry")
@require_safe
def looks(request: PersonRequest) -> HttpResponse:
    """Who of the practice looked at this person's record."""
    return frame.page(request, "looks", {"looks": portal.looks(request.portal.person)})
