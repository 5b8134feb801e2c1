"""What the mail benchmarks share: a mail server, senders in processes, Celery, ready letters."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from celery import Celery
from django.utils import timezone

from benchmarks.servers import ROOT, Stage
from clients.channels.email import EmailChannel
from clients.models import Message
from config import children
from config.redis_urls import broker_url
from practice.queries import letters

PROCESSES = 2


class Sink:
    """The mail server of a run."""

    def __init__(self) -> None:
        self._process = _piped([sys.executable, "-m", "benchmarks.mail_sink"])
        self.port = int(_line(self._process))

    def taken(self) -> dict[str, int]:
        """How many copies of which letters came since the last time."""
        with socket.create_connection(("127.0.0.1", self.port)) as line:
            heard = line.makefile("rb")
            heard.readline()
            line.sendall(b"XTAKEN\r\n")
            found: dict[str, int] = json.loads(heard.readline()[4:])
            return found

    def stop(self) -> None:
        _end(self._process)


@contextmanager
def sink() -> Iterator[Sink]:
    """A mail server, named to every sender that is started."""
    server = Sink()
    os.environ["EMAIL_URL"] = f"smtp://127.0.0.1:{server.port}"
    try:
        yield server
    finally:
        server.stop()


class Senders:
    """Some processes of one kind; see `benchmarks.sender`."""

    def __init__(
        self,
        kind: str,
        count: int = PROCESSES,
        *,
        file: Path | None = None,
        later: timedelta = timedelta(),
    ) -> None:
        command = [*(sys.executable, "-m", "benchmarks.sender", kind)]
        command += [str(file)] if file else []
        command += ["--later", str(int(later.total_seconds()))]
        self._processes = [_piped(command) for _ in range(count)]
        for process in self._processes:
            _line(process)

    def go(self) -> None:
        for number, process in enumerate(self._processes):
            if process.stdin:
                process.stdin.write(f"{number} {len(self._processes)}\n".encode())
                process.stdin.flush()

    def wait(self) -> int:
        """How many letters they sent, once all are done."""
        return sum(int(_line(process)) for process in self._processes)

    def rate(self, count: int) -> float:
        """Letters per second of one run, which has to send `count`."""
        began = time.perf_counter()
        self.go()
        sent = self.wait()
        seconds = time.perf_counter() - began
        if sent != count:
            raise SystemExit(f"{sent} letters left instead of {count}.")
        return count / seconds

    def kill(self) -> int:
        """SIGKILL, to each; returns to how many."""
        for process in self._processes:
            process.kill()
            process.wait()
        self.stop()
        return len(self._processes)

    def stop(self) -> None:
        for process in self._processes:
            _end(process)


class Eta:
    """A Celery worker with two processes, and reminders that it holds until they are due."""

    def __init__(self, stage: Stage, port: int, written: Path) -> None:
        self._done = stage.folder / "eta.done"
        self._done.touch()
        broker = broker_url(os.environ["REDIS_URL"])
        self._app = Celery("eta", broker=broker)
        self._app.conf.broker_transport_options = {"global_keyprefix": "eta:"}
        stage.start(
            "eta",
            [
                *(sys.executable, "-m", "celery", "-A", "benchmarks.eta_peer", "worker"),
                *("-c", str(PROCESSES), "-l", "ERROR", "--without-gossip", "--without-mingle"),
            ],
            environment={
                "ETA_BROKER": broker,
                "ETA_DONE": str(self._done),
                "ETA_LETTERS": str(written),
                "ETA_PORT": str(port),
                "PYTHONPATH": str(ROOT),
            },
        )

    def rate(self, task: str, count: int) -> float:
        """Tasks per second, from the moment for which all are planned until the last is done."""
        began = self._done.stat().st_size
        # Long enough for all to be planned, and held by the worker, before.
        due = datetime.now(UTC) + timedelta(seconds=1 + count / 250)
        with self._app.connection_for_write() as connection:
            for number in range(count):
                self._app.send_task(task, [number], eta=due, connection=connection)
        late = (datetime.now(UTC) - due).total_seconds()
        if late > 0:
            raise SystemExit(f"Planning took {late:.1f} s too long.")
        time.sleep(-late)
        start = time.perf_counter()
        wanted = began + count
        if not children.wait_until(
            lambda: self._done.stat().st_size >= wanted, seconds=120, step=0.005
        ):
            raise SystemExit("Celery did not execute every task.")
        return count / (time.perf_counter() - start)


def written(stage: Stage) -> tuple[Path, Path]:
    """Every letter as ready bytes, and as the words that `send_mail` wants, in two files."""
    subject, channel, now = letters.subjects()["attendance"], EmailChannel(), timezone.now()
    rows = list(Message.objects.select_related("person__key"))
    subject.read(rows)
    made = [subject.render(row) for row in rows]
    wires = [(letter.to, channel.write(letter, now).decode()) for letter in made]
    words = [
        {"to": one.to, "subject": one.subject, "text": one.text, "html": one.html} for one in made
    ]
    return _kept(stage.folder / "wires.json", wires), _kept(stage.folder / "words.json", words)


def _kept(path: Path, found: object) -> Path:
    path.write_text(json.dumps(found))
    return path


def _piped(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        preexec_fn=children.die_with_parent(15, os.getpid()),
    )


def _line(process: "subprocess.Popen[bytes]") -> str:
    told = process.stdout.readline() if process.stdout else b""
    if not told:
        raise SystemExit("A sender ended before it was done.")
    return told.decode().strip()


def _end(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    children.stop(process, signal_number=15, patience=10)
    process.wait()
