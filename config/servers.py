"""One PostgreSQL and one Redis server, each started by the path of its program as a plain child.

They listen on sockets in a private folder only, and want a password all the same.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis
from psycopg import sql

from config import binaries, children, state
from config.children import Account
from config.environment import Misconfigured

DATABASE = "duet"


@dataclass(frozen=True)
class Home:
    """Where the servers keep their files, and as whom they run (None: as ourselves)."""

    servers: Path
    run: Path
    account: Account | None

    def private(self, name: str) -> Path:
        """Make a folder that only the servers' account may enter."""
        return self.own(state.make_private(self.servers / name))

    def own(self, path: Path) -> Path:
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)
        return path

    def log(self, name: str) -> Path:
        return self.servers / f"{name}.log"


class Postgres:
    """One PostgreSQL server. `durable=False` skips fsync: for tests, which lose it anyway."""

    name = "PostgreSQL"

    def __init__(self, home: Home, *, durable: bool = True) -> None:
        self._home = home
        self._durable = durable
        self._data = home.servers / "postgres"
        self._programs = binaries.reachable_postgres(
            binaries.postgres_folder(), home.account, home.servers
        )
        self._admin_password = state.kept_secret(home.servers / "postgres-admin.password")
        self._password = state.kept_secret(home.servers / "postgres.password")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        folder = quote(str(self._home.run), safe="")
        return f"postgresql://{DATABASE}:{self._password}@{folder}/{DATABASE}"

    def start(self) -> None:
        """Start and wait until it answers; refuses data of another major version."""
        if not (self._data / "PG_VERSION").exists():
            self._create()
        self._check_version()
        self._clear_leftovers()
        # After a kill -9 the old server's last processes may hold its shared memory for a moment.
        if not children.wait_until(self._try_to_start, seconds=15, step=0.3):
            raise Misconfigured(_last_words(self.name, self._home.log("postgres")))
        self._create_database()

    def stop(self) -> None:
        if self.process:
            children.stop(self.process, signal.SIGINT, patience=20)  # SIGINT: the "fast" shutdown

    def _create(self) -> None:
        """Make the data folder under another name first, so that half of one is never used."""
        partial = self._data.with_name("postgres.partial")
        shutil.rmtree(partial, ignore_errors=True)
        self._home.own(state.make_private(partial))
        password_file = self._home.servers / "initdb.password"
        state.write_private(password_file, self._admin_password)
        self._home.own(password_file)
        command = [
            str(self._programs / "initdb"),
            f"--pgdata={partial}",
            "--username=postgres",
            "--auth=scram-sha-256",
            f"--pwfile={password_file}",
            "--encoding=UTF8",
            *self._locale(),
        ]
        account = self._home.account
        done = subprocess.run(
            command,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        password_file.unlink()
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise Misconfigured(f"PostgreSQL could not be set up: {' '.join(reason)}")
        partial.rename(self._data)

    def _locale(self) -> list[str]:
        """The same order of texts on every machine, whatever its C library knows."""
        if binaries.major_version(self._programs) >= 17:
            return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        return ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]

    def _check_version(self) -> None:
        written = int((self._data / "PG_VERSION").read_text().strip())
        here = binaries.major_version(self._programs)
        if written != here:
            raise Misconfigured(
                f"The records in {self._data} were written by PostgreSQL {written}, and here is"
                f" {here}: docs/running.md, 'A new PostgreSQL', says how to move them."
            )

    def _clear_leftovers(self) -> None:
        """Remove what a killed server left; we hold the lock, so no living one is ours to share."""
        pid_file = self._data / "postmaster.pid"
        with suppress(OSError, ValueError, IndexError):
            pid = int(pid_file.read_text().split()[0])
            _end_leftover(pid, self._data, signal.SIGINT)
        pid_file.unlink(missing_ok=True)
        for socket in self._home.run.glob(".s.PGSQL.*"):
            socket.unlink(missing_ok=True)

    def _try_to_start(self) -> bool:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._home.run),
            "unix_socket_permissions": "0700",
            "max_connections": "200",  # the races take fifty each
            "log_min_messages": "warning",
            # Statements and details quote rows, and rows hold what persons said.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            "jit": "off",
        }
        if not self._durable:
            options |= {"fsync": "off", "full_page_writes": "off"}
        command = [str(self._programs / "postgres"), "-D", str(self._data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self.process = children.start(
            command,
            log=self._home.log("postgres"),
            account=self._home.account,
            death_signal=signal.SIGINT,
        )
        return children.wait_until(self._answers_or_died, seconds=60) and self._is_alive()

    def _answers_or_died(self) -> bool:
        if not self._is_alive():
            return True
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self._home.run),
            user="postgres",
            password=self._admin_password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )

    def _create_database(self) -> None:
        """Give Duet a role of its own that is no superuser, and a database (tests make more)."""
        with self._connect() as connection:
            role, password = sql.Identifier(DATABASE), sql.Literal(self._password)
            if not connection.execute(
                "SELECT FROM pg_roles WHERE rolname = %s", [DATABASE]
            ).fetchall():
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, password)
                )
            if not connection.execute(
                "SELECT FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchall():
                connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(role))


class Redis:
    """One Redis (or Valkey) server that keeps an append-only file."""

    name = "Redis"

    def __init__(self, home: Home) -> None:
        self._home = home
        self._data = home.private("redis")
        self._program = binaries.reachable_redis(
            binaries.redis_program(), home.account, home.servers
        )
        self._password = state.kept_secret(home.servers / "redis.password")
        self._socket = home.run / "redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://:{self._password}@{self._socket}?db=0"

    def start(self) -> None:
        """Start and wait until it answers."""
        pid_file = self._data / "redis.pid"
        with suppress(OSError, ValueError):
            _end_leftover(int(pid_file.read_text()), self._data, signal.SIGTERM)
        self._socket.unlink(missing_ok=True)
        self._write_settings(pid_file)
        self.process = children.start(
            [str(self._program), str(self._data / "redis.conf")],
            log=self._home.log("redis"),
            account=self._home.account,
        )
        if not children.wait_until(self._answers_or_died, seconds=20) or self.process.poll():
            raise Misconfigured(_last_words(self.name, self._home.log("redis")))

    def stop(self) -> None:
        if self.process:
            children.stop(self.process, signal.SIGTERM, patience=10)

    def _write_settings(self, pid_file: Path) -> None:
        path = self._data / "redis.conf"
        state.write_private(
            path,
            "\n".join(
                [
                    "port 0",
                    f'unixsocket "{self._socket}"',
                    "unixsocketperm 700",
                    f'dir "{self._data}"',
                    f'pidfile "{pid_file}"',
                    "daemonize no",
                    "appendonly yes",
                    "appendfsync everysec",
                    'save ""',
                    "maxmemory-policy noeviction",
                    # kombu runs Lua scripts, so @scripting stays; changing the server does not.
                    f"user default on >{self._password} ~* &* +@all -@dangerous -@admin"
                    " +info +client +keys +flushdb",
                    "",
                ]
            ),
        )
        self._home.own(path)

    def _answers_or_died(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            return True
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except (redis.RedisError, OSError):
            return False


def _end_leftover(pid: int, folder: Path, signal_number: int) -> None:
    """End a server of a start that was killed: wait for it, then ask, then kill.

    The number may have gone to another process since, so it must really work in our folder.
    """
    gone: Callable[[], bool] = lambda: not _works_in(pid, folder)  # noqa: E731
    if children.wait_until(gone, seconds=3):
        return
    for ask, patience in ((signal_number, 15), (signal.SIGKILL, 5)):
        with suppress(ProcessLookupError):
            os.kill(pid, ask)
        if children.wait_until(gone, seconds=patience):
            return
    raise Misconfigured(f"Process {pid} still uses {folder}: end it first.")


def _works_in(pid: int, folder: Path) -> bool:
    if sys.platform == "linux":
        with suppress(OSError):
            return Path(f"/proc/{pid}/cwd").readlink() == folder
        return False
    listed = subprocess.run(
        ["ps", "-ww", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    ).stdout
    return str(folder) in listed or "redis" in listed or "valkey" in listed


def _last_words(name: str, log: Path) -> str:
    """Make one sentence of why a server did not start."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    fatal = [line for line in lines[-20:] if "FATAL" in line or "rror" in line] or lines[-1:]
    return f"{name} did not start: {fatal[-1].strip() if fatal else 'no word'} (see {log})."
