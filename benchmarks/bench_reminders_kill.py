"""Senders killed with -9 at random points, and Redis gone: what is lost, what comes twice.

`BENCH=full` kills twenty times over 4,000 letters; else three times over fewer. The clocks of those
who take over are set ahead, past the leases of the dead.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import redis
from django.db import connection
from django.utils import timezone

from benchmarks import harness, mail, reminders
from benchmarks.harness import Metric, Result
from benchmarks.servers import Stage
from clients.models import Message
from clients.rules.ledger import LEASE
from config import children

FULL = os.environ.get("BENCH") == "full"
ROUNDS, COUNT = (20, 4_000) if FULL else (3, 400)

LOST = Metric("G12", "kill -9: letters lost", "less", 0, 0)
EXTRA = Metric("G12a", "kill -9: copies for each killed process, in the worst round", "less", 1, 1)
UNMARKED = Metric("G12b", "kill -9: copies whose row isn't marked uncertain", "less", 0, 0)
WAIT = Metric("G12c", "kill -9: longest wait for a dead sender's rows, seconds", "less", 120, 120)
REDIS = Metric("G13", "Redis flushed, stopped, restarted empty: lost or doubled", "less", 0, 0)


@dataclass
class Tally:
    """What came of some rounds."""

    lost: int = 0
    extra: list[float] = field(default_factory=list)
    unmarked: int = 0
    wait: float = 0.0

    def count(self, taken: dict[str, int], *, killed: int) -> None:
        wanted = {str(pk) for pk in Message.objects.values_list("pk", flat=True)}
        marked = {
            str(pk)
            for pk in Message.objects.exclude(uncertain_at=None).values_list("pk", flat=True)
        }
        copies = {name.partition("@")[0]: times for name, times in taken.items()}
        self.lost += len(wanted - set(copies))
        self.extra.append((sum(copies.values()) - len(copies)) / killed if killed else 0)
        self.unmarked += len({pk for pk, times in copies.items() if times > 1} - marked)


def run(stage: Stage, rounds: int) -> Iterator[Result]:  # noqa: ARG001 - each round is a test
    """Counts, not speeds."""
    with mail.sink() as sink:
        reminders.fill(COUNT)
        stage.vacuum()
        tally = _killed(sink)
        note = f"{ROUNDS} rounds of {COUNT} letters, {mail.PROCESSES} senders killed in each"
        yield harness.counted(LOST, tally.lost, note)
        yield harness.counted(EXTRA, max(tally.extra), note)
        yield harness.counted(UNMARKED, tally.unmarked, note)
        yield harness.counted(WAIT, tally.wait, note)
        yield harness.counted(REDIS, _without_redis(stage, sink), f"{COUNT} letters")


def _killed(sink: mail.Sink) -> Tally:
    chance, tally, later = random.Random(12), Tally(), timedelta()  # noqa: S311
    for _ in range(ROUNDS):
        reminders.make_due()
        senders = mail.Senders("letters", later=later)
        senders.go()
        gone = chance.uniform(0.05, 0.8) * COUNT
        children.wait_until(lambda gone=gone: _begun() >= gone, seconds=120, step=0.01)  # type: ignore[misc]
        killed = senders.kill()
        held = Message.objects.filter(state__in=["claimed", "sending"]).order_by("-next_try_at")
        lease = held.values_list("next_try_at", flat=True).first()
        if lease:
            tally.wait = max(tally.wait, (lease - timezone.now() - later).total_seconds())
        later += LEASE + timedelta(seconds=1)
        _work_off(later)
        tally.count(sink.taken(), killed=killed)
    return tally


def _begun() -> int:
    return Message.objects.exclude(state__in=["planned", "claimed"]).count()


def _work_off(later: timedelta = timedelta()) -> None:
    """All that is left, by two new senders; once more for what waits for a second try."""
    senders = mail.Senders("letters", later=later)
    senders.go()
    senders.wait()
    senders.stop()


def _without_redis(stage: Stage, sink: mail.Sink) -> int:
    reminders.make_due()
    server = stage.embedded.redis
    if server is None:
        raise SystemExit("This run has a Redis of somebody else's, which isn't ours to stop.")
    senders = mail.Senders("letters")
    senders.go()
    children.wait_until(lambda: _begun() >= COUNT / 4, seconds=120, step=0.01)
    with redis.Redis.from_url(server.url) as client:
        client.flushdb()
    server.stop()
    senders.wait()
    senders.stop()
    server.start()
    _work_off()
    tally = Tally()
    taken = sink.taken()
    tally.count(taken, killed=0)
    connection.close()
    return tally.lost + sum(taken.values()) - len(taken)
