"""What every endpoint of the API has in common, whatever site it is mounted in.

Each policy is set here and not in the site's settings: a host's own REST framework settings must
neither open an endpoint of ours nor close it.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.exceptions import (
    AuthenticationFailed,
    NotAuthenticated,
    UnsupportedMediaType,
    ValidationError,
)
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from clients.api import problems
from clients.api.parsing import AlwaysFirst, StrictJSONParser
from clients.api.serializers import Strict
from clients.limits import Limit, check
from clients.queries import people
from clients.rules.actors import Actor
from clients.rules.permissions import NEED_SECOND_FACTOR, Right, can


class PlainJSON(JSONRenderer):
    """JSON without an indent or a page around it; problems name their own media type."""

    def get_indent(self, *_asked: Any) -> None:
        """No Accept header changes the text."""


class ByAddress(BaseThrottle):
    """So many requests of a browser's address as the endpoint's `limits` say for the method."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Refuses (limits.TooMany), or allows."""
        limit = getattr(view, "limits", {}).get(request.method)
        if limit is not None:
            check(request._request, limit)
        return True


class Endpoint(APIView):
    """A public endpoint: no sign-in, strict JSON in, JSON or problem+json out."""

    authentication_classes: tuple[type[BaseAuthentication], ...] = ()
    permission_classes = (AllowAny,)
    parser_classes = (StrictJSONParser,)
    renderer_classes = (PlainJSON,)
    throttle_classes = (ByAddress,)
    content_negotiation_class = AlwaysFirst
    versioning_class = None
    metadata_class = None
    schema = AutoSchema()
    # As `doors.about` says it of a page.
    about: ClassVar[str] = ""
    limits: ClassVar[Mapping[str, Limit]] = {}

    def get_exception_handler(self) -> Callable[..., Response]:
        """Problems, whatever the site has set."""
        return problems.answer

    def query(self, wanted: type[Strict]) -> dict[str, Any]:
        """The address's query, checked. Refuses (400) unknown names and names given twice."""
        sent: QueryDict = self.request.query_params
        doubled = {name[:100] for name, values in sent.lists() if len(values) > 1}
        if doubled:
            sentence = _("This was sent twice, with two values.")
            raise problems.invalid({name: [sentence] for name in doubled}, status=400)
        try:
            return self._checked(wanted, sent.dict())
        except ValidationError as error:
            raise problems.invalid(problems.refused_fields(error), status=400) from None

    def body(self, wanted: type[Strict]) -> dict[str, Any]:
        """The body, checked. Refuses (422) unknown names beside the fields' own refusals."""
        return self._checked(wanted, self.request.data)

    def _checked(self, wanted: type[Strict], sent: object) -> dict[str, Any]:
        found: dict[str, Any] = _rules_of(wanted).run_validation(sent)
        return found


@lru_cache(maxsize=64)
def _rules_of(wanted: type[Strict]) -> Strict:
    """A serializer that only checks keeps nothing of what it checked: one serves them all."""
    return wanted()


# What Django would read as a form, in search of the token.
_FORMS = ("multipart/", "application/x-www-form-urlencoded")


class Session(BaseAuthentication):
    """Whoever is signed in on the pages. There are no tokens yet: one that is sent is refused."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        """Refuses (AuthenticationFailed, 401) an Authorization header, whatever it says.

        What changes something needs the token of our pages beside their cookie: else (403) another
        site's page could send it in a member's name. A form (415) isn't read for it.
        """
        if "Authorization" in request.headers:
            raise AuthenticationFailed(_("This token isn't known."))
        user = getattr(request._request, "user", None)
        if user is None or not user.is_authenticated:
            return None
        if str(request.content_type).lower().startswith(_FORMS):
            raise UnsupportedMediaType(request.content_type)
        check = CSRFCheck(lambda _request: HttpResponse())
        check.process_request(request._request)
        if check.process_view(request._request, _not_exempt, (), {}) is not None:
            raise PermissionDenied
        return user, None

    def authenticate_header(self, request: Request) -> str:
        """That makes it a 401, and not a 403."""
        return "Session"


def _not_exempt(*_args: Any) -> HttpResponse:
    """Stands for a view where Django's check asks whether it is exempt."""
    raise NotImplementedError


class MemberEndpoint(Endpoint):
    """For members of the practice who are signed in: 401 for nobody, 403 for somebody else.

    So it is for members without the endpoint's `right`, and for those who must have a second
    factor and have none. Methods of `open_to_all` are everybody's, and don't look who asks.
    """

    authentication_classes = (Session,)
    right: ClassVar[Right | None] = None
    open_to_all: ClassVar[frozenset[str]] = frozenset()
    actor: Actor

    def get_authenticators(self) -> list[BaseAuthentication]:
        """None where it doesn't matter who asks."""
        request = getattr(self, "request", None)
        is_open = request is not None and request.method in self.open_to_all
        return [] if is_open else super().get_authenticators()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuses (401, 403) before anything is read; (405) what nobody may do comes first."""
        if not hasattr(self, str(request.method).lower()):
            self.http_method_not_allowed(request)
        super().initial(request, *args, **kwargs)
        if request.method in self.open_to_all:
            return
        if not request.user.is_authenticated:
            raise NotAuthenticated
        self.actor = people.actor_of(request.user)
        if self.actor.kind != "member" or (self.right and not can(self.actor, self.right)):
            raise PermissionDenied
        # The site asks for it at its doors; behind one that is open to all, nobody else would.
        if self.open_to_all and not _proves_enough(request.user, self.actor):
            raise PermissionDenied


def _proves_enough(user: Any, actor: Actor) -> bool:
    """Whether a member has the second factor that one of their roles asks for; a demo asks none."""
    strong = settings.DUET["STRONG_AUTH"]
    if settings.DUET["MODE"] == "demo" or not strong or not NEED_SECOND_FACTOR & set(actor.roles):
        return True
    return bool(import_string(strong)(user))


class Unknown(Endpoint):
    """Whatever else stands below the API's address."""

    about = "site"
    schema = None  # type: ignore[assignment]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Not found, whatever the method."""
        self.http_method_names = []
        return super().dispatch(request, *args, **kwargs)

    def http_method_not_allowed(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuses (Problem) everything."""
        raise problems.Problem("not_found", 404)
