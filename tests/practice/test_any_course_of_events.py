"""Whatever people do in whatever order, the auditor finds nothing amiss at any moment.

A random walk over the actions, with a sender that is never late: what it finds are the gaps
between the actions, which no test of one action shows.
"""

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from clients.actions import audit, people
from clients.models import Message, Person, SafeContact
from clients.rules.actors import Actor
from practice.actions import booking, planning
from practice.actions.guard import SlotTaken
from practice.models import Appointment, Attendance, Service
from practice.queries import invariants, offers
from practice.rules import cancellation
from tests import factories
from tests.factories import NOW, SYSTEM

pytestmark = pytest.mark.django_db

ZONE = "America/New_York"
REFUSALS = (
    SlotTaken,
    booking.NotOffered,
    booking.HoldGone,
    booking.PartnerNotExpected,
    booking.GateStaysShut,
    cancellation.NotAllowed,
)


class Walk:
    """A small practice, its clock, and the dice."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = NOW
        self.done: Counter[str] = Counter()
        factories.practice(cutoff_minutes=self.rng.choice([0, 120, 24 * 60]))
        room = factories.room()
        iris = factories.counselor("iris", room=room)
        theo = factories.counselor("theo", room=room, weekdays=range(7), start=600, end=1200)
        for lead in (2 * 60, 48 * 60):
            factories.reminder(lead)
        self.services = [
            factories.service("talk", counselors=[iris, theo], minutes=20, buffer_after=10),
            factories.service("two", counselors=[theo], minutes=80, invite_gate="private_check"),
            factories.service("wish", counselors=[iris], minutes=50, booking="request"),
            factories.service("one", counselors=[iris, theo], attendees="one", buffer_before=5),
        ]
        self.tokens: list[str] = []
        self.desk = factories.staff().as_actor()

    def go(self, steps: int) -> None:
        acts: list[tuple[Callable[[], None], int]] = [
            (self.hold, 6),
            (self.book, 6),
            (self.release, 1),
            (self.confirm, 3),
            (self.move, 4),
            (self.leave, 3),
            (self.cancel, 2),
            (self.accept, 3),
            (self.close, 2),
            (self.open_gate, 2),
            (self.say, 1),
            (self.by_hand, 2),
        ]
        for _ in range(steps):
            (act,) = self.rng.choices([act for act, _ in acts], [often for _, often in acts])
            try:
                act()
                self.done[act.__name__] += 1
            except REFUSALS as refused:
                self.done[type(refused).__name__] += 1
            self.check(act.__name__)
            self.pass_time()
            self.check(f"time after {act.__name__}")
        assert invariants.breaches(self.now) == []

    def check(self, after: str) -> None:
        found = invariants.of_the_rows(self.now)
        assert found == [], f"{after} at {self.now}"

    def pass_time(self) -> None:
        """Time goes by; each message leaves in the second in which it is due, or says why not."""
        minutes = self.rng.choice([0, 1, 3, 12, 45, 200, 800])
        until = self.now + timedelta(minutes=minutes, seconds=self.rng.randrange(60))
        while True:
            row = Message.objects.takeable(until).order_by("next_try_at").first()
            if row is None:
                break
            self.now = max(self.now, row.next_try_at)
            _deliver(row, self.now)
        self.now = until
        booking.expire_holds(by=SYSTEM, now=self.now)
        audit.seal(by=SYSTEM, now=self.now)

    # --- what people do --------------------------------------------------------------------------

    def hold(self) -> None:
        service = self.rng.choice(self.services)
        start = self._open_time(service)
        if start is None:
            return
        counselor = self.rng.choice([None, *service.counselors.all()])
        held = booking.hold(
            service=service, counselor=counselor, start=start, by=Actor.visitor(), now=self.now
        )
        self.tokens.append(held.token)

    def book(self) -> None:
        if self.rng.random() < 0.7:
            self.hold()
        if not self.tokens:
            return
        token = self.tokens.pop()
        booking.book(token=token, request=self._request(), by=Actor.visitor(), now=self.now)

    def release(self) -> None:
        if self.tokens:
            booking.release(token=self.tokens.pop(), by=Actor.visitor(), now=self.now)

    def confirm(self) -> None:
        part = self._part()
        if part:
            booking.confirm(attendance=part, by=Actor.of_person(part.person_id), now=self.now)

    def move(self) -> None:
        part = self._part()
        if part is None:
            return
        start = self._open_time(part.appointment.service)
        by = self.rng.choice([self.desk, Actor.of_person(part.person_id)])
        if start is not None:
            booking.move(appointment=part.appointment, start=start, by=by, now=self.now)

    def leave(self) -> None:
        part = self._part()
        if part:
            by = self.rng.choice([self.desk, Actor.of_person(part.person_id)])
            booking.leave(attendance=part, reason="", by=by, now=self.now)

    def cancel(self) -> None:
        part = self._part()
        if part:
            booking.cancel(appointment=part.appointment, by=self.desk, now=self.now)

    def accept(self) -> None:
        rows = list(Appointment.objects.filter(state="requested").order_by("created_at"))
        if rows:
            row = self.rng.choice(rows)
            booking.accept(appointment=row, by=self.desk, now=self.now)

    def close(self) -> None:
        part = self._part()
        if part:
            came = self.rng.random() < 0.8
            booking.close(appointment=part.appointment, came=came, by=self.desk, now=self.now)

    def open_gate(self) -> None:
        part = self._part()
        if part:
            booking.open_gate(attendance=part, by=self.desk, now=self.now)

    def say(self) -> None:
        part = self._part()
        if part:
            people.say_safe_contact(
                person=part.person,
                channel=SafeContact.Channel.EMAIL,
                permission=SafeContact.Permission(self.rng.choice(["yes", "neutral", "no"])),
                by=Actor.of_person(part.person_id),
                now=self.now,
            )

    def by_hand(self) -> None:
        part = self._part()
        if part is None or part.appointment.case is None:
            return
        service = self.services[0]
        (counselor, *_) = service.counselors.all()
        start = self.now + timedelta(minutes=self.rng.choice([5, 60, 300, 3_000]))
        booking.book_by_hand(
            service=service,
            counselor=counselor,
            start=start.replace(second=0, microsecond=0) + timedelta(minutes=1),
            request=None,
            case=part.appointment.case,
            beside=booking.ByHand("As agreed by telephone", overbook=self.rng.random() < 0.3),
            by=self.desk,
            now=self.now,
        )

    # --- the dice --------------------------------------------------------------------------------

    def _open_time(self, service: Service) -> datetime | None:
        day = self.now.date() + timedelta(days=self.rng.choice([0, 1, 2, 3, 7]))
        found = offers.open_times(
            service=service,
            counselor=None,
            from_on=day,
            to_on=day + timedelta(days=2),
            zone=ZONE,
            now=self.now,
        )
        return self.rng.choice(found).start if found else None

    def _request(self) -> booking.Request:
        partner = None
        number = self.rng.randrange(10_000)
        if self.rng.random() < 0.6:
            address = self.rng.choice([None, f"b{number}@example.org", f"a{number}@example.org"])
            partner = people.NewPerson("Ben", address, None, "en", ZONE)
        return booking.Request(
            booker=people.NewPerson("Ana", f"a{number}@example.org", None, "en", ZONE),
            partner=partner,
            partner_safe_to_invite=self.rng.random() < 0.6,
        )

    def _part(self) -> Attendance | None:
        """Somebody's part in an appointment, more likely in a coming one."""
        parts = Attendance.objects.select_related(
            "person__key", "appointment__service", "appointment__case"
        )
        if self.rng.random() < 0.8:
            parts = parts.filter(appointment__period__endswith__gt=self.now)
        rows = list(parts.order_by("appointment__created_at", "role"))
        return self.rng.choice(rows) if rows else None


def _deliver(row: Message, now: datetime) -> None:
    """What a sender does that is never late: the person's word first, then the window."""
    contact = SafeContact.objects.filter(person=row.person_id, channel=row.channel).first()
    if now >= min(row.window_ends_at, row.about_at):
        row.state, row.reason = Message.State.MISSED, "window_passed"
    elif contact is not None and contact.permission == "no":
        row.state, row.reason = Message.State.SUPPRESSED, "safe_contact_no"
    else:
        row.state, row.sent_at = Message.State.SENT, now
    row.save(update_fields=["state", "reason", "sent_at"])


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_amiss_after_any_act(seed: int) -> None:
    walk = Walk(seed)
    walk.go(50)
    assert Person.objects.exists()
    for act in ("hold", "book", "move", "leave", "confirm"):
        assert walk.done[act], f"{act} never came off: {walk.done}"


def test_a_slip_between_two_acts_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with moves that forget to plan anew, the walk does not end well."""
    real = planning.replan

    def forgetful(*, appointment: Appointment, reason: str, by: Actor, now: datetime) -> bool:
        if reason == "moved":
            return False
        return real(appointment=appointment, reason=reason, by=by, now=now)

    monkeypatch.setattr(planning, "replan", forgetful)
    with pytest.raises(AssertionError, match="I6"):
        Walk(0).go(50)


# --- what the walk has found, each on its own ----------------------------------------------------


def _purposes(part: Attendance, state: str) -> list[str]:
    rows = Message.objects.filter(subject_id=part.pk, state=state)
    return sorted(rows.values_list("purpose", flat=True))


def _walk_with(service: int, *, safe: bool) -> tuple[Walk, Attendance, Attendance]:
    """A couple that booked one of the walk's services for three days on: booker, partner."""
    walk = Walk(0)
    start = offers.open_times(
        service=walk.services[service],
        counselor=None,
        from_on=NOW.date() + timedelta(days=3),
        to_on=NOW.date() + timedelta(days=4),
        zone=ZONE,
        now=NOW,
    )[0].start
    held = booking.hold(
        service=walk.services[service], counselor=None, start=start, by=Actor.visitor(), now=NOW
    )
    request = booking.Request(
        booker=people.NewPerson("Ana", "ana@example.org", None, "en", ZONE),
        partner=people.NewPerson("Ben", "ben@example.org", None, "en", ZONE),
        partner_safe_to_invite=safe,
    )
    booked = booking.book(token=held.token, request=request, by=Actor.visitor(), now=NOW)
    booker, partner = booked.attendances
    return walk, booker, partner


def test_a_request_accepted_late_brings_the_confirmation_and_no_reminder_of_before() -> None:
    walk, booker, _ = _walk_with(2, safe=True)
    late = booker.appointment.starts_at - timedelta(hours=30)
    booking.accept(appointment=booker.appointment, by=walk.desk, now=late)
    planned = Message.objects.filter(subject_id=booker.pk, state="planned")
    due = dict(planned.values_list("purpose", "due_at"))
    assert set(due) == {"confirmation", "reminder-120"}
    assert due["confirmation"] == late


def test_a_request_is_not_accepted_once_its_time_has_come() -> None:
    walk, booker, _ = _walk_with(2, safe=True)
    with pytest.raises(cancellation.NotAllowed):
        booking.accept(
            appointment=booker.appointment, by=walk.desk, now=booker.appointment.starts_at
        )


def test_who_may_be_written_to_only_later_gets_no_reminder_of_the_time_before() -> None:
    walk, _, partner = _walk_with(0, safe=False)
    assert _purposes(partner, "planned") == []
    late = partner.appointment.starts_at - timedelta(hours=30)
    booking.open_gate(attendance=partner, by=walk.desk, now=late)
    assert _purposes(partner, "planned") == ["invitation", "reminder-120"]


def test_who_may_be_written_to_only_afterwards_gets_nothing() -> None:
    walk, _, partner = _walk_with(0, safe=False)
    after = partner.appointment.ends_at
    booking.open_gate(attendance=partner, by=walk.desk, now=after)
    assert _purposes(partner, "planned") == []


@pytest.mark.parametrize("later", ["move", "cancel", "leave"])
def test_who_has_left_is_not_told_again_whatever_becomes_of_the_time(later: str) -> None:
    walk, booker, partner = _walk_with(0, safe=True)
    walk.now = NOW + timedelta(minutes=1)
    walk.pass_time()
    booking.leave(attendance=partner, reason="", by=walk.desk, now=walk.now)
    walk.pass_time()
    if later == "move":
        start = booker.appointment.starts_at + timedelta(minutes=30)
        booking.move(appointment=booker.appointment, start=start, by=walk.desk, now=walk.now)
    elif later == "cancel":
        booking.cancel(appointment=booker.appointment, by=walk.desk, now=walk.now)
    else:
        booking.leave(attendance=booker, reason="", by=walk.desk, now=walk.now)
    assert _purposes(partner, "planned") == []
    walk.pass_time()
    assert _purposes(partner, "sent") == ["cancelled", "invitation"]
    walk.check(later)
