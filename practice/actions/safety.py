"""Close a flag, with what that means for a partner who couldn't be written to."""

from datetime import datetime

from django.db import transaction

from clients.rules.actors import Actor
from intake.actions import safety
from intake.models import Flag
from intake.models.safety import is_in_safe_mode
from practice.actions import booking
from practice.models import Appointment, Attendance


@transaction.atomic
def close(*, flag: Flag, note: str, asked: bool, by: Actor, now: datetime) -> Flag:
    """Close a flag; with `asked`, the partner may be invited, unless another flag is open.

    Without it nothing goes out by itself: the counselor lets the partner be invited, or doesn't.

    Refuses as `intake.actions.safety.close` does.
    """
    closed = safety.close(flag=flag, note=note, asked=asked, by=by, now=now)
    if asked and not is_in_safe_mode(closed.case):
        _open_gates(closed, by, now)
    return closed


def _open_gates(flag: Flag, by: Actor, now: datetime) -> None:
    """Where something else is in the way, such as a shared address, a gate stays shut."""
    coming = Appointment.objects.coming(now).filter(case=flag.case_id)
    waiting = Attendance.objects.filter(
        appointment__in=coming, gate=Attendance.Gate.PRIVATE_CHECK
    ).exclude(state=Attendance.State.CANCELLED)
    for one in waiting.order_by("pk"):
        try:
            booking.open_gate(attendance=one, asked_in_person=True, by=by, now=now)
        except (booking.GateStaysShut, booking.CounselorDecides):
            continue
