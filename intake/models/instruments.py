"""Instruments: versioned definitions, which are data."""

import uuid
from functools import cached_property
from typing import ClassVar

from django.db import models
from django.db.models import Q

from clients.models import Member
from clients.rules.actors import Actor
from clients.rules.standing import Whose
from intake.rules.definition import Definition, parse


class InstrumentQuerySet(models.QuerySet["Instrument"]):
    def visible_to(self, actor: Actor) -> "InstrumentQuerySet":
        """Members see all of them; nobody else sees one but through what they were given."""
        return self if actor.kind in {"member", "system"} else self.none()

    def published(self) -> "InstrumentQuerySet":
        """The one version of each that is given to people now."""
        return self.filter(state=Instrument.State.PUBLISHED)


class Instrument(models.Model):
    """One version of a questionnaire. Once published, what it asks never changes.

    A trigger holds that: an answer stays with the version to which it was given.
    """

    PARTS: ClassVar = {"": Whose.PRACTICE}

    class State(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=60)
    version = models.CharField(max_length=40)
    language = models.CharField(max_length=10)
    title = models.CharField(max_length=200)
    # What `intake.rules.definition.parse` reads.
    definition = models.JSONField()
    # A Questionnaire that it came from, to the letter, so that it leaves as it came.
    fhir = models.JSONField(null=True)
    content_hash = models.BinaryField(max_length=32)
    state = models.CharField(max_length=9, choices=State, default=State.DRAFT)
    made_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)
    # Of words that belong to somebody else: who of the practice said that it may use them, and why.
    attested_by = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")
    attested_at = models.DateTimeField(null=True)
    attested_basis = models.CharField(max_length=300, blank=True, default="")

    objects = InstrumentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="duet_instrument_once", fields=["slug", "version"]),
            models.UniqueConstraint(
                name="duet_instrument_one_published",
                fields=["slug"],
                condition=Q(state="published"),
            ),
            models.CheckConstraint(
                name="duet_instrument_state_dates",
                condition=Q(state="draft", published_at__isnull=True, retired_at__isnull=True)
                | Q(state="published", published_at__isnull=False, retired_at__isnull=True)
                | Q(state="retired", retired_at__isnull=False),
            ),
            models.CheckConstraint(
                name="duet_instrument_attested_together",
                condition=Q(attested_by__isnull=True, attested_at__isnull=True, attested_basis="")
                | Q(attested_by__isnull=False, attested_at__isnull=False) & ~Q(attested_basis=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slug} {self.version}"

    @cached_property
    def parsed(self) -> Definition:
        """The definition as values."""
        return parse(self.definition)
