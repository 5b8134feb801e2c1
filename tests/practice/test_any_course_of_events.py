"""Whatever people do in whatever order, each hears what they must, once, and nothing else.

A machine makes up courses of events and does them with the real actions, the real sender and a
mail server. After each step the auditor looks at every row, and what was mailed is held against
`ledger_oracle`, which knows only what people did.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from django.conf import settings as site
from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from icalendar import Calendar
from pytest_django import Settings

from clients.actions import audit, messages, people
from clients.models import Message, Person, SafeContact
from clients.rules.actors import Actor
from practice.actions import booking, contacts, diary, planning
from practice.actions.guard import SlotTaken
from practice.models import Appointment, Attendance, Practice, Service
from practice.queries import invariants, letters, offers
from practice.rules import cancellation
from tests import factories, smtp_peer
from tests.clients.message_cast import talk_to
from tests.factories import NOW, SYSTEM
from tests.practice.ledger_oracle import Meeting, Oracle, Part, Somebody, Told
from tests.smtp_peer import Peer

LONG = os.environ.get("FAULTS") == "long"
EXAMPLES, STEPS = (500, 20) if LONG else (25, 10)

pytestmark = [pytest.mark.django_db, pytest.mark.faults, pytest.mark.timeout(7_200)]

ZONE = "America/New_York"
# A Monday; New York's clocks go forward on the Sunday after it.
BEGIN = datetime(2027, 3, 8, 13, 0, tzinfo=UTC)
REFUSALS = (
    SlotTaken,
    booking.NotOffered,
    booking.HoldGone,
    booking.PartnerNotExpected,
    booking.GateStaysShut,
    cancellation.NotAllowed,
)
SUBJECTS = {
    "requested": "Your request for an appointment",
    "declined": "Your request for an appointment",
    "confirmation": "Your appointment",
    "invitation": "Your appointment: please answer",
    "moved": "Your appointment: new time",
    "cancelled": "Your appointment is cancelled",
}
WITH_ENTRY = {"confirmation", "invitation", "moved", "cancelled"}

# Which of those that there are: a number that is taken modulo how many.
which = st.integers(0, 11)
leads = st.sets(st.sampled_from([30, 120, 600, 2_880, 10_080]), max_size=3)
quiet_hours = st.sampled_from([None, None, (22 * 60, 7 * 60), (12 * 60, 14 * 60), (0, 23 * 60)])
hours_ahead = st.sampled_from([0, 30, 60, 120])
partners = st.sampled_from(["own", "own", "own", "alone", "none", "shared"])
mostly = st.sampled_from([True, True, True, False])
# How many minutes go by before somebody acts: none, or time enough to be told of things.
waits = st.sampled_from([0, 2, 2, 300])
zones = st.sampled_from([ZONE, "Europe/Madrid", "Asia/Kolkata"])


class Events(RuleBasedStateMachine):
    """A small practice, its people, its clock, and its post."""

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self.peer = peer
        self.now = BEGIN
        self.persons: list[Somebody] = []
        self.seen: set[str] = set()
        self.numbers: dict[str, int] = {}
        # As a test of Django's would: the sender asks for a transaction of its own.
        self.undone = transaction.atomic()
        self.undone._from_testcase = True  # type: ignore[attr-defined]
        self.undone.__enter__()
        self.services = list(Service.objects.order_by("position"))
        self.desk = factories.admin("dora").as_actor()
        self.oracle = Oracle(leads=[], delay=timedelta())
        self.sound = True
        peer.taken.clear()

    def teardown(self) -> None:
        """All that is still to come comes; then it never was."""
        try:
            if self.sound:
                last = max((one.start for one in self.oracle.meetings), default=self.now)
                self._live_until(max(last, self.now) + timedelta(hours=1))
                audit.seal(by=SYSTEM, now=self.now)
                assert list(invariants.of_the_chain(self.now)) == []
        finally:
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

    @initialize(
        cutoff=st.sampled_from([0, 0, 120, 24 * 60]),
        delay=st.sampled_from([0, 90]),
        service=which,
        zone=zones,
    )
    def open_practice(self, cutoff: int, delay: int, service: int, zone: str) -> None:
        Practice.objects.update(cutoff_minutes=cutoff, confirmation_delay_seconds=delay)
        self.oracle.delay = timedelta(seconds=delay)
        self.rule_reminders(None, {120, 2_880})
        self._book(self.services[service % len(self.services)], 120, "own", True, zone)

    # --- what people do --------------------------------------------------------------------------

    @rule(service=which, ahead=hours_ahead, again=st.booleans())
    def hold_and_let_go(self, service: int, ahead: int, again: bool) -> None:
        held = self._hold(self.services[service % len(self.services)], ahead)
        if held and again:
            booking.release(token=held[0], by=Actor.visitor(), now=self.now)

    @rule(service=which, ahead=hours_ahead, partner=partners, safe=mostly, zone=zones)
    def book(self, service: int, ahead: int, partner: str, safe: bool, zone: str) -> None:
        self._book(self.services[service % len(self.services)], ahead, partner, safe, zone)

    def _hold(self, service: Service, ahead: int) -> tuple[str, datetime] | None:
        start = self._open_time(service, ahead)
        if start is None:
            return None
        held = booking.hold(
            service=service,
            counselor=service.counselors.order_by("slug")[0],
            start=start,
            by=Actor.visitor(),
            now=self.now,
        )
        return held.token, start

    def _book(self, service: Service, ahead: int, partner: str, safe: bool, zone: str) -> None:
        held = self._hold(service, ahead)
        if held is None:
            return
        token, start = held
        number = len(self.persons)
        own = f"a{number}@example.org"
        address = {"own": f"b{number}@example.org", "shared": own}.get(partner)
        two = partner != "alone" and service.attendees != Service.Attendees.ONE
        request = booking.Request(
            booker=people.NewPerson("Ana", own, None, "en", ZONE),
            partner=people.NewPerson("Ben", address, None, "en", zone) if two else None,
            partner_safe_to_invite=safe,
        )
        made = booking.book(token=token, request=request, by=Actor.visitor(), now=self.now)
        checked = service.invite_gate == Service.InviteGate.PRIVATE_CHECK
        if not safe:
            gate = "said_unsafe"
        elif partner == "shared":
            gate = "shared_address"
        elif checked:
            gate = "private_check"
        else:
            gate = "open" if address else "no_contact"
        couple = [Somebody(made.attendances[0].person_id, own, ZONE)]
        if two:
            couple.append(Somebody(made.attendances[1].person_id, address, zone))
        self.persons += couple
        self._note(made, service, start, couple, gate)

    @precondition(lambda self: self.oracle.meetings)
    @rule(wait=waits, meeting=which, part=which, came=st.booleans())
    def confirm_or_close(self, wait: int, meeting: int, part: int, came: bool) -> None:
        told, one = self._part(wait, meeting, part)
        self._done(
            lambda: booking.confirm(
                attendance=self._row(one), by=Actor.of_person(one.who.key), now=self.now
            )
        )
        row = Appointment.objects.get(pk=told.key)
        if self._done(
            lambda: booking.close(appointment=row, came=came, by=self.desk, now=self.now)
        ):
            self.oracle.closed(told)

    @precondition(lambda self: self.oracle.meetings)
    @rule(wait=waits, meeting=which, part=which, ahead=hours_ahead, by_link=st.booleans())
    def move(self, wait: int, meeting: int, part: int, ahead: int, by_link: bool) -> None:
        told, one = self._part(wait, meeting, part)
        appointment = Appointment.objects.select_related("service").get(pk=told.key)
        start = self._open_time(appointment.service, ahead)
        by = Actor.of_person(one.who.key) if by_link else self.desk
        if start and self._done(
            lambda: booking.move(appointment=appointment, start=start, by=by, now=self.now)
        ):
            self.oracle.moved(told, start, self.now)

    @precondition(lambda self: self.oracle.meetings)
    @rule(wait=waits, meeting=which, part=which, by_link=st.booleans())
    def leave(self, wait: int, meeting: int, part: int, by_link: bool) -> None:
        told, one = self._part(wait, meeting, part)
        by = Actor.of_person(one.who.key) if by_link else self.desk
        if self._done(
            lambda: booking.leave(attendance=self._row(one), reason="", by=by, now=self.now)
        ):
            self.oracle.left(told, one, self.now)

    @precondition(lambda self: self.oracle.meetings)
    @rule(wait=waits, meeting=which)
    def cancel(self, wait: int, meeting: int) -> None:
        told, _ = self._part(wait, meeting, 0)
        row = Appointment.objects.get(pk=told.key)
        if self._done(lambda: booking.cancel(appointment=row, by=self.desk, now=self.now)):
            self.oracle.cancelled(told, self.now)

    @precondition(lambda self: self.oracle.meetings)
    @rule(wait=waits, meeting=which)
    def accept(self, wait: int, meeting: int) -> None:
        self._live_until(self.now + timedelta(minutes=wait))
        asked = [one for one in self.oracle.meetings if one.state == "requested"]
        if asked:
            told = asked[meeting % len(asked)]
            row = Appointment.objects.get(pk=told.key)
            if self._done(lambda: booking.accept(appointment=row, by=self.desk, now=self.now)):
                self.oracle.accepted(told, self.now)

    @precondition(lambda self: self.oracle.meetings)
    @rule(wait=waits, meeting=which)
    def ask_in_person(self, wait: int, meeting: int) -> None:
        told, one = self._part(wait, meeting, 1)
        if self._done(
            lambda: booking.open_gate(
                attendance=self._row(one), asked_in_person=True, by=SYSTEM, now=self.now
            )
        ):
            self.oracle.asked_in_person(told, one, self.now)

    @precondition(lambda self: self.persons)
    @rule(person=which, to=st.sampled_from(["new", "new", "none", "partner"]), zone=zones)
    def change_contact(self, person: int, to: str, zone: str) -> None:
        who = self.persons[person % len(self.persons)]
        others = [one.who for meeting in self.oracle.meetings for one in meeting.parts]
        beside = others[(others.index(who) + 1) % len(others)]
        number = self._number("address")
        email = {"new": f"c{number}@example.org", "partner": beside.email}.get(to)
        contacts.change_contact(
            person=Person.objects.select_related("key").get(pk=who.key),
            email=email,
            phone="+12015550100",
            language="en",
            zone=zone,
            by=self.desk,
            now=self.now,
        )
        self.oracle.reached_at(who, email, zone, self.now)

    @precondition(lambda self: self.persons)
    @rule(person=which, permission=st.sampled_from(["yes", "neutral", "no"]), quiet=quiet_hours)
    def say(self, person: int, permission: str, quiet: tuple[int, int] | None) -> None:
        who = self.persons[person % len(self.persons)]
        contacts.say_safe_contact(
            person=Person.objects.select_related("key").get(pk=who.key),
            channel=SafeContact.Channel.EMAIL,
            permission=SafeContact.Permission(permission),
            quiet=quiet,
            by=Actor.of_person(who.key),
            now=self.now,
        )
        self.oracle.said(who, no=permission == "no", quiet=quiet, now=self.now)

    @rule(service=st.one_of(st.none(), which), minutes=leads)
    def change_rules(self, service: int | None, minutes: set[int]) -> None:
        self.rule_reminders(service, minutes)

    def rule_reminders(self, service: int | None, minutes: set[int]) -> None:
        of = None if service is None else self.services[service % len(self.services)]
        diary.set_reminders(service=of, minutes_before=minutes, by=self.desk, now=self.now)
        self.oracle.ruled(of.slug if of else None, minutes, self.now)

    @precondition(lambda self: self.oracle.meetings)
    @rule(meeting=which, ahead=st.sampled_from([5, 60, 300, 3_000]), over=st.booleans())
    def book_again_by_hand(self, meeting: int, ahead: int, over: bool) -> None:
        """For those of a case that is known, beside the hours, over something else if need be.

        The service asks for no check, so a partner who was ever called safe is invited to it.
        """
        told, _ = self._part(0, meeting, 0)
        case = Appointment.objects.select_related("case").get(pk=told.key).case
        service = self.services[0]
        start = self.now.replace(second=0, microsecond=0) + timedelta(minutes=ahead + 1)
        try:
            made = booking.book_by_hand(
                service=service,
                counselor=service.counselors.order_by("slug")[0],
                start=start,
                request=None,
                case=case,
                beside=booking.ByHand("As agreed by telephone", overbook=over),
                by=self.desk,
                now=self.now,
            )
        except REFUSALS:
            return
        known = {one.key: one for one in self.persons}
        couple = [known[one.person_id] for one in made.attendances]
        of_case = Attendance.objects.filter(appointment__case=case).values_list("pk", flat=True)
        parts = [
            one
            for other in self.oracle.meetings
            for one in other.parts[1:]
            if one.key in set(of_case)
        ]
        partner = couple[1] if len(couple) > 1 else None
        if all(one.gate == "said_unsafe" for one in parts):
            gate = "said_unsafe"
        elif partner and partner.email and partner.email == couple[0].email:
            gate = "shared_address"
        else:
            gate = "open" if partner and partner.email else "no_contact"
        self._note(made, service, start, couple, gate)

    # --- the clock and the post ------------------------------------------------------------------

    @rule(minutes=st.sampled_from([2, 45, 600, 1_500]), seconds=st.integers(0, 59))
    def pass_time(self, minutes: int, seconds: int) -> None:
        """Each message leaves in the second in which it is due."""
        self._live_until(self.now + timedelta(minutes=minutes, seconds=seconds))

    def _live_until(self, until: datetime) -> None:
        for _ in range(200):
            row = Message.objects.takeable(until).order_by("next_try_at").first()
            if row is None:
                break
            self.now = max(self.now, row.next_try_at)
            self.scan()
        self.now = until
        self.scan()
        self._audit()

    @rule(minutes=st.sampled_from([10, 600, 1_500]))
    def be_away(self, minutes: int) -> None:
        """Nothing runs for a while; then all that is due comes up at once."""
        self.now += timedelta(minutes=minutes)
        self.scan()
        self._audit()

    def scan(self) -> None:
        self.sound = False
        before = len(self.peer.taken)
        messages.send_due(
            subjects=letters.subjects(), by=SYSTEM, now=self.now, clock=lambda: self.now
        )
        mailed = [self._read(letter) for letter in self.peer.taken[before:]]
        must = self.oracle.sent_by(self.now)
        assert sorted(mailed, key=repr) == sorted(must, key=repr), f"at {self.now}"
        booking.expire_holds(by=SYSTEM, now=self.now)
        self.sound = True

    def _audit(self) -> None:
        self.sound = False
        found = invariants.of_the_rows(self.now)
        assert found == [], f"at {self.now}"
        self.sound = True

    def _read(self, letter: EmailMessage) -> Told:
        """A mail as its reader finds it; its Message-ID leads to the row that it came from."""
        message_id = str(letter["Message-ID"])
        assert message_id not in self.seen, "the same letter came twice"
        self.seen.add(message_id)
        row = Message.objects.get(pk=UUID(message_id.strip("<>").split("@")[0]))
        assert row.state == Message.State.SENT
        wanted = SUBJECTS.get(row.purpose, "Reminder: your appointment")
        assert str(letter["Subject"]) == wanted
        part = Attendance.objects.select_related("appointment").get(pk=row.subject_id)
        self._read_entry(letter, row, part)
        return Told(part.pk, row.purpose, row.version, str(letter["To"]), part.starts_at)

    def _read_entry(self, letter: EmailMessage, row: Message, part: Attendance) -> None:
        """The calendar entry: one for each attendee, whose number only ever rises."""
        files = [one for one in letter.iter_attachments() if one.get_filename()]
        confirmed = part.appointment.state != Appointment.State.REQUESTED
        assert bool(files) == (row.purpose in WITH_ENTRY and confirmed), row.purpose
        if not files:
            return
        calendar: Any = Calendar.from_ical(files[0].get_content())
        (event,) = calendar.events
        uid, number = str(event["UID"]), int(event["SEQUENCE"])
        ends = row.purpose == "cancelled"
        assert str(calendar["METHOD"]) == ("CANCEL" if ends else "REQUEST")
        assert number > self.numbers.get(uid, -1)
        assert uid.startswith(str(part.pk))
        assert event.start.astimezone(UTC) == part.starts_at
        self.numbers[uid] = number

    # --- the rest --------------------------------------------------------------------------------

    def _done(self, act: Callable[[], object]) -> bool:
        """Whether it came off; a refusal changes nothing."""
        try:
            with transaction.atomic():
                act()
        except REFUSALS:
            return False
        self._audit()
        return True

    def _note(
        self,
        made: booking.Booked,
        service: Service,
        start: datetime,
        couple: list[Somebody],
        gate: str,
    ) -> None:
        """Tell the oracle what was booked."""
        parts = []
        for number, (row, who) in enumerate(zip(made.attendances, couple, strict=True)):
            own = gate if number else "open"
            since = self.now if own == "open" else None
            parts.append(Part(row.pk, who, not number, own, since))
        asks = service.booking == Service.Booking.REQUEST and not made.appointment.override_reason
        self.oracle.booked(
            Meeting(
                key=made.appointment.pk,
                service=service.slug,
                waits_for_check=service.invite_gate == Service.InviteGate.PRIVATE_CHECK,
                state="requested" if asks else "confirmed",
                start=start,
                length=timedelta(minutes=service.minutes),
                settled=self.now,
                parts=parts,
            ),
            self.now,
        )
        self._audit()

    def _number(self, of: str) -> int:
        self.numbers[of] = self.numbers.get(of, 0) + 1
        return self.numbers[of]

    def _part(self, wait: int, meeting: int, part: int) -> tuple[Meeting, Part]:
        """After a while one of the meetings, coming ones first, and somebody's part in it."""
        self._live_until(self.now + timedelta(minutes=wait))
        ordered = sorted(self.oracle.meetings, key=lambda one: not one.is_coming(self.now))
        told = ordered[meeting % len(ordered)]
        return told, told.parts[part % len(told.parts)]

    def _row(self, part: Part) -> Attendance:
        return Attendance.objects.select_related("person__key", "appointment").get(pk=part.key)

    def _open_time(self, service: Service, ahead: int) -> datetime | None:
        found = offers.next_times(
            service=service,
            counselor=service.counselors.order_by("slug")[0],
            after=self.now + timedelta(hours=ahead),
            now=self.now,
            most=1,
        )
        return found[0].start if found else None


@pytest.fixture
def practice(settings: Settings) -> Iterator[Peer]:
    """Two counselors with one room, a service of each kind, and a mail server."""
    settings.DUET = site.DUET | {"THROTTLE": False}
    factories.practice()
    room = factories.room()
    iris = factories.counselor("iris", room=room)
    theo = factories.counselor("theo", room=room, weekdays=range(7), start=600, end=1200)
    factories.service("talk", counselors=[iris, theo], minutes=20, buffer_after=10)
    factories.service("two", counselors=[theo], minutes=80, invite_gate="private_check")
    factories.service("wish", counselors=[iris], minutes=50, booking="request")
    factories.service("one", counselors=[theo], attendees="one", buffer_before=5)
    for position, slug in enumerate(("talk", "two", "wish", "one")):
        Service.objects.filter(slug=slug).update(position=position)
    for lead in (120, 2_880):
        factories.reminder(lead)
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        yield peer


def run(peer: Peer, *, examples: int, steps: int, **how: Any) -> None:
    run_state_machine_as_test(
        lambda: Events(peer),  # type: ignore[arg-type]
        settings=hypothesis.settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            **how,
        ),
    )


def test_each_hears_what_they_must_whatever_happens(practice: Peer) -> None:
    run(practice, examples=EXAMPLES, steps=STEPS)


def forget(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    """A planner that does nothing on one occasion."""
    real = planning.replan

    def forgetful(*, appointment: Appointment, reason: str, by: Actor, now: datetime) -> bool:
        if reason == forgotten:
            return False
        return real(appointment=appointment, reason=reason, by=by, now=now)

    forgotten = reason
    monkeypatch.setattr(planning, "replan", forgetful)


def test_a_planner_that_forgets_moves_is_soon_found(
    practice: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: among a few courses of events there is one that ends badly."""
    forget(monkeypatch, "moved")
    generate = [hypothesis.Phase.generate]
    with pytest.raises(AssertionError):
        run(practice, examples=200, steps=12, phases=generate, derandomize=True, database=None)


@pytest.mark.parametrize(
    "reason", ["", "moved", "cancelled", "left", "rule_changed", "gate_opened"]
)
def test_a_planner_that_forgets_something_is_found(
    practice: Peer, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    """The control of what is looked at after each step; the same course ends well otherwise."""
    forget(monkeypatch, reason)
    events = Events(practice)
    with pytest.raises(AssertionError) if reason else nullcontext():
        try:
            events.open_practice(cutoff=0, delay=0, service=1, zone=ZONE)
            events.ask_in_person(wait=2, meeting=0)
            events.move(wait=2, meeting=0, part=0, ahead=120, by_link=True)
            events.change_rules(service=None, minutes={3_000, 2_880})
            events.pass_time(minutes=5_000, seconds=0)
            events.leave(wait=2, meeting=0, part=1, by_link=True)
            events.cancel(wait=2, meeting=0)
            events.pass_time(minutes=2, seconds=0)
            (meeting,) = events.oracle.meetings
            heard = [{purpose for purpose, _ in part.had} for part in meeting.parts]
            reminded = {"reminder-2880", "reminder-3000"}
            assert heard == [
                {"confirmation", "moved", "cancelled", *reminded},
                {"invitation", "moved", "cancelled", *reminded},
            ]
        finally:
            events.teardown()


# --- what courses of events have found, each on its own ------------------------------------------


def _couple(slug: str, *, safe: bool) -> tuple[Attendance, Attendance]:
    """A couple that booked for three days on: booker, partner."""
    service = Service.objects.get(slug=slug)
    start = offers.next_times(
        service=service, counselor=None, after=NOW + timedelta(days=3), now=NOW
    )[0].start
    held = booking.hold(service=service, counselor=None, start=start, by=Actor.visitor(), now=NOW)
    request = booking.Request(
        booker=people.NewPerson("Ana", "ana@example.org", None, "en", ZONE),
        partner=people.NewPerson("Ben", "ben@example.org", None, "en", ZONE),
        partner_safe_to_invite=safe,
    )
    booked = booking.book(token=held.token, request=request, by=Actor.visitor(), now=NOW)
    booker, partner = booked.attendances
    return booker, partner


def _purposes(part: Attendance, state: str) -> list[str]:
    rows = Message.objects.filter(subject_id=part.pk, state=state)
    return sorted(rows.values_list("purpose", flat=True))


@pytest.mark.usefixtures("practice")
def test_a_request_accepted_late_brings_the_confirmation_and_no_reminder_of_before() -> None:
    booker, _ = _couple("wish", safe=True)
    late = booker.appointment.starts_at - timedelta(hours=30)
    booking.accept(appointment=booker.appointment, by=SYSTEM, now=late)
    planned = Message.objects.filter(subject_id=booker.pk, state="planned")
    due = dict(planned.values_list("purpose", "due_at"))
    assert set(due) == {"confirmation", "reminder-120"}
    assert due["confirmation"] == late


@pytest.mark.usefixtures("practice")
def test_a_request_is_not_accepted_once_its_time_has_come() -> None:
    booker, _ = _couple("wish", safe=True)
    with pytest.raises(cancellation.NotAllowed):
        booking.accept(appointment=booker.appointment, by=SYSTEM, now=booker.appointment.starts_at)


@pytest.mark.usefixtures("practice")
def test_who_may_be_written_to_only_later_gets_no_reminder_of_the_time_before() -> None:
    _, partner = _couple("talk", safe=False)
    assert _purposes(partner, "planned") == []
    late = partner.appointment.starts_at - timedelta(hours=30)
    booking.open_gate(attendance=partner, asked_in_person=True, by=SYSTEM, now=late)
    assert _purposes(partner, "planned") == ["invitation", "reminder-120"]


@pytest.mark.usefixtures("practice")
def test_who_may_be_written_to_only_afterwards_gets_nothing() -> None:
    _, partner = _couple("talk", safe=False)
    after = partner.appointment.ends_at
    booking.open_gate(attendance=partner, asked_in_person=True, by=SYSTEM, now=after)
    assert _purposes(partner, "planned") == []


@pytest.mark.usefixtures("practice")
@pytest.mark.parametrize("later", ["move", "cancel", "leave"])
def test_who_has_left_is_not_told_again_whatever_becomes_of_the_time(later: str) -> None:
    booker, partner = _couple("talk", safe=True)
    appointment, now = booker.appointment, NOW + timedelta(minutes=1)

    def scan() -> None:
        messages.send_due(subjects=letters.subjects(), by=SYSTEM, now=now, clock=lambda: now)

    scan()
    booking.leave(attendance=partner, reason="", by=SYSTEM, now=now)
    scan()
    if later == "move":
        start = appointment.starts_at + timedelta(minutes=30)
        booking.move(appointment=appointment, start=start, by=SYSTEM, now=now)
    elif later == "cancel":
        booking.cancel(appointment=appointment, by=SYSTEM, now=now)
    else:
        booking.leave(attendance=booker, reason="", by=SYSTEM, now=now)
    assert _purposes(partner, "planned") == []
    scan()
    assert _purposes(partner, "sent") == ["cancelled", "invitation"]
    assert invariants.of_the_rows(now) == []
