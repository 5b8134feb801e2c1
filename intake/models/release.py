"""What a clinician released to a couple: which round, and which parts of it."""

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from clients.models import Case, Member
from clients.rules.actors import Actor
from clients.rules.standing import Whose
from intake.models.intakes import Response


class ReleaseQuerySet(models.QuerySet["Release"]):
    def visible_to(self, actor: Actor) -> "ReleaseQuerySet":
        """Those who may read the case's record. A couple comes by `intake.queries.release`."""
        if actor.kind == "system":
            return self
        return self.filter(case__in=Case.objects.opened_to(actor))

    def standing(self) -> "ReleaseQuerySet":
        """Those that weren't taken back."""
        return self.filter(withdrawn_at__isnull=True)


class Release(models.Model):
    """The parts of one round of the cycle's questions that a couple may see together."""

    PARTS: ClassVar = {"": Whose.RECORD}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="releases")
    first = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="+")
    parts = ArrayField(models.CharField(max_length=20))
    released_at = models.DateTimeField()
    released_by = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")

    objects = ReleaseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_release_one_standing",
                fields=["case"],
                condition=Q(withdrawn_at__isnull=True),
            ),
            models.CheckConstraint(name="duet_release_of_two", condition=~Q(first=F("second"))),
            models.CheckConstraint(
                name="duet_release_withdrawn_pair",
                condition=Q(withdrawn_at__isnull=True, withdrawn_by__isnull=True)
                | Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False),
            ),
        ]
