"""Decide on an intake, with what that means for the case, its bookings and its open forms.

Locks are taken in the order in which others take them: appointments, case, forms, review.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from clients.actions import care
from clients.models import Case, Person
from clients.rules.actors import Actor
from clients.rules.permissions import can_answer_requests, can_keep_diary
from intake.actions import giving, reviewing
from intake.models import Assignment, Review
from practice.actions import booking
from practice.models import Appointment


class StillBooked(Exception):
    """Something is booked in a diary that the actor doesn't keep: it is cancelled there first."""


@transaction.atomic
def accept(*, review: Review, by: Actor, now: datetime) -> Review:
    """Take them on, and accept what they asked for where the actor answers requests.

    Refuses as `intake.actions.reviewing.accept` does.
    """
    coming = _coming(review.case, now)
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
    coming = _coming(review.case, now)
    _end(coming, by, now)
    waiting = Assignment.objects.open().filter(intake__case=review.case_id)
    for assignment in waiting.select_related("intake__case").order_by("pk"):
        giving.withdraw(assignment=assignment, by=by, now=now)
    decided = reviewing.decline(review=review, words=words, reason=reason, by=by, now=now)
    care.turn_away(case=review.case, by=by, now=now)
    return decided


@transaction.atomic
def waitlist(
    *, review: Review, words: str = "", reason: str = "", by: Actor, now: datetime
) -> Review:
    """Let them wait for a place: what is booked is cancelled, their forms stay open.

    Refuses as `intake.actions.reviewing.waitlist` does, (StillBooked) as `decline`.
    """
    coming = _coming(review.case, now)
    _end(coming, by, now)
    return reviewing.waitlist(review=review, words=words, reason=reason, by=by, now=now)


def _coming(case: Case, now: datetime) -> list[Appointment]:
    """What is booked or asked for, locked: nobody changes it while this is decided."""
    rows = Appointment.objects.coming(now).filter(case=case.pk).select_related("counselor")
    return list(rows.select_for_update(of=("self",), no_key=True).order_by("pk"))


def _end(coming: Sequence[Appointment], by: Actor, now: datetime) -> None:
    for one in coming:
        asked = one.state == Appointment.State.REQUESTED
        may = can_answer_requests if asked else can_keep_diary
        if not may(by, one.counselor.member_id):
            raise StillBooked
        booking.cancel(appointment=one, by=by, now=now)


@transaction.atomic
def ask_more(
    *, review: Review, words: str, person: Person | None = None, by: Actor, now: datetime
) -> Review:
    """Ask them, or one of them, for more; a letter that says nothing leads to their own page.

    Refuses as `intake.actions.reviewing.ask_more` does.
    """
    return reviewing.ask_more(review=review, words=words, person=person, by=by, now=now)
