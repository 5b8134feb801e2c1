"""A copy of one's own record, and the wish that it be erased."""

import json

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from clients import doors
from clients.actions import access
from clients.doors import PersonRequest
from clients.models import DataRequest
from clients.queries import access as queries
from clients.rules.actors import PROOF_SECOND
from practice.forms import portal as forms
from practice.queries import record
from practice.views.portal import frame


@doors.portal
@doors.about("data_request")
@require_http_methods(["GET", "HEAD", "POST"])
def requests(request: PersonRequest) -> HttpResponse:
    """Ask; what became of it is shown to whoever has proved twice who they are."""
    if request.method != "POST":
        return _requests(request)
    form = forms.Request(request.POST)
    if not form.is_valid():
        return _requests(request, status=form.status)
    access.ask_about_record(
        person=request.portal.person,
        kind=DataRequest.Kind(form.cleaned_data["kind"]),
        by=request.actor,
        now=timezone.now(),
    )
    if request.portal.proof < PROOF_SECOND:
        return _requests(request, received=True)
    return redirect("practice:portal-requests")


def _requests(request: PersonRequest, *, received: bool = False, status: int = 200) -> HttpResponse:
    proved = request.portal.proof >= PROOF_SECOND
    found = queries.requests(request.portal.person_id) if proved else []
    context = {
        "requests": found,
        "open": {one.kind for one in found if one.answered_at is None},
        "received": received,
    }
    return frame.page(request, "requests", context, status=status)


@doors.portal_proved
@doors.about("person")
@require_safe
def copy(request: PersonRequest) -> HttpResponse:
    """The own record as a file: what is this person's, and not a word of anybody else's."""
    access.note_copy(session=request.portal, by=request.actor, now=timezone.now())
    found = record.of_person(request.portal.person, with_shut=False)
    response = HttpResponse(
        json.dumps(found, ensure_ascii=False, indent=2), content_type="application/json"
    )
    response["Content-Disposition"] = 'attachment; filename="my-record.json"'
    return response
