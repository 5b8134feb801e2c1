"""How each score of a case changes over time."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from clients import doors
from clients.doors import MemberRequest
from intake.views.cycle import find


@doors.desk
@doors.about("response")
@require_safe
def change(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Every scored form that a case has sent, over time."""
    return render(request, "duet/intake/change.html", {"case": find(request, pk)})
