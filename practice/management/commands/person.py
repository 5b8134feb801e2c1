"""`manage.py person export ID` and `manage.py person erase ID`: what people may ask of a record."""

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from clients.actions import audit
from clients.models import Person
from clients.rules.actors import Actor
from clients.rules.retention import MayNotErase
from practice.actions import erasure
from practice.queries import record


class Command(BaseCommand):
    """Hands out or erases what is one person's; a partner's part is in neither."""

    help = "Export or erase one person's record; see docs/keys.md."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        export = commands.add_parser(
            "export", help="print all that is theirs as JSON, also what they may not be told yet"
        )
        export.add_argument("id", type=UUID)
        export.add_argument("--out", type=Path, help="write it to a new file of mode 0600")
        erase = commands.add_parser("erase", help="destroy their key, for good")
        erase.add_argument("id", type=UUID)
        erase.add_argument("--reason", required=True, help="a code, such as asked-for")
        erase.add_argument(
            "--despite-retention",
            default="",
            metavar="GROUND",
            help="the legal ground, as a code, on which the time to keep it doesn't count",
        )
        erase.add_argument("--yes", action="store_true", help="don't ask")

    def handle(self, *, what: str, id: UUID, **options: Any) -> None:  # noqa: A002
        person = Person.objects.select_related("key").filter(pk=id).first()
        if person is None:
            raise CommandError(f"No person has the id {id}.")
        doing: dict[str, Callable[..., None]] = {"export": self._export, "erase": self._erase}
        doing[what](person, timezone.now(), **options)

    def _export(self, person: Person, now: datetime, *, out: Path | None, **_: object) -> None:
        if person.key.destroyed_at is not None:
            raise CommandError("This person was erased: there is nothing to hand out.")
        text = json.dumps(record.of_person(person, with_shut=True), indent=2, ensure_ascii=False)
        with transaction.atomic():
            audit.record(
                verb="person.exported",
                subject_kind="person",
                subject_id=person.pk,
                person_id=person.pk,
                by=Actor.system(),
                now=now,
            )
        if out is None:
            self.stdout.write(text)
            return
        _write(out, text)
        self.stdout.write(f"Written to {out}.")

    def _erase(
        self,
        person: Person,
        now: datetime,
        *,
        reason: str,
        despite_retention: str,
        yes: bool,
        **_: object,
    ) -> None:
        if person.key.destroyed_at is not None:
            raise CommandError(f"This person was erased on {person.key.destroyed_at:%d %B %Y}.")
        if not yes and input(f"Erase {person.shown_name} for good? Type yes: ") != "yes":
            raise CommandError("Nothing was erased.")
        try:
            stone = erasure.erase(
                person=person,
                reason=reason,
                despite=despite_retention,
                by=Actor.system(),
                now=now,
            )
        except (MayNotErase, ValueError) as refusal:
            raise CommandError(str(refusal)) from None
        except OSError:
            raise CommandError(
                "The list of erased keys can't be written, so nothing was erased: look at"
                " DUET_DATA_DIR."
            ) from None
        self.stdout.write(f"Erased. The stone: {stone.pk}.")


def _write(path: Path, text: str) -> None:
    """Write a file that only we can read. Refuses (CommandError) one that is there already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"{path} is there already.") from None
    except OSError as error:
        raise CommandError(f"{path} can't be made ({type(error).__name__}).") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
