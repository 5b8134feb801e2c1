"""What Duet refuses to serve with, seen from outside: exit code 78, one sentence, no traceback."""

import subprocess
import sys

import pytest

from config.environment import SAMPLE_NOTES_KEY, SAMPLE_SECRET_KEY
from config.state import new_notes_key
from tests.config.running import ROOT, environment, fresh_folder, manage

WHOLE = {
    "DUET_MODE": "production",
    "DUET_SECRET_KEY": "s" * 50,
    "DUET_NOTES_KEY": new_notes_key(),
    "DUET_BASE_URL": "https://practice.example",
    "DUET_FROM_EMAIL": "practice@practice.example",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "EMAIL_URL": "smtp+tls://mail.practice.example",
}


KEY = WHOLE["DUET_NOTES_KEY"]
BAD_KEYS = {
    "missing": ({"DUET_NOTES_KEY": ""}, "DUET_NOTES_KEY isn't set"),
    "no key": ({"DUET_NOTES_KEY": "oak"}, "must read 'id:key'"),
    "too short": ({"DUET_NOTES_KEY": "oak:c2hvcnQ="}, "'oak' in DUET_NOTES_KEY isn't 32 bytes"),
    "doubled": ({"DUET_NOTES_KEY": f"{KEY},{KEY}"}, "twice"),
    "sample": ({"DUET_NOTES_KEY": SAMPLE_NOTES_KEY}, "sample key"),
    "the secret key": (
        {"DUET_NOTES_KEY": KEY, "DUET_SECRET_KEY": KEY.partition(":")[2]},
        "same as DUET_SECRET_KEY",
    ),
}


def serve(**names: str) -> subprocess.CompletedProcess[str]:
    """Load the WSGI application, as any web server does."""
    return subprocess.run(
        [sys.executable, "-c", "import config.wsgi"],
        cwd=ROOT,
        env=environment(**{name: value for name, value in (WHOLE | names).items() if value}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_with_everything_set_it_serves_even_while_the_database_is_away() -> None:
    done = serve()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"DUET_NOTES_KEY": ""}, "DUET_NOTES_KEY isn't set"),
        ({"DUET_SECRET_KEY": ""}, "DUET_SECRET_KEY is not set"),
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set"),
        ({"DUET_BASE_URL": "http://practice.example"}, "has to start with https://"),
        ({"DUET_MODE": "debug"}, "demo or production"),
        ({"DUET_COLOUR": "red"}, "Unknown environment name DUET_COLOUR"),
        ({"EMAIL_URL": "mail.example"}, "EMAIL_URL has to look like"),
        ({"DUET_SECRET_KEY": SAMPLE_SECRET_KEY}, "DUET_SECRET_KEY is the sample key"),
        *((names, sentence) for names, sentence in BAD_KEYS.values() if names["DUET_NOTES_KEY"]),
    ],
)
def test_it_refuses_to_serve(names: dict[str, str], sentence: str) -> None:
    done = serve(**names)
    assert done.returncode == 78
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["check", "makemigrations --check --dry-run", "help"])
def test_commands_that_serve_nothing_need_neither_keys_nor_servers(command: str) -> None:
    folder = fresh_folder()
    done = manage(*command.split(), DUET_DATA_DIR=str(folder))
    assert done.returncode == 0, done.stderr
    assert not list(folder.iterdir())


COMMANDS = {
    "up": ("manage.py", "up", "--port", "0"),
    "worker": ("-m", "celery", "-A", "config", "--quiet", "worker"),
    "a command": ("manage.py", "keys", "status"),
}


def run(command: str, **names: str) -> subprocess.CompletedProcess[str]:
    """Start it with an environment that is whole but for these names."""
    given = WHOLE | {"REDIS_URL": "redis://127.0.0.1:1/0"} | names
    given["DUET_DATA_DIR"] = str(fresh_folder())  # `up` shares none with another one
    given["PYTHONWARNINGS"] = "ignore"  # Celery's, of being started by root
    return subprocess.run(
        [sys.executable, *COMMANDS[command]],
        cwd=ROOT,
        env=environment(**{name: value for name, value in given.items() if value}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("names", "sentence"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_whatever_needs_the_keys_refuses_bad_ones(
    command: str, names: dict[str, str], sentence: str
) -> None:
    done = run(command, **names)
    assert done.returncode == 78, done.stderr
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert KEY.partition(":")[2] not in done.stderr


@pytest.mark.parametrize(("mode", "sentence"), [(0o644, "Everybody"), (0o640, "Its group")])
def test_a_key_in_a_file_that_others_read_is_refused(mode: int, sentence: str) -> None:
    file = fresh_folder() / "notes_key"
    file.write_text(KEY)
    file.chmod(mode)
    done = serve(DUET_NOTES_KEY="", DUET_NOTES_KEY_FILE=str(file))
    assert (done.returncode, done.stderr) == (
        78,
        f"{sentence} can read {file} (DUET_NOTES_KEY_FILE): run `chmod 600 {file}`.\n",
    )
    file.chmod(0o600)
    assert serve(DUET_NOTES_KEY="", DUET_NOTES_KEY_FILE=str(file)).returncode == 0
