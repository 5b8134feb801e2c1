"""Limits on tries to sign in that do not tell which accounts exist, and the site's belt.

They are the only ones: django-allauth's own are off. Those wait a second and then refuse everybody
when Redis is away, and count a name that exists otherwise than one that nobody has (ADR 0015).
"""

import unicodedata
from collections.abc import Callable

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponseBase

from clients import limits
from clients.limits import Limit

# An office behind one address signs in within these; a password of twelve letters is not guessed.
BY_ADDRESS = Limit("sign_in_address", 60, 900)
# One address at one name. Another address may go on: nobody locks a member out from elsewhere.
BY_NAME_AND_ADDRESS = Limit("sign_in_both", 10, 900)
# One name from everywhere.
BY_NAME = Limit("sign_in_name", 100, 900)
# Codes of a second factor, and passwords once more: only who knows a password comes so far, and
# six digits are guessed by a million tries, so that a thousand a day are one in a thousand.
BY_ACCOUNT = Limit("sign_in_account", 10, 900)
# Each of these may send a letter.
RESETS_BY_ADDRESS = Limit("reset_address", 20, 3600)
RESETS_BY_NAME = Limit("reset_name", 5, 3600)


class Belt(LoginRequiredMiddleware):
    """Django's own, but what is public is let through before anybody asks who is signed in.

    Else a session's cookie would cost public answers a statement each, and shared caches their use.
    """

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[object, ...],
        view_kwargs: dict[str, object],
    ) -> HttpResponseBase | None:
        """None, or the way to the sign-in page."""
        if not getattr(view_func, "login_required", True):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)


def count_sign_in(request: HttpRequest, typed: str) -> None:
    """Count a try by name. Refuses (TooMany) by what was typed alone, whoever has the name."""
    name = _one_way(typed)
    limits.check(request, BY_ADDRESS)
    limits.check_key(BY_NAME_AND_ADDRESS, f"{limits.address_of(request)} {name}")
    limits.check_key(BY_NAME, name)


def count_passkey(request: HttpRequest) -> None:
    """Count a try with a passkey, which names nobody before it is right."""
    limits.check(request, BY_ADDRESS)


def count_step(request: HttpRequest, account: object) -> None:
    """Count a code, or a password asked for again, of one account from everywhere."""
    limits.check(request, BY_ADDRESS)
    limits.check_key(BY_ACCOUNT, str(account))


def count_reset(request: HttpRequest, typed: str) -> None:
    """Count a forgotten password. Refuses (TooMany) by what was typed alone."""
    limits.check(request, RESETS_BY_ADDRESS)
    limits.check_key(RESETS_BY_NAME, _one_way(typed))


def _one_way(typed: str) -> str:
    return unicodedata.normalize("NFKC", typed[:254]).casefold().strip()
