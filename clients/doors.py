"""Who may come in: every view carries exactly one of these decorators, and `about` below it.

A door decides before the view runs, and sets the headers that its kind of page needs. The
attribute `door` on the view names it, `admits` says whom it lets in at all, and `about` what the
view shows or changes and which right that takes: `manage.py permissions` prints them, and a test
holds every route to them. What a limit on tries refuses inside a view, and the view doesn't answer
itself, leaves as a page of status 429; what needs a sealed value that can't be opened, as 409 or,
where it was erased, 410.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_cache_control
from django.views.decorators.csrf import csrf_exempt

from clients import portal_cookie
from clients.actions import access
from clients.limits import TooMany
from clients.models import ClientSession
from clients.queries import people
from clients.rules import permissions
from clients.rules.actors import PROOF_LINK, PROOF_SECOND, Actor
from clients.rules.envelope import Erased, Unreadable
from clients.rules.permissions import Right

logger = logging.getLogger(__name__)

P = ParamSpec("P")
V = TypeVar("V", bound=Callable[..., HttpResponseBase])
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


class PersonRequest(HttpRequest):
    """A request that came through one of the portal's doors."""

    actor: Actor
    portal: ClientSession


class MemberRequest(HttpRequest):
    """A request that came through the `desk` door."""

    actor: Actor


def _answered(view: View[P]) -> View[P]:
    """The view, with a page in place of a refusal (TooMany, Unreadable) that it lets pass."""

    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except TooMany as refused:
            context = {"sentence": refused.sentence}
            return refused.mark(render(request, "duet/too_many.html", context))
        except Erased:
            return render(request, "duet/unreadable.html", {"erased": True}, status=410)
        except Unreadable:
            logger.error("A view needs a sealed value that can't be opened: %s", view.__name__)
            return render(request, "duet/unreadable.html", {"erased": False}, status=409)

    return inner


def _private(response: HttpResponseBase, referrer: str) -> HttpResponseBase:
    """Nothing of the page is kept by a cache, and its address isn't told to the next page."""
    if isinstance(response, HttpResponse):
        patch_cache_control(response, no_store=True, private=True)
        response["Referrer-Policy"] = referrer
    return response


# Who comes to a door, and whom each lets in. A link may be in anybody's hands.
VISITOR, LINK, CLIENT, PROVED, MEMBER = "visitor", "link", "client", "client_proved", "member"
EVERYBODY = frozenset({VISITOR, LINK, CLIENT, PROVED, MEMBER})
ADMITS = {
    "public": EVERYBODY,
    "visitor": EVERYBODY,
    "by_link": frozenset({LINK}),
    "portal": frozenset({CLIENT, PROVED}),
    "portal_proved": frozenset({PROVED}),
    "desk": frozenset({MEMBER}),
    "desk_api": frozenset({MEMBER}),
}
# These ask for the right that a view takes.
ASK_RIGHTS = frozenset({"desk", "desk_api"})


def about(kind: str, right: Right | None = None) -> Callable[[V], V]:
    """What the view shows or changes: a model's name, or `site`; and the right that it takes.

    It stands below the door, which enforces the right. Refuses (TypeError) a view whose door
    wouldn't know of it.
    """

    def said(view: V) -> V:
        if hasattr(view, "door"):
            raise TypeError("Say what a view is about below its door, not above.")
        view.about, view.right = kind, right  # type: ignore[attr-defined]
        return view

    return said


def _named(view: Any, door: str) -> None:
    if getattr(view, "right", None) is not None and door not in ASK_RIGHTS:
        raise TypeError(f"The door `{door}` doesn't ask for a right.")
    view.door, view.admits = door, ADMITS[door]


def public(view: View[P]) -> View[P]:
    """Anybody may come in; nothing personal is shown."""

    inner = functools.wraps(view)(_answered(view))
    _named(inner, "public")
    return login_not_required(inner)


def visitor(view: View[P]) -> View[P]:
    """Anybody may come in; the page shows what this browser's visitor is about to give."""

    @functools.wraps(view)
    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        return _private(_answered(view)(request, *args, **kwargs), "same-origin")

    _named(inner, "visitor")
    return login_not_required(inner)


def by_link(view: View[P]) -> View[P]:
    """Whoever has the link in the address may come in: the link is the capability.

    Forms there carry no CSRF token: with `no-referrer` a browser sends `Origin: null`, which
    Django refuses, and without cookies there is nothing that a foreign page could ride on.
    """

    @functools.wraps(view)
    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        response = _private(_answered(view)(request, *args, **kwargs), "no-referrer")
        if isinstance(response, HttpResponse):
            response["X-Robots-Tag"] = "noindex"
        return response

    _named(inner, "by_link")
    return csrf_exempt(login_not_required(inner))


def desk_api(view: View[P]) -> View[P]:
    """Signed-in members, asked by a program: the endpoint answers others with 401 or 403."""

    @functools.wraps(view)
    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        return _private(view(request, *args, **kwargs), "same-origin")

    _named(inner, "desk_api")
    return login_not_required(inner)


def desk(view: Callable[Concatenate[MemberRequest, P], HttpResponseBase]) -> View[P]:
    """Signed-in members of the practice only; others sign in, or meet a 403.

    So do members without the right that the view takes, and whom an action refuses.
    """
    right: Right | None = getattr(view, "right", None)

    @functools.wraps(view)
    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _private(redirect_to_login(request.get_full_path()), "same-origin")
        actor = people.actor_of(request.user)
        if actor.kind != "member" or (right is not None and not permissions.can(actor, right)):
            raise PermissionDenied
        request.actor = actor  # type: ignore[attr-defined]
        try:
            response = _answered(view)(request, *args, **kwargs)  # type: ignore[arg-type]
        except permissions.NotPermitted:
            raise PermissionDenied from None
        return _private(response, "same-origin")

    _named(inner, "desk")
    return inner


def portal(view: Callable[Concatenate[PersonRequest, P], HttpResponseBase]) -> View[P]:
    """A person in their own session, if only by a link; others come to where one asks for it."""
    inner = _portal(view, PROOF_LINK)
    _named(inner, "portal")
    return login_not_required(inner)


def portal_proved(view: Callable[Concatenate[PersonRequest, P], HttpResponseBase]) -> View[P]:
    """As `portal`, with a second proof; who hasn't given it is asked first, and led back."""
    inner = _portal(view, PROOF_SECOND)
    _named(inner, "portal_proved")
    return login_not_required(inner)


def _portal(view: Callable[Concatenate[PersonRequest, P], HttpResponseBase], proof: int) -> View[P]:
    """The view in the person's own language, and a note that their session was used."""

    @functools.wraps(view)
    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        now = timezone.now()
        session = portal_cookie.session_of(request, now)
        if session is None:
            return _private(redirect("practice:portal"), "same-origin")
        if session.proof < proof:
            asked = request.resolver_match.url_name if request.resolver_match else ""
            return _private(
                redirect(f"{reverse('practice:portal-prove')}?then={asked}"), "same-origin"
            )
        actor = Actor.of_person(session.person_id, session.proof)
        access.touch(session=session, by=actor, now=now)
        request.actor, request.portal = actor, session  # type: ignore[attr-defined]
        try:
            response = _spoken(session.person.language, view)(request, *args, **kwargs)  # type: ignore[arg-type]
        except access.SessionOver:
            response = redirect("practice:portal")
        return _private(response, "same-origin")

    return inner


def _spoken(language: str, view: View[P]) -> View[P]:
    """The view in a language, where the site speaks it."""

    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if language not in dict(settings.LANGUAGES):
            return _answered(view)(request, *args, **kwargs)
        with translation.override(language):
            response = _answered(view)(request, *args, **kwargs)
            response["Content-Language"] = language
            return response

    return inner
