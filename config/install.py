"""Makes .venv and installs the locked requirements into it; needs nothing but Python.

    python3 -I config/install.py         what the site needs
    python3 -I config/install.py --dev   and what tests and checks need

Run as a file, before anything is installed, so it imports only the standard library (and -I keeps
its neighbours here from being taken for it).
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
SITE, DEVELOPMENT = ROOT / "requirements.txt", ROOT / "requirements-dev.txt"


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - it runs under whatever Python there is
        sys.exit(f"Duet needs Python 3.11 or later, and {sys.executable} is {VERSION}.")
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            sys.exit(
                f"This Python cannot make environments ({module} is missing);"
                f" on Debian and Ubuntu: apt install python{VERSION}-venv."
            )
    with (ROOT / ".venv.lock").open("w") as lock:  # `make run` and `make test` at the same time
        fcntl.flock(lock, fcntl.LOCK_EX)
        _make()
        _install(DEVELOPMENT if "--dev" in sys.argv else SITE)


def _make() -> None:
    """Make the environment, anew where it belongs to another version of Python."""
    if PYTHON.exists() and (VENV / "lib" / f"python{VERSION}").exists():
        return
    if (VENV / "pyvenv.cfg").exists():
        shutil.rmtree(VENV)
    print(f"Making .venv with Python {VERSION} ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)


def _install(requirements: Path) -> None:
    """Install where the lock file changed; the development set holds the site's too."""
    stamps = {path: VENV / f".installed-{path.stem}" for path in (SITE, DEVELOPMENT)}
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    site = hashlib.sha256(SITE.read_bytes()).hexdigest()
    if _read(stamps[requirements]) == wanted:
        return
    print(f"Installing {requirements.name} ...", flush=True)
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    done = subprocess.run(
        [*pip, "--require-hashes", "-r", str(requirements)], check=False, env=environment
    )
    if done.returncode:
        sys.exit(f"The packages of {requirements.name} could not be installed (see above).")
    stamps[requirements].write_text(wanted)
    stamps[SITE].write_text(site)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    main()
