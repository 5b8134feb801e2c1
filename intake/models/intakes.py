"""What somebody is asked to fill in for a case, by their own link, and what they answered."""

import json
import uuid
from datetime import datetime
from fractions import Fraction
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from clients.models import Case, DataKey, Item, ItemQuerySet, Person, SealedText, shown
from clients.rules.actors import Actor
from clients.rules.standing import Whose
from intake.models.instruments import Instrument
from intake.rules.answers import Answered, load


class CasePolicy(models.Model):
    """How what one partner says alone is kept, in one case; both accept it before they answer."""

    class Kind(models.TextChoices):
        # The counselor keeps nothing from the other that bears on the work together.
        NO_SECRETS = "no_secrets"
        # The counselor decides what to keep.
        LIMITED = "limited"

    case = models.OneToOneField(
        Case, on_delete=models.PROTECT, primary_key=True, related_name="policy"
    )
    kind = models.CharField(max_length=10, choices=Kind)
    set_at = models.DateTimeField()


class IntakeQuerySet(models.QuerySet["Intake"]):
    def visible_to(self, actor: Actor) -> "IntakeQuerySet":
        """Members see those of the cases that they see; a person sees only their own."""
        if actor.kind == "system":
            return self
        if actor.kind == "member":
            return self.filter(case__in=Case.objects.visible_to(actor))
        if actor.kind == "person":
            return self.filter(person=actor.id)
        return self.none()

    def opened_by(self, token_hash: bytes, now: datetime) -> "IntakeQuerySet":
        """The one that a link opens, while it does."""
        return self.filter(token_hash=token_hash, ended_at__isnull=True, ends_at__gt=now)


class Intake(models.Model):
    """One person's own link for one case; what they are given stands behind it, in order."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="intakes")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="intakes")
    token_hash = models.BinaryField(max_length=32, unique=True)
    # Kept, sealed, since a reminder must print the link again.
    token = SealedText()
    opened_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    # Raised whenever something new is given: letters about what was given before no longer hold.
    round = models.PositiveIntegerField(default=1)
    # When it was raised last: the moment from which its letters count.
    asked_at = models.DateTimeField()

    objects = IntakeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_intake_once",
                fields=["case", "person"],
                condition=Q(ended_at__isnull=True),
            ),
            models.CheckConstraint(
                name="duet_intake_ends", condition=Q(ends_at__gt=F("opened_at"))
            ),
        ]

    def sealing_key(self) -> DataKey:
        return self.person.key


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def visible_to(self, actor: Actor) -> "AssignmentQuerySet":
        """As the intake that it belongs to: that it was given and sent, never what it says."""
        if actor.kind == "system":
            return self
        return self.filter(intake__in=Intake.objects.visible_to(actor))

    def open(self) -> "AssignmentQuerySet":
        """Those that can still be filled in."""
        return self.filter(state=Assignment.State.OPEN)


class Assignment(models.Model):
    """One version of an instrument, given to one person for one case."""

    class State(models.TextChoices):
        OPEN = "open"
        SENT = "sent"
        EXPIRED = "expired"
        WITHDRAWN = "withdrawn"

    class Origin(models.TextChoices):
        SERVICE = "service"
        HAND = "hand"
        RHYTHM = "rhythm"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    intake = models.ForeignKey(Intake, on_delete=models.PROTECT, related_name="assignments")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    # The slug of the instrument and which time it is: 1, 2, 3. A round of a couple has one number.
    slug = models.SlugField(max_length=60)
    number = models.PositiveSmallIntegerField(default=1)
    position = models.PositiveSmallIntegerField(default=0)
    # Only the items of the instrument's short form.
    short = models.BooleanField(default=False)
    origin = models.CharField(max_length=7, choices=Origin)
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    assigned_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    # When it was sent, expired or withdrawn.
    closed_at = models.DateTimeField(null=True)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_assignment_once", fields=["intake", "slug", "number"]
            ),
            models.CheckConstraint(
                name="duet_assignment_closed_pair",
                condition=Q(state="open", closed_at__isnull=True)
                | ~Q(state="open") & Q(closed_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="duet_assignment_due", fields=["due_at"], condition=Q(state="open")),
            models.Index(
                name="duet_assignment_expires", fields=["expires_at"], condition=Q(state="open")
            ),
            # Programs page through all of them in this order.
            models.Index(name="duet_assignment_given", fields=["assigned_at", "id"]),
        ]


class ResponseQuerySet(ItemQuerySet["Response"]):
    def visible_to(self, actor: Actor) -> "ResponseQuerySet":
        """As for every item; guarded ones only for those who counsel the case."""
        seen = super().visible_to(actor)
        if actor.kind == "system":
            return seen
        return seen.filter(
            Q(guarded=False) | Q(assignment__intake__case__in=Case.objects.counseled_by(actor))
        )

    def sent(self) -> "ResponseQuerySet":
        """Those that their person has sent."""
        return self.filter(sent_at__isnull=False)


class Response(Item):
    """What a person answered, tied to the version of the instrument. Sent, it never changes.

    Answers and scores are sealed with the person's own key; a trigger forbids a change once sent.
    """

    CASE, PERSON = "assignment__intake__case", "assignment__intake__person"
    PARTS: ClassVar = {"guarded": Whose.ALONE}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, related_name="response")
    # Of the private check: for the clinician alone, and never shown to anybody else again.
    guarded = models.BooleanField(default=False)
    # JSON in the form of `intake.rules.answers.dump`.
    answers = SealedText()
    # Raised by every save: an older page that is sent again is told so.
    revision = models.PositiveIntegerField(default=0)
    language = models.CharField(max_length=10)
    started_at = models.DateTimeField()
    saved_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    # sha256 over the instrument's content and the answers as sent: what was signed.
    content_hash = models.BinaryField(max_length=32, null=True)
    # JSON: subscale to score as a fraction in text ("125/2"), or null; and who computed it.
    scores = SealedText(null=True)
    scored_by = models.CharField(max_length=100, blank=True, default="")

    objects = ResponseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="duet_response_guarded_is_for_the_counselor",
                condition=Q(guarded=False) | Q(audience="counselor"),
            ),
            models.CheckConstraint(
                name="duet_response_sent_whole",
                condition=Q(sent_at__isnull=True, content_hash__isnull=True, scores__isnull=True)
                | Q(sent_at__isnull=False, content_hash__isnull=False, scores__isnull=False)
                & ~Q(scored_by=""),
            ),
        ]
        indexes = [
            # Programs page through what was sent in this order.
            models.Index(
                name="duet_response_sent",
                fields=["sent_at", "id"],
                condition=Q(sent_at__isnull=False),
            )
        ]

    shown_answers = shown("answers")
    shown_scores = shown("scores")

    def sealing_key(self) -> DataKey:
        return self.assignment.intake.person.key

    def said(self) -> dict[str, Answered]:
        """The answers themselves. Refuses (Erased, Unreadable) what can't be opened."""
        return load(json.loads(self.answers))

    def scored(self) -> dict[str, Fraction | None]:
        """The scores as they were computed when it was sent. Refuses as `said`."""
        stored: dict[str, str | None] = json.loads(self.scores or "{}")
        return {name: None if one is None else Fraction(one) for name, one in stored.items()}


class AgreementQuerySet(models.QuerySet["Agreement"]):
    def visible_to(self, actor: Actor) -> "AgreementQuerySet":
        """Those who may read the case's record; a person sees their own."""
        if actor.kind == "system":
            return self
        if actor.kind == "member":
            return self.filter(case__in=Case.objects.opened_to(actor))
        if actor.kind == "person":
            return self.filter(person=actor.id)
        return self.none()

    def standing(self) -> "AgreementQuerySet":
        """Those that weren't taken back."""
        return self.filter(withdrawn_at__isnull=True)


class Agreement(models.Model):
    """A person agreed to one version of one text at one moment; taken back, it stays on record."""

    PARTS: ClassVar = {"": Whose.SIGNED}

    class Kind(models.TextChoices):
        # How what is said alone is kept: before the first private question.
        POLICY = "policy"
        # A consent that a form asked for, signed by name.
        CONSENT = "consent"
        # That the counselor may show a summary to both.
        SHARE = "share"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="agreements")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="agreements")
    kind = models.CharField(max_length=7, choices=Kind)
    slug = models.CharField(max_length=100)
    version = models.CharField(max_length=40)
    # The words as they were read, in their language.
    text = models.TextField()
    language = models.CharField(max_length=10)
    response = models.ForeignKey(
        Response, on_delete=models.PROTECT, null=True, related_name="agreements"
    )
    # Whoever signs writes their name.
    signed_name = SealedText(null=True)
    given_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)

    objects = AgreementQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_agreement_one_standing",
                fields=["case", "person", "kind", "slug"],
                condition=Q(withdrawn_at__isnull=True),
            ),
            models.CheckConstraint(
                name="duet_agreement_withdrawn_later",
                condition=Q(withdrawn_at__isnull=True) | Q(withdrawn_at__gte=F("given_at")),
            ),
        ]

    shown_signed_name = shown("signed_name")

    def sealing_key(self) -> DataKey:
        return self.person.key
