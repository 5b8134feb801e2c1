"""Whom to turn to at once: lines that a person of the practice has verified."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from clients.models import Member


class CrisisLineQuerySet(models.QuerySet["CrisisLine"]):
    def public(self) -> "CrisisLineQuerySet":
        """Lines that clients are shown."""
        return self.filter(active=True)


class CrisisLine(models.Model):
    """One line of help in one country, shown under every form and every result."""

    class Kind(models.TextChoices):
        EMERGENCY = "emergency"
        SUICIDE = "suicide"
        VIOLENCE = "violence"
        OTHER = "other"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # ISO 3166; the practice's region chooses.
    country = models.CharField(max_length=2)
    kind = models.CharField(max_length=9, choices=Kind)
    label = models.CharField(max_length=100)
    phone = models.CharField(max_length=40, blank=True)
    sms = models.CharField(max_length=40, blank=True)
    # What to write there first, where the line asks for a word.
    sms_word = models.CharField(max_length=20, blank=True)
    url = models.URLField(blank=True)
    hours = models.CharField(max_length=60, blank=True)
    languages = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    active = models.BooleanField(default=True)
    # When somebody last called or looked it up, and who. Never: nobody of this practice has.
    verified_on = models.DateField(null=True, blank=True)
    verified_by = models.ForeignKey(
        Member, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects = CrisisLineQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="duet_crisisline_once", fields=["country", "label"]),
            models.CheckConstraint(
                name="duet_crisisline_reachable",
                condition=~Q(phone="") | ~Q(sms="") | ~Q(url=""),
            ),
            models.CheckConstraint(
                name="duet_crisisline_verified_pair",
                condition=Q(verified_on__isnull=True, verified_by__isnull=True)
                | Q(verified_on__isnull=False, verified_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.label
