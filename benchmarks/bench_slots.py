"""Open times: over HTTP against a peer and a bare view, as N grows, of ten, and the engine alone.

Every figure over HTTP is that of one keep-alive connection, and of sixteen for G16.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter

from django.db import connections
from django.utils import timezone

from benchmarks import appointment_peer, harness, workload
from benchmarks.client import Answer, Client, get
from benchmarks.harness import Metric, Result, Side
from benchmarks.servers import Site, Stage
from practice.rules import slots, wall

G1 = Metric("G1", "open slots, 1 counselor, 30 days, N=1000: times faster", "more", 60, 150)
G2 = Metric("G2", "the same / a bare view", "less", 6, 3)
G2_SITE = Metric("G2m", "the same / a bare view behind the site's middleware", "less", gated=False)
G2_HIT = Metric("G2h", "the same, unchanged since (304) / a bare view", "less", 6, 1.5, gated=False)
G3 = Metric("G3", "the same at N=10000 / N=0, a hundred of them in the window", "less", 1.3, 1.1)
G4 = Metric("G4", "any of 10 counselors / one", "less", 5, 2, gated=False)
G6 = Metric("G6", "slot engine, 30 days, 100 bookings / a plain sweep", "less", 4, 1.5)
G6_NEW = Metric("G6n", "the same with nothing cached", "less", gated=False)
G16 = Metric("G16", "p99 / p50 of open slots, 16 clients", "less", 6, 3, gated=False)

CALLS = 60  # in a round
HISTORY = 900, 9_900  # beside the hundred sessions in the window
CLIENTS = 16


def run(stage: Stage, rounds: int) -> Iterator[Result]:
    """All figures of open times."""
    yield from engine(rounds)
    now = timezone.now()
    window = workload.Window.after(now.date())
    diary = workload.write(window=window, counselors=10, now=now)
    first = diary.counselors[0]
    past = workload.sessions_past(window, sum(HISTORY))
    urls = []
    for name, history in (("young", past[:0]), ("grown", past[: HISTORY[0]])):
        workload.book(diary, first, history, now=now)
        connections.close_all()
        urls.append(stage.copy_database(name))
        stage.vacuum(urls[-1])
    workload.book(diary, first, past[HISTORY[0] : HISTORY[1]], now=now)
    connections.close_all()
    stage.vacuum()

    grown = _product(stage, "grown", urls[1])
    bare = stage.site("bare", environment=_bare("none"))
    behind = stage.site("bare-behind-middleware", environment=_bare("all middleware"))
    ahead = workload.sessions_ahead(window, workload.IN_WINDOW, seed=0)
    peer = appointment_peer.start(stage, window, ahead + past[: HISTORY[0]])
    one = _Asked(grown, window, first.slug)
    days = peer.day_calls(window)
    _check_same_answers(one, Client(peer.site.port), days)

    month = Client(peer.site.port)
    yield harness.compared(
        G1,
        Side("Duet, one call", one.p50),
        Side(
            "django-appointment, 30 calls",
            lambda: harness.p50_ms(lambda: [month.send(day) for day in days], 1),
        ),
        unit="ms",
        ratio="other/ours",
        rounds=rounds,
    )
    yield _against(G2, one, "bare view, no middleware", _Plain(bare), rounds)
    yield _against(G2_SITE, one, "bare view", _Plain(behind), rounds)
    hit = _Asked(grown, window, first.slug, unchanged=True)
    yield _against(G2_HIT, hit, "bare view, no middleware", _Plain(bare), rounds)
    young, old = _product(stage, "young", urls[0]), stage.product()
    at_first = _Asked(young, window, first.slug)
    yield _against(G3, _Asked(old, window, first.slug), "N=0", at_first, rounds)
    yield _against(G4, _Asked(grown, window, None), "one", one, rounds)
    yield spread_among_clients(one, rounds)


class _Plain:
    """A request without anything to say."""

    def __init__(self, site: Site, path: str = "/ok/", **headers: str) -> None:
        self.site = site
        self.request = get(path, site.port, **headers)
        self.connection = Client(site.port)

    def send(self) -> Answer:
        return self.connection.send(self.request)

    def p50(self) -> float:
        return harness.p50_ms(self.send, CALLS)


class _Asked(_Plain):
    """The open times of thirty days, of one counselor or of anybody."""

    def __init__(
        self, site: Site, window: workload.Window, counselor: str | None, unchanged: bool = False
    ) -> None:
        who = f"&counselor={counselor}" if counselor else ""
        path = (
            f"/api/v1/slots/?service={workload.SERVICE}{who}"
            f"&from={window.first}&to={window.end}&tz={workload.ZONE}"
        )
        super().__init__(site, path)
        answer = self.send()
        if answer.status != 200:
            raise RuntimeError(f"{path} answers {answer.status}: {answer.body[:300]!r}")
        self.starts = [one["start"] for one in answer.json()["slots"]]
        if unchanged:
            self.request = get(path, site.port, If_None_Match=answer.headers["etag"])
            if self.send().status != 304:
                raise RuntimeError("Asked again, it doesn't say that nothing has changed.")


def _product(stage: Stage, name: str, url: str) -> Site:
    environment = {"DATABASE_URL": url, "DUET_REDIS_PREFIX": f"{name}:"}
    return stage.site(name, environment=environment)


def _bare(middleware: str) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": "benchmarks.bare_settings", "BARE": middleware}


def _against(metric: Metric, ours: _Plain, name: str, other: _Plain, rounds: int) -> Result:
    return harness.compared(
        metric,
        Side("Duet", ours.p50),
        Side(name, other.p50),
        unit="ms",
        ratio="ours/other",
        rounds=rounds,
    )


def _check_same_answers(ours: _Asked, peer: Client, days: Sequence[bytes]) -> None:
    """Both offer the same starts: a faster answer to another question would be worth nothing."""
    theirs = [
        start.split("+")[0][:16]
        for day in days
        for start, _ in peer.send(day).json().get("available_slots", ())
    ]
    if [start[:16] for start in ours.starts] != theirs:
        raise RuntimeError("Duet and django-appointment don't offer the same times.")


def spread_among_clients(asked: _Plain, rounds: int) -> Result:
    """How far the slowest answers lie from the middle when many ask at once."""
    times: list[float] = []
    ratios, middles, slowest = [], [], []
    for counted in range(rounds + 1):
        times = _together(asked.site, asked.request)
        if counted:
            middles.append(harness.percentile(times, 50) * 1000)
            slowest.append(harness.percentile(times, 99) * 1000)
            ratios.append(slowest[-1] / middles[-1])
    sides = {"p99": harness.Spread.of(slowest), "p50": harness.Spread.of(middles)}
    return Result(G16, harness.Spread.of(ratios), sides, "ms", rounds)


def _together(site: Site, request: bytes) -> list[float]:
    """The times of many requests, sent by sixteen clients at once."""
    times: list[float] = []
    begin = threading.Barrier(CLIENTS)

    def ask() -> None:
        connection = Client(site.port)
        connection.send(request)
        begin.wait()
        for _ in range(CALLS // 2):
            began = perf_counter()
            connection.send(request)
            times.append(perf_counter() - began)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


# --- the engine alone ----------------------------------------------------------------------------


def plain_sweep(
    openings: Sequence[slots.Interval], busy: Sequence[slots.Interval], earliest: int, latest: int
) -> list[int]:
    """What one would write by hand: walk openings and sorted busy time side by side.

    It gets its openings ready made, in UTC, and can do neither buffers before the session nor
    several zones.
    """
    taken = sorted(busy)
    starts: list[int] = []
    index = 0
    for opens, closes in openings:
        start = opens
        while start + workload.LENGTH <= closes:
            while index < len(taken) and taken[index][1] <= start:
                index += 1
            if earliest <= start < latest and (
                index == len(taken) or taken[index][0] >= start + workload.LENGTH + workload.AFTER
            ):
                starts.append(start)
            start += workload.STEP
    return starts


def engine(rounds: int) -> Iterator[Result]:
    """The rules against the sweep; working hours change their clock within the window."""
    window = workload.Window(timezone.now().date().replace(month=3, day=11))
    hours = workload.hours(window)
    openings = slots.openings(hours, window.first, window.end)
    ready = [span for spans in openings.values() for span in spans]
    length = workload.LENGTH + workload.AFTER
    ahead = workload.sessions_ahead(window, workload.IN_WINDOW, seed=100)
    busy = [(start, start + length) for start in ahead]
    earliest, latest = window.minutes[0] + workload.NOTICE, window.minutes[1]
    rules = partial(
        slots.open_starts,
        hours=hours,
        busy=busy,
        length=workload.LENGTH,
        step=workload.STEP,
        after=workload.AFTER,
        earliest=earliest,
        latest=latest,
        window=window.minutes,
    )
    sweep = partial(plain_sweep, ready, busy, earliest, latest)
    if rules() != sweep():
        raise RuntimeError("The rules and the plain sweep don't agree.")
    for metric, mine in ((G6, rules), (G6_NEW, partial(_forgetting, rules))):
        yield harness.compared(
            metric,
            Side("rules", partial(_microseconds, mine)),
            Side("plain sweep", partial(_microseconds, sweep)),
            unit="us",
            ratio="ours/other",
            rounds=rounds,
        )


def _microseconds(call: Callable[[], object]) -> float:
    return harness.p50_ms(call, 300) * 1000


def _forgetting(call: Callable[[], object]) -> None:
    """As in a process that has just started."""
    slots._week_of_starts.cache_clear()
    slots._openings_on.cache_clear()
    slots._expansion.cache_clear()
    wall._plain_midnight.cache_clear()
    wall._edge.cache_clear()
    call()
