"""Routes under /accounts/. Of django-allauth's only these: no sign-up, no addresses, no social."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods

from clients import doors
from config.accounts import views
from config.accounts.second_factor import before

# The library's views take more, and lead on before they refuse.
_read_or_send = require_http_methods(["GET", "HEAD", "POST"])


def _site(view: doors.View[...]) -> doors.View[...]:
    """A page around sign-in."""
    return doors.about("site")(_read_or_send(view))


def own(view: doors.View[...]) -> doors.View[...]:
    """A member's own page, open before there is a second factor too."""
    return before(doors.desk(doors.about("member")(_read_or_send(view))))


sign_in = doors.visitor(_site(views.SignIn.as_view()))
sign_out = doors.public(_site(LogoutView.as_view(template_name="duet/accounts/logged_out.html")))


urlpatterns: list[URLPattern] = [
    path("login/", sign_in, name="login"),
    path("login/", sign_in, name="account_login"),
    path("logout/", sign_out, name="logout"),
    path("logout/", sign_out, name="account_logout"),
    path(
        "login/passkey/",
        doors.visitor(_site(views.SignInWithPasskey.as_view())),
        name="mfa_login_webauthn",
    ),
    path(
        "login/code/", doors.visitor(_site(views.Authenticate.as_view())), name="mfa_authenticate"
    ),
    path(
        "password/forgotten/", doors.visitor(_site(views.forgotten)), name="account_reset_password"
    ),
    path(
        "password/choose/<str:key>/",
        doors.by_link(_site(views.choose_password)),
        name="account_choose_password",
    ),
    path("", own(views.Account.as_view()), name="mfa_index"),
    path("password/", own(views.change_password), name="account_change_password"),
    path("sessions/", own(views.session_list), name="account_sessions"),
    path("again/", own(views.Reauthenticate.as_view()), name="account_reauthenticate"),
    path("again/code/", own(views.ReauthenticateByCode.as_view()), name="mfa_reauthenticate"),
    path(
        "again/passkey/",
        own(views.ReauthenticateByPasskey.as_view()),
        name="mfa_reauthenticate_webauthn",
    ),
    path("app/", own(views.ActivateApp.as_view()), name="mfa_activate_totp"),
    path("app/off/", own(views.deactivate_app), name="mfa_deactivate_totp"),
    path("passkeys/", own(views.AddPasskey.as_view()), name="mfa_add_webauthn"),
    path("passkeys/<int:pk>/off/", own(views.RemovePasskey.as_view()), name="mfa_remove_webauthn"),
    path("recovery-codes/", own(views.recovery_codes), name="mfa_view_recovery_codes"),
    path("recovery-codes/new/", own(views.new_recovery_codes), name="mfa_generate_recovery_codes"),
]
