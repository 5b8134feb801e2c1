"""What a member must be told: at the top of their desk, until they take note."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from clients import doors
from clients.actions import notices as acts
from clients.doors import MemberRequest
from clients.queries import care, notices, reading
from clients.queries.notices import Told
from clients.rules.actors import Actor
from clients.rules.permissions import Right, can


@dataclass(frozen=True, slots=True)
class Line:
    """One notice: its sentence goes by the kind, and the link leads to what it is about."""

    id: UUID
    kind: str
    at: datetime
    url: str


def lines(actor: Actor) -> list[Line]:
    """What this member has not taken note of yet; one statement, and one for some kinds."""
    return [Line(one.id, one.kind, one.made_at, _url(one, actor)) for one in notices.unseen(actor)]


def _url(told: Told, actor: Actor) -> str:
    if told.kind == "needs_clinician":
        # Of a restricted case admins are told who can neither open it nor give it somebody.
        knows = care.knows_of(actor, told.subject_id)
        return reverse("practice:desk-care", args=[told.subject_id]) if knows else ""
    if told.subject_kind == "flag":
        return reverse("practice:desk-flag", args=[told.subject_id])
    if told.subject_kind == "review":
        return reverse("practice:desk-review", args=[told.subject_id])
    if told.case_id:
        return reverse("practice:desk-case", args=[told.case_id])
    if told.kind == "data_request":
        # Of a restricted client the counselor is told, who answers nothing themselves.
        return reverse("practice:desk-requests") if can(actor, Right.ANSWER_REQUESTS) else ""
    access = reverse("practice:desk-access")
    if told.subject_kind == "week":
        monday = reading.monday_of(told.subject_id)
        return f"{access}?week={monday.isoformat()}" if monday else access
    return f"{access}#unusual" if told.kind == "unusual_reading" else ""


@doors.desk
@doors.about("notice")
@require_POST
def seen(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Take note of one of one's own notices. Refuses (404) another's, and one that is gone."""
    if not acts.seen(notice_id=pk, by=request.actor, now=timezone.now()):
        raise Http404
    return redirect("practice:desk")
