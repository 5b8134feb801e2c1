"""An attendee's own appointment."""

from django.http import Http404, HttpRequest, HttpResponse

from clients import doors


@doors.visitor
def mine(request: HttpRequest) -> HttpResponse:
    """To come."""
    raise Http404


@doors.visitor
def mine_confirm(request: HttpRequest) -> HttpResponse:
    """To come."""
    raise Http404


@doors.visitor
def mine_move(request: HttpRequest) -> HttpResponse:
    """To come."""
    raise Http404


@doors.visitor
def mine_cancel(request: HttpRequest) -> HttpResponse:
    """To come."""
    raise Http404


@doors.visitor
def mine_calendar(request: HttpRequest) -> HttpResponse:
    """To come."""
    raise Http404


@doors.by_link
def page(request: HttpRequest, token: str) -> HttpResponse:
    """To come."""
    raise Http404


@doors.by_link
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """To come."""
    raise Http404


@doors.by_link
def move(request: HttpRequest, token: str) -> HttpResponse:
    """To come."""
    raise Http404


@doors.by_link
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """To come."""
    raise Http404


@doors.by_link
def calendar(request: HttpRequest, token: str) -> HttpResponse:
    """To come."""
    raise Http404


@doors.by_link
def unknown(request: HttpRequest) -> HttpResponse:
    """To come."""
    raise Http404
