"""The key is changed while the practice is read: no read fails, whenever the rotation is killed.

A rotation is a process of its own. It is stopped in the midst by a lock of ours on one row, killed
with -9 there, and run again; names are read over HTTP and through the ORM all the while.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from clients.models import AuditEntry, DataKey, Person
from clients.queries import keys, people, seals
from clients.rules.envelope import KeyRefused
from config.children import wait_until
from config.state import new_notes_key
from tests import factories as make
from tests.config.running import ROOT, fresh_folder
from tests.config.serving import Server, serving
from tests.factories import SYSTEM

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.faults,
    pytest.mark.xdist_group("faults"),
    pytest.mark.timeout(240),
]

OLD, NEW = (f"{name}:{new_notes_key().partition(':')[2]}" for name in ("old", "new"))
BOTH = f"{NEW},{OLD}"
BATCHES, SIZE = 4, 500
NAMES = {"Ana Alder", "Ben Birch", "Chris Cedar", "Dana Dogwood"}
WAITING = "SELECT FROM pg_stat_activity WHERE pg_blocking_pids(pid) @> ARRAY[%s::int]"

Ring = Callable[[str], None]


@pytest.fixture
def ring(settings: Settings) -> Ring:
    """Put this ring into our own process."""

    def put(keys: str) -> None:
        settings.DUET = settings.DUET | {"NOTES_KEYS": keys}

    return put


@pytest.fixture
def cookie(ring: Ring) -> str:
    """A practice of four batches of keys, all locked with the old one, and somebody at its desk."""
    ring(OLD)
    now = timezone.now()
    make.practice(zone="UTC")
    iris = make.counselor("iris", zone="UTC", weekdays=range(7), start=0, end=24 * 60)
    service = make.service(counselors=[iris])
    start = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    make.appointment(iris, service, make.ana(), make.ben(), start=start)
    make.appointment(iris, service, make.chris(), make.dana(), start=start + timedelta(hours=2))
    missing = BATCHES * SIZE - DataKey.objects.count()
    DataKey.objects.bulk_create(
        DataKey(purpose=DataKey.Purpose.COUPLE, created_at=now).fill(os.urandom(32))
        for _ in range(missing)
    )
    client = Client()
    client.force_login(make.front_desk().user)
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())


class Readers:
    """Threads that read every name again and again, over HTTP and through the ORM."""

    def __init__(self, server: Server, cookie: str) -> None:
        self._server, self._cookie = server, cookie
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=(by,))
            for by in (self._over_http, self._over_http, self._by_orm)
        ]
        self.reads: list[str] = []
        self.failures: list[str] = []

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def go_on(self) -> bool:
        """Wait until each kind of reader has read five times more; a failure ends it at once."""
        before = {kind: self.reads.count(kind) for kind in ("http", "orm")}

        def done() -> bool:
            more = all(self.reads.count(kind) >= n + 5 for kind, n in before.items())
            return more or bool(self.failures)

        return wait_until(done, seconds=90) and not self.failures

    def _read(self, read: Callable[[], str]) -> None:
        # A breath, or the processes that we start never get a processor.
        while not self._stop.wait(0.03):
            try:
                self.reads.append(read())
            except Exception as failure:
                self.failures.append(repr(failure))
        connection.close()

    def _over_http(self) -> str:
        status, body = self._server.get("/desk/", Cookie=self._cookie)
        assert status == 200, status
        lacking = [name for name in NAMES if name not in body.decode()]
        assert not lacking, lacking
        return "http"

    def _by_orm(self) -> str:
        persons = Person.objects.select_related("key")
        assert {person.name for person in persons} == NAMES
        assert [one.name for one in people.persons_named(SYSTEM, "alder")] == ["Ana Alder"]
        return "orm"


def environment(ring: str) -> dict[str, str]:
    """What a process of the site's needs to work on the test's own database with this ring."""
    database = urlsplit(os.environ["DATABASE_URL"])
    own = database._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    return dict(os.environ) | {
        "DATABASE_URL": own,
        "DUET_NOTES_KEY": ring,
        "DUET_NOTES_KEY_FILE": "",
        "DUET_DATA_DIR": str(fresh_folder()),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


def rotate(*options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "keys", "rotate", *options],
        cwd=ROOT,
        env=environment(BOTH),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_in_the_midst() -> None:
    """Begin a rotation, let it come to a row of the third batch, and kill it there."""
    (row,) = DataKey.objects.order_by("pk").values_list("pk", flat=True)[2 * SIZE + 1 :][:1]
    own = environment(BOTH)["DATABASE_URL"]
    with psycopg.connect(own, autocommit=True) as looking, psycopg.connect(own) as holding:
        lock = "SELECT FROM duet_clients_datakey WHERE id = %s FOR NO KEY UPDATE"
        holding.execute(lock, [row])
        process = rotate()
        try:
            ours = [holding.info.backend_pid]
            assert wait_until(lambda: looking.execute(WAITING, ours).rowcount > 0, seconds=90)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    # The database notices that the dead one's statement is nobody's any more.
    assert wait_until(lambda: on("new") in (2 * SIZE, 3 * SIZE), seconds=90)


def on(kek_id: str) -> int:
    return DataKey.objects.filter(kek_id=kek_id).count()


def start(ring: str) -> subprocess.CompletedProcess[str]:
    """Load the WSGI application with this ring, as any web server does."""
    return subprocess.run(
        [sys.executable, "-c", "import config.wsgi"],
        cwd=ROOT,
        env=environment(ring),
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_read_fails_while_the_key_is_changed_killed_and_changed_on(
    cookie: str, ring: Ring
) -> None:
    ring(BOTH)
    with serving(**environment(BOTH)) as server, Readers(server, cookie) as readers:
        assert readers.go_on(), readers.failures[:3]
        kill_in_the_midst()
        assert 0 < on("old") < BATCHES * SIZE, "it was killed in the midst"
        assert readers.go_on(), readers.failures[:3]
        refused = start(NEW)
        again = rotate("--resume")
        said, _ = again.communicate(timeout=120)
        assert again.returncode == 0, said
        assert "An interrupted run goes on." in said
        assert "'old' locks nothing any more: it can be taken away." in said
        assert (on("old"), on("new")) == (0, BATCHES * SIZE)
        assert readers.go_on(), readers.failures[:3]
    assert readers.failures == []
    assert len(readers.reads) >= 30
    # The control: while a key still locked something, nobody could have begun without it.
    assert (refused.returncode, refused.stderr) == (
        78,
        "The records are locked with the key 'old', which DUET_NOTES_KEY doesn't hold:"
        " put it back.\n",
    )
    ring(NEW)
    with serving(**environment(NEW)) as server, Readers(server, cookie) as readers:
        assert readers.go_on(), readers.failures[:3]
    assert readers.failures == []
    assert list(seals.damaged()) == []
    verbs = AuditEntry.objects.filter(subject_kind="rotation").order_by("at")
    assert list(verbs.values_list("verb", flat=True)) == [
        "keys.rotation_began",
        "keys.rotation_resumed",
        "keys.rotation_ended",
    ]


def test_a_process_that_was_not_given_the_new_key_would_fail(cookie: str, ring: Ring) -> None:
    """Why the new key comes to all processes first, and the readers above would have noticed."""
    ring(BOTH)
    with rotate() as process:
        process.communicate(timeout=120)
    ring(OLD)
    with pytest.raises(KeyRefused, match="locked with the key 'new'"):
        [person.name for person in Person.objects.select_related("key")]
    with pytest.raises(KeyRefused):
        keys.check_keys()
    with suppress(KeyRefused):
        people.persons_named(SYSTEM, "alder")
        pytest.fail("a search would have been made with half of the keys")
