"""Hold, book, move, cancel: every change of an appointment, and nothing else."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID, uuid4

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Min, Model

from clients.actions import audit, messages, notices, people, rows
from clients.models import AuditEntry, Case, Person
from clients.queries import care
from clients.queries import people as find
from clients.rules import contact, permissions
from clients.rules.access import token_hash
from clients.rules.actors import Actor
from clients.rules.audience import Audience
from intake.actions import reviewing
from intake.models import Flag
from intake.models.safety import is_in_safe_mode
from intake.queries import giving, safety
from practice.actions import forms, guard, planning
from practice.actions.guard import SlotTaken
from practice.models import (
    Answer,
    Appointment,
    Attendance,
    BookedOnce,
    Consent,
    ConsentGiven,
    Counselor,
    Question,
    Service,
)
from practice.queries import offers, terms
from practice.queries.terms import Terms
from practice.rules import cancellation, gate, wall

# What holds a gate and is no gate's state: nobody but who counsels the case is told of it.
FLAG: Final = "flag"

Taken = TypeVar("Taken")


class NotOffered(Exception):
    """This start isn't one that the practice offers for this service now."""


class HoldGone(Exception):
    """The hold has ended, or there was none under this token."""


class PartnerNotExpected(Exception):
    """The service is for one person."""


class CaseClosed(Exception):
    """The case is closed: it is reopened before anything is booked for it."""


class NobodyLeft(Exception):
    """Nobody of the case who is asked for is part of it any more."""


class CounselorDecides(permissions.NotPermitted):
    """Only who counsels the case lets its partners be invited; everybody else is told just that."""


class GateStaysShut(Exception):
    """The partner still can't be written to; `why` is the gate that holds it, or `flag`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Held:
    """A hold and the token that it belongs to."""

    appointment: Appointment
    token: str


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody fills in to book; all texts are cleaned already."""

    booker: people.NewPerson
    partner: people.NewPerson | None = None
    partner_safe_to_invite: bool = False
    partner_asked_in_person: bool = False
    answers: Mapping[Question, str] = field(default_factory=dict)
    consents: Sequence[Consent] = ()
    from_article: str = ""


@dataclass(frozen=True, slots=True)
class Booked:
    """The appointment and its attendances, the booker's first."""

    appointment: Appointment
    attendances: tuple[Attendance, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """What a move or cancellation came to; `on_its_way`: an older message may just be leaving."""

    appointment: Appointment
    on_its_way: bool


def _new_token() -> str:
    return secrets.token_urlsafe(16)


def hold(
    *,
    service: Service,
    counselor: Counselor | None,
    start: datetime,
    by: Actor,
    now: datetime,
) -> Held:
    """Keep a time for the one who fills in the form; without a counselor, of the fairest one.

    Refuses (NotOffered) a start that the practice doesn't offer, (SlotTaken) one that is gone.
    """
    practice = offers.the_practice()
    until = now + timedelta(minutes=practice.hold_minutes)
    return _with_the_fairest(
        service=service,
        counselor=counselor,
        start=start,
        zone=practice.zone,
        now=now,
        who=_counselor,
        take=lambda one, offered: _hold_with(service, one, offered, start, until, by, now),
    )


def _counselor(pk: UUID) -> Counselor:
    return Counselor.objects.select_related("member").get(pk=pk)


def _with_the_fairest(
    *,
    service: Service,
    counselor: Counselor | None,
    start: datetime,
    zone: str,
    now: datetime,
    who: Callable[[UUID], Counselor],
    take: Callable[[Counselor, offers.Offered], Taken],
) -> Taken:
    """Take a start with the first of those who offer it whose time is still free."""
    found = _offered(service, counselor, start, now)
    for offered in offers.fairest(offered=found, start=start, zone=zone):
        one = counselor or who(offered.counselor)
        try:
            # A transaction for each try: its locks are gone before the next counselor's.
            with transaction.atomic():
                return take(one, offered)
        except SlotTaken:
            continue
    raise SlotTaken


def _offered(
    service: Service,
    counselor: Counselor | None,
    start: datetime,
    now: datetime,
    moving: UUID | None = None,
) -> tuple[offers.Offered, ...]:
    """Who offers this start. Refuses (SlotTaken) one that somebody has, (NotOffered) any other."""
    found = offers.offers_at(
        service=service, counselor=counselor, start=start, now=now, moving=moving
    )
    if found:
        return found
    if offers.would_be_offered(service=service, counselor=counselor, start=start, now=now):
        raise SlotTaken
    raise NotOffered


def _period(service: Service, start: datetime) -> DateTimeTZRange:
    return DateTimeTZRange(start, start + timedelta(minutes=service.minutes))


def _blocked(service: Service, start: datetime) -> DateTimeTZRange:
    return DateTimeTZRange(
        start - timedelta(minutes=service.buffer_before),
        start + timedelta(minutes=service.minutes + service.buffer_after),
    )


def _agreed(start: datetime, zone: str) -> str:
    return wall.wall(wall.minute_floor(start), zone).strftime("%Y-%m-%dT%H:%M")


def _new_appointment(
    *, service: Service, counselor: Counselor, start: datetime, state: str, now: datetime
) -> Appointment:
    in_room = service.place == Service.Place.ADDRESS
    return Appointment(
        counselor=counselor,
        service=service,
        room_id=counselor.room_id if in_room else None,
        state=state,
        period=_period(service, start),
        blocked=_blocked(service, start),
        agreed_zone=counselor.zone,
        agreed_wall=_agreed(start, counselor.zone),
        created_at=now,
        settled_at=now,
    )


def _hold_with(
    service: Service,
    counselor: Counselor,
    offered: offers.Offered,
    start: datetime,
    until: datetime,
    by: Actor,
    now: datetime,
) -> Held:
    token = _new_token()
    appointment = _new_appointment(
        service=service,
        counselor=counselor,
        start=start,
        state=Appointment.State.HELD,
        now=now,
    )
    appointment.offered_under = offered.hours_version
    appointment.held_until = until
    appointment.hold_hash = token_hash(token)
    guard.take(appointment=appointment, now=now)
    _record("appointment.held", appointment, by, now)
    return Held(appointment, token)


@transaction.atomic
def release(*, token: str, by: Actor, now: datetime) -> bool:
    """Let a hold go; False when there is none any more, which is no fault."""
    held = (
        Appointment.objects.select_for_update(of=("self",))
        .filter(state=Appointment.State.HELD, hold_hash=token_hash(token))
        .first()
    )
    if held is None:
        return False
    _record("appointment.released", held, by, now)
    held.delete()
    return True


@transaction.atomic
def expire_holds(*, by: Actor, now: datetime) -> int:
    """Remove holds whose time is up; those that somebody is booking right now are left alone."""
    expired = list(
        Appointment.objects.select_for_update(skip_locked=True)
        .filter(state=Appointment.State.HELD, held_until__lte=now)
        .order_by("pk")
        .values_list("pk", flat=True)[:500]
    )
    if not expired:
        return 0
    count, _ = Appointment.objects.filter(pk__in=expired).delete()
    audit.record(
        verb="appointment.holds_expired",
        subject_kind="appointment",
        subject_id=None,
        by=by,
        now=now,
        detail={"count": count},
    )
    return count


@transaction.atomic
def book(
    *, token: str, request: Request, once: BookedOnce | None = None, by: Actor, now: datetime
) -> Booked:
    """Turn the hold under `token` into an appointment with its attendees.

    Always makes new persons: nobody becomes somebody known by typing their address. With `once`,
    that key is kept with it. Refuses (HoldGone) when the hold has ended, (PartnerNotExpected) a
    partner where one person comes, (IntegrityError) a key that has booked before.
    """
    appointment = (
        Appointment.objects.held_under(token_hash(token), now)
        .select_for_update(of=("self",), no_key=True)
        .select_related("service", "counselor__member")
        .first()
    )
    if appointment is None:
        raise HoldGone
    _check_partner_expected(appointment.service, request)
    appointment.state = _booked_state(appointment.service)
    appointment.held_until = appointment.hold_hash = None
    appointment.settled_at = now
    appointment.from_article = request.from_article
    appointment.case_id = uuid4()
    appointment.save(
        update_fields=["case", "state", "held_until", "hold_hash", "settled_at", "from_article"]
    )
    return _with_new_people(appointment, request, terms.of(appointment.service_id), once, by, now)


def _booked_state(service: Service) -> str:
    """Booked at once, or asked for first."""
    instant = service.booking == Service.Booking.INSTANT
    return Appointment.State.CONFIRMED if instant else Appointment.State.REQUESTED


def book_start(
    *,
    under: Terms,
    counselor: Counselor | None,
    start: datetime,
    request: Request,
    once: BookedOnce | None = None,
    by: Actor,
    now: datetime,
) -> Booked:
    """Book a start that wasn't held before; without a counselor, with the fairest one.

    Refuses as `hold` and `book` do.
    """
    _check_partner_expected(under.service, request)
    return _with_the_fairest(
        service=under.service,
        counselor=counselor,
        start=start,
        zone=under.practice.zone,
        now=now,
        who=under.counselor_of,
        take=lambda one, offered: _book_with(under, one, offered, start, request, once, by, now),
    )


def _book_with(
    under: Terms,
    counselor: Counselor,
    offered: offers.Offered,
    start: datetime,
    request: Request,
    once: BookedOnce | None,
    by: Actor,
    now: datetime,
) -> Booked:
    appointment = _new_appointment(
        service=under.service,
        counselor=counselor,
        start=start,
        state=_booked_state(under.service),
        now=now,
    )
    appointment.offered_under = offered.hours_version
    appointment.from_article = request.from_article
    appointment.case_id = uuid4()
    # The time first: who comes too late has cost one statement.
    guard.take(appointment=appointment, now=now)
    return _with_new_people(appointment, request, under, once, by, now)


def _with_new_people(
    appointment: Appointment,
    request: Request,
    under: Terms,
    once: BookedOnce | None,
    by: Actor,
    now: datetime,
) -> Booked:
    """Make the persons and the case that the appointment names already, and all that follows.

    The row of the case comes after that of the appointment: foreign keys are checked when the
    transaction ends.
    """
    key = _index_key(under, by, now)
    made = [
        people.new_person(new=new, index_key=key, by=by, now=now)
        for new in (request.booker, request.partner)
        if new is not None
    ]
    persons = [one.row for one in made]
    case = people.new_case(
        persons=persons,
        counselor=appointment.counselor.member,
        case_id=_named(appointment),
        by=by,
        now=now,
    )
    appointment.case = case.row
    before = [*(row for one in made for row in one.rows), *case.rows]
    return _with_attendees(
        appointment, persons, request, under, key, before, once, by, now, case.row
    )


def _named(appointment: Appointment) -> UUID:
    if appointment.case_id is None:
        raise ValueError("An appointment that is booked names its case.")
    return appointment.case_id


def _index_key(under: Terms, by: Actor, now: datetime) -> bytes:
    """The blind index's key, which came with the terms unless this is the first person ever."""
    return under.index_key.plain() if under.index_key else people.index_key(by=by, now=now)


def _check_partner_expected(service: Service, request: Request | None) -> None:
    alone = service.attendees == Service.Attendees.ONE
    if alone and request is not None and request.partner is not None:
        raise PartnerNotExpected


@dataclass(frozen=True, slots=True)
class ByHand:
    """How a member books beside the offered times; the reason is kept on the row."""

    reason: str
    overbook: bool = False


@transaction.atomic
def book_by_hand(
    *,
    service: Service,
    counselor: Counselor,
    start: datetime,
    request: Request | None,
    case: Case | None,
    comes: Sequence[Person] = (),
    beside: ByHand | None,
    by: Actor,
    now: datetime,
) -> Booked:
    """Book for somebody: for a new client (`request`), or for those of a `case` who come.

    Without `comes`, all of the case. Refuses (NotOffered) a start outside the offered times
    unless `beside` gives a reason, (SlotTaken) one that overlaps unless `beside` says to
    overbook, (PartnerNotExpected) two where one person comes, (NotPermitted) who doesn't keep this
    diary, or neither keeps all nor counsels those of the case, (CaseClosed) a case that is closed,
    (NobodyLeft) one that everybody has left. One of `request` and `case`.
    """
    _check_books_by_hand(counselor, request, case, by)
    _check_partner_expected(service, request)
    offered = () if beside else _offered(service, counselor, start, now)
    if (request is None) == (case is None):
        raise ValueError("Book for a new client or for a case.")
    persons: list[Person] = []
    if case is not None:
        asked = {one.pk for one in comes}
        persons = [one for one in find.persons_of(case) if not asked or one.pk in asked]
        if not persons:
            raise NobodyLeft
        if len(persons) > 1 and service.attendees == Service.Attendees.ONE:
            raise PartnerNotExpected
    appointment = _new_appointment(
        service=service,
        counselor=counselor,
        start=start,
        state=Appointment.State.CONFIRMED,
        now=now,
    )
    appointment.case_id = case.pk if case else uuid4()
    if beside:
        appointment.override_reason = beside.reason
        appointment.overbooked = beside.overbook
    else:
        appointment.offered_under = offered[0].hours_version
    if appointment.overbooked:
        guard.take_overbooked(appointment=appointment)
    else:
        guard.take(appointment=appointment, now=now)
    under = terms.of(service.pk)
    if request is not None:
        return _with_new_people(appointment, request, under, None, by, now)
    known = _request_of_known(_named(appointment), persons)
    key = _index_key(under, by, now)
    held = len(persons) > 1 and is_in_safe_mode(case)
    # Only whoever may know of a flag meets it here: a gate that stays shut would tell the others.
    knows = by.kind == "system" or (case is not None and care.counsels(by, case))
    booked = _with_attendees(
        appointment, persons, known, under, key, [], None, by, now, held=held and knows
    )
    if case is not None and held and not knows:
        _tell_clinicians(case, by, now)
    if under.forms:
        forms.give_first(appointment=appointment, by=by, now=now)
    return booked


def _tell_clinicians(case: Case, by: Actor, now: datetime) -> None:
    """Who can't know of a flag has booked them together: whoever counsels them looks at it."""
    notices.tell(
        members=safety.clinicians(case),
        kind="booked_while_flagged",
        subject_kind="flag",
        subject_id=Flag.objects.open().filter(case=case).values_list("pk", flat=True)[0],
        again=True,
        by=by,
        now=now,
    )


def _check_books_by_hand(
    counselor: Counselor, request: Request | None, case: Case | None, by: Actor
) -> None:
    permissions.check_keeps_diary(by, counselor.member_id)
    if request is not None and request.partner_asked_in_person:
        permissions.check_says_asked(by, counselor.member_id)
    if case is None:
        return
    # Locked: who closes it at this moment waits, and finds what is booked here.
    seen = Case.objects.visible_to(by.without_glass()).filter(pk=case.pk)
    row = seen.select_for_update(of=("self",), no_key=True).first()
    if row is None:
        raise permissions.NotPermitted
    permissions.check_books_for(by, cares=care.counsels(by, row))
    if row.state == Case.State.CLOSED:
        raise CaseClosed


def _request_of_known(case_id: UUID, persons: Sequence[Person]) -> Request:
    """Known persons booked again; what was said and cleared of the partner before still holds.

    Who was called safe to write to still is. A gate that waits for the private checks opens only
    for whom one such was opened before: a consultation for which that was enough says nothing.
    """
    booker = persons[0]
    before = Attendance.objects.filter(appointment__case=case_id, person__in=persons[1:])
    gates = set(before.values_list("gate", "appointment__service__invite_gate"))
    return Request(
        booker=people.NewPerson(
            booker.name, booker.email, booker.phone, booker.language, booker.zone
        ),
        partner_safe_to_invite=any(state != gate.SAID_UNSAFE for state, _ in gates),
        partner_asked_in_person=(gate.OPEN, gate.PRIVATE_CHECK) in gates,
    )


def _with_attendees(
    appointment: Appointment,
    persons: Sequence[Person],
    request: Request,
    under: Terms,
    index_key: bytes,
    before: Sequence[Model],
    once: BookedOnce | None,
    by: Actor,
    now: datetime,
    case: Case | None = None,
    *,
    held: bool = False,
) -> Booked:
    """Give every person an own part in the appointment, plan their messages, and record it.

    All of it is written in one statement, with the rows that came `before`; a new `case` is
    among them. While the couple is `held` by a flag, no partner is invited to anything new.
    """
    attendances = [
        _attend(
            appointment=appointment,
            person=person,
            role=Attendance.Role.PARTNER if index else Attendance.Role.BOOKER,
            shut=_partner_gate(appointment.service, person, request, held) if index else gate.OPEN,
            now=now,
        )
        for index, person in enumerate(persons)
    ]
    booker = attendances[0]
    if once is not None:
        once.attendance = booker
    verb = "requested" if appointment.state == Appointment.State.REQUESTED else "booked"
    new = _forms_with(appointment, attendances, case, under, by, now)
    written_to = {one.person_id: one.person for one in attendances if planning.may_write(one)}
    written_to |= {one.intake.person_id: one.intake.person for one in new if one.may_write}
    lately = planning.due_lately(persons=written_to.values(), index_key=index_key, by=by, now=now)
    planned = planning.plan(
        appointment=appointment, attendances=attendances, terms=under, lately=lately, now=now
    )
    rows.insert(
        [
            *before,
            *attendances,
            *(row for one in new for row in one.rows),
            *_review(appointment, case, under, by, now, asks=bool(new)),
            *(
                Answer(attendance=booker, question=question, text=text, audience=Audience.STAFF)
                for question, text in request.answers.items()
            ),
            *(
                ConsentGiven(attendance=booker, consent=consent, given_at=now)
                for consent in request.consents
            ),
            *planned,
            *forms.plan(new=new, besides=planned, lately=lately, under=under, by=by, now=now),
            *([once] if once else []),
            _record(
                f"appointment.{verb}",
                appointment,
                by,
                now,
                attendees=len(attendances),
                overbooked=appointment.overbooked,
                write=False,
            ),
        ]
    )
    messages.ring()
    return Booked(appointment, tuple(attendances))


def _forms_with(
    appointment: Appointment,
    attendances: Sequence[Attendance],
    case: Case | None,
    under: Terms,
    by: Actor,
    now: datetime,
) -> list[forms.NewForms]:
    """What comes with a first booking; a case that is known is asked about afterwards."""
    if case is None or not under.forms:
        return []
    return forms.new_forms(
        case=case,
        attendances=attendances,
        starts_at=appointment.starts_at,
        under=under,
        by=by,
        now=now,
    )


def _review(
    appointment: Appointment,
    case: Case | None,
    under: Terms,
    by: Actor,
    now: datetime,
    *,
    asks: bool,
) -> tuple[Model, ...]:
    """A new case waits for a decision where it asked for a time, or is asked for forms first.

    With forms it is due before the session, and sooner once one came in; without, in the time
    that the practice takes.
    """
    if case is None or not (asks or appointment.state == Appointment.State.REQUESTED):
        return ()
    within = under.practice.review_within_hours
    due_at = appointment.starts_at
    if not asks:
        due_at = min(due_at, now + timedelta(hours=within))
    made = reviewing.new_review(case=case, due_at=due_at, within_hours=within, by=by, now=now)
    return made.rows


def _partner_gate(service: Service, partner: Person, request: Request, held: bool) -> str:
    """Whether the partner may be invited; nothing that they answer opens it by itself."""
    return gate.partner_gate(
        invite_gate=service.invite_gate,
        said_safe=request.partner_safe_to_invite,
        has_contact=partner.email is not None,
        same_address_as_booker=_same_address(partner.email, request.booker.email),
        asked_in_person=request.partner_asked_in_person,
        checks_done=False,
        held=held,
    )


def _same_address(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return False
    return contact.search_form(one) == contact.search_form(other)


def _attend(
    *, appointment: Appointment, person: Person, role: str, shut: str, now: datetime
) -> Attendance:
    is_booker = role == Attendance.Role.BOOKER
    token = _new_token()
    return Attendance(
        appointment=appointment,
        person=person,
        role=role,
        state=Attendance.State.CONFIRMED if is_booker else Attendance.State.EXPECTED,
        confirmed_at=now if is_booker else None,
        gate=shut,
        gate_opened_at=now if shut == gate.OPEN else None,
        token_hash=token_hash(token),
        token=token,
    )


def _locked(appointment_id: UUID, by: Actor) -> Appointment:
    """The appointment as it stands now, locked until the transaction ends.

    Refuses (NotPermitted) a member who may not know of it, or only for having opened its case.
    """
    found = Appointment.objects.select_for_update(of=("self",), no_key=True).select_related(
        "service", "counselor__member"
    )
    if by.kind != "member":
        return found.get(pk=appointment_id)
    row = found.visible_to(by.without_glass()).filter(pk=appointment_id).first()
    if row is None:
        raise permissions.NotPermitted
    return row


def _check_changes(appointment: Appointment, by: Actor) -> None:
    """Attendees change their own part; of the practice, who keeps this diary."""
    if by.kind != "person":
        permissions.check_keeps_diary(by, appointment.counselor.member_id)


def _check_in_time(appointment: Appointment, by: Actor, now: datetime) -> None:
    """The practice's cut-off binds those who come by link, not its members."""
    if by.kind == "person":
        cancellation.check_changeable(
            starts_at=appointment.starts_at,
            cutoff_minutes=offers.the_practice().cutoff_minutes,
            state=appointment.state,
            now=now,
        )


@transaction.atomic
def confirm(*, attendance: Attendance, by: Actor, now: datetime) -> Attendance:
    """An attendee says that they come. Twice is the same as once.

    Refuses (NotAllowed) when the appointment or this attendance was cancelled, (NotPermitted) a
    member who doesn't keep this diary.
    """
    appointment = _locked(attendance.appointment_id, by)
    _check_changes(appointment, by)
    attendance = Attendance.objects.select_related("person__key").get(pk=attendance.pk)
    if appointment.state not in Appointment.TAKES_PLACE or appointment.starts_at <= now:
        raise cancellation.NotAllowed("This appointment can no longer be confirmed.")
    if attendance.state == Attendance.State.CONFIRMED:
        return attendance
    cancellation.check_attendance_transition(attendance.state, Attendance.State.CONFIRMED)
    attendance.state = Attendance.State.CONFIRMED
    attendance.confirmed_at = now
    attendance.save(update_fields=["state", "confirmed_at"])
    _record("attendance.confirmed", appointment, by, now, attendance.person_id)
    return attendance


@transaction.atomic
def move(
    *,
    appointment: Appointment,
    start: datetime,
    by: Actor,
    now: datetime,
    beside: ByHand | None = None,
) -> Changed:
    """Move to another start with the same counselor; everybody is told, and asked anew.

    Refuses (NotAllowed, TooLate) what can't be changed any more, (NotOffered) a start outside
    the offered times unless a member gives a reason (`beside`), (SlotTaken) a taken one,
    (NotPermitted) a member who doesn't keep this diary.
    """
    guard.lock_counselors([appointment.counselor_id])
    appointment = _locked(appointment.pk, by)
    _check_changes(appointment, by)
    _check_in_time(appointment, by, now)
    if appointment.state not in Appointment.TAKES_PLACE or _has_left(appointment, by):
        raise cancellation.NotAllowed("This appointment can no longer be changed.")
    _check_ahead(appointment, now)
    if appointment.starts_at == start:
        return Changed(appointment, on_its_way=False)
    service, counselor = appointment.service, appointment.counselor
    if beside is None:
        offered = _offered(service, counselor, start, now, moving=appointment.pk)
        appointment.offered_under, appointment.override_reason = offered[0].hours_version, ""
    else:
        appointment.offered_under, appointment.override_reason = None, beside.reason
    appointment.overbooked = beside is not None and beside.overbook
    was = appointment.starts_at
    appointment.period = _period(service, start)
    appointment.blocked = _blocked(service, start)
    appointment.agreed_zone = counselor.zone
    appointment.agreed_wall = _agreed(start, counselor.zone)
    appointment.sequence += 1
    appointment.settled_at = now
    guard.retake(appointment=appointment, now=now)
    others = Attendance.objects.filter(appointment=appointment, state=Attendance.State.CONFIRMED)
    if by.kind == "person":
        others = others.exclude(person=by.id)
    others.update(state=Attendance.State.EXPECTED)
    on_its_way = planning.replan(appointment=appointment, reason="moved", by=by, now=now)
    forms.follow(appointment=appointment, reason="moved", by=by, now=now)
    case_id = _named(appointment)
    reviewing.retime(case_id=case_id, session_at=_next(case_id, start, now), by=by, now=now)
    _record(
        "appointment.moved",
        appointment,
        by,
        now,
        was=was.isoformat(),
        overbooked=appointment.overbooked,
    )
    return Changed(appointment, on_its_way)


def _next(case_id: UUID, start: datetime, now: datetime) -> datetime:
    """When those of a case come next: at `start`, or sooner."""
    coming = Appointment.objects.coming(now).filter(case=case_id, period__startswith__gt=now)
    sooner: datetime | None = coming.aggregate(at=Min("period__startswith"))["at"]
    return min(start, sooner or start)


def _check_ahead(appointment: Appointment, now: datetime) -> None:
    """What is over is put down as done or not; it is neither moved nor cancelled any more."""
    if appointment.ends_at <= now:
        raise cancellation.NotAllowed("This appointment is over.")


def _has_left(appointment: Appointment, by: Actor) -> bool:
    """Whether the person who asks has cancelled their own part."""
    return (
        by.kind == "person"
        and Attendance.objects.filter(
            appointment=appointment, person=by.id, state=Attendance.State.CANCELLED
        ).exists()
    )


@transaction.atomic
def leave(*, attendance: Attendance, reason: str, by: Actor, now: datetime) -> Changed:
    """Cancel one person's own part; the time is free again when the last one has left.

    Somebody who was never told of the appointment doesn't keep it alive. Twice is the same as
    once. Refuses (TooLate) by link after the cut-off, (NotAllowed) what already took place,
    (NotPermitted) a member who doesn't keep this diary.
    """
    appointment = _locked(attendance.appointment_id, by)
    _check_changes(appointment, by)
    attendance = Attendance.objects.select_related("person__key").get(pk=attendance.pk)
    if attendance.state == Attendance.State.CANCELLED:
        return Changed(appointment, on_its_way=False)
    _check_in_time(appointment, by, now)
    if appointment.state not in Appointment.TAKES_PLACE:
        raise cancellation.NotAllowed("This appointment can no longer be changed.")
    cancellation.check_attendance_transition(attendance.state, Attendance.State.CANCELLED)
    attendance.state = Attendance.State.CANCELLED
    attendance.cancelled_at = now
    attendance.cancel_reason = reason or None
    attendance.left_period, attendance.left_sequence = appointment.period, appointment.sequence
    attendance.save(
        update_fields=[
            "state",
            "cancelled_at",
            "cancel_reason",
            "left_period",
            "left_sequence",
        ]
    )
    remaining = Attendance.objects.filter(
        appointment=appointment, gate=Attendance.Gate.OPEN
    ).values_list("state", flat=True)
    if cancellation.appointment_after_leaving(remaining):
        _end(appointment, now)
    on_its_way = planning.replan(appointment=appointment, reason="left", by=by, now=now)
    forms.follow(appointment=appointment, reason="left", by=by, now=now)
    _record("attendance.cancelled", appointment, by, now, attendance.person_id)
    return Changed(appointment, on_its_way)


@transaction.atomic
def cancel(
    *, appointment: Appointment, keep_forms: bool = False, by: Actor, now: datetime
) -> Changed:
    """Cancel the whole appointment, as a member of the practice; everybody told is told.

    With `keep_forms`, what was asked before a first session stays open: they wait for another.
    Twice is the same as once. Refuses (NotAllowed) one that already took place, (NotPermitted)
    who doesn't keep this diary; a request is declined by whoever reviews, too.
    """
    appointment = _locked(appointment.pk, by)
    owner = appointment.counselor.member_id
    if appointment.state == Appointment.State.REQUESTED:
        permissions.check_answers_requests(by, owner)
    else:
        permissions.check_keeps_diary(by, owner)
    if appointment.state == Appointment.State.CANCELLED:
        return Changed(appointment, on_its_way=False)
    _check_ahead(appointment, now)
    declined = appointment.state == Appointment.State.REQUESTED
    cancellation.check_transition(appointment.state, Appointment.State.CANCELLED)
    _end(appointment, now)
    reason = "declined" if declined else "cancelled"
    on_its_way = planning.replan(appointment=appointment, reason=reason, by=by, now=now)
    if not keep_forms:
        forms.follow(appointment=appointment, reason=reason, by=by, now=now)
    _record(f"appointment.{reason}", appointment, by, now)
    return Changed(appointment, on_its_way)


def _end(appointment: Appointment, now: datetime) -> None:
    appointment.state = Appointment.State.CANCELLED
    appointment.cancelled_at = now
    appointment.sequence += 1
    appointment.save(update_fields=["state", "cancelled_at", "sequence"])


@transaction.atomic
def accept(*, appointment: Appointment, by: Actor, now: datetime) -> Appointment:
    """Accept a booking request.

    Refuses (NotAllowed) what is no request any more, or has begun, (NotPermitted) who neither
    keeps this diary nor reviews.
    """
    appointment = _locked(appointment.pk, by)
    permissions.check_answers_requests(by, appointment.counselor.member_id)
    if appointment.state != Appointment.State.REQUESTED or appointment.starts_at <= now:
        raise cancellation.NotAllowed("This is no longer a request.")
    appointment.state = Appointment.State.CONFIRMED
    # Only now is it booked: the confirmation serves for reminders that were due meanwhile.
    appointment.settled_at = now
    appointment.save(update_fields=["state", "settled_at"])
    planning.replan(appointment=appointment, reason="accepted", by=by, now=now)
    _record("appointment.accepted", appointment, by, now)
    return appointment


@transaction.atomic
def close(*, appointment: Appointment, came: bool, by: Actor, now: datetime) -> Appointment:
    """Put down afterwards whether it took place.

    Refuses (NotAllowed) before its start, (NotPermitted) who doesn't keep this diary.
    """
    appointment = _locked(appointment.pk, by)
    permissions.check_keeps_diary(by, appointment.counselor.member_id)
    if appointment.starts_at > now:
        raise cancellation.NotAllowed("This appointment hasn't begun yet.")
    state = Appointment.State.DONE if came else Appointment.State.NO_SHOW
    cancellation.check_transition(appointment.state, state)
    appointment.state = state
    appointment.save(update_fields=["state"])
    _record(f"appointment.{state}", appointment, by, now)
    return appointment


@transaction.atomic
def open_gate(
    *, attendance: Attendance, asked_in_person: bool, by: Actor, now: datetime
) -> Attendance:
    """Who counsels the case lets the partner be invited: from now on they are written to.

    Never by itself, since the moment would tell them when the other sent their check. Refuses
    (CounselorDecides) everybody else, whatever holds the gate; (GateStaysShut) while a flag is
    open, where both checks weren't sent and nobody `asked_in_person`, where there is nothing to
    write to, or both share one address.
    """
    appointment = _locked_by_its_counselor(attendance.appointment_id, by)
    attendance = Attendance.objects.select_related("person__key").get(pk=attendance.pk)
    if attendance.gate == Attendance.Gate.OPEN:
        return attendance
    case = Case.objects.select_for_update(of=("self",), no_key=True).get(pk=_named(appointment))
    if is_in_safe_mode(case):
        raise GateStaysShut(FLAG)
    asked_of = [one.pk for one in find.persons_of(case)]
    state = _judged(
        appointment,
        attendance,
        asked_in_person=asked_in_person,
        checks_done=giving.checked(case.pk, asked_of),
        # What the one who booked didn't say, only a clinician's own word makes up for.
        said_safe=attendance.gate != Attendance.Gate.SAID_UNSAFE,
    )
    if state != gate.OPEN:
        raise GateStaysShut(state)
    _set_gate(appointment, attendance, state, by, now)
    planning.replan(appointment=appointment, reason="gate_opened", by=by, now=now)
    forms.give_first(appointment=appointment, by=by, now=now)
    return attendance


def _locked_by_its_counselor(appointment_id: UUID, by: Actor) -> Appointment:
    appointment = _locked(appointment_id, by)
    counseled = Case.objects.counseled_by(by.without_glass())
    if not counseled.filter(pk=_named(appointment)).exists():
        raise CounselorDecides
    return appointment


@transaction.atomic
def judge_gates(*, appointment: Appointment, by: Actor, now: datetime) -> None:
    """Judge the partners' gates anew after somebody's contact changed.

    What the booker said, and what a clinician cleared, still holds: an open gate shuts only for a
    missing or a shared address, and one that was shut for either opens when that is mended. One
    that waits for the private checks only shuts, and while a flag is open none opens.
    """
    partners = (
        Attendance.objects.filter(appointment=appointment, role=Attendance.Role.PARTNER)
        .exclude(gate=Attendance.Gate.SAID_UNSAFE)
        .select_related("person__key")
    )
    for attendance in partners:
        was_open = attendance.gate == Attendance.Gate.OPEN
        state = _judged(appointment, attendance, asked_in_person=was_open)
        if state == gate.OPEN and not was_open and _stays_held(appointment, attendance):
            state = gate.PRIVATE_CHECK
        if state != attendance.gate:
            _set_gate(appointment, attendance, state, by, now)
            forms.give_first(appointment=appointment, by=by, now=now)


def _stays_held(appointment: Appointment, attendance: Attendance) -> bool:
    return attendance.gate == Attendance.Gate.PRIVATE_CHECK or is_in_safe_mode(appointment.case)


def _judged(
    appointment: Appointment,
    attendance: Attendance,
    *,
    asked_in_person: bool,
    checks_done: bool = False,
    said_safe: bool = True,
) -> str:
    booker = Person.objects.select_related("key").get(
        attendances__appointment=appointment, attendances__role=Attendance.Role.BOOKER
    )
    return gate.partner_gate(
        invite_gate=appointment.service.invite_gate,
        said_safe=said_safe,
        has_contact=attendance.person.has_email,
        same_address_as_booker=_same_address(attendance.person.email, booker.email),
        asked_in_person=asked_in_person,
        checks_done=checks_done,
    )


def _set_gate(
    appointment: Appointment, attendance: Attendance, state: str, by: Actor, now: datetime
) -> None:
    attendance.gate = state
    attendance.gate_opened_at = now if state == gate.OPEN else None
    attendance.save(update_fields=["gate", "gate_opened_at"])
    _record(f"attendance.gate_{state}", appointment, by, now, attendance.person_id)


def _record(
    verb: str,
    appointment: Appointment,
    by: Actor,
    now: datetime,
    person_id: UUID | None = None,
    *,
    write: bool = True,
    **detail: object,
) -> AuditEntry:
    return audit.record(
        verb=verb,
        subject_kind="appointment",
        subject_id=appointment.pk,
        person_id=person_id,
        case_id=appointment.case_id,
        by=by,
        now=now,
        detail=detail,
        write=write,
    )
