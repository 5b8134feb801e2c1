"""What was given to whom, and what became of it: never what it says."""

from collections.abc import Iterable
from uuid import UUID

from clients.models import Case
from clients.rules.actors import Actor
from intake.models import Assignment, Instrument, Intake
from intake.rules.definition import PRIVATE_CHECK

_SHOWN = 200


def standing(case_id: UUID) -> list[Intake]:
    """The links of a case that haven't ended; one statement."""
    rows = Intake.objects.filter(case=case_id, ended_at__isnull=True)
    return list(rows.select_related("person__key").order_by("opened_at", "pk"))


def open_of(intakes: Iterable[Intake]) -> dict[UUID, list[Assignment]]:
    """What is open behind each of these links; one statement."""
    found: dict[UUID, list[Assignment]] = {one.pk: [] for one in intakes}
    rows = Assignment.objects.open().filter(intake__in=list(found))
    for row in rows.order_by("position", "pk"):
        found[row.intake_id].append(row)
    return found


def listed(actor: Actor, case: Case) -> list[Assignment]:
    """Everything that was given to those of a case, the newest first; one statement."""
    rows = Assignment.objects.visible_to(actor).filter(intake__case=case.pk)
    rows = rows.select_related("intake", "instrument").defer(
        "instrument__definition", "instrument__fhir"
    )
    return list(rows.order_by("-assigned_at", "position", "slug", "pk")[:_SHOWN])


def assignment(actor: Actor, pk: UUID) -> Assignment | None:
    """One that the actor may know of."""
    rows = Assignment.objects.visible_to(actor)
    return rows.select_related("intake__case", "intake__person__key").filter(pk=pk).first()


def intake(actor: Actor, pk: UUID) -> Intake | None:
    """A link that the actor may know of."""
    rows = Intake.objects.visible_to(actor)
    return rows.select_related("case", "person__key").filter(pk=pk).first()


def givable(actor: Actor) -> list[Instrument]:
    """The versions that are given now, by title; without their content."""
    rows = Instrument.objects.visible_to(actor).published()
    return list(rows.defer("fhir").order_by("title", "slug"))


def given_slugs(case_id: UUID, persons: Iterable[UUID]) -> dict[UUID, set[str]]:
    """What each of these was ever given for a case, but for what was withdrawn; one statement."""
    found: dict[UUID, set[str]] = {person: set() for person in persons}
    rows = Assignment.objects.filter(intake__case=case_id, intake__person__in=list(found))
    kept = rows.exclude(state=Assignment.State.WITHDRAWN)
    for person, slug in kept.values_list("intake__person", "slug"):
        found[person].add(slug)
    return found


def checked(case_id: UUID, persons: Iterable[UUID]) -> bool:
    """Whether every one of these has sent the private check for this case; one statement."""
    wanted = set(persons)
    rows = Assignment.objects.filter(
        intake__case=case_id,
        intake__person__in=wanted,
        slug=PRIVATE_CHECK,
        state=Assignment.State.SENT,
    )
    return bool(wanted) and set(rows.values_list("intake__person", flat=True)) == wanted
