"""`manage.py keys`: the keys that lock all the others, and the list of those that were erased."""

import getpass
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from clients.actions import keys as acts
from clients.management.progress import Progress
from clients.models import keyring
from clients.queries import erased_keys, keys
from clients.queries.keys import KeyInUse
from clients.rules.actors import Actor
from clients.rules.envelope import KeyRefused, Keyring, parse_keyring
from practice.actions import erasure


class Command(BaseCommand):
    """Shows, changes and proves the key-encryption keys; prints no key."""

    help = "Show, change or prove the keys that lock the records; see docs/keys.md."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        status = commands.add_parser("status", help="what each key locks, and when it was proved")
        status.add_argument("--json", action="store_true", help="print one JSON object")
        rotate = commands.add_parser("rotate", help="lock everything with the first key")
        rotate.add_argument(
            "--resume",
            action="store_true",
            help="say that an interrupted run goes on; without it, it goes on as well",
        )
        prove = commands.add_parser("prove", help="show that your own copy opens the records")
        prove.add_argument(
            "file", nargs="?", type=Path, help="the copy; without it, it is asked for"
        )
        replay = commands.add_parser(
            "replay-erasures", help="after a restore: erase again what had been erased"
        )
        replay.add_argument(
            "file", nargs="?", type=Path, help="a list; without it, that of the data directory"
        )

    def handle(self, *, what: str, **options: Any) -> None:
        doing: dict[str, Callable[..., None]] = {
            "status": self._status,
            "rotate": self._rotate,
            "prove": self._prove,
            "replay-erasures": self._replay,
        }
        doing[what](timezone.now(), **options)

    def _status(self, now: datetime, *, json: bool, **_: object) -> None:
        found = keys.in_use()
        warnings = keys.warnings(now)
        if json:
            self.stdout.write(_as_json(found, warnings))
            return
        for one in found:
            self.stdout.write(_line(one, now))
        for sentence in warnings:
            self.stdout.write(f"look at: {sentence}")

    def _rotate(self, now: datetime, *, resume: bool, **_: object) -> None:
        if keys.interrupted_rotation(keyring().first_id):
            self.stdout.write("An interrupted run goes on.")
        elif resume:
            self.stdout.write("No run was interrupted.")
        shown = Progress(self.stderr, "keys")
        done = acts.rotate(by=Actor.system(), now=now, progress=shown)
        self.stdout.write(f"{done.count} data keys are now locked with '{done.to}'.")
        for pk in done.damaged:
            self.stdout.write(f"The data key {pk} is damaged and stays as it is.")
        for one in keys.in_use():
            if one.removable:
                self.stdout.write(f"'{one.id}' locks nothing any more: it can be taken away.")
        if done.damaged:
            raise CommandError(f"{len(done.damaged)} data keys could not be opened.")

    def _prove(self, now: datetime, *, file: Path | None, **_: object) -> None:
        copy = _copy(file)
        try:
            proofs = acts.prove(copy=copy, by=Actor.system(), now=now)
        except KeyRefused as refusal:
            raise CommandError(str(refusal)) from None
        for proof in proofs:
            damaged = f"; {proof.damaged} are damaged" if proof.damaged else ""
            self.stdout.write(
                f"The copy of '{proof.key_id}' opens {proof.opened} data keys{damaged}."
            )
        lacking = sorted(set(keys.locked()) - {proof.key_id for proof in proofs})
        if lacking:
            raise CommandError(f"The copy lacks what locks records: {', '.join(lacking)}.")
        if not proofs:
            raise CommandError("There is no record yet on which a key could be proved.")

    def _replay(self, now: datetime, *, file: Path | None, **_: object) -> None:
        try:
            listed = erased_keys.listed(file)
        except erased_keys.ListRefused as refusal:
            raise CommandError(str(refusal)) from None
        back = erased_keys.alive(listed)
        done = erasure.erase_again(erased=back, by=Actor.system(), now=now)
        self.stdout.write(f"Listed: {len(listed)}. Erased again: {len(done)}.")


def _copy(file: Path | None) -> Keyring:
    """The practice's own copy. Refuses (CommandError) what can't be read as keys."""
    try:
        if file is not None:
            text = file.read_text(encoding="utf-8")
        elif sys.stdin.isatty():
            text = getpass.getpass("Type or paste the key as it stands on your copy: ")
        else:
            text = sys.stdin.read()
    except (OSError, UnicodeDecodeError):
        raise CommandError("The copy can't be read.") from None
    try:
        return parse_keyring(text)
    except KeyRefused:
        raise CommandError("The copy doesn't hold a key as in 'id:key'.") from None


def _line(one: KeyInUse, now: datetime) -> str:
    notes = []
    if one.first:
        notes.append("locks what is new")
    if not one.held:
        notes.append("MISSING from DUET_NOTES_KEY")
    if one.removable:
        notes.append("can be taken away")
    proved = f"proved {(now - one.proved_at).days} days ago" if one.proved_at else "never proved"
    return f"{one.id}: locks {one.locks} data keys; {'; '.join([proved, *notes])}"


def _as_json(found: list[KeyInUse], warnings: list[str]) -> str:
    listed = [
        asdict(one)
        | {
            "removable": one.removable,
            "proved_at": one.proved_at.isoformat() if one.proved_at else None,
        }
        for one in found
    ]
    return json.dumps({"keys": listed, "warnings": warnings})
