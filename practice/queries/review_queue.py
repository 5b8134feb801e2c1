"""The queue of intakes, and what stands behind one; each function says how many statements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from clients.models import Case, CoupleMember
from clients.rules.actors import Actor
from intake.models import Assignment, Flag, Response, Review
from intake.queries import reviewing
from intake.rules import review as rules
from intake.rules.review import Given, Standing
from practice.models import Appointment
from practice.queries.caseload import Voice, voices

PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Waiting:
    """One line of the queue. `flagged` is said to nobody but those who see the flag."""

    review: Review
    voices: tuple[Voice, ...]
    came_in: int
    session: Appointment | None
    flagged: bool
    is_late: bool

    @property
    def of(self) -> int:
        """How many persons the case has."""
        return len(self.voices)

    @property
    def standing(self) -> Standing:
        """How far it has come in."""
        asked = self.review.asked_at is not None
        return rules.standing(came_in=self.came_in, of=self.of, asked=asked)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the queue, and whether there is one behind it."""

    rows: list[Waiting]
    more: bool


def listed(actor: Actor, now: datetime, *, on_list: bool = False, number: int = 1) -> Page:
    """What waits for a decision, or on the waiting list; four statements, none for an empty page.

    Flags that the actor may see come first, then what is due first; where more was asked for comes
    last. `number` counts pages from 1. Nothing sealed is read but the names.
    """
    found = _on_list(actor) if on_list else _waiting(actor)
    first = (number - 1) * PAGE
    rows = list(_with_people(found)[first : first + PAGE + 1])
    shown = rows[:PAGE]
    case_ids = [one.case_id for one in shown]
    given = reviewing.given(case_ids) if shown else {}
    sessions = _sessions(actor, case_ids, now) if shown else {}
    return Page(
        [_line(one, given.get(one.case_id, []), sessions, now) for one in shown], len(rows) > PAGE
    )


def _waiting(actor: Actor) -> QuerySet[Review]:
    flags = Flag.objects.visible_to(actor).open().filter(case=OuterRef("case"))
    return (
        Review.objects.visible_to(actor)
        .open()
        .exclude(case__state=Case.State.CLOSED)
        .annotate(flagged=Exists(flags), asked=Q(asked_at__isnull=False))
        .order_by("-flagged", "asked", "due_at", "pk")
    )


def _on_list(actor: Actor) -> QuerySet[Review]:
    """Who waits for a place, the longest first."""
    found = Review.objects.visible_to(actor).filter(reviewing.on_list())
    return found.order_by("decided_at", "pk")


def _with_people(found: QuerySet[Review]) -> QuerySet[Review]:
    members = CoupleMember.objects.filter(left_at__isnull=True).select_related("person__key")
    return found.select_related(
        "case__counselor", "case__couple", "case__person__key", "claimed_by"
    ).prefetch_related(Prefetch("case__couple__members", members.order_by("voice")))


def _sessions(actor: Actor, case_ids: Sequence[UUID], now: datetime) -> dict[UUID, Appointment]:
    """Of each of these cases the next that is booked or asked for."""
    rows = (
        Appointment.objects.visible_to(actor)
        .coming(now)
        .filter(case__in=case_ids)
        .select_related("service")
        .order_by("case", "period", "pk")
        .distinct("case")
    )
    return {one.case_id: one for one in rows if one.case_id is not None}


def _line(
    review: Review, given: Iterable[Given], sessions: dict[UUID, Appointment], now: datetime
) -> Waiting:
    marked = voices(review.case)
    return Waiting(
        review,
        marked,
        rules.how_many_in([one.person.pk for one in marked], given),
        sessions.get(review.case_id),
        bool(review.__dict__.get("flagged")),
        review.due_at <= now and review.decided_at is None,
    )


# --- one review ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Form:
    """One form that a person was given: how it stands, and its answers for who may read them."""

    assignment: Assignment
    response: Response | None


def one(actor: Actor, pk: UUID) -> Review | None:
    """A review with its case and persons, or None where it isn't theirs to know of; two."""
    found = Review.objects.visible_to(actor).filter(pk=pk)
    return (
        _with_people(found)
        .select_related(
            "case__counselor__counselor",
            "case__couple__key",
            "case__person__key",
            "claimed_by",
            "decided_by",
        )
        .first()
    )


def line(actor: Actor, review: Review, now: datetime) -> Waiting:
    """The review's own line of the queue; two statements."""
    given = reviewing.given([review.case_id]).get(review.case_id, [])
    return _line(review, given, _sessions(actor, [review.case_id], now), now)


def forms(actor: Actor, review: Review) -> list[Form]:
    """What those of the case were given, in order; two statements.

    With answers only where they are for the practice and the actor may read them: what is for the
    counselor alone has pages of its own.
    """
    given = list(
        Assignment.objects.visible_to(actor)
        .filter(intake__case=review.case_id)
        .exclude(state=Assignment.State.WITHDRAWN)
        .select_related("instrument", "intake")
        .order_by("intake__person", "position", "number", "pk")
    )
    read = Response.objects.visible_to(actor).sent().filter(audience="staff", guarded=False)
    rows = read.filter(assignment__in=[one.pk for one in given]).select_related(
        "assignment__instrument", "assignment__intake__person__key"
    )
    said = {one.assignment_id: one for one in rows}
    return [Form(one, said.get(one.pk)) for one in given]
