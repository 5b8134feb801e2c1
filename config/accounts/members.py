"""Make members, and give back the way in to one who lost it."""

from datetime import datetime

from allauth.mfa.models import Authenticator
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q

from clients.actions import audit
from clients.models import Member
from clients.rules.actors import Actor
from config import sessions


class Refused(Exception):
    """The member can't be made, or isn't there; the text is one sentence."""


@transaction.atomic
def add(
    *, username: str, name: str, email: str, roles: list[str], by: Actor, now: datetime
) -> Member:
    """Make a member who has no password yet. Refuses (Refused) a name or address that is taken."""
    users = get_user_model().objects
    taken = Q(username__iexact=username)
    if email:
        taken |= Q(email__iexact=email)
    if users.filter(taken).exists():
        raise Refused("Somebody has this user name or this e-mail address already.")
    user = users.create_user(username=username, email=email)
    member = Member.objects.create(user=user, name=name, roles=roles)
    audit.record(
        verb="member.made",
        subject_kind="member",
        subject_id=member.pk,
        by=by,
        now=now,
        detail={"roles": sorted(roles)},
    )
    return member


def member_of(username: str) -> Member:
    """The member who signs in as this. Refuses (Refused) a name that no member has."""
    try:
        return Member.objects.select_related("user").get(user__username__iexact=username)
    except Member.DoesNotExist:
        raise Refused(f"No member signs in as '{username}'.") from None


@transaction.atomic
def reset_factors(*, member: Member, by: Actor, now: datetime) -> int:
    """Take all second factors away and end all sessions; returns how many factors there were.

    Whoever must have one sets up another at the next sign-in, with the password.
    """
    gone = Authenticator.objects.filter(user_id=member.user_id).exclude(
        type=Authenticator.Type.RECOVERY_CODES
    )
    count: int = gone.count()
    Authenticator.objects.filter(user_id=member.user_id).delete()
    sessions.end(member.user)
    audit.record(
        verb="member.factors_reset",
        subject_kind="member",
        subject_id=member.pk,
        by=by,
        now=now,
        detail={"factors": count},
    )
    return count


@transaction.atomic
def give_link(*, member: Member, by: Actor, now: datetime) -> None:
    """Put on record that an admin made a link with which the member chooses a password."""
    audit.record(
        verb="member.link_made", subject_kind="member", subject_id=member.pk, by=by, now=now
    )


@transaction.atomic
def set_active(*, member: Member, active: bool, by: Actor, now: datetime) -> None:
    """Let a member in, or shut them out at once: their sessions end."""
    user = member.user
    user.is_active = active
    user.save(update_fields=["is_active"])
    if not active:
        sessions.end(user)
    audit.record(
        verb="member.let_in" if active else "member.shut_out",
        subject_kind="member",
        subject_id=member.pk,
        by=by,
        now=now,
    )
