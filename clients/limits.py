"""Limits on tries: how often one browser's address, or one key, may ask for something.

Counts are kept in the cache under keyed hashes, so that no address lies there. They fail open: a
count that can't be kept turns nobody away. What a limit says no to is `TooMany`, which the doors
answer with a page of status 429.
"""

import ipaddress
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import ngettext

log = logging.getLogger(__name__)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Limit:
    """So many times in each stretch of so many seconds; `scope` says of what."""

    scope: str
    times: int
    seconds: int


class TooMany(Exception):
    """That was tried too often; `retry_after` seconds from now it may be tried again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many tries")
        self.retry_after = retry_after

    @property
    def sentence(self) -> str:
        """What the one who tried is told."""
        minutes = -(-self.retry_after // 60)
        return ngettext(
            "That was tried very often from your connection. Please wait %(minutes)d minute.",
            "That was tried very often from your connection. Please wait %(minutes)d minutes.",
            minutes,
        ) % {"minutes": minutes}

    def mark(self, response: HttpResponse) -> HttpResponse:
        """Make the page that says so a refusal, which tells when to come back."""
        response.status_code = 429
        response["Retry-After"] = str(self.retry_after)
        return response


def check(request: HttpRequest, limit: Limit) -> None:
    """Count one try of the browser's address. Refuses (TooMany) the ones past the limit."""
    if address := address_of(request):
        check_key(limit, address)


def check_key(limit: Limit, key: str) -> None:
    """Count one try of a key (a user name, a token's hash). Refuses as `check`."""
    if not settings.DUET["THROTTLE"]:
        return
    moment = int(timezone.now().timestamp())
    stretch, gone = divmod(moment, limit.seconds)
    name = _name(limit, key, str(stretch))
    if _open(lambda: _count(name, limit.seconds), 1) > limit.times:
        raise TooMany(limit.seconds - gone)


def _count(name: str, seconds: int) -> int:
    """Add one and return the sum. The stretch is in the name, so a sum never outlives it."""
    try:
        return int(cache.incr(name))
    except ValueError:  # the first one
        return 1 if cache.add(name, 1, seconds) else int(cache.incr(name))


# --- places: how many of something may be open at a time ------------------------------------------


class Place:
    """One of the places that an address may take up; it belongs to what is named in time."""

    def __init__(self, name: str, seconds: int) -> None:
        self._name, self._seconds = name, seconds
        self.taken = False

    def belongs_to(self, key: str) -> None:
        """Keep the place until `free(key)`, or until its seconds are over."""
        self.taken = True
        if self._name:
            _open(lambda: cache.set(_owner(key), self._name, self._seconds), None)


@contextmanager
def place(request: HttpRequest, limit: Limit) -> Iterator[Place]:
    """Take one of `limit.times` places for `limit.seconds`. Refuses (TooMany) when all are taken.

    It is given back at once where the block ends without saying to what it belongs.
    """
    address = address_of(request) if settings.DUET["THROTTLE"] else ""
    name = _take(limit, address) if address else ""
    found = Place(name, limit.seconds)
    try:
        yield found
    finally:
        if name and not found.taken:
            _open(lambda: cache.delete(name), False)


def free(key: str) -> None:
    """Give the place back that belongs to `key`, if there is one."""
    if not settings.DUET["THROTTLE"]:
        return
    if name := _open(lambda: cache.get(_owner(key)), None):
        _open(lambda: cache.delete_many([name, _owner(key)]), None)


def _take(limit: Limit, address: str) -> str:
    names = [_name(limit, address, str(number)) for number in range(limit.times)]
    for name in names:
        if _open(lambda name=name: cache.add(name, 1, limit.seconds), True):  # type: ignore[misc]
            return name
    # A cache that is away takes nothing and holds nothing: then nobody is turned away.
    if not _open(lambda: cache.get_many(names), {}):
        return ""
    raise TooMany(limit.seconds)


# --- who asks ------------------------------------------------------------------------------------


def address_of(request: HttpRequest) -> str:
    """The browser's address, of IPv6 its network; empty where the server knows none.

    `TRUSTED_PROXIES` says how many proxies of ours write into X-Forwarded-For, each on the right:
    what stands further left anybody may have made up. A header that doesn't fit counts as none.
    """
    proxies = settings.DUET["TRUSTED_PROXIES"]
    if proxies:
        hops = request.headers.get("X-Forwarded-For", "").split(",")
        if len(hops) >= proxies and (told := _network(hops[-proxies])):
            return told
    return _network(request.META.get("REMOTE_ADDR", ""))


def is_loopback(request: HttpRequest) -> bool:
    """Whether the browser runs on this very machine, with no proxy in between that could lie."""
    if settings.DUET["TRUSTED_PROXIES"] or "X-Forwarded-For" in request.headers:
        return False
    return request.META.get("REMOTE_ADDR") in {"127.0.0.1", "::1"}


def _network(written: str) -> str:
    """An address in one way of writing: some proxies add a port, some a zone."""
    text = written.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    # One line has a whole /64 to ask from.
    return str(ipaddress.ip_network((found, 64), strict=False))


# --- the cache -----------------------------------------------------------------------------------


def _name(limit: Limit, key: str, part: str) -> str:
    return f"limit:{limit.scope}:{part}:{_hash(limit.scope, key)}"


def _owner(key: str) -> str:
    return f"limit:owner:{_hash('owner', key)}"


def _hash(scope: str, key: str) -> str:
    """Keyed, since every address there is could be hashed and looked for."""
    return salted_hmac(f"clients.limits.{scope}", key, algorithm="sha256").hexdigest()[:32]


def _open(call: Callable[[], R], otherwise: R) -> R:
    """Fail open, whichever cache the site has."""
    try:
        return call()
    except Exception as error:
        log.warning("A limit isn't counted: the cache is away (%s).", type(error).__name__)
        return otherwise
