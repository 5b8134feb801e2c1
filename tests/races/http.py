"""Many at once, over HTTP, at the real web server: the senders, and what is asked afterwards."""

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils import timezone

from config.children import wait_until

T = TypeVar("T")
NEW_YORK = ZoneInfo("America/New_York")
ANA = {"name": "Ana", "email": "ana@example.org", "tz": "UTC", "language": "en"}


@dataclass(frozen=True)
class Answer:
    """What a request was answered with."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Sender:
    """One connection to the server; it is open before the race begins."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.line = HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.line.connect()

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        sent = json.dumps(body) if body is not None else None
        kind = {"Content-Type": "application/json"} if sent else {}
        self.line.request(method, path, sent, {**self.headers, **kind, **headers})
        answer = self.line.getresponse()
        got = answer.read()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        told = json.loads(got) if is_json else {}
        return Answer(answer.status, told, dict(answer.getheaders()))

    def book(self, key: str, **body: object) -> Answer:
        whole = {"service": "talk", "person": ANA, **body}
        return self.send("POST", "/api/v1/bookings/", whole, **{"Idempotency-Key": key})

    def close(self) -> None:
        self.line.close()


def together(port: int, count: int, act: Callable[[Sender, int], T]) -> list[T]:
    """So many senders that all begin at once; what each came to, in order."""
    ready = threading.Barrier(count)

    def run(index: int) -> T:
        sender = Sender(port)
        try:
            ready.wait(30)
            return act(sender, index)
        finally:
            sender.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def at(day: int, time: str) -> str:
    """The start at which clocks in New York show `time`, so many days after the day after next."""
    hour, minute = (int(part) for part in time.split(":"))
    on = timezone.now().astimezone(NEW_YORK).date() + timedelta(days=2 + day)
    local = datetime(on.year, on.month, on.day, hour, minute, tzinfo=NEW_YORK)
    return local.astimezone(UTC).isoformat()


def statuses(answers: Sequence[Answer]) -> dict[int, int]:
    found: dict[int, int] = {}
    for answer in answers:
        found[answer.status] = found.get(answer.status, 0) + 1
    return found


def overlaps() -> int:
    """Pairs of active rows of one counselor that overlap, counted past every constraint."""
    return _number(
        """
        SELECT count(*) FROM duet_practice_appointment a
          JOIN duet_practice_appointment b
            ON a.counselor_id = b.counselor_id AND a.id < b.id AND a.blocked && b.blocked
         WHERE a.state <> 'cancelled' AND b.state <> 'cancelled'
        """
    )


def deadlocks() -> int:
    """How many the database has counted; a server process tells it when it ends, at the latest."""
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    _number(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}")
    ended = f"SELECT count(*) FROM pg_stat_activity WHERE {others}"
    assert wait_until(lambda: _number(ended) == 0, seconds=20)
    return _number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def _number(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])
