"""Write audit entries, and seal them into the chain afterwards."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from clients.models import AuditEntry, AuditSeal
from clients.rules import chain
from clients.rules.actors import Actor

# No transaction of ours runs for a day, so no older entry can still appear unsealed.
_LOOK_BACK = timedelta(days=1)
_SEAL_LOCK = 7_438_001
_BATCH = 2_000


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


@transaction.atomic
def seal(*, by: Actor, now: datetime) -> int:  # noqa: ARG001 - every action takes its actor
    """Chain entries that have no seal yet; returns how many. One sealer at a time.

    The chain is not written by the writers themselves: they would queue for its last row, which
    halves throughput and can deadlock. Until sealed, `audit verify` names an entry as unsealed.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SEAL_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    last = AuditSeal.objects.order_by("-position").first()
    position, previous = (last.position, bytes(last.hash)) if last else (0, chain.GENESIS)
    entries = AuditEntry.objects.filter(
        ~Exists(AuditSeal.objects.filter(entry_id=OuterRef("pk")))
    ).order_by("at", "pk")
    if last:
        entries = entries.filter(at__gt=_sealed_up_to(last, now) - _LOOK_BACK)
    seals = []
    for entry in entries[:_BATCH]:
        position += 1
        content = entry.content()
        digest = chain.link(position=position, content=content, previous=previous)
        seals.append(
            AuditSeal(
                position=position,
                entry_id=entry.pk,
                content=content,
                previous=previous,
                hash=digest,
                sealed_at=now,
            )
        )
        previous = digest
    AuditSeal.objects.bulk_create(seals)
    return len(seals)


def _sealed_up_to(last: AuditSeal, now: datetime) -> datetime:
    """The moment of the entry sealed last: after days without a sealer, later ones still wait.

    A clock that was ahead then doesn't hide what is written now.
    """
    entry = AuditEntry.objects.filter(pk=last.entry_id).first()
    return min(entry.at if entry else last.sealed_at, now)
