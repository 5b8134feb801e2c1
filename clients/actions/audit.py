"""Write audit entries, and seal them into the chain afterwards."""

import json
import logging
import os
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from clients.models import AuditEntry, AuditSeal, DataKey
from clients.queries import audit as trail
from clients.rules import chain, envelope
from clients.rules.actors import Actor

logger = logging.getLogger(__name__)

# No transaction of ours runs for a day, so no older entry can still appear unsealed.
_LOOK_BACK = timedelta(days=1)
_SEAL_LOCK = 7_438_001
_BATCH = 2_000
# What isn't in the chain any more and was logged by this process: it stays so until somebody acts.
_missed: set[chain.Head] = set()


def record(
    *,
    verb: str,
    subject_kind: str,
    subject_id: UUID | None,
    by: Actor,
    now: datetime,
    person_id: UUID | None = None,
    case_id: UUID | None = None,
    detail: dict[str, object] | None = None,
    write: bool = True,
) -> AuditEntry:
    """Add an entry in the caller's transaction. `detail` holds codes and counts, never text.

    With `write` off the entry is only made, for what inserts all its rows in one statement.
    Refuses (RuntimeError) to write outside a transaction: an act and its entry live or die
    together.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("An audit entry belongs into the transaction of what it tells.")
    row = AuditEntry(
        at=now,
        actor_kind=by.kind,
        actor_id=by.id,
        verb=verb,
        subject_kind=subject_kind,
        subject_id=subject_id,
        person_id=person_id,
        case_id=case_id,
        detail=detail or {},
    )
    if write:
        row.save(force_insert=True)
    return row


# Whoever loads a page again within a minute has looked once: that isn't written down anew.
_READS = """
INSERT INTO duet_clients_auditentry
       (id, at, actor_kind, actor_id, verb, subject_kind, subject_id, person_id, case_id, detail)
SELECT gen_random_uuid(), look.at, look.kind, look.actor, look.verb, look.of,
       coalesce(look.subject, shown.person), shown.person, shown.of_case, shown.detail
  FROM (SELECT %(now)s::timestamptz AS at, %(kind)s::text AS kind, %(actor)s::uuid AS actor,
               %(verb)s::text AS verb, %(of)s::text AS of, %(subject)s::uuid AS subject) look
 CROSS JOIN unnest(%(persons)s::uuid[], %(cases)s::uuid[], %(details)s::jsonb[])
            shown(person, of_case, detail)
 WHERE NOT EXISTS (
   SELECT FROM duet_clients_auditentry e
    WHERE e.person_id = shown.person AND e.at > look.at - interval '1 minute' AND e.at <= look.at
      AND e.actor_kind = look.kind AND e.actor_id = look.actor AND e.verb = look.verb
      AND e.subject_id = coalesce(look.subject, shown.person) AND e.detail = shown.detail)"""


def record_reads(
    *,
    verb: str,
    persons: Iterable[tuple[UUID, UUID | None]],
    subject: tuple[str, UUID] | None = None,
    details: Mapping[UUID, Mapping[str, object]] | None = None,
    by: Actor,
    now: datetime,
) -> None:
    """Add an entry for each person (with their case, if any) whom an answer shows to `by`.

    One statement, however many they are; it stands by itself, and comes before the answer: what
    can't be put on record isn't shown. Without `subject` (a kind and an id) each entry is about
    its person. `details` are codes and counts of a person, never text.
    """
    shown = sorted(set(persons), key=str)
    if not shown:
        return
    told = [dict((details or {}).get(person, {})) for person, _ in shown]
    for (_, case), detail in zip(shown, told, strict=True):
        if case in by.opened:
            detail["glass"] = True
    kind, subject_id = subject or ("person", None)
    with connection.cursor() as cursor:
        cursor.execute(
            _READS,
            {
                "now": now,
                "kind": by.kind,
                "actor": by.id,
                "verb": verb,
                "of": kind,
                "subject": subject_id,
                "persons": [person for person, _ in shown],
                "cases": [case for _, case in shown],
                "details": [json.dumps(detail) for detail in told],
            },
        )


@transaction.atomic
def seal(*, by: Actor, now: datetime) -> int:  # noqa: ARG001 - every action takes its actor
    """Chain entries that have no seal yet; returns how many. One sealer at a time.

    The chain is not written by the writers themselves: they would queue for its last row, which
    halves throughput and can deadlock. Until sealed, `audit verify` names an entry as unsealed.
    Refuses (KeyRefused) without the site's keys: the chain goes on under a key of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SEAL_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    last = trail.head()
    position, previous = (last.position, bytes(last.hash)) if last else (0, chain.GENESIS)
    entries = AuditEntry.objects.filter(
        ~Exists(AuditSeal.objects.filter(entry_id=OuterRef("pk")))
    ).order_by("at", "pk")
    if last:
        entries = entries.filter(at__gt=_sealed_up_to(last, now) - _LOOK_BACK)
    found = list(entries[:_BATCH])
    if not found:
        return 0
    key = _chain_key(now)
    seals = []
    for entry in found:
        position += 1
        content = entry.content()
        digest = chain.link(position=position, content=content, previous=previous, key=key.plain())
        seals.append(
            AuditSeal(
                position=position,
                entry_id=entry.pk,
                content=content,
                previous=previous,
                hash=digest,
                key_id=key.pk,
                sealed_at=now,
            )
        )
        previous = digest
    AuditSeal.objects.bulk_create(seals)
    return len(seals)


def _chain_key(now: datetime) -> DataKey:
    """The chain's key, made with its first seal; a rotation locks it anew and changes nothing."""
    row = DataKey.objects.filter(purpose=DataKey.Purpose.AUDIT).first()
    if row is None:
        row = DataKey(purpose=DataKey.Purpose.AUDIT, created_at=now).fill(envelope.new_key())
        row.save(force_insert=True)
    return row


def note_head(*, by: Actor, now: datetime) -> bool:  # noqa: ARG001 - every action takes its actor
    """Note the chain's last place outside the database too: a cut-off end is noticed by that.

    What was noted before has to be in the chain still. If it isn't, False: it stays as it is, for
    `audit verify` to name what is missing.
    """
    last, noted = trail.head(), trail.noted_head()
    if noted and not trail.holds(noted):
        if noted not in _missed:
            _missed.add(noted)
            logger.error("The audit chain doesn't hold what was noted of it: see `audit verify`.")
        return False
    if last and (noted is None or noted.position < last.position):
        try:
            _write_head(last, now)
        except OSError as error:
            logger.warning("The audit chain's end can't be noted: %s", type(error).__name__)
    return True


class NothingToAccept(Exception):
    """The chain holds what was noted of it, or nothing was noted."""


def accept_head(*, by: Actor, now: datetime) -> tuple[int, int]:
    """Note the chain's end as it is, in place of one that it doesn't hold, as after a restore.

    Both places go on record, and are returned: the noted one and the chain's. Refuses
    (NothingToAccept) where nothing was cut off, (OSError) where it can't be noted.
    """
    last, noted = trail.head(), trail.noted_head()
    if noted is None or trail.holds(noted):
        raise NothingToAccept
    places = noted.position, last.position if last else 0
    with transaction.atomic():
        record(
            verb="audit.head_accepted",
            subject_kind="audit",
            subject_id=None,
            by=by,
            now=now,
            detail={"noted": places[0], "accepted": places[1]},
        )
        # Last: where it can't be written, the entry is taken back.
        _write_head(last, now)
    return places


def _write_head(last: AuditSeal | None, now: datetime) -> None:
    path = trail.head_path()
    if last is None:
        path.unlink(missing_ok=True)
        return
    told = {"position": last.position, "hash": bytes(last.hash).hex(), "at": now.isoformat()}
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
    fresh.write_text(json.dumps(told) + "\n", encoding="utf-8")
    fresh.replace(path)


def _sealed_up_to(last: AuditSeal, now: datetime) -> datetime:
    """The moment of the entry sealed last: after days without a sealer, later ones still wait.

    A clock that was ahead then doesn't hide what is written now.
    """
    entry = AuditEntry.objects.filter(pk=last.entry_id).first()
    return min(entry.at if entry else last.sealed_at, now)
