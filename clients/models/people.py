"""Persons, couples and cases. A person is not an e-mail address: two may share one."""

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from clients.models.keys import DataKey
from clients.models.sealed import SealedText
from clients.rules import actors

if TYPE_CHECKING:
    from collections.abc import Sequence


class Member(models.Model):
    """Somebody of the practice who signs in; the user row is the host site's."""

    class Role(models.TextChoices):
        COUNSELOR = actors.COUNSELOR
        STAFF = actors.STAFF
        OWNER = actors.OWNER

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="duet_member"
    )
    name = models.CharField(max_length=200)
    roles = ArrayField(models.CharField(max_length=20, choices=Role))

    def __str__(self) -> str:
        return self.name

    def as_actor(self) -> actors.Actor:
        return actors.Actor.of_member(self.pk, frozenset(self.roles))


class PersonQuerySet(models.QuerySet["Person"]):
    def found_by(self, digests: "Sequence[bytes]") -> "PersonQuerySet":
        """Persons with any of these blind-index digests."""
        return self.filter(
            pk__in=BlindIndex.objects.filter(digest__in=list(digests)).values("person")
        )


class Person(models.Model):
    """Somebody the practice knows. Name and contact are sealed with the person's own key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.OneToOneField(DataKey, on_delete=models.PROTECT, related_name="+")
    name = SealedText()
    email = SealedText(null=True)
    phone = SealedText(null=True)
    language = models.CharField(max_length=10)
    zone = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    objects = PersonQuerySet.as_manager()

    def sealing_key(self) -> DataKey:
        return self.key


class BlindIndex(models.Model):
    """A keyed fingerprint by which a person is found: e-mail, phone, or a word of the name."""

    class Kind(models.TextChoices):
        EMAIL = "email"
        PHONE = "phone"
        NAME = "name"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="index_rows")
    kind = models.CharField(max_length=5, choices=Kind)
    digest = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_blindindex_once", fields=["person", "kind", "digest"]
            )
        ]
        indexes = [models.Index(name="duet_blindindex_digest", fields=["digest"])]


class SafeContact(models.Model):
    """How a person may be reached on one channel. Stronger than any template or bulk send."""

    class Channel(models.TextChoices):
        EMAIL = "email"
        SMS = "sms"
        VOICE = "voice"

    class Permission(models.TextChoices):
        YES = "yes"
        NEUTRAL = "neutral"
        NO = "no"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="safe_contacts")
    channel = models.CharField(max_length=5, choices=Channel)
    permission = models.CharField(max_length=7, choices=Permission, default=Permission.NEUTRAL)
    # Quiet hours in the person's own zone, minutes of the day; both or neither.
    quiet_from = models.PositiveSmallIntegerField(null=True)
    quiet_until = models.PositiveSmallIntegerField(null=True)
    voicemail = models.BooleanField(default=False)
    asked_at = models.DateTimeField()
    # The provider said for good that this address does not exist (SMTP 5xx).
    bounced_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="duet_safecontact_once", fields=["person", "channel"]),
            models.CheckConstraint(
                name="duet_safecontact_quiet_pair",
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False)
                & Q(quiet_from__lt=1440, quiet_until__lt=1440)
                & ~Q(quiet_from=F("quiet_until")),
            ),
        ]


class Couple(models.Model):
    """Two or more persons seen together. Its key seals what belongs to both."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.OneToOneField(DataKey, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)


class CoupleMember(models.Model):
    """A person's time in a couple: each member joins, and may leave."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    couple = models.ForeignKey(Couple, on_delete=models.PROTECT, related_name="members")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="couples")
    # Which of the two voices this person keeps on every page: 0, 1, in the order of joining.
    voice = models.PositiveSmallIntegerField()
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_couplemember_once",
                fields=["couple", "person"],
                condition=Q(left_at__isnull=True),
            ),
            models.UniqueConstraint(name="duet_couplemember_voice", fields=["couple", "voice"]),
            models.CheckConstraint(
                name="duet_couplemember_leaves_after_joining",
                condition=Q(left_at__isnull=True) | Q(left_at__gte=F("joined_at")),
            ),
        ]


class CaseQuerySet(models.QuerySet["Case"]):
    def visible_to(self, actor: actors.Actor) -> "CaseQuerySet":
        """All for staff; their own for a counselor; none for anybody else."""
        if actor.sees_whole_diary:
            return self
        if actor.kind == "member":
            return self.filter(counselor=actor.id)
        return self.none()


class Case(models.Model):
    """The unit on the caseload: one couple or one person, with a counselor."""

    class State(models.TextChoices):
        ENQUIRY = "enquiry"
        ACTIVE = "active"
        PAUSED = "paused"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    couple = models.OneToOneField(Couple, on_delete=models.PROTECT, null=True, related_name="case")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="cases")
    counselor = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="cases")
    state = models.CharField(max_length=8, choices=State, default=State.ENQUIRY)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    objects = CaseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="duet_case_couple_or_person",
                condition=Q(couple__isnull=False, person__isnull=True)
                | Q(couple__isnull=True, person__isnull=False),
            ),
            models.CheckConstraint(
                name="duet_case_closed_pair",
                condition=Q(state="closed", closed_at__isnull=False)
                | ~Q(state="closed") & Q(closed_at__isnull=True),
            ),
        ]
