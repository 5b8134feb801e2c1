"""What clients have asked about their record, for the members who answer it."""

from uuid import UUID

from django.db.models import QuerySet

from clients.models import DataRequest
from clients.rules.actors import Actor

# More than these don't stand on the page; the oldest come first.
SHOWN = 50
_ANSWERED_SHOWN = 20


def to_answer(actor: Actor) -> list[DataRequest]:
    """Those that wait for an answer, the oldest first, one more than are shown; one statement."""
    return list(_seen(actor).filter(answered_at=None).order_by("asked_at", "pk")[: SHOWN + 1])


def answered(actor: Actor) -> list[DataRequest]:
    """Those that were answered last; one statement."""
    found = _seen(actor).filter(answered_at__isnull=False).select_related("answered_by")
    return list(found.order_by("-answered_at", "pk")[:_ANSWERED_SHOWN])


def one(actor: Actor, pk: UUID) -> DataRequest | None:
    """A request of somebody whom the actor may know of; one statement."""
    return _seen(actor).filter(pk=pk).first()


def _seen(actor: Actor) -> QuerySet[DataRequest]:
    """A broken glass is for reading a case: it brings no request to answer."""
    found = DataRequest.objects.visible_to(actor.without_glass())
    return found.select_related("person__key")
