"""The least that Django can answer."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import path


@login_not_required
def ok(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Nothing but the word. Its length is told, which is CommonMiddleware's work elsewhere."""
    return HttpResponse(b"ok", content_type="text/plain", headers={"Content-Length": "2"})


urlpatterns = [path("ok/", ok)]
