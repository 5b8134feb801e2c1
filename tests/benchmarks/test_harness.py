"""The benchmarks load, and their harness compares, bounds and keeps."""

import importlib
import json
from pathlib import Path

import pytest

from benchmarks import harness

HERE = Path(harness.__file__).parent
PROGRAMS = sorted(path.stem for path in HERE.glob("bench_*.py"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_benchmark_loads_and_can_be_run(program: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{program}").run)


def taking(turns: list[str], name: str, *figures: float) -> harness.Side:
    left = iter(figures)

    def measure() -> float:
        turns.append(name)
        return next(left)

    return harness.Side(name, measure)


def test_two_sides_alternate_and_the_first_round_does_not_count() -> None:
    turns: list[str] = []
    metric = harness.Metric("G0", "a pair", "less", floor=3, goal=2)

    result = harness.compared(
        metric,
        taking(turns, "ours", 90, 2, 4, 6),
        taking(turns, "other", 1, 1, 2, 2),
        unit="ms",
        ratio="ours/other",
        rounds=3,
    )

    assert turns == ["ours", "other"] * 4
    assert result.value == harness.Spread(2, 2, 3)
    assert result.sides["ours"] == harness.Spread(4, 2, 6)
    assert result.reached
    assert not result.fails


@pytest.mark.parametrize(
    ("better", "value", "gated", "fails"),
    [
        ("less", 3.0, True, False),
        ("less", 3.1, True, True),
        ("less", 3.1, False, False),
        ("more", 3.0, True, False),
        ("more", 2.9, True, True),
    ],
)
def test_only_a_gated_floor_that_is_missed_fails(
    better: str, value: float, gated: bool, fails: bool
) -> None:
    bound = harness.Metric("G0", "", "less" if better == "less" else "more", 3, gated=gated)

    assert harness.counted(bound, value).fails is fails


def test_a_report_is_a_table_and_a_line_of_json_and_its_code_says_whether_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    good = harness.counted(harness.Metric("G7", "overlaps", "less", floor=0, goal=0), 0)
    bad = harness.counted(harness.Metric("G9", "guarded", "more", floor=0.7), 0.5)

    assert harness.report("trivial", [good]) == 0
    assert harness.report("trivial", [good, bad]) == 1

    assert "G9 misses its floor: >= 0.7." in capsys.readouterr().out
    lines = (tmp_path / "results" / "trivial.jsonl").read_text().splitlines()
    assert [len(json.loads(line)["results"]) for line in lines] == [1, 2]
    assert json.loads(lines[1])["results"][1]["value"]["median"] == 0.5
