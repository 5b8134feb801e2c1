"""Decide on an intake, with what that means for the case, its bookings and its open forms.

Locks are taken in the order of `practice.actions.forms`, and the review's comes last: whoever
decides holds the case, and whoever sends a form holds that form.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from clients.actions import care
from clients.models import Case, Person
from clients.queries import people
from clients.rules.actors import Actor
from clients.rules.permissions import can_answer_requests, can_keep_diary
from intake.actions import giving, reviewing
from intake.models import Assignment, Intake, Review
from intake.rules import review as policy
from practice.actions import booking, forms
from practice.models import Appointment


class StillBooked(Exception):
    """Something is booked in a diary that the actor doesn't keep: it is cancelled there first."""


class NothingOpen(Exception):
    """Those who are asked have no form in which they could answer: one is given first."""


@transaction.atomic
def accept(*, review: Review, by: Actor, now: datetime) -> Review:
    """Take them on, and accept what they asked for where the actor answers requests.

    Refuses as `intake.actions.reviewing.accept` does.
    """
    coming = _held(review, now)
    care.take_on(case=review.case, by=by, now=now)
    decided = reviewing.accept(review=review, by=by, now=now)
    for one in coming:
        asked = one.state == Appointment.State.REQUESTED and one.starts_at > now
        if asked and can_answer_requests(by, one.counselor.member_id):
            booking.accept(appointment=one, by=by, now=now)
    return decided


@transaction.atomic
def decline(*, review: Review, words: str, reason: str = "", by: Actor, now: datetime) -> Review:
    """Turn them away with words that they read on their own page; what they have open is withdrawn.

    What is booked is cancelled; an enquiry is closed, a case in care stays open. Refuses as
    `intake.actions.reviewing.decline` does, (StillBooked) what the actor may not cancel.
    """
    _end(_held(review, now), by, now)
    waiting = Assignment.objects.open().filter(intake__case=review.case_id)
    for assignment in waiting.select_related("intake__case").order_by("pk"):
        try:
            forms.withdraw(assignment=assignment, by=by, now=now)
        except giving.NotOpen:  # sent at this moment, and so it stays
            continue
    decided = reviewing.decline(review=review, words=words, reason=reason, by=by, now=now)
    forms.tell(case=review.case, by=by, now=now)
    care.turn_away(case=review.case, by=by, now=now)
    return decided


@transaction.atomic
def waitlist(
    *, review: Review, words: str = "", reason: str = "", by: Actor, now: datetime
) -> Review:
    """Let them wait for a place: what is booked is cancelled, their forms stay open.

    Refuses as `intake.actions.reviewing.waitlist` does, (StillBooked) as `decline`.
    """
    _end(_held(review, now), by, now, keep_forms=True)
    decided = reviewing.waitlist(review=review, words=words, reason=reason, by=by, now=now)
    forms.tell(case=review.case, by=by, now=now)
    return decided


def _held(review: Review, now: datetime) -> list[Appointment]:
    """What is booked or asked for, locked with the case: nobody changes it meanwhile.

    Refuses (NotAllowed) a closed case.
    """
    rows = Appointment.objects.coming(now).filter(case=review.case_id).select_related("counselor")
    coming = list(rows.select_for_update(of=("self",), no_key=True).order_by("pk"))
    case = Case.objects.select_for_update(of=("self",), no_key=True).get(pk=review.case_id)
    policy.check_case_open(closed=case.state == Case.State.CLOSED)
    return coming


def _end(
    coming: Sequence[Appointment], by: Actor, now: datetime, *, keep_forms: bool = False
) -> None:
    for one in coming:
        asked = one.state == Appointment.State.REQUESTED
        may = can_answer_requests if asked else can_keep_diary
        if not may(by, one.counselor.member_id):
            raise StillBooked
        booking.cancel(appointment=one, keep_forms=keep_forms, by=by, now=now)


@transaction.atomic
def ask_more(
    *,
    review: Review,
    words: str,
    person: Person | None = None,
    slug: str = "",
    by: Actor,
    now: datetime,
) -> Review:
    """Ask those of the case, or one of them, for more; a letter that says nothing brings the link.

    With `slug` they are given that form, once more if they have sent it; without, they are asked
    again for what they have open. Refuses (NothingOpen) where that is nothing, and as
    `intake.actions.reviewing.ask_more` and `intake.actions.giving.give_round` do.
    """
    _held(review, now)
    present = people.persons_of(review.case)
    asked = [one for one in present if person is None or one.pk == person.pk]
    given = _give(review.case, asked, slug, by, now) if slug else []
    rest = [one for one in asked if one not in given]
    if not _ask_again(review.case, rest, by, now) and not given:
        raise NothingOpen
    return reviewing.ask_more(review=review, words=words, person=person, by=by, now=now)


def _give(
    case: Case, persons: Sequence[Person], slug: str, by: Actor, now: datetime
) -> list[Person]:
    """Give a form to those who don't have it open; who they are."""
    has = Assignment.objects.open().filter(intake__case=case.pk, slug=slug)
    open_to = set(has.values_list("intake__person", flat=True))
    new = [one for one in persons if one.pk not in open_to]
    if new:
        forms.give_by_hand(
            case=case, persons=new, slugs=[slug], due_at=None, expires_at=None, by=by, now=now
        )
    return new


def _ask_again(case: Case, persons: Sequence[Person], by: Actor, now: datetime) -> int:
    """Ask again for what is open; of how many."""
    asked = 0
    rows = Intake.objects.filter(case=case.pk, person__in=[one.pk for one in persons])
    for intake in rows.filter(ended_at__isnull=True, ends_at__gt=now).order_by("pk"):
        try:
            forms.ask_again(intake=intake, by=by, now=now)
        except giving.NotOpen:
            continue
        asked += 1
    return asked
