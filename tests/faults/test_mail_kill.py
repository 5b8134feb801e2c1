"""Senders killed with -9 while a letter is on its way: none is lost, copies are few and marked."""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from clients.actions import delivery
from clients.models import Message
from clients.rules.ledger import LEASE
from tests import factories, smtp_peer
from tests.clients.message_cast import NOW, Clock, row, scan, talk_to, this_run
from tests.smtp_peer import Peer

pytestmark = [
    pytest.mark.faults,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
]

LONG = os.environ.get("FAULTS") == "long"
LETTERS, KILLS = (500, 20) if LONG else (40, 4)
CHECKOUT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def peer() -> Iterator[Peer]:
    with smtp_peer.running() as peer:
        yield peer


Senders = list["subprocess.Popen[bytes]"]


@pytest.fixture
def running() -> Iterator[Senders]:
    """The senders that a test starts; none of them outlives it."""
    started: Senders = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def sender(peer: Peer, at: datetime) -> "subprocess.Popen[bytes]":
    """A process that works the ledger off, on the test's own database and server."""
    database = urlsplit(os.environ["DATABASE_URL"])
    name = str(connection.settings_dict["NAME"])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.mail_sender", at.isoformat()],
        cwd=CHECKOUT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": database._replace(path=f"/{name}").geturl(),
            "EMAIL_URL": f"smtp://127.0.0.1:{peer.port}",
        },
    )


def test_senders_killed_in_mid_letter_lose_none_and_double_one_each_at_most(
    peer: Peer, running: Senders
) -> None:
    person = factories.ana()
    for number in range(LETTERS):
        row(person, about_at=NOW + timedelta(days=1, seconds=number))
    cancelled = [row(person, state="cancelled", reason="cancelled") for _ in range(3)]
    # The n-th letter is taken, its sender dies before it hears so.
    deadly = set(random.Random(7).sample(range(1, LETTERS), KILLS))
    kills = 0

    def kill_at_some(letter: EmailMessage) -> None:
        nonlocal kills
        if len(peer.taken) + 1 in deadly:
            deadly.discard(len(peer.taken) + 1)
            kills += 1
            running[-1].kill()
            running[-1].wait()

    peer.on_letter = kill_at_some
    at = NOW
    while Message.objects.open().exists():
        running.append(sender(peer, at))
        assert running[-1].wait(60) in {0, -9}
        at += LEASE + timedelta(seconds=1)

    copies = Counter(peer.ids())
    extra = sum(copies.values()) - len(copies)
    doubled = {letter for letter, count in copies.items() if count > 1}
    uncertain = Message.objects.exclude(uncertain_at=None)
    assert kills == KILLS
    assert len(copies) == LETTERS
    assert set(Message.objects.values_list("state", flat=True)) == {"sent", "cancelled"}
    assert extra <= kills
    assert doubled <= {f"<{message.pk}@elm.example.org>" for message in uncertain}
    assert uncertain.count() <= kills
    assert not {f"<{message.pk}@elm.example.org>" for message in cancelled} & set(copies)


def test_a_broken_database_connection_between_letter_and_mark_doubles_nothing(
    peer: Peer, settings: Settings
) -> None:
    """The letter is out, the connection gone: a new one writes that it was sent."""
    talk_to(peer, settings)
    for _ in range(5):
        row(factories.ana())
    connection.ensure_connection()

    def cut(letter: EmailMessage) -> None:
        if len(peer.taken) != 2:
            return
        with connection.cursor() as cursor:  # of this thread, not the sender's
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        connection.close()

    peer.on_letter = cut
    assert scan().sent == 5
    assert len(peer.taken) == len(set(peer.ids())) == 5
    assert not Message.objects.exclude(uncertain_at=None).exists()


def test_a_database_that_stays_away_leaves_one_uncertain_letter_at_most(
    peer: Peer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk_to(peer, settings)
    clock = Clock()
    for _ in range(5):
        row(factories.ana())
    away = False

    def leave(letter: EmailMessage) -> None:
        nonlocal away
        away = len(peer.taken) == 2

    def refuse(*args: object) -> object:
        if away:
            raise OperationalError("the server is starting up")
        return args[0](*args[1:])  # type: ignore[operator]

    peer.on_letter = leave
    monkeypatch.setattr(delivery, "_PATIENCE", 0)
    with connection.execute_wrapper(refuse), pytest.raises(OperationalError):
        scan(clock=clock)
    away = False
    assert Message.objects.filter(state="sending").count() == 1
    clock.go_on(seconds=LEASE.total_seconds() + 1)
    assert scan(clock=clock).sent == 3
    assert (len(peer.taken), len(set(peer.ids()))) == (6, 5)
    assert Message.objects.exclude(uncertain_at=None).count() == 1


def test_without_the_state_sending_a_killed_senders_copy_goes_unmarked(
    peer: Peer, running: Senders
) -> None:
    """The control: the same kill, with the row left `claimed` while its letter leaves."""
    row(factories.ana())

    def kill_once(letter: EmailMessage) -> None:
        if not peer.taken:
            running[-1].kill()
            running[-1].wait()

    peer.on_letter = kill_once
    running.append(sender(peer, NOW))
    assert running[-1].wait(60) == -9
    assert Message.objects.get().state == "sending"
    Message.objects.update(
        state="claimed", attempts=0, reason=this_run()
    )  # as if it had not been committed before
    running.append(sender(peer, NOW + LEASE + timedelta(seconds=1)))
    assert running[-1].wait(60) == 0
    assert len(peer.taken) == 2
    assert not Message.objects.exclude(uncertain_at=None).exists()
