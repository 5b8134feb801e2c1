"""Routes of the stand-alone site: its own few, and the apps'."""

from django.contrib.auth import views as auth
from django.urls import URLPattern, URLResolver, include, path

from clients import doors
from config import sign_in, views

handler400 = "config.views.bad_request"
handler403 = "config.views.forbidden"
handler404 = "config.views.not_found"
handler500 = "config.views.server_error"

login = doors.public(sign_in.SignIn.as_view())
logout = doors.public(auth.LogoutView.as_view(template_name="duet/accounts/logged_out.html"))

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("accounts/login/", login, name="login"),
    path("accounts/logout/", logout, name="logout"),
    path("dev/mailbox/", views.mailbox_list, name="mailbox-list"),
    path("dev/mailbox/empty/", views.mailbox_empty, name="mailbox-empty"),
    path("dev/mailbox/<str:key>/", views.mailbox_letter, name="mailbox-letter"),
    path("dev/mailbox/<str:key>/html/", views.mailbox_html, name="mailbox-html"),
    path(
        "dev/mailbox/<str:key>/<int:number>/", views.mailbox_attachment, name="mailbox-attachment"
    ),
    path("", include("practice.urls")),
]
