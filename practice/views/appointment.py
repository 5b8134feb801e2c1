"""One appointment at the desk: all that is known of it, and what can become of it."""

from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clients import doors
from clients.doors import MemberRequest
from clients.queries import people
from clients.rules.permissions import NotPermitted
from intake.models.safety import is_in_safe_mode
from intake.queries import giving
from practice.actions import booking, reads
from practice.forms import desk as forms
from practice.models import Appointment, Attendance
from practice.queries import diary
from practice.rules import cancellation
from practice.templatetags import duet_times
from practice.views.desk import Row, allowed, find, glass_of, the_practice

_AGAIN = gettext_lazy("Please press the button once more.")


@doors.desk
@doors.about("appointment")
@require_safe
def appointment(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Everything about one appointment. Looking is put on record, with the answers or without."""
    return _appointment_page(request, find(request, pk), timezone.now())


def _appointment_page(
    request: MemberRequest,
    found: Appointment,
    now: datetime,
    *,
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    attendances = list(found.attendances.all())
    answers = diary.answers(request.actor, found)
    reads.on_page(appointment=found, answers=answers, by=request.actor, now=now)
    contacts = diary.contacts(one.person for one in attendances)
    ledger = diary.messages_about(found)
    may = allowed(request.actor, found)
    context = {
        "practice": the_practice(),
        "appointment": found,
        "row": Row(found, tuple(attendances)),
        "zone": found.counselor.zone,
        "zone_label": duet_times.zone_words(found.counselor.zone),
        "attendees": [
            {
                "attendance": one,
                "contact": contacts.get(one.person_id),
                "messages": [row for row in ledger if row.subject_id == one.pk],
                "answers": [answer for answer in answers if answer.attendance_id == one.pk],
            }
            for one in attendances
        ],
        "consents": diary.consents(found),
        "history": diary.history(found),
        "may": may,
        "flagged": may.ask and _is_shut(attendances) and is_in_safe_mode(found.case),
        "checks_in": may.ask and _waits_for_checks(attendances) and _checks_are_in(found),
        "glass": glass_of(request.actor, found.case_id, now),
        "takes_place": found.state in Appointment.TAKES_PLACE and found.ends_at > now,
        "can_close": found.starts_at <= now
        and found.state not in (Appointment.State.CANCELLED, Appointment.State.REQUESTED),
        "again_url": f"{reverse('practice:desk-book')}?{urlencode({'case': str(found.case_id)})}",
        "refusal": refusal,
    }
    return render(request, "duet/practice/desk_appointment.html", context, status=status)


def _is_shut(attendances: list[Attendance]) -> bool:
    return any(one.gate != Attendance.Gate.OPEN for one in attendances)


def _waits_for_checks(attendances: list[Attendance]) -> bool:
    return any(one.gate == Attendance.Gate.PRIVATE_CHECK for one in attendances)


def _checks_are_in(found: Appointment) -> bool:
    """For who counsels the case alone: whether both have sent their private check."""
    if found.case is None:
        return False
    return giving.checked(found.case.pk, [one.pk for one in people.persons_of(found.case)])


def to_page(found: Appointment) -> HttpResponse:
    return redirect("practice:desk-appointment", pk=found.pk)


def refused(
    request: MemberRequest, found: Appointment, sentence: str, now: datetime, status: int = 422
) -> HttpResponse:
    """How the appointment stands by now, and why nothing was changed."""
    found = find(request, found.pk)
    return _appointment_page(request, found, now, refusal=sentence, status=status)


def not_allowed() -> str:
    return _("Its state doesn't allow this any more. Below is how it stands now.")


@doors.desk
@doors.about("appointment")
@require_POST
def accept(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Accept a booking request."""
    now, found = timezone.now(), find(request, pk)
    if not forms.Answered(request.POST).is_valid():
        return refused(request, found, str(_AGAIN), now)
    try:
        booking.accept(appointment=found, by=request.actor, now=now)
    except cancellation.NotAllowed:
        return refused(request, found, not_allowed(), now)
    messages.success(request, _("The request is accepted, and those who asked are told."))
    return to_page(found)


@doors.desk
@doors.about("appointment")
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Ask once more, then cancel the whole appointment or decline the request."""
    now, found = timezone.now(), find(request, pk)
    may = allowed(request.actor, found)
    if not (may.answer if found.state == Appointment.State.REQUESTED else may.keep):
        raise NotPermitted
    if request.method != "POST":
        reads.on_page(appointment=found, by=request.actor, now=now)
        context = {
            "practice": the_practice(),
            "row": Row(found, tuple(found.attendances.all())),
            "appointment": found,
            "glass": glass_of(request.actor, found.case_id, now),
            "zone": found.counselor.zone,
            "zone_label": duet_times.zone_words(found.counselor.zone),
        }
        return render(request, "duet/practice/desk_cancel.html", context)
    if not forms.Answered(request.POST).is_valid():
        return refused(request, found, str(_AGAIN), now)
    try:
        changed = booking.cancel(appointment=found, by=request.actor, now=now)
    except cancellation.NotAllowed:
        return refused(request, found, not_allowed(), now)
    say(request, _("The appointment is cancelled; everybody who knew of it is told."), changed)
    return to_page(found)


def say(request: MemberRequest, sentence: str, changed: booking.Changed) -> None:
    """Tell on the next page what was done, and of a message that may have left just before."""
    if changed.on_its_way:
        sentence = f"{sentence} " + _("A message with the earlier state may have left just before.")
    messages.success(request, sentence)


@doors.desk
@doors.about("appointment")
@require_POST
def close(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Put down afterwards whether it took place."""
    now, found = timezone.now(), find(request, pk)
    form = forms.Closed(request.POST)
    if not form.is_valid():
        return refused(request, found, str(_AGAIN), now)
    came = form.cleaned_data["came"] == "yes"
    try:
        booking.close(appointment=found, came=came, by=request.actor, now=now)
    except cancellation.NotAllowed:
        return refused(request, found, not_allowed(), now)
    messages.success(request, _("Noted."))
    return to_page(found)


@doors.desk
@doors.about("attendance")
@require_POST
def open_gate(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Who counsels the case lets the partner be invited: they are written to from now on.

    Everybody else gets one answer, whatever is in the way.
    """
    now = timezone.now()
    attendance = diary.attendance(request.actor, pk)
    if attendance is None:
        raise Http404
    found = find(request, attendance.appointment_id)
    form = forms.Invited(request.POST)
    if not form.is_valid():
        return refused(request, found, str(_AGAIN), now)
    asked = form.cleaned_data["asked"] == "yes"
    try:
        booking.open_gate(attendance=attendance, asked_in_person=asked, by=request.actor, now=now)
    except booking.CounselorDecides:
        sentence = _("The counselor of this case decides on this.")
        return refused(request, found, sentence, now, status=403)
    except booking.GateStaysShut as shut:
        return refused(request, found, _stays_shut(shut.why), now)
    messages.success(request, _("From now on this person is written to."))
    return to_page(found)


def _stays_shut(why: str) -> str:
    return {
        Attendance.Gate.SHARED_ADDRESS.value: _(
            "Both gave the same address: each would read the other's messages. Hand over the link "
            "in person, or ask for another address."
        ),
        Attendance.Gate.NO_CONTACT.value: _("There is no e-mail address to write to."),
        Attendance.Gate.PRIVATE_CHECK.value: _(
            "Not both of them have sent their private check. Speak with each of them alone first."
        ),
        booking.FLAG: _(
            "A safety flag is open in this case. Nobody is invited until it is closed with a note."
        ),
    }.get(why, _("This person still can't be written to."))
