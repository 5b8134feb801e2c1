"""Errors of the API as problem+json (RFC 9457): one shape, whatever went wrong."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from psycopg.errors import IdleInTransactionSessionTimeout
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from clients import limits
from clients.rules.envelope import Erased, Unreadable
from clients.rules.permissions import NotPermitted

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
# Nobody reads more, and a short body could otherwise ask for a very long answer.
_MOST_FIELDS: Final = 50
# A database that restarts is back within seconds.
_COME_BACK: Final = 5

_TITLES: Final[Mapping[str, Promise]] = MappingProxyType(
    {
        "malformed": _("The request can't be read."),
        "not_signed_in": _("Please sign in."),
        "forbidden": _("You may not do this."),
        "not_found": _("There is nothing here."),
        "method_not_allowed": _("This method isn't offered here."),
        "too_large": _("The request is too long."),
        "media_type": _("Please send JSON."),
        "invalid": _("Some fields need another look."),
        "too_many": _("That was too often. Please wait a little."),
        "erased": _("This record was erased."),
        "unreadable": _("A part of this record can't be read. It has been noted."),
        "failed": _("Something broke on our side."),
        "away": _("Something that this needs is away. Please try again in a moment."),
    }
)
_KINDS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "malformed",
        401: "not_signed_in",
        403: "forbidden",
        404: "not_found",
        405: "method_not_allowed",
        413: "too_large",
        415: "media_type",
        422: "invalid",
        429: "too_many",
        503: "away",
    }
)


@dataclass
class Problem(Exception):
    """A refusal with a stable `kind`; `more` is what this kind of problem tells besides."""

    kind: str
    status: int
    title: str | Promise = ""
    detail: str | Promise = ""
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self) -> Response:
        """The answer that tells it."""
        title = str(self.title or _TITLES.get(self.kind, ""))
        told: dict[str, object] = {
            "type": f"urn:duet:{self.kind}",
            "title": title,
            "status": self.status,
            "detail": str(self.detail) or title,
            **({"errors": dict(self.errors)} if self.errors else {}),
            **self.more,
        }
        return Response(told, self.status, headers=dict(self.headers), content_type=MEDIA_TYPE)


def invalid(errors: Mapping[str, list[str]], *, status: int = 422) -> Problem:
    """Fields that are refused, each under its path, as in `partner.email`; of a query 400."""
    return Problem("invalid", status, errors=errors)


def refused_fields(error: exceptions.ValidationError) -> dict[str, list[str]]:
    """The sentences of a serializer's errors by their fields' paths."""
    return dict(islice(_flat(error.detail), _MOST_FIELDS))


def answer(error: Exception, context: Mapping[str, Any]) -> Response:
    """The answer to an error of a view; one that nobody foresaw is logged, and told as 500."""
    problem = _problem(error)
    if problem is not None and problem.kind == "unreadable":
        name = type(context["view"]).__name__
        log.error("An endpoint needs a sealed value that can't be opened: %s", name)
    if problem is None:
        request = context["request"]._request
        got_request_exception.send(sender=type(context["view"]), request=request)
        log.error("An endpoint failed.", exc_info=error)
        problem = Problem("failed", 500)
    set_rollback()
    return problem.answer()


def is_away(error: BaseException) -> bool:
    """Whether it is the database that is away, or too busy to answer in time."""
    return isinstance(error, OperationalError | InterfaceError) or isinstance(
        # Also one of its time-outs, but of a kind of its own.
        error.__cause__,
        IdleInTransactionSessionTimeout,
    )


def _problem(error: Exception) -> Problem | None:
    if isinstance(error, Problem):
        return error
    if isinstance(error, limits.TooMany):
        return Problem("too_many", 429, headers={"Retry-After": str(error.retry_after)})
    if is_away(error):
        return Problem("away", 503, headers={"Retry-After": str(_COME_BACK)})
    if isinstance(error, Http404):
        return Problem("not_found", 404)
    if isinstance(error, BadRequest | SuspiciousOperation):
        return Problem("malformed", 400)
    if isinstance(error, Erased):
        return Problem("erased", 410)
    if isinstance(error, Unreadable):
        return Problem("unreadable", 409)
    if isinstance(error, PermissionDenied | NotPermitted):
        return Problem("forbidden", 403)
    if isinstance(error, exceptions.ValidationError):
        return invalid(refused_fields(error))
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    return None


def _of_framework(error: exceptions.APIException) -> Problem:
    status = error.status_code
    wait = getattr(error, "auth_header", None)
    headers = {"WWW-Authenticate": wait} if wait else {}
    return Problem(_KINDS.get(status, "refused"), status, detail=str(error.detail), headers=headers)


def _flat(detail: object, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Nested errors as pairs of a dotted path and its sentences; `body` is the whole."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = "" if name == "non_field_errors" else str(name)
            yield from _flat(inner, ".".join(part for part in (path, own) if part))
    elif isinstance(detail, list) and any(isinstance(one, dict | list) for one in detail):
        for number, inner in enumerate(detail):
            if inner:
                yield from _flat(inner, f"{path}.{number}" if path else str(number))
    else:
        sentences = detail if isinstance(detail, list) else [detail]
        yield path or "body", [str(sentence) for sentence in sentences]
