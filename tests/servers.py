"""An early pytest plugin (`-p tests.servers`): servers, keys and a folder of the run's own.

It runs before settings load. The first process starts what DATABASE_URL and REDIS_URL do not
name; the xdist workers inherit the addresses, and each has a database and a Redis prefix.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from config import state
from config.embedded import Embedded

_embedded: Embedded | None = None
_folder: Path | None = None


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """Prepare the environment first; pytest-django loads the settings in the same hook."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        os.environ["DUET_REDIS_PREFIX"] += f"{worker}:"
    else:
        _start()
    return (yield)


def pytest_unconfigure() -> None:
    """Stop the servers and remove the folder, in the process that made them."""
    if _embedded:
        _embedded.stop()
    if _folder:
        shutil.rmtree(_folder, ignore_errors=True)


def _start() -> None:
    global _embedded, _folder
    for name in [name for name in os.environ if name.startswith("DUET_")]:
        del os.environ[name]  # a developer's own settings are no part of the tests
    os.environ.pop("EMAIL_URL", None)
    _folder = Path(tempfile.mkdtemp(prefix="duet-test-"))
    if os.geteuid() == 0:
        _folder.chmod(0o711)  # the servers' user passes through
    _embedded = Embedded(
        _folder,
        postgres=not os.environ.get("DATABASE_URL"),
        redis=not os.environ.get("REDIS_URL"),
        durable=False,
    )
    run = secrets.token_hex(4)
    os.environ.update(
        _embedded.environment(),
        **state.demo_environment(_folder, {}),
        DUET_MODE="demo",
        DUET_DATA_DIR=str(_folder),
        DUET_REDIS_PREFIX=f"duet-test-{run}:",
        TEST_DATABASE_NAME=f"test_duet_{run}",
        DJANGO_ALLOW_ASYNC_UNSAFE="true",  # Playwright's loop runs in the tests' thread
    )
