"""Starts Duet as a process of its own, in a folder of its own, as a person at a shell does."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from django.conf import settings

from config import state, supervisor
from config.children import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "DJANGO_SETTINGS_MODULE")


def fresh_folder() -> Path:
    """Make a folder below the test run's own, which the servers' user may pass through."""
    folder = Path(tempfile.mkdtemp(dir=settings.DUET["DATA_DIR"]))
    if os.geteuid() == 0:
        folder.chmod(0o711)
    return folder


def environment(**names: str) -> dict[str, str]:
    """Return this process's environment without anything that names Duet's servers or keys."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DUET_", "PYTEST")) and name not in NOT_OURS
    }
    return kept | names


def manage(*arguments: str, **names: str) -> subprocess.CompletedProcess[str]:
    """Run a management command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(**names),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


class Site:
    """One `manage.py up`, of a demo, with further names in its environment."""

    def __init__(self, folder: Path, **names: str) -> None:
        self.folder = folder
        self.port = supervisor.free_port()
        self.output = folder / "up.output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(self.port)],
                cwd=ROOT,
                env=environment(DUET_MODE="demo", DUET_DATA_DIR=str(folder), **names),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_complete(self) -> None:
        """Wait until the last child runs and the address is told."""
        assert wait_until(self._complete_or_dead, seconds=90, step=0.1), self.said
        assert self.process.poll() is None, self.said

    @property
    def said(self) -> str:
        return self.output.read_text()

    @property
    def state(self) -> state.State:
        found = state.read_state(self.folder)
        assert found is not None
        return found

    def get(self, path: str) -> int:
        """Return the status of a page; 0 where nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, HTTPException):
            return 0
        finally:
            connection.close()

    def child(self, word: str) -> int | None:
        """Return the number of the direct child whose command line holds the word."""
        for pid, parent, command in _processes():
            if parent == self.process.pid and word in command:
                return pid
        return None

    def below(self, word: str) -> set[int]:
        """Return the processes that the child of that word has started."""
        parent = self.child(word)
        return {pid for pid, of, _ in _processes() if of == parent}

    def family(self) -> set[int]:
        """Return the process itself and all that descend from it."""
        found = {self.process.pid}
        listed = _processes()
        for _ in listed:
            found |= {pid for pid, parent, _ in listed if parent in found}
        return found

    def _complete_or_dead(self) -> bool:
        told = state.read_state(self.folder)
        ours = told is not None and told.pid == self.process.pid
        return self.process.poll() is not None or bool(ours and told and told.address)


@contextmanager
def site(folder: Path, **names: str) -> Iterator[Site]:
    """Run `up`; whatever the test does, nothing is left after it."""
    running = Site(folder, **names)
    try:
        running.wait_until_complete()
        yield running
    finally:
        family = running.family()
        running.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            running.process.wait(20)
        for pid in family & living(family):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # Waited for here, or its collection later is a warning in somebody else's test.
        running.process.wait()


def living(family: set[int]) -> set[int]:
    """Return those that still run; a zombie does not."""
    return family & {pid for pid, _, _ in _processes()}


def _processes() -> list[tuple[int, int, str]]:
    """List number, parent and command line of what lives; slim Linux images have no `ps`."""
    if sys.platform == "linux":
        return [found for entry in Path("/proc").glob("[0-9]*") if (found := _process(entry))]
    listed = subprocess.run(
        ["ps", "-e", "-ww", "-o", "pid=,ppid=,stat=,args="],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = [line.split(None, 3) for line in listed.splitlines()]
    return [(int(row[0]), int(row[1]), row[3]) for row in rows if row[2][0] != "Z"]


def _process(entry: Path) -> tuple[int, int, str] | None:
    try:
        state_and_parent = (entry / "stat").read_text().rpartition(")")[2].split()
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it ended meanwhile
        return None
    if state_and_parent[0] == "Z":
        return None
    return int(entry.name), int(state_and_parent[1]), command
