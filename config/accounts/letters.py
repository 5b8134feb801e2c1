"""Letters about accounts. They leave after the answer, so that its time tells nothing.

One thread of each web process sends them, one after another. What a kill takes with it is asked
for again, or was a notice of a change that the pages show as well.
"""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import base36_to_int, int_to_base36
from django.utils.translation import gettext as _

log = logging.getLogger(__name__)


def password_link(user: AbstractBaseUser) -> str:
    """The address under which the user chooses a password, once and within the hour."""
    key = f"{int_to_base36(user.pk)}-{default_token_generator.make_token(user)}"  # type: ignore[arg-type]
    return f"{settings.DUET['BASE_URL']}{reverse('account_choose_password', args=[key])}"


def user_of(key: str) -> AbstractUser | None:
    """The active user whose link this is; None when it is over, used, or never was one."""
    number, _dash, token = key.partition("-")
    try:
        user = get_user_model().objects.filter(pk=base36_to_int(number), is_active=True).first()
    except (ValueError, OverflowError):
        return None
    # Beyond what a column holds Django finds nobody, without asking.
    return user if user and default_token_generator.check_token(user, token) else None


def reset(user: AbstractUser | None) -> None:
    """Send the link to choose a password. For nobody the same is done, but for the sending."""
    someone = user or get_user_model()(pk=0, username="nobody")
    link = password_link(someone)
    text = render_to_string("duet/accounts/reset_email.txt", {"link": link})
    message = EmailMessage(_("Choose a new password"), text, settings.DEFAULT_FROM_EMAIL)
    if user is not None and user.email:
        message.to = [user.email]
        post(message)


def post(message: EmailMessage) -> None:
    """Hand a letter to the thread that sends."""
    _sender().submit(_send, message)


def wait() -> None:
    """Come back when everything that was posted has been tried."""
    done: Future[None] = _sender().submit(lambda: None)
    done.result(timeout=30)


@cache
def _sender() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="letters")


def _send(message: EmailMessage) -> None:
    try:
        message.send()
    except Exception as error:
        # The kind only: what a mail server says may name its recipient.
        log.error("A letter about an account was not sent: %s", type(error).__name__)
