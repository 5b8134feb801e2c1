"""What a benchmark runs against: servers of its own, and sites under the real web server.

All lie in a temporary folder, listen on this machine only, and are stopped by process id.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

from config import children, state
from config.embedded import Embedded
from config.environment import Misconfigured
from config.servers import DATABASE
from config.supervisor import free_port, is_taken

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".venv-bench"
GUNICORN = ROOT / "config" / "gunicorn.py"


@dataclass(frozen=True)
class Site:
    """A web server that answers on 127.0.0.1."""

    name: str
    port: int
    process: subprocess.Popen[bytes]


class Stage:
    """The servers of one run, and what is started on them."""

    def __init__(self, folder: Path, embedded: Embedded) -> None:
        self.folder = folder
        self.embedded = embedded
        self._children: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path = ROOT,
    ) -> subprocess.Popen[bytes]:
        """Start a child that ends with the run; its output is kept in `<name>.log`."""
        child = children.start(
            command,
            log=self.log(name),
            environment={**os.environ, **(environment or {})},
            folder=folder,
        )
        self._children.append(child)
        return child

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """End one child before the run ends."""
        children.stop(child, signal_number=15, patience=10)
        with suppress(ValueError):
            self._children.remove(child)

    def stop_all(self) -> None:
        for child in reversed(self._children):
            children.stop(child, signal_number=15, patience=10)

    def product(self) -> Site:
        """Duet as `up` serves it."""
        return self.site("product")

    def site(
        self,
        name: str,
        *,
        wsgi: str = "config.wsgi:application",
        environment: Mapping[str, str] | None = None,
        python: Path | None = None,
        folder: Path = ROOT,
    ) -> Site:
        """A site under gunicorn, with the workers and threads that Duet itself has."""
        port = free_port()
        command = [
            *(str(python or sys.executable), "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"),
            *(_same_server() if python else ("--config", str(GUNICORN))),
            wsgi,
        ]
        names = {"PYTHONPATH": str(ROOT), **(environment or {})}
        process = self.start(name, command, environment=names, folder=folder)
        up = children.wait_until(
            lambda: process.poll() is not None or is_taken(port), seconds=60, step=0.05
        )
        if not up or process.poll() is not None:
            raise Misconfigured(f"{name} does not answer:\n{self.log(name).read_text()[-2000:]}")
        return Site(name, port, process)

    def database(self, name: str) -> str:
        """A new, empty database beside Duet's; returns its URL."""
        url = os.environ["DATABASE_URL"]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"{url.rpartition('/')[0]}/{name}"

    def copy_database(self, name: str) -> str:
        """A copy of Duet's database as it is now; nobody else may be connected."""
        with psycopg.connect(self._maintenance(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(DATABASE)
                )
            )
        return f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}"

    def _maintenance(self) -> str:
        return f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/postgres"

    def vacuum(self, url: str = "") -> None:
        """Let no autovacuum of rows just loaded fall into a round."""
        with psycopg.connect(url or os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")


@contextmanager
def stage() -> Iterator[Stage]:
    """Start PostgreSQL and Redis, as durable as a practice runs them, and name them to Django.

    The environment is Duet's in demo mode without throttles; a developer's own names are dropped.
    """
    for name in [name for name in os.environ if name.startswith("DUET_")]:
        del os.environ[name]
    for name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL"):
        os.environ.pop(name, None)
    folder = Path(tempfile.mkdtemp(prefix="duet-bench-"))
    if os.geteuid() == 0:
        folder.chmod(0o711)  # the servers' user passes through
    embedded = Embedded(folder)
    made = Stage(folder, embedded)
    try:
        os.environ.update(
            embedded.environment(),
            **state.demo_environment(folder, {}),
            DUET_MODE="demo",
            DUET_DATA_DIR=str(folder),
            DUET_THROTTLE="off",
            DJANGO_SETTINGS_MODULE="config.settings",
        )
        yield made
    finally:
        made.stop_all()
        embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _same_server() -> list[str]:
    """Gunicorn's options for a site that can't load our file: the numbers are taken from it."""
    numbers = dict(re.findall(r"^(\w+) = (\d+)$", GUNICORN.read_text(), re.MULTILINE))
    return [
        *("--worker-class", "gthread", "--workers", numbers["workers"]),
        *("--threads", numbers["threads"], "--keep-alive", numbers["keepalive"]),
        *("--log-level", "warning", "--preload", "--no-control-socket"),
        *("--worker-tmp-dir", "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp"),  # noqa: S108
    ]


def parts_of(url: str) -> dict[str, str]:
    """A database URL as the names that a peer's settings want."""
    parts = urlsplit(url)
    return {
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
    }
