"""Everything that is one person's, for their copy of it. Of a partner there is nothing in it."""

from collections import Counter
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef

from clients.models import (
    AuditEntry,
    ClientPasskey,
    ClientPin,
    ClientSession,
    DataRequest,
    Member,
    Message,
    Person,
    SafeContact,
)
from clients.rules.actors import PROOF_SECOND, Actor
from intake.models import Agreement, Assignment, Response
from intake.queries import responses
from intake.rules import printed
from intake.rules.definition import PRIVATE_CHECK
from practice.models import Answer, Attendance, ConsentGiven

Rows = list[dict[str, object]]

# What was done to look at somebody ends so: `diary.read`, `appointment.read`, `audit.reported`.
_LOOKS = (".read", ".reported", ".exported", ".printed")


def of_person(person: Person, *, with_shut: bool) -> dict[str, object]:
    """A person's own record as plain values for JSON: all that is theirs, and nothing else's.

    Behind a shut gate are appointments that a partner booked and of which nothing may be written
    to this person yet. They come `with_shut`, for the practice, which looks at the copy before it
    hands it out; without, as on the person's own pages, none of them is there.

    What they wrote comes as they may read it; what belongs to two comes without the other: no
    name, no state, no answer. Of the private check there is never an answer, and in a copy from
    their own page not even that it was asked: whoever has their browser could read it. Who looked
    is told by role and day. Refuses (Erased) whoever was erased.
    """
    return {
        "person": {
            "id": str(person.pk),
            "name": person.name,
            "email": person.email,
            "phone": person.phone,
            "language": person.language,
            "zone": person.zone,
            "known_since": _moment(person.created_at),
        },
        "contact": _contact(person),
        "appointments": _appointments(person, with_shut=with_shut),
        "forms": _forms(person, with_shut=with_shut),
        "agreements": _agreements(person),
        "messages": _messages(person, with_shut=with_shut),
        "access": _access(person),
        "requests": _requests(person),
        "who_looked": who_looked(person.pk),
    }


def who_looked(person_id: UUID) -> Rows:
    """On which day somebody in which role looked at this record, how often, in order of the day."""
    entries = AuditEntry.objects.filter(person_id=person_id, actor_kind__in=["member", "system"])
    looks = [one for one in entries.order_by("at") if one.verb.endswith(_LOOKS)]
    members = Member.objects.in_bulk({one.actor_id for one in looks if one.actor_id})
    counted = Counter(
        (one.at.date(), _role(members.get(one.actor_id) if one.actor_id else None), one.verb)
        for one in looks
    )
    return [
        {"day": day.isoformat(), "role": role, "what": verb, "times": times}
        for (day, role, verb), times in counted.items()
    ]


def _role(member: Member | None) -> str:
    return "+".join(sorted(member.roles)) if member else "system"


def _contact(person: Person) -> Rows:
    return [
        {
            "channel": row.channel,
            "permission": row.permission,
            "quiet_from_minute": row.quiet_from,
            "quiet_until_minute": row.quiet_until,
            "voicemail": row.voicemail,
            "asked_at": _moment(row.asked_at),
            "bounced_at": _moment(row.bounced_at),
        }
        for row in SafeContact.objects.filter(person=person).order_by("channel")
    ]


def _appointments(person: Person, *, with_shut: bool) -> Rows:
    own = (
        Attendance.objects.filter(person=person)
        .select_related("person__key", "appointment__service", "appointment__counselor__member")
        .order_by("pk")
    )
    if not with_shut:
        own = own.filter(gate=Attendance.Gate.OPEN)
    answers = _answers(person)
    consents = _consents(person)
    return [
        {
            "service": row.appointment.service.name,
            "counselor": row.appointment.counselor.member.name,
            "starts_at": _moment(row.starts_at),
            "ends_at": _moment(row.ends_at),
            # Whoever has left isn't told what became of it: that is the partner's.
            "state": row.state if row.cancelled_at else row.appointment.state,
            "booked_by_you": row.role == Attendance.Role.BOOKER,
            "your_state": row.state,
            "confirmed_at": _moment(row.confirmed_at),
            "cancelled_at": _moment(row.cancelled_at),
            "your_reason": row.cancel_reason,
            "your_answers": answers.get(row.pk, []),
            "your_consents": consents.get(row.pk, []),
        }
        for row in sorted(own, key=lambda row: row.starts_at)
    ]


def _answers(person: Person) -> dict[UUID, Rows]:
    found: dict[UUID, Rows] = {}
    seen = Answer.objects.visible_to(Actor.of_person(person.pk, PROOF_SECOND))
    for row in (
        seen.filter(attendance__person=person)
        .select_related("question", "attendance__person__key")
        .order_by("question__position", "pk")
    ):
        told = {"question": row.question.label, "answer": row.text, "audience": row.audience}
        found.setdefault(row.attendance_id, []).append(told)
    return found


def _consents(person: Person) -> dict[UUID, Rows]:
    found: dict[UUID, Rows] = {}
    given = ConsentGiven.objects.filter(attendance__person=person).select_related("consent")
    for row in given.order_by("given_at", "pk"):
        told = {
            "text": row.consent.text,
            "version": row.consent.version,
            "given_at": _moment(row.given_at),
        }
        found.setdefault(row.attendance_id, []).append(told)
    return found


def _forms(person: Person, *, with_shut: bool) -> Rows:
    own = Assignment.objects.filter(intake__person=person).select_related("instrument")
    if not with_shut:
        own = own.exclude(slug=PRIVATE_CHECK)
    readable = {
        row.assignment_id: row
        for row in responses.unguarded(
            Response.objects.visible_to(Actor.of_person(person.pk, PROOF_SECOND)).sent()
        )
        .filter(assignment__intake__person=person)
        .select_related("assignment__intake__person__key", "assignment__instrument")
    }
    return [
        {
            "form": row.instrument.title,
            "version": row.instrument.version,
            "time": row.number,
            "asked_at": _moment(row.assigned_at),
            "due_at": _moment(row.due_at),
            "state": row.state,
            "closed_at": _moment(row.closed_at),
            "your_answers": _lines(readable.get(row.pk), person.language),
        }
        for row in own.order_by("assigned_at", "position", "pk")
    ]


def _lines(response: Response | None, language: str) -> Rows:
    if response is None:
        return []
    asked = response.assignment
    return [
        {"question": one.question, "answer": one.words or one.yes}
        for one in printed.lines(
            asked.instrument.parsed, response.said(), language, short=asked.short
        )
        if one.is_answered
    ]


def _agreements(person: Person) -> Rows:
    own = Agreement.objects.filter(person=person).select_related("person__key")
    return [
        {
            "kind": row.kind,
            "version": row.version,
            "text": row.text,
            "signed_name": row.signed_name,
            "given_at": _moment(row.given_at),
            "withdrawn_at": _moment(row.withdrawn_at),
        }
        for row in own.order_by("given_at", "kind", "slug", "pk")
    ]


def _messages(person: Person, *, with_shut: bool) -> Rows:
    found = Message.objects.filter(person=person)
    # A letter that was planned again when the others moved is the others' news, sent or not.
    left = Attendance.objects.filter(
        pk=OuterRef("subject_id"), left_sequence__lt=OuterRef("version")
    )
    found = found.exclude(Exists(left))
    if not with_shut:
        shut = Attendance.objects.filter(person=person).exclude(gate=Attendance.Gate.OPEN)
        found = found.exclude(subject_kind="attendance", subject_id__in=shut.values("pk"))
    return [
        {
            "purpose": row.purpose,
            "channel": row.channel,
            "state": row.state,
            "due_at": _moment(row.due_at),
            "sent_at": _moment(row.sent_at),
        }
        for row in found.order_by("due_at", "pk")
    ]


def _access(person: Person) -> dict[str, object]:
    pin = ClientPin.objects.filter(person=person).first()
    return {
        "pin_set_at": _moment(pin.set_at) if pin else None,
        "passkeys": [
            {"name": row.name, "made_at": _moment(row.made_at), "used_at": _moment(row.used_at)}
            for row in ClientPasskey.objects.filter(person=person).order_by("made_at")
        ],
        "sessions": [
            {
                "browser": row.browser,
                "opened_at": _moment(row.opened_at),
                "seen_at": _moment(row.seen_at),
                "ended_at": _moment(row.ended_at),
            }
            for row in ClientSession.objects.filter(person=person).order_by("opened_at")
        ],
    }


def _requests(person: Person) -> Rows:
    return [
        {
            "kind": row.kind,
            "asked_at": _moment(row.asked_at),
            "answered_at": _moment(row.answered_at),
            "answer": row.answer,
        }
        for row in DataRequest.objects.filter(person=person).order_by("asked_at")
    ]


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
