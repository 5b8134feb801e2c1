"""Gunicorn's settings: `gunicorn -c config/gunicorn.py config.wsgi` (`up` does just that)."""

import os
from typing import Any

from config.children import die_with_parent

wsgi_app = "config.wsgi:application"
worker_class = "gthread"
workers = 2
threads = 8
timeout = 30
graceful_timeout = 4
keepalive = 5
loglevel = "warning"
# The default socket lies in the home folder, where a second site of the same user would meet it.
control_socket_disable = True
# Loads the site before the workers fork: a refusal ends gunicorn itself, and memory is shared.
preload_app = True
# The workers' sign of life is a file's time: in memory, a slow disk cannot get them killed.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112


def post_fork(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Let each worker die with gunicorn, however gunicorn dies."""
    if ask := die_with_parent(9, server.pid):
        ask()
