"""Who cares for a case and as what, and who has opened one without caring for it."""

from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from clients.models import BreakGlass, CareRelation, Case, Member, Person
from clients.rules.actors import Actor
from clients.rules.care import ROLE_NEEDED
from clients.rules.permissions import Right, can


def counsels(actor: Actor, case: Case) -> bool:
    """Whether the actor is the case's counselor or co-counselor; one statement at most."""
    if actor.kind != "member":
        return False
    return (
        case.counselor_id == actor.id
        or _standing(case).filter(member=actor.id, kind=CareRelation.Kind.CO_COUNSELOR).exists()
    )


def of_person(person: Person) -> Q:
    """Cases of a person's: alone, or of a couple that they haven't left."""
    return Q(person=person) | Q(
        couple__members__person=person, couple__members__left_at__isnull=True
    )


def counsels_person(actor: Actor, person: Person) -> bool:
    """Whether the actor counsels this person in a case that isn't closed; one statement at most.

    Assigned or as co-counselor: a supervisor looks on.
    """
    if actor.kind != "member":
        return False
    together = CareRelation.objects.filter(
        case=OuterRef("pk"),
        member=actor.id,
        kind=CareRelation.Kind.CO_COUNSELOR,
        ended_at__isnull=True,
    )
    found = Case.objects.filter(of_person(person)).exclude(state=Case.State.CLOSED)
    return found.filter(Q(counselor=actor.id) | Q(Exists(together))).exists()


def is_open(actor: Actor, case: Case) -> bool:
    """Whether the actor may read the case's record; one statement."""
    return Case.objects.opened_to(actor).filter(pk=case.pk).exists()


def knows_of(actor: Actor, case_id: UUID) -> bool:
    """Whether the actor may know of the case, also without a broken glass; one statement."""
    return Case.objects.visible_to(actor.without_glass()).filter(pk=case_id).exists()


def only_by_glass(actor: Actor, case: Case) -> bool:
    """Whether the actor, who sees the case, does so by a broken glass alone: it is read then, and
    nothing else. No statement for who broke none.
    """
    return case.pk in actor.opened and not knows_of(actor, case.pk)


def may_know(actor: Actor, case: Case) -> bool:
    """Whether the actor may know of this case; no statement where their role says so."""
    if case.restricted_at is None and can(actor, Right.SEE_DIARY):
        return True
    return Case.objects.visible_to(actor).filter(pk=case.pk).exists()


def team(case: Case) -> list[CareRelation]:
    """The relations that stand, the oldest of each kind first; one statement."""
    return list(_standing(case).select_related("member").order_by("kind", "since_at", "pk"))


def relation(actor: Actor, pk: UUID) -> CareRelation | None:
    """A standing relation of a case that the actor may know of; one statement."""
    cases = Case.objects.visible_to(actor.without_glass())
    found = CareRelation.objects.filter(pk=pk, ended_at__isnull=True, case__in=cases)
    return found.select_related("case", "member").first()


def to_be_told(case: Case) -> list[Member]:
    """Whom it concerns that somebody opened the case: its counselor and its supervisors."""
    supervisors = _standing(case).filter(kind=CareRelation.Kind.SUPERVISOR).values("member")
    concerned = Q(pk__in=[case.counselor_id]) | Q(pk__in=supervisors)
    return list(Member.objects.filter(concerned).order_by("pk"))


def candidates(case: Case) -> list[Member]:
    """Whom an admin chooses from: who signs in and has a role, but for the case's counselor."""
    roles = [one for needed in ROLE_NEEDED.values() for one in needed]
    found = Member.objects.filter(user__is_active=True, roles__overlap=roles)
    found = found.exclude(pk__in=[case.counselor_id])
    return list(found.order_by("name", "pk"))


def glass(actor: Actor, case_id: UUID, now: datetime) -> BreakGlass | None:
    """The glass that the actor broke of this case, while it is open; no statement for others."""
    if case_id not in actor.opened:
        return None
    found = BreakGlass.objects.filter(case=case_id, member=actor.id, ends_at__gt=now)
    return found.order_by("-ends_at").first()


def _standing(case: Case) -> "QuerySet[CareRelation]":
    return CareRelation.objects.filter(case=case.pk, ended_at__isnull=True)
