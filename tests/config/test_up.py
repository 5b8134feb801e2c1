"""`manage.py up` as a whole: it serves, mends itself, and leaves nothing behind."""

import json
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from config.children import wait_until
from tests.config.running import Site, fresh_folder, living, manage, site

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("up"), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def running(django_db_setup: None) -> Iterator[Site]:
    with site(fresh_folder()) as started:
        yield started


def test_it_prints_the_address_and_where_the_mail_goes(running: Site) -> None:
    assert f"http://localhost:{running.port}/" in running.said
    assert "/dev/mailbox/" in running.said
    assert running.get("/healthz") == 200
    assert running.get("/readyz") == 200
    assert running.get("/dev/mailbox/") == 200


def test_its_state_and_its_secrets_are_private_files(running: Site) -> None:
    for name in ("state.json", "secret_key", "notes_key", "lock"):
        assert stat.S_IMODE((running.folder / name).stat().st_mode) == 0o600
    assert running.state.mode == "demo"
    assert running.state.address == f"http://localhost:{running.port}"
    told = running.state.environment
    assert told["DATABASE_URL"].startswith("postgresql://")
    assert told["DUET_BASE_URL"] == running.state.address
    assert int(told["DUET_MAILBOX_PORT"])


def test_other_commands_use_its_servers(running: Site) -> None:
    done = manage("doctor", "--json", DUET_DATA_DIR=str(running.folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["ok"] is True


def test_a_second_one_in_the_same_folder_is_told_where_the_first_is(running: Site) -> None:
    done = manage("up", "--port", "1", DUET_DATA_DIR=str(running.folder), DUET_MODE="demo")
    assert done.returncode == 78
    assert f"Duet runs already from {running.folder}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_busy_port_is_one_sentence(running: Site) -> None:
    folder = fresh_folder()
    done = manage("up", "--port", str(running.port), DUET_DATA_DIR=str(folder), DUET_MODE="demo")
    assert done.returncode == 78
    assert done.stderr.startswith(f"Something else listens on port {running.port}")
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "word", ["gunicorn", "celery -A config --quiet worker", "beat", "mailbox", "valkey", "redis"]
)
def test_a_killed_child_starts_again(running: Site, word: str) -> None:
    before = running.child(word)
    if before is None:
        assert word in {"valkey", "redis"}  # it is one of them, whichever this host has
        return
    os.kill(before, signal.SIGKILL)
    assert wait_until(lambda: running.child(word) not in {None, before}, seconds=60, step=0.1)
    assert wait_until(lambda: running.get("/healthz") == 200, seconds=30, step=0.1)


def test_a_killed_postgres_starts_again_with_all_rows_and_the_pages_find_it(running: Site) -> None:
    address = running.state.environment["DATABASE_URL"]
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    before = running.child("postgres -D")
    assert before
    os.kill(before, signal.SIGKILL)
    assert wait_until(lambda: running.child("postgres -D") not in {None, before}, seconds=60)
    assert wait_until(lambda: running.get("/readyz") == 200, seconds=30, step=0.1)
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]


@contextmanager
def without(running: Site, word: str) -> Iterator[None]:
    """Kill a child while the supervisor is frozen, so that it stays away for the moment."""
    child = running.child(word)
    assert child
    running.process.send_signal(signal.SIGSTOP)
    try:
        os.kill(child, signal.SIGKILL)
        assert wait_until(lambda: child not in living({child}), seconds=10)
        yield
    finally:
        running.process.send_signal(signal.SIGCONT)
    assert wait_until(lambda: running.child(word) not in {None, child}, seconds=60, step=0.1)


def test_while_postgres_is_away_a_page_says_so_within_ten_seconds_and_then_comes_back(
    running: Site,
) -> None:
    assert running.get("/book/") == 200
    with without(running, "postgres -D"):
        before = time.monotonic()
        assert running.get("/book/") == 503
        assert running.get("/readyz") == 503
        assert running.get("/healthz") == 200
        assert time.monotonic() - before < 10
    assert wait_until(lambda: running.get("/book/") == 200, seconds=30, step=0.1)


def test_while_redis_is_away_pages_go_on(running: Site) -> None:
    with without(running, "redis" if running.child("redis") else "valkey"):
        assert running.get("/book/") == 200
        assert running.get("/readyz") == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_ends_quietly_and_leaves_nothing(number: signal.Signals) -> None:
    with site(fresh_folder()) as started:
        family = started.family()
        started.process.send_signal(number)
        assert started.process.wait(30) == 0
        assert not living(family)
        assert started.said.strip().splitlines()[-1] == "Stopping ..."
        assert not (started.folder / "state.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_killed_it_leaves_nothing_within_five_seconds_and_starts_again() -> None:
    folder = fresh_folder()
    with site(folder) as started:
        family = started.family()
        assert len(family) > 8
        started.process.kill()
        started.process.wait()
        assert wait_until(lambda: not living(family), seconds=5, step=0.1)
    with site(folder) as again:
        assert again.get("/readyz") == 200
