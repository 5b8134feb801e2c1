"""What a member must be told and has not taken note of yet."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Case as Choose
from django.db.models import F, OuterRef, Subquery, UUIDField, When

from clients.models import AuditEntry, BreakGlass, CareRelation, Notice
from clients.rules.actors import Actor

# More than these aren't read at once; the oldest come first.
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Told:
    """One notice. `case_id` is the case that it is about, if it is about one."""

    id: UUID
    kind: str
    subject_kind: str
    subject_id: UUID
    made_at: datetime
    case_id: UUID | None


def unseen(actor: Actor) -> list[Told]:
    """A member's own, the oldest first; one statement."""
    glass = BreakGlass.objects.filter(pk=OuterRef("subject_id")).values("case")
    act = AuditEntry.objects.filter(pk=OuterRef("subject_id")).values("case_id")
    care = CareRelation.objects.filter(pk=OuterRef("subject_id")).values("case")
    rows = (
        Notice.objects.filter(member=actor.id, seen_at__isnull=True)
        .annotate(
            about=Choose(
                When(subject_kind="case", then=F("subject_id")),
                When(subject_kind="act", then=Subquery(act)),
                When(subject_kind="glass", then=Subquery(glass)),
                When(subject_kind="care", then=Subquery(care)),
                output_field=UUIDField(null=True),
            )
        )
        .order_by("made_at", "pk")
        .values_list("pk", "kind", "subject_kind", "subject_id", "made_at", "about")[:_SHOWN]
    )
    return [Told(*row) for row in rows]
