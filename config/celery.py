"""The Celery app: a doorbell and a clock, nothing more (the message row is the queue)."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init

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
