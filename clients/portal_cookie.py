"""The cookie of a client's own session: apart from that of members and visitors."""

import re
from datetime import datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from clients.actions.access import Opened
from clients.models import ClientSession
from clients.queries import access as queries
from clients.rules import access

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", flags=re.ASCII)


def name() -> str:
    """With `__Host-` no other host of the domain can set it; browsers take that over TLS only."""
    return "__Host-duet" if settings.SESSION_COOKIE_SECURE else "duet"


def session_of(request: HttpRequest, now: datetime) -> ClientSession | None:
    """The open session of this browser; no statement where there is no cookie of ours."""
    token = request.COOKIES.get(name(), "")
    return queries.session(access.token_hash(token), now) if _TOKEN.fullmatch(token) else None


def keep(response: HttpResponseBase, opened: Opened) -> None:
    """Give the browser the session's token, until it is closed."""
    response.set_cookie(
        name(),
        opened.token,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def expire(response: HttpResponseBase) -> None:
    """Take the token away from the browser."""
    response.set_cookie(
        name(),
        "",
        max_age=0,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
