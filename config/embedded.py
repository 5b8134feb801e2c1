"""Our own PostgreSQL and Redis, in a data directory that one process at a time holds.

As root they run as another user, since PostgreSQL refuses root; no folder above is ever opened up.
`python -m config.embedded --dir FOLDER` starts both by hand and prints their addresses.
"""

import argparse
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from config import binaries, state
from config.children import Account
from config.environment import Misconfigured
from config.servers import Home, Postgres, Redis

SOCKET_NAME_LIMIT = 100  # bytes; Linux takes 107 and macOS 103
SYSTEM_HOME = Path("/var/lib/duet")


class Embedded:
    """Holds a data directory and runs the servers in it that the environment does not name."""

    def __init__(
        self, data_dir: Path, *, postgres: bool = True, redis: bool = True, durable: bool = True
    ) -> None:
        account = servers_account(data_dir)
        try:
            state.make_private(data_dir, 0o711 if account else 0o700)
            self.lock = state.Lock(data_dir)
        except PermissionError as error:
            raise Misconfigured(
                f"{error.filename} belongs to another user: set DUET_DATA_DIR to a folder of yours."
            ) from error
        self.servers: list[Postgres | Redis] = []
        self.folder = data_dir / "servers"
        self._run: Path | None = None
        try:
            if postgres or redis:
                home = self._prepare_home(data_dir, account)
                self.postgres = Postgres(home, durable=durable) if postgres else None
                self.redis = Redis(home) if redis else None
                for server in (self.postgres, self.redis):
                    if server:
                        self.servers.append(server)
                        server.start()
            else:
                self.postgres = self.redis = None
        except BaseException:
            self.stop()
            raise

    def environment(self) -> dict[str, str]:
        """Return the names by which settings find these servers."""
        names = {}
        if self.postgres:
            names["DATABASE_URL"] = self.postgres.url
        if self.redis:
            names["REDIS_URL"] = self.redis.url
        return names

    def stop(self) -> None:
        """Stop both in the order opposite to their start, and give the directory free."""
        for server in reversed(self.servers):
            server.stop()
        if self._run:
            shutil.rmtree(self._run, ignore_errors=True)
        self.lock.release()

    def _prepare_home(self, data_dir: Path, account: Account | None) -> Home:
        servers = self.folder = servers_folder(data_dir, account)
        state.make_private(servers, 0o711 if account else 0o700)
        run = servers / "run"
        if len(os.fsencode(run / ".s.PGSQL.5432")) > SOCKET_NAME_LIMIT:
            run = self._short_run_folder(servers)
            self._run = run
        home = Home(servers, run, account)
        home.own(state.make_private(run))
        return home

    @staticmethod
    def _short_run_folder(servers: Path) -> Path:
        """Make a folder with a short name for the sockets; one that a killed start left goes."""
        note = servers / "run.path"
        with suppress(OSError):
            left = Path(note.read_text())
            if left.name.startswith("duet-"):
                shutil.rmtree(left, ignore_errors=True)
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        parent = runtime if os.geteuid() and os.access(runtime, os.W_OK) else "/tmp"  # noqa: S108
        run = Path(tempfile.mkdtemp(prefix="duet-", dir=parent))
        state.write_private(note, str(run))
        return run


def servers_account(data_dir: Path) -> Account | None:
    """Return the user for the servers when we are root: whoever owns the data, else `postgres`,
    else `duet`, made where it can be, else `nobody`.
    """
    if os.geteuid() != 0:
        return None
    for folder in (data_dir / "servers", _system_folder(data_dir)):
        with suppress(OSError, KeyError):
            return _account(pwd.getpwuid((folder / "postgres").stat().st_uid).pw_name)
    for name in ("postgres", "duet"):
        with suppress(KeyError):
            return _account(name)
    with suppress(OSError, subprocess.SubprocessError, KeyError):
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "duet"],
            check=True,
            capture_output=True,
        )
        return _account("duet")
    return _account("nobody")


def servers_folder(data_dir: Path, account: Account | None) -> Path:
    """Return the servers' folder: in the data directory, or in /var/lib/duet where root's own
    folders do not let the servers' user through (a checkout below a private home).
    """
    if account is None or binaries.may_enter(data_dir, account):
        return data_dir / "servers"
    folder = _system_folder(data_dir)
    try:
        state.make_private(folder.parent, 0o711)
    except OSError as error:
        raise Misconfigured(
            f"The user {account.name} cannot reach {data_dir}: set DUET_DATA_DIR to a folder"
            " that others may pass through."
        ) from error
    return folder


def _system_folder(data_dir: Path) -> Path:
    return SYSTEM_HOME / hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]


def _account(name: str) -> Account:
    entry = pwd.getpwnam(name)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def main() -> None:
    """Run both servers until Ctrl-C, for work on the code without `up`."""
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description=main.__doc__)
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "duet-servers")
    folder = parser.parse_args().dir.absolute()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        embedded = Embedded(folder)
    except Misconfigured as refusal:
        sys.exit(f"{refusal}")
    try:
        for name, value in embedded.environment().items():
            sys.stdout.write(f"export {name}='{value}'\n")
        sys.stdout.flush()
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        embedded.stop()


if __name__ == "__main__":
    main()
