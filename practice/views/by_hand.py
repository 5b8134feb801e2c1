"""Book and move by hand: at an open time, beside the hours with a reason, or over one knowingly."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from clients import doors
from clients.doors import MemberRequest
from clients.forms import fields
from clients.models import Case, Person
from clients.queries import care, people
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted, Right, can, can_say_asked
from practice.actions import booking, reads
from practice.actions.guard import SlotTaken
from practice.forms import desk as forms
from practice.forms.booking import COUPLE
from practice.models import Appointment, Counselor, Practice, Service
from practice.queries import diary, offers
from practice.rules import cancellation
from practice.templatetags import duet_times
from practice.views import persons, times
from practice.views.appointment import not_allowed, refused, say, to_page
from practice.views.desk import Row, allowed, find, glass_of, rows_of, the_practice

_read_or_send = require_http_methods(["GET", "HEAD", "POST"])


# --- move ----------------------------------------------------------------------------------------


@doors.desk
@doors.about("appointment")
@_read_or_send
def move(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Another time with the same counselor: an open one, or any one with a reason."""
    now, found = timezone.now(), find(request, pk)
    if not allowed(request.actor, found).keep:
        raise NotPermitted
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
        notice = _("Please choose a time that is still ahead.")
        if start is None:
            # What is wrong with a time that was written stands beside its fields.
            notice = "" if by_hand.is_bound else _("Please choose a time from the list again.")
        return _move_page(request, found, by_hand, now, notice=notice, status=422)
    try:
        changed = booking.move(
            appointment=found, start=start, beside=beside, by=request.actor, now=now
        )
    except SlotTaken:
        conflicts = _conflicts(request, found.service, found.counselor, start, now, but=found)
        return _move_page(
            request, found, by_hand, now, notice=_taken(), conflicts=conflicts, status=409
        )
    except booking.NotOffered:
        return _move_page(request, found, by_hand, now, notice=_not_offered(), status=422)
    except cancellation.NotAllowed:
        return refused(request, found, not_allowed(), now)
    say(request, _("The time is changed; everybody who knew of it is told."), changed)
    return to_page(found)


def _beside(form: forms.ByHand) -> booking.ByHand | None:
    reason = form.cleaned_data.get("reason")
    return booking.ByHand(reason, bool(form.cleaned_data.get("overbook"))) if reason else None


def _taken() -> str:
    return _("Something else lies at that time.")


def _not_offered() -> str:
    return _("That isn't one of the offered times. To book it all the same, say why.")


def _closed() -> str:
    return _("This case is closed. Its counselor or an admin reopens it before anything is booked.")


@dataclass(frozen=True, slots=True)
class Conflicts:
    """What lies in the way: the rows that this member sees, and times that are only busy."""

    rows: list[Row]
    busy: list[tuple[datetime, datetime]]


def _conflicts(
    request: MemberRequest,
    service: Service,
    counselor: Counselor,
    start: datetime,
    now: datetime,
    but: Appointment | None = None,
) -> Conflicts:
    low = start - timedelta(minutes=service.buffer_before)
    high = start + timedelta(minutes=service.minutes + service.buffer_after)
    found = diary.overlapping(request.actor, counselor, low, high)
    known = {one.pk for one in found} | ({but.pk} if but else set())
    rows = rows_of(one for one in found if but is None or one.pk != but.pk)
    shown = [part for row in rows for part in row.attendances]
    reads.in_list(attendances=shown, by=request.actor, now=timezone.now())
    busy = diary.busy(counselor, low, high, known, now)
    return Conflicts(rows, [(one.lower, one.upper) for one in busy])


def _move_page(
    request: MemberRequest,
    found: Appointment,
    form: forms.ByHand,
    now: datetime,
    *,
    notice: str = "",
    conflicts: Conflicts | None = None,
    status: int = 200,
) -> HttpResponse:
    zone = found.counselor.zone
    reads.on_page(appointment=found, by=request.actor, now=now)
    here = reverse("practice:desk-move", args=[found.pk])
    context = {
        "practice": the_practice(),
        "appointment": found,
        "row": Row(found, tuple(found.attendances.all())),
        "glass": glass_of(request.actor, found.case_id, now),
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
    known: tuple[Person, ...]

    @property
    def kept(self) -> dict[str, str]:
        """What the page's links and forms keep in the address."""
        kept = {"service": self.service.slug, "counselor": self.counselor.slug}
        return kept | ({"case": str(self.case.pk)} if self.case else {})


@doors.desk
@doors.about("appointment")
@_read_or_send
def book(request: MemberRequest) -> HttpResponse:
    """Book for somebody: at an open time, at another one with a reason, or over one knowingly."""
    now = timezone.now()
    hand = _hand(request, request.POST if request.method == "POST" else request.GET)
    if hand is None:
        return _choose(request, status=422 if request.method == "POST" else 200)
    if request.method != "POST":
        notice = _closed() if hand.case and hand.case.state == Case.State.CLOSED else ""
        return _book_page(request, hand, _hand_form(request, hand, None), now, notice=notice)
    form = _hand_form(request, hand, request.POST)
    if not form.is_valid():
        return _book_page(request, hand, form, now, status=form.status)
    start = form.cleaned_data["start"]
    if start <= now:
        form.add_error("date", _("Please choose a time that is still ahead."))
        return _book_page(request, hand, form, now, status=422)
    try:
        booked = booking.book_by_hand(
            service=hand.service,
            counselor=hand.counselor,
            start=start,
            request=persons.wanted(form.cleaned_data)
            if isinstance(form, forms.NewClients)
            else None,
            case=hand.case,
            comes=form.comes() if isinstance(form, forms.KnownClients) else (),
            beside=_beside(form),
            by=request.actor,
            now=now,
        )
    except SlotTaken:
        conflicts = _conflicts(request, hand.service, hand.counselor, start, now)
        return _book_page(
            request, hand, form, now, notice=_taken(), conflicts=conflicts, status=409
        )
    except booking.NotOffered:
        return _book_page(request, hand, form, now, notice=_not_offered(), status=422)
    except booking.CaseClosed:
        return _book_page(request, hand, form, now, notice=_closed(), status=422)
    except booking.NobodyLeft:
        return _book_page(request, hand, form, now, notice=_nobody_left(), status=422)
    messages.success(request, _("Booked. What is sent, and when, is listed below."))
    return to_page(booked.appointment)


def _nobody_left() -> str:
    return _("Nobody is part of this case any more. Book for a new client instead.")


def _hand(request: MemberRequest, sent: Any) -> Hand | None:
    """What is to be booked, out of an address or a form; None while it isn't settled.

    Refuses (404) a case that isn't theirs to see, (NotPermitted) one that they don't book for.
    """
    where = forms.Where({name: sent.get(name, "") for name in ("service", "counselor", "case")})
    where.is_valid()
    case_id = where.cleaned_data.get("case")
    case = diary.case(request.actor, case_id) if case_id else None
    if sent.get("case") and case is None:
        raise Http404
    mine = {one.pk for one in _kept(request.actor)}
    if case and not may_book_for(request.actor, case):
        raise NotPermitted
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
    known = tuple(people.persons_of(case)) if case else ()
    return Hand(the_practice(), chosen.service, chosen.counselor, case, known)


def _kept(actor: Actor) -> list[Counselor]:
    """In whose diary there is to book. Refuses (NotPermitted) who books in none."""
    if not diary.books(actor):
        raise NotPermitted
    return diary.kept_counselors(actor)


def may_book_for(actor: Actor, case: Case) -> bool:
    """Whether this member books for those of a case that they see; not through the glass alone."""
    may = can(actor, Right.KEEP_DIARY) or care.counsels(actor, case)
    return may and not care.only_by_glass(actor, case)


def _choose(request: MemberRequest, *, status: int) -> HttpResponse:
    """First of all: which service, in whose diary."""
    mine = {one.pk for one in _kept(request.actor)}
    offered = [offer for offer in diary.offered() if offer.counselor_id in mine]
    sent = request.POST if request.method == "POST" else request.GET
    context = {
        "practice": the_practice(),
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
        return forms.KnownClients(
            data, zone=zone, of=hand.service, known=hand.known, initial=initial
        )
    return forms.NewClients(
        data,
        zone=zone,
        of=hand.service,
        may_ask=can_say_asked(request.actor, hand.counselor.member_id),
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


def _book_page(
    request: MemberRequest,
    hand: Hand,
    form: forms.ByHand,
    now: datetime,
    *,
    notice: str = "",
    conflicts: Conflicts | None = None,
    status: int = 200,
) -> HttpResponse:
    here = reverse("practice:desk-book")
    reads.to_book(case=hand.case, persons=hand.known, by=request.actor, now=now)
    context = {
        "practice": hand.practice,
        "section": "book",
        "service": hand.service,
        "counselor": hand.counselor,
        "case": hand.case,
        "glass": glass_of(request.actor, hand.case.pk, now) if hand.case else None,
        "persons": hand.known,
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
