"""Data keys: of each person, each couple, the blind index and the audit chain, all wrapped."""

import functools
import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from clients.rules import envelope


@functools.lru_cache(maxsize=4)
def _parsed(text: str) -> envelope.Keyring:
    return envelope.parse_keyring(text)


def keyring() -> envelope.Keyring:
    """The key-encryption keys of this site. Refuses (KeyRefused) when none is set."""
    return _parsed(settings.DUET["NOTES_KEYS"])


class DataKey(models.Model):
    """A random key, stored only wrapped. Destroying it makes all that it sealed unreadable."""

    class Purpose(models.TextChoices):
        PERSON = "person"
        COUPLE = "couple"
        INDEX = "index"
        AUDIT = "audit"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    purpose = models.CharField(max_length=10, choices=Purpose)
    kek_id = models.CharField(max_length=40)
    wrapped = models.BinaryField(null=True)
    created_at = models.DateTimeField()
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="duet_key_wrapped_or_destroyed",
                condition=Q(wrapped__isnull=False, destroyed_at__isnull=True)
                | Q(wrapped__isnull=True, destroyed_at__isnull=False),
            ),
            # Two index keys would make every search miss half of the people.
            models.UniqueConstraint(
                name="duet_key_one_index", fields=["purpose"], condition=Q(purpose="index")
            ),
            models.UniqueConstraint(
                name="duet_key_one_audit", fields=["purpose"], condition=Q(purpose="audit")
            ),
        ]

    def _context(self) -> str:
        return f"datakey:{self.pk}"

    def fill(self, plain: bytes) -> "DataKey":
        """Wrap `plain` with the first key-encryption key; the row isn't saved."""
        self.kek_id, self.wrapped = keyring().wrap(plain=plain, context=self._context())
        self._plain = plain
        return self

    def open_with(self, ring: envelope.Keyring) -> bytes:
        """The key, with any ring. Refuses (Erased) a destroyed one, (KeyRefused) a foreign one."""
        if self.wrapped is None:
            raise envelope.Erased("This record was erased.")
        return ring.unwrap(key_id=self.kek_id, wrapped=bytes(self.wrapped), context=self._context())

    def plain(self) -> bytes:
        """The key, with the site's own ring. Refuses as `open_with` does."""
        if not hasattr(self, "_plain"):
            self._plain = self.open_with(keyring())
        return self._plain
