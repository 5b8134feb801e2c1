"""Rows for tests: plain keyword functions, and one cast of persons that all tests share.

Persons and cases come from the actions that make them; the diary is written straight into the
database, with the audit entry that an action would have left. Defaults fit together: a counselor
in New York who works on weekdays from nine to five, one service, and `MONDAY` as the first day.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypedDict, Unpack
from zoneinfo import ZoneInfo

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from clients.actions import audit, people
from clients.models import Case, Member, Message, Person, SafeContact
from clients.rules.actors import (
    ADMIN,
    COUNSELOR,
    FRONT_DESK,
    REVIEWER,
    SUPERVISOR,
    Actor,
)
from intake.models import (
    Agreement,
    Assignment,
    Flag,
    Instrument,
    Intake,
    Release,
    Response,
    Review,
    ReviewStep,
)
from intake.rules.answers import Answered, dump
from practice.models import (
    Appointment,
    Attendance,
    Counselor,
    Offer,
    Practice,
    ReminderRule,
    Room,
    Service,
    TimeOff,
    WorkingHours,
)

# A Monday, eight in the morning in New York; far enough from any change of the clocks.
NOW = datetime(2027, 1, 11, 13, 0, tzinfo=UTC)
MONDAY = NOW.date()
SYSTEM = Actor.system()
PASSWORD = "an unlikely long password"


# --- people --------------------------------------------------------------------------------------


class PersonFields(TypedDict, total=False):
    """What `person` takes; the rest is filled in."""

    name: str
    email: str | None
    phone: str | None
    language: str
    zone: str
    now: datetime


def person(**fields: Unpack[PersonFields]) -> Person:
    """A new person, as the booking page would make one."""
    values: PersonFields = {
        "name": "Robin Reed",
        "email": "robin@example.org",
        "phone": None,
        "language": "en",
        "zone": "America/New_York",
        "now": NOW,
    }
    values |= fields
    return people.make_person(
        new=people.NewPerson(
            name=values["name"],
            email=values["email"],
            phone=values["phone"],
            language=values["language"],
            zone=values["zone"],
        ),
        by=SYSTEM,
        now=values["now"],
    )


ANA: PersonFields = {"name": "Ana Alder", "email": "ana@example.org", "phone": "+12015550101"}
BEN: PersonFields = {"name": "Ben Birch", "email": "ben@example.org", "phone": "+12015550102"}
CHRIS: PersonFields = {
    "name": "Chris Cedar",
    "email": "chris@example.com",
    "zone": "Europe/Madrid",
    "language": "es",
}
DANA: PersonFields = {"name": "Dana Dogwood", "email": None, "phone": "+12015550104"}


def ana(**changes: Unpack[PersonFields]) -> Person:
    """Ana books; she has e-mail and a telephone, and lives in New York."""
    return person(**(ANA | changes))


def ben(**changes: Unpack[PersonFields]) -> Person:
    """Ben is Ana's partner."""
    return person(**(BEN | changes))


def chris(**changes: Unpack[PersonFields]) -> Person:
    """Chris lives in Madrid and reads Spanish."""
    return person(**(CHRIS | changes))


def dana(**changes: Unpack[PersonFields]) -> Person:
    """Dana has a telephone only."""
    return person(**(DANA | changes))


def case(
    *persons: Person, counselor: Member | Counselor | None = None, now: datetime = NOW
) -> Case:
    """A case of one person, or of the couple that two make."""
    member = counselor.member if isinstance(counselor, Counselor) else counselor
    return people.open_case(persons=persons, counselor=member, by=SYSTEM, now=now)


def safe_contact(
    person: Person,
    *,
    channel: SafeContact.Channel = SafeContact.Channel.EMAIL,
    permission: SafeContact.Permission = SafeContact.Permission.YES,
    quiet: tuple[int, int] | None = None,
    now: datetime = NOW,
) -> SafeContact:
    """What a person said about one channel; `quiet` is minutes of the day, from and until."""
    row, _ = SafeContact.objects.update_or_create(
        person=person,
        channel=channel,
        defaults={
            "permission": permission,
            "asked_at": now,
            "quiet_from": quiet[0] if quiet else None,
            "quiet_until": quiet[1] if quiet else None,
        },
    )
    return row


# --- the practice --------------------------------------------------------------------------------


def member(
    username: str = "olive", *, roles: Sequence[str] = (ADMIN,), name: str | None = None
) -> Member:
    """Somebody who signs in as `username` with `PASSWORD`."""
    user = get_user_model().objects.create_user(username=username, password=PASSWORD)
    return Member.objects.create(user=user, name=name or username.title(), roles=list(roles))


def admin(username: str = "olive") -> Member:
    """Whoever runs the practice."""
    return member(username, roles=[ADMIN])


def front_desk(username: str = "sam") -> Member:
    """Somebody at the front desk."""
    return member(username, roles=[FRONT_DESK])


def reviewer(username: str = "rita") -> Member:
    """Somebody who reviews what clients wrote before they came."""
    return member(username, roles=[REVIEWER])


def supervisor(username: str = "uma") -> Member:
    """Somebody who supervises counselors; of a case only where a care relation says so."""
    return member(username, roles=[SUPERVISOR])


def practice(
    *,
    name: str = "Elm Street Practice",
    neutral_name: str = "Elm Street",
    zone: str = "America/New_York",
    cutoff_minutes: int = 24 * 60,
    confirmation_delay_seconds: int = 0,
    hold_minutes: int = 10,
) -> Practice:
    """The one practice, made or changed to this."""
    row, _ = Practice.objects.update_or_create(
        only=True,
        defaults={
            "name": name,
            "neutral_name": neutral_name,
            "zone": zone,
            "cutoff_minutes": cutoff_minutes,
            "confirmation_delay_seconds": confirmation_delay_seconds,
            "hold_minutes": hold_minutes,
        },
    )
    return row


def room(slug: str = "garden") -> Room:
    """A room of the practice."""
    return Room.objects.create(slug=slug, name=slug.title())


def hours(
    counselor: Counselor,
    *,
    weekdays: Iterable[int] = range(5),
    start: int = 9 * 60,
    end: int = 17 * 60,
    zone: str | None = None,
) -> list[WorkingHours]:
    """Weekly hours, in minutes of the day on the counselor's own clock unless `zone` says else."""
    return WorkingHours.objects.bulk_create(
        WorkingHours(
            counselor=counselor,
            weekday=weekday,
            start=start,
            end=end,
            zone=zone or counselor.zone,
        )
        for weekday in weekdays
    )


def time_off(start: datetime, end: datetime, *, counselor: Counselor | None = None) -> TimeOff:
    """Time off of one counselor, or of the whole practice."""
    return TimeOff.objects.create(counselor=counselor, period=DateTimeTZRange(start, end))


def counselor(
    slug: str = "iris",
    *,
    name: str | None = None,
    zone: str = "America/New_York",
    room: Room | None = None,
    weekdays: Iterable[int] = range(5),
    start: int = 9 * 60,
    end: int = 17 * 60,
    active: bool = True,
) -> Counselor:
    """A counselor who signs in under the slug and works the same hours on these weekdays."""
    row = Counselor.objects.create(
        member=member(slug, roles=[COUNSELOR], name=name),
        slug=slug,
        zone=zone,
        languages=["en"],
        room=room,
        active=active,
    )
    hours(row, weekdays=weekdays, start=start, end=end)
    return row


class ServiceFields(TypedDict, total=False):
    """What `service` takes; the rest is as the model has it."""

    name: str
    minutes: int
    step: int
    buffer_before: int
    buffer_after: int
    notice: int
    horizon_days: int
    attendees: str
    place: str
    booking: str
    invite_gate: str
    hidden: bool
    active: bool


def service(
    slug: str = "first-talk",
    *,
    counselors: Iterable[Counselor] = (),
    **fields: Unpack[ServiceFields],
) -> Service:
    """A service of 50 minutes for one or two, booked at once, offered by `counselors`."""
    values: ServiceFields = {
        "name": slug.replace("-", " ").capitalize(),
        "minutes": 50,
        "notice": 120,
        "invite_gate": Service.InviteGate.SAID_SAFE,
    }
    values |= fields
    row = Service.objects.create(slug=slug, **values)
    for who in counselors:
        Offer.objects.create(service=row, counselor=who)
    return row


def reminder(
    minutes_before: int = 2880,
    *,
    service: Service | None = None,
    channel: SafeContact.Channel = SafeContact.Channel.EMAIL,
) -> ReminderRule:
    """A reminder rule, of every service unless one is named."""
    return ReminderRule.objects.create(
        minutes_before=minutes_before, service=service, channel=channel
    )


# --- the diary -----------------------------------------------------------------------------------


def at(day: int = 0, time: str = "10:00", zone: str = "America/New_York") -> datetime:
    """The instant at which a clock shows `time` so many days after `MONDAY`; day 1 is Tuesday."""
    hour, minute = (int(part) for part in time.split(":"))
    on = MONDAY + timedelta(days=day)
    local = datetime(on.year, on.month, on.day, hour, minute, tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC)


def token_hash(token: str) -> bytes:
    """How a link or a hold is looked up."""
    return hashlib.sha256(token.encode()).digest()


class AppointmentFields(TypedDict, total=False):
    """What `appointment` takes beside who, what and when."""

    minutes: int
    room: Room | None
    overbooked: bool
    override_reason: str
    booked_at: datetime
    sequence: int


BOOKED = (Appointment.State.REQUESTED, Appointment.State.CONFIRMED)


@transaction.atomic
def appointment(
    counselor: Counselor,
    service: Service,
    *persons: Person,
    start: datetime,
    state: str = Appointment.State.CONFIRMED,
    case: Case | None = None,
    gate: str = Attendance.Gate.OPEN,
    **fields: Unpack[AppointmentFields],
) -> Appointment:
    """A booked appointment: the first person booked it, `gate` is that of the others.

    Written straight into the table, past the guard: the database's own constraints hold.
    """
    booked_at = fields.get("booked_at", NOW)
    minutes = fields.get("minutes", service.minutes)
    persons = persons or (ana(),)
    reason = fields.get("override_reason", "")
    cancelled_at = booked_at if state == Appointment.State.CANCELLED else None
    row = Appointment.objects.create(
        counselor=counselor,
        service=service,
        case=case
        or people.open_case(persons=persons, counselor=counselor.member, by=SYSTEM, now=booked_at),
        room=fields.get("room"),
        state=state,
        period=DateTimeTZRange(start, start + timedelta(minutes=minutes)),
        blocked=_blocked(service, start, minutes),
        overbooked=fields.get("overbooked", False),
        offered_under=None if reason else counselor.hours_version,
        override_reason=reason,
        sequence=fields.get("sequence", 0),
        **_agreed(start, counselor.zone),
        created_at=booked_at,
        settled_at=booked_at,
        cancelled_at=cancelled_at,
    )
    for person_ in persons:
        booker = person_ is persons[0]
        _attendance(row, person_, "booker" if booker else "partner", gate, cancelled_at)
    audit.record(
        verb="appointment.booked",
        subject_kind="appointment",
        subject_id=row.pk,
        case_id=row.case_id,
        by=SYSTEM,
        now=booked_at,
    )
    return row


def _blocked(service: Service, start: datetime, minutes: int) -> DateTimeTZRange:
    return DateTimeTZRange(
        start - timedelta(minutes=service.buffer_before),
        start + timedelta(minutes=minutes + service.buffer_after),
    )


class _Agreed(TypedDict):
    agreed_zone: str
    agreed_wall: str


def _agreed(start: datetime, zone: str) -> _Agreed:
    wall = start.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")
    return {"agreed_zone": zone, "agreed_wall": wall}


def _attendance(
    row: Appointment,
    person_: Person,
    role: Literal["booker", "partner"],
    partner_gate: str,
    cancelled_at: datetime | None,
) -> Attendance:
    token = secrets.token_urlsafe(16)
    gate = Attendance.Gate.OPEN if role == "booker" else partner_gate
    state = Attendance.State.CONFIRMED if role == "booker" else Attendance.State.EXPECTED
    return Attendance.objects.create(
        appointment=row,
        person=person_,
        role=role,
        state=Attendance.State.CANCELLED if cancelled_at else state,
        gate=gate,
        gate_opened_at=row.created_at if gate == Attendance.Gate.OPEN else None,
        token_hash=token_hash(token),
        token=token,
        confirmed_at=row.created_at if role == "booker" else None,
        cancelled_at=cancelled_at,
    )


def hold(
    counselor: Counselor,
    service: Service,
    *,
    start: datetime,
    until: datetime = NOW + timedelta(minutes=10),
    token: str = "a hold for tests",
) -> Appointment:
    """A slot held for whoever has `token`."""
    return Appointment.objects.create(
        counselor=counselor,
        service=service,
        state=Appointment.State.HELD,
        period=DateTimeTZRange(start, start + timedelta(minutes=service.minutes)),
        blocked=_blocked(service, start, service.minutes),
        offered_under=counselor.hours_version,
        held_until=until,
        hold_hash=token_hash(token),
        **_agreed(start, counselor.zone),
        created_at=until - timedelta(minutes=10),
        settled_at=until - timedelta(minutes=10),
    )


class MessageFields(TypedDict, total=False):
    """What `message` takes beside its person and subject."""

    purpose: str
    channel: str
    version: int
    state: str
    due_at: datetime
    window_ends_at: datetime
    next_try_at: datetime
    attempts: int
    reason: str
    sent_at: datetime | None


def message(subject: Attendance, **fields: Unpack[MessageFields]) -> Message:
    """A row of the ledger about an attendance: a reminder due at `NOW`, unless said otherwise."""
    due_at = fields.get("due_at", NOW)
    values: MessageFields = {
        "purpose": "reminder-2880",
        "channel": SafeContact.Channel.EMAIL,
        "version": subject.appointment.sequence,
        "state": Message.State.PLANNED,
        "due_at": due_at,
        "window_ends_at": due_at + timedelta(hours=12),
        "next_try_at": due_at,
    }
    values |= fields
    if values["state"] == Message.State.SENT:
        values.setdefault("sent_at", due_at)
    return Message.objects.create(
        subject_kind="attendance",
        subject_id=subject.pk,
        person=subject.person,
        planned_at=subject.appointment.settled_at,
        about_at=subject.appointment.starts_at,
        **values,
    )


# --- the intake ----------------------------------------------------------------------------------

# A small instrument of the tests' own: one scale, one score, one question for free words.
MOOD: Mapping[str, Any] = {
    "id": "mood",
    "version": "1.0",
    "language": "en",
    "title": "How it is going",
    "scales": {
        "often": {
            "options": [
                {"code": "never", "label": "Never", "value": 0},
                {"code": "often", "label": "Often", "value": 2},
            ],
            "non_answers": [{"code": "skip", "label": "I would rather not say"}],
        }
    },
    "items": [
        {"id": "close", "kind": "choice", "scale": "often", "text": "I feel close."},
        {"id": "calm", "kind": "choice", "scale": "often", "text": "I feel calm."},
        {"id": "words", "kind": "long_text", "text": "What else?", "max_length": 20_000},
    ],
    "subscales": [
        {
            "id": "total",
            "label": "Total",
            "items": ["close", "calm"],
            "method": "sum",
            "min_valid": 2,
            "missing": "strict",
            "range": [0, 4],
        }
    ],
}


def instrument(
    raw: Mapping[str, Any] = MOOD,
    *,
    state: str = Instrument.State.PUBLISHED,
    now: datetime = NOW,
    **changes: Any,
) -> Instrument:
    """A version of an instrument, published unless said otherwise; `changes` are of its file.

    Written straight into the table, past the checks of an import.
    """
    definition = {**raw, **changes}
    content = json.dumps(definition, sort_keys=True).encode()
    return Instrument.objects.create(
        slug=definition["id"],
        version=definition["version"],
        language=definition["language"],
        title=definition["title"],
        definition=definition,
        content_hash=hashlib.sha256(content).digest(),
        state=state,
        made_at=now,
        published_at=None if state == Instrument.State.DRAFT else now,
        retired_at=now if state == Instrument.State.RETIRED else None,
    )


def intake(
    case: Case, person: Person, *, now: datetime = NOW, days: int = 60, token: str = ""
) -> Intake:
    """A person's own link for a case, good for so many days; with nothing behind it yet."""
    token = token or secrets.token_urlsafe(16)
    return Intake.objects.create(
        case=case,
        person=person,
        token_hash=token_hash(token),
        token=token,
        opened_at=now,
        asked_at=now,
        ends_at=now + timedelta(days=days),
    )


class AssignmentFields(TypedDict, total=False):
    """What `assignment` takes beside its intake and instrument."""

    number: int
    position: int
    short: bool
    origin: str
    state: str
    assigned_at: datetime
    due_at: datetime | None
    expires_at: datetime | None
    closed_at: datetime | None


def assignment(
    intake: Intake, instrument: Instrument, **fields: Unpack[AssignmentFields]
) -> Assignment:
    """A version of an instrument given to the person of an intake: open, and given by hand."""
    values: AssignmentFields = {
        "origin": Assignment.Origin.HAND,
        "state": Assignment.State.OPEN,
        "assigned_at": intake.opened_at,
    }
    values |= fields
    if values["state"] != Assignment.State.OPEN:
        values.setdefault("closed_at", values["assigned_at"])
    return Assignment.objects.create(
        intake=intake, instrument=instrument, slug=instrument.slug, **values
    )


def response(
    assignment: Assignment,
    answers: Mapping[str, Any] | None = None,
    *,
    sent: bool = True,
    guarded: bool = False,
    audience: str | None = None,
    scores: Mapping[str, str | None] | None = None,
    language: str = "en",
    now: datetime = NOW,
) -> Response:
    """What was answered, sent unless said otherwise: each item with its value, or an `Answered`.

    Written straight into the table; what is sent closes its assignment.
    """
    definition = assignment.instrument.parsed
    given = {
        item: one if isinstance(one, Answered) else Answered(one, revision=1)
        for item, one in (answers or {}).items()
    }
    if sent:
        Assignment.objects.filter(pk=assignment.pk).update(
            state=Assignment.State.SENT, closed_at=now
        )
    content = json.dumps(dump(given), sort_keys=True)
    return Response.objects.create(
        assignment=assignment,
        guarded=guarded,
        audience=audience or ("counselor" if guarded else definition.visibility),
        answers=content,
        revision=len(given),
        language=language,
        started_at=now,
        saved_at=now,
        sent_at=now if sent else None,
        content_hash=hashlib.sha256(content.encode()).digest() if sent else None,
        scores=json.dumps(scores or {}) if sent else None,
        scored_by="tests" if sent else "",
    )


class AgreementFields(TypedDict, total=False):
    """What `agreement` takes beside its case and person."""

    kind: str
    slug: str
    version: str
    text: str
    language: str
    response: Response | None
    signed_name: str | None
    given_at: datetime
    withdrawn_at: datetime | None


def agreement(case: Case, person: Person, **fields: Unpack[AgreementFields]) -> Agreement:
    """That a person agreed to something: to be shown a summary together, unless said otherwise."""
    values: AgreementFields = {
        "kind": Agreement.Kind.SHARE,
        "slug": "summary",
        "version": "1",
        "text": "We may look at it together.",
        "language": "en",
        "given_at": NOW,
    }
    values |= fields
    return Agreement.objects.create(case=case, person=person, **values)


def flag(
    case: Case,
    person: Person,
    *,
    response: Response | None = None,
    kind: str = "private-check",
    severity: str = Flag.Severity.HIGH,
    closed_by: Member | None = None,
    note: str | None = None,
    escalated_at: datetime | None = None,
    now: datetime = NOW,
) -> Flag:
    """A reason to speak with somebody alone; open, unless somebody closed it with a note."""
    return Flag.objects.create(
        case=case,
        person=person,
        response=response,
        kind=kind,
        severity=severity,
        raised_at=now,
        escalated_at=escalated_at,
        closed_at=now if closed_by else None,
        closed_by=closed_by,
        note=note,
    )


def release(
    case: Case,
    first: Response,
    second: Response,
    *,
    by: Member,
    parts: Sequence[str] = ("map",),
    now: datetime = NOW,
) -> Release:
    """What a clinician released to a couple of one round."""
    return Release.objects.create(
        case=case, first=first, second=second, parts=list(parts), released_at=now, released_by=by
    )


def review(
    case: Case,
    *,
    due_at: datetime = NOW + timedelta(hours=48),
    claimed_by: Member | None = None,
    decision: str = "",
    decided_by: Member | None = None,
    now: datetime = NOW,
) -> Review:
    """A case that waits for the practice's decision, or has it."""
    return Review.objects.create(
        case=case,
        opened_at=now,
        due_at=due_at,
        claimed_by=claimed_by,
        claimed_at=now if claimed_by else None,
        decision=decision,
        decided_at=now if decision else None,
        decided_by=decided_by,
    )


def review_step(
    review: Review,
    *,
    kind: str = ReviewStep.Kind.ASKED,
    by: Member | None = None,
    person: Person | None = None,
    reason: str | None = None,
    words: str | None = None,
    now: datetime = NOW,
) -> ReviewStep:
    """What somebody did about a review, and what they wrote."""
    return ReviewStep.objects.create(
        review=review, kind=kind, at=now, by=by, person=person, reason=reason, words=words
    )
