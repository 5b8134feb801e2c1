"""One process that sends, for the benchmarks: `python -m benchmarks.sender KIND [FILE]`.

`letters` is Duet's sender on the reminders of its database, `plain` a bare loop over the ready
bytes in FILE. `nothing` is Duet's sender with a channel that takes everything and does nothing,
one letter at a time, `nothing-20` by twenties. It prints `ready`; for every line `FIRST STEP`
that it reads it sends all that is due (a bare loop: every STEPth, from the FIRST), and prints how
many those were. `--later SECONDS` sets its clock ahead.
"""

import argparse
import json
import smtplib
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import django
from django.conf import settings
from django.utils import timezone

django.setup()

from clients.actions import delivery, messages  # noqa: E402 - after setup
from clients.channels.letter import Answer, Letter  # noqa: E402
from clients.models import Message, Person  # noqa: E402
from clients.rules.actors import Actor  # noqa: E402
from clients.rules.ledger import Heard  # noqa: E402
from practice.queries import letters  # noqa: E402


class Nothing:
    """A channel that takes everything at once."""

    at_once = 1

    def address(self, person: Person) -> str | None:  # noqa: ARG002
        return "ana@example.org"

    def write(self, letter: Letter, now: datetime) -> bytes:  # noqa: ARG002
        return b""

    def open(self) -> None:
        pass

    def send(self, to: str, wire: bytes) -> Answer:  # noqa: ARG002
        return Answer(Heard.ACCEPTED)

    def close(self) -> None:
        pass


class ByTwenties(Nothing):
    """The same, which marks twenty with one statement."""

    at_once = 20


class Ready:
    """A subject whose letter is written already, and always holds."""

    letter = Letter("ana@example.org", "Elm Street", "Hello", "Hello", "Hello", "1@e.org", "en")

    def read(self, messages: Sequence[Message]) -> None:
        pass

    def still_due(self, message: Message) -> str | None:  # noqa: ARG002
        return None

    def render(self, message: Message) -> Letter:  # noqa: ARG002
        return self.letter


def send_due(later: timedelta, *, real: bool) -> int:
    """Scan until nothing is due, as the bell and beat let workers do."""
    sent = 0
    while True:
        outcome = messages.send_due(
            subjects=letters.subjects() if real else {"attendance": Ready()},
            by=Actor.system(),
            now=timezone.now() + later,
            clock=lambda: timezone.now() + later,
        )
        sent += outcome.sent
        if not any(outcome.as_dict().values()):
            return sent


def send_plainly(wires: Sequence[tuple[str, str]]) -> int:
    """What one would write by hand where nothing can go wrong."""
    server = smtplib.SMTP(settings.EMAIL_HOST, settings.EMAIL_PORT)
    for to, wire in wires:
        server.sendmail("practice@duet.example", [to], wire.encode())
    server.quit()
    return len(wires)


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks.sender", description=__doc__)
    options.add_argument("kind", choices=["letters", "nothing", "nothing-20", "plain"])
    options.add_argument("file", nargs="?", type=Path)
    options.add_argument("--later", type=int, default=0)
    chosen = options.parse_args()
    wires = json.loads(chosen.file.read_text()) if chosen.file else []
    if chosen.kind.startswith("nothing"):
        channel = ByTwenties if chosen.kind == "nothing-20" else Nothing
        setattr(delivery, "CHANNELS", {"email": channel})  # noqa: B010 - mypy knows it isn't ours
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        first, step = (int(word) for word in line.split())
        if chosen.kind == "plain":
            sent = send_plainly(wires[first::step])
        else:
            sent = send_due(timedelta(seconds=chosen.later), real=chosen.kind == "letters")
        sys.stdout.write(f"{sent}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
