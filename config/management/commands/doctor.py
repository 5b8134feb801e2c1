"""manage.py doctor: what is wrong, and how to mend it."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.checks import ERROR, CheckMessage
from django.core.management.base import BaseCommand

from config import doctor


class Command(BaseCommand):
    help = "Says in words what is wrong here and how to mend it; exit code 1 if something is."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object instead of words")

    def handle(self, *_: Any, **options: Any) -> None:
        found = doctor.findings()
        wrong = [message for message in found if message.level >= ERROR]
        if options["json"]:
            self.stdout.write(json.dumps({"ok": not wrong, "found": [_row(one) for one in found]}))
        else:
            for message in found:
                word = "WRONG" if message.level >= ERROR else "look at"
                self.stdout.write(f"{word}: {message.msg}")
                if message.hint:
                    self.stdout.write(f"    {message.hint}")
            if not wrong:
                self.stdout.write("Nothing is wrong.")
        if wrong:
            raise SystemExit(1)


def _row(message: CheckMessage) -> dict[str, object]:
    return {
        "id": message.id,
        "wrong": message.level >= ERROR,
        "what": str(message.msg),
        "mend": message.hint or "",
    }
