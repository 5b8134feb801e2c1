"""What django-allauth does our way: nobody signs up, and no address comes from a Host header."""

import base64
import functools
from typing import Any
from urllib.parse import urlsplit

import qrcode
from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from qrcode.image.svg import SvgPathFillImage

from clients.actions import people
from clients.rules import envelope
from clients.rules.actors import Actor
from config.accounts import letters
from practice.models import Practice

_WRONG = gettext_lazy("The name or the password isn't right. Please look at both and try again.")
_KEY_ID = "accounts"


class AccountAdapter(DefaultAccountAdapter):
    """Sign-in of members: closed to new ones, and the same words for whatever was wrong."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": _WRONG,
        "incorrect_password": gettext_lazy("This isn't your password."),
        "enter_current_password": gettext_lazy("This isn't your password."),
        "incorrect_code": gettext_lazy(
            "This code isn't right, or it was used already. Wait for the next one and try again."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """An admin makes members (`manage.py member add`)."""
        return False

    def is_ajax(self, request: HttpRequest) -> bool:
        """Only the passkey's script asks for anything but pages."""
        match = request.resolver_match
        return (
            match is not None
            and match.url_name == "mfa_login_webauthn"
            and request.method == "GET"
            and request.headers.get("Accept") == "application/json"
        )

    def is_safe_url(self, url: str | None) -> bool:
        """After the sign-in only plain paths of this site: no other host, no other scheme."""
        return bool(
            url and url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
        )

    def get_login_stages(self) -> list[str]:
        """After the password comes the second factor, and nothing else."""
        return ["allauth.mfa.stages.AuthenticateStage"]

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return "/accounts/"

    def get_client_ip(self, request: HttpRequest) -> str:
        """Nobody's address is kept, nor told in letters."""
        return "0.0.0.0"  # noqa: S104 - an address that says: none

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """The library's ways, in our words."""
        words = {
            "reauthenticate": _("Use your password"),
            "mfa_reauthenticate": _("Use a code"),
            "mfa_reauthenticate:webauthn": _("Use your passkey"),
        }
        return [
            way | {"description": words[way["id"]]}
            for way in super().get_reauthentication_methods(user)
        ]

    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
        """As if the sign-in had been wrong."""
        messages.error(request, str(_WRONG))
        return redirect("account_login")

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Letters leave after the answer."""
        letters.post(self.render_mail(template_prefix, email, context))

    def format_email_subject(self, subject: str) -> str:
        return str(subject)


class MFAAdapter(DefaultMFAAdapter):
    """Second factors: secrets are sealed, and a passkey belongs to the configured address."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": AccountAdapter.error_messages["incorrect_code"],
    }

    def encrypt(self, text: str) -> str:
        """Seal an app's secret, or the seed of recovery codes."""
        sealed = envelope.seal(
            key=_key(), key_id=_KEY_ID, plain=text.encode(), context="accounts.second_factors"
        )
        return base64.b64encode(sealed).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """What `encrypt` sealed. Refuses (Unreadable) anything else."""
        return envelope.unseal(
            key=_key(),
            key_id=_KEY_ID,
            sealed=base64.b64decode(encrypted_text),
            context="accounts.second_factors",
        ).decode()

    def get_totp_label(self, user: AbstractBaseUser) -> str:
        return user.get_username()

    def get_totp_issuer(self) -> str:
        return self._get_site_name()

    def build_totp_svg(self, url: str) -> str:
        """Without an XML declaration, to stand in the page; black on white in a dark one too."""
        image = qrcode.make(url, image_factory=SvgPathFillImage)
        return str(image.to_string(encoding="unicode"))

    def _get_site_name(self) -> str:
        practice = Practice.objects.first()
        return practice.name if practice else "Duet"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        host = urlsplit(settings.DUET["BASE_URL"]).hostname or ""
        return {"id": host, "name": self._get_site_name()}

    def generate_authenticator_name(
        self,
        user: AbstractBaseUser,
        type: Authenticator.Type,  # noqa: A002 - the library's name
    ) -> str:
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return _("Passkey %(number)d") % {"number": number}


def _key() -> bytes:
    """A key of the second factors' own, made from the one that the practice has for its index.

    That one lies in the database only wrapped, and is wrapped anew when the keys are rotated; what
    was sealed by it stays readable.
    """
    index_key = people.index_key(by=Actor.system(), now=timezone.now())
    return _derived(index_key)


@functools.lru_cache(maxsize=4)
def _derived(index_key: bytes) -> bytes:
    return envelope.blind(key=index_key, kind="derived key", normalised="accounts.second_factors")
