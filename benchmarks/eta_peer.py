"""Reminders as one delayed Celery task each: what one would use instead of Duet's ledger.

It imports nothing of Duet. Each execution adds one byte to the file in ETA_DONE, so that counting
costs next to nothing.
"""

import json
import os
from pathlib import Path
from typing import Any

from celery import Celery
from django.conf import settings
from django.core.mail import send_mail

app = Celery("eta", broker=os.environ["ETA_BROKER"])
app.conf.broker_transport_options = {"global_keyprefix": "eta:"}
app.conf.task_ignore_result = True
_done = os.open(os.environ["ETA_DONE"], os.O_APPEND | os.O_WRONLY)
_letters: list[dict[str, Any]] = json.loads(Path(os.environ["ETA_LETTERS"]).read_text())
if not settings.configured:
    settings.configure(EMAIL_HOST="127.0.0.1", EMAIL_PORT=int(os.environ["ETA_PORT"]))


@app.task(name="eta.nothing")
def nothing(number: int) -> None:  # noqa: ARG001
    """Does nothing but count."""
    os.write(_done, b".")


@app.task(name="eta.mail")
def mail(number: int) -> None:
    """Sends one mail as Django's documentation shows: a connection each."""
    letter = _letters[number]
    send_mail(
        letter["subject"],
        letter["text"],
        "practice@duet.example",
        [letter["to"]],
        html_message=letter["html"],
    )
    os.write(_done, b".")
