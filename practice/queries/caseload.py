"""The cases on somebody's desk; each function says how many statements it takes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import F, FilteredRelation, Min, Prefetch, Q, QuerySet

from clients.models import Case, CoupleMember, Person
from clients.queries import people
from clients.rules import contact
from clients.rules.actors import Actor
from practice.models import Answer, Appointment, Attendance

PAGE: Final = 50
_SESSIONS_SHOWN: Final = 20
# A search that fits so many is no search yet.
_MOST_FOUND: Final = 500


@dataclass(frozen=True, slots=True)
class Voice:
    """A person of a case and the mark that they keep on every page: a or b."""

    person: Person
    mark: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the caseload."""

    case: Case
    voices: tuple[Voice, ...]
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the caseload, and whether there is one behind it."""

    rows: list[Listed]
    more: bool


def listed(
    actor: Actor, now: datetime, *, mine: bool, found: Iterable[Person] | None, number: int
) -> Page:
    """Cases that the actor may know of, those with the next session first; two statements.

    `mine`: those that one is assigned to or cares for. `found`: only those of these persons.
    `number` counts pages from 1.
    """
    seen = Case.objects.visible_to(actor)
    cases: QuerySet[Case] = seen.opened_to(actor.without_glass()) if mine else seen
    if found is not None:
        cases = _of(cases, found)
    first = (number - 1) * PAGE
    rows = list(_in_order(cases, now)[first : first + PAGE + 1])
    return Page(
        [Listed(one, voices(one), one.__dict__["next_at"]) for one in rows[:PAGE]],
        len(rows) > PAGE,
    )


def _of(cases: QuerySet[Case], persons: Iterable[Person]) -> QuerySet[Case]:
    ids = [one.pk for one in persons]
    together = CoupleMember.objects.filter(person__in=ids, left_at__isnull=True)
    return cases.filter(Q(person__in=ids) | Q(couple__in=together.values("couple")))


def _in_order(cases: QuerySet[Case], now: datetime) -> QuerySet[Case]:
    """Said so that what is over isn't read: the coming ones are few, and have an index."""
    coming = FilteredRelation(
        "appointments",
        condition=Q(
            appointments__state__in=Appointment.TAKES_PLACE,
            appointments__period__endswith__gt=now,
            appointments__blocked__endswith__gt=now,
        ),
    )
    return (
        _with_people(cases)
        .annotate(coming=coming)
        .annotate(next_at=Min("coming__period__startswith"))
        .order_by(
            F("next_at").asc(nulls_last=True),
            F("closed_at").desc(nulls_first=True),
            "-opened_at",
            "pk",
        )
    )


def _with_people(cases: QuerySet[Case]) -> QuerySet[Case]:
    members = CoupleMember.objects.filter(left_at__isnull=True).select_related("person__key")
    return cases.select_related("counselor", "couple", "person__key").prefetch_related(
        Prefetch("couple__members", members.order_by("voice"))
    )


def voices(case: Case) -> tuple[Voice, ...]:
    """The persons of a case that was read here, each with their mark."""
    if case.person is not None:
        return (Voice(case.person, "a"),)
    assert case.couple is not None  # noqa: S101 - the table has one or the other
    return tuple(Voice(one.person, "b" if one.voice else "a") for one in case.couple.members.all())


def search(actor: Actor, text: str, *, region: str) -> list[Person] | None:
    """Persons by an exact address or number, or by words of their name; two statements at most.

    None where so many have the name that it finds nobody.
    """
    try:
        if "@" in text:
            return people.persons_at(actor, email=text)
        if sum(char.isdecimal() for char in text) > len(text) / 2:
            return people.persons_called(actor, phone=contact.phone(text, region=region))
        found = people.persons_named(actor, text)
    except contact.Refused:
        return []
    except LookupError:  # nobody was ever known here, so nobody has a fingerprint
        return []
    return found if len(found) <= _MOST_FOUND else None


def case(actor: Actor, pk: UUID) -> Case | None:
    """One case with its persons, or None where it isn't theirs to know of; two statements."""
    found = _with_people(Case.objects.visible_to(actor)).filter(pk=pk)
    return found.select_related("counselor__counselor", "couple__key", "person__key").first()


def zone(case: Case, otherwise: str) -> str:
    """The clock of the counselor whose case it is."""
    diary = getattr(case.counselor, "counselor", None)
    return diary.zone if diary else otherwise


@dataclass(frozen=True, slots=True)
class Sessions:
    """A case's appointments: those to come, the next first, and those before, the last first."""

    coming: list[Appointment]
    past: list[Appointment]
    more_past: bool


def sessions(actor: Actor, case: Case, now: datetime) -> Sessions:
    """The appointments of a case that the actor may see; four statements."""
    attendances = Attendance.objects.select_related("person__key").order_by("role", "pk")
    seen = (
        Appointment.objects.visible_to(actor)
        .filter(case=case.pk)
        .select_related("service", "counselor__member", "room")
        .prefetch_related(Prefetch("attendances", attendances))
    )
    to_come = seen.coming(now)
    before = seen.exclude(pk__in=to_come.values("pk")).order_by("-period", "pk")
    past = list(before[: _SESSIONS_SHOWN + 1])
    return Sessions(
        list(to_come.order_by("period", "pk")[:_SESSIONS_SHOWN]),
        past[:_SESSIONS_SHOWN],
        len(past) > _SESSIONS_SHOWN,
    )


def answers(actor: Actor, case: Case) -> list[Answer]:
    """What those of a case wrote before they booked and the actor may read; one statement."""
    return list(
        Answer.objects.visible_to(actor)
        .filter(attendance__appointment__case=case.pk)
        .select_related("question", "attendance__person__key", "attendance__appointment")
        .order_by("-attendance__appointment__period", "question__position", "pk")[:50]
    )
