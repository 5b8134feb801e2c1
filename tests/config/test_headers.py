"""What every answer tells browsers, on every route, for strangers and members, in production."""

import os
import re
import runpy
import secrets
from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpResponse
from django.test import Client
from pytest_django import Settings

from clients.limits import TooMany
from clients.models import Member
from config import state
from config.headers import METHODS
from practice.models import Appointment, Attendance, Counselor, Practice, Service
from tests import factories as make
from tests.config.routes import Route, routes
from tests.config.running import ROOT
from tests.practice.views.conftest import clock, iris, practice, talk

__all__ = ["clock", "iris", "practice", "talk"]

pytestmark = pytest.mark.django_db

# Doors behind which nothing personal is.
OPEN = {"public"}
# A page of its own for pictures inside a style sheet; the frame for letters, where nothing runs.
DATA_PICTURES = re.compile(r"/api/docs/")
SANDBOXED = re.compile(r"/dev/mailbox/[^/]+/html/")
# What a production site sets otherwise than a demo, as far as browsers hear of it.
TOLD = re.compile(r"SECURE_|SESSION_COOKIE|CSRF_|X_FRAME|CONTENT_SEC|MIDDLEWARE$|LANGUAGE_COOKIE")


@pytest.fixture(autouse=True)
def production(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings file, read as production reads it."""
    for name in [name for name in os.environ if name.startswith("DUET_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "DUET_MODE": "production",
        "DUET_SECRET_KEY": secrets.token_urlsafe(50),
        "DUET_NOTES_KEY": state.new_notes_key(),
        "DUET_BASE_URL": "https://testserver",
    }.items():
        monkeypatch.setenv(name, value)
    found = runpy.run_path(str(ROOT / "config" / "settings.py"))
    for name, value in found.items():
        if TOLD.match(name):
            setattr(settings, name, value)
    assert settings.SECURE_HSTS_SECONDS >= 365 * 24 * 3600


def faults(path: str, response: Any) -> Iterator[str]:
    """What an answer lacks, or tells too much."""
    headers = response.headers
    sandboxed = SANDBOXED.fullmatch(path) and response.status_code == 200
    for name, wanted in {
        "Strict-Transport-Security": r"max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": r"nosniff",
        "X-Frame-Options": r"DENY",
        "Cross-Origin-Opener-Policy": r"same-origin",
        "Cross-Origin-Resource-Policy": r"same-origin",
        "Referrer-Policy": r"same-origin|no-referrer",
        "Permissions-Policy": r".*camera=\(\).*geolocation=\(\).*microphone=\(\).*",
    }.items():
        if not re.fullmatch(wanted, headers.get(name, "")):
            yield f"{name}: {headers.get(name)}"
    policy = headers.get("Content-Security-Policy", "")
    if sandboxed:
        yield from () if policy.startswith("sandbox; default-src 'none'") else (f"CSP {policy}",)
    else:
        yield from policy_faults(path, policy)
    kind = headers.get("Content-Type", "")
    if getattr(response, "content", b"") and not re.match(r".+; charset=|.+/.*json|image/", kind):
        yield f"Content-Type: {kind}"
    yield from (name for name in ("Server", "X-Powered-By", "Via") if name in headers)
    yield from cookie_faults(response)


def policy_faults(path: str, policy: str) -> Iterator[str]:
    """Directives that let in more than our own files, or let others frame us."""
    said = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    for name, wanted in {
        "default-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "object-src": "'none'",
        "base-uri": "'none'",
    }.items():
        if said.get(name) != wanted:
            yield f"CSP: {name} {said.get(name)}"
    for name, sources in said.items():
        allowed = {"'self'", "'none'"}
        if name == "img-src" and DATA_PICTURES.fullmatch(path):
            allowed.add("data:")
        if set(sources.split()) - allowed:
            yield f"CSP: {name} {sources}"


def cookie_faults(response: Any) -> Iterator[str]:
    """Cookies that another host, a script or a foreign page's form could use."""
    for name, cookie in response.cookies.items():
        kept = bool(cookie.value)
        if not name.startswith("__Host-") or cookie["domain"] or cookie["path"] != "/":
            yield f"cookie {name}: host"
        if kept and not cookie["secure"]:
            yield f"cookie {name}: secure"
        if kept and cookie["samesite"] not in {"Lax", "Strict"}:
            yield f"cookie {name}: samesite"
        if kept and not cookie["httponly"]:
            yield f"cookie {name}: httponly"


def storable(response: Any) -> bool:
    return "no-store" not in response.headers.get("Cache-Control", "")


@pytest.fixture
def addressed(iris: Counselor, talk: Service) -> list[Route]:
    """Every route, with a token and ids of what is there."""
    make.appointment(iris, talk, make.ana(), make.ben(), start=make.at(1, "10:00"))
    tokens = [one.token for one in Attendance.objects.select_related("person__key")]
    pks = [*Appointment.objects.values_list("pk"), *Attendance.objects.values_list("pk")]
    return routes(token=tokens, pk=[str(pk) for (pk,) in pks])


@pytest.fixture
def members(practice: Practice) -> list[Member]:
    return [make.admin("adam"), make.front_desk("fred")]


def answers(
    method: str, addressed: list[Route], members: list[Member]
) -> Iterator[tuple[Route, str, Any]]:
    """What each route answers to a stranger and to each member."""
    callers = [(one, Client(raise_request_exception=False)) for one in (None, *members)]
    for route in addressed:
        assert route.addresses, f"no address leads to {route.pattern}"
        for address, (member, client) in product(route.addresses, callers):
            if member and ("sessionid" not in str(client.cookies) or method == "POST"):
                client.force_login(member.user)
            yield route, address, client.generic(method, address, secure=True)


@pytest.mark.parametrize("method", METHODS)
def test_every_answer_of_every_route_tells_browsers_what_they_may(
    addressed: list[Route], members: list[Member], method: str
) -> None:
    statuses: Counter[int] = Counter()
    for route, address, response in answers(method, addressed, members):
        where = f"{method} {address} {response.status_code}"
        statuses[response.status_code] += 1
        assert list(faults(address, response)) == [], where
        personal = getattr(route.view, "door", "") not in OPEN or response.status_code >= 400
        assert not (personal and storable(response)), where
        assert response.status_code < 500, where
    assert len(statuses) > 1, statuses


@pytest.mark.parametrize(
    ("left_out", "told"),
    [
        ("config.headers.Headers", {"Permissions-Policy", "Cross-Origin-Resource-Policy"}),
        ("csp.middleware.CSPMiddleware", {"CSP"}),
        (
            "django.middleware.security.SecurityMiddleware",
            {"Strict-Transport-Security", "X-Content-Type-Options", "Cross-Origin-Opener-Policy"},
        ),
        ("django.middleware.clickjacking.XFrameOptionsMiddleware", {"X-Frame-Options"}),
    ],
)
def test_a_header_that_is_missing_is_noticed(
    settings: Settings, left_out: str, told: set[str]
) -> None:
    """The control: the same look at a site without one of those that add headers."""
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if one != left_out]
    found = faults("/nothing/here/", Client().get("/nothing/here/", secure=True))
    assert told <= {fault.partition(":")[0] for fault in found}


@pytest.mark.parametrize(
    "policy",
    [
        "default-src 'self' 'unsafe-inline'",
        "default-src 'self'; script-src 'unsafe-eval'",
        "default-src 'self'; img-src data:",
        "default-src 'self'; connect-src https://stats.example",
        "default-src *",
    ],
)
def test_a_policy_that_lets_in_more_is_noticed(policy: str) -> None:
    closed = "; frame-ancestors 'none'; object-src 'none'; base-uri 'none'; form-action 'self'"
    assert list(policy_faults("/", "default-src 'self'" + closed)) == []
    assert list(policy_faults("/", policy + closed))


# --- answers that no route gives -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "error", "status"),
    [
        ("/book/", SuspiciousOperation("x"), 400),
        ("/book/", PermissionDenied("x"), 403),
        ("/book/", Http404("x"), 404),
        ("/book/", TooMany(60), 429),
        ("/book/", KeyError("x"), 500),
        ("/book/", OperationalError("x"), 503),
        ("/api/v1/slots/?service=a", TooMany(60), 429),
    ],
)
def test_a_page_that_says_what_went_wrong_has_the_same_headers(
    monkeypatch: pytest.MonkeyPatch,
    talk: Service,
    path: str,
    error: Exception,
    status: int,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("practice.queries.pages.practice", broken)
    monkeypatch.setattr("clients.api.endpoint.check", broken)
    response = Client(raise_request_exception=False).get(path, secure=True)
    assert response.status_code == status
    assert list(faults(path, response)) == []
    assert not storable(response)


def test_a_page_behind_a_link_tells_nobody_its_address_whatever_it_answers(talk: Service) -> None:
    for path in ("/a/" + "A" * 22 + "/", "/a/x"):
        response = Client().get(path, secure=True)
        assert response.status_code == 404
        assert response["Referrer-Policy"] == "no-referrer"
        assert not storable(response)


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND", "KANARI"])
@pytest.mark.parametrize("path", ["/", "/book/", "/desk/", "/healthz", "/api/v1/slots/", "/no/"])
def test_a_method_that_somebody_made_up_is_refused_and_nothing_is_sent_back(
    talk: Service, path: str, method: str
) -> None:
    """LG-069, and TRACE, which would send cookies back in a body."""
    client = Client(headers={"X-Canary": "kanarienvogel", "Cookie": "a=kanarienvogel"})
    response = client.generic(method, path, "kanarienvogel", secure=True)
    assert response.status_code == 405
    assert "GET" in response["Allow"]
    assert response.content == b""
    assert "kanarienvogel" not in str(response.headers)
    assert list(faults(path, response)) == []


def test_a_request_without_tls_is_sent_to_the_same_page_with_it() -> None:
    response = Client().get("/book/?service=x")
    assert response.status_code == 301
    assert response["Location"] == "https://testserver/book/?service=x"
    assert {fault.partition(":")[0] for fault in faults("/book/", response)} == {
        "Strict-Transport-Security"  # which browsers heed over TLS alone
    }


def test_static_files_have_the_headers_too() -> None:
    for name in ("css/duet.css", "img/mark.svg", "js/csrf.js"):
        path = f"/static/duet/{name}"
        response = Client().get(path, secure=True)
        response.close()
        assert response.status_code == 200
        assert list(faults(path, response)) == []
    for path in ("/static/../config/settings.py", "/static/", "/static/duet/", "/.git/config"):
        assert Client().get(path, secure=True).status_code == 404


# --- cookies -------------------------------------------------------------------------------------


def test_cookies_are_this_hosts_alone_and_out_of_reach_of_scripts(talk: Service) -> None:
    make.admin("adam")
    client = Client()
    page = client.get("/book/?service=first-talk", secure=True)
    held = {"service": talk.slug, "start": make.at(1, "10:00").isoformat(), "tz": "Europe/Berlin"}
    sent = client.post("/book/hold/", held, secure=True)
    typed = {"username": "adam", "password": make.PASSWORD, "login": "adam"}
    signed_in = client.post("/accounts/login/", typed, secure=True)
    for response in (page, sent, signed_in):
        assert list(cookie_faults(response)) == []
    assert set(client.cookies) == {"__Host-sessionid", "__Host-csrftoken"}


def test_a_cookie_that_others_could_use_is_noticed() -> None:
    """The control."""
    response = HttpResponse()
    response.set_cookie("sessionid", "x")
    assert len(list(cookie_faults(response))) == 4
