"""Two sides in alternating rounds: medians with their spread, a ratio per round, floor and goal.

A benchmark is a module `bench_*.py` with `run(stage, rounds)`, which yields results; see
`__main__`. Absolute times mean little on a shared machine: what counts is the ratio, and both
sides of it are measured within the same seconds.
"""

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Final, Literal

RESULTS: Final = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured, and what is asked of it.

    `floor` and `goal` bound the value: from below when `better` is "more", else from above. A
    floor that is missed fails the run, unless the metric is only reported (`gated=False`).
    """

    id: str
    what: str
    better: Literal["more", "less"]
    floor: float | None = None
    goal: float | None = None
    gated: bool = True


@dataclass(frozen=True, slots=True)
class Side:
    """One of two that are compared: `measure` runs one round and returns its figure."""

    name: str
    measure: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the least and the greatest."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        return cls(statistics.median(figures), min(figures), max(figures))

    def __str__(self) -> str:
        return f"{_figure(self.median)} ({_figure(self.least)}-{_figure(self.most)})"


@dataclass(frozen=True, slots=True)
class Result:
    """A metric's value; `sides` holds what was compared, in `unit`, none for a plain count."""

    metric: Metric
    value: Spread
    sides: dict[str, Spread] = field(default_factory=dict)
    unit: str = ""
    rounds: int = 1
    note: str = ""

    @property
    def holds(self) -> bool:
        return _within(self.metric, self.value.median, self.metric.floor)

    @property
    def reached(self) -> bool:
        return _within(self.metric, self.value.median, self.metric.goal)

    @property
    def fails(self) -> bool:
        return self.metric.gated and not self.holds


def compared(
    metric: Metric,
    ours: Side,
    other: Side,
    *,
    unit: str,
    ratio: Literal["ours/other", "other/ours"],
    rounds: int,
    note: str = "",
) -> Result:
    """Measure both in turns, A B A B, after a round that doesn't count; the ratio is per round."""
    pairs = [(ours.measure(), other.measure()) for _ in range(rounds + 1)][1:]
    ratios = [a / b if ratio == "ours/other" else b / a for a, b in pairs]
    sides = {
        ours.name: Spread.of([a for a, _ in pairs]),
        other.name: Spread.of([b for _, b in pairs]),
    }
    return Result(metric, Spread.of(ratios), sides, unit, rounds, note)


def counted(metric: Metric, value: float, note: str = "") -> Result:
    """A result that is a plain count or a share: so many overlaps, so many lost."""
    return Result(metric, Spread(value, value, value), note=note)


def seconds_of(call: Callable[[], object]) -> float:
    """How long one call takes."""
    began = perf_counter()
    call()
    return perf_counter() - began


def p50_ms(call: Callable[[], object], times: int) -> float:
    """The median time of so many calls, in milliseconds."""
    return statistics.median(seconds_of(call) for _ in range(times)) * 1000


def percentile(figures: Sequence[float], percent: float) -> float:
    """The figure below which `percent` of them lie, by rank."""
    ordered = sorted(figures)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]


def report(program: str, results: Iterable[Result]) -> int:
    """Print each result as it comes, keep all as JSON; 1 when a gated floor is missed."""
    done = list(_printed(results))
    _keep(program, done)
    for result in done:
        if result.fails:
            print(f"{result.metric.id} misses its floor: {_asked(result.metric)[0]}.")
    return int(any(result.fails for result in done))


def _printed(results: Iterable[Result]) -> Iterator[Result]:
    for result in results:
        metric = result.metric
        floor, goal = _asked(metric)
        state = "MISSED" if not result.holds else "goal reached" if result.reached else "floor held"
        print(f"{metric.id:4} {metric.what}")
        for name, spread in result.sides.items():
            print(f"     {name:44} {spread} {result.unit}")
        gated = "" if metric.gated else ", reported only"
        asked = f"   floor {floor}, goal {goal}: {state}{gated}" if floor or goal else ""
        print(f"     {'=':44} {result.value}{asked}")
        if result.note:
            print(f"     {result.note}")
        sys.stdout.flush()
        yield result


def _keep(program: str, results: Sequence[Result]) -> None:
    RESULTS.mkdir(exist_ok=True)
    row = {
        "program": program,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "results": [
            {**asdict(result), "holds": result.holds, "reached": result.reached}
            for result in results
        ],
    }
    with (RESULTS / f"{program}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _within(metric: Metric, value: float, bound: float | None) -> bool:
    if bound is None:
        return True
    return value >= bound if metric.better == "more" else value <= bound


def _asked(metric: Metric) -> tuple[str, str]:
    sign = ">=" if metric.better == "more" else "<="
    floor, goal = (
        "" if bound is None else f"{sign} {bound:g}" for bound in (metric.floor, metric.goal)
    )
    return floor, goal


def _figure(value: float) -> str:
    """Three digits that say something."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
