"""The data directory: who holds it, what runs in it, and its secrets.

One process holds the lock (`up`, or a command that started the servers for itself) and writes
`state.json`; every other command of the same checkout reads the addresses there.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from config.environment import Misconfigured


class AlreadyRunning(Misconfigured):
    """Another process holds the data directory."""


@dataclass(frozen=True)
class State:
    """What the holder of the lock tells the others; kept in a file of mode 0600."""

    pid: int
    command: str
    mode: str
    address: str  # of the web pages; empty while none are served
    environment: dict[str, str]  # names and values that the other commands take over


def make_private(folder: Path, mode: int = 0o700) -> Path:
    """Make a folder with exactly that mode; one that is there already is left as it is."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        folder.chmod(mode)  # whatever the umask takes away
    return folder


def write_private(path: Path, content: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    partial.rename(path)


def kept_secret(path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
    """Return the file's text, made on first use."""
    if not path.exists():
        write_private(path, make())
    return path.read_text(encoding="utf-8")


class Lock:
    """An exclusive hold on a data directory; the system frees it when its holder dies."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise AlreadyRunning(who_holds(data_dir)) from None
        forget_state(data_dir)  # what a killed holder left is true no more

    def release(self) -> None:
        """Give the directory free; the state file goes with it."""
        forget_state(self._data_dir)
        os.close(self._descriptor)


def is_held(data_dir: Path) -> bool:
    """Say whether some living process holds the directory."""
    path = data_dir / "lock"
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def write_state(data_dir: Path, state: State) -> None:
    write_private(data_dir / "state.json", json.dumps(asdict(state), indent=1) + "\n")


def read_state(data_dir: Path) -> State | None:
    """Return what the holder wrote; None where nobody has, or it is not readable as such."""
    try:
        return State(**json.loads((data_dir / "state.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def forget_state(data_dir: Path) -> None:
    (data_dir / "state.json").unlink(missing_ok=True)


def remembered_mode(data_dir: Path) -> str:
    """Return the mode that this directory was first used in, or an empty text."""
    try:
        return (data_dir / "mode").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def remember_mode(data_dir: Path, mode: str) -> None:
    write_private(data_dir / "mode", f"{mode}\n")


def demo_environment(data_dir: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return names for a demo's keys, kept as files of mode 0600; what is given stays as it is."""
    names: dict[str, str] = {}
    for name, make in (
        ("DUET_SECRET_KEY", lambda: secrets.token_urlsafe(50)),
        ("DUET_NOTES_KEY", new_notes_key),
    ):
        if not given.get(name) and not given.get(f"{name}_FILE"):
            path = data_dir / name.removeprefix("DUET_").lower()
            kept_secret(path, make)
            names[f"{name}_FILE"] = str(path)
    return names


def new_notes_key() -> str:
    """Return a new key-encryption key in the form of DUET_NOTES_KEY: `id:base64`."""
    return f"k{secrets.token_hex(4)}:{secrets.token_urlsafe(32)}"


def who_holds(data_dir: Path) -> str:
    state = read_state(data_dir)
    if state and state.address:
        return f"Duet runs already from {data_dir}, at {state.address} (process {state.pid})."
    who = f" (`{state.command}`, process {state.pid})" if state else ""
    return f"Another command{who} uses {data_dir}: wait until it ends, or end it."
