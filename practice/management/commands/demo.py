"""`manage.py demo`: load the demo practice."""

import argparse
import time

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from clients.actions import audit
from clients.management.progress import Progress
from clients.models import AuditEntry
from clients.rules.actors import Actor
from practice.demo import loading, sign_ins


class Command(BaseCommand):
    """Loads an invented practice with a lived-in day; refuses anything that could be a real one."""

    help = "Load the demo practice: counselors, services, and cases around today."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--cases", type=_count, default=40, help="How many cases; 40 unless said otherwise."
        )
        parser.add_argument(
            "--reset", action="store_true", help="Empty a demo practice first, and load it anew."
        )

    def handle(self, *, cases: int, reset: bool, **_: object) -> None:
        if settings.DUET["MODE"] != "demo":
            raise CommandError("The demo practice is loaded in demo mode only (DUET_MODE=demo).")
        started = time.monotonic()
        system, now = Actor.system(), timezone.now()
        shown = Progress(self.stderr, "cases")
        _prepare_tables()
        try:
            counts = loading.load(cases=cases, reset=reset, by=system, now=now, progress=shown)
        except loading.AlreadyLoaded:
            raise CommandError(
                "The demo practice is loaded already; --reset empties it and loads it anew."
            ) from None
        except loading.NotOurs as refusal:
            raise CommandError(str(refusal)) from None
        while audit.seal(by=system, now=now):
            pass
        self.stdout.write(
            f"Loaded {counts.cases} cases, {counts.persons} persons, {counts.appointments} "
            f"appointments and {counts.messages} messages in {time.monotonic() - started:.1f} s."
        )
        self.stdout.write("Sign in as:")
        for username, password, role in sign_ins():
            self.stdout.write(f"  {username:<8} {password:<26} {role}")


def _prepare_tables() -> None:
    """Make the tables in an empty database. Refuses (CommandError) one of an older version."""
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    if AuditEntry._meta.db_table in connection.introspection.table_names():
        raise CommandError("The database is older than this program: run `manage.py migrate`.")
    call_command("migrate", verbosity=0, interactive=False)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 100_000):
        raise argparse.ArgumentTypeError("a whole number from 1 to 100000")
    return int(text)
