"""Nothing waits for ever: each wait ends by itself, and a page says 503 and when to come back."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections, transaction
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import Client

from config import children
from config.cache import FailOpenRedisCache
from practice.models import Appointment, Attendance
from tests import factories as make


@contextmanager
def silent() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        yield listening.getsockname()[1]


@contextmanager
def impatient(name: str) -> Iterator[None]:
    """This test's connection waits for a fifth of a second only."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET {name} = '200ms'")
    try:
        yield
    finally:
        connection.close()


def assert_is_clean(answer: Any) -> None:
    assert answer.status_code == 503
    assert answer["Retry-After"] == "10"
    assert "We will be back in a moment" in answer.content.decode()


@pytest.fixture
def ana(transactional_db: None) -> Attendance:
    make.practice()
    iris = make.counselor("iris")
    talk = make.service(counselors=[iris])
    start = make.at(3)
    return make.appointment(iris, talk, make.ana(), start=start).attendances.get()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr("django.utils.timezone.now", lambda: make.NOW)
    return Client(raise_request_exception=False)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statement_timeout", "30s"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "1min"),
    ],
)
def test_the_database_is_told_when_to_give_up(name: str, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        assert cursor.fetchone() == (value,)


def test_a_lock_that_is_not_given_up_is_a_503_and_nothing_has_changed(
    ana: Attendance, client: Client
) -> None:
    with other() as holding, impatient("lock_timeout"):
        holding.execute("SELECT FROM duet_practice_appointment FOR UPDATE")
        assert_is_clean(client.post(f"/a/{ana.token}/cancel/"))
    assert Appointment.objects.get().state == Appointment.State.CONFIRMED
    assert client.post(f"/a/{ana.token}/cancel/").status_code == 302


def test_a_statement_that_takes_too_long_is_a_503(
    ana: Attendance, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(20)")

    with monkeypatch.context() as patched, impatient("statement_timeout"):
        patched.setattr("practice.queries.pages.practice", slow)
        assert_is_clean(client.get("/book/"))
    assert client.get("/book/").status_code == 200


def test_a_transaction_that_is_left_lying_ends_and_frees_its_rows(ana: Attendance) -> None:
    with other() as lying:
        lying.execute("SET idle_in_transaction_session_timeout = '200ms'")
        lying.execute("SELECT FROM duet_practice_appointment FOR UPDATE")
        # Waits for the lock, which only the end of the other one can give free.
        Appointment.objects.select_for_update(no_key=True).update(from_article="free")
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            lying.execute("SELECT 1")


@pytest.mark.django_db(transaction=True)
def test_a_page_whose_transaction_was_ended_meanwhile_is_a_503(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lie() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
            with other() as looking:
                assert children.wait_until(lambda: is_gone(looking, pid), seconds=5)
            cursor.execute("SELECT 1")

    with monkeypatch.context() as patched, impatient("idle_in_transaction_session_timeout"):
        patched.setattr("practice.queries.pages.practice", lie)
        assert_is_clean(client.get("/book/"))


def test_no_connection_left_is_a_503(
    ana: Attendance, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()

    def full(**_: object) -> None:
        raise psycopg.OperationalError("FATAL: sorry, too many clients already")

    with monkeypatch.context() as patched:
        patched.setattr(psycopg, "connect", full)
        assert_is_clean(client.get("/book/"))
    assert client.get("/book/").status_code == 200


@pytest.mark.django_db
def test_a_database_server_that_never_answers_is_given_up() -> None:
    assert settings.DATABASES["default"]["OPTIONS"]["connect_timeout"] == 5
    with silent() as port:
        ours = connections["default"].settings_dict
        there = {**ours, "HOST": "127.0.0.1", "PORT": port, "PASSWORD": "x"}
        there["OPTIONS"] = {**ours["OPTIONS"], "connect_timeout": 2}
        wrapper = DatabaseWrapper(there, "silent")
        with pytest.raises(OperationalError):
            wrapper.ensure_connection()


def test_a_redis_that_never_answers_is_a_miss() -> None:
    options: dict[str, Any] = settings.CACHES["default"]["OPTIONS"]  # type: ignore[assignment]
    assert options["socket_timeout"] == options["socket_connect_timeout"] == 0.25
    with silent() as port:
        away = FailOpenRedisCache(f"redis://127.0.0.1:{port}", {"OPTIONS": {**options}})
        assert away.get("a", "default") == "default"
        assert away.incr("a") == 1
        away.close()


def is_gone(looking: "psycopg.Connection[Any]", pid: int) -> bool:
    found = looking.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()
    looking.rollback()
    return found is None


@contextmanager
def other() -> Iterator["psycopg.Connection[Any]"]:
    """Another connection to the test's database."""
    values = connection.get_connection_params()
    wanted = {name: values[name] for name in ("host", "port", "user", "password", "dbname") if values.get(name)}  # fmt: skip # noqa: E501
    with psycopg.connect(**wanted) as opened:
        try:
            yield opened
        finally:
            opened.close()
