"""Installs what Duet is compared with into an environment of its own, `.venv-bench`."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.servers import PEERS

REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"
PYTHON = PEERS / "bin" / "python"


def install() -> None:
    """Install where the list changed."""
    stamp = PEERS / ".installed"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("Installing what Duet is compared with ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEERS)], check=True)
    subprocess.run(
        [
            *(str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"),
            *("--require-hashes", "-r", str(REQUIREMENTS)),
        ],
        check=True,
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"},
    )
    stamp.write_text(wanted)
