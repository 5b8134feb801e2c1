"""One scan of the message ledger by hand, as beat does it."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from clients.actions import messages
from clients.rules.actors import Actor
from practice.queries import letters


class Command(BaseCommand):
    """Sends what is due and says how many messages went where."""

    help = "Send the messages that are due, and print how many went where."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        counts = messages.send_due(
            subjects=letters.subjects(),
            by=Actor.system(),
            now=timezone.now(),
            clock=timezone.now,
        ).as_dict()
        if options["json"]:
            self.stdout.write(json.dumps(counts))
            return
        for outcome, count in counts.items():
            self.stdout.write(f"{outcome:>10}  {count}")
