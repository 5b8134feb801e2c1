"""The staff's decision on an intake: one open review of a case at a time, every step on record."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from clients.models import Case, DataKey, Member, Person, SealedText, shown
from clients.rules.actors import Actor
from clients.rules.standing import Whose


class ReviewQuerySet(models.QuerySet["Review"]):
    def visible_to(self, actor: Actor) -> "ReviewQuerySet":
        """Reviews of the cases that a member may know of."""
        if actor.kind == "system":
            return self
        return self.filter(case__in=Case.objects.visible_to(actor))

    def open(self) -> "ReviewQuerySet":
        """Those that wait for a decision."""
        return self.filter(decided_at__isnull=True)


class Review(models.Model):
    """An intake that waits for, or has, the practice's decision."""

    PARTS: ClassVar = {"": Whose.CASE}

    class Decision(models.TextChoices):
        ACCEPTED = "accepted"
        DECLINED = "declined"
        WAITLISTED = "waitlisted"
        # Nobody decided: the case was closed while it waited.
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="reviews")
    opened_at = models.DateTimeField()
    # Until when somebody decides; computed anew from the two below when something comes in.
    due_at = models.DateTimeField()
    # What it may not wait beyond, such as the session; and how long after a form came in.
    latest_at = models.DateTimeField(null=True)
    within_hours = models.PositiveSmallIntegerField(default=48)
    claimed_by = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")
    claimed_at = models.DateTimeField(null=True)
    # More was asked for; it is back in the queue when that came in.
    asked_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=10, choices=Decision, blank=True, default="")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")

    objects = ReviewQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_review_one_open",
                fields=["case"],
                condition=Q(decided_at__isnull=True),
            ),
            models.CheckConstraint(
                name="duet_review_decided_whole",
                condition=Q(decision="", decided_at__isnull=True, decided_by__isnull=True)
                | ~Q(decision="") & Q(decided_at__isnull=False, decided_by__isnull=False)
                | Q(decision="closed", decided_at__isnull=False),
            ),
            models.CheckConstraint(
                name="duet_review_claimed_pair",
                condition=Q(claimed_by__isnull=True, claimed_at__isnull=True)
                | Q(claimed_by__isnull=False, claimed_at__isnull=False),
            ),
            models.CheckConstraint(name="duet_review_due", condition=Q(due_at__gte=F("opened_at"))),
        ]
        indexes = [
            models.Index(
                name="duet_review_waiting",
                fields=["due_at"],
                condition=Q(decided_at__isnull=True),
            )
        ]


class ReviewStep(models.Model):
    """What somebody did about a review, and what they wrote. A trigger forbids to change it."""

    class Kind(models.TextChoices):
        CLAIMED = "claimed"
        RELEASED = "released"
        ASKED = "asked"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        WAITLISTED = "waitlisted"
        CLOSED = "closed"
        REOPENED = "reopened"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="steps")
    kind = models.CharField(max_length=10, choices=Kind)
    at = models.DateTimeField()
    by = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")
    # To whom the words are, where not to all of the case.
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    # Why, for the practice alone.
    reason = SealedText(null=True)
    # What the client is told: to whom else they can turn, or what is still missing.
    words = SealedText(null=True)

    shown_reason = shown("reason")
    shown_words = shown("words")

    def sealing_key(self) -> DataKey:
        return self.person.key if self.person else self.review.case.sealing_key()
