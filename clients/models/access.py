"""How a person comes to their own page: links by mail, sessions, and the second proof.

Clients are never rows of the user model. What a mail link opens is little; a PIN or a passkey
that the person has set opens what they wrote in private.
"""

import uuid

from django.db import models
from django.db.models import F, Q

from clients.models.keys import DataKey
from clients.models.people import Member, Person
from clients.models.sealed import SealedText
from clients.rules.actors import PROOF_LINK, PROOF_SECOND, Actor


class SignInLink(models.Model):
    """A link that signs one person in, once, by the button on its page."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="sign_in_links")
    token_hash = models.BinaryField(max_length=32, unique=True)
    # Kept, sealed, since the letter that brings it is written later.
    token = SealedText()
    made_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="duet_signinlink_ends", condition=Q(ends_at__gt=F("made_at"))
            )
        ]

    def sealing_key(self) -> DataKey:
        return self.person.key


class ClientSession(models.Model):
    """One browser in which a person is signed in, and how well they have proved who they are."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="sessions")
    token_hash = models.BinaryField(max_length=32, unique=True)
    proof = models.PositiveSmallIntegerField(default=PROOF_LINK)
    # What the browser calls itself, in words that the person knows: "Firefox on Android".
    browser = models.CharField(max_length=60, blank=True, default="")
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="duet_clientsession_proof",
                condition=Q(proof__in=[PROOF_LINK, PROOF_SECOND]),
            ),
            models.CheckConstraint(
                name="duet_clientsession_ends", condition=Q(ends_at__gt=F("opened_at"))
            ),
        ]


class ClientPin(models.Model):
    """A person's PIN, and the code from the practice with which they may set a new one.

    Both are short, so their slow hashes are sealed as well: who steals the database can't try
    them all. After five wrong ones only a code from the practice helps.
    """

    TRIES = 5

    person = models.OneToOneField(
        Person, on_delete=models.CASCADE, primary_key=True, related_name="pin"
    )
    pin = SealedText(null=True)
    set_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    code = SealedText(null=True)
    code_ends_at = models.DateTimeField(null=True)
    code_tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="duet_clientpin_tries", condition=Q(tries__lte=5, code_tries__lte=5)
            ),
            models.CheckConstraint(
                name="duet_clientpin_pairs",
                condition=Q(pin__isnull=True, set_at__isnull=True)
                | Q(pin__isnull=False, set_at__isnull=False),
            ),
            models.CheckConstraint(
                name="duet_clientpin_code_pairs",
                condition=Q(code__isnull=True, code_ends_at__isnull=True)
                | Q(code__isnull=False, code_ends_at__isnull=False),
            ),
        ]

    def sealing_key(self) -> DataKey:
        return self.person.key


class ClientPasskey(models.Model):
    """A passkey that a person has set: what their browser proves with instead of the PIN."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="passkeys")
    # Fido2's "attested credential data": the credential's id and its public key.
    credential = models.BinaryField(max_length=2048, unique=True)
    sign_count = models.PositiveBigIntegerField(default=0)
    name = models.CharField(max_length=60)
    made_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class DataRequestQuerySet(models.QuerySet["DataRequest"]):
    def visible_to(self, actor: Actor) -> "DataRequestQuerySet":
        """What is asked by those whom the actor sees: a member by their cases, a person oneself."""
        if actor.kind == "system":
            return self
        return self.filter(person__in=Person.objects.visible_to(actor))


class DataRequest(models.Model):
    """What a person asks about their record, and what became of it."""

    class Kind(models.TextChoices):
        COPY = "copy"
        ERASURE = "erasure"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="data_requests")
    kind = models.CharField(max_length=7, choices=Kind)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")
    # A code of `clients.rules.requests`: what was done, or why not.
    answer = models.CharField(max_length=30, blank=True, default="")

    objects = DataRequestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_datarequest_one_open",
                fields=["person", "kind"],
                condition=Q(answered_at__isnull=True),
            ),
            models.CheckConstraint(
                name="duet_datarequest_answered_pair",
                condition=Q(answered_at__isnull=True, answer="")
                | Q(answered_at__isnull=False) & ~Q(answer=""),
            ),
        ]


class Erasure(models.Model):
    """The stone that stands where a record was: no name, only when and why."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person_id = models.UUIDField(unique=True)
    key_id = models.UUIDField(unique=True)
    erased_at = models.DateTimeField()
    # Codes: why, and on which ground it came before the end of the time to keep, if it did.
    reason = models.CharField(max_length=30)
    despite = models.CharField(max_length=60, blank=True, default="")


class Notice(models.Model):
    """Something that a member must be told: at the desk, and by a mail that says nothing of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="notices")
    # A code, of which the desk knows the sentence.
    kind = models.CharField(max_length=30)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    made_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)
    # When the mail about it is tried next; empty once it has left, was given up, or there is
    # nowhere to write to.
    next_try_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_notice_once", fields=["member", "kind", "subject_kind", "subject_id"]
            )
        ]
        indexes = [
            models.Index(
                name="duet_notice_to_mail",
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
            ),
            models.Index(
                name="duet_notice_unseen",
                fields=["member", "made_at"],
                condition=Q(seen_at__isnull=True),
            ),
        ]
