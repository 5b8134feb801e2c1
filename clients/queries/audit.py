"""Read the audit chain, and what it says of a person or a case."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from itertools import islice
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import TruncDate

from clients.models import AuditEntry, AuditSeal, Case, DataKey
from clients.rules import chain

_PORTION = 2_000
# The database's own constraints forbid these; its owner can drop them.
_DOUBLED = """
SELECT id FROM duet_clients_auditentry GROUP BY id HAVING count(*) > 1
UNION SELECT entry_id FROM duet_clients_auditseal GROUP BY entry_id HAVING count(*) > 1"""


def breaches(
    *, unsealed_before: datetime | None = None, noted: Iterable[chain.Head] = ()
) -> Iterator[chain.Breach]:
    """Everything that is wrong with the chain, by its places; nothing when it verifies.

    Entries that are not sealed yet count, unless they are younger than `unsealed_before`. `noted`
    are places that were kept outside the database. Refuses (KeyRefused) without the site's keys.
    """
    there = DataKey.objects.filter(purpose=DataKey.Purpose.AUDIT, wrapped__isnull=False)
    keys = {row.pk: row.plain() for row in there}
    yield from chain.verify(sealed=_sealed(), keys=keys, noted=noted)
    with connection.cursor() as cursor:
        cursor.execute(_DOUBLED)
        for (entry_id,) in cursor.fetchall():
            yield chain.Breach("doubled", entry_id, None)
    waiting = unsealed()
    if unsealed_before is not None:
        waiting = waiting.filter(at__lt=unsealed_before)
    for entry_id in waiting.values_list("pk", flat=True).iterator():
        yield chain.Breach("unsealed", entry_id, None)


def _sealed() -> Iterator[tuple[chain.Seal, bytes | None]]:
    """Each seal by its place, with its entry's content hash: portion by portion, for millions."""
    seals = AuditSeal.objects.order_by("position").iterator(chunk_size=_PORTION)
    while portion := list(islice(seals, _PORTION)):
        entries = AuditEntry.objects.in_bulk([seal.entry_id for seal in portion])
        for seal in portion:
            entry = entries.get(seal.entry_id)
            yield seal.as_value(), entry.content() if entry else None


def unsealed() -> QuerySet[AuditEntry]:
    """Entries that wait for their seal, oldest first."""
    return AuditEntry.objects.filter(
        ~Exists(AuditSeal.objects.filter(entry_id=OuterRef("pk")))
    ).order_by("at")


def head() -> AuditSeal | None:
    """The last seal: kept elsewhere, its hash proves later that nothing was cut off the end."""
    return AuditSeal.objects.order_by("-position").first()


def head_path() -> Path:
    """Where this machine notes the chain's last place."""
    return Path(settings.DUET["DATA_DIR"]) / "audit-head.json"


def noted_head() -> chain.Head | None:
    """What this machine noted last, or None before that.

    A note that can't be read is a place that no chain has: it doesn't pass for none.
    """
    try:
        told = json.loads(head_path().read_text(encoding="utf-8"))
        return chain.Head(int(told["position"]), bytes.fromhex(told["hash"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return chain.Head(1, b"")


def holds(noted: chain.Head) -> bool:
    """Whether the chain holds a place as it was noted."""
    return AuditSeal.objects.filter(position=noted.position, hash=noted.hash).exists()


def of_person(person_id: UUID) -> QuerySet[AuditEntry]:
    """What was done to, read of, or done by a person, and to the cases that they are part of."""
    cases = Case.objects.filter(Q(person=person_id) | Q(couple__members__person=person_id))
    return AuditEntry.objects.filter(
        Q(person_id=person_id)
        | Q(subject_kind="person", subject_id=person_id)
        | Q(actor_kind="person", actor_id=person_id)
        | Q(case_id__in=cases.values("pk"), person_id__isnull=True)
    ).order_by("at", "pk")


def of_case(case_id: UUID) -> QuerySet[AuditEntry]:
    """What was done to a case, and read or done within it."""
    return AuditEntry.objects.filter(
        Q(case_id=case_id) | Q(subject_kind="case", subject_id=case_id)
    ).order_by("at", "pk")


@dataclass(frozen=True, slots=True)
class Tally:
    """How often somebody did one thing on one day."""

    on: date
    actor_kind: str
    actor_id: UUID | None
    verb: str
    times: int


def tally(entries: QuerySet[AuditEntry], zone: tzinfo) -> list[Tally]:
    """Entries by the day on this zone's clock, by whom, and what; one statement."""
    found = (
        entries.order_by()
        .annotate(on=TruncDate("at", tzinfo=zone))
        .values_list("on", "actor_kind", "actor_id", "verb")
        .annotate(Count("pk"))
        .order_by("on", "actor_kind", "actor_id", "verb")
    )
    return [Tally(*row) for row in found]


def looked_at(person_id: UUID, zone: tzinfo) -> list[Tally]:
    """Which members read or changed a person's record, the latest day first; one statement.

    Only what is about this very person: an entry about their case may be about the other one.
    """
    own = AuditEntry.objects.filter(person_id=person_id, actor_kind="member")
    return sorted(tally(own, zone), key=lambda one: one.on, reverse=True)
