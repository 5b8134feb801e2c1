"""Safety flags: something in a private answer that a clinician must see alone."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q

from clients.models import (
    CareRelation,
    Case,
    DataKey,
    Member,
    Person,
    SealedText,
    shown,
)
from clients.rules.actors import Actor
from clients.rules.standing import Whose
from intake.models.intakes import Response


class FlagQuerySet(models.QuerySet["Flag"]):
    def visible_to(self, actor: Actor) -> "FlagQuerySet":
        """The case's counselor and co-counselors; its supervisors once it was escalated to them.

        Whoever broke the glass of the case, too. Nobody else, and never the other partner.
        """
        if actor.kind == "system":
            return self
        if actor.kind != "member":
            return self.none()
        above = CareRelation.objects.filter(
            case=OuterRef("case"),
            member=actor.id,
            kind=CareRelation.Kind.SUPERVISOR,
            ended_at__isnull=True,
        )
        return self.filter(
            Q(case__in=Case.objects.counseled_by(actor))
            | Q(Exists(above), escalated_at__isnull=False)
        )

    def open(self) -> "FlagQuerySet":
        """Those that no clinician has closed: they keep the couple in safe mode."""
        return self.filter(closed_at__isnull=True)


class Flag(models.Model):
    """One reason to speak with one person alone. Only a clinician closes it, with a note."""

    PARTS: ClassVar = {"": Whose.ALONE, "escalated": Whose.RECORD}

    class Severity(models.TextChoices):
        URGENT = "urgent"
        HIGH = "high"
        ASK = "ask"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="flags")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="flags")
    response = models.ForeignKey(
        Response, on_delete=models.PROTECT, null=True, related_name="flags"
    )
    # What kind of answer raised it, a code of the definition: "self-harm", "private-check".
    kind = models.CharField(max_length=40)
    severity = models.CharField(max_length=6, choices=Severity)
    raised_at = models.DateTimeField()
    # The newest of the answers that raised it. A later one is news, also where the flag was closed.
    revision = models.PositiveIntegerField(default=0)
    # When an answer made it graver or other, after somebody had seen it or was told above.
    renewed_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    seen_by = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")
    escalated_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")
    note = SealedText(null=True)

    objects = FlagQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_flag_once",
                fields=["response", "kind"],
                condition=Q(response__isnull=False, closed_at__isnull=True),
            ),
            models.CheckConstraint(
                name="duet_flag_closed_with_a_note",
                condition=Q(closed_at__isnull=True, closed_by__isnull=True, note__isnull=True)
                | Q(closed_at__isnull=False, closed_by__isnull=False, note__isnull=False),
            ),
            models.CheckConstraint(
                name="duet_flag_seen_pair",
                condition=Q(seen_at__isnull=True, seen_by__isnull=True)
                | Q(seen_at__isnull=False, seen_by__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                name="duet_flag_open", fields=["case"], condition=Q(closed_at__isnull=True)
            )
        ]

    shown_note = shown("note")

    def sealing_key(self) -> DataKey:
        return self.person.key


def safe_mode(case_path: str = "pk") -> Exists:
    """Of cases: whether one has an open flag. For rules and actions; nobody is shown it."""
    return Exists(Flag.objects.open().filter(case=OuterRef(case_path)))


def is_in_safe_mode(case: Case | None) -> bool:
    """Whether the couple is not to be invited, seen or shown anything together for now."""
    return case is not None and Flag.objects.open().filter(case=case).exists()
