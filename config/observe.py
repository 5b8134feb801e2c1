"""One look at every request: an id for it, a log line, and what /metrics counts.

Only the route's name is told, never the path, which may hold a link's token.
"""

import re
import secrets
from collections.abc import Callable
from time import perf_counter

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from config import metrics

log = structlog.stdlib.get_logger("duet.request")

# What proxies write: 32 hexadecimal digits, or a UUID. Anything else could be words.
_WELL_FORMED = re.compile(r"[0-9a-fA-F-]{16,64}")
# Asked every few seconds by machines.
_QUIET = frozenset({"healthz", "readyz", "metrics", "static"})


class Observed:
    """The outermost middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = perf_counter()
        request_id = _request_id(request)
        with structlog.contextvars.bound_contextvars(request=request_id):
            response = self._get_response(request)
            seconds = perf_counter() - began
            route = _route(request)
            metrics.count(route, request.method or "", response.status_code, seconds)
            if route not in _QUIET or response.status_code >= 500:
                log.info(
                    "answered",
                    route=route,
                    method=metrics.method(request.method or ""),
                    status=response.status_code,
                    ms=round(seconds * 1000, 1),
                )
        if request.method == "HEAD" and isinstance(response, HttpResponse):
            # The server would leave the body out too, and complain that there is one.
            response.headers.setdefault("Content-Length", str(len(response.content)))
            response.content = b""
        response["X-Request-ID"] = request_id
        return response


def _request_id(request: HttpRequest) -> str:
    """The id that a proxy of ours gave, or one of our own: anybody can send a header."""
    told = request.headers.get("X-Request-ID", "")
    if settings.DUET["TRUSTED_PROXIES"] and _WELL_FORMED.fullmatch(told):
        return told
    return secrets.token_hex(16)


def _route(request: HttpRequest) -> str:
    match = request.resolver_match
    if match is not None:
        return match.view_name or "unnamed"
    return (
        "static" if request.path_info.startswith(f"/{settings.STATIC_URL.strip('/')}/") else "none"
    )
