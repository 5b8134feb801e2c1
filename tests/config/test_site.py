"""Smaller parts of the site: cache, logs, doctor, signs of life, the test run's own servers."""

from io import StringIO

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.checks import ERROR, Error
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client

from config import doctor
from config.cache import FailOpenRedisCache


@pytest.mark.django_db
def test_each_test_process_has_a_database_of_its_own() -> None:
    assert str(connection.settings_dict["NAME"]).startswith("test_duet_")


def test_the_cache_is_redis_and_counts() -> None:
    cache.set("count", 1)
    assert cache.incr("count") == 2
    assert cache.get_many(["count", "other"]) == {"count": 2}


def test_clearing_the_cache_leaves_the_neighbours_keys() -> None:
    ours = settings.CACHES["default"]
    neighbour = FailOpenRedisCache(str(ours["LOCATION"]), {**ours, "KEY_PREFIX": "neighbour"})
    neighbour.set("kept", "yes")
    cache.set("gone", "yes")
    cache.clear()
    assert (cache.get("gone"), neighbour.get("kept")) == (None, "yes")


def test_without_redis_the_cache_misses_and_nothing_fails() -> None:
    away = FailOpenRedisCache("unix:///nowhere/redis.sock", {})
    away.set("a", 1)
    away.set_many({"a": 1})
    away.delete("a")
    away.clear()
    assert away.get("a", "default") == "default"
    assert away.add("a", 1) is False
    assert away.incr("a") == 1
    assert away.get_many(["a"]) == {}


@pytest.mark.django_db
def test_ready_says_that_the_database_is_there(client: Client) -> None:
    assert b"database: there" in client.get("/readyz").content


def test_while_the_database_is_away_pages_answer_503_and_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("gone, with words that nobody should see")

    monkeypatch.setattr("config.views.mailbox.letters", away)
    response = Client(raise_request_exception=False).get("/dev/mailbox/")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "10"
    assert b"gone" not in response.content


@pytest.mark.django_db
def test_the_doctor_finds_nothing_wrong_with_the_tests_servers() -> None:
    wrong = [str(found.msg) for found in doctor.findings() if found.level >= ERROR]
    assert wrong == []


@pytest.mark.django_db
def test_the_doctor_says_what_is_wrong_and_how_to_mend_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [Error("It is broken.", hint="Mend it.", id="x")]
    monkeypatch.setattr(doctor, "findings", lambda: found)
    said = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("doctor", stdout=said)
    assert end.value.code == 1
    assert said.getvalue() == "WRONG: It is broken.\n    Mend it.\n"
