"""The desk: the day and the coming ones, one appointment, booking by hand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clients import doors
from clients.actions import audit, people
from clients.doors import MemberRequest
from clients.models import Case, Person
from clients.rules.actors import COUNSELOR, OWNER, Actor
from practice.actions import booking
from practice.actions.guard import SlotTaken
from practice.forms import desk as forms
from practice.forms import fields
from practice.forms.booking import COUPLE, YES
from practice.models import Appointment, Attendance, Counselor, Practice, Service
from practice.queries import diary, offers, pages
from practice.rules import cancellation, wall
from practice.templatetags import duet_times
from practice.views import times

DAYS = 8
_AGAIN = gettext_lazy("Please press the button once more.")
_read_or_send = require_http_methods(["GET", "HEAD", "POST"])


def _practice() -> Practice:
    """Refuses (404) a desk without a practice."""
    practice = pages.practice()
    if practice is None:
        raise Http404
    return practice


def _appointment(request: MemberRequest, pk: UUID) -> Appointment:
    """Refuses (404) what doesn't exist and what isn't theirs alike."""
    found = diary.appointment(request.actor, pk)
    if found is None:
        raise Http404
    return found


def may_ask_in_person(actor: Actor) -> bool:
    """Whether this member may say that a partner was asked in person: a clinician's word."""
    return bool(actor.roles & {COUNSELOR, OWNER})


# --- today ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One appointment in the list of a day."""

    appointment: Appointment
    attendances: tuple[Attendance, ...]

    @property
    def url(self) -> str:
        return reverse("practice:desk-appointment", args=[self.appointment.pk])

    @property
    def names(self) -> str:
        return " & ".join(one.person.name for one in self.attendances)

    @property
    def coming(self) -> list[Attendance]:
        return [one for one in self.attendances if one.state != Attendance.State.CANCELLED]

    @property
    def confirmed(self) -> int:
        return sum(one.state == Attendance.State.CONFIRMED for one in self.attendances)

    @property
    def left(self) -> int:
        return len(self.attendances) - len(self.coming)

    @property
    def shut(self) -> list[Attendance]:
        return [one for one in self.coming if one.gate != Attendance.Gate.OPEN]


def _rows(found: Iterable[Appointment]) -> list[Row]:
    return [Row(one, tuple(one.attendances.all())) for one in found]


@doors.desk
@require_safe
def today(request: MemberRequest) -> HttpResponse:
    """What needs somebody now, and the appointments of today and the coming seven days."""
    now = timezone.now()
    practice = _practice()
    all_counselors = diary.counselors(request.actor)
    chosen = _chosen(all_counselors, request.GET.get("counselor", ""))
    zone = chosen.zone if chosen else practice.zone
    first = duet_times.local(now, zone).date()
    edges = (
        wall.instant(wall.first_minute(first, 0, zone)),
        wall.instant(wall.first_minute(first + timedelta(days=DAYS), 0, zone)),
    )
    rows = _rows(diary.between(request.actor, *edges, chosen))
    context = {
        "practice": practice,
        "section": "today",
        "counselors": all_counselors if len(all_counselors) > 1 else [],
        "counselor": chosen,
        "shows_everybody": chosen is None,
        "zone": zone,
        "zone_label": duet_times.zone_words(zone),
        "days": _days(rows, first, zone),
        "now": now,
        "requests": _rows(diary.requests(request.actor, now, chosen)),
        "gates": diary.shut_gates(request.actor, now, chosen),
        "trouble": diary.trouble(request.actor, now, chosen),
    }
    return render(request, "duet/practice/desk.html", context)


def _chosen(counselors: list[Counselor], slug: str) -> Counselor | None:
    """The counselor filtered by; whoever keeps one diary only is always at that one."""
    if len(counselors) == 1:
        return counselors[0]
    return next((one for one in counselors if one.slug == slug), None)


def _days(rows: list[Row], first: date, zone: str) -> list[dict[str, object]]:
    days = [first + timedelta(days=number) for number in range(DAYS)]
    on: dict[date, list[Row]] = {day: [] for day in days}
    for row in rows:
        # What began before midnight belongs to the first day shown.
        start = duet_times.local(row.appointment.starts_at, zone).date()
        on[max(start, first)].append(row)
    return [{"date": day, "rows": on[day], "is_today": day == first} for day in days]


# --- one appointment -----------------------------------------------------------------------------


@doors.desk
@require_safe
def appointment(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Everything about one appointment. Looking is put on record, with the answers or without."""
    return _appointment_page(request, _appointment(request, pk), timezone.now())


def _appointment_page(
    request: MemberRequest,
    found: Appointment,
    now: datetime,
    *,
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    attendances = list(found.attendances.all())
    answers = diary.answers(found)
    with transaction.atomic():
        audit.record(
            verb="appointment.read",
            subject_kind="appointment",
            subject_id=found.pk,
            case_id=found.case_id,
            by=request.actor,
            now=now,
            detail={"answers": len(answers)},
        )
    contacts = diary.contacts(one.person for one in attendances)
    ledger = diary.messages_about(found)
    context = {
        "practice": _practice(),
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
        "may_ask": may_ask_in_person(request.actor),
        "takes_place": found.state in Appointment.TAKES_PLACE,
        "can_close": found.starts_at <= now
        and found.state not in (Appointment.State.CANCELLED, Appointment.State.REQUESTED),
        "again_url": f"{reverse('practice:desk-book')}?{urlencode({'case': str(found.case_id)})}",
        "refusal": refusal,
    }
    return render(request, "duet/practice/desk_appointment.html", context, status=status)


def _to(found: Appointment) -> HttpResponse:
    return redirect("practice:desk-appointment", pk=found.pk)


def _refused(
    request: MemberRequest, found: Appointment, sentence: str, now: datetime
) -> HttpResponse:
    """How the appointment stands by now, and why nothing was changed."""
    found = _appointment(request, found.pk)
    return _appointment_page(request, found, now, refusal=sentence, status=422)


def _not_allowed() -> str:
    return _("Its state doesn't allow this any more. Below is how it stands now.")


@doors.desk
@require_POST
def accept(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Accept a booking request."""
    now, found = timezone.now(), _appointment(request, pk)
    if not forms.Answered(request.POST).is_valid():
        return _refused(request, found, str(_AGAIN), now)
    try:
        booking.accept(appointment=found, by=request.actor, now=now)
    except cancellation.NotAllowed:
        return _refused(request, found, _not_allowed(), now)
    messages.success(request, _("The request is accepted, and those who asked are told."))
    return _to(found)


@doors.desk
@_read_or_send
def cancel(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Ask once more, then cancel the whole appointment or decline the request."""
    now, found = timezone.now(), _appointment(request, pk)
    if request.method != "POST":
        context = {
            "practice": _practice(),
            "row": Row(found, tuple(found.attendances.all())),
            "appointment": found,
            "zone": found.counselor.zone,
            "zone_label": duet_times.zone_words(found.counselor.zone),
        }
        return render(request, "duet/practice/desk_cancel.html", context)
    if not forms.Answered(request.POST).is_valid():
        return _refused(request, found, str(_AGAIN), now)
    try:
        changed = booking.cancel(appointment=found, by=request.actor, now=now)
    except cancellation.NotAllowed:
        return _refused(request, found, _not_allowed(), now)
    _say(request, _("The appointment is cancelled; everybody who knew of it is told."), changed)
    return _to(found)


def _say(request: MemberRequest, sentence: str, changed: booking.Changed) -> None:
    if changed.on_its_way:
        sentence = f"{sentence} " + _("A message with the earlier state may have left just before.")
    messages.success(request, sentence)


@doors.desk
@require_POST
def close(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Put down afterwards whether it took place."""
    now, found = timezone.now(), _appointment(request, pk)
    form = forms.Closed(request.POST)
    if not form.is_valid():
        return _refused(request, found, str(_AGAIN), now)
    came = form.cleaned_data["came"] == "yes"
    try:
        booking.close(appointment=found, came=came, by=request.actor, now=now)
    except cancellation.NotAllowed:
        return _refused(request, found, _not_allowed(), now)
    messages.success(request, _("Noted."))
    return _to(found)


@doors.desk
@require_POST
def open_gate(request: MemberRequest, pk: UUID) -> HttpResponse:
    """A clinician asked the partner in person: they are written to from now on."""
    now = timezone.now()
    attendance = diary.attendance(request.actor, pk)
    if attendance is None or not may_ask_in_person(request.actor):
        raise Http404
    found = _appointment(request, attendance.appointment_id)
    if not forms.Answered(request.POST).is_valid():
        return _refused(request, found, str(_AGAIN), now)
    try:
        booking.open_gate(attendance=attendance, by=request.actor, now=now)
    except booking.GateStaysShut as shut:
        return _refused(request, found, _stays_shut(shut.why), now)
    messages.success(request, _("From now on this person is written to."))
    return _to(found)


def _stays_shut(why: str) -> str:
    return {
        Attendance.Gate.SHARED_ADDRESS.value: _(
            "Both gave the same address: each would read the other's messages. Hand over the link "
            "in person, or ask for another address."
        ),
        Attendance.Gate.NO_CONTACT.value: _("There is no e-mail address to write to."),
    }.get(why, _("This person still can't be written to."))


# --- move ----------------------------------------------------------------------------------------


@doors.desk
@_read_or_send
def move(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Another time with the same counselor: an open one, or any one with a reason."""
    now, found = timezone.now(), _appointment(request, pk)
    zone = found.counselor.zone
    if request.method != "POST":
        return _move_page(request, found, forms.ByHand(zone=zone), now)
    if "start" in request.POST:
        listed = forms.ListedTime(request.POST)
        start = listed.cleaned_data["start"] if listed.is_valid() else None
        by_hand = forms.ByHand(zone=zone)
        beside = None
    else:
        by_hand = forms.ByHand(request.POST, zone=zone)
        start = by_hand.cleaned_data["start"] if by_hand.is_valid() else None
        beside = _beside(by_hand) if start else None
    if start is None or start <= now:
        notice = "" if start is None else _("Please choose a time that is still ahead.")
        return _move_page(request, found, by_hand, now, notice=notice, status=422)
    try:
        changed = booking.move(
            appointment=found, start=start, beside=beside, by=request.actor, now=now
        )
    except SlotTaken:
        conflicts = _conflicts(request, found.service, found.counselor, start, but=found)
        return _move_page(
            request, found, by_hand, now, notice=_taken(), conflicts=conflicts, status=409
        )
    except booking.NotOffered:
        return _move_page(request, found, by_hand, now, notice=_not_offered(), status=422)
    except cancellation.NotAllowed:
        return _refused(request, found, _not_allowed(), now)
    _say(request, _("The time is changed; everybody who knew of it is told."), changed)
    return _to(found)


def _beside(form: forms.ByHand) -> booking.ByHand | None:
    reason = form.cleaned_data.get("reason")
    return booking.ByHand(reason, bool(form.cleaned_data.get("overbook"))) if reason else None


def _taken() -> str:
    return _("Something else lies at that time.")


def _not_offered() -> str:
    return _("That isn't one of the offered times. To book it all the same, say why.")


def _conflicts(
    request: MemberRequest,
    service: Service,
    counselor: Counselor,
    start: datetime,
    but: Appointment | None = None,
) -> list[Row]:
    low = start - timedelta(minutes=service.buffer_before)
    high = start + timedelta(minutes=service.minutes + service.buffer_after)
    found = diary.overlapping(request.actor, counselor, low, high)
    return _rows(one for one in found if but is None or one.pk != but.pk)


def _move_page(
    request: MemberRequest,
    found: Appointment,
    form: forms.ByHand,
    now: datetime,
    *,
    notice: str = "",
    conflicts: list[Row] | None = None,
    status: int = 200,
) -> HttpResponse:
    zone = found.counselor.zone
    here = reverse("practice:desk-move", args=[found.pk])
    context = {
        "practice": _practice(),
        "appointment": found,
        "row": Row(found, tuple(found.attendances.all())),
        "form": form,
        "notice": notice,
        "conflicts": conflicts,
        "may_overbook": status == 409 or form.data.get("overbook"),
    } | _open_times(
        request,
        found.service,
        found.counselor,
        now,
        here=here,
        kept={},
        moving=found.pk,
    )
    context |= {"zone": zone, "zone_label": duet_times.zone_words(zone)}
    return render(request, "duet/practice/desk_move.html", context, status=status)


def _open_times(
    request: MemberRequest,
    service: Service,
    counselor: Counselor,
    now: datetime,
    *,
    here: str,
    kept: dict[str, str],
    moving: UUID | None = None,
) -> dict[str, object]:
    """The counselor's open times of seven days, on the counselor's own clock."""
    zone = counselor.zone
    shown = times.window(
        asked=fields.a_date(request.GET.get("from", "")),
        zone=zone,
        horizon_days=service.horizon_days,
        now=now,
    )
    found = offers.open_times(
        service=service,
        counselor=counselor,
        from_on=shown.from_on,
        to_on=shown.to_on,
        zone=zone,
        now=now,
        moving=moving,
    )

    def page(on: date | None) -> str:
        return f"{here}?{urlencode(kept | {'from': on.isoformat()})}" if on else ""

    return {
        "days": times.by_day(found, zone),
        "from_date": shown.from_on,
        "min_date": shown.first_on,
        "max_date": shown.last_on,
        "earlier_url": page(shown.earlier),
        "later_url": page(shown.later),
        "jump_fields": list(kept.items()),
    }


# --- book by hand --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hand:
    """What a booking by hand is about: whose time, for which service, for whom."""

    practice: Practice
    service: Service
    counselor: Counselor
    case: Case | None
    persons: tuple[Person, ...]

    @property
    def kept(self) -> dict[str, str]:
        """What the page's links and forms keep in the address."""
        kept = {"service": self.service.slug, "counselor": self.counselor.slug}
        return kept | ({"case": str(self.case.pk)} if self.case else {})


@doors.desk
@_read_or_send
def book(request: MemberRequest) -> HttpResponse:
    """Book for somebody: at an open time, at another one with a reason, or over one knowingly."""
    now = timezone.now()
    hand = _hand(request, request.POST if request.method == "POST" else request.GET)
    if hand is None:
        return _choose(request, status=422 if request.method == "POST" else 200)
    if request.method != "POST":
        return _book_page(request, hand, _hand_form(request, hand, None), now)
    form = _hand_form(request, hand, request.POST)
    if not form.is_valid():
        return _book_page(request, hand, form, now, status=422)
    start = form.cleaned_data["start"]
    if start <= now:
        form.add_error("date", _("Please choose a time that is still ahead."))
        return _book_page(request, hand, form, now, status=422)
    try:
        booked = booking.book_by_hand(
            service=hand.service,
            counselor=hand.counselor,
            start=start,
            request=_request(form) if isinstance(form, forms.NewClients) else None,
            case=hand.case,
            beside=_beside(form),
            by=request.actor,
            now=now,
        )
    except SlotTaken:
        conflicts = _conflicts(request, hand.service, hand.counselor, start)
        return _book_page(
            request, hand, form, now, notice=_taken(), conflicts=conflicts, status=409
        )
    except booking.NotOffered:
        return _book_page(request, hand, form, now, notice=_not_offered(), status=422)
    messages.success(request, _("Booked. What is sent, and when, is listed below."))
    return _to(booked.appointment)


def _hand(request: MemberRequest, sent: Any) -> Hand | None:
    """What is to be booked, out of an address or a form; None while it isn't settled.

    Refuses (404) a case that isn't theirs to see.
    """
    where = forms.Where({name: sent.get(name, "") for name in ("service", "counselor", "case")})
    where.is_valid()
    case_id = where.cleaned_data.get("case")
    case = diary.case(request.actor, case_id) if case_id else None
    if sent.get("case") and case is None:
        raise Http404
    mine = {one.pk for one in diary.counselors(request.actor)}
    chosen = next(
        (
            offer
            for offer in diary.offered()
            if offer.service.slug == where.cleaned_data.get("service")
            and offer.counselor.slug == where.cleaned_data.get("counselor")
            and offer.counselor_id in mine
        ),
        None,
    )
    if chosen is None:
        return None
    persons = tuple(booking.persons_of(case)) if case else ()
    return Hand(_practice(), chosen.service, chosen.counselor, case, persons)


def _choose(request: MemberRequest, *, status: int) -> HttpResponse:
    """First of all: which service, in whose diary."""
    mine = {one.pk for one in diary.counselors(request.actor)}
    offered = [offer for offer in diary.offered() if offer.counselor_id in mine]
    sent = request.POST if request.method == "POST" else request.GET
    context = {
        "practice": _practice(),
        "section": "book",
        "services": list({offer.service_id: offer.service for offer in offered}.values()),
        "counselors": list({offer.counselor_id: offer.counselor for offer in offered}.values()),
        "service_slug": sent.get("service", ""),
        "counselor_slug": sent.get("counselor", ""),
        "case": sent.get("case", ""),
        "unknown": bool(sent.get("service") and sent.get("counselor")),
    }
    return render(request, "duet/practice/desk_book_choose.html", context, status=status)


def _hand_form(request: MemberRequest, hand: Hand, data: Any) -> forms.ByHand:
    zone = hand.counselor.zone
    initial = _chosen_time(request.GET.get("start", ""), zone)
    if hand.case:
        return forms.KnownClients(data, zone=zone, initial=initial)
    return forms.NewClients(
        data,
        zone=zone,
        of=hand.service,
        may_ask=may_ask_in_person(request.actor),
        region=hand.practice.region,
        zones=list(duet_times.zone_choices()),
        initial=initial
        | {
            "language": hand.practice.language,
            "tz": hand.practice.zone,
            "who": COUPLE if hand.service.attendees == COUPLE else "",
        },
    )


def _chosen_time(text: str, zone: str) -> dict[str, Any]:
    """The day and the time of an open one that was pressed."""
    try:
        start = duet_times.local(fields.instant(text), zone)
    except ValueError:
        return {}
    return {"date": start.date(), "time": start.strftime("%H:%M")}


def _request(form: forms.NewClients) -> booking.Request:
    data = form.cleaned_data
    booker = people.NewPerson(
        data["name"], data["email"] or None, data["phone"] or None, data["language"], data["tz"]
    )
    partner = None
    if data.get("who") == COUPLE:
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
        partner_asked_in_person=bool(data.get("asked_in_person")),
    )


def _book_page(
    request: MemberRequest,
    hand: Hand,
    form: forms.ByHand,
    now: datetime,
    *,
    notice: str = "",
    conflicts: list[Row] | None = None,
    status: int = 200,
) -> HttpResponse:
    here = reverse("practice:desk-book")
    context = {
        "practice": hand.practice,
        "section": "book",
        "service": hand.service,
        "counselor": hand.counselor,
        "case": hand.case,
        "persons": hand.persons,
        "kept": list(hand.kept.items()),
        "change_url": f"{here}?{urlencode({'case': str(hand.case.pk)})}" if hand.case else here,
        "form": form,
        "is_new": isinstance(form, forms.NewClients),
        "notice": notice,
        "conflicts": conflicts,
        "may_overbook": status == 409 or form.data.get("overbook"),
        "zone": hand.counselor.zone,
        "zone_label": duet_times.zone_words(hand.counselor.zone),
    } | _open_times(request, hand.service, hand.counselor, now, here=here, kept=hand.kept)
    return render(request, "duet/practice/desk_book.html", context, status=status)
