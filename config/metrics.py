"""What /metrics tells an operator: counts and gauges without a word about any person.

Requests are counted by each process for itself; under gunicorn in files of a common folder
(PROMETHEUS_MULTIPROC_DIR, which config/gunicorn.py makes), so that any of them tells all. What the
database, Redis and the clockwork know is asked when somebody looks.
"""

import os
import platform
import time
from collections.abc import Iterable, Iterator
from datetime import datetime

import django
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from config import heartbeat
from practice.queries import operations

STARTED = time.time()  # gunicorn loads this once, before its workers fork
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OWN = CollectorRegistry()
_REQUESTS = Counter(
    "duet_requests", "Requests answered", ["route", "method", "status"], registry=_OWN
)
_SECONDS = Histogram(
    "duet_request_seconds",
    "Seconds until a request was answered",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=_OWN,
)


def method(name: str) -> str:
    """The method as a label: anybody can send a word of their own."""
    return name if name in _METHODS else "other"


def count(route: str, name: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    _REQUESTS.labels(route, method(name), f"{status // 100}xx").inc()
    _SECONDS.labels(route).observe(seconds)


def text(now: datetime) -> bytes:
    """All there is, in the text format of Prometheus."""
    counted, found = _OWN, CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    found.register(_Now(now))
    return generate_latest(counted) + generate_latest(found)


class _Now(Collector):
    """What is so at this moment; asked with one statement."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def collect(self) -> Iterable[Metric]:
        yield _gauge(
            "duet_info",
            "What runs here",
            {(settings.DUET["MODE"], django.__version__, platform.python_version()): 1},
            ["mode", "django", "python"],
        )
        yield _gauge("duet_start_time_seconds", "When the web server started", {(): STARTED})
        cache.set("metrics", 1, 5)
        redis_up = cache.get("metrics") is not None
        try:
            found = operations.snapshot(self._now)
        except DatabaseError:
            found = None
        yield _gauge(
            "duet_up",
            "Whether a server answers",
            {("database",): int(found is not None), ("redis",): int(redis_up)},
            ["server"],
        )
        yield from _clockwork()
        if found is not None:
            yield from _ledger(found)


def _clockwork() -> Iterator[Metric]:
    """When beat rang last, and when each periodic task was last done; left out where unknown."""
    rang, done = heartbeat.last()
    if rang is not None:
        yield _gauge("duet_beat_last_ring_seconds", "When beat last rang", {(): rang})
    yield _gauge(
        "duet_task_last_done_seconds",
        "When a periodic task was last completed",
        {(name,): moment for name, moment in done.items()},
        ["task"],
    )


def _ledger(found: operations.Snapshot) -> Iterator[Metric]:
    yield _gauge(
        "duet_messages",
        "Messages in the ledger",
        {(state,): number for state, number in found.messages.items()},
        ["state"],
    )
    yield _gauge(
        "duet_message_oldest_due_seconds",
        "For how long the oldest message that is due has waited",
        {(): found.oldest_due_seconds},
    )
    yield _gauge("duet_holds", "Times that are held now", {(): found.holds})


def _gauge(
    name: str,
    words: str,
    values: dict[tuple[str, ...], float],
    labels: list[str] | None = None,
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=labels or [])
    for label_values, value in values.items():
        family.add_metric(list(label_values), value)
    return family
