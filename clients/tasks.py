"""What beat asks of this app."""

from celery import shared_task
from django.utils import timezone

from clients.actions import audit
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
