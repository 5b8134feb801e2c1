"""What the desk shows: each function says how many statements it takes, however many the rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery

from clients.models import AuditEntry, Case, Member, Message, Person, SafeContact
from clients.rules.actors import COUNSELOR, Actor
from clients.rules.permissions import Right, can, can_keep_diary
from practice.models import (
    Answer,
    Appointment,
    Attendance,
    ConsentGiven,
    Counselor,
    Offer,
)

_TROUBLE = (Message.State.FAILED, Message.State.UNCERTAIN, Message.State.MISSED)
_TROUBLE_SHOWN = 20
# As many as a page holds; a practice with more chooses whose diary to see.
_APPOINTMENTS_SHOWN = 500
_WAITING_SHOWN = 50
_READS = ("appointment.read",)


_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Shown(Generic[_Row]):
    """The first rows of a list, and whether there are more than a page holds."""

    rows: list[_Row]
    more: bool


def _first(found: "QuerySet[Any, _Row]", most: int) -> Shown[_Row]:
    rows = list(found[: most + 1])
    return Shown(rows[:most], len(rows) > most)


def _with_people(found: QuerySet[Appointment]) -> QuerySet[Appointment]:
    attendances = Attendance.objects.select_related("person__key").order_by("role", "pk")
    return found.select_related("service", "counselor__member", "room").prefetch_related(
        Prefetch("attendances", attendances)
    )


def seen_counselors(actor: Actor) -> list[Counselor]:
    """Whose appointments this member may see, as a list to choose from; one statement.

    Everybody's, or one's own and those of the counselors with whom one shares a case.
    """
    found = Counselor.objects.public().select_related("member").order_by("slug")
    if can(actor, Right.SEE_DIARY):
        return list(found)
    shared = Case.objects.visible_to(actor).values("counselor")
    return list(found.filter(Q(member=actor.id) | Q(member__in=shared)))


def kept_counselors(actor: Actor) -> list[Counselor]:
    """In whose diary this member books and moves; one statement."""
    found = Counselor.objects.public().select_related("member").order_by("slug")
    return [one for one in found if can_keep_diary(actor, one.member_id)]


def books(actor: Actor) -> bool:
    """Whether this member books in any diary at all, by their roles; no statement."""
    return COUNSELOR in actor.roles or can(actor, Right.KEEP_DIARY)


def between(
    actor: Actor, low: datetime, high: datetime, counselor: Counselor | None
) -> Shown[Appointment]:
    """Appointments with a part in [low, high), in order of start; two statements."""
    found = Appointment.objects.visible_to(actor).between(low, high)
    if counselor:
        found = found.filter(counselor=counselor)
    return _first(_with_people(found).order_by("period", "pk"), _APPOINTMENTS_SHOWN)


def seen(actor: Actor) -> QuerySet[Appointment]:
    """What this member may see, with who comes but without their names; two statements."""
    attendances = Attendance.objects.order_by("role", "pk")
    return (
        Appointment.objects.visible_to(actor)
        .select_related("service", "counselor")
        .prefetch_related(Prefetch("attendances", attendances))
    )


def beginning(actor: Actor, low: datetime, high: datetime) -> QuerySet[Appointment]:
    """As `seen`, those that begin in [low, high)."""
    return seen(actor).filter(
        period__startswith__gte=low,
        period__startswith__lt=high,
        period__overlap=DateTimeTZRange(low, high),
        # Said in the words of either index, of one counselor's and of everybody's.
        period__endswith__gt=low,
        blocked__endswith__gt=low,
    )


def requests(actor: Actor, now: datetime, counselor: Counselor | None) -> Shown[Appointment]:
    """Requests that wait for an answer, the earliest first; two statements."""
    found = (
        Appointment.objects.visible_to(actor).coming(now).filter(state=Appointment.State.REQUESTED)
    )
    if counselor:
        found = found.filter(counselor=counselor)
    return _first(_with_people(found).order_by("period", "pk"), _WAITING_SHOWN)


def shut_gates(actor: Actor, now: datetime, counselor: Counselor | None) -> Shown[Attendance]:
    """Partners of coming appointments who can't be written to yet; two statements.

    Which they are is asked without their persons: from so small a table a planner that errs would
    walk to every attendance of the past.
    """
    found = (
        Attendance.objects.visible_to(actor)
        .filter(
            appointment__state__in=Appointment.TAKES_PLACE,
            appointment__period__endswith__gt=now,
            appointment__blocked__endswith__gt=now,
        )
        .exclude(gate=Attendance.Gate.OPEN)
        .exclude(state=Attendance.State.CANCELLED)
    )
    if counselor:
        found = found.filter(appointment__counselor=counselor)
    order = ("appointment__period", "pk")
    some = list(found.order_by(*order).values_list("pk", flat=True)[: _WAITING_SHOWN + 1])
    rows = Attendance.objects.filter(pk__in=some).select_related(
        "person__key", "appointment__counselor__member", "appointment__service"
    )
    return _first(rows.order_by(*order), _WAITING_SHOWN)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A message that did not arrive, or may not have, and the attendance that it is about."""

    message: Message
    attendance: Attendance


def trouble(actor: Actor, now: datetime, counselor: Counselor | None) -> list[Trouble]:
    """Messages about the last and the coming days that failed or are in doubt; two statements."""
    seen = Attendance.objects.visible_to(actor)
    if counselor:
        seen = seen.filter(appointment__counselor=counselor)
    # Asked of each of these few rows; as a join it would read every appointment of the past.
    mine = Subquery(seen.filter(pk=OuterRef("subject_id")).values("pk")[:1])
    messages = list(
        Message.objects.alias(seen=mine)
        .filter(
            subject_kind="attendance",
            seen__isnull=False,
            state__in=_TROUBLE,
            about_at__gt=now - timedelta(days=1),
        )
        .order_by("about_at", "pk")[:_TROUBLE_SHOWN]
    )
    about = {
        one.pk: one
        for one in seen.filter(pk__in=[message.subject_id for message in messages]).select_related(
            "person__key", "appointment"
        )
    }
    return [
        Trouble(message, about[message.subject_id])
        for message in messages
        if message.subject_id in about
    ]


def appointment(actor: Actor, pk: UUID) -> Appointment | None:
    """One appointment with its attendees, or None where it isn't theirs to see; two statements."""
    found = Appointment.objects.visible_to(actor).filter(pk=pk).select_related("case")
    return _with_people(found).first()


def attendance(actor: Actor, pk: UUID) -> Attendance | None:
    """One attendance, or None where it isn't theirs to see; one statement."""
    found = Attendance.objects.visible_to(actor).filter(pk=pk)
    return found.select_related("person__key", "appointment").first()


def answers(actor: Actor, found: Appointment) -> list[Answer]:
    """What was answered before the booking and is for this member to see; one statement."""
    return list(
        Answer.objects.visible_to(actor)
        .filter(attendance__appointment=found)
        .select_related("question", "attendance__person__key")
        .order_by("question__position", "pk")
    )


def consents(found: Appointment) -> list[ConsentGiven]:
    """Which texts were agreed to; one statement."""
    return list(
        ConsentGiven.objects.filter(attendance__appointment=found)
        .select_related("consent")
        .order_by("consent__position", "pk")
    )


def contacts(persons: Iterable[Person]) -> dict[UUID, SafeContact]:
    """What each of these persons said about e-mail; one statement."""
    rows = SafeContact.objects.filter(person__in=persons, channel=SafeContact.Channel.EMAIL)
    return {row.person_id: row for row in rows}


def messages_about(found: Appointment) -> list[Message]:
    """Every row of the ledger about an appointment, in order of its moment; one statement."""
    about = [one.pk for one in found.attendances.all()]
    return list(
        Message.objects.filter(subject_kind="attendance", subject_id__in=about).order_by(
            "due_at", "pk"
        )
    )


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of an appointment's history."""

    at: datetime
    verb: str
    who: str
    kind: str


def history(found: Appointment) -> list[Happened]:
    """What became of an appointment, and by whom, without the looking; two statements."""
    entries = list(
        AuditEntry.objects.filter(subject_kind="appointment", subject_id=found.pk)
        .exclude(verb__in=_READS)
        .order_by("at", "pk")
    )
    names = {one.person_id: str(one.person.shown_name) for one in found.attendances.all()}
    members = Member.objects.filter(pk__in=[one.actor_id for one in entries if one.actor_id])
    known = {member.pk: member.name for member in members} | names
    return [
        Happened(
            one.at, one.verb, known.get(one.actor_id, "") if one.actor_id else "", one.actor_kind
        )
        for one in entries
    ]


def overlapping(
    actor: Actor, counselor: Counselor, low: datetime, high: datetime
) -> list[Appointment]:
    """What a booking by hand would lie over, as far as the member may see it; two statements."""
    found = (
        Appointment.objects.visible_to(actor).in_the_way_of(low, high).filter(counselor=counselor)
    )
    return list(_with_people(found).order_by("period", "pk"))


def busy(
    counselor: Counselor, low: datetime, high: datetime, shown: Iterable[UUID], now: datetime
) -> list[DateTimeTZRange]:
    """What else is in the way, as times alone: who it is isn't for this member; one statement.

    A time that a visitor holds looks the same as an appointment of a restricted client.
    """
    found = (
        Appointment.objects.in_the_way_of(low, high)
        .filter(Q(held_until__isnull=True) | Q(held_until__gt=now), counselor=counselor)
        .exclude(pk__in=list(shown))
    )
    return list(found.order_by("period").values_list("period", flat=True))


def case(actor: Actor, pk: UUID) -> Case | None:
    """One case, or None where it isn't theirs to see; one statement."""
    return Case.objects.visible_to(actor).filter(pk=pk).first()


def offered() -> list[Offer]:
    """Which counselor offers which service, those included that the public doesn't see."""
    return list(
        Offer.objects.filter(service__active=True, counselor__active=True)
        .select_related("service", "counselor__member")
        .order_by("service__position", "service__slug", "counselor__slug")
    )
