"""Reminders: Duet's sender against delayed Celery tasks, and against a bare loop over smtplib.

Both of Duet's processes go through all that a worker does: claim, say `sending`, look again, audit.
`BENCH=full` measures with as many letters as the goals name; else with fewer.
"""

import os
from collections.abc import Iterator

from django.db import connection

from benchmarks import harness, mail, reminders
from benchmarks.harness import Metric, Result, Side
from benchmarks.servers import Stage

FULL = os.environ.get("BENCH") == "full"
COUNT = 10_000 if FULL else 1_000

G10 = Metric("G10", "reminders/s, no transport, marked by twenties / Celery ETA", "more", 10, 25)
G10_ONE = Metric("G10a", "the same, each marked by itself / Celery ETA", "more", gated=False)
G11 = Metric("G11", "reminders/s over SMTP / one bare loop over ready bytes", "more", 0.4, 0.75)
G11_TWO = Metric("G11a", "the same / two bare loops", "more", gated=False)
G11_CELERY = Metric("G11b", "the same / Celery with send_mail", "more", goal=8, gated=False)


def run(stage: Stage, rounds: int) -> Iterator[Result]:
    """Both figures; a round's letters are made due again before it."""
    with mail.sink() as sink:
        reminders.fill(COUNT)
        stage.vacuum()
        wires, words = mail.written(stage)
        eta = mail.Eta(stage, sink.port, words)
        twenties, singly, ours, plain, two = (
            mail.Senders("nothing-20"),
            mail.Senders("nothing"),
            mail.Senders("letters"),
            mail.Senders("plain", 1, file=wires),
            mail.Senders("plain", file=wires),
        )

        def duet(senders: mail.Senders) -> float:
            reminders.make_due()
            connection.close()
            return senders.rate(COUNT)

        in_turn = (
            (G10, twenties, "Celery ETA, 2 processes", lambda: eta.rate("eta.nothing", COUNT)),
            (G10_ONE, singly, "Celery ETA, 2 processes", lambda: eta.rate("eta.nothing", COUNT)),
            (G11, ours, "smtplib, 1 process", lambda: plain.rate(COUNT)),
            (G11_TWO, ours, "smtplib, 2 processes", lambda: two.rate(COUNT)),
            (G11_CELERY, ours, "Celery + send_mail", lambda: eta.rate("eta.mail", COUNT)),
        )
        for metric, senders, name, other in in_turn:
            yield harness.compared(
                metric,
                Side("Duet, 2 processes", lambda senders=senders: duet(senders)),  # type: ignore[misc]
                Side(name, other),
                unit="/s",
                ratio="ours/other",
                rounds=rounds,
                note=f"{COUNT} letters a round",
            )
        for each in (twenties, singly, ours, plain, two):
            each.stop()
