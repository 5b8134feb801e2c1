"""In which browsers a person is signed in, and the buttons that end it."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from clients import doors
from clients.actions import access
from clients.doors import PersonRequest
from clients.queries import access as queries
from practice.forms import portal as forms
from practice.views.portal import frame


@doors.portal
@doors.about("client_session")
@require_safe
def sessions(request: PersonRequest) -> HttpResponse:
    """The open sessions; this one is marked."""
    found = queries.sessions(request.portal.person_id, timezone.now())
    return frame.page(request, "sessions", {"sessions": found, "current": request.portal.pk})


@doors.portal
@doors.about("client_session")
@require_POST
def end(request: PersonRequest, pk: UUID) -> HttpResponse:
    """End one of them. Refuses (404) somebody else's, as one that isn't there."""
    now = timezone.now()
    found = [one for one in queries.sessions(request.portal.person_id, now) if one.pk == pk]
    if not found or not forms.Button(request.POST).is_valid():
        raise Http404
    access.end_session(session=found[0], by=request.actor, now=now)
    return redirect("practice:portal-sessions")


@doors.portal
@doors.about("client_session")
@require_POST
def end_others(request: PersonRequest) -> HttpResponse:
    """End all but this one, and the links that nobody has used yet."""
    if forms.Button(request.POST).is_valid():
        access.end_all(
            person=request.portal.person,
            keep=request.portal,
            by=request.actor,
            now=timezone.now(),
        )
    return redirect("practice:portal-sessions")
