"""`manage.py audit verify`, `audit accept-head`, `audit report`, `audit unusual`."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from clients.actions import audit as acts
from clients.models import Case, Member, Person
from clients.queries import audit, reading
from clients.rules.actors import Actor
from clients.rules.chain import Breach, Head
from clients.rules.envelope import KeyRefused

# The chain is sealed every half minute: what waits longer has been forgotten.
_SEALED_WITHIN: Final = timedelta(minutes=10)

_WORDS: Final = {
    "changed": "Place {position}: the entry {entry} was changed after it was sealed.",
    "removed": "Place {position}: the entry {entry} was removed.",
    "broken": "Place {position}: the chain is broken; a seal was changed, moved or put in.",
    "unkeyed": "Place {position}: the seal has no key: anybody may have made it.",
    "keyless": "Place {position}: sealed under a key that is gone; it can no longer be checked.",
    "missing": "Places {position} to {last}: the seals were removed.",
    "doubled": "The entry {entry} is there twice.",
    "unsealed": "The entry {entry} was never sealed; is the beat process running?",
    "cut": "Places {position} to {last}: the chain's end was cut off; it had been noted outside.",
    "rewritten": "Place {position}: the chain isn't the one that was noted outside.",
}
_WHO: Final = {"system": "the system", "visitor": "a visitor", "person": "a person in care"}


class Command(BaseCommand):
    """Reads the audit trail: is it whole, who looked at somebody's record, and was it unusual?"""

    help = "Verify the audit chain, or list who looked at or changed a record."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        verify = commands.add_parser(
            "verify", help="name every entry that was changed, removed, not sealed, cut off"
        )
        verify.add_argument(
            "--head",
            type=_head,
            action="append",
            default=[],
            metavar="PLACE:HASH",
            help="an end of the chain as it was printed before: it must be part of it",
        )
        accept = commands.add_parser(
            "accept-head", help="after a restore: note the chain's end as it is now"
        )
        accept.add_argument("--yes", action="store_true", help="you know why the end is missing")
        report = commands.add_parser("report", help="list who did what to a record, day by day")
        about = report.add_mutually_exclusive_group(required=True)
        about.add_argument("--person", type=UUID, metavar="ID")
        about.add_argument("--case", type=UUID, metavar="ID")
        report.add_argument("--json", action="store_true")
        unusual = commands.add_parser("unusual", help="list what was unusual about who read what")
        unusual.add_argument("--days", type=int, default=30, help="how far back (30)")
        unusual.add_argument("--json", action="store_true")

    def handle(self, *, what: str, **options: Any) -> None:
        now = timezone.now()
        if what == "verify":
            self._verify(now, options["head"])
        elif what == "accept-head":
            self._accept_head(now, sure=options["yes"])
        elif what == "unusual":
            self._unusual(now, options["days"], as_json=options["json"])
        else:
            self._report(options["person"], options["case"], now, as_json=options["json"])

    def _verify(self, now: datetime, kept: list[Head]) -> None:
        own = audit.noted_head()
        noted = [*kept, own] if own else kept
        count = 0
        try:
            for breach in audit.breaches(unsealed_before=now - _SEALED_WITHIN, noted=noted):
                count += 1
                self.stdout.write(_sentence(breach))
        except KeyRefused as refusal:
            raise CommandError(str(refusal)) from None
        if count:
            raise CommandError(f"The audit chain doesn't verify: {count} breaches.")
        head, waiting = audit.head(), audit.unsealed().count()
        self.stdout.write(
            f"The audit chain verifies: {head.position} entries, its head is "
            f"{head.position}:{bytes(head.hash).hex()}."
            if head
            else "The audit chain is empty."
        )
        if head and not noted:
            self.stdout.write(
                f"Nothing is noted in {audit.head_path()}: whether its end was cut off isn't known."
            )
        if waiting:
            self.stdout.write(f"Entries of the last minutes that wait for their seal: {waiting}.")

    def _accept_head(self, now: datetime, *, sure: bool) -> None:
        """Only with --yes: from then on nobody is told any more that something is missing."""
        if not sure:
            raise CommandError(
                "What was noted of the chain's end is replaced, and what is missing is named no"
                " more. See what `audit verify` says; if that is the restore, add --yes."
            )
        try:
            noted, place = acts.accept_head(by=Actor.system(), now=now)
        except acts.NothingToAccept:
            raise CommandError("Nothing is missing of what was noted.") from None
        except OSError as error:
            raise CommandError(f"The chain's end can't be noted: {error.strerror}.") from None
        self.stdout.write(f"Noted: the chain ends at place {place}; it had been {noted}.")

    def _report(
        self, person_id: UUID | None, case_id: UUID | None, now: datetime, *, as_json: bool
    ) -> None:
        """Who did what, day by day (UTC); that somebody asked is put on record too."""
        if person_id:
            if not Person.objects.filter(pk=person_id).exists():
                raise CommandError(f"No person has the id {person_id}.")
            entries, about = audit.of_person(person_id), ("person", person_id)
        elif case_id and Case.objects.filter(pk=case_id).exists():
            entries, about = audit.of_case(case_id), ("case", case_id)
        else:
            raise CommandError(f"No case has the id {case_id}.")
        members = Member.objects.in_bulk()
        lines = [_line(one, members) for one in audit.tally(entries, UTC)]
        if as_json:
            self.stdout.write(json.dumps({"about": [about[0], str(about[1])], "lines": lines}))
        else:
            for line in lines:
                self.stdout.write("{day}  {who}{as}  {what}  {times}".format_map(_said(line)))
            self.stdout.write(f"Entries: {sum(int(str(line['times'])) for line in lines)}.")
        with transaction.atomic():
            acts.record(
                verb="audit.reported",
                subject_kind=about[0],
                subject_id=about[1],
                person_id=person_id,
                case_id=case_id,
                by=Actor.system(),
                now=now,
            )

    def _unusual(self, now: datetime, days: int, *, as_json: bool) -> None:
        """What was raised; a member's own is here too."""
        tomorrow = now.date() + timedelta(days=1)
        members = Member.objects.in_bulk()
        found = [
            {
                "day": entry.detail["on"],
                "who": _name(members.get(entry.subject_id) if entry.subject_id else None),
                "kind": entry.detail["kind"],
                "persons": entry.detail["persons"],
            }
            for entry in reading.raised(tomorrow - timedelta(days=days), tomorrow)
        ]
        if as_json:
            self.stdout.write(json.dumps(found))
            return
        for one in found:
            self.stdout.write("{day}  {who}  {kind}  {persons} persons".format_map(one))
        self.stdout.write(f"Unusual: {len(found)}.")


def _name(member: Member | None) -> str:
    return member.name if member else "somebody who left"


def _head(text: str) -> Head:
    place, _, digest = text.partition(":")
    return Head(int(place), bytes.fromhex(digest))


def _sentence(breach: Breach) -> str:
    return _WORDS[breach.kind].format(
        position=breach.position, entry=breach.entry_id, last=breach.last
    )


def _line(one: audit.Tally, members: dict[UUID, Member]) -> dict[str, object]:
    member = members.get(one.actor_id) if one.actor_id else None
    return {
        "day": one.on.isoformat(),
        "who": member.name if member else _WHO.get(one.actor_kind, one.actor_kind),
        "roles": member.roles if member else [],
        "verb": one.verb,
        "what": in_words(one.verb),
        "times": one.times,
    }


def in_words(verb: str) -> str:
    """A verb's code as words: `appointment.read` is "appointment read"."""
    return verb.replace(".", " ").replace("_", " ")


def _said(line: dict[str, object]) -> dict[str, object]:
    roles = ", ".join(str(role).replace("_", " ") for role in line["roles"])  # type: ignore[attr-defined]
    times = "once" if line["times"] == 1 else f"{line['times']} times"
    return line | {"as": f" ({roles})" if roles else "", "times": times}
