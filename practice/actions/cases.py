"""Close a case and reopen it; one for which something is still to come stays open."""

from datetime import datetime, timedelta

from django.db import transaction

from clients.actions import care
from clients.models import Case
from clients.rules.actors import Actor
from intake.actions import reviewing
from intake.queries import reviewing as waiting
from practice.actions import forms
from practice.models import Appointment
from practice.queries import offers


class StillComing(Exception):
    """Appointments of the case are still to come: they are cancelled first."""


@transaction.atomic
def close(*, case: Case, by: Actor, now: datetime) -> Case:
    """Close a case: nothing is booked or asked for it any more; the time to keep it begins.

    Where it waited for a decision, it is out of the queue.
    Refuses (StillComing) while an appointment is to come, and as `clients.actions.care.close` does.
    """
    closed = care.close(case=case, by=by, now=now)
    # Its row is locked by now: who books for it at this moment waits, and finds it closed.
    if Appointment.objects.coming(now).filter(case=closed.pk).exists():
        raise StillComing
    forms.end_of_case(case=closed, by=by, now=now)
    reviewing.end(case_id=closed.pk, by=by, now=now)
    return closed


@transaction.atomic
def reopen(*, case: Case, by: Actor, now: datetime) -> Case:
    """Go on with a closed case: in care where anybody has come, else the enquiry that it was.

    An enquiry that waited for a decision when it was closed waits for one again.
    Refuses as `clients.actions.care.reopen` does.
    """
    attended = Appointment.objects.filter(
        case=case.pk, state__in=Appointment.ATTENDED, period__endswith__lte=now
    )
    opened = care.reopen(case=case, in_care=attended.exists(), by=by, now=now)
    if opened.state == Case.State.ENQUIRY and waiting.was_closed(opened.pk):
        within = offers.the_practice().review_within_hours
        due_at = now + timedelta(hours=within)
        reviewing.open_review(case=opened, due_at=due_at, within_hours=within, by=by, now=now)
    return opened
