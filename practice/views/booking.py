"""From a time to an appointment: hold, details, done."""

from django.http import Http404, HttpRequest, HttpResponse

from clients import doors


@doors.visitor
def hold(request: HttpRequest) -> HttpResponse:
    """To come."""
    raise Http404


@doors.visitor
def release(request: HttpRequest) -> HttpResponse:
    """To come."""
    raise Http404


@doors.visitor
def details(request: HttpRequest) -> HttpResponse:
    """To come."""
    raise Http404


@doors.visitor
def done(request: HttpRequest) -> HttpResponse:
    """To come."""
    raise Http404
