"""A Redis cache that fails open: without Redis pages are slower, and booking goes on.

Values are kept as JSON, not pickled: whoever can write to Redis must not get to run code here.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

R = TypeVar("R")


class JsonSerializer:
    """Bare whole numbers stay so, which keeps `incr` atomic."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, stored: Any) -> Any:
        return json.loads(stored)


class FailOpenClient(RedisCacheClient):
    """Every failure of the connection reads as a miss, and writes are dropped."""

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return _attempt(lambda: super(FailOpenClient, self).add(key, value, timeout), False)

    def get(self, key: Any, default: Any) -> Any:
        return _attempt(lambda: super(FailOpenClient, self).get(key, default), default)

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        _attempt(lambda: super(FailOpenClient, self).set(key, value, timeout), None)

    def touch(self, key: Any, timeout: Any) -> bool:
        return _attempt(lambda: super(FailOpenClient, self).touch(key, timeout), False)

    def delete(self, key: Any) -> bool:
        return _attempt(lambda: super(FailOpenClient, self).delete(key), False)

    def get_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        wanted = list(keys)
        return _attempt(lambda: super(FailOpenClient, self).get_many(wanted), {})

    def has_key(self, key: Any) -> bool:
        return _attempt(lambda: super(FailOpenClient, self).has_key(key), False)

    def incr(self, key: Any, delta: int) -> Any:
        """Count on; with Redis away each call counts as the first, so no throttle closes."""
        return _attempt(lambda: super(FailOpenClient, self).incr(key, delta), delta)

    def set_many(self, data: Mapping[Any, Any], timeout: Any) -> None:
        _attempt(lambda: super(FailOpenClient, self).set_many(data, timeout), None)

    def delete_many(self, keys: Iterable[Any]) -> None:
        _attempt(lambda: super(FailOpenClient, self).delete_many(keys), None)

    def clear_prefix(self, prefix: str) -> bool:
        """Delete the keys of one prefix; the broker's keys beside them stay."""

        def sweep() -> bool:
            client = self.get_client(None, write=True)
            for key in client.scan_iter(match=f"{prefix}:*", count=500):
                client.delete(key)
            return True

        return _attempt(sweep, False)


class FailOpenRedisCache(RedisCache):
    """Django's Redis cache over the client above; `clear` leaves other prefixes alone."""

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = FailOpenClient

    def clear(self) -> None:
        client = self._cache
        if isinstance(client, FailOpenClient):
            client.clear_prefix(self.key_prefix)


def _attempt(call: Callable[[], R], fallback: R) -> R:
    try:
        return call()
    except (RedisError, OSError) as error:
        # The kind only: a message could quote a key, and keys may name persons.
        log.warning("The cache is away: %s", type(error).__name__)
        return fallback
