"""Break the glass: open a case that one doesn't care for, for an hour, with a reason on record."""

from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils.module_loading import import_string

from clients.actions import audit, notices
from clients.models import BreakGlass, Case, Member
from clients.queries import care
from clients.rules import care as policy
from clients.rules import contact, permissions
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted, Right


class NoSecondFactor(Exception):
    """Whoever asks has nothing but a password."""


@transaction.atomic
def break_glass(*, case: Case, reason: str, by: Actor, now: datetime) -> BreakGlass:
    """Let the actor read the case for an hour; its counselor and supervisors are told at once.

    While it is open, twice is the same as once. Refuses (NotPermitted) members without the right,
    and a case that is restricted against them, as if there were none; (NotAllowed) a reason of
    less than ten characters or more than five hundred, and who cares for the case anyway;
    (NoSecondFactor) who has none.
    """
    permissions.check(by, Right.BREAK_GLASS)
    # One at a time, so that a button pressed twice opens one glass.
    members = Member.objects.select_related("user").select_for_update(of=("self",), no_key=True)
    member = members.get(pk__in=[by.id])
    found = Case.objects.breakable_by(by.without_glass()).filter(pk=case.pk)
    row = found.select_related("couple__key", "person__key").first()
    if row is None:
        raise NotPermitted
    reason = contact.paragraph(reason, limit=policy.MOST_REASON).strip()
    policy.check_reason(reason)
    if care.is_open(by.without_glass(), row):
        raise policy.NotAllowed("cares_already")
    if not _has_second_factor(member.user):
        raise NoSecondFactor
    standing = BreakGlass.objects.filter(case=row, member=member, ends_at__gt=now).first()
    if standing is not None:
        return standing
    glass = BreakGlass.objects.create(
        case=row, member=member, reason=reason, opened_at=now, ends_at=now + BreakGlass.LONGEST
    )
    audit.record(
        verb="case.glass_broken",
        subject_kind="case",
        subject_id=row.pk,
        case_id=row.pk,
        by=by,
        now=now,
        detail={"glass": str(glass.pk)},
    )
    notices.tell(
        members=[one for one in care.to_be_told(row) if one.pk != member.pk],
        kind="glass_broken",
        subject_kind="glass",
        subject_id=glass.pk,
        by=by,
        now=now,
    )
    return glass


def _has_second_factor(user: AbstractBaseUser) -> bool:
    """Whether the site says so of this user; a demo, which is there to be looked at, asks nobody.

    A site that says nothing (`DUET["STRONG_AUTH"]` is empty) has nobody with a second factor.
    """
    if settings.DUET["MODE"] == "demo":
        return True
    path: str = settings.DUET["STRONG_AUTH"]
    if not path:
        return False
    says: Callable[[AbstractBaseUser], bool] = import_string(path)
    return says(user)
