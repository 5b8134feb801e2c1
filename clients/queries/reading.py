"""Who read what, and whether they care for it: for the weekly report, and to notice the unusual."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from clients.models import (
    AuditEntry,
    BlindIndex,
    CareRelation,
    Case,
    CoupleMember,
    Member,
    Person,
)
from clients.queries import keys
from clients.rules import contact, unusual
from clients.rules.actors import Actor
from clients.rules.permissions import RIGHTS, Right, can
from clients.rules.unusual import Finding, Look

# What ends so is reading; everything else is work on the record, which the report leaves out.
_READING: Final = r"\.(read|exported|printed)$"
FOUND: Final = "reading.unusual"


def week_of(on: date) -> date:
    """The Monday of a day's week."""
    return on - timedelta(days=on.weekday())


def week_id(monday: date) -> UUID:
    """A week as the subject of a notice."""
    return UUID(int=monday.toordinal())


def monday_of(week: UUID) -> date | None:
    """The Monday that `week_id` was made of."""
    return date.fromordinal(week.int) if 0 < week.int <= date.max.toordinal() else None


def edges(monday: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """When a week begins and ends on the site's clock."""
    begins = [datetime.combine(day, time.min, zone) for day in (monday, monday + timedelta(days=7))]
    return begins[0], begins[1]


def reads(low: datetime, high: datetime) -> QuerySet[Any, Any]:
    """What members read of persons in [low, high), and whether each cared for whom they read."""
    at_the_time = Q(since_at__lte=OuterRef("at")) & (
        Q(ended_at__isnull=True) | Q(ended_at__gt=OuterRef("at"))
    )
    relations = CareRelation.objects.filter(at_the_time, member=OuterRef("actor_id"))
    own = Case.objects.filter(counselor=OuterRef("actor_id"))
    # A page that shows a person without a case is theirs who care for any case of this person.
    of_person = Q(person=OuterRef("person_id")) | Q(couple__members__person=OuterRef("person_id"))
    through = Q(case__person=OuterRef("person_id")) | Q(
        case__couple__members__person=OuterRef("person_id")
    )
    caseless = Q(case_id__isnull=True)
    return AuditEntry.objects.filter(
        actor_kind="member",
        at__gte=low,
        at__lt=high,
        verb__regex=_READING,
        person_id__isnull=False,
    ).annotate(
        cares=Exists(own.filter(pk=OuterRef("case_id")))
        | Exists(relations.filter(case=OuterRef("case_id")))
        | (caseless & (Exists(own.filter(of_person)) | Exists(relations.filter(through)))),
        closed=Exists(Case.objects.filter(pk=OuterRef("case_id"), closed_at__lt=OuterRef("at"))),
    )


# --- the unusual ---------------------------------------------------------------------------------


def looks(low: datetime, high: datetime) -> dict[UUID, list[Look]]:
    """What each member opened; a fixed number of statements."""
    rows = list(
        reads(low, high)
        .exclude(verb__in=unusual.LISTS)
        .values_list("actor_id", "at", "person_id", "cares", "closed")
    )
    own = _own_names({row[0] for row in rows}, {row[2] for row in rows})
    found: dict[UUID, list[Look]] = defaultdict(list)
    for member, at, person, cares, closed in rows:
        is_own = (member, person) in own
        found[member].append(Look(at, person, cares, is_own, closed))
    return found


def _own_names(members: Iterable[UUID], persons: Iterable[UUID]) -> set[tuple[UUID, UUID]]:
    """Which of these persons have a member's family name, or their address; by fingerprints."""
    wanted: dict[bytes, list[UUID]] = defaultdict(list)
    for member in Member.objects.filter(pk__in=list(members)).select_related("user"):
        words = contact.search_form(member.name).split()
        email = getattr(member.user, member.user.get_email_field_name(), "") or ""
        if words:
            wanted[keys.digest("name", words[-1])].append(member.pk)
        if email:
            wanted[keys.digest("email", contact.search_form(email))].append(member.pk)
    if not wanted:
        return set()
    rows = BlindIndex.objects.filter(digest__in=list(wanted), person__in=list(persons))
    return {
        (member, person)
        for person, digest in rows.values_list("person", "digest")
        for member in wanted[bytes(digest)]
    }


def unusual_reading(low: datetime, high: datetime) -> list[tuple[UUID, Finding]]:
    """Each member's findings in [low, high), by the site's days."""
    zone = timezone.get_default_timezone()
    return [
        (member, finding)
        for member, theirs in looks(low, high).items()
        for finding in unusual.findings(theirs, zone)
    ]


def raised(low: date, high: date) -> QuerySet[AuditEntry]:
    """What was found unusual about the days in [low, high); the days are in the entries."""
    return AuditEntry.objects.filter(
        verb=FOUND, detail__on__gte=low.isoformat(), detail__on__lt=high.isoformat()
    ).order_by("at", "pk")


# --- the weekly report ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reader:
    """A member who read in a week: of how many persons they don't care for, and how."""

    member_id: UUID
    opened: int
    listed: int


@dataclass(frozen=True, slots=True)
class Reading:
    """How often somebody opened one person's, or had them in a list."""

    member_id: UUID
    person_id: UUID
    case_id: UUID | None
    opened: int
    listed: int


def beside_care(actor: Actor, low: datetime, high: datetime) -> list[Reading]:
    """Who besides those who care for them read of the persons of a member's own cases.

    One statement. Own are the cases that the member cares for; a glass that they broke adds none.
    """
    cases = Case.objects.opened_to(actor.without_glass())
    together = CoupleMember.objects.filter(couple__case__in=cases.values("pk"))
    # What a page showed without a case.
    bare = Q(person_id__in=cases.values("person")) | Q(person_id__in=together.values("person"))
    rows = (
        reads(low, high)
        .filter(Q(case_id__in=cases.values("pk")) | Q(case_id__isnull=True) & bare, cares=False)
        .exclude(actor_id=actor.id)
        .order_by()
        .values("actor_id", "person_id", "case_id")
        .annotate(
            opened=Count("pk", filter=~Q(verb__in=unusual.LISTS)),
            listed=Count("pk", filter=Q(verb__in=unusual.LISTS)),
        )
        .order_by("-opened", "-listed", "actor_id", "person_id")
    )
    return [
        Reading(row["actor_id"], row["person_id"], row["case_id"], row["opened"], row["listed"])
        for row in rows
    ]


def readers(actor: Actor, low: datetime, high: datetime) -> list[Reader]:
    """For whoever may see who looked at what: each member's reading beside their care.

    One statement. What is restricted against the one who asks isn't counted.
    """
    if not can(actor, Right.SEE_ACCESS):
        return []
    known = Case.objects.visible_to(actor.without_glass())
    persons = Person.objects.visible_to(actor.without_glass())
    bare = Q(case_id__isnull=True, person_id__in=persons.values("pk"))
    rows = (
        reads(low, high)
        .filter(Q(case_id__in=known.values("pk")) | bare, cares=False)
        .order_by()
        .values(who=F("actor_id"))
        .annotate(
            opened=Count("person_id", distinct=True, filter=~Q(verb__in=unusual.LISTS)),
            listed=Count("person_id", distinct=True, filter=Q(verb__in=unusual.LISTS)),
        )
        .order_by("-opened", "-listed", "who")
    )
    return [Reader(row["who"], row["opened"], row["listed"]) for row in rows]


Beside = tuple[UUID, UUID, UUID | None]


def all_beside_care(low: datetime, high: datetime) -> list[Beside]:
    """Of all members: who read of whom beside their care, and of which case; one statement."""
    rows = reads(low, high).filter(cares=False).order_by()
    return list(rows.values_list("actor_id", "person_id", "case_id").distinct())


def has_a_report(actor: Actor, found: Iterable[Beside]) -> bool:
    """Whether any of it would stand in a member's report; by the few cases that it is about."""
    return _any_of(Case.objects.opened_to(actor), [one for one in found if one[0] != actor.id]) or (
        can(actor, Right.SEE_ACCESS)
        and _any_of(Case.objects.visible_to(actor), found, Person.objects.visible_to(actor))
    )


def _any_of(
    cases: QuerySet[Case], found: Iterable[Beside], persons: QuerySet[Person] | None = None
) -> bool:
    """Whether any is about these cases or, where no case was shown, about their persons."""
    of_cases = {case for _, _, case in found if case}
    bare = {person for _, person, case in found if not case}
    if of_cases and cases.filter(pk__in=of_cases).exists():
        return True
    if not bare:
        return False
    if persons is not None:
        return persons.filter(pk__in=bare).exists()
    theirs = Q(person__in=bare) | Q(couple__members__person__in=bare)
    return cases.filter(theirs).exists()


def with_right(right: Right) -> QuerySet[Member]:
    """Members who sign in and whose roles give a right."""
    roles = [role for role, rights in RIGHTS.items() if right in rights]
    return Member.objects.filter(roles__overlap=roles, user__is_active=True).order_by("pk")


def names(ids: Iterable[UUID]) -> Mapping[UUID, Member]:
    """Members by their ids; one statement."""
    return Member.objects.in_bulk(list(ids))
