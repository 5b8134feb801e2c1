"""`manage.py audit verify` and `manage.py audit report --person ID`."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from clients.actions import audit as acts
from clients.models import AuditEntry, Member, Person
from clients.queries import audit
from clients.rules.actors import Actor
from clients.rules.chain import Breach

# The chain is sealed every half minute: what waits longer has been forgotten.
_SEALED_WITHIN: Final = timedelta(minutes=10)

_WORDS: Final = {
    "changed": "Place {position}: the entry {entry} was changed after it was sealed.",
    "removed": "Place {position}: the entry {entry} was removed.",
    "broken": "Place {position}: the chain is broken; a seal was changed, removed or put in.",
    "unsealed": "The entry {entry} was never sealed; is the beat process running?",
}


class Command(BaseCommand):
    """Reads the audit trail: is it whole, and who looked at or changed somebody's record."""

    help = "Verify the audit chain, or list who looked at or changed a person's record."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        commands.add_parser("verify", help="name every entry that was changed, removed, not sealed")
        report = commands.add_parser("report", help="list who did what to a person's record")
        report.add_argument("--person", type=UUID, required=True, metavar="ID")

    def handle(self, *, person: UUID | None = None, **_: object) -> None:
        now = timezone.now()
        if person is None:
            self._verify(now)
        else:
            self._report(person, now)

    def _verify(self, now: datetime) -> None:
        breaches = audit.breaches(unsealed_before=now - _SEALED_WITHIN)
        for breach in breaches:
            self.stdout.write(_sentence(breach))
        if breaches:
            raise CommandError(f"The audit chain doesn't verify: {len(breaches)} breaches.")
        head, waiting = audit.head(), audit.unsealed().count()
        self.stdout.write(
            f"The audit chain verifies: {head.position} entries, its head is "
            f"{bytes(head.hash).hex()}."
            if head
            else "The audit chain is empty."
        )
        if waiting:
            self.stdout.write(f"Entries of the last minutes that wait for their seal: {waiting}.")

    def _report(self, person_id: UUID, now: datetime) -> None:
        """Who did what, oldest first; that somebody asked is put on record too."""
        if not Person.objects.filter(pk=person_id).exists():
            raise CommandError(f"No person has the id {person_id}.")
        entries = list(audit.of_person(person_id))
        names = dict(Member.objects.values_list("pk", "name"))
        for entry in entries:
            self.stdout.write(_line(entry, names))
        self.stdout.write(f"Entries: {len(entries)}.")
        with transaction.atomic():
            acts.record(
                verb="audit.reported",
                subject_kind="person",
                subject_id=person_id,
                person_id=person_id,
                by=Actor.system(),
                now=now,
            )


def _sentence(breach: Breach) -> str:
    return _WORDS[breach.kind].format(position=breach.position, entry=breach.entry_id)


def _line(entry: AuditEntry, names: dict[UUID, str]) -> str:
    who = {"system": "the system", "visitor": "a visitor", "person": "a person in care"}
    name = names.get(entry.actor_id) if entry.actor_id else None
    actor = name or who.get(entry.actor_kind, entry.actor_kind)
    subject = f"{entry.subject_kind} {entry.subject_id}" if entry.subject_id else entry.subject_kind
    return f"{entry.at:%Y-%m-%d %H:%M:%S} UTC  {actor}  {entry.verb}  {subject}"
