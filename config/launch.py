"""Decides, before settings load, which servers a management command talks to.

What the environment names is used. Else a running `up` of this checkout shares its servers, and
where none runs the command starts servers for itself and stops them when it ends.
"""

import argparse
import ctypes
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from django.core.management import execute_from_command_line

from clients.rules.envelope import KeyRefused
from config import children, state, supervisor
from config.embedded import Embedded
from config.environment import CONFIG_ERROR, Misconfigured

BASE_DIR = Path(__file__).resolve().parent.parent

# Commands that need neither a database nor Redis.
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
        "version",
    }
)

# Names that the holder of a data directory tells the other commands, where it has them.
SHARED = ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "DUET_BASE_URL", "DUET_MAILBOX_PORT")

# Commands that send mail: in a demo that is not running, a mail sink is started for them too.
MAILING = frozenset({"send_due"})

started: Embedded | None = None  # what this process started and stops at its end
sink: supervisor.Program | None = None


def data_dir() -> Path:
    named = os.environ.get("DUET_DATA_DIR", "").strip()
    return Path(named).absolute() if named else BASE_DIR / ".duet"


def add_up_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `up`: read here before settings load, and by the command after."""
    parser.add_argument("--port", type=int, default=os.environ.get("PORT") or "8000")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--check", action="store_true", help="say what would run, and end")
    parser.add_argument(
        "--die-with-parent", action="store_true", help="stop when the calling process dies (Linux)"
    )


def prepare(arguments: Sequence[str]) -> None:
    """Put the servers' addresses into the environment, starting those that are needed."""
    folder = data_dir()
    if mode := state.remembered_mode(folder):
        os.environ.setdefault("DUET_MODE", mode)
    command = arguments[1] if len(arguments) > 1 else ""
    if command.startswith("-") or {"-h", "--help"} & set(arguments) or command in ALONE:
        return
    if command == "up":
        _prepare_up(folder, arguments)
    elif state.is_held(folder):
        _share(folder)
    elif os.environ.get("DUET_MODE") == "demo" or not (
        _named("DATABASE_URL") and _named("REDIS_URL")
    ):
        start_for(folder, arguments)


def start_for(folder: Path, arguments: Sequence[str]) -> None:
    """Start the servers that the environment does not name, and say so in the state file."""
    global started, sink
    mode = os.environ.get("DUET_MODE", "").strip() or "production"
    started = Embedded(folder, postgres=not _named("DATABASE_URL"), redis=not _named("REDIS_URL"))
    names = {name: os.environ[name] for name in SHARED if _named(name)}
    names |= {**started.environment(), "DUET_DATA_DIR": str(folder), "DUET_MODE": mode}
    if mode == "demo":
        names |= state.demo_environment(folder, os.environ)
    os.environ.update(names)
    if mode == "demo" and arguments[1] in MAILING and not _named("EMAIL_URL"):
        port = supervisor.free_port()
        logs = state.make_private(folder / "logs")
        sink = supervisor.mail_sink(port, folder / "mail", logs)
        sink.start()
        os.environ["DUET_MAILBOX_PORT"] = str(port)
    command = shlex.join(["manage.py", *arguments[1:]])
    state.write_state(folder, state.State(os.getpid(), command, mode, "", names))


def say_address(folder: Path, address: str) -> None:
    """Tell the other commands that pages are served there."""
    if running := state.read_state(folder):
        state.write_state(folder, replace(running, address=address))


def main(arguments: Sequence[str]) -> None:
    """Run a management command with the servers that it needs."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        prepare(arguments)
        execute_from_command_line(list(arguments))
    except (Misconfigured, KeyRefused) as refusal:
        sys.stderr.write(f"{refusal}\n")
        raise SystemExit(CONFIG_ERROR) from None
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
    finally:
        for one in (sink, started):
            if one:
                one.stop()


def _prepare_up(folder: Path, arguments: Sequence[str]) -> None:
    """Look at the port first, then start the servers: the refusal should come at once."""
    parser = argparse.ArgumentParser(add_help=False)
    add_up_arguments(parser)
    options, _ = parser.parse_known_args(arguments[2:])
    if options.die_with_parent and sys.platform == "linux":
        ctypes.CDLL(None).prctl(children.PR_SET_PDEATHSIG, signal.SIGTERM)
    if state.is_held(folder):
        raise state.AlreadyRunning(state.who_holds(folder))
    if not options.check and supervisor.is_taken(options.port, options.host):
        raise Misconfigured(
            f"Something else listens on port {options.port}: choose another,"
            f" as in `PORT={options.port + 1} make run`."
        )
    if not _named("DUET_MODE") or os.environ["DUET_MODE"] != "demo":
        start_for(folder, arguments)
        return
    if not _named("DUET_BASE_URL"):
        os.environ["DUET_BASE_URL"] = f"http://localhost:{options.port}"
    if not _named("EMAIL_URL"):
        os.environ["DUET_MAILBOX_PORT"] = str(supervisor.free_port())
    start_for(folder, arguments)
    state.remember_mode(folder, "demo")


def _share(folder: Path) -> None:
    """Take over the addresses of the process that holds the folder, once it has told them."""
    if not children.wait_until(lambda: state.read_state(folder) is not None, seconds=30):
        raise Misconfigured(f"Another process holds {folder} and does not get ready.")
    running = state.read_state(folder)
    for name, value in (running.environment if running else {}).items():
        os.environ.setdefault(name, value)


def _named(name: str) -> bool:
    return bool(os.environ.get(name, "").strip())
