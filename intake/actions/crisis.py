"""Crisis lines: load the shipped ones, add the practice's own, say that one was verified."""

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import yaml
from django.core.exceptions import ValidationError
from django.db import transaction

from clients.actions import audit
from clients.rules import permissions
from clients.rules.actors import Actor
from clients.rules.permissions import Right
from intake.models import CrisisLine

SHIPPED: Final = Path(__file__).parents[1] / "content" / "crisis_lines.yaml"
# A shipped line keeps its id, so that one that was renamed here isn't added a second time.
_IDS: Final = uuid.UUID("5e0b6a3c-4c3b-5a86-9d0e-6a1f3f3f6a11")


class LineRefused(Exception):
    """The values make no line: no way to reach it, or one of this name is there already."""


@transaction.atomic
def load_shipped(*, by: Actor, now: datetime) -> int:
    """Add those of the shipped lines that aren't here; says how many. What is here stays as it is.

    Refuses (NotPermitted) without the right.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    before = CrisisLine.objects.count()
    CrisisLine.objects.bulk_create(
        [_row(one, position) for position, one in enumerate(_shipped())], ignore_conflicts=True
    )
    added = CrisisLine.objects.count() - before
    if added:
        audit.record(
            verb="crisis_lines.loaded",
            subject_kind="crisis_line",
            subject_id=None,
            by=by,
            now=now,
            detail={"lines": added},
        )
    return added


@transaction.atomic
def add(*, values: Mapping[str, Any], by: Actor, now: datetime) -> CrisisLine:
    """Add a line of the practice's own, after those that are there.

    Refuses (NotPermitted) without the right, (LineRefused) one without a way to reach it or of a
    name that its country has already.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    last = CrisisLine.objects.order_by("-position").values_list("position", flat=True).first()
    row = CrisisLine(**values, position=0 if last is None else last + 1)
    row.country = row.country.upper()
    try:
        row.full_clean()
    except ValidationError as error:
        raise LineRefused(" ".join(error.messages)) from None
    row.save(force_insert=True)
    _record("crisis_line.added", row, by, now)
    return row


@transaction.atomic
def verify(*, line: CrisisLine, on: date, by: Actor, now: datetime) -> None:
    """Put down that a member called the line or looked it up at its operator's, and on which day.

    Refuses (NotPermitted) without the right, and the system, which has called nobody.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    if by.kind != "member":
        raise permissions.NotPermitted(Right.MANAGE_PRACTICE)
    CrisisLine.objects.filter(pk=line.pk).update(verified_on=on, verified_by=by.id)
    _record("crisis_line.verified", line, by, now)


@transaction.atomic
def show(*, line: CrisisLine, shown: bool, by: Actor, now: datetime) -> None:
    """Show a line to clients, or show it no longer. Refuses (NotPermitted) without the right."""
    permissions.check(by, Right.MANAGE_PRACTICE)
    CrisisLine.objects.filter(pk=line.pk).update(active=shown)
    _record("crisis_line.shown" if shown else "crisis_line.hidden", line, by, now)


def _record(verb: str, line: CrisisLine, by: Actor, now: datetime) -> None:
    audit.record(verb=verb, subject_kind="crisis_line", subject_id=line.pk, by=by, now=now)


def _shipped() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    return found


def _row(values: Mapping[str, Any], position: int) -> CrisisLine:
    plain = {name: value for name, value in values.items() if name != "key"}
    return CrisisLine(id=uuid.uuid5(_IDS, values["key"]), position=position, **plain)
