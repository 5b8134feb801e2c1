"""Review an intake: claim it, ask for more, decide. What it does to bookings, `practice` adds."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from clients.actions import audit, notices
from clients.actions.people import NewRows
from clients.models import AuditEntry, Case, Member, Person
from clients.queries import care, people
from clients.rules import contact, permissions
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from intake.actions import giving
from intake.actions import safety as safety_actions
from intake.models import Review, ReviewStep
from intake.queries import reviewing, safety
from intake.rules import review as policy

Decision, Kind = Review.Decision, ReviewStep.Kind


@transaction.atomic
def open_review(
    *, case: Case, due_at: datetime, within_hours: int = 48, by: Actor, now: datetime
) -> Review:
    """Put a case into the queue, or let its open review be due anew.

    `due_at` is what it may not wait beyond, such as the session; it is due earlier, `within_hours`
    after the first form came in. A step of whoever gives forms to an enquiry that is known, reopens
    one, or takes it up from the waiting list; nobody is asked whether they may. A booking that
    brings a new case writes its review itself, by `new_review`.
    """
    # One at a time: two bookings of a case at the same moment open one.
    row = Case.objects.select_for_update(no_key=True).get(pk=case.pk)
    review = Review.objects.open().filter(case=row.pk).first()
    if review is None:
        review = Review(case=row, opened_at=now, due_at=due_at)
    is_new = review._state.adding
    review.case = row
    review.latest_at, review.within_hours = due_at, within_hours
    review.due_at = _due(review)
    review.save()
    if is_new:
        _audit("review.opened", review, by, now)
        if not safety.clinicians(row):
            safety_actions.need_clinician(case=row, by=by, now=now)
    return review


def new_review(
    *, case: Case, due_at: datetime, within_hours: int, by: Actor, now: datetime
) -> NewRows[Review]:
    """A first review of a case that is just being opened, to be written with the rest of it.

    A step of a booking; `due_at` and `within_hours` as of `open_review`.
    """
    review = Review(
        case=case,
        opened_at=now,
        due_at=max(due_at, now),
        latest_at=due_at,
        within_hours=within_hours,
    )
    return NewRows(review, (review, _audit("review.opened", review, by, now, write=False)))


@transaction.atomic
def retime(*, case_id: UUID, session_at: datetime, by: Actor, now: datetime) -> None:  # noqa: ARG001
    """Let the open review of a case be due before the next session, if one is open.

    Where nothing was given it isn't due later than in the time that the practice takes. A step of
    whoever moves a session; the entry is that of the move.
    """
    found = Review.objects.open().filter(case=case_id)
    review = found.select_related("case").select_for_update(of=("self",)).first()
    if review is not None:
        taken = review.opened_at + timedelta(hours=review.within_hours)
        is_given = reviewing.was_given(review)
        review.latest_at = session_at if is_given else min(session_at, taken)
        review.due_at = _due(review)
        review.save(update_fields=["latest_at", "due_at"])


@transaction.atomic
def came_in(*, case: Case, by: Actor, now: datetime) -> Review | None:
    """A form came in: the open review is due anew, and is back in the queue if more was asked for.

    Called after the form is put down as sent. None where nothing waits for a review.
    """
    review = Review.objects.open().filter(case=case.pk).select_for_update(of=("self",)).first()
    if review is None:
        return None
    review.case = case
    review.due_at = _due(review)
    if review.asked_at is not None:
        review.asked_at = None
        _step(review, Kind.REOPENED, by, now)
    review.save(update_fields=["due_at", "asked_at"])
    return review


def _due(review: Review) -> datetime:
    """What came in before more was asked for doesn't count any more."""
    since = reviewing.asked_last(review) or review.opened_at
    return policy.due(
        opened_at=review.opened_at,
        latest_at=review.latest_at,
        came_in_at=reviewing.first_came_in(review.case, since),
        within=timedelta(hours=review.within_hours),
    )


# --- whose it is ---------------------------------------------------------------------------------


@transaction.atomic
def claim(*, review: Review, take_over: bool = False, by: Actor, now: datetime) -> Review:
    """Take a review on; twice is the same as once. Who had it before is told.

    Refuses (NotPermitted) who may not review, (NotAllowed) what was decided, and what a colleague
    has claimed unless it is taken over on purpose.
    """
    review = _locked(review, by)
    before = review.claimed_by
    policy.check_claimable(claimed_by=review.claimed_by_id, by=by.id, take_over=take_over)
    if review.claimed_by_id == by.id:
        return review
    review.claimed_by_id, review.claimed_at = by.id, now
    review.save(update_fields=["claimed_by", "claimed_at"])
    _step(review, Kind.CLAIMED, by, now)
    if before is not None:
        _tell_taken(before, review, by, now)
    return review


def _tell_taken(before: Member, review: Review, by: Actor, now: datetime) -> None:
    notices.tell(
        members=[before],
        kind="review_taken",
        subject_kind="review",
        subject_id=review.pk,
        again=True,
        by=by,
        now=now,
    )


@transaction.atomic
def release(*, review: Review, by: Actor, now: datetime) -> Review:
    """Give a review back. Refuses as `claim` does, and (NotAllowed) what isn't one's own."""
    review = _locked(review, by)
    policy.check_releasable(claimed_by=review.claimed_by_id, by=by.id)
    review.claimed_by = review.claimed_at = None
    review.save(update_fields=["claimed_by", "claimed_at"])
    _step(review, Kind.RELEASED, by, now)
    return review


# --- what comes of it ----------------------------------------------------------------------------


@transaction.atomic
def ask_more(
    *, review: Review, words: str, person: Person | None = None, by: Actor, now: datetime
) -> Review:
    """Ask those of the case, or one of them, for more; the words stand on their own page.

    Refuses (NotPermitted) who may not review, (NotAllowed) what was decided or is a colleague's,
    and words that say too little or too much; (NotOfCase) somebody who isn't of the case.
    """
    review = _decidable(review, by)
    words = _cleaned(words)
    if person is not None:
        person = next((one for one in people.persons_of(review.case) if one.pk == person.pk), None)
        if person is None:
            raise giving.NotOfCase
    _step(review, Kind.ASKED, by, now, words=words, person=person)
    review.asked_at, review.due_at = now, _due(review)
    review.save(update_fields=["asked_at", "due_at"])
    return review


@transaction.atomic
def accept(*, review: Review, by: Actor, now: datetime) -> Review:
    """Decide to work with them. Refuses as `ask_more` does."""
    return _decided(review, Decision.ACCEPTED, Kind.ACCEPTED, by, now)


@transaction.atomic
def decline(*, review: Review, words: str, reason: str = "", by: Actor, now: datetime) -> Review:
    """Decide not to; `words` tell all of them to whom else they can turn, `reason` stays with us.

    Refuses as `ask_more` does.
    """
    return _decided(
        review, Decision.DECLINED, Kind.DECLINED, by, now, words=_cleaned(words), reason=reason
    )


@transaction.atomic
def waitlist(
    *, review: Review, words: str = "", reason: str = "", by: Actor, now: datetime
) -> Review:
    """Put them on the waiting list; with `words` for all of them, if any. Refuses as above."""
    words = _cleaned(words) if words.strip() else ""
    return _decided(
        review, Decision.WAITLISTED, Kind.WAITLISTED, by, now, words=words, reason=reason
    )


@transaction.atomic
def resume(*, review: Review, within_hours: int, by: Actor, now: datetime) -> Review:
    """Take up again what was put on the waiting list: a review of its own, which is returned.

    Refuses (NotPermitted) who may not review, (NotAllowed) what was decided in another way, or
    was taken up already.
    """
    # The case first: a booking that opens a review at this moment waits, or has done it.
    case = Case.objects.select_for_update(no_key=True).get(pk=review.case_id)
    row = _seen(review, by)
    policy.check_resumable(on_list=reviewing.is_on_list(row))
    due_at = now + timedelta(hours=within_hours)
    again = open_review(case=case, due_at=due_at, within_hours=within_hours, by=by, now=now)
    _step(again, Kind.REOPENED, by, now)
    return again


@transaction.atomic
def end(*, case_id: UUID, by: Actor, now: datetime) -> None:
    """Take a case out of the queue that waits for a decision, if it does: it was closed.

    A step of whoever closes it, who was asked whether they may.
    """
    found = Review.objects.open().filter(case=case_id)
    review = found.select_related("case").select_for_update(of=("self",)).first()
    if review is not None:
        member_id = by.id if by.kind == "member" else None
        _settle(review, Decision.CLOSED, member_id, now)
        _step(review, Kind.CLOSED, by, now)
        notices.settle(kind="review_taken", subject_ids=[review.pk], by=by, now=now)


def _decided(
    review: Review,
    decision: Review.Decision,
    kind: ReviewStep.Kind,
    by: Actor,
    now: datetime,
    *,
    words: str = "",
    reason: str = "",
) -> Review:
    review = _decidable(review, by)
    _settle(review, decision, by.id, now)
    reason = contact.paragraph(reason, limit=policy.MOST_WORDS).strip()
    _step(review, kind, by, now, words=words, reason=reason)
    notices.settle(kind="review_taken", subject_ids=[review.pk], by=by, now=now)
    return review


def _settle(review: Review, decision: Review.Decision, by_id: UUID | None, now: datetime) -> None:
    review.decision, review.decided_at, review.decided_by_id = decision, now, by_id
    review.save(update_fields=["decision", "decided_at", "decided_by"])


def _decidable(review: Review, by: Actor) -> Review:
    review = _locked(review, by)
    policy.check_decidable(claimed_by=review.claimed_by_id, by=by.id)
    return review


def _cleaned(words: str) -> str:
    words = contact.paragraph(words, limit=policy.MOST_WORDS).strip()
    policy.check_words(words)
    return words


def _locked(review: Review, by: Actor) -> Review:
    """The review as it stands now, locked, while it is open.

    Refuses as `_seen` does, (NotAllowed) a decided one.
    """
    row = _seen(review, by)
    policy.check_open(decided=row.decided_at is not None)
    return row


def _seen(review: Review, by: Actor) -> Review:
    """The review as it stands now, locked.

    Refuses (NotPermitted) who may not know of the case, or not review.
    """
    found = Review.objects.visible_to(by.without_glass()).filter(pk=review.pk)
    row = (
        found.select_related("case__couple__key", "case__person__key", "claimed_by")
        .select_for_update(of=("self",))
        .first()
    )
    if row is None:
        raise NotPermitted
    permissions.check_reviews(by, counsels=care.counsels(by, row.case))
    return row


def _step(
    review: Review,
    kind: ReviewStep.Kind,
    by: Actor,
    now: datetime,
    *,
    words: str = "",
    reason: str = "",
    person: Person | None = None,
) -> None:
    """Add a step, and an entry of what was done; never of what was written."""
    step = ReviewStep(
        review=review,
        kind=kind,
        at=now,
        by_id=by.id if by.kind == "member" else None,
        person=person,
        words=words or None,
        reason=reason or None,
    )
    step.save(force_insert=True)
    _audit(f"review.{kind}", review, by, now, person.pk if person else None)


def _audit(
    verb: str,
    review: Review,
    by: Actor,
    now: datetime,
    person_id: UUID | None = None,
    *,
    write: bool = True,
) -> AuditEntry:
    return audit.record(
        verb=verb,
        subject_kind="review",
        subject_id=review.pk,
        person_id=person_id,
        case_id=review.case_id,
        by=by,
        now=now,
        write=write,
    )
