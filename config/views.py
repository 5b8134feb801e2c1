"""The site's own pages: signs of life, the demo's mailbox, and what is shown when all fails."""

import sys
from email.message import EmailMessage
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_GET, require_POST, require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from clients import doors, limits
from clients.api import problems
from config import mailbox
from config import metrics as figures
from config.uploads import FileRefused

SHOWN = 200  # letters on the mailbox page
HTML_PART_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@require_safe
@doors.public
@doors.about("site")
def healthz(_request: HttpRequest) -> HttpResponse:
    """Say that this process answers, whatever else is away."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@require_safe
@doors.public
@doors.about("site")
def readyz(_request: HttpRequest) -> HttpResponse:
    """Say whether pages can be served: 503 without the database; Redis may be away."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return _text("database: away\n", status=503)
    cache.set("readyz", 1, 5)
    redis = "there" if cache.get("readyz") else "away"
    return _text(f"database: there\nredis: {redis}\n")


@require_safe
@doors.public
@doors.about("site")
def metrics(request: HttpRequest) -> HttpResponse:
    """Counts and gauges, for who has the token; without one only a demo tells, and only here.

    Refuses (404) where there is no such page, (401) a wrong token.
    """
    token = settings.DUET["METRICS_TOKEN"]
    if token:
        told = request.headers.get("Authorization", "")
        if not constant_time_compare(told, f"Bearer {token}"):
            refused = _text("Unauthorized\n", status=401)
            refused["WWW-Authenticate"] = "Bearer"
            return refused
    elif settings.DUET["MODE"] != "demo" or not limits.is_loopback(request):
        raise Http404
    response = HttpResponse(figures.text(timezone.now()), content_type=CONTENT_TYPE_LATEST)
    response["Cache-Control"] = "no-store"
    return response


@require_GET
@doors.public
@doors.about("message")
def mailbox_list(request: HttpRequest) -> HttpResponse:
    """The letters that the demo sent, newest first."""
    letters = list(islice(mailbox.letters(_folder()), SHOWN))
    return render(request, "duet/config/mailbox.html", {"letters": letters})


@require_GET
@doors.public
@doors.about("message")
def mailbox_letter(request: HttpRequest, key: str) -> HttpResponse:
    """One letter: its text, and what is attached."""
    return render(request, "duet/config/mailbox_letter.html", {"letter": _letter(key)})


@require_GET
@doors.public
@doors.about("message")
def mailbox_html(_request: HttpRequest, key: str) -> HttpResponse:
    """A letter's HTML part alone, as a mail reader would show it: without scripts, sandboxed."""
    response = HttpResponse(_letter(key).html)
    response.headers["Content-Security-Policy"] = HTML_PART_POLICY
    return response


@require_GET
@doors.public
@doors.about("message")
def mailbox_attachment(_request: HttpRequest, key: str, number: int) -> HttpResponse:
    """One attached file, to be saved."""
    attached = _letter(key).attachments
    if number >= len(attached):
        raise Http404
    return _download(attached[number])


@require_POST
@doors.public
@doors.about("message")
def mailbox_empty(_request: HttpRequest) -> HttpResponse:
    """Throw all letters away."""
    mailbox.empty(_folder())
    return redirect("mailbox-list")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Said without reading the body again, as Django's own would: it may be what is bad."""
    said = exception.sentence if isinstance(exception, FileRefused) else ""
    return _without_trace(render(request, "400.html", {"sentence": said}, status=400))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """As `bad_request`."""
    return _without_trace(render(request, "403.html", status=403))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """As `bad_request`."""
    return _without_trace(render(request, "404.html", status=404))


def server_error(_request: HttpRequest) -> HttpResponse:
    """The last resort: 503 while the database is away or too busy, 500 for a fault of ours."""
    error = sys.exc_info()[1]
    away = error is not None and problems.is_away(error)
    try:
        page = str(render_to_string("503.html" if away else "500.html"))
    except Exception:
        page = "A moment, please: something broke on our side."
    response = _without_trace(HttpResponse(page, status=503 if away else 500))
    if away:
        response["Retry-After"] = "10"
    return response


def _without_trace(response: HttpResponse) -> HttpResponse:
    """It may stand where somebody's own page would, under an address that nobody else may hear."""
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _folder() -> Path:
    if not settings.DUET["MAILBOX"]:
        raise Http404
    return settings.DUET["DATA_DIR"] / "mail"


def _letter(key: str) -> mailbox.Letter:
    letter = mailbox.find(_folder(), key)
    if letter is None:
        raise Http404
    return letter


def _download(part: EmailMessage) -> HttpResponse:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    response = HttpResponse(content, content_type=part.get_content_type())
    name = part.get_filename() or "attachment"
    safe = "".join(sign for sign in name if sign.isalnum() or sign in ".-_") or "attachment"
    response["Content-Disposition"] = f'attachment; filename="{safe}"'
    return response


def _text(content: str, status: int = 200) -> HttpResponse:
    return HttpResponse(content, content_type="text/plain; charset=utf-8", status=status)
