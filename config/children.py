"""Starts child processes that never outlive their parent (on Linux; see `die_with_parent`)."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOG_LIMIT = 5_000_000
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Account:
    """The operating system's user that a child runs as."""

    name: str
    uid: int
    gid: int


def die_with_parent(signal_number: int, parent: int) -> Callable[[], None] | None:
    """Return a function for the child that asks Linux to signal it when its parent dies.

    The request is bound to the *thread* that starts the child, so children start in the main
    thread. Elsewhere there is no such request: the next start cleans up instead.
    """
    if _libc is None:
        return None
    libc = _libc

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # the parent died before the request was made
            os.kill(os.getpid(), signal.SIGKILL)

    return in_child


def start(
    command: Sequence[str],
    *,
    log: Path,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path = Path("/"),
    death_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C reaches us alone and we stop it."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Children are started in the main thread: see die_with_parent.")
    with _open_log(log) as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=None if environment is None else dict(environment),
            start_new_session=True,
            preexec_fn=die_with_parent(death_signal, os.getpid()),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )


def stop(child: subprocess.Popen[bytes], signal_number: int, patience: float) -> None:
    """Ask a child to end, and kill it after `patience` seconds."""
    if child.poll() is not None:
        return
    child.send_signal(signal_number)
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def wait_until(ready: Callable[[], bool], *, seconds: float, step: float = 0.02) -> bool:
    """Ask again and again until it is so; False when the time is over."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True


def trim(log: Path) -> None:
    """Past its limit, keep what a log holds under another name and let it begin anew.

    Children write at its end (O_APPEND), so that they go on in the emptied file.
    """
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        kept = log.with_name(f"{log.name}.1")
        shutil.copyfile(log, kept)
        kept.chmod(0o600)
        os.truncate(log, 0)


@contextmanager
def _open_log(path: Path) -> Iterator[int]:
    """Open a log of ours, 0600; it starts anew past 5 MB, so that it never fills the disk."""
    trim(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
