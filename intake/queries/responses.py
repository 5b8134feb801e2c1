"""What was sent, for members who may read it, with the version of the form that it answers."""

from collections.abc import Iterable
from typing import cast
from uuid import UUID

from django.db.models import QuerySet

from clients.models import Case
from clients.rules.actors import Actor
from intake.models import Assignment, Instrument, Response


def sent(
    actor: Actor, *, case: UUID | None = None, person: UUID | None = None, slug: str = ""
) -> QuerySet[Response]:
    """Responses that the actor may read: of one case, one person or one form, where said."""
    found = cast("QuerySet[Response]", Response.objects.visible_to(actor).sent())
    if case:
        found = found.filter(assignment__intake__case=case)
    if person:
        found = found.filter(assignment__intake__person=person)
    if slug:
        found = found.filter(assignment__slug=slug)
    return found.select_related("assignment__intake__person__key")


def one(actor: Actor, pk: UUID) -> Response | None:
    """One that the actor may read, with its form and person; a guarded one for clinicians alone."""
    return sent(actor).select_related("assignment__instrument").filter(pk=pk).first()


def readable(actor: Actor, case: Case) -> dict[UUID, UUID]:
    """Of what was given in a case, which answers the actor may read; one statement, no words."""
    found = Response.objects.visible_to(actor).sent().filter(assignment__intake__case=case.pk)
    return dict(found.order_by().values_list("assignment", "pk"))


def unguarded(found: "QuerySet[Response]") -> "QuerySet[Response]":
    """Without private checks: those are read one by one, and leave in no list or file."""
    return found.filter(guarded=False)


def case(actor: Actor, pk: UUID) -> Case | None:
    """A case whose record the actor may read."""
    return Case.objects.opened_to(actor).filter(pk=pk).first()


def of_case(actor: Actor, case: Case) -> list[Response]:
    """What those of a case have sent, private checks aside, the oldest first; one statement."""
    return list(unguarded(sent(actor, case=case.pk)).order_by("sent_at", "pk"))


def given(actor: Actor, *, case: UUID | None = None) -> QuerySet[Assignment]:
    """What was given to people whom the actor may know of."""
    found = Assignment.objects.visible_to(actor)
    if case:
        found = found.filter(intake__case=case)
    return found.select_related("intake")


def instruments(rows: Iterable[Assignment]) -> dict[UUID, Instrument]:
    """The versions of these, each once, so that each definition is read once; one statement."""
    return Instrument.objects.in_bulk({one.instrument_id for one in rows})
