"""A column whose text is sealed with the key of the row's owner."""

import logging
from typing import Any, Protocol

from django.db import models
from django.db.models.query_utils import DeferredAttribute
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clients.models.keys import DataKey
from clients.rules import envelope
from clients.rules.envelope import Erased, KeyRefused, Unreadable

logger = logging.getLogger(__name__)

_ERASED = _("Erased")


class Owned(Protocol):
    """A row that knows whose key seals it."""

    pk: Any

    def sealing_key(self) -> DataKey: ...


class _SealedAttribute(DeferredAttribute):
    """Reading unseals and keeps the text; writing keeps the text until the row is saved."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        value = super().__get__(instance, cls)
        if isinstance(value, bytes | memoryview):
            value = self.field.unseal_for(instance, bytes(value))  # type: ignore[attr-defined]
            instance.__dict__[self.field.attname] = value
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class SealedText(models.BinaryField):  # type: ignore[type-arg]
    """Text at rest as AES-GCM bytes; the row must offer `sealing_key()`.

    The associated data names table, column and row, so that a value copied into another row or
    column is refused (`envelope.Unreadable`). It can't be filtered or sorted by.
    """

    descriptor_class = _SealedAttribute

    def deconstruct(self) -> Any:
        """To a migration this is a plain binary column: migrations import no app code."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs

    def _context(self, instance: Owned) -> str:
        return f"{self.model._meta.db_table}.{self.column}:{instance.pk}"

    def unseal_for(self, instance: Owned, sealed: bytes) -> str:
        """The text that `sealed` holds. Refuses (Unreadable) what isn't this row's own."""
        key = instance.sealing_key()
        return envelope.unseal(
            key=key.plain(), key_id=str(key.pk), sealed=sealed, context=self._context(instance)
        ).decode()

    def pre_save(self, model_instance: Any, add: bool) -> bytes | None:  # noqa: ARG002
        text = getattr(model_instance, self.attname)
        if text is None:
            return None
        key = model_instance.sealing_key()
        return envelope.seal(
            key=key.plain(),
            key_id=str(key.pk),
            plain=str(text).encode(),
            context=self._context(model_instance),
        )


def shown(column: str, *, erased: Promise = _ERASED) -> property:
    """A sealed column for pages: what can't be opened says so, and takes no page down.

    It is never an empty text, which would read as "nothing was said". Each time it is reported in
    the log, by table and row; `manage.py auditor` finds all such rows at once.
    """

    def text(instance: models.Model) -> str | Promise | None:
        try:
            found: str | None = getattr(instance, column)
        except Erased:
            return erased
        except (Unreadable, KeyRefused):
            logger.error(
                "A sealed value can't be opened: %s.%s of %s",
                instance._meta.db_table,
                column,
                instance.pk,
            )
            return _("Can't be read (reported)")
        return found

    return property(text)
