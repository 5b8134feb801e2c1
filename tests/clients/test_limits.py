"""Limits on tries: what is counted, for whom, and that a cache that is away turns nobody away."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as site
from django.core.cache import cache
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone
from pytest_django import Settings

from clients import limits
from clients.limits import Limit, TooMany
from config.cache import FailOpenRedisCache

TWICE = Limit("test", 2, 60)
NOW = datetime(2031, 5, 5, 10, 0, 15, tzinfo=UTC)  # 15 s into its minute


@pytest.fixture(autouse=True)
def throttled(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DUET = {**settings.DUET, "THROTTLE": True}
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    cache.clear()


def asked_from(address: str, **headers: str) -> HttpRequest:
    return RequestFactory().get("/", REMOTE_ADDR=address, headers=headers)


def test_the_try_past_the_limit_is_refused_and_told_when_to_come_back() -> None:
    for _ in range(2):
        limits.check(asked_from("192.0.2.1"), TWICE)
    with pytest.raises(TooMany) as refused:
        limits.check(asked_from("192.0.2.1"), TWICE)
    assert refused.value.retry_after == 45
    limits.check(asked_from("192.0.2.2"), TWICE)
    limits.check(asked_from("192.0.2.1"), Limit("another", 2, 60))


def test_the_next_stretch_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        limits.check_key(TWICE, "one")
    monkeypatch.setattr(timezone, "now", lambda: NOW + timedelta(seconds=45))
    limits.check_key(TWICE, "one")


def test_switched_off_it_counts_nothing(settings: Settings) -> None:
    settings.DUET = {**settings.DUET, "THROTTLE": False}
    for _ in range(5):
        limits.check(asked_from("192.0.2.1"), TWICE)
        with limits.place(asked_from("192.0.2.1"), TWICE) as place:
            place.belongs_to("x")


def test_redis_holds_neither_an_address_nor_a_key_in_clear() -> None:
    limits.check(asked_from("192.0.2.77"), TWICE)
    limits.check_key(TWICE, "maria@duet.example")
    with limits.place(asked_from("192.0.2.77"), TWICE) as place:
        place.belongs_to("a-secret-token")
    client = cache._cache.get_client()  # type: ignore[attr-defined]
    kept = {key: client.get(key) for key in client.scan_iter(match=f"{site.REDIS_PREFIX}cache*")}
    assert len(kept) == 4
    for word in (b"192.0.2", b"maria", b"a-secret-token"):
        assert word not in repr(kept).encode()


def test_every_key_ends_by_itself() -> None:
    limits.check_key(TWICE, "one")
    with limits.place(asked_from("192.0.2.1"), TWICE) as place:
        place.belongs_to("x")
    client = cache._cache.get_client()  # type: ignore[attr-defined]
    for key in client.scan_iter(match=f"{site.REDIS_PREFIX}cache*"):
        assert 0 < client.ttl(key) <= 60


class _Raises:
    """A cache of a host site that isn't ours, whose server is away."""

    def __getattr__(self, name: str) -> object:
        raise ConnectionError("away, at 192.0.2.1")


@pytest.mark.parametrize(
    "away", [FailOpenRedisCache("unix:///nowhere/redis.sock", {}), _Raises()], ids=["ours", "other"]
)
def test_without_a_cache_nobody_is_turned_away(
    monkeypatch: pytest.MonkeyPatch, away: object, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "cache", away)
    for number in range(5):
        limits.check(asked_from("192.0.2.1"), TWICE)
        with limits.place(asked_from("192.0.2.1"), TWICE) as place:
            place.belongs_to(str(number))
        limits.free(str(number))
    assert "192.0.2.1" not in caplog.text


# --- places --------------------------------------------------------------------------------------


def take(key: str, address: str = "192.0.2.1") -> None:
    with limits.place(asked_from(address), TWICE) as place:
        place.belongs_to(key)


def test_places_are_taken_up_and_given_back() -> None:
    take("first")
    take("second")
    with pytest.raises(TooMany):
        take("third")
    take("third", address="192.0.2.9")
    limits.free("first")
    take("third")
    with pytest.raises(TooMany):
        take("fourth")


def test_a_place_that_came_to_nothing_is_given_back_at_once() -> None:
    for _ in range(4):
        with pytest.raises(LookupError), limits.place(asked_from("192.0.2.1"), TWICE):
            raise LookupError("the time was taken")
        with limits.place(asked_from("192.0.2.1"), TWICE):
            pass


def test_what_has_no_place_can_be_given_back() -> None:
    limits.free("never seen")


# --- who asks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "198.51.100.7", "192.0.2.1"),
        (1, "198.51.100.7", "198.51.100.7"),
        (1, "10.0.0.1, 198.51.100.7", "198.51.100.7"),
        (2, "198.51.100.7, 10.0.0.1", "198.51.100.7"),
        (2, "1.1.1.1, 198.51.100.7, 10.0.0.1", "198.51.100.7"),
        (2, "198.51.100.7", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "198.51.100.7:4711", "198.51.100.7"),
        (1, "[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64"),
        (1, "2001:db8:1:2::9", "2001:db8:1:2::/64"),
        (1, "::ffff:198.51.100.7", "198.51.100.7"),
        (1, "fe80::1%eth0", "fe80::/64"),
        (1, "unknown", "192.0.2.1"),
        (1, "198.51.100.7, ", "192.0.2.1"),
        (1, "1.2.3.4.5", "192.0.2.1"),
        (1, "[", "192.0.2.1"),
        (1, "%", "192.0.2.1"),
        (1, "' OR 1=1 --", "192.0.2.1"),
        (1, "１９８.51.100.7", "192.0.2.1"),
        (1, "x" * 8000, "192.0.2.1"),
        (1, "," * 8000, "192.0.2.1"),
    ],
)
def test_the_address_is_the_one_that_our_own_proxies_saw(
    settings: Settings, proxies: int, forwarded: str, address: str
) -> None:
    settings.DUET = {**settings.DUET, "TRUSTED_PROXIES": proxies}
    request = asked_from("192.0.2.1", **{"X-Forwarded-For": forwarded})
    assert limits.address_of(request) == address


def test_a_server_that_knows_no_address_limits_nobody_by_it() -> None:
    for _ in range(5):
        limits.check(asked_from(""), TWICE)
        with limits.place(asked_from(""), TWICE) as place:
            place.belongs_to("x")


def test_of_many_at_the_same_moment_no_more_than_the_limit_get_through() -> None:
    started = threading.Barrier(20)

    def passed(_: int) -> tuple[bool, bool]:
        started.wait()
        counted = taken = True
        try:
            limits.check_key(Limit("race", 5, 60), "one")
        except TooMany:
            counted = False
        try:
            take("race")
        except TooMany:
            taken = False
        return counted, taken

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(passed, range(20)))
    assert sum(counted for counted, _ in outcomes) == 5
    assert sum(taken for _, taken in outcomes) == TWICE.times
