"""What beat and the bell ask for. Each task may be lost or doubled: the rows are the queue."""

from celery import shared_task
from django.utils import timezone

from clients.actions import messages
from clients.rules.actors import Actor
from practice.actions import booking, idempotency
from practice.queries import letters


@shared_task(name="practice.tasks.send_due")
def send_due() -> dict[str, int]:
    """One scan of the message ledger."""
    outcome = messages.send_due(
        subjects=letters.subjects(),
        by=Actor.system(),
        now=timezone.now(),
        clock=timezone.now,
    )
    return outcome.as_dict()


@shared_task(name="practice.tasks.expire_holds")
def expire_holds() -> int:
    """Give free what nobody booked in time, and forget the keys of yesterday's bookings."""
    now, by = timezone.now(), Actor.system()
    idempotency.forget(by=by, now=now)
    return booking.expire_holds(by=by, now=now)
