"""PostgreSQL killed with -9 between two letters, whose commits do not wait for the disk.

It forgets some of what it had committed: each test shows that first. See docs/adr/0013.
"""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from clients.actions import delivery
from clients.models import AuditEntry, Message
from clients.rules.ledger import LEASE
from config.embedded import Embedded
from tests import factories, smtp_peer
from tests.clients.message_cast import NOW, row, this_run
from tests.config.running import ROOT, fresh_folder, manage
from tests.faults.whole_site import opened
from tests.smtp_peer import Peer

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

LETTERS = 50
# In the middle of the second claim.
DEADLY = 32
KEYS = ("DUET_SECRET_KEY_FILE", "DUET_NOTES_KEY_FILE")


class Crashing:
    """A PostgreSQL of our own, and a mail server that stops it when it has the n-th letter."""

    def __init__(self, embedded: Embedded, peer: Peer) -> None:
        assert embedded.postgres
        self.postgres, self.peer = embedded.postgres, peer
        self._reached, self._go_on = threading.Event(), threading.Event()
        peer.on_letter = self._stop_at_one

    def _stop_at_one(self, letter: EmailMessage) -> None:
        if len(self.peer.taken) + 1 == DEADLY:
            self._reached.set()
            assert self._go_on.wait(60)

    def sender(self, at: datetime) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.mail_sender", at.isoformat()],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "DATABASE_URL": self.postgres.url,
                "EMAIL_URL": f"smtp://127.0.0.1:{self.peer.port}",
            },
        )

    def crash(self, sender: "subprocess.Popen[bytes]", signal_number: signal.Signals) -> int:
        """Kill the server, and signal the sender; how many letters the server has forgotten."""
        assert self._reached.wait(60)
        sender.send_signal(signal_number)
        assert self.postgres.process
        self.postgres.process.kill()
        self.postgres.process.wait()
        connection.close()
        self.postgres.start()
        self._go_on.set()
        left = [name.strip("<>").partition("@")[0] for name in self.peer.ids()]
        return Message.objects.filter(pk__in=left, state="claimed").count()


@pytest.fixture
def crashing(django_db_blocker: DjangoDbBlocker) -> Iterator[Crashing]:
    embedded = Embedded(fresh_folder(), redis=False)
    assert embedded.postgres
    try:
        with embedded.postgres._connect() as admin:
            # So that what the disk has is what somebody waited for.
            admin.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
            admin.execute("SELECT pg_reload_conf()")
        names = {name: os.environ[name] for name in KEYS}
        url = embedded.postgres.url
        done = manage("migrate", DUET_MODE="demo", DATABASE_URL=url, **names)
        assert done.returncode == 0, done.stderr
        site: Any = SimpleNamespace(state=SimpleNamespace(environment={"DATABASE_URL": url}))
        with smtp_peer.running() as peer, django_db_blocker.unblock(), opened(site):
            person = factories.ana()
            for number in range(LETTERS):
                row(person, about_at=NOW + timedelta(days=1, seconds=number))
            yield Crashing(embedded, peer)
    finally:
        embedded.stop()


def check_all_sent(peer: Peer) -> None:
    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}
    assert AuditEntry.objects.filter(verb="message.sent").count() == LETTERS
    assert len(set(peer.ids())) == LETTERS


def test_a_living_sender_writes_again_what_the_database_forgot(crashing: Crashing) -> None:
    sender = crashing.sender(NOW)
    forgotten = crashing.crash(sender, signal.SIGSTOP)
    assert forgotten > 0
    sender.send_signal(signal.SIGCONT)
    assert sender.wait(120) == 0
    check_all_sent(crashing.peer)
    assert len(crashing.peer.taken) == LETTERS
    assert not Message.objects.exclude(uncertain_at=None).exists()


@pytest.mark.parametrize("noticed", [True, False], ids=["noticed", "control"])
def test_when_the_power_fails_all_that_may_have_left_is_marked(
    noticed: bool, crashing: Crashing
) -> None:
    """The control: claims that don't know that the database has forgotten something."""
    sender = crashing.sender(NOW)
    forgotten = crashing.crash(sender, signal.SIGKILL)
    sender.wait()
    assert forgotten > 0
    if not noticed:
        Message.objects.filter(state="claimed").update(reason=this_run())
    assert crashing.sender(NOW + LEASE + timedelta(seconds=1)).wait(120) == 0
    check_all_sent(crashing.peer)
    copies = Counter(crashing.peer.ids())
    doubled = {name for name, times in copies.items() if times > 1}
    marked = {
        f"<{message.pk}@elm.example.org>" for message in Message.objects.exclude(uncertain_at=None)
    }
    assert sum(copies.values()) - LETTERS <= delivery._MOST
    assert bool(doubled - marked) is not noticed


def test_an_orderly_restart_forgets_nothing_and_marks_nothing(crashing: Crashing) -> None:
    before = this_run()
    connection.close()
    crashing.postgres.stop()
    crashing.postgres.start()
    assert this_run() == before
    crashing.peer.on_letter = lambda letter: None
    assert crashing.sender(NOW).wait(120) == 0
    check_all_sent(crashing.peer)
    assert not Message.objects.exclude(uncertain_at=None).exists()
