"""The cases on somebody's desk; each function says how many statements it takes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from uuid import UUID

from django.db.models import F, FilteredRelation, Min, Prefetch, Q, QuerySet

from clients.models import Case, CoupleMember, Person
from clients.queries import people
from clients.queries.people import Sought
from clients.rules import contact
from clients.rules.actors import Actor
from clients.rules.permissions import Right, can
from practice.models import Answer, Appointment, Attendance
from practice.rules import wall

PAGE: Final = 50
_SESSIONS_SHOWN: Final = 20
# A search that fits so many is no search yet.
_MOST_FOUND: Final = 500
# Of cases of others no more are told of at once.
OTHERS: Final = 10


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


# --- whom somebody looks for ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Other:
    """A case whose glass one may break: whose it is and since when, and nobody's name.

    `found` are those of its persons who were looked for, to be put on record.
    """

    case: Case
    opened_on: date
    found: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a search; nobody where so many have the name that it is none."""

    persons: list[Person] = field(default_factory=list)
    too_many: bool = False
    others: list[Other] = field(default_factory=list)


def search(actor: Actor, text: str, *, region: str, zone: str) -> Found:
    """Whom an exact address or number fits, or words of their name; four statements at most."""
    try:
        wanted = people.sought(text, region=region)
    except contact.Refused:
        return Found()
    except LookupError:  # nobody was ever known here, so nobody has a fingerprint
        return Found()
    persons = people.persons_sought(actor, wanted)
    too_many = len(persons) > _MOST_FOUND
    return Found([] if too_many else persons, too_many, _others(actor, wanted, zone))


def breaks_for_others(actor: Actor) -> bool:
    """Whether there may be cases that the actor doesn't know of and could open."""
    return can(actor, Right.BREAK_GLASS) and not can(actor, Right.SEE_DIARY)


def _others(actor: Actor, wanted: Sought, zone: str) -> list[Other]:
    """The newest cases of others that have whom somebody looks for; two statements at most.

    Nobody is found by a single word, so that first names can't be leafed through, and nobody who
    has a case that is restricted against the actor.
    """
    if not wanted.is_sure or not breaks_for_others(actor):
        return []
    found = people.fitting(Person.objects.all().not_hidden_from(actor), wanted).values("pk")
    known = Case.objects.visible_to(actor).values("pk")
    together = CoupleMember.objects.filter(person__in=found, left_at__isnull=True)
    cases = (
        Case.objects.breakable_by(actor)
        .exclude(pk__in=known)
        .filter(Q(person__in=found) | Q(couple__in=together.values("couple")))
        .select_related("counselor", "couple")
        .prefetch_related(Prefetch("couple__members", together))
        .order_by("-opened_at", "pk")
    )
    return [
        Other(one, wall.wall(wall.minute_floor(one.opened_at), zone).date(), _found_in(one))
        for one in cases[:OTHERS]
    ]


def _found_in(case: Case) -> tuple[UUID, ...]:
    if case.person_id is not None:
        return (case.person_id,)
    assert case.couple is not None  # noqa: S101 - the table has one or the other
    return tuple(one.person_id for one in case.couple.members.all())


# --- one case ------------------------------------------------------------------------------------


def breakable(actor: Actor, pk: UUID) -> Case | None:
    """A case whose glass the actor may break, and whose it is; one statement."""
    found = Case.objects.breakable_by(actor).filter(pk=pk)
    return found.select_related("counselor__counselor").first()


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
