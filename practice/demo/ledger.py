"""What the attendees of a drawn appointment were told, and what they still will be.

The plan is that of `practice.actions.planning`; what was due before the load counts as sent.
"""

import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from clients.actions.messages import Wanted
from clients.models import Message
from clients.rules import ledger
from practice.actions import planning
from practice.demo.drawing import Visit
from practice.demo.setting import Setting
from practice.models import Appointment, Attendance
from practice.rules import reminders, wall

_LETTERS: Final = ("requested", "confirmation", "invitation", "moved", "cancelled", "declined")
_NO_DELAY: Final = timedelta()

Quiet = Mapping[uuid.UUID, reminders.Quiet | None]


class History:
    """Plays an appointment's life up to now: booked, perhaps moved, perhaps cancelled."""

    def __init__(self, setting: Setting, rng: random.Random, now: datetime) -> None:
        self._now, self._rng = now, rng
        self._leads = {
            slug: planning.reminder_leads(Appointment(service=service))
            for slug, service in setting.services.items()
        }

    def tell(
        self,
        visit: Visit,
        appointment: Appointment,
        attendances: Sequence[Attendance],
        *,
        quiet: Quiet,
        permissions: Mapping[uuid.UUID, str],
    ) -> list[Message]:
        """Bring the appointment to its present state; returns its messages, none of them saved."""
        sheets = {attendance.pk: _Sheet() for attendance in attendances}
        for moment, reason in self._life(visit, appointment, attendances):
            for attendance in attendances:
                sheet = sheets[attendance.pk]
                self._pass(sheet, moment, permissions[attendance.person_id])
                wanted = planning.wanted(
                    appointment=appointment,
                    attendance=attendance,
                    told=sheet.told(),
                    leads=self._leads[visit.service],
                    quiet=quiet[attendance.person_id],
                    delay=_NO_DELAY,
                    now=moment,
                )
                sheet.follow(wanted, attendance, reason, moment)
        if visit.state in {"done", "no_show"}:
            appointment.state = visit.state
        for attendance in attendances:
            self._pass(sheets[attendance.pk], self._now, permissions[attendance.person_id])
        return [row for sheet in sheets.values() for row in sheet.rows.values()]

    def _life(
        self, visit: Visit, appointment: Appointment, attendances: Sequence[Attendance]
    ) -> Iterator[tuple[datetime, str]]:
        """Change the appointment step by step, and name the moment of each step."""
        booked = wall.instant(visit.booked)
        requested = visit.state == Appointment.State.REQUESTED
        appointment.state = "requested" if requested else "confirmed"
        appointment.settled_at = booked
        settle(appointment, visit.moved_from or visit.start)
        yield booked, "booked"
        if visit.moved is not None:
            appointment.sequence += 1
            appointment.settled_at = wall.instant(visit.moved)
            settle(appointment, visit.start)
            for attendance in attendances:
                # The practice moved it, so everybody is asked anew.
                attendance.state = Attendance.State.EXPECTED
            yield appointment.settled_at, "moved"
        if visit.partner_left is not None:
            partner = attendances[-1]
            partner.state = Attendance.State.CANCELLED
            partner.cancelled_at = wall.instant(visit.partner_left)
            partner.cancel_reason = "Travelling for work that week."
            yield partner.cancelled_at, "left"
        if visit.cancelled is not None:
            appointment.sequence += 1
            appointment.state = Appointment.State.CANCELLED
            appointment.cancelled_at = wall.instant(visit.cancelled)
            for attendance in attendances:
                attendance.state = Attendance.State.CANCELLED
                attendance.cancelled_at = appointment.cancelled_at
            yield appointment.cancelled_at, "cancelled"

    def _pass(self, sheet: "_Sheet", moment: datetime, permission: str) -> None:
        """Time goes by until `moment`: what was due has gone out, or has not and says why."""
        for row in sheet.rows.values():
            if row.state != Message.State.PLANNED or row.due_at > moment:
                continue
            fate = ledger.may_write(permission=permission, bounced=False, has_address=True)
            chance = self._rng.random()
            if fate is not None:
                row.state, row.reason = fate.state, fate.reason
            elif chance < 0.01:
                row.state, row.reason, row.attempts = Message.State.FAILED, "smtp_550", 1
            elif chance < 0.015:
                row.state, row.reason = Message.State.MISSED, "window_passed"
            else:
                row.state, row.attempts = Message.State.SENT, 1
                row.sent_at = min(row.due_at + timedelta(seconds=chance * 40), moment)
                # Now and then the line drops before the answer, and a copy is sent.
                if chance > 0.99:
                    row.uncertain_at, row.attempts = row.due_at, 2


class _Sheet:
    """The ledger's rows of one attendance, by what makes them unique."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], Message] = {}

    def told(self) -> set[tuple[str, int]]:
        """The letters that this person has had, with their version."""
        return {
            key
            for key, row in self.rows.items()
            if row.state == Message.State.SENT and row.purpose in _LETTERS
        }

    def follow(
        self, wanted: Sequence[Wanted], attendance: Attendance, reason: str, moment: datetime
    ) -> None:
        """Cancel what is unsent and no longer wanted, and add what is new."""
        keys = {(want.purpose, want.version) for want in wanted}
        for key, row in self.rows.items():
            if key not in keys and row.state == Message.State.PLANNED:
                row.state, row.reason = Message.State.CANCELLED, reason
        for want in wanted:
            self.rows.setdefault((want.purpose, want.version), _row(want, attendance, moment))


def _row(want: Wanted, attendance: Attendance, moment: datetime) -> Message:
    return Message(
        purpose=want.purpose,
        subject_kind=planning.SUBJECT,
        subject_id=attendance.pk,
        person_id=attendance.person_id,
        channel=want.channel,
        version=want.version,
        planned_at=moment,
        due_at=want.due_at,
        window_ends_at=want.window_ends_at,
        about_at=want.about_at,
        next_try_at=want.due_at,
    )


def settle(appointment: Appointment, start: int) -> None:
    """Give an appointment the period that starts at this epoch minute, and what was agreed."""
    service, zone = appointment.service, appointment.counselor.zone
    begins = wall.instant(start)
    ends = begins + timedelta(minutes=service.minutes)
    appointment.period = DateTimeTZRange(begins, ends)
    appointment.blocked = DateTimeTZRange(
        begins - timedelta(minutes=service.buffer_before),
        ends + timedelta(minutes=service.buffer_after),
    )
    appointment.agreed_zone = zone
    appointment.agreed_wall = wall.wall(start, zone).strftime("%Y-%m-%dT%H:%M")
