"""Many at once over HTTP, at gunicorn as `up` runs it: each race, and each without its guard."""

import os
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.utils import timezone

from clients.models import AuditEntry, Message
from practice.models import (
    NO_OVERLAP,
    Appointment,
    Attendance,
    BookedOnce,
    Service,
)
from practice.queries import invariants
from tests import factories as make
from tests.bad_inputs import cases
from tests.config.serving import Server, serving
from tests.races.http import Answer, Sender, at, deadlocks, overlaps, statuses, together

pytestmark = [
    pytest.mark.races,
    pytest.mark.timeout(600),
    pytest.mark.django_db(transaction=True),
]

LONG = os.environ.get("FAULTS") == "long"
ROUNDS = 20 if LONG else 3
MIXED = 2_000 if LONG else 200
TRIES = 20
OFF = {"DUET_THROTTLE": "off"}


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[Server]:
    """One for all races of this file, each with a practice of its own."""
    with serving(**OFF) as running:
        yield running


@pytest.fixture(scope="module")
def unlocked(django_db_setup: None) -> Iterator[Server]:
    """For the controls: nobody waits for a lock there."""
    with serving("tests.races.unlocked:application", **OFF) as running:
        yield running


@pytest.fixture(scope="module")
def unguarded(django_db_setup: None) -> Iterator[Server]:
    """For the controls: the guard inserts plainly there."""
    with serving("tests.races.unguarded:application", **OFF) as running:
        yield running


@pytest.fixture(autouse=True)
def practice(transactional_db: None) -> None:
    """Three counselors who work every day; Iris alone gives the talk, on a narrow grid."""
    make.practice(cutoff_minutes=0)
    iris = make.counselor("iris", weekdays=range(7))
    others = [make.counselor(name, weekdays=range(7)) for name in ("juno", "kim")]
    make.service("talk", counselors=[iris], step=15, buffer_after=10)
    make.service("anyone", counselors=[iris, *others], step=60)
    make.service("asked", counselors=[iris], step=60, booking=Service.Booking.REQUEST)


def empty() -> None:
    for model in (BookedOnce, Message, Attendance, Appointment):
        model.objects.all().delete()


def key() -> str:
    return uuid.uuid4().hex


def fifty(server: Server, start: str) -> list[Answer]:
    return together(server.port, 50, lambda sender, _: sender.book(key(), start=start))


def goes_wrong(once: Callable[[], bool]) -> bool:
    """Whether it does within a few tries: a race without its guard is lost often, not always."""
    for _ in range(TRIES):
        empty()
        if once():
            return True
    return False


# --- one time ------------------------------------------------------------------------------------


def test_fifty_book_one_time_and_one_gets_it(server: Server) -> None:
    before = deadlocks()
    for number in range(ROUNDS):
        start = at(number, "10:00")
        answers = fifty(server, start)
        assert statuses(answers) == {201: 1, 409: 49}
        for answer in answers:
            if answer.status == 409:
                assert answer.body["type"] == "urn:duet:slot_taken"
                assert answer.body["next"]
                assert start not in {one["start"] for one in answer.body["next"]}
    assert Appointment.objects.count() == ROUNDS
    assert (overlaps(), deadlocks() - before) == (0, 0)


def test_without_the_constraint_the_same_fifty_book_twice(server: Server) -> None:
    with without_constraint():
        assert goes_wrong(lambda: statuses(fifty(server, at(0, "10:00"))).get(201, 0) > 1)
        assert overlaps() > 0


@contextmanager
def without_constraint() -> Iterator[None]:
    """The guard switched off in this scratch database, and put back for the next test."""
    constraint = next(one for one in Appointment._meta.constraints if one.name == NO_OVERLAP)
    with connection.schema_editor() as editor:
        editor.remove_constraint(Appointment, constraint)
    try:
        yield
    finally:
        empty()
        with connection.schema_editor() as editor:
            editor.add_constraint(Appointment, constraint)


def test_an_insert_that_does_not_yield_is_a_failure_of_ours(unguarded: Server) -> None:
    """The other half of the guard: with a plain INSERT nobody is told of another time."""
    assert goes_wrong(lambda: max(statuses(fifty(unguarded, at(0, "10:00")))) >= 500)
    assert overlaps() == 0


def test_the_first_eight_ever_all_get_their_own_times(server: Server) -> None:
    """Who comes first makes what all share (the blind index's key), and only one can."""
    answers = together(
        server.port, 8, lambda sender, index: sender.book(key(), start=at(1, f"{9 + index}:00"))
    )
    assert statuses(answers) == {201: 8}


# --- whoever is free -----------------------------------------------------------------------------


def twenty_with_anyone(server: Server, day: int) -> list[Answer]:
    body = {"service": "anyone", "start": at(day, "11:00")}
    count = cases.case("BK-226").input["parallel"]
    return together(server.port, count, lambda sender, _: sender.book(key(), **body))


def test_anyone_of_three_is_booked_three_times(server: Server) -> None:
    """BK-226: never two with one, and nobody is turned away while somebody is free."""
    for number in range(ROUNDS):
        answers = twenty_with_anyone(server, number)
        assert statuses(answers) == {201: 3, 409: 17}
        got = {answer.body["counselor"] for answer in answers if answer.status == 201}
        assert got == {"iris", "juno", "kim"}
    assert overlaps() == 0


def test_without_the_constraint_two_come_to_one(server: Server) -> None:
    with without_constraint():
        assert goes_wrong(lambda: statuses(twenty_with_anyone(server, 0)).get(201, 0) > 3)
        assert overlaps() > 0


# --- one key -------------------------------------------------------------------------------------


def with_one_key(server: Server, day: int) -> list[Answer]:
    """Twenty times the same request. Three are free then: each could get a time of its own."""
    shared = key()
    count = cases.case("AP-125").input["parallel"]
    body = {"service": "anyone", "start": at(day, "13:00")}
    return together(server.port, count, lambda sender, _: sender.book(shared, **body))


def test_twenty_with_one_key_are_one_booking(server: Server) -> None:
    """AP-125: one row, one confirmation, and all are told the same."""
    for number in range(ROUNDS):
        empty()
        answers = with_one_key(server, number)
        assert statuses(answers) == {201: 20}
        assert len({str(answer.body) for answer in answers}) == 1
        replayed = [one for one in answers if one.headers.get("Idempotency-Replayed") == "true"]
        assert len(replayed) == 19
        assert Appointment.objects.count() == BookedOnce.objects.count() == 1
        assert Message.objects.filter(purpose="confirmation").count() == 1


def test_without_the_keys_uniqueness_they_are_several(server: Server) -> None:
    field = BookedOnce._meta.get_field("key_hash")
    plain = field.clone()
    plain._unique = False  # type: ignore[attr-defined]
    plain.set_attributes_from_name("key_hash")
    plain.model = BookedOnce
    with connection.schema_editor() as editor:
        editor.alter_field(BookedOnce, field, plain)
    try:
        assert goes_wrong(lambda: bool(with_one_key(server, 0)) and Appointment.objects.count() > 1)
        assert Message.objects.filter(purpose="confirmation").count() > 1
    finally:
        empty()
        with connection.schema_editor() as editor:
            editor.alter_field(BookedOnce, plain, field)


def test_twenty_book_one_hold_and_one_gets_it(server: Server) -> None:
    """Each with a key of its own, as a page that is sent again and again."""
    hold = {"service": "talk", "start": at(0, "10:00")}
    (held,) = together(
        server.port, 1, lambda sender, _: sender.send("POST", "/api/v1/holds/", hold)
    )
    body = {"hold": held.body["hold"], "service": "talk"}
    answers = together(server.port, 20, lambda sender, _: sender.book(key(), **body))
    assert statuses(answers) == {201: 1, 409: 19}
    assert {one.body.get("type") for one in answers} == {None, "urn:duet:hold_gone"}
    assert Appointment.objects.count() == 1


# --- requests, moves, cancellations --------------------------------------------------------------


def booked(server: Server, *starts: str, **body: object) -> list[str]:
    """Book these times one after the other; the links' tokens."""
    sender = Sender(server.port)
    answers = [sender.book(key(), start=start, **body) for start in starts]
    sender.close()
    assert statuses(answers) == {201: len(starts)}, answers
    return [token_of(answer) for answer in answers]


def token_of(answer: Answer) -> str:
    return str(answer.body["manage_url"]).rstrip("/").rpartition("/")[2]


def desk(server: Server, path: str, cookies: str) -> int:
    """Press a button of the desk; the status of the answer."""
    sender = Sender(server.port)
    sender.line.request(
        "POST",
        path,
        f"csrfmiddlewaretoken={'a' * 32}",
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": f"{cookies}; csrftoken={'a' * 32}",
        },
    )
    answer = sender.line.getresponse()
    answer.read()
    sender.close()
    return answer.status


def signed_in(name: str) -> str:
    user = get_user_model().objects.filter(username=name).first() or make.admin(name).user
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


def accepted_at_once(server: Server) -> Appointment:
    """One request, and two members who press its button four times each."""
    booked(server, at(0, "10:00"), service="asked")
    row = Appointment.objects.get()
    assert row.state == Appointment.State.REQUESTED
    cookies = [signed_in(name) for name in ("olive", "oscar")]
    path = f"/desk/appointments/{row.pk}/accept/"
    answers = together(server.port, 8, lambda _, index: desk(server, path, cookies[index % 2]))
    assert max(answers) < 500
    return row


def times_recorded(verb: str, row: Appointment) -> int:
    return AuditEntry.objects.filter(verb=verb, subject_id=row.pk).count()


def test_a_request_keeps_its_time_and_is_accepted_once(server: Server) -> None:
    """BK-227: a second request for one time can't be made, so none can be accepted beside it."""
    body = {"service": "asked", "start": at(1, "10:00")}
    answers = together(server.port, 20, lambda sender, _: sender.book(key(), **body))
    assert statuses(answers) == {201: 1, 409: 19}
    for _ in range(ROUNDS):
        empty()
        row = accepted_at_once(server)
        row.refresh_from_db()
        assert row.state == Appointment.State.CONFIRMED
        assert times_recorded("appointment.accepted", row) == 1
        letters = Message.objects.filter(purpose="confirmation").exclude(state="cancelled")
        assert letters.count() == 1


def test_without_the_lock_a_request_is_accepted_several_times(unlocked: Server) -> None:
    verb = "appointment.accepted"
    assert goes_wrong(lambda: times_recorded(verb, accepted_at_once(unlocked)) > 1)


def ten_moves(server: Server, into: str) -> tuple[list[Answer], list[str]]:
    """Ten that were booked move into one time; what they heard, and where they came from."""
    own = [at(day, f"{hour}:00") for day in (1, 2) for hour in (9, 11, 12, 14, 15)]
    tokens = booked(server, *own)

    def move(sender: Sender, index: int) -> Answer:
        path = f"/api/v1/attendances/{tokens[index]}/move/"
        return sender.send("POST", path, {"start": into})

    return together(server.port, cases.case("BK-228").input["parallel"], move), own


def test_ten_move_into_one_time_and_nine_stay_where_they_were(server: Server) -> None:
    """BK-228."""
    before = deadlocks()
    for number in range(ROUNDS):
        empty()
        into = at(number + 3, "10:00")
        answers, own = ten_moves(server, into)
        assert statuses(answers) == {200: 1, 409: 9}
        assert all(answer.body["next"] for answer in answers if answer.status == 409)
        starts = Counter(row.starts_at.isoformat() for row in Appointment.objects.all())
        assert starts[into] == 1
        assert sum(starts[one] for one in own) == 9
    assert (overlaps(), deadlocks() - before) == (0, 0)


def test_without_lock_and_constraint_several_move_there(unlocked: Server) -> None:
    with without_constraint():
        into = at(3, "10:00")
        assert goes_wrong(lambda: statuses(ten_moves(unlocked, into)[0]).get(200, 0) > 1)
        assert overlaps() > 0


def test_two_that_swap_their_times_neither_deadlock_nor_overlap(server: Server) -> None:
    before = deadlocks()
    times = [at(1, "10:00"), at(1, "11:00")]
    tokens = booked(server, *times)

    def move(sender: Sender, index: int) -> int:
        path = f"/api/v1/attendances/{tokens[index % 2]}/move/"
        start = times[(index + 1) % 2]
        return sender.send("POST", path, {"start": start}).status

    for _ in range(ROUNDS):
        assert set(together(server.port, 8, move)) <= {200, 409, 422}
    assert (overlaps(), deadlocks() - before) == (0, 0)


def cancelled_against_confirmed(server: Server) -> Appointment:
    """Four times the desk says that it is off, while four times the partner says to come."""
    cookies = signed_in("olive")
    partner = {"name": "Ben", "email": "ben@example.org"}
    booked(server, at(1, "10:00"), partner=partner, partner_safe_to_invite=True)
    ben = Attendance.objects.select_related("person__key").get(role="partner")

    def act(sender: Sender, index: int) -> int:
        if index % 2:
            return desk(server, f"/desk/appointments/{ben.appointment_id}/cancel/", cookies)
        return sender.send("POST", f"/api/v1/attendances/{ben.token}/confirm/", {}).status

    assert max(together(server.port, 8, act)) < 500
    return Appointment.objects.get()


def test_a_cancellation_against_a_confirmation_leaves_no_contradiction(server: Server) -> None:
    for _ in range(ROUNDS):
        empty()
        row = cancelled_against_confirmed(server)
        assert row.state == Appointment.State.CANCELLED
        assert times_recorded("appointment.cancelled", row) == 1
        assert times_recorded("attendance.confirmed", row) <= 1
        open_ones = Message.objects.filter(state="planned", purpose__startswith="reminder")
        assert not open_ones.exists()


def test_without_the_lock_it_is_cancelled_or_confirmed_several_times(unlocked: Server) -> None:
    verbs = ("appointment.cancelled", "attendance.confirmed")

    def twice() -> bool:
        row = cancelled_against_confirmed(unlocked)
        return max(times_recorded(verb, row) for verb in verbs) > 1

    assert goes_wrong(twice)


# --- all of it at once ---------------------------------------------------------------------------


def mixed(server: Server, requests: int, seed: int) -> Counter[str]:
    """Sixteen book, hold, move and cancel on two days, each what they have booked themselves."""
    senders = 16
    quarters = [f"{hour}:{minute:02}" for hour in range(9, 16) for minute in (0, 15, 30, 45)]
    starts = [at(day, time) for day in (1, 2) for time in quarters]

    def live(sender: Sender, index: int) -> Counter[str]:
        draw = random.Random(seed * 100 + index)
        own: list[str] = []
        came: Counter[str] = Counter()
        for _ in range(requests // senders + 1):
            what = draw.choice(("book", "book", "hold", "move", "cancel")) if own else "book"
            start = draw.choice(starts)
            if what == "book":
                answer = sender.book(key(), start=start)
                if answer.status == 201:
                    own.append(token_of(answer))
            elif what == "hold":
                answer = sender.send("POST", "/api/v1/holds/", {"service": "talk", "start": start})
                came[f"hold {answer.status}"] += 1
                if answer.status == 201:
                    path = f"/api/v1/holds/{answer.body['hold']}/"
                    answer = sender.send("DELETE", path)
            elif what == "move":
                path = f"/api/v1/attendances/{draw.choice(own)}/move/"
                answer = sender.send("POST", path, {"start": start})
            else:
                token = own.pop(draw.randrange(len(own)))
                answer = sender.send("POST", f"/api/v1/attendances/{token}/cancel/", {})
            came[f"{what} {answer.status}"] += 1
        return came

    return sum(together(server.port, senders, live), Counter())


def failures(came: Counter[str]) -> int:
    return sum(count for what, count in came.items() if what.split()[1].startswith("5"))


def test_bookings_moves_and_cancellations_that_overlap_partly(server: Server) -> None:
    before = deadlocks()
    came = mixed(server, MIXED, seed=1)
    print(sum(came.values()), "requests:", dict(sorted(came.items())))
    assert failures(came) == 0, came
    assert (overlaps(), deadlocks() - before) == (0, 0)
    # All of it came about, and what was told as booked is there.
    assert min(came[one] for one in ("book 201", "book 409", "move 200", "cancel 200")) > 0
    assert Appointment.objects.exclude(state="held").count() == came["book 201"]
    active = Appointment.objects.exclude(state__in=["held", "cancelled"]).count()
    assert active == came["book 201"] - came["cancel 200"]
    assert invariants.of_the_rows(timezone.now()) == []


def test_without_the_constraint_the_same_traffic_overlaps(server: Server) -> None:
    with without_constraint():
        assert goes_wrong(lambda: bool(mixed(server, 200, seed=1)) and overlaps() > 0)


def test_with_a_plain_insert_the_same_traffic_fails(unguarded: Server) -> None:
    assert goes_wrong(lambda: failures(mixed(unguarded, 200, seed=1)) > 0)
