"""Read the audit chain."""

from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from clients.models import AuditEntry, AuditSeal, Case
from clients.rules import chain


def breaches(*, unsealed_before: datetime | None = None) -> list[chain.Breach]:
    """Everything that is wrong with the chain, oldest first; empty when it verifies.

    Entries that are not sealed yet count, unless they are younger than `unsealed_before`.
    """
    contents = {entry.pk: entry.content() for entry in AuditEntry.objects.iterator()}
    waiting = unsealed()
    if unsealed_before is not None:
        waiting = waiting.filter(at__lt=unsealed_before)
    seals = (seal.as_value() for seal in AuditSeal.objects.order_by("position").iterator())
    return chain.verify(
        seals=seals, contents=contents, unsealed=waiting.values_list("pk", flat=True)
    )


def unsealed() -> QuerySet[AuditEntry]:
    """Entries that wait for their seal, oldest first."""
    return AuditEntry.objects.filter(
        ~Exists(AuditSeal.objects.filter(entry_id=OuterRef("pk")))
    ).order_by("at")


def head() -> AuditSeal | None:
    """The last seal: kept elsewhere, its hash proves later that nothing was cut off the end."""
    return AuditSeal.objects.order_by("-position").first()


def of_person(person_id: UUID) -> QuerySet[AuditEntry]:
    """What was done to, read of, or done by a person, and to the cases that they are part of."""
    cases = Case.objects.filter(Q(person=person_id) | Q(couple__members__person=person_id))
    return AuditEntry.objects.filter(
        Q(person_id=person_id)
        | Q(subject_kind="person", subject_id=person_id)
        | Q(actor_kind="person", actor_id=person_id)
        | Q(case_id__in=cases.values("pk"))
    ).order_by("at", "pk")
