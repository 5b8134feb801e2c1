"""Say who cares for a case, who may know of it, and whether it goes on."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from clients.actions import audit, notices
from clients.models import CareRelation, Case, Couple, Member
from clients.queries import care
from clients.rules import care as policy
from clients.rules import permissions
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted, Right


@transaction.atomic
def assign(*, case: Case, member: Member, by: Actor, now: datetime) -> Case:
    """Make `member` the case's counselor in place of the one before; both are told.

    Twice is the same as once. Refuses (NotPermitted) members without the right, or who may not
    know of the case, (NotAllowed) a closed case, and a member who is no counselor or shut out.
    """
    permissions.check(by, Right.MANAGE_CARE)
    case = _locked(case, by)
    policy.check_active(active=_is_active(member))
    policy.check_assignable(closed=_is_closed(case), roles=member.roles)
    if case.counselor_id == member.pk:
        return case
    before = case.counselor
    case.counselor = member
    case.save(update_fields=["counselor"])
    # Whoever is the counselor is not besides something else.
    CareRelation.objects.filter(case=case, member=member, ended_at__isnull=True).update(
        ended_at=now
    )
    # Each time is told of anew: a case may come back to whoever had it before.
    act = ("act", _record("case.counselor_set", case, by, now, member=str(member.pk)))
    _tell([member], "case_given", act, by, now)
    if before is not None:
        _tell([before], "case_taken", act, by, now)
    return case


@transaction.atomic
def relate(*, case: Case, member: Member, kind: str, by: Actor, now: datetime) -> CareRelation:
    """Let `member` care for the case as `kind` says; its counselor is told.

    Refuses (NotPermitted) members without the right, or who may not know of the case,
    (NotAllowed) a closed case, a member without the role or shut out, its own counselor, and what
    stands.
    """
    permissions.check(by, Right.MANAGE_CARE)
    case = _locked(case, by)
    policy.check_active(active=_is_active(member))
    policy.check_relatable(
        kind=kind,
        closed=_is_closed(case),
        roles=member.roles,
        is_counselor=case.counselor_id == member.pk,
        standing={one.kind for one in care.team(case) if one.member_id == member.pk},
    )
    row = CareRelation.objects.create(case=case, member=member, kind=kind, since_at=now)
    _record("case.care_added", case, by, now, member=str(member.pk), kind=kind)
    _tell([member, *_counselor(case)], "care_added", ("care", row.pk), by, now)
    return row


@transaction.atomic
def end(*, relation: CareRelation, by: Actor, now: datetime) -> CareRelation:
    """End a relation: from this moment the member sees what their roles alone let them see.

    Refuses (NotPermitted) members without the right, or who may not know of the case,
    (NotAllowed) one that has ended.
    """
    permissions.check(by, Right.MANAGE_CARE)
    case = _locked(relation.case, by)
    relation = CareRelation.objects.select_for_update(of=("self",)).get(pk=relation.pk)
    policy.check_endable(ended=relation.ended_at is not None)
    relation.ended_at = now
    relation.save(update_fields=["ended_at"])
    _record("case.care_ended", case, by, now, member=str(relation.member_id), kind=relation.kind)
    _tell(_counselor(case), "care_ended", ("care", relation.pk), by, now)
    return relation


@transaction.atomic
def restrict(*, case: Case, by: Actor, now: datetime) -> Case:
    """Let nobody know of the case but those who care for it or are named; also not who does this.

    Twice is the same as once. Refuses (NotPermitted) who is neither its counselor nor has the
    right, or may not know of it.
    """
    case = _locked(case, by)
    permissions.check_restricts(by, case.counselor_id)
    if case.restricted_at is None:
        case.restricted_at = now
        case.save(update_fields=["restricted_at"])
        _record("case.restricted", case, by, now)
    return case


@transaction.atomic
def lift(*, case: Case, by: Actor, now: datetime) -> Case:
    """Let those know of the case again whose roles let them know of others. Refuses as above."""
    case = _locked(case, by)
    permissions.check_restricts(by, case.counselor_id)
    if case.restricted_at is not None:
        case.restricted_at = None
        case.save(update_fields=["restricted_at"])
        _record("case.unrestricted", case, by, now)
    return case


@transaction.atomic
def close(*, case: Case, by: Actor, now: datetime) -> Case:
    """Close a case; what is still to come is for `practice.actions.cases` to ask.

    Twice is the same as once. Refuses (NotPermitted) who is neither its counselor nor has the
    right, or may not know of it.
    """
    case = _locked(case, by)
    permissions.check_closes(by, case.counselor_id)
    if not _is_closed(case):
        _set_state(case, Case.State.CLOSED, now)
        _record("case.closed", case, by, now)
    return case


@transaction.atomic
def reopen(*, case: Case, in_care: bool, by: Actor, now: datetime) -> Case:
    """Go on with a closed case, as one in care or as an enquiry. Refuses as `close` does."""
    case = _locked(case, by)
    permissions.check_closes(by, case.counselor_id)
    if _is_closed(case):
        _set_state(case, Case.State.ACTIVE if in_care else Case.State.ENQUIRY, None)
        _record("case.reopened", case, by, now)
    return case


@transaction.atomic
def take_on(*, case: Case, by: Actor, now: datetime) -> Case:
    """Work with those of an enquiry from now on; any other case stays as it is.

    Refuses (NotPermitted) who neither reviews nor counsels them, or may not know of it.
    """
    case = _locked(case, by)
    permissions.check_reviews(by, counsels=care.counsels(by, case))
    if case.state == Case.State.ENQUIRY:
        _set_state(case, Case.State.ACTIVE, None)
        _record("case.taken_on", case, by, now)
    return case


@transaction.atomic
def turn_away(*, case: Case, by: Actor, now: datetime) -> Case:
    """Close an enquiry that comes to nothing; a case in care stays open. Refuses as `take_on`."""
    case = _locked(case, by)
    permissions.check_reviews(by, counsels=care.counsels(by, case))
    if case.state == Case.State.ENQUIRY:
        _set_state(case, Case.State.CLOSED, now)
        _record("case.closed", case, by, now)
    return case


def _set_state(case: Case, state: Case.State, closed_at: datetime | None) -> None:
    case.state, case.closed_at = state, closed_at
    case.save(update_fields=["state", "closed_at"])
    Couple.objects.filter(case=case).update(ended_at=closed_at, paused_at=None)


def _locked(case: Case, by: Actor) -> Case:
    """The case as it stands now, locked. Refuses (NotPermitted) who may not know of it."""
    found = Case.objects.visible_to(by.without_glass()).filter(pk=case.pk)
    row = found.select_related("counselor").select_for_update(of=("self",), no_key=True).first()
    if row is None:
        raise NotPermitted
    return row


def _is_active(member: Member) -> bool:
    return Member.objects.filter(pk=member.pk, user__is_active=True).exists()


def _is_closed(case: Case) -> bool:
    return case.state == Case.State.CLOSED


def _counselor(case: Case) -> list[Member]:
    return [case.counselor] if case.counselor else []


def _tell(
    members: list[Member], kind: str, subject: tuple[str, UUID], by: Actor, now: datetime
) -> None:
    """Whoever did it knows already."""
    others = [one for one in members if one.pk != by.id]
    subject_kind, subject_id = subject
    notices.tell(
        members=others, kind=kind, subject_kind=subject_kind, subject_id=subject_id, by=by, now=now
    )


def _record(verb: str, case: Case, by: Actor, now: datetime, **detail: object) -> UUID:
    """Put it on record; the entry's id."""
    entry = audit.record(
        verb=verb,
        subject_kind="case",
        subject_id=case.pk,
        case_id=case.pk,
        by=by,
        now=now,
        detail=detail,
    )
    return entry.pk
