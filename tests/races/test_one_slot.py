"""Fifty book one slot at the same moment: one wins. Without the guard, more than one does."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from clients.actions import people
from clients.rules.actors import Actor
from practice.actions import booking
from practice.actions.guard import SlotTaken
from practice.models import NO_OVERLAP, Appointment, Attendance, Counselor, Service
from practice.queries import offers
from tests import factories as make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.races]

ANA = people.NewPerson("Ana Alder", "ana@example.org", None, "en", "America/New_York")
REQUEST = booking.Request(booker=ANA)
VISITOR = Actor.visitor()


def together(count: int, act: Callable[[int], str]) -> Counter[str]:
    """Run `act` in so many threads that all start at once, each with a connection of its own."""
    ready = threading.Barrier(count)

    def run(index: int) -> str:
        try:
            connection.ensure_connection()
            ready.wait(30)
            return act(index)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(run, range(count)))


def book(service: Service, counselor: Counselor | None, start: str = "10:00") -> str:
    try:
        held = booking.hold(
            service=service,
            counselor=counselor,
            start=make.at(1, start),
            by=VISITOR,
            now=make.NOW,
        )
        booking.book(token=held.token, request=REQUEST, by=VISITOR, now=make.NOW)
    except (SlotTaken, booking.NotOffered):
        return "taken"
    return "booked"


def overlaps() -> int:
    """Pairs that overlap, counted without trusting the constraint."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM duet_practice_appointment a
              JOIN duet_practice_appointment b
                ON a.counselor_id = b.counselor_id AND a.id < b.id AND a.blocked && b.blocked
             WHERE a.state <> 'cancelled' AND b.state <> 'cancelled'
            """
        )
        return int(cursor.fetchone()[0])


@pytest.fixture
def iris() -> Counselor:
    make.practice()
    people.ensure_index_key(by=Actor.system(), now=make.NOW)
    return make.counselor("iris")


@pytest.fixture
def talk(iris: Counselor) -> Service:
    return make.service(counselors=[iris], step=15, buffer_after=10)


@pytest.fixture
def no_constraint() -> Iterator[None]:
    """The guard switched off in this scratch database, and put back for the next test."""
    constraint = next(c for c in Appointment._meta.constraints if c.name == NO_OVERLAP)
    with connection.schema_editor() as editor:
        editor.remove_constraint(Appointment, constraint)
    yield
    Attendance.objects.all().delete()
    Appointment.objects.all().delete()
    with connection.schema_editor() as editor:
        editor.add_constraint(Appointment, constraint)


def test_fifty_book_one_slot_and_one_wins(talk: Service) -> None:
    assert together(50, lambda _: book(talk, None)) == {"booked": 1, "taken": 49}
    assert Appointment.objects.count() == 1


@pytest.mark.usefixtures("no_constraint")
def test_without_the_constraint_the_same_fifty_book_twice(talk: Service) -> None:
    outcome = together(50, lambda _: book(talk, None))
    assert outcome["booked"] > 1
    assert overlaps() > 0


def test_partly_overlapping_bookings_neither_overlap_nor_deadlock(talk: Service) -> None:
    starts = ["10:00", "10:15", "10:30", "10:45", "11:00"]
    outcome = together(40, lambda index: book(talk, None, starts[index % len(starts)]))
    assert outcome["booked"] + outcome["taken"] == 40
    assert outcome["booked"] >= 1
    assert overlaps() == 0


def test_anyone_of_three_is_booked_three_times(iris: Counselor) -> None:
    talk = make.service(counselors=[iris, make.counselor("juno"), make.counselor("kim")])
    assert together(20, lambda _: book(talk, None)) == {"booked": 3, "taken": 17}


def test_ten_move_into_one_time_and_nine_stay_where_they_were(talk: Service) -> None:
    starts = [
        (day, time) for day in (2, 3) for time in ("09:00", "10:00", "11:00", "13:00", "15:00")
    ]
    booked = []
    for day, time in starts:
        held = booking.hold(
            service=talk, counselor=None, start=make.at(day, time), by=VISITOR, now=make.NOW
        )
        booked.append(
            booking.book(token=held.token, request=REQUEST, by=VISITOR, now=make.NOW).appointment
        )

    def move(index: int) -> str:
        try:
            booking.move(
                appointment=booked[index],
                start=make.at(1, "10:00"),
                by=Actor.system(),
                now=make.NOW,
            )
        except (SlotTaken, booking.NotOffered):
            return "stayed"
        return "moved"

    assert together(10, move) == {"moved": 1, "stayed": 9}
    assert overlaps() == 0


def test_holds_that_swap_places_do_not_deadlock(talk: Service) -> None:
    def swap(index: int) -> str:
        own, other = ("09:00", "09:15") if index % 2 else ("09:15", "09:00")
        done = 0
        for _ in range(10):
            for start in (own, other):
                try:
                    held = booking.hold(
                        service=talk,
                        counselor=None,
                        start=make.at(1, start),
                        by=VISITOR,
                        now=make.NOW,
                    )
                except (SlotTaken, booking.NotOffered):
                    continue
                booking.release(token=held.token, by=VISITOR, now=make.NOW)
                done += 1
        return "held" if done else "never"

    assert sum(together(8, swap).values()) == 8
    assert overlaps() == 0


def test_expired_holds_make_room_for_one_of_many(talk: Service) -> None:
    booking.hold(
        service=talk,
        counselor=None,
        start=make.at(1, "10:00"),
        by=VISITOR,
        now=make.NOW.replace(hour=12, minute=30),
    )
    assert together(20, lambda _: book(talk, None)) == {"booked": 1, "taken": 19}


def test_a_cancellation_and_a_confirmation_at_once_leave_no_contradiction(talk: Service) -> None:
    held = booking.hold(service=talk, counselor=None, start=make.at(1), by=VISITOR, now=make.NOW)
    booked = booking.book(token=held.token, request=REQUEST, by=VISITOR, now=make.NOW)
    attendance = booked.attendances[0]

    def act(index: int) -> str:
        try:
            if index % 2:
                booking.cancel(appointment=booked.appointment, by=Actor.system(), now=make.NOW)
            else:
                booking.confirm(attendance=attendance, by=Actor.system(), now=make.NOW)
        except Exception as refused:
            return type(refused).__name__
        return "done"

    outcome = together(8, act)
    assert set(outcome) <= {"done", "NotAllowed"}
    booked.appointment.refresh_from_db()
    assert booked.appointment.state == Appointment.State.CANCELLED
    assert offers.offers_at(service=talk, counselor=None, start=make.at(1), now=make.NOW)
