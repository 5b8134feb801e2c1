"""What sign-ins and changes of factors leave behind: audit entries, ended sessions, a letter."""

from collections.abc import Callable, Mapping
from typing import Any

from allauth.core import context
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest
from django.utils import timezone

from clients.actions import audit
from clients.models import Member
from clients.rules.actors import Actor
from config import sessions
from config.accounts.adapter import AccountAdapter
from config.accounts.backend import find
from config.accounts.forms import mark_used


def connect() -> None:
    """Listen; called once when the site starts."""
    user_logged_in.connect(_signed_in, dispatch_uid="config.accounts.in")
    user_logged_out.connect(_signed_out, dispatch_uid="config.accounts.out")
    user_login_failed.connect(_refused, dispatch_uid="config.accounts.refused")
    # The rows' own signals, which come in the transaction of the change, whoever makes it.
    post_save.connect(_saved, Authenticator, dispatch_uid="config.accounts.saved")
    post_delete.connect(_deleted, Authenticator, dispatch_uid="config.accounts.deleted")
    mfa.authentication_failed.connect(_failed, dispatch_uid="config.accounts.failed")


def password_changed(request: HttpRequest, user: AbstractBaseUser) -> None:
    """The member chose another password: other sessions end, and the member is told."""
    sessions.end(user, keep=request.session.session_key)
    _record("member.password_changed", user, by_themselves=True)
    _tell(request, "account/email/password_changed", user)


def password_chosen(request: HttpRequest, user: AbstractBaseUser) -> None:
    """Somebody with the link chose a password: all sessions end, and the member is told."""
    sessions.end(user)
    _record("member.password_chosen", user, by_themselves=False)
    _tell(request, "account/email/password_reset", user)


def sessions_ended(user: AbstractBaseUser) -> None:
    """The member ended sessions of theirs."""
    _record("member.sessions_ended", user, by_themselves=True)


def _signed_in(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    sessions.signed_in(request)
    with transaction.atomic():
        _record("member.signed_in", user, by_themselves=True)


def _signed_out(request: HttpRequest, user: AbstractBaseUser | None, **_: Any) -> None:
    if user is not None:
        with transaction.atomic():
            _record("member.signed_out", user, by_themselves=True)


def _refused(credentials: Mapping[str, Any], **_: Any) -> None:
    """A wrong password, or a name that nobody has: one entry either way, to take as long.

    What was typed isn't in it: it may be the password.
    """
    user = find(str(credentials.get("username") or credentials.get("email") or ""))
    member = Member.objects.filter(user=user.pk if user else None).first()
    with transaction.atomic():
        audit.record(
            verb="member.sign_in_refused",
            subject_kind="member",
            subject_id=member.pk if member else None,
            by=Actor.visitor(),
            now=timezone.now(),
        )


def _saved(instance: Authenticator, created: bool, **_: Any) -> None:
    if not created:
        return
    if instance.type == Authenticator.Type.TOTP:
        mark_used(instance)
    _changed("member.factor_added", instance)


def _deleted(instance: Authenticator, **_: Any) -> None:
    _changed("member.factor_removed", instance)


def _changed(verb: str, row: Authenticator) -> None:
    """On record, and other sessions end; without a request it was the command line."""
    request = context.request
    sessions.end(row.user, keep=request.session.session_key if request else None)
    with transaction.atomic():
        _record(verb, row.user, by_themselves=request is not None, kind=str(row.type))


def _failed(user: AbstractBaseUser, **_: Any) -> None:
    with transaction.atomic():
        _record("member.factor_refused", user, by_themselves=False)


def _record(verb: str, user: AbstractBaseUser, *, by_themselves: bool, **detail: object) -> None:
    """Who isn't a member of the practice leaves no entry: there is nothing they could open."""
    member = Member.objects.filter(user=user.pk).first()
    if member is None:
        return
    audit.record(
        verb=verb,
        subject_kind="member",
        subject_id=member.pk,
        by=member.as_actor() if by_themselves else _stranger(),
        now=timezone.now(),
        detail=detail,
    )


def _stranger() -> Actor:
    """Somebody in a browser who has proved nothing yet, or the command line."""
    return Actor.visitor() if context.request else Actor.system()


def _tell(request: HttpRequest, template: str, user: AbstractBaseUser) -> None:
    tell: Callable[[str, AbstractBaseUser], None] = AccountAdapter(request).send_notification_mail
    transaction.on_commit(lambda: tell(template, user))
