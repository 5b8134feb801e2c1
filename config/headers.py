"""What every answer tells browsers beside what its view says, and which methods there are.

CSP, HSTS, COOP and the like come from django-csp and Django; their values are in the settings.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed

# Pages of ours ask for none of these, and nothing that got into one shall either.
# Only names that browsers know: Chromium says an error of others on every page (`bluetooth`).
_NOTHING_OF = (
    *("accelerometer", "autoplay", "camera", "display-capture", "encrypted-media"),
    *("fullscreen", "geolocation", "gyroscope", "hid", "idle-detection", "local-fonts"),
    *("magnetometer", "microphone", "midi", "payment", "picture-in-picture", "screen-wake-lock"),
    *("serial", "sync-xhr", "usb", "window-management", "xr-spatial-tracking"),
)
# Passkeys, on pages of our own alone.
_OWN_PAGES = ("publickey-credentials-create", "publickey-credentials-get")
PERMISSIONS = ", ".join(
    [*(f"{one}=()" for one in _NOTHING_OF), *(f"{one}=(self)" for one in _OWN_PAGES)]
)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Headers:
    """Adds what a view left to say."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        headers = response.headers
        headers.setdefault("Permissions-Policy", PERMISSIONS)
        # Which sites' pages may read an answer of the API, CORS says; nobody else's may embed any.
        if "Access-Control-Allow-Origin" not in headers:
            headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        # A refusal or a way elsewhere may stand where somebody's own page would, and what a form
        # is answered is theirs. (What hasn't changed says itself how long it is kept.)
        shown = response.status_code in (200, 304) and request.method in ("GET", "HEAD")
        if not shown:
            headers.setdefault("Cache-Control", "no-store")
        return response


class Methods:
    """Refuses (405), unread, TRACE and methods that somebody made up, at any address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method not in METHODS:
            return HttpResponseNotAllowed(METHODS)
        return self._get_response(request)
