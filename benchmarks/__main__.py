"""Runs the benchmarks: `python -m benchmarks`, or some of them: `python -m benchmarks slots`.

Each runs in a process of its own, on new servers. Ends with 1 when a gated floor is missed.
"""

import argparse
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import django
from django.core.management import call_command

from benchmarks import harness, peers, servers
from config import children

HERE = Path(__file__).resolve().parent


def main() -> int:
    there = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(there)}")
    options.add_argument("--rounds", type=int, default=7, help="counted rounds; 7 or more to quote")
    options.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    names = chosen.names or there
    if unknown := set(names) - set(there):
        options.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    if chosen.here:
        return _run(names[0], chosen.rounds)
    peers.install()
    arguments = ["--here", "--rounds", str(chosen.rounds)]
    done = [
        subprocess.run(
            [sys.executable, "-m", "benchmarks", name, *arguments],
            check=False,
            preexec_fn=children.die_with_parent(signal.SIGTERM, os.getpid()),
        )
        for name in names
    ]
    return int(any(one.returncode for one in done))


def _run(name: str, rounds: int) -> int:
    """One benchmark in this process: its module is loaded once the settings' servers are there."""
    print(f"\n--- {name}", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers are stopped
    with servers.stage() as stage:
        django.setup()
        call_command("migrate", verbosity=0)
        program = importlib.import_module(f"benchmarks.bench_{name}")
        return harness.report(name, program.run(stage, rounds))


if __name__ == "__main__":
    raise SystemExit(main())
