"""What Duet refuses to serve with, seen from outside: exit code 78, one sentence, no traceback."""

import subprocess
import sys

import pytest

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
