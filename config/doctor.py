"""What may be wrong on this host, and how to mend it: checks for `manage.py doctor`.

Each app may have a module `doctor` with a list CHECKS of such functions. They answer with Django's
check messages, each with one sentence and a hint that says what to do. They are no system checks,
since those run before `migrate` too, when a server may rightly be away.
"""

import shutil
import smtplib
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import redis
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.module_loading import module_has_submodule

from config import gate
from config.environment import Misconfigured
from config.redis_urls import cache_url

Check = Callable[[], Iterable[CheckMessage]]

OLDEST_POSTGRES = 15
LEAST_SPACE = 1_000_000_000  # bytes
LARGEST_DRIFT = 5.0  # seconds between this host's clock and the database's


def findings() -> list[CheckMessage]:
    """Ask every app's checks."""
    found: list[CheckMessage] = []
    for app in apps.get_app_configs():
        if app.module and module_has_submodule(app.module, "doctor"):
            checks: list[Check] = import_module(f"{app.name}.doctor").CHECKS
            for check in checks:
                found.extend(check())
    return found


def settings_are_whole() -> list[CheckMessage]:
    """Keys, address, mail: what `up` would refuse."""
    try:
        gate.check_settings()
        gate.check_keys()
    except Misconfigured as refusal:
        return [Error(str(refusal), hint="See docs/environment.md.", id="settings")]
    return []


def database_answers() -> list[CheckMessage]:
    """Reachable, recent enough, with btree_gist, migrated, and with our clock."""
    try:
        return list(_database())
    except DatabaseError as error:
        kind = type(error).__name__
        return [
            Error(
                f"The database does not answer ({kind}).",
                hint="Check DATABASE_URL, and that the server runs and lets this host in.",
                id="database",
            )
        ]


def _database() -> Iterator[CheckMessage]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        version = int(cursor.fetchone()[0]) // 10_000
        cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'btree_gist'")
        (has_gist,) = cursor.fetchone()
        before = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        (theirs,) = cursor.fetchone()
    drift = theirs - (before + time.time()) / 2
    if version < OLDEST_POSTGRES:
        yield Error(
            f"PostgreSQL is {version}, and Duet needs {OLDEST_POSTGRES} or later.",
            hint="Move the database to a newer server.",
            id="database.version",
        )
    if not has_gist:
        yield Error(
            "PostgreSQL lacks btree_gist, which keeps appointments from overlapping.",
            hint="Install its contrib package (Debian: postgresql-contrib).",
            id="database.btree_gist",
        )
    if abs(drift) > LARGEST_DRIFT:
        yield Error(
            f"This host's clock and the database's are {abs(drift):.0f} s apart.",
            hint="Let both follow a time server (systemd-timesyncd, chrony).",
            id="database.clock",
        )
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        yield Error(
            "The database lacks migrations.",
            hint="Run `manage.py migrate`.",
            id="database.migrations",
        )


def redis_answers() -> list[CheckMessage]:
    """Without Redis mail leaves late, but nothing is lost: a warning."""
    if not settings.REDIS_URL:
        return [Warning("REDIS_URL is not set.", hint="Set it, or use `manage.py up`.", id="redis")]
    location = cache_url(settings.REDIS_URL)
    try:
        with redis.Redis.from_url(location, socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        return [
            Warning(
                f"Redis does not answer ({type(error).__name__}).",
                hint="Check REDIS_URL, and that the server runs. Booking works without it.",
                id="redis",
            )
        ]
    return []


def mail_server_answers() -> list[CheckMessage]:
    """Speak to the mail server as far as EHLO (and sign in where a user is set)."""
    if settings.DUET["MAILBOX"] and not settings.MAILBOX_PORT:
        return []  # a demo that is not running has no sink
    kind = smtplib.SMTP_SSL if settings.EMAIL_USE_SSL else smtplib.SMTP
    try:
        with kind(settings.EMAIL_HOST, settings.EMAIL_PORT, timeout=10) as server:
            if settings.EMAIL_USE_TLS:
                server.starttls()
            server.ehlo()
            if settings.EMAIL_HOST_USER:
                server.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
    except (OSError, smtplib.SMTPException) as error:
        return [
            Error(
                f"The mail server does not take us ({type(error).__name__}).",
                hint="Check EMAIL_URL: host, port, smtp+tls or smtp+ssl, user and password.",
                id="mail",
            )
        ]
    return []


def worker_answers() -> list[CheckMessage]:
    """Ask the workers for a sign of life."""
    if not settings.REDIS_URL:
        return []
    try:
        if current_app.control.ping(timeout=1.0):
            return []
    except Exception:  # noqa: S110 - kombu's own kinds; Redis has its own check
        pass
    return [
        Warning(
            "No worker answers, so no mail leaves.",
            hint="Run `manage.py up`, or a Celery worker and beat beside the web server.",
            id="worker",
        )
    ]


def disk_has_space() -> Iterator[CheckMessage]:
    folder = settings.DUET["DATA_DIR"]
    free = shutil.disk_usage(folder if folder.exists() else "/").free
    if free < LEAST_SPACE:
        yield Error(
            f"Only {free // 1_000_000} MB are free at {folder}.",
            hint="Free some space before PostgreSQL stops.",
            id="disk",
        )


def zones_are_there() -> Iterator[CheckMessage]:
    try:
        ZoneInfo("Europe/Kyiv")  # renamed in 2022: old data lacks it
    except ZoneInfoNotFoundError:
        yield Error(
            "The time-zone data are old or missing.", hint="Install the package tzdata.", id="zones"
        )


CHECKS: list[Check] = [
    settings_are_whole,
    database_answers,
    redis_answers,
    mail_server_answers,
    worker_answers,
    disk_has_space,
    zones_are_there,
]
