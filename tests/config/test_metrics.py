"""/metrics: for whom, what, at what price, and without a word about any person."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, Settings

from config import celery, heartbeat, metrics
from config.cache import FailOpenRedisCache
from practice import tasks
from tests import factories as make
from tests.clients.message_cast import row

Values = dict[tuple[str, ...], float]


def read(content: bytes) -> dict[str, Values]:
    """Every sample by its name and the values of its labels, in the order of the labels' names."""
    found: dict[str, Values] = {}
    for family in text_string_to_metric_families(content.decode()):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def shown(client: Client) -> dict[str, Values]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return read(answer.content)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: make.NOW)


@pytest.mark.django_db
def test_it_is_the_text_format_and_is_not_kept(client: Client) -> None:
    answer = client.get("/metrics")
    assert answer["Content-Type"].startswith("text/plain; version=")
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("mode", "token", "told", "headers", "status"),
    [
        ("demo", "", "127.0.0.1", {}, 200),
        ("demo", "", "192.0.2.1", {}, 404),
        ("demo", "", "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("production", "", "127.0.0.1", {}, 404),
        ("production", "secret", "192.0.2.1", {"Authorization": "Bearer secret"}, 200),
        ("production", "secret", "127.0.0.1", {}, 401),
        ("production", "secret", "127.0.0.1", {"Authorization": "Bearer Secret"}, 401),
        ("production", "secret", "127.0.0.1", {"Authorization": "secret"}, 401),
        ("production", "secret", "127.0.0.1", {"Authorization": "Bearer ü"}, 401),
        ("demo", "secret", "127.0.0.1", {}, 401),
    ],
)
@pytest.mark.django_db
def test_who_may_look(
    settings: Settings, mode: str, token: str, told: str, headers: dict[str, str], status: int
) -> None:
    settings.DUET = {**settings.DUET, "MODE": mode, "METRICS_TOKEN": token}
    answer = Client(REMOTE_ADDR=told).get("/metrics", headers=headers)
    assert answer.status_code == status
    assert (b"duet_" in answer.content) is (status == 200)


@pytest.mark.django_db
def test_requests_are_counted_by_route_method_and_class(client: Client) -> None:
    def timed(found: dict[str, Values]) -> float:
        return found.get("duet_request_seconds_count", {}).get(("practice:book",), 0)

    was = shown(client)
    before = was.get("duet_requests_total", {})
    client.get("/book/?service=maria")
    client.generic("BREW", "/book/")
    client.get("/a/abcdefghijklmnopqrstuvwx/")
    client.get("/no/such/page")
    now = shown(client)
    after = now["duet_requests_total"]
    grown = {labels for labels, value in after.items() if value > before.get(labels, 0)}
    assert grown - {("GET", "metrics", "2xx")} == {
        ("GET", "practice:book", "2xx"),
        ("other", "none", "4xx"),
        ("GET", "practice:attendance", "4xx"),
        ("GET", "none", "4xx"),
    }
    assert timed(now) == timed(was) + 1


@pytest.mark.django_db
def test_it_takes_one_statement_and_tells_the_ledger_and_the_holds(
    client: Client, clock: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ana = make.ana()
    row(ana, due_at=make.NOW - timedelta(minutes=7), about_at=make.NOW + timedelta(days=1))
    row(ana, due_at=make.NOW + timedelta(hours=1), about_at=make.NOW + timedelta(days=1))
    row(ana, state="cancelled", reason="cancelled", about_at=make.NOW + timedelta(days=1))
    make.practice()
    iris = make.counselor("iris")
    talk = make.service(counselors=[iris])
    make.hold(iris, talk, start=make.at(1), until=make.NOW + timedelta(minutes=5))
    make.hold(iris, talk, start=make.at(2), until=make.NOW, token="another, which has ended")
    with django_assert_num_queries(1):
        found = shown(client)
    assert found["duet_messages"] == {("planned",): 2, ("cancelled",): 1}
    assert found["duet_message_oldest_due_seconds"] == {(): 420}
    assert found["duet_holds"] == {(): 1}
    assert found["duet_up"] == {("database",): 1, ("redis",): 1}


def test_without_the_database_and_redis_it_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError

    gone = FailOpenRedisCache("unix:///nowhere/redis.sock", {})
    monkeypatch.setattr("practice.queries.operations.snapshot", away)
    monkeypatch.setattr(metrics, "cache", gone)
    monkeypatch.setattr(heartbeat, "cache", gone)
    found = shown(client)
    assert found["duet_up"] == {("database",): 0, ("redis",): 0}
    assert "duet_requests_total" in found
    assert "duet_messages" not in found
    assert "duet_beat_last_ring_seconds" not in found


@pytest.mark.django_db
def test_it_tells_when_beat_rang_and_when_each_task_was_done(client: Client) -> None:
    cache.clear()
    assert shown(client).get("duet_task_last_done_seconds", {}) == {}
    celery._rang()
    tasks.expire_holds.apply()
    found = shown(client)
    assert set(found["duet_task_last_done_seconds"]) == {("practice.tasks.expire_holds",)}
    (rang,) = found["duet_beat_last_ring_seconds"].values()
    assert rang > found["duet_start_time_seconds"][()]


@pytest.mark.django_db
def test_a_task_that_failed_is_not_done(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()

    def fail(**_: Any) -> None:
        raise LookupError

    monkeypatch.setattr("practice.actions.booking.expire_holds", fail)
    tasks.expire_holds.apply()
    assert "duet_task_last_done_seconds" not in shown(client)
