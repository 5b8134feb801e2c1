"""The pages around sign-in: django-allauth's, counted by our limits, and a few of our own.

A refused form is answered with 401 where somebody proves who they are, and 422 where they choose.
"""

from typing import Any

from allauth.account import views as account
from allauth.account.internal.decorators import login_stage_required
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.stages import AuthenticateStage
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _

from clients.limits import TooMany
from config import sessions, sign_in
from config.accounts import letters, second_factor, trail
from config.accounts.backend import find
from config.accounts.forms import ChangeForm, ChooseForm, ForgottenForm, SignInForm


def _too_many(request: HttpRequest, refused: TooMany) -> HttpResponse:
    context = {"sentence": refused.sentence}
    return refused.mark(render(request, "duet/too_many.html", context))


# --- signing in ----------------------------------------------------------------------------------


class SignIn(account.LoginView):
    """Name and password, or the way to a passkey; counted before a password is looked at."""

    form_class = SignInForm

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Refuses (429) by what was typed alone, so that the answer is the same for any name."""
        typed = request.POST.get("login", "")[:254]
        try:
            sign_in.count_sign_in(request, typed)
        except TooMany as refused:
            form = SignInForm(request=request, initial={"login": typed})
            context = self.get_context_data(form=form, refusal=refused.sentence)
            return refused.mark(self.render_to_response(context))
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response

    def form_invalid(self, form: Form) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 401
        return response


class SignInWithPasskey(webauthn.LoginWebAuthnView):
    """What the passkey's script asks for, and what it sends."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            sign_in.count_passkey(request)
        except TooMany as refused:
            return _too_many(request, refused)
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response

    def form_invalid(self, form: Form) -> HttpResponse:
        """The sign-in page with the refusal."""
        context = {
            "form": SignInForm(request=self.request),
            "refusal": " ".join(str(said) for said in form.errors.get("credential", [])),
        }
        return render(self.request, "account/login.html", context, status=401)


@method_decorator(
    login_stage_required(stage=AuthenticateStage.key, redirect_urlname="account_login"),
    name="dispatch",
)
class Authenticate(mfa.AuthenticateView):
    """The second factor, after the password."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            sign_in.count_step(request, self.stage.login.user.pk)
        except TooMany as refused:
            return _too_many(request, refused)
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response

    def form_invalid(self, form: Form) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 401
        return response


# --- once more, before a change ------------------------------------------------------------------


class _Again:
    """Counted by the account, and 401 where it was wrong."""

    request: HttpRequest

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            sign_in.count_step(request, request.user.pk)
        except TooMany as refused:
            return _too_many(request, refused)
        response: HttpResponse = super().post(request, *args, **kwargs)  # type: ignore[misc]
        return response

    def form_invalid(self, form: Form) -> HttpResponse:
        response: HttpResponse = self.render_to_response(  # type: ignore[attr-defined]
            self.get_context_data(form=form)  # type: ignore[attr-defined]
        )
        response.status_code = 401
        return response


class Reauthenticate(_Again, account.ReauthenticateView):
    """By password."""


class ReauthenticateByCode(_Again, mfa.ReauthenticateView):
    """By a code."""


class ReauthenticateByPasskey(_Again, webauthn.ReauthenticateWebAuthnView):
    """By a passkey."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The library forgets the form that was refused."""
        found: dict[str, Any] = super().get_context_data(**kwargs)
        return found | kwargs


# --- the member's own page, and factors ----------------------------------------------------------


class Account(mfa.IndexView):
    """How the member signs in: password, second factors, sessions."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)
        user = self.request.user
        has_factor = second_factor.has(user)
        return found | {
            "has_factor": has_factor,
            "is_owed": not has_factor and second_factor.belongs_to_the_role(user),
            "is_demanded": second_factor.is_demanded(),
        }


class ActivateApp(totp.ActivateTOTPView):
    """Set up an authenticator app."""

    def form_invalid(self, form: Form) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 422
        return response


class AddPasskey(webauthn.AddWebAuthnView):
    """Add a passkey."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The library forgets the form that was refused."""
        found: dict[str, Any] = super().get_context_data(**kwargs)
        return found | kwargs

    def form_invalid(self, form: Form) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 422
        return response


class RemovePasskey(webauthn.RemoveWebAuthnView):
    """Remove a passkey."""

    success_url = "/accounts/"


deactivate_app = totp.deactivate_totp
recovery_codes = recovery.view_recovery_codes
new_recovery_codes = recovery.generate_recovery_codes


# --- passwords -----------------------------------------------------------------------------------


def change_password(request: HttpRequest) -> HttpResponse:
    """Choose another password, knowing the one of now; other sessions end."""
    user = _member(request)
    if not user.has_usable_password():
        return redirect("account_reset_password")
    form = ChangeForm(user, request.POST or None)
    if request.method == "POST":
        try:
            sign_in.count_step(request, user.pk)
        except TooMany as refused:
            return _too_many(request, refused)
        if form.is_valid():
            with transaction.atomic():
                form.save()
                update_session_auth_hash(request, user)
                trail.password_changed(request, user)
            messages.success(request, _("Your password is changed; other sessions are ended."))
            return redirect("mfa_index")
    status = 422 if form.errors else 200
    return render(request, "account/password_change.html", {"form": form}, status=status)


def forgotten(request: HttpRequest) -> HttpResponse:
    """Ask for a link to choose a new password. The answer is the same whoever is named."""
    form = ForgottenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data["login"]
        try:
            sign_in.count_reset(request, typed)
        except TooMany as refused:
            return _too_many(request, refused)
        letters.reset(find(typed))
        return render(request, "duet/accounts/forgotten_sent.html")
    status = 422 if form.errors else 200
    return render(request, "duet/accounts/forgotten.html", {"form": form}, status=status)


def choose_password(request: HttpRequest, key: str) -> HttpResponse:
    """Choose a password behind a letter's link. Looking at it uses nothing up."""
    user = letters.user_of(key)
    if user is None:
        return render(request, "duet/accounts/link_over.html", status=404)
    form = ChooseForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            trail.password_chosen(request, user)
        return render(request, "duet/accounts/password_chosen.html")
    status = 422 if form.errors else 200
    return render(request, "duet/accounts/choose.html", {"form": form}, status=status)


# --- sessions ------------------------------------------------------------------------------------


def session_list(request: HttpRequest) -> HttpResponse:
    """The member's open sessions; POST ends one of them, or all others, where there are such."""
    user = _member(request)
    now = timezone.now()
    current = request.session.session_key
    if request.method == "POST":
        found = sessions.open_of(user, current=current, now=now)
        # The page names a session by its place in time: keys are nothing to show.
        named = [one for one in found if _mark(one) == request.POST.get("session")]
        with transaction.atomic():
            ended = 0
            if "others" in request.POST:
                ended = sessions.end(user, keep=current)
            elif named and not named[0].is_current:
                ended = sessions.end(user, only=named[0].key)
            if ended:
                trail.sessions_ended(user)
        if ended:
            messages.success(request, _("The session is ended."))
        else:
            messages.info(request, _("No such session is open: nothing was ended."))
        return redirect("account_sessions")
    rows = [(one, _mark(one)) for one in sessions.open_of(user, current=current, now=now)]
    return render(request, "duet/accounts/sessions.html", {"sessions": rows})


def _mark(one: sessions.Open) -> str:
    return f"{one.started_at.timestamp():.6f}"


def _member(request: HttpRequest) -> Any:
    """The signed-in user; the door has looked."""
    user: AbstractBaseUser = request.user  # type: ignore[assignment]
    return user
