"""What somebody finds behind their own link: the forms that they were given, and their answers."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Case, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce

from clients.rules.actors import Actor
from intake.models import Agreement, Assignment, CasePolicy, Intake, Response, ReviewStep
from intake.rules.answers import Answered
from intake.rules.definition import PRIVATE_CHECK
from intake.rules.taking import POLICY_VERSION


def by_link(token_hash: bytes, now: datetime) -> Intake | None:
    """The intake that a link opens while it works; one statement."""
    found = Intake.objects.opened_by(token_hash, now)
    return found.select_related("person__key", "case").first()


def own(person_id: UUID, intake_id: UUID, now: datetime) -> Intake | None:
    """A person's own intake, for as long as its link would open it; one statement."""
    return (
        Intake.objects.visible_to(Actor.of_person(person_id))
        .filter(pk=intake_id, ended_at__isnull=True, ends_at__gt=now)
        .select_related("person__key", "case__couple__key", "case__person__key")
        .first()
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """One form as its person finds it: whether something is answered, and whether it waits.

    What is `stuck` waits for a private check that nobody can send any more.
    """

    assignment: Assignment
    begun: bool
    locked: bool
    stuck: bool = False

    @property
    def is_sent(self) -> bool:
        return self.assignment.state == Assignment.State.SENT

    @property
    def minutes(self) -> int:
        """About how long it takes; of a short form its own figure, where there is one."""
        definition = self.assignment.instrument.parsed
        return (self.assignment.short and definition.short_minutes) or definition.minutes


def listed(intake: Intake, now: datetime) -> list[Listed]:
    """The forms that are open or were sent, in the practice's order; one statement.

    Until the private check is sent, it is the only one that can be opened.
    """
    found = list(
        Assignment.objects.filter(intake=intake)
        .filter(Q(state=Assignment.State.SENT) | _open(now))
        .annotate(check_state=_check_of(intake.case_id, intake.person_id))
        .select_related("instrument", "response")
        .defer("response__answers", "response__scores", "instrument__fhir")
        .order_by("position", "number", "pk")
    )
    can_be_sent = any(_is_waiting_check(one) for one in found)
    rows = [
        Listed(
            one,
            begun=getattr(one, "response", None) is not None,
            locked=(waits := _waits(one, one.check_state)),  # type: ignore[attr-defined]
            stuck=waits and not can_be_sent and one.state == Assignment.State.OPEN,
        )
        for one in found
    ]
    # What is asked first stands first.
    return sorted(rows, key=lambda one: not _is_waiting_check(one.assignment))


def _open(now: datetime) -> Q:
    unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    return Q(state=Assignment.State.OPEN) & unexpired


def _is_waiting_check(assignment: Assignment) -> bool:
    return assignment.slug == PRIVATE_CHECK and assignment.state == Assignment.State.OPEN


def assignment(intake: Intake, pk: UUID) -> Assignment | None:
    """One form of this intake, with the version that was given; one statement."""
    found = (
        Assignment.objects.filter(intake=intake, pk=pk)
        .exclude(state__in=(Assignment.State.WITHDRAWN, Assignment.State.EXPIRED))
        .select_related("instrument", "response")
        .defer("instrument__fhir")
        .first()
    )
    if found is not None:
        # The same rows, with the key that opens what was answered.
        found.intake = intake
    return found


def is_open(assignment: Assignment, now: datetime) -> bool:
    """Whether it can still be filled in."""
    expired = assignment.expires_at is not None and assignment.expires_at <= now
    return assignment.state == Assignment.State.OPEN and not expired


def was_sent(assignment: Assignment) -> bool:
    """Whether it is sent by now; one statement."""
    return Assignment.objects.filter(pk=assignment.pk, state=Assignment.State.SENT).exists()


def response_of(assignment: Assignment) -> Response | None:
    """What was answered so far, if anything; no statement where it came with the assignment."""
    found: Response | None = getattr(assignment, "response", None)
    if found is not None:
        found.assignment = assignment
    return found


def answers_of(response: Response | None) -> dict[str, Answered]:
    """The answers themselves, unsealed. Of a form that was sent, nobody asks by a link."""
    return response.said() if response else {}


def waits_for_the_check(assignment: Assignment) -> bool:
    """Whether the private check has to be sent before this one; one statement at most."""
    if assignment.slug == PRIVATE_CHECK:
        return False
    intake = assignment.intake
    found = Assignment.objects.filter(pk=assignment.pk).values_list(
        _check_of(intake.case_id, intake.person_id), flat=True
    )
    return _waits(assignment, found.first())


def _waits(assignment: Assignment, check: str | None) -> bool:
    """Whoever was ever given a check has to send one: an expired one opens nothing.

    Nor does one that was taken back, which doesn't take a clinician; but it doesn't undo that
    they sent another.
    """
    return assignment.slug != PRIVATE_CHECK and check not in (None, Assignment.State.SENT)


def _check_of(case_id: UUID, person_id: UUID) -> Subquery:
    """How the last private check of this person for this case stands, in whichever intake.

    One that was taken back is looked at only where there is no other.
    """
    checks = Assignment.objects.filter(
        intake__case=case_id, intake__person=person_id, slug=PRIVATE_CHECK
    )
    withdrawn_last = Case(When(state=Assignment.State.WITHDRAWN, then=1), default=0)
    newest = (withdrawn_last, F("number").desc(), F("assigned_at").desc())
    return Subquery(checks.order_by(*newest).values("state")[:1])


# --- how what is said alone is kept --------------------------------------------------------------


def policy_of(intake: Intake) -> str:
    """The kind of the case's policy; the narrower one where none was set. One statement."""
    found = CasePolicy.objects.filter(case=intake.case_id).values_list("kind", flat=True).first()
    return found or CasePolicy.Kind.LIMITED


def has_accepted(intake: Intake) -> bool:
    """Whether the person accepted the policy of the case in its words of today; one statement."""
    kinds = CasePolicy.objects.filter(case=OuterRef("case")).values("kind")
    kind = Coalesce(Subquery(kinds), Value(str(CasePolicy.Kind.LIMITED)))
    return (
        Agreement.objects.visible_to(Actor.of_person(intake.person_id))
        .standing()
        .filter(case=intake.case_id, kind=Agreement.Kind.POLICY, slug=kind, version=POLICY_VERSION)
        .exists()
    )


# --- what the practice wrote back ----------------------------------------------------------------


def words_of_review(intake: Intake) -> ReviewStep | None:
    """What the practice last decided or asked, with its words to this person; one statement."""
    told = (
        ReviewStep.Kind.ASKED,
        ReviewStep.Kind.ACCEPTED,
        ReviewStep.Kind.DECLINED,
        ReviewStep.Kind.WAITLISTED,
    )
    return (
        ReviewStep.objects.filter(review__case=intake.case_id, kind__in=told)
        .filter(Q(person=intake.person_id) | Q(person__isnull=True))
        .select_related("person__key", "review__case__couple__key", "review__case__person__key")
        .order_by("-at", "-pk")
        .first()
    )
