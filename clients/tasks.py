"""What beat asks of this app."""

from celery import shared_task
from django.utils import timezone

from clients.actions import audit, reading
from clients.rules.actors import Actor

# Portions of one run; what is left waits for the next.
_PORTIONS = 50


@shared_task(name="clients.tasks.seal_audit")
def seal_audit() -> int:
    """Chain new audit entries, and note where the chain ends."""
    by, sealed = Actor.system(), 0
    for _ in range(_PORTIONS):
        portion = audit.seal(by=by, now=timezone.now())
        sealed += portion
        if not portion:
            break
    if sealed:
        audit.note_head(by=by, now=timezone.now())
    return sealed


@shared_task(name="clients.tasks.watch_reading")
def watch_reading() -> int:
    """Raise unusual reading to the admins."""
    return reading.watch(by=Actor.system(), now=timezone.now())


@shared_task(name="clients.tasks.report_access")
def report_access() -> int:
    """Tell who looked in the week that is over."""
    return reading.report_week(by=Actor.system(), now=timezone.now())
