"""A whole running practice whose processes are killed: `manage.py up`, and a mail server.

The tests' own process opens the site's database (`opened`), so that the factories, the ORM and the
auditor speak of what the site's processes wrote.
"""

import json
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from http.client import HTTPConnection, HTTPException
from itertools import count
from typing import Any
from uuid import UUID

from celery import Celery
from django.db import connection, connections
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.utils import ConnectionHandler
from django.utils import timezone
from psycopg.conninfo import conninfo_to_dict

from clients.actions import audit as actions
from clients.models import Message
from config import supervisor
from config.children import wait_until
from config.redis_urls import broker_url
from practice.models import Appointment, Attendance, Counselor, Service
from practice.queries import invariants
from tests import factories as make
from tests.config.running import ROOT, Site, environment, living
from tests.smtp_peer import Peer

LONG = os.environ.get("FAULTS") == "long"
HOST = "127.0.0.1"
ANA = {"name": "Ana Alder", "email": "ana@example.org", "tz": "UTC", "language": "en"}
# How `Site.child` finds them.
WORKER = "celery -A config --quiet worker"
BEAT = "celery -A config --quiet beat"
POSTGRES = "postgres -D"
WEB = "gunicorn"
_numbers = count()


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 where the line broke before an answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True)
class Talk:
    """A service of the site's own, at every full hour of the coming weeks."""

    service: Service
    counselor: Counselor
    begins: datetime

    def start(self, number: int) -> datetime:
        return self.begins + timedelta(hours=number)


@dataclass
class WholeSite:
    """A running site, its mail server, and the environment that it was started in."""

    site: Site
    peer: Peer
    names: Mapping[str, str]

    # --- over HTTP ---------------------------------------------------------------------------

    def ask(
        self,
        path: str,
        body: object = None,
        *,
        key: str = "",
        seconds: float = 40,
    ) -> Answer:
        """One request on a connection of its own; with a body it is a POST."""
        line = HTTPConnection(HOST, self.site.port, timeout=seconds)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Idempotency-Key": key} if key else {}
        try:
            line.request(
                "GET" if body is None else "POST",
                path,
                None if body is None else json.dumps(body),
                headers,
            )
            answer = line.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        except (OSError, HTTPException):
            return Answer(0)
        finally:
            line.close()

    def book(self, talk: Talk, number: int, *, key: str = "") -> Answer:
        """Ana books the talk at its `number`th hour."""
        start = talk.start(number).isoformat()
        body = {"service": talk.service.slug, "start": start, "person": ANA, "consents": []}
        return self.ask("/api/v1/bookings/", body, key=key or f"{talk.service.slug}-{number}")

    # --- its rows ----------------------------------------------------------------------------

    def talk(self) -> Talk:
        """A service that can be booked around the clock, with a counselor of its own."""
        number = next(_numbers)
        counselor = make.counselor(
            f"counselor-{number}", zone="UTC", weekdays=range(7), start=0, end=24 * 60
        )
        service = make.service(
            f"talk-{number}", counselors=[counselor], minutes=50, step=60, notice=0
        )
        midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        return Talk(service, counselor, midnight + timedelta(days=2))

    def letters(
        self,
        talk: Talk,
        size: int,
        *,
        due: timedelta = timedelta(),
        first: int = 0,
        to: str = "",
    ) -> list[Message]:
        """So many reminders, ten about each appointment, due `due` from now; nobody has rung.

        In the order of sending: the first one's appointment begins first.
        """
        now = timezone.now()
        made: list[Message] = []
        for number in range(-(-size // 10)):
            person = make.person(email=to or f"person{number}@example.org", zone="UTC", now=now)
            appointment = make.appointment(
                talk.counselor,
                talk.service,
                person,
                start=talk.start(first + number),
                booked_at=now,
            )
            made += planned(appointment, min(10, size - len(made)), now + due)
        return Message.objects.bulk_create(made)

    def beginning(self, talk: Talk, start: datetime, due: datetime) -> Message:
        """A reminder about an appointment that begins at `start`, whether or not that is over."""
        booked_at = min(due, start) - timedelta(minutes=5)
        person = make.person(email="late@example.org", zone="UTC", now=booked_at)
        appointment = make.appointment(
            talk.counselor, talk.service, person, start=start, booked_at=booked_at
        )
        return Message.objects.bulk_create(planned(appointment, 1, due))[0]

    def copies(self, letters: list[Message]) -> Counter[UUID]:
        """How often each of these letters has been taken by the mail server."""
        ids = {f"<{letter.pk}@": letter.pk for letter in letters}
        return Counter(
            ids[start] for one in self.peer.ids() if (start := f"{one.partition('@')[0]}@") in ids
        )

    def states(self, letters: list[Message]) -> Counter[str]:
        """In which states these letters are."""
        found = Message.objects.filter(pk__in=[letter.pk for letter in letters])
        return Counter(found.values_list("state", flat=True))

    def ends(self, letters: list[Message], *, seconds: float = 90) -> bool:
        """Wait until none of these letters can be sent any more; the database may be away."""

        def ended() -> bool:
            with suppress(Exception):
                return not set(self.states(letters)) & set(Message.OPEN)
            connection.close()
            return False

        return wait_until(ended, seconds=seconds, step=0.25)

    def when_taken(self, acts: Mapping[int, Callable[[], None]]) -> None:
        """Act when the n-th letter from now on has been taken, before its sender hears so."""
        numbers, one_at_a_time = count(1), threading.Lock()

        def look(letter: EmailMessage) -> None:
            with one_at_a_time:  # two scans may run at once
                act = acts.get(next(numbers))
                if act is None:
                    return
                try:
                    act()
                finally:
                    connection.close()  # of this thread

        self.peer.on_letter = look

    def let_leases_end(self) -> None:
        """Two minutes go by for the rows in hand: call it while no sender lives."""
        Message.objects.filter(state__in=["claimed", "sending"]).update(
            next_try_at=timezone.now() - timedelta(seconds=1)
        )

    # --- its processes -----------------------------------------------------------------------

    def ring(self, times: int = 1, task: str = "practice.tasks.send_due") -> None:
        """Ring for a task, as a booking does."""
        with self._bell() as bell:
            for _ in range(times):
                bell.send_task(task, ignore_result=True)

    def workers(self) -> int:
        """How many workers answer."""
        with self._bell() as bell:
            return len(bell.control.ping(timeout=2) or [])

    @contextmanager
    def _bell(self) -> Iterator[Celery]:
        told = self.site.state.environment
        with Celery("fault", broker=broker_url(told["REDIS_URL"]), set_as_current=False) as bell:
            bell.conf.broker_transport_options = {"global_keyprefix": "duet:"}
            yield bell

    def kill(self, word: str) -> None:
        """Kill a child with -9 and wait until it is gone; the supervisor starts another."""
        child = self.site.child(word)
        assert child, word
        os.kill(child, signal.SIGKILL)
        assert wait_until(lambda: not living({child}), seconds=10)

    def is_back(self, word: str, *, seconds: float = 60) -> bool:
        """Wait until there is a child of that word."""
        return wait_until(lambda: self.site.child(word) is not None, seconds=seconds, step=0.05)

    @property
    def redis(self) -> str:
        """The word for Redis: it is one of the two, whichever this host has."""
        return "redis" if self.site.child("redis") else "valkey"

    def start(self, program: supervisor.Program) -> subprocess.Popen[bytes]:
        """Start one more process of the site's, which the supervisor knows nothing of."""
        return subprocess.Popen(
            program.command,
            cwd=ROOT,
            env=environment(**{**self.names, **self.site.state.environment}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @contextmanager
    def frozen(self, *words: str) -> Iterator[None]:
        """Let children stand still meanwhile; without a word, the supervisor itself."""
        pids = [self.site.child(word) for word in words] if words else [self.site.process.pid]
        stopped = [pid for pid in pids if pid]
        assert len(stopped) == len(pids)
        try:
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    @contextmanager
    def without(self, *words: str) -> Iterator[None]:
        """Kill children, one after the other, and keep them away meanwhile.

        The supervisor stands still; let go, it starts them again.
        """
        with self.frozen():
            for word in words:
                self.kill(word)
            yield
        for word in words:
            assert self.is_back(word)


def planned(appointment: Appointment, size: int, due: datetime) -> list[Message]:
    """Reminders of the booker's, not saved yet; their window ends with the appointment's start."""
    attendance = Attendance.objects.get(appointment=appointment, role="booker")
    return [
        Message(
            purpose=f"reminder-{number + 1}",
            subject_kind="attendance",
            subject_id=attendance.pk,
            person_id=attendance.person_id,
            channel="email",
            version=appointment.sequence,
            planned_at=appointment.created_at,
            due_at=due,
            window_ends_at=max(due, appointment.starts_at),
            about_at=appointment.starts_at,
            next_try_at=due,
        )
        for number in range(size)
    ]


@contextmanager
def opened(site: Site) -> Iterator[None]:
    """Let this process's ORM, on every thread, speak to the site's database."""
    ours = _of(connections)
    kept = dict(ours)
    told = conninfo_to_dict(site.state.environment["DATABASE_URL"])
    connections.close_all()
    named = {name.upper(): told[name] for name in ("user", "password", "host")}
    ours.update(named, NAME=told["dbname"], PORT="")
    try:
        yield
    finally:
        connections.close_all()
        ours.update(kept)


def _of(handler: ConnectionHandler) -> dict[str, Any]:
    found: dict[str, Any] = handler.settings["default"]
    return found


def audit() -> list[invariants.Breach]:
    """What the auditor finds, after the sealing that beat asks for every half minute."""
    now = timezone.now()
    connection.close()
    actions.seal(by=make.SYSTEM, now=now)
    return invariants.breaches(now)


def bookings(talk: Talk, number: int) -> list[Appointment]:
    """The appointments of a talk at its `number`th hour."""
    hour = DateTimeTZRange(talk.start(number), talk.start(number + 1))
    return list(
        Appointment.objects.filter(counselor=talk.counselor, period__overlap=hour).exclude(
            state="cancelled"
        )
    )
