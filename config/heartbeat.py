"""When the clockwork last did what: written to the cache by beat and worker, read by /metrics."""

import time

from django.conf import settings
from django.core.cache import cache

_KEPT = 7 * 24 * 3600
_BEAT = "heartbeat:beat"


def rang() -> None:
    """Beat has rung."""
    cache.set(_BEAT, time.time(), _KEPT)


def done(task: str) -> None:
    """A task was completed."""
    cache.set(_key(task), time.time(), _KEPT)


def last() -> tuple[float | None, dict[str, float]]:
    """When beat last rang, and when each periodic task was last done, as far as Redis knows."""
    names = list(settings.CELERY_BEAT_SCHEDULE)
    found = cache.get_many([_BEAT, *map(_key, names)])
    moments = {name: found[_key(name)] for name in names if _key(name) in found}
    return found.get(_BEAT), moments


def _key(task: str) -> str:
    return f"heartbeat:{task}"
