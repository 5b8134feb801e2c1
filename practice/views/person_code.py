"""The code with which a client sets their PIN: given by the desk, in the room or by telephone."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from clients import doors
from clients.actions import access
from clients.doors import MemberRequest
from clients.models import Person
from clients.queries import access as queries
from clients.rules.actors import Actor
from practice.actions import reads
from practice.forms.portal import Button
from practice.queries import pages


@doors.desk
@doors.about("person")
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Give a code, and show it this once. A page that is loaded again gives another."""
    person = _person(request.actor, pk)
    given = ""
    if request.method == "POST" and Button(request.POST).is_valid():
        given = access.give_code(person=person, by=request.actor, now=timezone.now())
    reads.on_code(person=person, by=request.actor, now=timezone.now())
    context = {"practice": pages.practice(), "person": person, "code": given}
    return render(request, "duet/practice/desk_code.html", context)


@doors.desk
@doors.about("client_session")
@require_POST
def end_sessions(request: MemberRequest, pk: UUID) -> HttpResponse:
    """End all of a client's sessions and links: a telephone is lost, somebody reads along."""
    person = _person(request.actor, pk)
    if Button(request.POST).is_valid():
        access.end_all(person=person, by=request.actor, now=timezone.now())
    return redirect("practice:desk-code", pk=person.pk)


def _person(actor: Actor, pk: UUID) -> Person:
    """Refuses (404, as one that isn't there) persons whom the member doesn't see or counsel.

    Who answers what clients ask may, and who counsels them; a broken glass is for reading.
    """
    found = Person.objects.visible_to(actor.without_glass()).select_related("key").filter(pk=pk)
    person = found.first()
    if person is None or not queries.keeps_access(actor, person):
        raise Http404
    return person
