"""Routes of the stand-alone site: its own few, and the apps'."""

from django.urls import URLPattern, URLResolver, include, path

from config import views

handler400 = "config.views.bad_request"
handler403 = "config.views.forbidden"
handler404 = "config.views.not_found"
handler500 = "config.views.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("accounts/", include("config.accounts.urls")),
    path("dev/mailbox/", views.mailbox_list, name="mailbox-list"),
    path("dev/mailbox/empty/", views.mailbox_empty, name="mailbox-empty"),
    path("dev/mailbox/<str:key>/", views.mailbox_letter, name="mailbox-letter"),
    path("dev/mailbox/<str:key>/html/", views.mailbox_html, name="mailbox-html"),
    path(
        "dev/mailbox/<str:key>/<int:number>/", views.mailbox_attachment, name="mailbox-attachment"
    ),
    path("", include("intake.urls")),
    path("", include("practice.urls")),
]
