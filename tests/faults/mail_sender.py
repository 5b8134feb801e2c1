"""One scan of the ledger in a process of its own, at the moment given, to be killed at will."""

import sys
import time
from datetime import datetime, timedelta

import django

django.setup()

from clients.actions import messages  # noqa: E402 - after setup
from clients.rules.actors import Actor  # noqa: E402
from tests.clients.message_cast import Plain  # noqa: E402


def main(began_at: datetime) -> None:
    started = time.monotonic()

    def clock() -> datetime:
        return began_at + timedelta(seconds=time.monotonic() - started)

    messages.send_due(
        subjects={"plain": Plain()}, by=Actor.system(), now=clock(), clock=clock, limit=10_000
    )


if __name__ == "__main__":
    main(datetime.fromisoformat(sys.argv[1]))
