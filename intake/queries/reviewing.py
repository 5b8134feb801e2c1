"""How far an intake has come in, and what was done about it."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Exists, Max, Min, OuterRef, Q

from clients.models import Case
from clients.rules.actors import Actor
from clients.rules.permissions import Right, can
from intake.models import Assignment, Review, ReviewStep
from intake.rules.review import Given

_SHOWN = 50
# What is given again on a rhythm isn't part of the intake.
_PART = ~Q(origin=Assignment.Origin.RHYTHM)


def given(case_ids: Iterable[UUID]) -> dict[UUID, list[Given]]:
    """For each of these cases and each of its persons, what was sent and what is missing.

    One statement, and none of what anybody said. Withdrawn forms count as never given; of what was
    given again, the last counts.
    """
    last = ("intake__case", "intake__person", "slug")
    rows = (
        Assignment.objects.filter(_PART, intake__case__in=list(case_ids))
        .exclude(state=Assignment.State.WITHDRAWN)
        .order_by(*last, "-number")
        .distinct(*last)
        .values_list("intake__case", "intake__person", "state")
    )
    counts: dict[tuple[UUID, UUID], Counter[bool]] = defaultdict(Counter)
    for case_id, person_id, state in rows:
        counts[case_id, person_id][state == Assignment.State.SENT] += 1
    found: dict[UUID, list[Given]] = defaultdict(list)
    for (case_id, person_id), count in counts.items():
        found[case_id].append(Given(person_id, count[True], count[False]))
    return dict(found)


def was_given(review: Review) -> bool:
    """Whether those of the case were given anything since the review was opened; one statement."""
    rows = Assignment.objects.filter(
        _PART, intake__case=review.case_id, assigned_at__gte=review.opened_at
    )
    return rows.exclude(state=Assignment.State.WITHDRAWN).exists()


def first_came_in(case: Case, since: datetime) -> datetime | None:
    """When the first form of a case was sent from then on; one statement."""
    sent = Assignment.objects.filter(
        _PART, intake__case=case.pk, state=Assignment.State.SENT, closed_at__gte=since
    )
    found: datetime | None = sent.aggregate(first=Min("closed_at"))["first"]
    return found


def decided_in_words(case_id: UUID) -> tuple[int, datetime] | None:
    """How often those of a case were told a decision in words, and when last; one statement."""
    told = ReviewStep.objects.filter(
        review__case=case_id,
        kind__in=[ReviewStep.Kind.DECLINED, ReviewStep.Kind.WAITLISTED],
        words__isnull=False,
    ).aggregate(number=Count("pk"), last=Max("at"))
    return (told["number"], told["last"]) if told["number"] else None


def asked_last(review: Review) -> datetime | None:
    """When more was asked for the last time; one statement."""
    found: datetime | None = ReviewStep.objects.filter(
        review=review.pk, kind=ReviewStep.Kind.ASKED
    ).aggregate(last=Max("at"))["last"]
    return found


def of_case(actor: Actor, case: Case) -> Review | None:
    """The case's open review, else its last; one statement."""
    found = Review.objects.visible_to(actor).filter(case=case.pk).select_related("claimed_by")
    return found.order_by("-opened_at", "-pk").first()


def was_closed(case_id: UUID) -> bool:
    """Whether the case's last review ended because the case was closed; one statement."""
    last = Review.objects.filter(case=case_id).order_by("-opened_at", "-pk")
    return last.values_list("decision", flat=True).first() == Review.Decision.CLOSED


def on_list() -> Q:
    """Of reviews: those that wait for a place, with nothing opened for their case since."""
    since = Review.objects.filter(
        case=OuterRef("case"), opened_at__gte=OuterRef("decided_at")
    ).exclude(pk=OuterRef("pk"))
    waits = Q(decision=Review.Decision.WAITLISTED) & ~Q(case__state=Case.State.CLOSED)
    return waits & ~Q(Exists(since))


def is_on_list(review: Review) -> bool:
    """Whether the case still waits for a place since this decision; one statement."""
    return Review.objects.filter(on_list(), pk=review.pk).exists()


def steps(actor: Actor, case: Case) -> list[ReviewStep]:
    """All that was done about the case's intakes, the last first; two statements.

    With what was written, and so for nobody but those who decide: reviewers, and its clinicians.
    """
    decides = can(actor, Right.REVIEW)
    if not decides and not Case.objects.counseled_by(actor).filter(pk=case.pk).exists():
        return []
    reviews = Review.objects.visible_to(actor).filter(case=case.pk)
    found = ReviewStep.objects.filter(review__in=reviews)
    return list(
        found.select_related(
            "by", "person__key", "review__case__couple__key", "review__case__person__key"
        ).order_by("-at", "-pk")[:_SHOWN]
    )
