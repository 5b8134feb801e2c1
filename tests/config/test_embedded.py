"""The servers that Duet brings along: what they survive, and what they refuse."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from config import binaries, embedded, state
from config.children import wait_until
from config.embedded import Embedded
from config.environment import Misconfigured
from config.servers import Postgres
from tests.config.running import ROOT, environment, fresh_folder, living

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("embedded")]


@contextmanager
def running(folder: Path) -> Iterator[tuple[Embedded, Postgres]]:
    started = Embedded(folder, redis=False)
    try:
        assert started.postgres
        yield started, started.postgres
    finally:
        started.stop()


def write(postgres: Postgres, word: str) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [word])


def words(postgres: Postgres) -> list[str]:
    with psycopg.connect(postgres.url) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM kept").fetchall()]


def test_a_killed_server_starts_again_with_all_rows() -> None:
    with running(fresh_folder()) as (_, postgres):
        write(postgres, "first")
        assert postgres.process
        os.kill(postgres.process.pid, signal.SIGKILL)
        postgres.process.wait()
        postgres.start()
        assert words(postgres) == ["first"]


def test_a_stale_pid_file_that_names_a_living_stranger_hurts_neither() -> None:
    folder = fresh_folder()
    with running(folder) as (_, postgres):
        write(postgres, "kept")
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (folder / "servers" / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n")
    with running(folder) as (_, postgres):
        assert words(postgres) == ["kept"]
    assert stranger.poll() is None
    stranger.communicate(b"\n")


def test_two_run_side_by_side() -> None:
    with running(fresh_folder()) as (_, one), running(fresh_folder()) as (_, other):
        write(one, "one")
        write(other, "other")
        assert (words(one), words(other)) == (["one"], ["other"])


def test_a_second_one_in_the_same_folder_is_refused_with_a_sentence() -> None:
    folder = fresh_folder()
    with running(folder), pytest.raises(state.AlreadyRunning, match="wait until it ends"):
        Embedded(folder)


def test_records_of_another_major_version_are_refused_with_a_sentence() -> None:
    folder = fresh_folder()
    with running(folder):
        pass
    (folder / "servers" / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(Misconfigured, match="written by PostgreSQL 12"):
        Embedded(folder)
    assert not state.is_held(folder)


def test_nobody_else_gets_in_and_no_folder_above_is_opened_up() -> None:
    folder = fresh_folder()
    above = [folder, folder.parent, folder.parent.parent]
    before = [stat.S_IMODE(one.stat().st_mode) for one in above]
    with running(folder) as (_, postgres):
        host = folder / "servers" / "run"
        assert stat.S_IMODE(host.stat().st_mode) == 0o700
        for private in folder.rglob("*.password"):
            assert stat.S_IMODE(private.stat().st_mode) == 0o600
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host=str(host), user="postgres", dbname="postgres", password="wrong")
        with psycopg.connect(postgres.url) as connection:
            question = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
            assert connection.execute(question).fetchall() == [(False,)]
    assert [stat.S_IMODE(one.stat().st_mode) for one in above] == before


def test_a_folder_too_deep_for_a_socket_gets_a_short_private_one() -> None:
    deep = fresh_folder() / ("d" * 60) / ("e" * 60)
    for folder in (deep.parent, deep):
        folder.mkdir()
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    started = Embedded(deep)
    try:
        assert started.postgres
        assert started.redis
        write(started.postgres, "deep")
        run = started._run
        assert run
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
    finally:
        started.stop()
    assert not run.exists()


def test_redis_keeps_what_it_was_told_when_it_is_killed() -> None:
    started = Embedded(fresh_folder(), postgres=False)
    try:
        server = started.redis
        assert server
        assert server.process
        with redis.Redis.from_url(server.url) as client:
            client.set("kept", "yes")
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("kept") == b"yes"
    finally:
        started.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_when_the_launcher_is_killed_its_servers_go_with_it() -> None:
    folder = fresh_folder()
    launcher = subprocess.Popen(
        [sys.executable, "-m", "config.embedded", "--dir", str(folder)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
    )
    assert launcher.stdout
    launcher.stdout.readline()
    servers = folder / "servers"
    pids = {
        int((servers / "postgres" / "postmaster.pid").read_text().split()[0]),
        int((servers / "redis" / "redis.pid").read_text()),
    }
    assert living(pids) == pids
    launcher.kill()
    launcher.communicate()
    assert wait_until(lambda: not living(pids), seconds=5)
    with running(folder):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as another user")
def test_below_a_private_home_root_keeps_the_servers_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, system = fresh_folder(), fresh_folder()
    home.chmod(0o700)
    monkeypatch.setattr(embedded, "SYSTEM_HOME", system / "duet")
    data = home / "checkout" / ".duet"
    with running(data) as (_, postgres):
        write(postgres, "kept")
        assert not (data / "servers").exists()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    with running(data) as (_, postgres):
        assert words(postgres) == ["kept"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as another user")
def test_programs_that_the_servers_user_cannot_reach_are_copied() -> None:
    folder, private = fresh_folder(), fresh_folder()
    account = embedded.servers_account(folder)
    programs = binaries.postgres_folder()
    package = programs.parent.parent
    subprocess.run(["cp", "-r", package, f"{package}.libs", private], check=True)
    private.chmod(0o700)
    hidden = private / package.name / programs.parent.name / programs.name
    copied = binaries.reachable_postgres(hidden, account, folder)
    assert copied.is_relative_to(folder)
    assert binaries.may_run(copied / "postgres", account)
