"""The list of erased keys, which is kept outside the database: what a restored one must lose again.

One JSON object a line: the key's id, when, and the code that says why. No names are in it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings

from clients.models import DataKey


class ListRefused(Exception):
    """The list can't be read as one; the text is one sentence that says which line."""


@dataclass(frozen=True, slots=True)
class Erased:
    """One line: a key that must not exist any more."""

    key_id: UUID
    at: datetime
    reason: str


def list_path() -> Path:
    """Where this site keeps its list."""
    return Path(settings.DUET["DATA_DIR"]) / "erased-keys.jsonl"


def listed(path: Path | None = None) -> Mapping[UUID, Erased]:
    """The lines of the list; none where there is no list of the site's own yet.

    A last line that was cut off belongs to an erasure that never happened. Refuses (ListRefused)
    any other line that can't be read, and a file that was named and isn't there.
    """
    file = path or list_path()
    if path is None and not file.exists():
        return {}
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        raise ListRefused(f"{file} can't be read.") from None
    found = {}
    for number, line in enumerate(lines[:-1], start=1):
        try:
            said = json.loads(line)
            row = Erased(UUID(said["key"]), datetime.fromisoformat(said["at"]), said["reason"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ListRefused(f"Line {number} of {file} isn't one of such a list.") from None
        found[row.key_id] = row
    return found


def alive(found: Mapping[UUID, Erased]) -> list[Erased]:
    """Those of a list that the database still, or again, holds, in the order of the list."""
    living = DataKey.objects.filter(
        pk__in=list(found), wrapped__isnull=False, purpose=DataKey.Purpose.PERSON
    )
    ids = set(living.values_list("pk", flat=True))
    return [row for row in found.values() if row.key_id in ids]


def warnings() -> list[str]:
    """One sentence where erased records are back, as they are after a restore."""
    try:
        back = alive(listed())
    except ListRefused as refusal:
        return [str(refusal)]
    if not back:
        return []
    return [
        f"{len(back)} erased records are back: run `manage.py keys replay-erasures` before anybody"
        " reads them."
    ]
