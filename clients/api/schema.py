"""What an endpoint says of itself for the schema: what it takes, answers and refuses."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from clients.api.serializers import Strict

F = TypeVar("F", bound=Callable[..., Any])

TOKEN = OpenApiParameter(
    "token",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]{20,64}$"},
    OpenApiParameter.PATH,
    description="As it stands in the link, or as the hold was answered with.",
)


SLUG = OpenApiParameter(
    "slug",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,50}$"},
    OpenApiParameter.PATH,
)


class ProblemOut(serializers.Serializer[Any]):
    """RFC 9457; `type` is stable, `errors` names the fields."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), required=False
    )  # type: ignore[assignment]
    next = serializers.ListField(child=serializers.DictField(), required=False)


_WHY: dict[int, str] = {
    304: "As the ETag that was sent says, nothing has changed.",
    400: "The request can't be read, or a header is missing.",
    401: "Nobody is signed in, or the token isn't known.",
    403: "Whoever is signed in may not see this.",
    404: "There is nothing here.",
    405: "This method isn't offered here.",
    409: "The time, the hold or the short name is taken; `next` names the next open times.",
    410: "This was erased.",
    412: "Somebody else has changed it since: read it again.",
    413: "The request is longer than 1 MB.",
    415: "The body isn't JSON in UTF-8.",
    422: "Some fields are refused, or what was asked isn't possible (any more).",
    429: "That was too often: `Retry-After` says when to come back.",
    503: "The database is away for a moment: see `Retry-After`.",
}


def described(**how: Any) -> Callable[[F], F]:
    """`extend_schema` for a method, whatever schema class the site has set for other APIs."""

    def decorate(method: F) -> F:
        method.kwargs = {"schema": AutoSchema}  # type: ignore[attr-defined]
        return extend_schema(**how)(method)

    return decorate


def answers(good: Any, *refusals: int, status: int = 200) -> dict[Any, Any]:
    """What an endpoint may answer: the good one, its refusals, and 503 that any of them may."""
    found: dict[Any, Any] = {status: good}
    for code in (*refusals, 503):
        told = None if code == 304 else ProblemOut
        key = code if told is None else (code, "application/problem+json")
        found[key] = OpenApiResponse(told, description=_WHY[code])
    return found


def page_of(item: type[serializers.Serializer[Any]]) -> Any:
    """A list as all of them are: its results, and where the next ones are."""
    return inline_serializer(
        name=f"{item.__name__.removesuffix('Out')}Page",
        fields={
            "results": item(many=True),
            "next": serializers.CharField(allow_null=True),
        },
    )


class Closed(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Says of our bodies what they do: names beside their own are refused."""

    target_class = Strict
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """As ever, and closed."""
        found = auto_schema._map_serializer(  # type: ignore[no-untyped-call]
            self.target, direction, bypass_extensions=True
        )
        return {**found, "additionalProperties": False}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema names the sign-in of members."""

    target_class = "clients.api.endpoint.Session"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """The cookie of the pages."""
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
