"""What beat asks of this app."""

from celery import shared_task
from django.utils import timezone

from clients.actions import audit
from clients.rules.actors import Actor


@shared_task(name="clients.tasks.seal_audit")
def seal_audit() -> int:
    """Chain new audit entries."""
    return audit.seal(by=Actor.system(), now=timezone.now())
