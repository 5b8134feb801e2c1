"""Persons, couples and cases. A person is not an e-mail address: two may share one."""

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from clients.models.keys import DataKey
from clients.models.sealed import SealedText, shown
from clients.rules import actors
from clients.rules.permissions import Right, can

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Member(models.Model):
    """Somebody of the practice who signs in; the user row is the host site's."""

    class Role(models.TextChoices):
        FRONT_DESK = actors.FRONT_DESK
        REVIEWER = actors.REVIEWER
        COUNSELOR = actors.COUNSELOR
        SUPERVISOR = actors.SUPERVISOR
        ADMIN = actors.ADMIN

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="duet_member"
    )
    name = models.CharField(max_length=200)
    roles = ArrayField(models.CharField(max_length=20, choices=Role))

    def __str__(self) -> str:
        return self.name

    def as_actor(self, opened: "Iterable[uuid.UUID]" = ()) -> actors.Actor:
        """This member as who does something; `opened` are the cases of a broken glass."""
        return actors.Actor.of_member(self.pk, frozenset(self.roles), frozenset(opened))


class PersonQuerySet(models.QuerySet["Person"]):
    def visible_to(self, actor: actors.Actor) -> "PersonQuerySet":
        """Members see the persons of the cases that they see; a person sees themselves.

        Whose only case is restricted against the member isn't there at all. Who is also part of a
        case that the member sees is known to them, and that case is all that they learn of.
        """
        if actor.kind == "system":
            return self
        if actor.kind == "person":
            return self.filter(pk__in=[actor.id])
        return self.filter(_is_of(Case.objects.visible_to(actor)))

    def not_hidden_from(self, actor: actors.Actor) -> "PersonQuerySet":
        """All but those who have a case that is restricted against the actor."""
        seen = Case.objects.visible_to(actor)
        hidden = Case.objects.filter(restricted_at__isnull=False).exclude(pk__in=seen.values("pk"))
        return self.exclude(_is_of(hidden))

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

    shown_name = shown("name", erased=_("Erased person"))
    shown_email = shown("email")
    shown_phone = shown("phone")

    def sealing_key(self) -> DataKey:
        return self.key

    @property
    def has_email(self) -> bool:
        """Whether there is an address, without opening it."""
        return self.__dict__["email"] is not None


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


class CoupleQuerySet(models.QuerySet["Couple"]):
    def visible_to(self, actor: actors.Actor) -> "CoupleQuerySet":
        """The couples of the cases that a member sees; none for anybody else."""
        return self.filter(case__in=Case.objects.visible_to(actor))


class Couple(models.Model):
    """Two or more persons seen together. Its key seals what belongs to both."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.OneToOneField(DataKey, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = CoupleQuerySet.as_manager()


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


def _is_of(cases: "CaseQuerySet") -> Q:
    """Of a person: one of these cases is theirs, alone or with others."""
    alone = cases.filter(person=OuterRef("pk"))
    together = cases.filter(couple__members__person=OuterRef("pk"))
    return Q(Exists(alone)) | Q(Exists(together))


class CaseQuerySet(models.QuerySet["Case"]):
    def visible_to(self, actor: actors.Actor) -> "CaseQuerySet":
        """Cases that the actor may know of: who it is, when they come, who cares for them.

        Those whom they care for or are named for; with the right to see the diary all but the
        restricted ones. None for anybody who is no member: a case is the practice's own view.
        """
        if actor.kind == "system":
            return self
        if actor.kind != "member":
            return self.none()
        seen = _related(actor, CareRelation.Kind) | Q(pk__in=actor.opened)
        if can(actor, Right.SEE_DIARY):
            seen |= Q(restricted_at__isnull=True)
        return self.filter(seen)

    def opened_to(self, actor: actors.Actor) -> "CaseQuerySet":
        """Cases whose record the actor may read: a care relation, or the broken glass."""
        if actor.kind == "system":
            return self
        if actor.kind != "member":
            return self.none()
        return self.filter(_related(actor, CareRelation.CARES) | Q(pk__in=actor.opened))

    def counseled_by(self, actor: actors.Actor) -> "CaseQuerySet":
        """Cases whose clinician the actor is: assigned or co-counselor, or by the broken glass."""
        if actor.kind == "system":
            return self
        if actor.kind != "member":
            return self.none()
        together = (CareRelation.Kind.CO_COUNSELOR,)
        return self.filter(_related(actor, together) | Q(pk__in=actor.opened))

    def breakable_by(self, actor: actors.Actor) -> "CaseQuerySet":
        """Cases whose glass the actor may break; of them they are told only whose they are.

        With the right, those that they may know of and, whoever's, all but the restricted ones:
        whoever stands in for a colleague who is ill is named for nothing.
        """
        if not can(actor, Right.BREAK_GLASS):
            return self.none()
        known = Case.objects.visible_to(actor)
        return self.filter(Q(restricted_at__isnull=True) | Q(pk__in=known.values("pk")))


def _related(actor: actors.Actor, kinds: "Iterable[str]") -> Q:
    standing = CareRelation.objects.filter(
        case=OuterRef("pk"), member=actor.id, kind__in=list(kinds), ended_at__isnull=True
    )
    return Q(counselor=actor.id) | Q(Exists(standing))


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
    # Since when only those who care for it, or are named for it, may know of it.
    restricted_at = models.DateTimeField(null=True)

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

    def sealing_key(self) -> DataKey:
        """The key of what is said about the case as a whole."""
        return self.couple.key if self.couple else self.person.key  # type: ignore[union-attr]


class CareRelation(models.Model):
    """Who besides its counselor has to do with a case, and as what."""

    class Kind(models.TextChoices):
        CO_COUNSELOR = "co_counselor"
        SUPERVISOR = "supervisor"
        # May know of a restricted case, as their roles let them know of others; reads no record.
        NAMED = "named"

    CARES = (Kind.CO_COUNSELOR, Kind.SUPERVISOR)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="care")
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="care")
    kind = models.CharField(max_length=12, choices=Kind)
    since_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_carerelation_once",
                fields=["case", "member", "kind"],
                condition=Q(ended_at__isnull=True),
            ),
            models.CheckConstraint(
                name="duet_carerelation_ends_after_its_begin",
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("since_at")),
            ),
        ]
        indexes = [
            models.Index(
                name="duet_carerelation_standing",
                fields=["member", "case"],
                condition=Q(ended_at__isnull=True),
            )
        ]


class BreakGlass(models.Model):
    """A member opened a case that they don't care for: why, and until when. Reading only."""

    LONGEST = timedelta(hours=1)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="glasses")
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="glasses")
    reason = SealedText()
    opened_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="duet_breakglass_an_hour_at_most",
                condition=Q(ends_at__gte=F("opened_at"))
                & Q(ends_at__lte=F("opened_at") + timedelta(hours=1)),
            )
        ]
        indexes = [models.Index(name="duet_breakglass_ends", fields=["member", "ends_at"])]

    def sealing_key(self) -> DataKey:
        return self.case.sealing_key()
