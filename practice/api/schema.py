"""The schema of the API, out of its views, and the page that shows it."""

from threading import Lock
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.utils import (
    extend_schema,
)
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from clients import doors
from clients.api.endpoint import Endpoint

_ONE_AT_A_TIME = Lock()

# The site may have settings of its own for other APIs: ours come with the route.
SETTINGS: dict[str, Any] = {
    "TITLE": "Duet",
    "VERSION": "1.0.0",
    "DESCRIPTION": "Open times, holds and bookings of the practice, and an attendee's own part.",
    "SCHEMA_PATH_PREFIX": r".*/api/v1",
    "PREPROCESSING_HOOKS": ["practice.api.schema.only_ours"],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}

# Swagger UI has its pictures inside its style sheet; no other page of ours needs that.
_DOCS_POLICY = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'; object-src 'none'"
)


def only_ours(endpoints: list[Any]) -> list[Any]:
    """Of the site's endpoints those of Duet, under whatever prefix it is mounted."""
    return [one for one in endpoints if issubclass(one[3].cls, Endpoint)]


class Schema(SpectacularAPIView):
    """The schema, as YAML or as JSON."""

    about = "site"

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()
    custom_settings = SETTINGS

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One at a time: the library changes settings of its own meanwhile, for all threads."""
        with _ONE_AT_A_TIME:
            response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        return response


@doors.public
@doors.about("site")
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The schema as a page to try things on, out of an installed package."""
    response = render(request, "duet/practice/api_docs.html")
    response["Content-Security-Policy"] = _DOCS_POLICY
    return response
