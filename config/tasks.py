"""What beat asks of the stand-alone site."""

from celery import shared_task
from django.utils import timezone

from config import sessions


@shared_task(name="config.tasks.forget_sessions")
def forget_sessions() -> int:
    """Delete the browsers' sessions that have expired; what is left waits for the next run."""
    return sessions.forget(timezone.now())
