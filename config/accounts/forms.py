"""Forms of the pages around sign-in. django-allauth's own take what we refuse."""

import hmac
import json
from typing import Any, Final

from allauth.account import forms as account
from allauth.core import context
from allauth.mfa import signals
from allauth.mfa.base import forms as mfa
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp_forms
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt
from allauth.mfa.webauthn import forms as webauthn
from django import forms
from django.contrib.auth.forms import SetPasswordForm
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clients.forms import fields
from clients.rules import strict_json
from config.accounts.adapter import MFAAdapter

_LARGEST_CREDENTIAL: Final = 20_000
_USED: Final = "used_step"


def login_field() -> fields.Cleaned:
    """A user name or an e-mail address."""
    return fields.line_field(
        limit=254,
        label=gettext_lazy("User name or e-mail address"),
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )


class Unsuffixed(forms.Form):
    """Labels as they stand on every page of the site."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


class SignInForm(Unsuffixed, account.LoginForm):
    """Name or e-mail address, and password."""

    password = fields.Password(label=gettext_lazy("Password"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = login_field()
        self.order_fields(["login", "password"])


class ReauthenticateForm(Unsuffixed, account.ReauthenticateForm):
    """The password once more."""

    password = fields.Password(label=gettext_lazy("Password"))


class ForgottenForm(Unsuffixed):
    """Whose password is to be chosen anew."""

    login = login_field()


class ChooseForm(Unsuffixed, SetPasswordForm):  # type: ignore[type-arg]
    """A new password, twice."""

    new_password1 = fields.Password(label=gettext_lazy("New password"), new=True)
    new_password2 = fields.Password(label=gettext_lazy("The same once more"), new=True)


class ChangeForm(ChooseForm):
    """The password of now, and a new one twice."""

    old_password = fields.Password(label=gettext_lazy("Your password now"))
    field_order = ("old_password", "new_password1", "new_password2")

    def clean_old_password(self) -> str:
        """Refuses another password than the one of now."""
        old: str = self.cleaned_data["old_password"]
        if not self.user.check_password(old):
            raise ValidationError(_("This isn't your password."), code="incorrect")
        return old


# --- codes ---------------------------------------------------------------------------------------


def code_field(label: Any) -> fields.Digits:
    """A code of an app, or a recovery code."""
    return fields.Digits(
        least=6,
        most=10,
        label=label,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class _Coded(Unsuffixed):
    """A code out of the app, each good once, or one of the recovery codes.

    The step of the last code that was taken is kept in the row itself. The library keeps codes in
    the cache: with Redis away it would take none at all.
    """

    code = code_field(gettext_lazy("Code"))
    user: Any

    def clean_code(self) -> str:
        """Refuses a wrong code, a used one, and one of the same thirty seconds as a used one."""
        code: str = self.cleaned_data["code"]
        with transaction.atomic():
            rows = Authenticator.objects.select_for_update().filter(user=self.user)
            for row in rows.exclude(type=Authenticator.Type.WEBAUTHN):
                if _is_right(row, code):
                    row.user = self.user
                    self.authenticator = row
                    return code
        first = Authenticator.objects.filter(user=self.user).first()
        if first is not None:
            signals.authentication_failed.send(
                sender=Authenticator,
                request=context.request,
                user=self.user,
                authenticator=first,
                reauthentication=isinstance(self, mfa.ReauthenticateForm),
            )
        raise MFAAdapter().validation_error("incorrect_code")


class AuthenticateForm(_Coded, mfa.AuthenticateForm):
    """The code that a sign-in asks for."""


class ReauthenticateCodeForm(_Coded, mfa.ReauthenticateForm):
    """The code that a change asks for."""


class ActivateForm(Unsuffixed, totp_forms.ActivateTOTPForm):
    """The first code of a new app."""

    code = code_field(gettext_lazy("Code that the app shows"))


def mark_used(row: Authenticator) -> None:
    """The code that set an app up signs nobody in."""
    row.data[_USED] = max(totp.yield_hotp_counters_from_time())
    row.save(update_fields=["data"])


def _is_right(row: Authenticator, code: str) -> bool:
    if row.type == Authenticator.Type.RECOVERY_CODES:
        return bool(row.wrap().validate_code(code))
    secret = decrypt(row.data["secret"])
    for step in totp.yield_hotp_counters_from_time():
        expected = totp.format_hotp_value(totp.hotp_value(secret, step))
        if step > row.data.get(_USED, 0) and hmac.compare_digest(code, expected):
            row.data[_USED] = step
            row.save(update_fields=["data"])
            return True
    return False


# --- passkeys ------------------------------------------------------------------------------------


class _Credential(forms.CharField):
    """What a browser says of a passkey: JSON that is no longer and no deeper than such is."""

    def __init__(self) -> None:
        super().__init__(max_length=_LARGEST_CREDENTIAL, widget=forms.HiddenInput)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            found = strict_json.loads(text.encode())
        except (strict_json.Refused, UnicodeEncodeError):
            raise _no_passkey() from None
        if not isinstance(found, dict) or not isinstance(found.get("response"), dict):
            raise _no_passkey()
        return found


def _no_passkey() -> ValidationError:
    return ValidationError(
        _("The passkey was not accepted. Please try again, or take another way."), code="passkey"
    )


class _Keyed(Unsuffixed):
    """A passkey's answer. The library below reads it by parts, and raises what it likes."""

    credential = _Credential()

    def clean_credential(self) -> Any:
        """Refuses in one sentence whatever was wrong with it."""
        try:
            return super().clean_credential()  # type: ignore[misc]
        except (ValidationError, ValueError, TypeError, KeyError, AttributeError, IndexError):
            raise _no_passkey() from None


class SignInWithPasskeyForm(_Keyed, webauthn.LoginWebAuthnForm):
    """A passkey in place of name, password and code."""


class PasskeyForm(_Keyed, webauthn.AuthenticateWebAuthnForm):
    """A passkey as the second factor."""


class ReauthenticatePasskeyForm(_Keyed, webauthn.ReauthenticateWebAuthnForm):
    """A passkey before a change."""


class AddPasskeyForm(Unsuffixed, webauthn.AddWebAuthnForm):
    """A new passkey, and what it is for."""

    name = fields.line_field(limit=60, label=gettext_lazy("Name, to know it by"), required=False)
    credential = _Credential()
    passwordless = forms.BooleanField(
        label=gettext_lazy("Sign in with it alone, without name and password"),
        required=False,
        initial=True,
        help_text=gettext_lazy(
            "The device then asks for its own PIN, a finger or a face. Without this the passkey "
            "is a second factor after the password."
        ),
    )

    def clean(self) -> dict[str, Any]:
        """Refuses in one sentence whatever was wrong with the passkey."""
        try:
            found: dict[str, Any] = super().clean() or {}
        except (ValidationError, ValueError, TypeError, KeyError, AttributeError, IndexError):
            raise _no_passkey() from None
        json.dumps(found.get("credential"))  # what is kept has to be plain JSON
        return found
