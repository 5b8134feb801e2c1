"""`manage.py auditor`: do the invariants hold on the database as it stands?"""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from clients.management.progress import Progress
from practice.queries import invariants


class Command(BaseCommand):
    """Checks what must hold of the data at any moment; exits with 1 when something doesn't."""

    help = "Check the invariants on the database as it stands; exit 1 on a breach."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        shown = Progress(self.stderr, "sealed rows")
        breaches = invariants.breaches(timezone.now(), shown)
        if options["json"]:
            self.stdout.write(_as_json(breaches))
        else:
            for breach in breaches:
                self.stdout.write(f"{breach.invariant}  {breach.what}: {breach.subject}")
            checked = ", ".join(invariants.INVARIANTS)
            self.stdout.write(f"{len(breaches)} breaches." if breaches else f"All hold: {checked}.")
        if breaches:
            raise SystemExit(1)


def _as_json(breaches: list[invariants.Breach]) -> str:
    return json.dumps(
        {
            "ok": not breaches,
            "checked": list(invariants.INVARIANTS),
            "breaches": [
                {
                    "invariant": breach.invariant,
                    "what": breach.what,
                    "subject": str(breach.subject) if breach.subject else None,
                }
                for breach in breaches
            ],
        }
    )
