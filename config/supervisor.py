"""Runs the whole practice on one host: servers, mail sink, web, worker and beat.

All are children of this process. They stop with it, in order, and on Linux they die with it even
when it is killed. One that dies is started again, later each time.
"""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType
from typing import Protocol

from config import children
from config.environment import Misconfigured

BASE_DIR = Path(__file__).resolve().parent.parent
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0  # seconds before a dead child starts again
CALM = 60.0  # seconds of life after which its earlier deaths are forgotten
CELERY = [sys.executable, "-m", "celery", "-A", "config", "--quiet"]


class Runnable(Protocol):
    """A child, or a server of `config.embedded`."""

    name: str
    process: subprocess.Popen[bytes] | None

    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass
class Program:
    """A Python child with a log of its own; `ready` says when it does its work."""

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[], bool] = lambda: True
    patience: float = 5.0  # seconds to finish what it is doing once it is asked to stop
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start and wait until it is ready; refuses when it ends at once."""
        self.process = children.start(
            self.command, log=self.log, folder=BASE_DIR, death_signal=signal.SIGKILL
        )
        if not children.wait_until(self._ready_or_dead, seconds=60, step=0.05):
            raise Misconfigured(f"The {self.name} does not answer (see {self.log}).")
        if self.process.poll() is not None:
            raise Misconfigured(f"The {self.name} did not start: {_last_line(self.log)}")

    def stop(self) -> None:
        if self.process:
            children.stop(self.process, signal.SIGTERM, self.patience)

    def _ready_or_dead(self) -> bool:
        return self.process is None or self.process.poll() is not None or self.ready()


class Watch:
    """Starts dead children again, each with a pause that doubles until it lives a while."""

    def __init__(self, running: Sequence[Runnable], say: Callable[[str], None]) -> None:
        self._running = running
        self._say = say
        self._pauses: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._started: dict[str, float] = {one.name: time.monotonic() for one in running}

    def look(self) -> None:
        """Look at every child once."""
        for one in self._running:
            if one.process and one.process.poll() is not None:
                self._mend(one, time.monotonic())

    def _mend(self, one: Runnable, now: float) -> None:
        if one.name not in self._due:
            if now - self._started[one.name] > CALM:
                self._pauses.pop(one.name, None)
            pause = self._pauses.get(one.name, FIRST_PAUSE)
            self._pauses[one.name] = min(pause * 2, LONGEST_PAUSE)
            self._due[one.name] = now + pause
            ended = one.process.returncode if one.process else 0
            self._say(f"{one.name} ended ({_cause(ended)}); it starts again in {pause:g} s.")
        if now < self._due[one.name]:
            return
        del self._due[one.name]
        self._started[one.name] = now
        try:
            one.start()
        except Exception as error:  # whatever it is, the others must be kept
            self._say(str(error) if isinstance(error, Misconfigured) else f"{one.name}: {error!r}")


class Stop(Exception):
    """Ctrl-C or SIGTERM."""


class Supervisor:
    """Owns the children: `add` starts one, `watch` keeps them, `stop` ends them in order."""

    def __init__(self, servers: Sequence[Runnable], say: Callable[[str], None]) -> None:
        self._servers = list(servers)
        self._programs: list[Program] = []
        self._say = say
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked)

    def add(self, program: Program) -> None:
        self._programs.append(program)
        program.start()

    def watch(self) -> None:
        """Watch until somebody asks us to stop (raises Stop)."""
        watch = Watch([*self._servers, *self._programs], self._say)
        while True:
            watch.look()
            for program in self._programs:
                children.trim(program.log)
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop the programs, last started first; a second Ctrl-C only hurries.

        The servers are stopped by their owner, after this.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._hurry)
        for program in reversed(self._programs):
            program.stop()

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        raise Stop

    def _hurry(self, _number: int, _frame: FrameType | None) -> None:
        for program in self._programs:
            if program.process and program.process.poll() is None:
                program.process.kill()


def web(port: int, host: str, logs: Path) -> Program:
    """gunicorn with threads; it is ready when it answers /healthz."""
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Program(
        "web server",
        [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py", "--bind", bind],
        logs / "web.log",
        ready=lambda: _answers(port, host),
    )


def worker(logs: Path) -> Program:
    """One Celery worker; its tasks wait for the database and SMTP, so threads are enough."""
    return Program(
        "worker",
        [
            *CELERY,
            "worker",
            "--pool=threads",
            "--concurrency=4",
            "--without-gossip",
            "--without-mingle",
            "--loglevel=WARNING",
        ],
        logs / "worker.log",
    )


def beat(logs: Path) -> Program:
    """The clock. Its schedule is intervals only, so it keeps no file: a restart rings at once."""
    return Program(
        "beat",
        [
            *CELERY,
            "beat",
            "--scheduler=celery.beat:Scheduler",
            "--pidfile=",
            "--loglevel=WARNING",
        ],
        logs / "beat.log",
    )


def mail_sink(port: int, folder: Path, logs: Path) -> Program:
    """The demo's mail server, which keeps all mail on this machine."""
    return Program(
        "mail sink",
        [sys.executable, "-m", "config.mailbox", "--port", str(port), "--folder", str(folder)],
        logs / "mail.log",
        ready=lambda: is_taken(port),
    )


def is_taken(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether something listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1" if host == "0.0.0.0" else host, port)) == 0  # noqa: S104


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int, host: str) -> bool:
    place = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104
    probe = HTTPConnection(place, port, timeout=5)
    try:
        probe.request("GET", "/healthz")
        probe.getresponse()  # whatever it says: it speaks HTTP, and the rest is the page's matter
    except (OSError, HTTPException):
        return False
    finally:
        probe.close()
    return True


def _cause(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.exists() else []
    said = [line.strip() for line in lines if line.strip()]
    return f"{said[-1]} (see {log})" if said else f"see {log}"
