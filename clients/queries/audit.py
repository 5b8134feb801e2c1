"""Read the audit chain."""

from django.db.models import Exists, OuterRef

from clients.models import AuditEntry, AuditSeal
from clients.rules import chain


def breaches() -> list[chain.Breach]:
    """Everything that is wrong with the chain, oldest first; empty when it verifies."""
    contents = {entry.pk: entry.content() for entry in AuditEntry.objects.iterator()}
    unsealed = (
        AuditEntry.objects.filter(~Exists(AuditSeal.objects.filter(entry_id=OuterRef("pk"))))
        .order_by("at")
        .values_list("pk", flat=True)
    )
    seals = (seal.as_value() for seal in AuditSeal.objects.order_by("position").iterator())
    return chain.verify(seals=seals, contents=contents, unsealed=unsealed)
