"""Who did what: append-only entries, and the seals that chain them."""

import uuid

from django.db import models

from clients.rules import chain


class AuditEntry(models.Model):
    """One act. It names rows by kind and id only, and never holds personal text."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10)
    actor_id = models.UUIDField(null=True)
    verb = models.CharField(max_length=60)
    subject_kind = models.CharField(max_length=30)
    subject_id = models.UUIDField(null=True)
    person_id = models.UUIDField(null=True)
    case_id = models.UUIDField(null=True)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(name="duet_audit_at", fields=["at"]),
            models.Index(name="duet_audit_subject", fields=["subject_id", "at"]),
            models.Index(
                name="duet_audit_person",
                fields=["person_id", "at"],
                condition=models.Q(person_id__isnull=False),
            ),
        ]

    def content(self) -> bytes:
        """The hash of all that the entry says."""
        return chain.content_hash(
            {
                "id": str(self.pk),
                "at": self.at.timestamp(),
                "actor": [self.actor_kind, str(self.actor_id)],
                "verb": self.verb,
                "subject": [self.subject_kind, str(self.subject_id)],
                "person": str(self.person_id),
                "case": str(self.case_id),
                "detail": self.detail,
            }
        )


class AuditSeal(models.Model):
    """An entry's place in the hash chain. A row of its own, since entries never change."""

    position = models.BigIntegerField(primary_key=True)
    entry_id = models.UUIDField(unique=True)
    content = models.BinaryField(max_length=32)
    previous = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    # The data key under which the hash was made. No foreign key: a seal stays what it is.
    key_id = models.UUIDField()
    sealed_at = models.DateTimeField()

    def as_value(self) -> chain.Seal:
        return chain.Seal(
            self.position,
            self.entry_id,
            bytes(self.content),
            bytes(self.previous),
            bytes(self.hash),
            self.key_id,
        )
