"""The ledger: one row per planned or sent contact. The row is the queue."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import F, Q

from clients.models.people import Person, SafeContact
from clients.rules.actors import Actor


class MessageQuerySet(models.QuerySet["Message"]):
    def visible_to(self, actor: Actor) -> "MessageQuerySet":
        """What was or will be sent to the persons that the actor sees."""
        if actor.kind == "system":
            return self
        return self.filter(person__in=Person.objects.visible_to(actor))

    def open(self) -> "MessageQuerySet":
        """Rows that may still be sent."""
        return self.filter(state__in=Message.OPEN)

    def takeable(self, now: datetime) -> "MessageQuerySet":
        """Open rows whose moment has come and that no worker holds."""
        return self.open().filter(next_try_at__lte=now)


class Message(models.Model):
    """One contact to one person on one channel, unique by purpose, subject and version.

    `next_try_at` is the due moment, then the end of the lease, then the moment of the next try:
    from then on any worker may take the row. `sending` is set and committed before the first
    byte leaves; a row found there later may have gone out, and is marked `uncertain`.
    """

    class State(models.TextChoices):
        PLANNED = "planned"
        CLAIMED = "claimed"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"
        MISSED = "missed"
        SUPPRESSED = "suppressed"
        CANCELLED = "cancelled"
        UNCERTAIN = "uncertain"

    OPEN = (State.PLANNED, State.CLAIMED, State.SENDING, State.UNCERTAIN)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    purpose = models.CharField(max_length=30)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="messages")
    channel = models.CharField(max_length=5, choices=SafeContact.Channel)
    version = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.PLANNED)
    planned_at = models.DateTimeField()
    due_at = models.DateTimeField()
    window_ends_at = models.DateTimeField()
    # When the subject begins: the order in which a backlog is worked off.
    about_at = models.DateTimeField()
    next_try_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    # Why it stands as it stands; a code, never personal text.
    reason = models.CharField(max_length=60, blank=True, default="")
    sent_at = models.DateTimeField(null=True)
    # Set once when a process died, or the line dropped, while the message was on its way.
    uncertain_at = models.DateTimeField(null=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_message_once",
                fields=["purpose", "subject_kind", "subject_id", "person", "channel", "version"],
            ),
            models.CheckConstraint(
                name="duet_message_sent_pair",
                condition=Q(state="sent", sent_at__isnull=False)
                | ~Q(state="sent") & Q(sent_at__isnull=True),
            ),
            models.CheckConstraint(
                name="duet_message_window",
                condition=Q(window_ends_at__gte=F("due_at")),
            ),
            models.CheckConstraint(
                name="duet_message_said_why",
                condition=~Q(state__in=["failed", "missed", "suppressed", "cancelled"])
                | ~Q(reason=""),
            ),
        ]
        indexes = [
            models.Index(
                name="duet_message_takeable",
                fields=["next_try_at"],
                condition=Q(state__in=["planned", "claimed", "sending", "uncertain"]),
            ),
            models.Index(name="duet_message_subject", fields=["subject_id"]),
            models.Index(
                name="duet_message_trouble",
                fields=["about_at"],
                condition=Q(state__in=["failed", "uncertain", "missed"]),
            ),
        ]
