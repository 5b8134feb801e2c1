"""The slot rules against a plain sweep over integers, in alternating rounds.

Run from the checkout: `python benchmarks/slots.py`. The plain sweep gets its openings ready made,
in UTC, and can do neither buffers before the session nor several zones; the rules get working
hours in a zone that changes its clock within the window. Ratios below 1 are faster than it.
"""

import argparse
import json
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from practice.rules import slots, wall

ZONE = "Europe/Berlin"
FIRST, LAST = date(2030, 3, 11), date(2030, 4, 10)
WINDOW = (wall.first_minute(FIRST, 0, ZONE), wall.first_minute(LAST, 0, ZONE))
LENGTH, STEP, BUFFER, NOTICE = 50, 30, 10, 240
FLOOR, GOAL = 4.0, 1.5


def plain_sweep(
    openings: Sequence[slots.Interval], busy: Sequence[slots.Interval], earliest: int, latest: int
) -> list[int]:
    """What one would write by hand: walk openings and sorted busy time side by side."""
    taken = sorted(busy)
    starts: list[int] = []
    index = 0
    for opens, closes in openings:
        start = opens
        while start + LENGTH <= closes:
            while index < len(taken) and taken[index][1] <= start:
                index += 1
            if earliest <= start < latest and (
                index == len(taken) or taken[index][0] >= start + LENGTH + BUFFER
            ):
                starts.append(start)
            start += STEP
    return starts


def working_hours(late: int = 0) -> slots.Hours:
    """Mon-Fri 09-12 and 13-17 (and `late` minutes), one day off, one altered day."""
    weekly = tuple(
        slots.Weekly(day, *hours, ZONE)
        for day in range(5)
        for hours in ((540, 720), (780, 1020 + late))
    )
    dated = (
        slots.Dated(date(2030, 3, 20), ZONE),
        slots.Dated(date(2030, 3, 27), ZONE, ((600, 900),)),
    )
    return slots.Hours(weekly, dated)


def bookings(count: int, seed: int) -> list[slots.Interval]:
    """So many sessions with their buffer, apart from each other, in no order; then history."""
    chance = random.Random(seed)  # noqa: S311
    flat = [
        start
        for spans in slots.openings(working_hours(), FIRST, LAST).values()
        for opens, closes in spans
        for start in range(opens, closes - LENGTH + 1, LENGTH + BUFFER)
    ]
    chance.shuffle(flat)
    near = [(start, start + LENGTH + BUFFER) for start in flat[:count]]
    past = [
        (start, start + LENGTH + BUFFER)
        for start in range(WINDOW[0] - 90 * (count - len(near)), WINDOW[0] - 60, 90)
    ]
    found = near + past[: count - len(near)]
    chance.shuffle(found)
    return found


def rules(hours: slots.Hours, busy: Sequence[slots.Interval]) -> list[int]:
    return slots.open_starts(
        hours=hours,
        busy=busy,
        length=LENGTH,
        step=STEP,
        after=BUFFER,
        earliest=WINDOW[0] + NOTICE,
        latest=WINDOW[1],
        window=WINDOW,
    )


def forget() -> None:
    """Empty every cache of the rules, as in a process that has just started."""
    slots._week_of_starts.cache_clear()
    slots._openings_on.cache_clear()
    slots._expansion.cache_clear()
    wall._plain_midnight.cache_clear()
    wall._edge.cache_clear()


def timed(call: Callable[[], object], times: int) -> float:
    began = perf_counter()
    for _ in range(times):
        call()
    return (perf_counter() - began) / times


def compared(
    mine: Callable[[], object], reference: Callable[[], object], rounds: int, times: int
) -> dict[str, float]:
    """Median, least and greatest ratio of alternating rounds, after one that does not count."""
    pairs = [(timed(reference, times), timed(mine, times)) for _ in range(rounds + 1)][1:]
    ratios = [own / other for other, own in pairs]
    return {
        "median": round(statistics.median(ratios), 3),
        "min": round(min(ratios), 3),
        "max": round(max(ratios), 3),
        "microseconds": round(statistics.median(own for _, own in pairs) * 1e6, 1),
    }


def main() -> int:
    options = argparse.ArgumentParser(description="Slot rules against a plain sweep.")
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--times", type=int, default=100, help="calls per round")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()

    hours = working_hours()
    ready = [span for spans in slots.openings(hours, FIRST, LAST).values() for span in spans]
    earliest = WINDOW[0] + NOTICE
    results: dict[str, dict[str, float]] = {}
    for count in (0, 100, 1_000):
        busy = bookings(count, seed=count)
        if rules(hours, busy) != plain_sweep(ready, busy, earliest, WINDOW[1]):
            raise SystemExit("The rules and the plain sweep do not agree.")

        def reference(busy: list[slots.Interval] = busy) -> object:
            return plain_sweep(ready, busy, earliest, WINDOW[1])

        def mine(busy: list[slots.Interval] = busy) -> object:
            return rules(hours, busy)

        def mine_from_new_values(busy: list[slots.Interval] = busy) -> object:
            return rules(working_hours(), busy)

        def mine_from_nothing(busy: list[slots.Interval] = busy) -> object:
            forget()
            return rules(hours, busy)

        results[f"{count} bookings"] = compared(mine, reference, chosen.rounds, chosen.times)
        results[f"{count} bookings, rule set built anew"] = compared(
            mine_from_new_values, reference, chosen.rounds, chosen.times
        )
        results[f"{count} bookings, nothing cached"] = compared(
            mine_from_nothing, reference, chosen.rounds, max(chosen.times // 10, 1)
        )

    busy = bookings(100, seed=100)
    for name, differing in (("equal", 0), ("different", 1)):
        diaries = [
            slots.Diary(f"c{n}", working_hours(late=n * differing), bookings(100, seed=n))
            for n in range(10)
        ]

        def of_ten(diaries: list[slots.Diary[str]] = diaries) -> object:
            return slots.any_of(
                diaries,
                length=LENGTH,
                step=STEP,
                after=BUFFER,
                earliest=earliest,
                latest=WINDOW[1],
                window=WINDOW,
            )

        results[f"any of 10 with {name} hours, against one"] = compared(
            of_ten, lambda: rules(hours, busy), chosen.rounds, max(chosen.times // 10, 1)
        )

    if chosen.json:
        print(json.dumps(results, indent=2))
    else:
        print(f"{'':44}  median   min    max    one call")
        for name, row in results.items():
            print(
                f"{name:44} {row['median']:6.2f} {row['min']:6.2f} {row['max']:6.2f}"
                f"  {row['microseconds']:8.1f} us"
            )
        print(f"100 bookings: floor <= {FLOOR}, goal <= {GOAL} of the plain sweep")
    return 0 if results["100 bookings"]["median"] <= FLOOR else 1


if __name__ == "__main__":
    raise SystemExit(main())
