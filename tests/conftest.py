"""Fixtures that all tests share; the servers come from the early plugin `tests.servers`."""

from typing import Any

import pytest

from tests import chromium


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Let Playwright drive the Chromium of this machine; in CI its absence is a failure."""
    program = chromium.path()
    if program is None:
        (pytest.fail if chromium.in_ci() else pytest.skip)(chromium.SENTENCE)
    return {**browser_type_launch_args, "executable_path": program}
