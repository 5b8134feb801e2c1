"""Which sites' pages may ask the API: the named ones, without cookies, and only the API."""

from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client
from pytest_django import Settings

from practice.models import Service
from tests.practice.api.bodies import booking
from tests.practice.api.conftest import Caller

WIDGET = "https://widget.example"


@pytest.fixture(autouse=True)
def named(settings: Settings) -> None:
    """One site is named."""
    settings.CORS_ALLOWED_ORIGINS = [WIDGET]


def told(answer: Any) -> dict[str, str]:
    """What the answer tells a browser about other origins."""
    return {name: value for name, value in answer.items() if name.lower().startswith("access-")}


def preflight(path: str, origin: str, method: str = "POST") -> Any:
    return Client().options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "content-type,idempotency-key",
        },
    )


def test_the_named_origins_are_those_of_the_environment() -> None:
    assert site.DUET["EMBED_ORIGINS"] == []
    assert not getattr(site, "CORS_ALLOW_ALL_ORIGINS", False)
    assert not getattr(site, "CORS_ALLOW_CREDENTIALS", False)


def test_a_named_site_asks_and_reads_what_it_needs(api: Caller, talk: Service) -> None:
    answer = api.get("slots/", {"service": "first-talk"}, Origin=WIDGET)
    headers = told(answer)
    assert headers["access-control-allow-origin"] == WIDGET
    exposed = headers["access-control-expose-headers"].lower().split(", ")
    assert {"etag", "retry-after", "idempotency-replayed"} == set(exposed)
    assert "access-control-allow-credentials" not in headers
    assert "origin" in answer["Vary"].lower()


def test_a_named_sites_browser_may_send_a_booking(api: Caller, talk: Service) -> None:
    answer = preflight("/api/v1/bookings/", WIDGET)
    headers = told(answer)
    assert answer.status_code == 200
    assert "POST" in headers["access-control-allow-methods"]
    assert {"content-type", "idempotency-key", "if-none-match"} == set(
        headers["access-control-allow-headers"].split(", ")
    )
    assert "access-control-allow-credentials" not in headers
    booked = api.post("bookings/", booking(), **{"Idempotency-Key": "one", "Origin": WIDGET})
    assert booked.status_code == 201
    assert told(booked)["access-control-allow-origin"] == WIDGET


def test_a_refusal_can_be_read_by_the_site_that_sent_it(api: Caller, talk: Service) -> None:
    refused = api.post("holds/", {}, Origin=WIDGET)
    assert refused.status_code == 422
    assert told(refused)["access-control-allow-origin"] == WIDGET


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://widget.example",
        "https://widget.example:8443",
        "https://widget.example.evil.example",
        "https://evil-widget.example",
        "https://widget.example@evil.example",
        "//widget.example",
        "https://[",
        "*",
    ],
)
def test_nobody_else_is_let_in(api: Caller, talk: Service, origin: str) -> None:
    for answer in (
        api.get("slots/", {"service": "first-talk"}, Origin=origin),
        api.get("nothing/", Origin=origin),
        preflight("/api/v1/holds/", origin),
        preflight("/api/v1/holds/", origin, "DELETE"),
    ):
        assert told(answer) == {}
        assert answer.status_code < 500


@pytest.mark.parametrize(
    "path", ["/", "/book/", "/desk/", "/accounts/login/", "/api/docs/", "/api/schema/", "/healthz"]
)
def test_only_the_api_answers_other_sites(db: None, path: str) -> None:
    for answer in (
        Client().get(path, headers={"Origin": WIDGET}),
        preflight(path, WIDGET, "GET"),
    ):
        assert told(answer) == {}
