"""Who has a second factor, who must have one, and the way there."""

import time
from collections.abc import Callable
from urllib.parse import urlencode

from allauth.account import app_settings
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from clients.api import problems
from clients.models import Member
from clients.rules.permissions import NEED_SECOND_FACTOR

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def has(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether the user has an authenticator app or a passkey; recovery codes alone are none."""
    return bool(
        user.is_authenticated
        and Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists()
    )


def belongs_to_the_role(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether one of the user's roles asks for a second factor."""
    member = Member.objects.filter(user=user.pk).first() if user.is_authenticated else None
    return member is not None and bool(NEED_SECOND_FACTOR & set(member.roles))


def is_demanded() -> bool:
    """A demo is there to be looked at: nobody has to set anything up."""
    return settings.DUET["MODE"] != "demo"


def once_more(request: HttpRequest) -> HttpResponseBase | None:
    """None where the user proved a second factor in the last minutes, else the way to prove it.

    A password typed again is none. What was being sent isn't kept: the way leads back to the page.
    """
    proofs = get_authentication_records(request, request.user)
    latest = max((one["at"] for one in proofs if one.get("method") == "mfa"), default=0)
    if time.time() - latest < app_settings.REAUTHENTICATION_TIMEOUT:
        return None
    has_app = Authenticator.objects.filter(user=request.user.pk, type=Authenticator.Type.TOTP)
    way = reverse("mfa_reauthenticate" if has_app.exists() else "mfa_reauthenticate_webauthn")
    return redirect(f"{way}?{urlencode({'next': request.path})}")


class Required:
    """Leads members who must have a second factor and have none to the page that sets one up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[object, ...],
        view_kwargs: dict[str, object],
    ) -> HttpResponseBase | None:
        """None, or the way there; programs (the door `desk_api`) are refused with a 403."""
        is_api = getattr(view_func, "door", "") == "desk_api"
        is_members = is_api or getattr(view_func, "login_required", True)
        if not is_demanded() or not is_members or hasattr(view_func, "before_second_factor"):
            return None
        has_one: Callable[[object], bool] = import_string(settings.DUET["STRONG_AUTH"])
        if not request.user.is_authenticated or has_one(request.user):
            return None
        if not belongs_to_the_role(request.user):
            return None
        return _problem() if is_api else redirect("mfa_index")


def _problem() -> JsonResponse:
    said = _("Please set up a second factor first.")
    told = {"type": "urn:duet:forbidden", "title": said, "status": 403, "detail": said}
    return JsonResponse(told, status=403, content_type=problems.MEDIA_TYPE)


def before(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The view may be seen by members who still have to set up a second factor."""
    view.before_second_factor = True  # type: ignore[attr-defined]
    return view
