"""The Celery app: a doorbell and a clock, nothing more (the message row is the queue)."""

import os
from typing import Any

from celery import Celery
from celery.signals import (
    after_task_publish,
    beat_init,
    setup_logging,
    task_postrun,
    task_prerun,
    task_success,
    worker_init,
)
from structlog.contextvars import bind_contextvars, clear_contextvars

from config import heartbeat, logs
from config.gate import refuse_to_serve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("duet")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def check_before_work(**_: Any) -> None:
    """A worker without the right keys could only fail: refuse to start."""
    refuse_to_serve()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Celery logs tasks' arguments and errors' texts; settings.LOGGING leaves both out."""
    logs.catch_the_rest()


@task_prerun.connect
def name_the_task(task: Any, task_id: str, **_: Any) -> None:
    """Every line that a task writes says which one it was."""
    bind_contextvars(task=task.name, run=task_id)


@task_postrun.connect
def forget_the_task(**_: Any) -> None:
    """The thread goes on to another task."""
    clear_contextvars()


@task_success.connect
def note_what_is_done(sender: Any, **_: Any) -> None:
    """/metrics tells when each periodic task was last completed."""
    heartbeat.done(sender.name)


@beat_init.connect
def note_the_rings_of_beat(**_: Any) -> None:
    """Only in beat's own process: the web rings too."""
    after_task_publish.connect(_rang)


def _rang(**_: Any) -> None:
    heartbeat.rang()
