"""One REDIS_URL, in the two spellings that redis-py and Celery's kombu want."""

from urllib.parse import parse_qs, urlsplit

from config.environment import Misconfigured

SCHEMES = ("redis", "rediss", "unix")


def cache_url(url: str) -> str:
    """Return the address for redis-py; refuses schemes that are not redis, rediss or unix.

    A socket may be given in Celery's spelling too (`redis+socket://…?virtual_host=1`).
    """
    parts = urlsplit(url)
    if parts.scheme == "redis+socket":
        number = parse_qs(parts.query).get("virtual_host", ["0"])[0]
        return f"unix://{_user(parts.netloc)}{parts.path}?db={number}"
    if parts.scheme not in SCHEMES or not (parts.hostname or parts.path):
        raise Misconfigured(
            "REDIS_URL has to look like redis://:password@host:6379/0 or unix:///path?db=0."
        )
    return url


def broker_url(url: str) -> str:
    """Return the address for Celery.

    kombu reads a socket's password from the user part only and its number from `virtual_host`,
    and it wants to be told on `rediss` that certificates are checked.
    """
    parts = urlsplit(cache_url(url))
    if parts.scheme == "unix":
        number = parse_qs(parts.query).get("db", ["0"])[0]
        return f"redis+socket://{_user(parts.netloc)}{parts.path}?virtual_host={number}"
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in parts.query:
        return f"{url}{'&' if parts.query else '?'}ssl_cert_reqs=required"
    return url


def _user(netloc: str) -> str:
    user = netloc.rpartition("@")[0]
    return f"{user}@" if user else ""
