"""Read the ledger: what was planned, what became of it, and what somebody should look at."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from clients.models import Message
from clients.models.messages import MessageQuerySet
from clients.rules import ledger

# A due message that no scan has touched for so long means that none runs.
_OVERDUE = timedelta(minutes=10)


def about(subject_kind: str, subject_ids: Iterable[UUID]) -> MessageQuerySet:
    """All messages about these subjects, in the order in which they are or were due."""
    rows = Message.objects.filter(subject_kind=subject_kind, subject_id__in=list(subject_ids))
    return rows.order_by("due_at", "pk")


def wanting_attention() -> MessageQuerySet:
    """What did not arrive, or may have arrived twice; what is about the nearest moment first."""
    ended_badly = Q(state__in=[ledger.FAILED, ledger.MISSED, ledger.SUPPRESSED])
    unclear = Q(uncertain_at__isnull=False) & ~Q(state=ledger.CANCELLED)
    return Message.objects.filter(ended_badly | unclear).order_by("about_at", "pk")


def overdue(now: datetime) -> MessageQuerySet:
    """Messages that have waited for a scan for more than ten minutes: the sender stands still."""
    return Message.objects.takeable(now - _OVERDUE).order_by("next_try_at")


def why(message: Message) -> str:
    """The code that explains a message's state: its reason, or the state itself."""
    return message.state if message.state == ledger.CLAIMED else message.reason or message.state
