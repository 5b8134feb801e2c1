"""What may be read in the logs: routes, codes, kinds and places; never what anybody typed."""

import json
import logging
import threading
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog
from django.contrib.auth.models import User
from django.core.exceptions import SuspiciousOperation
from django.db import DataError, OperationalError
from django.test import Client
from pytest_django import Settings

from config import logs
from practice.models import Service
from tests import factories as make
from tests.practice.views import walk

CANARY = "kanarienvogel"


class Lines(StringIO):
    """What the handler wrote, line by line."""

    @property
    def read_back(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def events(self, logger: str = "duet.request") -> list[dict[str, Any]]:
        return [line for line in self.read_back if line["logger"] == logger]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The site's own handler, as in production, on paper."""
    written = Lines()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.formatter("json"))
    handler.addFilter(logs.Answers())
    root = logging.getLogger()
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.INFO)
    yield written
    root.setLevel(level)
    root.removeHandler(handler)


def told(name: str, template: str, *args: Any, **kept: Any) -> dict[str, Any]:
    record = logging.LogRecord(name, 40, "", 1, template, args, kept.get("exc_info"))
    read: dict[str, Any] = json.loads(logs.formatter("json").format(record))
    return read


# --- one record ----------------------------------------------------------------------------------


TOKEN = "Zq3_-kanarienvogelQx7"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"GET /a/{TOKEN}/cancel/", "GET /a/…/cancel/"),
        (f"GET /portal/in/{TOKEN}/", "GET /portal/in/…/"),
        (f"GET /i/{TOKEN}", "GET /i/…"),
        (f"POST /new/page/of/tomorrow/{TOKEN}/", "POST /new/page/of/tomorrow/…/"),
        (f"GET /accounts/password/reset/key/3-c8x2k1-{TOKEN.lower()}/", "reset/key/…/"),
        (f"GET /accounts/confirm-email/MQ:1tXyZ:{TOKEN}/ 200", "confirm-email/…/ 200"),
        (f"GET /choose/?next=/a/{TOKEN}/&x=y 200", "GET /choose/?… 200"),
        (f"GET /a/{TOKEN}/?{TOKEN} 200", "GET /a/…/?… 200"),
        (f"https://practice.example/a/{TOKEN}/", "https://practice.example/a/…/"),
        (f"Authorization: Bearer {TOKEN}", "Authorization: …"),
        (f"got Bearer {TOKEN} and went on", "got Bearer … and went on"),
        (f"{{'Cookie': 'x={TOKEN}; y={TOKEN}'}}", "Cookie': …"),
        (f"Set-Cookie: __Host-sessionid={TOKEN}; Secure", "Set-Cookie: …"),
        (f"sessionid={TOKEN}; csrftoken={TOKEN}; a=b", "sessionid=…; csrftoken=…; a=b"),
    ],
)
def test_what_opens_something_never_reaches_a_log(said: str, kept: str) -> None:
    """Neither in a sentence of ours nor in what goes with it."""
    assert told("config.x", "%s", said)["event"].endswith(kept)
    assert TOKEN.lower() not in json.dumps(told("config.x", said)).lower()


@pytest.mark.parametrize(
    "said",
    [
        "The key in /etc/duet/the-file-with-the-key.txt can be read by everybody.",
        "Is Redis up? See docs/running.md.",
        "refused 413",
        "The token is unknown.",
    ],
)
def test_sentences_for_an_operator_stay_whole(said: str) -> None:
    assert told("config.x", said)["event"] == said


def test_an_error_is_logged_by_kind_and_place_without_its_words() -> None:
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        said = told("config.x", "It broke", exc_info=(ValueError, error, error.__traceback__))
    assert said["error"] == "builtins.ValueError"
    assert "test_logs.py" in said["at"]
    assert CANARY not in json.dumps(said)


def test_a_failed_task_is_logged_by_its_name_without_the_words_of_its_error() -> None:
    args = {"name": "practice.tasks.send_due", "id": "1", "description": "raised", "exc": CANARY}
    text = "Task %(name)s[%(id)s] %(description)s: %(exc)s"
    assert told("celery.app.trace", text, args)["event"] == "Task practice.tasks.send_due[…] …: …"


@pytest.mark.parametrize(
    ("logger", "template", "args", "event"),
    [
        ("gunicorn.error", "Worker (pid:%s) got %s!", (77, CANARY), "Worker (pid:77) got …!"),
        (
            "gunicorn.error",
            f"Invalid request from ip=::1: {CANARY}",
            (),
            "Invalid request from ip…",
        ),
        ("gunicorn.error", "Error handling %s", (f"/a/{CANARY}",), "Error handling …"),
        ("django.security.DisallowedHost", f"Invalid HTTP_HOST: '{CANARY}'", (), "Invalid HTTP…"),
        ("django.request", "%s: %s", ("Internal Server Error", f"/{CANARY}/"), "failed"),
        ("kombu", "Cannot connect to %r: %d", (CANARY, 5), "Cannot connect to …: 5"),
        ("x", "%s and %s", ("one",), "…"),
        ("x", "Shutting down", (), "Shutting down"),
    ],
)
def test_of_other_peoples_records_fixed_words_and_numbers_are_kept(
    logger: str, template: str, args: tuple[Any, ...], event: str
) -> None:
    assert told(logger, template, *args)["event"] == event


def test_one_record_is_one_line_in_both_forms() -> None:
    record = logging.LogRecord("config.x", 40, "", 1, "one\ntwo %s", ("a=b\r\n",), None)
    for form in ("json", "words"):
        line = logs.formatter(form).format(record)
        assert len(line.splitlines()) == 1, line
    assert line.startswith("time=20")
    assert " level=error logger=config.x event=" in line


def test_what_ends_a_thread_is_told_without_its_words(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr("sys.excepthook", lambda *_: None)
    logs.catch_the_rest()

    def fail() -> None:
        raise LookupError(CANARY)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    (line,) = lines.events("config.the_rest")
    assert line["error"] == "builtins.LookupError"
    assert CANARY not in lines.getvalue()


def test_what_goes_with_a_line_of_ours_is_masked_too(lines: Lines) -> None:
    address = f"/a/{TOKEN}/?{TOKEN}"
    structlog.stdlib.get_logger("duet.request").info("answered", path=address, status=200)
    (line,) = lines.events()
    assert (line["path"], line["status"]) == ("/a/…/?…", 200)


# --- requests ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_each_request_is_one_line_with_its_route_and_its_id(lines: Lines, client: Client) -> None:
    make.practice()
    answer = client.get("/book/?service=x")
    (line,) = lines.events()
    assert line["request"] == answer["X-Request-ID"]
    assert {name: line[name] for name in ("route", "method", "status", "event", "level")} == {
        "route": "practice:book",
        "method": "GET",
        "status": 200,
        "event": "answered",
        "level": "info",
    }
    assert line["ms"] > 0
    assert client.get("/book/")["X-Request-ID"] != answer["X-Request-ID"]


def test_probes_are_not_told(lines: Lines, client: Client) -> None:
    assert client.get("/healthz")["X-Request-ID"]
    assert lines.events() == []


@pytest.mark.parametrize(
    ("proxies", "sent", "kept"),
    [
        (1, "0123456789abcdef0123456789abcdef", True),
        (1, "6f1ed002-ab5f-4a30-9f1c-3b1c2f3c4d5e", True),
        (0, "0123456789abcdef0123456789abcdef", False),
        (1, CANARY * 2, False),
        (1, "0123456789abcdef\r\nX: y", False),
        (1, "abc", False),
        (1, "a" * 65, False),
    ],
)
def test_an_id_is_taken_from_our_own_proxies_only(
    client: Client, settings: Settings, proxies: int, sent: str, kept: bool
) -> None:
    settings.DUET = {**settings.DUET, "TRUSTED_PROXIES": proxies}
    answer = client.get("/healthz", headers={"X-Request-ID": sent})
    assert (answer["X-Request-ID"] == sent) is kept


@pytest.mark.django_db
def test_no_word_that_anybody_sent_is_found_in_the_logs(
    lines: Lines,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    request: pytest.FixtureRequest,
) -> None:
    settings.DUET = {**settings.DUET, "TRUSTED_PROXIES": 1}
    plain = StringIO()
    handler = logging.StreamHandler(plain)
    request.addfinalizer(lambda: logging.getLogger().removeHandler(handler))
    logging.getLogger().addHandler(handler)
    practice = make.practice()
    talk: Service = make.service(counselors=[make.counselor("iris")])
    assert practice
    User.objects.create_user(CANARY, password=CANARY)
    monkeypatch.setattr("django.utils.timezone.now", lambda: make.NOW)
    client = Client(
        raise_request_exception=False,
        headers={
            "User-Agent": CANARY,
            "Referer": f"https://{CANARY}.example/",
            "X-Request-ID": CANARY * 3,
            "X-Forwarded-For": CANARY,
            "Accept-Language": CANARY,
        },
    )
    typed = {
        "name": f"{CANARY} Alder",
        "email": f"{CANARY}@example.org",
        "phone": CANARY,
        "partner_name": CANARY,
    }
    walk.hold(client, talk, make.at(1, "10:00"))
    page = walk.details(client)
    client.post("/book/details/", walk.filled(page, **walk.ALONE, **typed))
    typed["phone"] = ""
    typed.pop("partner_name")
    booked = client.post("/book/details/", walk.filled(page, **walk.ALONE, **typed), follow=True)
    assert "Your time is booked" in walk.text(booked)
    for path in (
        f"/portal/in/{CANARY}{CANARY}/",
        f"/accounts/password/reset/key/3-{CANARY}-{CANARY}/",
        f"/book/?service={CANARY}&from={CANARY}",
        f"/{CANARY}/",
        f"/a/{CANARY}",
        f"/a/{CANARY}{CANARY}/cancel/",
        f"/dev/mailbox/{CANARY}/",
        f"/static/{CANARY}.js",
        "/desk/",
    ):
        client.get(path)
    client.get("/", headers={"Host": f"{CANARY}.example"})
    Client().get("/", headers={"Cookie": f"sessionid={CANARY}; csrftoken={CANARY}"})
    client.post("/accounts/login/", {"login": CANARY, "password": CANARY * 2})
    client.post("/book/hold/", CANARY, "application/json")
    client.generic(CANARY.upper(), "/book/")
    client.get("/desk/", headers={"Authorization": f"Bearer {CANARY}"})
    client.get("/metrics", headers={"Authorization": f"Bearer {CANARY}"})
    Client(enforce_csrf_checks=True).post("/book/hold/", {"service": CANARY})
    failures = (
        DataError(f'invalid input: "{CANARY}"'),
        OperationalError(CANARY),
        SuspiciousOperation(CANARY),
        KeyError(CANARY),
    )
    for error in failures:

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("practice.queries.pages.practice", fail)
        client.get(f"/book/?x={CANARY}")
    written = lines.getvalue()
    assert CANARY not in written.lower()
    assert CANARY in plain.getvalue(), "the control: another formatter would have told it"
    kinds = {line["error"] for line in lines.read_back if "error" in line}
    assert {"builtins.KeyError", "django.db.utils.DataError"} <= kinds
    statuses = {line["status"] for line in lines.events()}
    assert {200, 302, 400, 403, 404, 405, 422, 500, 503} <= statuses
    assert len(lines.getvalue().splitlines()) == len(lines.read_back)


@pytest.mark.django_db
def test_the_line_of_a_failure_names_its_request(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise KeyError(CANARY)

    monkeypatch.setattr("practice.queries.pages.practice", fail)
    answer = Client(raise_request_exception=False).get("/book/")
    (failure,) = lines.events("django.request")
    assert failure["request"] == answer["X-Request-ID"] == lines.events()[0]["request"]
    assert structlog.contextvars.get_contextvars() == {}
