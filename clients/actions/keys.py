"""Change the key-encryption key while the site serves, and prove that somebody has a copy."""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.db.models import QuerySet

from clients.actions import audit
from clients.models import DataKey, keyring
from clients.queries import keys
from clients.rules.actors import Actor
from clients.rules.envelope import KeyRefused, Keyring

# Rows of one transaction: some milliseconds.
_BATCH: Final = 500
_UPDATE: Final = """
UPDATE duet_clients_datakey k SET kek_id = %s, wrapped = new.wrapped
  FROM unnest(%s::uuid[], %s::bytea[]) new(id, wrapped)
 WHERE k.id = new.id"""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rotated:
    """To which key, how many data keys this run locked anew, and which ones couldn't be opened."""

    to: str
    count: int
    damaged: tuple[uuid.UUID, ...]


def rotate(*, by: Actor, now: datetime, progress: Progress | None = None) -> Rotated:
    """Lock every data key with the first key of the ring, in short transactions.

    Pages go on meanwhile: each row is opened by the old or by the new key, and a ring that holds
    both opens either. Killed at any moment, the next run goes on where this one was. A row that
    can't be opened stays as it is, and is named. Refuses (KeyRefused) a ring that lacks a key.
    """
    keys.check_keys()
    to = keyring().first_id
    total = _waiting(to).count()
    run = _begin(to, total, by=by, now=now)
    done, damaged = 0, set[uuid.UUID]()
    after: uuid.UUID | None = None
    while True:
        batch = _lock_anew(to, after=after, beside=damaged)
        if not batch and after is None:
            break
        # Once round, it looks from the beginning again: a process that was started before the new
        # key came may have locked something with the old one meanwhile.
        after = batch[-1].pk if batch else None
        damaged |= {row.pk for row in batch if row.kek_id != to}
        done += sum(row.kek_id == to for row in batch)
        if progress and batch:
            progress(done, max(done, total))
    with transaction.atomic():
        audit.record(
            verb=keys.ROTATION_ENDED,
            subject_kind="rotation",
            subject_id=run,
            by=by,
            now=now,
            detail={"to": to, "locked": done, "damaged": len(damaged)},
        )
    return Rotated(to, done, tuple(sorted(damaged)))


def _waiting(to: str) -> QuerySet[DataKey]:
    return DataKey.objects.filter(wrapped__isnull=False).exclude(kek_id=to)


@transaction.atomic
def _begin(to: str, total: int, *, by: Actor, now: datetime) -> uuid.UUID:
    """Put down that it begins, or goes on."""
    interrupted = keys.interrupted_rotation(to)
    run = interrupted or uuid.uuid4()
    audit.record(
        verb="keys.rotation_resumed" if interrupted else keys.ROTATION_BEGAN,
        subject_kind="rotation",
        subject_id=run,
        by=by,
        now=now,
        detail={"to": to, "waiting": total},
    )
    return run


@transaction.atomic
def _lock_anew(to: str, *, after: uuid.UUID | None, beside: Collection[uuid.UUID]) -> list[DataKey]:
    """Lock the next rows with the first key; those that don't open come back as they were.

    In order of id, so that a second run beside this one waits for it and never crosswise. The
    lock lets foreign keys be checked: a booking isn't held up.
    """
    found = _waiting(to).exclude(pk__in=beside).order_by("pk")
    if after is not None:
        found = found.filter(pk__gt=after)
    rows = list(found.select_for_update(no_key=True)[:_BATCH])
    opened = []
    for row in rows:
        try:
            opened.append(row.fill(row.plain()))
        except KeyRefused:
            continue
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, [to, [row.pk for row in opened], [row.wrapped for row in opened]])
    return rows


@dataclass(frozen=True, slots=True)
class Proof:
    """What a copy of one key opens."""

    key_id: str
    opened: int
    damaged: int


@transaction.atomic
def prove(*, copy: Keyring, by: Actor, now: datetime) -> list[Proof]:
    """Try somebody's own copy of the keys on the records, and put down which of them it opens.

    Refuses (KeyRefused) a copy with a key that should open records and opens none.
    """
    proofs = []
    for key_id, locks in keys.locked().items():
        if key_id not in copy.keys:
            continue
        opened = keys.opened_by(copy, key_id)
        if not opened.count:
            raise KeyRefused(
                f"The copy of the key '{key_id}' isn't the one that locked the records: none of"
                f" {locks} opens."
            )
        proofs.append(Proof(key_id, opened.count, len(opened.damaged)))
    for proof in proofs:
        audit.record(
            verb=keys.PROVED,
            subject_kind="key",
            subject_id=None,
            by=by,
            now=now,
            detail={"key": proof.key_id, "opened": proof.opened, "damaged": proof.damaged},
        )
    return proofs
