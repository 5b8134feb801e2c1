"""The desk."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse

from clients import doors


@doors.desk
def today(request: HttpRequest) -> HttpResponse:
    """To come."""
    raise Http404


@doors.desk
def book(request: HttpRequest) -> HttpResponse:
    """To come."""
    raise Http404


@doors.desk
def appointment(request: HttpRequest, pk: UUID) -> HttpResponse:
    """To come."""
    raise Http404


@doors.desk
def accept(request: HttpRequest, pk: UUID) -> HttpResponse:
    """To come."""
    raise Http404


@doors.desk
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """To come."""
    raise Http404


@doors.desk
def move(request: HttpRequest, pk: UUID) -> HttpResponse:
    """To come."""
    raise Http404


@doors.desk
def close(request: HttpRequest, pk: UUID) -> HttpResponse:
    """To come."""
    raise Http404


@doors.desk
def open_gate(request: HttpRequest, pk: UUID) -> HttpResponse:
    """To come."""
    raise Http404
