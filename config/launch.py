"""Decides, before settings load, which servers a management command talks to.

What the environment names is used. Else a running `up` of this checkout shares its servers, and
where none runs the command starts servers for itself and stops them when it ends.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from django.core.management import execute_from_command_line

from config import state
from config.children import wait_until
from config.embedded import Embedded
from config.environment import CONFIG_ERROR, Misconfigured

BASE_DIR = Path(__file__).resolve().parent.parent

# Commands that need neither a database nor Redis; `up` starts its own.
ALONE = frozenset(
    {
        "",
        "check",
        "collectstatic",
        "compilemessages",
        "diffsettings",
        "findstatic",
        "help",
        "makemessages",
        "makemigrations",
        "permissions",
        "up",
        "version",
    }
)


def data_dir() -> Path:
    named = os.environ.get("DUET_DATA_DIR", "").strip()
    return Path(named).absolute() if named else BASE_DIR / ".duet"


def prepare(arguments: Sequence[str]) -> Embedded | None:
    """Put the servers' addresses into the environment; returns the servers started for this."""
    folder = data_dir()
    if mode := state.remembered_mode(folder):
        os.environ.setdefault("DUET_MODE", mode)
    command = arguments[1] if len(arguments) > 1 else ""
    if command.startswith("-") or {"-h", "--help"} & set(arguments) or command in ALONE:
        return None
    if state.is_held(folder):
        # Its holder may just be starting: wait until it has said where its servers are.
        if not wait_until(lambda: state.read_state(folder) is not None, seconds=30):
            raise Misconfigured(f"Another process holds {folder} and does not get ready.")
        running = state.read_state(folder)
        for name, value in (running.environment if running else {}).items():
            os.environ.setdefault(name, value)
        return None
    return start_for(folder, shlex.join(["manage.py", *arguments[1:]]))


def start_for(folder: Path, command: str, *, address: str = "") -> Embedded | None:
    """Start the servers that the environment does not name, and say so in the state file."""
    mode = os.environ.get("DUET_MODE", "").strip() or "production"
    named = {name: bool(os.environ.get(name, "").strip()) for name in ("DATABASE_URL", "REDIS_URL")}
    if all(named.values()) and mode != "demo":
        return None
    embedded = Embedded(
        folder, postgres=not named["DATABASE_URL"], redis=not named["REDIS_URL"]
    )
    names = {**embedded.environment(), "DUET_DATA_DIR": str(folder), "DUET_MODE": mode}
    if mode == "demo":
        names |= state.demo_environment(folder, os.environ)
    os.environ.update(names)
    state.write_state(folder, state.State(os.getpid(), command, mode, address, names))
    return embedded


def main(arguments: Sequence[str]) -> None:
    """Run a management command with the servers that it needs."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        embedded = prepare(arguments)
    except Misconfigured as refusal:
        sys.stderr.write(f"{refusal}\n")
        raise SystemExit(CONFIG_ERROR) from None
    try:
        execute_from_command_line(list(arguments))
    finally:
        if embedded:
            embedded.stop()
