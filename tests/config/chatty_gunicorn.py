"""Settings of a gunicorn that logs each request, for a test; as it comes, for its control."""

import logging
import os
from typing import Any

from config.gunicorn import *  # noqa: F403

accesslog = "-"


def post_worker_init(_worker: Any) -> None:
    """The site's settings silence these lines: here they are wanted."""
    lines = logging.getLogger("gunicorn.access")
    lines.setLevel(logging.INFO)
    if os.environ.get("CHATTY") == "plain":
        lines.propagate = False
        lines.addHandler(logging.StreamHandler())
