"""What may not be missing once Duet serves: called by `up`, wsgi and the worker's start.

Settings load without keys and servers, so that `migrate` and `check` run; here is the refusal.
"""

import logging
import sys
from importlib import import_module

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections
from django.utils import timezone

from clients.rules.envelope import KeyRefused
from config.environment import (
    CONFIG_ERROR,
    Misconfigured,
    check_notes_keys,
    check_secret_key,
)

log = logging.getLogger(__name__)


def check_settings() -> None:
    """Refuse (Misconfigured) settings that no page can be served from."""
    duet = settings.DUET
    try:
        secret_key = settings.SECRET_KEY
    except ImproperlyConfigured as error:  # Django's answer to an empty one
        raise Misconfigured(
            "DUET_SECRET_KEY is not set; for a demo with keys of its own, use `make run`."
        ) from error
    check_secret_key(secret_key, mode=duet["MODE"])
    check_notes_keys(duet["NOTES_KEYS"], secret_key=secret_key, mode=duet["MODE"])
    if settings.DATABASES["default"]["ENGINE"].endswith("dummy"):
        raise Misconfigured("DATABASE_URL is not set; `manage.py up` brings a PostgreSQL along.")
    for name, value in (
        ("DUET_BASE_URL", duet["BASE_URL"]),
        ("DUET_FROM_EMAIL", duet["FROM_EMAIL"]),
        ("EMAIL_URL", settings.EMAIL_HOST or duet["MAILBOX"]),
    ):
        if not value:
            raise Misconfigured(f"{name} is not set; docs/environment.md says what it is for.")


def check_keys() -> None:
    """Refuse (Misconfigured) keys that do not open the database's records.

    A key of which nobody has shown a copy lately is a warning, and so are erased records that are
    back. A database that is away says nothing about keys: pages answer 503 until it is back.
    """
    # By name: models can be imported only once Django's apps are ready, this module earlier.
    keys = import_module("clients.queries.keys")
    erased_keys = import_module("clients.queries.erased_keys")
    try:
        keys.check_keys()
        for sentence in [*keys.warnings(timezone.now()), *erased_keys.warnings()]:
            log.warning("%s", sentence)
    except KeyRefused as refusal:
        raise Misconfigured(str(refusal)) from refusal
    except DatabaseError as error:
        log.warning("The keys were not checked: the database is away (%s).", type(error).__name__)


def refuse_to_serve() -> None:
    """End this process with one sentence and code 78 unless all is there."""
    try:
        check_settings()
        django.setup()
        check_keys()
        connections.close_all()  # gunicorn forks after this, and a connection is nobody's to share
    except Misconfigured as refusal:
        sys.stderr.write(f"{refusal}\n")
        raise SystemExit(CONFIG_ERROR) from None
