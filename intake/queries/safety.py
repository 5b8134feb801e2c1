"""Who must be told of a flag, and which flags somebody may see."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q

from clients.models import CareRelation, Case, Member, Notice, Person, SafeContact
from clients.queries import care
from clients.rules import actors
from clients.rules.actors import Actor
from intake.models import Flag, Response
from intake.rules import escalation


def clinicians(case: Case) -> list[Member]:
    """The case's counselor and co-counselors who still sign in; one statement."""
    return _caring(case, CareRelation.Kind.CO_COUNSELOR, Q(pk=case.counselor_id))


def clinicians_of(cases: Iterable[Case]) -> dict[UUID, list[Member]]:
    """As `clinicians` of each of these cases, by case; two statements for any number of them."""
    counselors = {one.pk: one.counselor_id for one in cases}
    together = CareRelation.objects.filter(
        case__in=counselors, kind=CareRelation.Kind.CO_COUNSELOR, ended_at__isnull=True
    )
    pairs = {*counselors.items(), *together.values_list("case", "member")}
    there = Member.objects.filter(user__is_active=True).in_bulk([one for _, one in pairs if one])
    found: dict[UUID, list[Member]] = {pk: [] for pk in counselors}
    for pk, member in pairs:
        if member in there:
            found[pk].append(there[member])
    return found


def supervisors(case: Case) -> list[Member]:
    """The case's supervisors who still sign in; one statement."""
    return _caring(case, CareRelation.Kind.SUPERVISOR, Q(pk__in=[]))


def _caring(case: Case, kind: str, besides: Q) -> list[Member]:
    standing = CareRelation.objects.filter(
        case=case.pk, member=OuterRef("pk"), kind=kind, ended_at__isnull=True
    )
    found = Member.objects.filter(besides | Q(Exists(standing)), user__is_active=True)
    return list(found.order_by("pk"))


def admins(case: Case) -> list[Member]:
    """The admins who may know of the case; all of them where none may: somebody has to act."""
    found = Member.objects.filter(user__is_active=True, roles__contains=[actors.ADMIN])
    everybody = list(found.order_by("pk"))
    knowing = [one for one in everybody if care.knows_of(one.as_actor(), case.pk)]
    return knowing or everybody


def unseen_before(now: datetime, after: timedelta) -> Q:
    """Of open flags: those that nobody has seen, and that are due to be told further up."""
    urgent = now - min(after, escalation.URGENT_AFTER)
    first = _waits_since(now - after) | Q(severity=escalation.URGENT) & _waits_since(urgent)
    untold = Q(escalated_at__isnull=True) | Q(escalated_at__lt=F("renewed_at"))
    again = Q(escalated_at__lte=now - escalation.AGAIN_AFTER)
    return Q(seen_at__isnull=True) & (untold & first | ~untold & again)


def _waits_since(moment: datetime) -> Q:
    """Of flags: those that wait as they are now since then, or for longer."""
    return Q(renewed_at__isnull=True, raised_at__lte=moment) | Q(renewed_at__lte=moment)


def told(flags: Iterable[Flag], kind: str) -> set[tuple[UUID, UUID]]:
    """Which members were told of which of these flags; one statement."""
    rows = Notice.objects.filter(
        kind=kind, subject_kind="flag", subject_id__in=[one.pk for one in flags]
    )
    return set(rows.values_list("subject_id", "member_id"))


# --- what a clinician sees -----------------------------------------------------------------------


def flag(actor: Actor, pk: UUID) -> Flag | None:
    """One flag with its person and case, or None where it isn't theirs to see; one statement."""
    found = Flag.objects.visible_to(actor).filter(pk=pk)
    return found.select_related(
        "case__counselor",
        "case__couple__key",
        "case__person__key",
        "person__key",
        "seen_by",
        "closed_by",
    ).first()


def response_of(actor: Actor, found: Flag) -> Response | None:
    """What raised the flag, for who may read it; one statement."""
    if found.response_id is None:
        return None
    rows = Response.objects.visible_to(actor).filter(pk=found.response_id)
    return rows.select_related("assignment__instrument", "assignment__intake__person__key").first()


def open_flags(actor: Actor, case: Case) -> list[Flag]:
    """The case's open flags that this member may see, the gravest first; one statement."""
    found = Flag.objects.visible_to(actor).open().filter(case=case.pk).select_related("person__key")
    return sorted(
        found, key=lambda one: (escalation.SEVERITIES.index(one.severity), one.raised_at, one.pk)
    )


def may_close(actor: Actor, case: Case) -> bool:
    """Whether the actor closes the case's flags: a clinician of it, and not by the broken glass."""
    return actor.kind == "system" or care.counsels(actor, case)


def ways(person: Person) -> list[SafeContact]:
    """What the person said about each channel; one statement."""
    return list(SafeContact.objects.filter(person=person.pk).order_by("channel"))
