"""The bell: rung when the change is committed, heard or not, it never holds anybody up."""

import socket
import time
from collections.abc import Iterator

import pytest
from celery import Celery
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from clients.actions import messages


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def ring_at(port: int, monkeypatch: pytest.MonkeyPatch) -> float:
    """Ring a bell whose Redis is said to be at a port; how long that took, in seconds."""
    with Celery("elsewhere", broker=f"redis://127.0.0.1:{port}/0", set_as_current=False) as bell:
        monkeypatch.setattr(messages, "current_app", bell)
        messages._ring()  # the first one also imports what it needs
        started = time.monotonic()
        messages._ring()
        return time.monotonic() - started


def test_redis_away_costs_next_to_nothing(
    free_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert ring_at(free_port, monkeypatch) < 0.5
    assert "isn't heard: OperationalError" in caplog.text


def test_a_silent_redis_costs_its_quarter_of_a_second(
    silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ring_at(silent_port, monkeypatch) < 1.5


@pytest.mark.django_db
def test_it_is_rung_after_the_commit_only(
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(messages, "_ring", lambda: rung.append("ring"))
    with django_capture_on_commit_callbacks(execute=True):
        with transaction.atomic():
            messages.ring()
        assert rung == []
    assert rung == ["ring"]


@pytest.mark.django_db
def test_a_change_that_is_taken_back_rings_nothing(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks() as callbacks, transaction.atomic():
        messages.ring()
        transaction.set_rollback(True)
    assert callbacks == []


def test_the_bell_reaches_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    with Celery("here", broker="memory://", set_as_current=False) as bell:
        monkeypatch.setattr(messages, "current_app", bell)
        messages._ring()
        with bell.connection_for_read() as broker, broker.SimpleQueue("celery") as queue:
            assert queue.get(timeout=5).headers["task"] == "practice.tasks.send_due"
