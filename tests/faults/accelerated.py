"""A practice whose time goes by as fast as a test likes: real rows and mail, a clock of its own."""

from collections import Counter
from datetime import datetime, timedelta

from django.db import transaction

from clients.actions import audit, messages
from clients.actions.messages import Outcome
from clients.models import Message
from practice.actions import planning
from practice.models import Appointment
from practice.queries import invariants, letters
from tests import factories as make
from tests.clients.message_cast import Clock
from tests.faults.whole_site import LONG
from tests.smtp_peer import Peer

# How often beat rings; the short form is content with every second minute.
BEAT = timedelta(seconds=30) if LONG else timedelta(minutes=2)


class Accelerated:
    """One counselor, reminders so many minutes before, and a clock that moves when told."""

    def __init__(self, peer: Peer, now: datetime, *leads: int, zone: str = "UTC") -> None:
        self.peer, self.clock, self.zone = peer, Clock(now), zone
        make.practice(zone=zone)
        self.counselor = make.counselor("iris", zone=zone)
        self.service = make.service(counselors=[self.counselor], minutes=5)
        for minutes in leads:
            make.reminder(minutes)

    def book(self, start: datetime, to: str = "ana@example.org") -> Appointment:
        """An appointment of one person, planned as a booking plans it."""
        now = self.clock()
        appointment = make.appointment(
            self.counselor,
            self.service,
            make.person(email=to, zone=self.zone, now=now),
            start=start,
            booked_at=now,
        )
        with transaction.atomic():
            planning.replan(appointment=appointment, reason="booked", by=make.SYSTEM, now=now)
        return appointment

    def confirm(self) -> None:
        """Send what bookings cause at once, and forget it."""
        self.scan()
        assert not Message.objects.open().filter(purpose="confirmation").exists()
        self.peer.taken.clear()

    def scan(self) -> Outcome:
        """What beat asks for, at this moment."""
        now = self.clock()
        audit.seal(by=make.SYSTEM, now=now)
        return messages.send_due(
            subjects=letters.subjects(), by=make.SYSTEM, now=now, clock=self.clock
        )

    def go_on(self, length: timedelta) -> None:
        """Let time go by, and beat ring."""
        end = self.clock() + length
        while self.clock() < end:
            self.clock.now = min(self.clock() + BEAT, end)
            self.scan()

    def check(self) -> None:
        """The auditor is content."""
        audit.seal(by=make.SYSTEM, now=self.clock())
        assert invariants.breaches(self.clock()) == []


def reminders() -> "list[Message]":
    """In the order in which their appointments begin."""
    return list(Message.objects.filter(purpose__startswith="reminder-").order_by("about_at"))


def fates(rows: list[Message]) -> Counter[tuple[str, str]]:
    """How many are in which state, and why."""
    return Counter((row.state, row.reason) for row in rows)


def number(row: Message) -> str:
    """The Message-ID of its letter, up to the host."""
    return f"<{row.pk}"


def taken(peer: Peer) -> list[str]:
    """What was taken, in order, as `number` writes it."""
    return [one.partition("@")[0] for one in peer.ids()]
