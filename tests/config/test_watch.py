"""The supervisor's patience with a child that dies again and again."""

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from config import children
from config.supervisor import Watch


class Dead:
    """A process that ended."""

    returncode = 1

    def poll(self) -> int:
        return 1


@dataclass
class Child:
    """A child that is dead whenever one looks."""

    clock: list[float]
    name: str = "worker"
    process: Any = field(default_factory=Dead)
    starts: list[float] = field(default_factory=list)
    broken: bool = False

    def start(self) -> None:
        self.starts.append(self.clock[0])
        if self.broken:
            raise RuntimeError("no")

    def stop(self) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("config.supervisor.time.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("broken", [False, True])
def test_each_death_doubles_the_pause_up_to_half_a_minute(clock: list[float], broken: bool) -> None:
    child, said = Child(clock, broken=broken), list[str]()
    watch = Watch([child], said.append)
    while clock[0] < 1200:
        watch.look()
        clock[0] += 0.1
    pauses = [later - one for one, later in zip(child.starts, child.starts[1:], strict=False)]
    assert pauses[:4] == pytest.approx([0.5, 0.9, 1.7, 3.3], abs=0.2)
    assert max(pauses) == pytest.approx(30, abs=0.3)
    assert said[0] == "worker ended (exit code 1); it starts again in 0.2 s."


def test_after_a_minute_of_life_earlier_deaths_are_forgotten(clock: list[float]) -> None:
    child, said = Child(clock), list[str]()
    watch = Watch([child], said.append)
    for _ in range(40):
        watch.look()
        clock[0] += 0.1
    child.process = None  # alive, as far as one can see
    clock[0] += 100
    watch.look()
    child.process = Dead()
    clock[0] += 100
    watch.look()  # an old death falls due: it starts
    clock[0] += 100
    watch.look()
    assert said[-1].endswith("again in 0.2 s.")


def test_a_log_past_its_limit_begins_anew_while_its_child_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LOG_LIMIT", 10)
    log = tmp_path / "web.log"
    with log.open("ab", buffering=0) as child:
        child.write(b"short")
        children.trim(log)
        assert log.read_bytes() == b"short"
        child.write(b", and longer")
        children.trim(log)
        child.write(b"new")
    assert log.read_bytes() == b"new"
    kept = tmp_path / "web.log.1"
    assert kept.read_bytes() == b"short, and longer"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    children.trim(tmp_path / "absent.log")
