"""What a person sees on their own page. Nothing of it depends on anybody else's doing."""

import logging
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from clients.models import Case, Member, Person
from clients.models.people import PersonQuerySet
from clients.queries import audit, care
from clients.rules import actors
from clients.rules.actors import Actor
from clients.rules.envelope import KeyRefused, Unreadable
from intake.models import Agreement, Assignment, Instrument, Intake, Response
from intake.queries import responses
from intake.rules import printed, wording
from practice.models import Answer, Attendance, ConsentGiven
from practice.queries import pages
from practice.rules import wall

logger = logging.getLogger(__name__)

_SHOWN = 50
# As `Attendance.starts_at`: who left before it was moved knows the time of then.
_STARTS: Final = Coalesce("left_period__startswith", "appointment__period__startswith")


def who_may_be_written_to() -> PersonQuerySet:
    """Persons to whom a letter about themselves may go at all.

    Whoever was only ever named by somebody else, and of whom nobody said that writing is safe,
    hears nothing of us: not even when their own address is typed into our page.
    """
    parts = Attendance.objects.filter(person=OuterRef("pk"))
    return Person.objects.filter(~Exists(parts) | Exists(parts.filter(gate=Attendance.Gate.OPEN)))


def appointments(person: Person, now: datetime) -> list[Attendance]:
    """A person's own parts that their link would still open, the next one first; one statement.

    One of which they may not be told yet isn't there.
    """
    found = (
        Attendance.objects.visible_to(Actor.of_person(person.pk))
        .filter(gate=Attendance.Gate.OPEN)
        .ending_after(now - pages.LINK_OUTLIVES_END)
        .select_related("appointment__service", "appointment__counselor__member")
        .order_by(_STARTS, "pk")
    )
    rows = list(found[:_SHOWN])
    for row in rows:
        row.person = person
    return rows


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a person still has to fill in behind one of their links, and by when."""

    token: str
    forms: int
    due_at: datetime | None


def waiting(person: Person, now: datetime) -> list[Waiting]:
    """The links behind which something of this person's own is still open; one statement."""
    is_open = Q(assignments__state=Assignment.State.OPEN) & (
        Q(assignments__expires_at__isnull=True) | Q(assignments__expires_at__gt=now)
    )
    found: QuerySet[Any] = (
        Intake.objects.visible_to(Actor.of_person(person.pk))
        .filter(ended_at__isnull=True, ends_at__gt=now)
        .annotate(
            forms=Count("assignments", filter=is_open),
            due_at=Min("assignments__due_at", filter=is_open),
        )
        .filter(forms__gt=0)
        .order_by("opened_at", "pk")
    )
    rows = []
    for row in found[:_SHOWN]:
        row.person = person
        rows.append(Waiting(row.token, row.forms, row.due_at))
    return rows


@dataclass(frozen=True, slots=True)
class Written:
    """A form that a person has sent, with every question and what they said to it."""

    title: str
    sent_at: datetime
    # None where what was written can't be opened; the log says which row it is.
    lines: list[printed.Line] | None


def written(actor: Actor, language: str) -> list[Written]:
    """What a person sent, in their own words, the newest first; nothing without a second proof.

    The private check isn't among it: whoever looks over a shoulder learns nothing of it.
    """
    found = (
        responses.unguarded(Response.objects.visible_to(actor).sent())
        .filter(assignment__intake__person=actor.id)
        .select_related("assignment__intake__person__key", "assignment__instrument")
        .order_by("-sent_at", "pk")
    )
    return [
        Written(
            _title(row.assignment.instrument, language),
            row.sent_at,
            _lines(row, language),
        )
        for row in found[:_SHOWN]
        if row.sent_at is not None
    ]


def _lines(row: Response, language: str) -> list[printed.Line] | None:
    definition = row.assignment.instrument.parsed
    try:
        answers = row.said()
    except (Unreadable, KeyRefused):
        logger.error("A sealed value can't be opened: an answered form, %s", row.pk)
        return None
    return printed.lines(definition, answers, language, short=row.assignment.short)


def _title(instrument: Instrument, language: str) -> str:
    """What clients read above it."""
    definition = instrument.parsed
    key = "client_title" if definition.client_title else "title"
    return wording.text(definition, key, language)


@dataclass(frozen=True, slots=True)
class Agreed:
    """A text that a person agreed to, in the words that they read; and when they took it back."""

    text: str
    version: str
    given_at: datetime
    withdrawn_at: datetime | None = None


def consents(person_id: UUID) -> list[Agreed]:
    """What a person agreed to when booking and in forms, the newest first; two statements.

    What was signed within a private check isn't among it: see `written`.
    """
    booked = ConsentGiven.objects.filter(attendance__person=person_id).select_related("consent")
    signed = (
        Agreement.objects.visible_to(Actor.of_person(person_id))
        .exclude(response__guarded=True)
        .only("text", "version", "given_at", "withdrawn_at")
    )
    found = [
        *(
            Agreed(one.consent.text, str(one.consent.version), one.given_at)
            for one in booked.order_by("-given_at", "consent__slug")[:_SHOWN]
        ),
        *(
            Agreed(one.text, one.version, one.given_at, one.withdrawn_at)
            for one in signed.order_by("-given_at", "kind", "slug", "pk")[:_SHOWN]
        ),
    ]
    return sorted(found, key=lambda one: one.given_at, reverse=True)


def answers(actor: Actor) -> list[Answer]:
    """What a person themselves wrote, the newest first; nothing without a second proof."""
    found = (
        Answer.objects.visible_to(actor)
        .filter(attendance__person=actor.id)
        .select_related("question", "attendance__person__key", "attendance__appointment")
    )
    return list(found.order_by("-attendance__appointment__created_at", "question__position")[:200])


@dataclass(frozen=True, slots=True)
class Look:
    """On which day somebody of the practice did what about a person's record: codes."""

    on: date
    role: str
    kind: str


_KINDS: Final = {"read": "looked", "reported": "looked", "exported": "copied", "printed": "copied"}
_LINES = 200


def looks(person: Person) -> list[Look]:
    """Who of the practice looked at a person's record: the day, as what, and what they did.

    Only what is about this very person: entries about a couple's case would tell how much goes on
    with the other one. Colleagues are told by what they are to the person, never by name.
    """
    found = audit.looked_at(person.pk, wall.zone_info(person.zone))
    roles = _roles({one.actor_id for one in found if one.actor_id}, person)
    lines = dict.fromkeys(
        Look(one.on, roles.get(one.actor_id, "") if one.actor_id else "", _kind(one.verb))
        for one in found
    )
    return list(lines)[:_LINES]


def _kind(verb: str) -> str:
    if verb == "portal.code_given":
        return "gave_code"
    return _KINDS.get(verb.rpartition(".")[2], "changed")


def _roles(members: set[UUID], person: Person) -> dict[UUID, str]:
    """What each member is to this person: a code."""
    cases = Case.objects.filter(care.of_person(person))
    own = set(cases.values_list("counselor", flat=True))
    rank = (actors.COUNSELOR, actors.SUPERVISOR, actors.REVIEWER, actors.FRONT_DESK, actors.ADMIN)
    found = {}
    for member in Member.objects.filter(pk__in=members):
        first = next((role for role in rank if role in member.roles), "")
        found[member.pk] = "own_counselor" if member.pk in own else first
    return found
