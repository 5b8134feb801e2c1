"""Booking: is it right among fifty at once, how fast is it, and what does its guard cost?

Over HTTP a booking is one request by one of fifty keep-alive connections. `raw` is fifty
connections that run the guard's own statement and nothing else.
"""

import json
import random
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

import psycopg
from django.db import connection, connections
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils import timezone
from psycopg import sql

from benchmarks import appointment_peer, harness, workload
from benchmarks.client import Answer, Client, post
from benchmarks.harness import Metric, Result, Side
from benchmarks.servers import Site, Stage
from practice.actions import guard
from practice.models import Appointment, Counselor
from practice.rules import wall

G7_OVERLAPS = Metric("G7", "overlapping appointments after all of it", "less", 0, 0)
G7_DEADLOCKS = Metric("G7", "deadlocks", "less", 0, 0)
G7_ERRORS = Metric("G7", "answers with 5xx, or none", "less", 0, 0)
G7_WRONG = Metric("G7", "same-slot rounds without exactly one booking", "less", 0, 0)
G7_LOSERS = Metric("G7l", "p99 of losers / p50 of bookings of different slots", "less", 4, 2, False)
G7_PEER = Metric("G7p", "django-appointment: bookings of one slot by 50 clients", "less")
G8 = Metric("G8", "bookings/s, 50 clients, different slots / raw guard", "more", 0.12, 0.3, False)
G8_PEER = Metric("G8p", "the same / django-appointment", "more", 4, 20, False)
G9 = Metric("G9", "guarded / unguarded insert, 50 connections", "more", 0.7, 0.9)
G16 = Metric("G16b", "p99 / p50 of bookings, 16 clients", "less", 6, 3, False)

CLIENTS: Final = 50
COUNSELORS: Final = 10
HISTORY: Final = 1_000  # of each counselor
BOOKINGS: Final = 400  # in a round over HTTP
PEER_BOOKINGS: Final = 100
INSERTS: Final = 2_000  # in a round of raw statements
SAME_SLOT_ROUNDS: Final = 20
MIXED: Final = 40  # of each client


def run(stage: Stage, rounds: int) -> Iterator[Result]:
    """All figures of booking."""
    now = timezone.now()
    window = workload.Window.after(now.date())
    diary = workload.write(window=window, counselors=COUNSELORS, now=now, ahead=0)
    past = workload.sessions_past(window, HISTORY)
    for counselor in diary.counselors:
        workload.book(diary, counselor, past, now=now)
    connections.close_all()
    raw = Raw(stage.copy_database("raw"), diary, now)
    stage.vacuum()
    yield raw.cost_of_the_guard(rounds)

    site = stage.product()
    slots = _Slots(diary.counselors, window)
    ours = Crowd(site)
    yield harness.compared(
        G8,
        Side("Duet, HTTP", lambda: ours.rate(slots.different(BOOKINGS))),
        Side("guard's statement alone", raw.guarded),
        unit="/s",
        ratio="ours/other",
        rounds=rounds,
    )
    peer = appointment_peer.start(stage, window, past, clients=CLIENTS)
    theirs = PeerCrowd(peer, window)
    yield harness.compared(
        G8_PEER,
        Side("Duet", lambda: ours.rate(slots.different(BOOKINGS))),
        Side("django-appointment", lambda: theirs.rate(PEER_BOOKINGS)),
        unit="/s",
        ratio="ours/other",
        rounds=max(rounds // 2, 3),
    )
    yield harness.counted(G7_PEER, theirs.of_one_slot(), "It looks, and then writes.")
    few = Crowd(site, clients=16)
    yield _spread(few, slots, rounds)
    yield from _correctness(stage, site, ours, slots)


# --- over HTTP -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slot:
    """A start with a counselor."""

    counselor: str
    start: int

    def body(self) -> bytes:
        return json.dumps(
            {
                "service": workload.SERVICE,
                "counselor": self.counselor,
                "start": wall.instant(self.start).isoformat(),
                "person": {
                    "name": "Robin Reed",
                    "email": f"{uuid4().hex}@example.org",
                    "tz": workload.ZONE,
                    "language": "en",
                },
            }
        ).encode()


class _Slots:
    """Starts that nobody has taken yet, those of all counselors in turns."""

    def __init__(self, counselors: Sequence[Counselor], window: workload.Window) -> None:
        self.slugs = [counselor.slug for counselor in counselors]
        starts = workload.side_by_side(window, days=360)
        self._left = (Slot(slug, start) for start in starts for slug in self.slugs)

    def different(self, count: int) -> list[Slot]:
        return [next(self._left) for _ in range(count)]

    def overlapping(self, hours: int) -> list[Slot]:
        """The next so many hours of one counselor, twice each: each overlaps its neighbours."""
        mine = (slot for slot in self._left if slot.counselor == self.slugs[0])
        whole = [next(mine) for _ in range(hours)]
        return [Slot(slot.counselor, slot.start + late) for slot in whole for late in (0, 30)]


@dataclass
class Seen:
    """What a crowd was answered, and how long each answer took."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    elapsed: float = 0.0
    booked: list[str] = field(default_factory=list)  # the tokens of those who booked

    def count(self, *statuses: int) -> int:
        return sum(len(self.seconds.get(status, ())) for status in statuses)

    @property
    def errors(self) -> int:
        return sum(len(times) for status, times in self.seconds.items() if not 200 <= status < 500)

    @property
    def all(self) -> list[float]:
        return [one for times in self.seconds.values() for one in times]


class Crowd:
    """So many clients at once, each with a connection of its own."""

    def __init__(self, site: Site, clients: int = CLIENTS) -> None:
        self.site = site
        self.clients = [Client(site.port) for _ in range(clients)]

    def book(self, slots: Sequence[Slot]) -> Seen:
        """Share these out among the clients."""
        requests = [self.booking(slot) for slot in slots]
        shares = [requests[n :: len(self.clients)] for n in range(len(self.clients))]

        def some(client: Client, number: int, told: Callable[[float, Answer], None]) -> None:
            for request in shares[number]:
                _timed(client, request, told)

        return self.act(some)

    def booking(self, slot: Slot) -> bytes:
        path, key = "/api/v1/bookings/", uuid4().hex
        return post(path, self.site.port, slot.body(), Idempotency_Key=key)

    def act(self, some: Callable[[Client, int, Callable[[float, Answer], None]], None]) -> Seen:
        """Let all clients begin at the same moment."""
        seen = Seen()
        lock = threading.Lock()
        begin = threading.Barrier(len(self.clients) + 1)

        def told(seconds: float, answer: Answer) -> None:
            with lock:
                seen.seconds.setdefault(answer.status, []).append(seconds)
                if answer.status == 201:
                    seen.booked.append(answer.json()["manage_url"].rstrip("/").rpartition("/")[2])

        def client(number: int) -> None:
            begin.wait()
            try:
                some(self.clients[number], number, told)
            except OSError:
                told(0.0, Answer(0, {}, b""))

        threads = [threading.Thread(target=client, args=(n,)) for n in range(len(self.clients))]
        for thread in threads:
            thread.start()
        begin.wait()
        began = perf_counter()
        for thread in threads:
            thread.join()
        seen.elapsed = perf_counter() - began
        return seen

    def rate(self, slots: Sequence[Slot]) -> float:
        """Bookings a second. Refuses (RuntimeError) if one of them failed."""
        seen = self.book(slots)
        if seen.count(201) != len(slots):
            raise RuntimeError(f"Not all were booked: {_statuses(seen)}.")
        return len(slots) / seen.elapsed


def _timed(client: Client, request: bytes, told: Callable[[float, Answer], None]) -> Answer:
    began = perf_counter()
    answer = client.send(request)
    told(perf_counter() - began, answer)
    return answer


def _statuses(seen: Seen) -> dict[int, int]:
    return {status: len(times) for status, times in sorted(seen.seconds.items())}


class PeerCrowd:
    """As many clients of django-appointment, signed in already; a booking is two forms."""

    def __init__(self, peer: appointment_peer.Peer, window: workload.Window) -> None:
        self.peer = peer
        self.clients = [Client(peer.site.port) for _ in range(CLIENTS)]
        self._left = iter(workload.side_by_side(window, days=360))

    def rate(self, count: int) -> float:
        starts = [next(self._left) for _ in range(count)]
        began = perf_counter()
        booked = self._book([starts[n::CLIENTS] for n in range(CLIENTS)])
        if booked != count:
            raise RuntimeError(f"django-appointment booked {booked} of {count}.")
        return count / (perf_counter() - began)

    def of_one_slot(self) -> int:
        """How many of fifty it gives the same start, three times; the median."""
        taken = sorted(self._book([[next(self._left)]] * CLIENTS) for _ in range(3))
        return taken[1]

    def _book(self, shares: Sequence[Sequence[int]]) -> int:
        booked: list[bool] = []
        begin = threading.Barrier(CLIENTS)

        def client(number: int) -> None:
            begin.wait()
            for start in shares[number]:
                booked.append(self.peer.book(self.clients[number], number, start))

        threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(booked)


def _spread(crowd: Crowd, slots: _Slots, rounds: int) -> Result:
    """How far the slowest bookings lie from the middle."""
    seen = [crowd.book(slots.different(BOOKINGS // 2)).all for _ in range(rounds + 1)][1:]
    middle = [harness.percentile(times, 50) * 1000 for times in seen]
    slowest = [harness.percentile(times, 99) * 1000 for times in seen]
    ratios = [high / low for high, low in zip(slowest, middle, strict=True)]
    sides = {"p99": harness.Spread.of(slowest), "p50": harness.Spread.of(middle)}
    return Result(G16, harness.Spread.of(ratios), sides, "ms", rounds)


# --- correctness ---------------------------------------------------------------------------------


def _correctness(stage: Stage, site: Site, crowd: Crowd, slots: _Slots) -> Iterator[Result]:
    """One slot for fifty, then everything at once; the site is stopped before it is counted."""
    different = crowd.book(slots.different(BOOKINGS))
    middle = harness.percentile(different.all, 50)
    same = [crowd.book(slots.different(1) * CLIENTS) for _ in range(SAME_SLOT_ROUNDS)]
    wrong = sum(seen.count(201) != 1 or seen.count(409) != CLIENTS - 1 for seen in same)
    mixed = crowd.act(_Mixed(site, slots.overlapping(21)).some)
    stage.stop(site.process)  # its connections tell the statistics what they counted as they end
    note = f"Everything at once was answered: {_statuses(mixed)}."
    yield harness.counted(G7_WRONG, wrong)
    yield harness.counted(G7_OVERLAPS, _overlaps(), note)
    yield harness.counted(G7_DEADLOCKS, _deadlocks())
    yield harness.counted(
        G7_ERRORS, sum(seen.errors for seen in (different, *same, mixed)) + _missing(mixed)
    )
    losers = [one for seen in same for one in seen.seconds.get(409, ())]
    slow = harness.percentile(losers, 99)
    yield Result(
        G7_LOSERS,
        harness.Spread(slow / middle, slow / middle, slow / middle),
        {
            "p99 of losers": harness.Spread(slow * 1000, slow * 1000, slow * 1000),
            "p50 of different slots": harness.Spread(middle * 1000, middle * 1000, middle * 1000),
        },
        "ms",
    )


def _missing(mixed: Seen) -> int:
    return CLIENTS * MIXED - len(mixed.all)


class _Mixed:
    """Each client books, moves and cancels among a few starts that overlap partly."""

    def __init__(self, site: Site, slots: Sequence[Slot]) -> None:
        self.site = site
        self.slots = slots

    def some(self, client: Client, number: int, told: Callable[[float, Answer], None]) -> None:
        chance = random.Random(number)  # noqa: S311
        own: list[str] = []
        for _ in range(MIXED):
            slot = chance.choice(self.slots)
            if own and chance.random() < 0.4:
                token = chance.choice(own)
                if chance.random() < 0.5:
                    body = json.dumps({"start": wall.instant(slot.start).isoformat()}).encode()
                    _timed(client, self._change(token, "move", body), told)
                else:
                    own.remove(token)
                    _timed(client, self._change(token, "cancel", b"{}"), told)
                continue
            path, key = "/api/v1/bookings/", uuid4().hex
            request = post(path, self.site.port, slot.body(), Idempotency_Key=key)
            answer = _timed(client, request, told)
            if answer.status == 201:
                own.append(answer.json()["manage_url"].rstrip("/").rpartition("/")[2])

    def _change(self, token: str, what: str, body: bytes) -> bytes:
        return post(f"/api/v1/attendances/{token}/{what}/", self.site.port, body)


def _overlaps() -> int:
    """Over the whole table, and without the guard's own index."""
    return _number(
        """
        SELECT count(*) FROM duet_practice_appointment a JOIN duet_practice_appointment b
            ON a.counselor_id = b.counselor_id AND a.id < b.id AND a.blocked && b.blocked
         WHERE a.state <> 'cancelled' AND b.state <> 'cancelled'
        """
    )


def _deadlocks() -> int:
    return _number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def _number(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


# --- the guard's statement alone -----------------------------------------------------------------

Statement = tuple[str, Sequence[Any]]


class Raw:
    """Fifty connections to a copy of the database that run prepared statements, and no Django."""

    def __init__(self, url: str, diary: workload.Diary, now: datetime) -> None:
        self._holds = _holds(diary, now)
        with psycopg.connect(url, autocommit=True) as one:
            _make_unguarded(one)
            one.execute("VACUUM ANALYZE")
        self._connections = [psycopg.connect(url, autocommit=True) for _ in range(CLIENTS)]

    def guarded(self) -> float:
        """Inserts a second as the guard does them."""
        return self._rate([next(self._holds) for _ in range(INSERTS)])

    def unguarded(self) -> float:
        """Inserts a second of the same rows into the same table without exclusion constraints."""
        return self._rate([_plain(next(self._holds)) for _ in range(INSERTS)])

    def cost_of_the_guard(self, rounds: int) -> Result:
        return harness.compared(
            G9,
            Side("guarded", self.guarded),
            Side("unguarded", self.unguarded),
            unit="/s",
            ratio="ours/other",
            rounds=rounds,
        )

    def _rate(self, statements: Sequence[Statement]) -> float:
        done: list[int] = []
        begin = threading.Barrier(CLIENTS + 1)

        def client(number: int) -> None:
            cursor = self._connections[number].cursor()
            begin.wait()
            for statement, values in statements[number::CLIENTS]:
                cursor.execute(statement.encode(), values)
                done.append(cursor.rowcount)

        threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        begin.wait()
        began = perf_counter()
        for thread in threads:
            thread.join()
        if sum(done) != len(statements):
            raise RuntimeError(f"Only {sum(done)} of {len(statements)} rows went in.")
        return len(statements) / (perf_counter() - began)


def _holds(diary: workload.Diary, now: datetime) -> Iterator[Statement]:
    """What the guard would run for holds of different times, caught on its way to the database."""
    first = datetime(2100, 1, 1, tzinfo=UTC)
    hour, length = timedelta(hours=1), timedelta(minutes=workload.LENGTH)
    number = 0
    while True:
        start = first + hour * (number // len(diary.counselors))
        appointment = Appointment(
            counselor=diary.counselors[number % len(diary.counselors)],
            service=diary.service,
            state=Appointment.State.HELD,
            period=DateTimeTZRange(start, start + length),
            blocked=DateTimeTZRange(start, start + hour),
            offered_under=1,
            held_until=now,
            hold_hash=uuid4().bytes + uuid4().bytes,
            agreed_zone=workload.ZONE,
            agreed_wall=start.strftime("%Y-%m-%dT%H:%M"),
            created_at=now,
            settled_at=now,
        )
        yield _caught(appointment, now)
        number += 1


def _caught(appointment: Appointment, now: datetime) -> Statement:
    caught: list[Statement] = []

    def catch(execute: Any, statement: str, values: Any, many: bool, context: Any) -> Any:
        caught.append((statement, values))
        return execute("SELECT 1", None, many, context)  # as if the row had gone in

    with connection.execute_wrapper(catch):
        guard.take(appointment=appointment, now=now)
    ((statement, values),) = caught
    return statement, values


def _plain(statement: Statement) -> Statement:
    """The same row as a plain INSERT into the other table."""
    columns = re.match(r"INSERT INTO \S+ \((.*?)\)", statement[0])
    if columns is None:
        raise RuntimeError("The guard's statement has changed its form.")
    marks = ["%s"] * (columns[1].count(",") + 1)
    row = f"({columns[1]}) VALUES ({', '.join(marks)})"
    plain = f"INSERT INTO unguarded {row} RETURNING id"
    return plain, statement[1][: len(marks)]


def _make_unguarded(one: psycopg.Connection[Any]) -> None:
    """A copy of the table with all that it has but its exclusion constraints."""
    table = Appointment._meta.db_table
    one.execute(
        f"CREATE TABLE unguarded (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)".encode()
    )
    one.execute(f"INSERT INTO unguarded SELECT * FROM {table}".encode())  # noqa: S608
    for name, definition in one.execute(
        """
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
         WHERE conrelid = %s::regclass AND contype = 'f'
        """,
        [table],
    ).fetchall():
        constraint = sql.SQL("ALTER TABLE unguarded ADD CONSTRAINT {} ").format(
            sql.Identifier(name)
        )
        one.execute(constraint + sql.SQL(definition))
    for number, (definition,) in enumerate(
        one.execute(
            """
            SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i
             WHERE i.indrelid = %s::regclass AND NOT EXISTS (
               SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype = 'x')
            """,
            [table],
        ).fetchall()
    ):
        named = re.sub(r"INDEX \S+ ON \S+", f"INDEX unguarded_{number} ON unguarded", definition)
        one.execute(named.encode())
