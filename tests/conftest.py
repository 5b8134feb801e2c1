"""Fixtures that all tests share; the servers come from the early plugin `tests.servers`."""

import os
from typing import Any

import hypothesis
import pytest

from tests import chromium

# Examples are drawn anew by hand, and always the same in CI: what lands there was seen to pass.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Let Playwright drive the Chromium of this machine; in CI its absence is a failure."""
    program = chromium.path()
    if program is None:
        (pytest.fail if chromium.in_ci() else pytest.skip)(chromium.SENTENCE)
    return {**browser_type_launch_args, "executable_path": program}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the races in one worker: each takes fifty connections, and a server has so many."""
    for item in items:
        if item.get_closest_marker("races") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("races"))
