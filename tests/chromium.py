"""Finds Chromium for the browser tests, and installs one where there is none.

`python -m tests.chromium` is what `make test` runs first: Debian's package as root, else
Playwright's own download. Where neither works it says so, and in CI (`CI=true`) it fails.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SENTENCE = (
    "There is no Chromium here: install one (Debian: `apt install chromium`) or set CHROMIUM to"
    " its program; until then the browser tests are skipped."
)


def path() -> str | None:
    """Return $CHROMIUM, else what is on PATH, else Playwright's own; None where all are absent."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    if found := next((found for name in NAMES if (found := shutil.which(name))), None):
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def install() -> None:
    """Try the ways that need nobody's help, one after the other, until there is a browser."""
    attempts = [[sys.executable, "-m", "playwright", "install", "chromium-headless-shell"]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt = ["apt-get", "-qq", "-o=Dpkg::Use-Pty=0"]
        attempts.insert(0, [*apt, "install", "--yes", "--no-install-recommends", "chromium"])
        attempts.insert(0, [*apt, "update"])
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in attempts:
        print(f"No Chromium yet: {' '.join(command[:6])} ...", flush=True)
        subprocess.run(command, check=False, env=environment, capture_output=True)
        if path():
            return


def main() -> None:
    if not path():
        install()
    if not path():
        print(SENTENCE)
        sys.exit(1 if in_ci() else 0)


if __name__ == "__main__":
    main()
