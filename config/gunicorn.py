"""Gunicorn's settings: `gunicorn -c config/gunicorn.py config.wsgi` (`up` does just that)."""

import os
import shutil
import tempfile
from typing import Any

from config import logs
from config.children import die_with_parent

wsgi_app = "config.wsgi:application"
worker_class = "config.worker.Worker"
workers = 2
threads = 8
# So many connections a worker keeps at once, most of them waiting beside the threads.
worker_connections = 500
timeout = 30
graceful_timeout = 4
keepalive = 5
logconfig_dict = logs.config("words" if os.environ.get("DUET_MODE") == "demo" else "json")
# The default socket lies in the home folder, where a second site of the same user would meet it.
control_socket_disable = True
# Loads the site before the workers fork: a refusal ends gunicorn itself, and memory is shared.
preload_app = True
# The workers' sign of life is a file's time: in memory, a slow disk cannot get them killed.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112


def post_fork(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Let each worker die with gunicorn, however gunicorn dies."""
    logs.catch_the_rest()
    if ask := die_with_parent(9, server.pid):
        ask()


# Each worker counts its requests in files here, so that /metrics tells those of all. Set before
# the site loads, since prometheus-client looks once. A killed gunicorn leaves it in the system's
# folder for what is temporary.
counts = tempfile.mkdtemp(prefix="duet-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts


def on_exit(server: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Nothing stays behind."""
    shutil.rmtree(counts, ignore_errors=True)
