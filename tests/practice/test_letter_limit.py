"""Nobody can have our letters poured over an address, and nobody real misses one for it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from clients.actions import messages
from clients.actions.people import NewPerson
from clients.models import Message
from clients.rules import crowding
from clients.rules.actors import Actor
from practice.actions import booking
from practice.models import Appointment, Attendance, Counselor, Service
from practice.queries import letters, terms
from tests import factories as make
from tests import smtp_peer
from tests.bad_inputs import cases
from tests.clients.message_cast import talk_to
from tests.smtp_peer import Peer

pytestmark = pytest.mark.django_db
NOW = make.NOW
VISITOR = Actor.visitor()
THIRD = "somebody.else@example.org"
TIMES = [f"{hour}:00" for hour in (9, 10, 11, 12, 13, 14, 15)]
STARTS = [make.at(day, time) for day in range(2, 5) for time in TIMES]


@pytest.fixture(autouse=True)
def limited(settings: Settings) -> None:
    settings.DUET = {**settings.DUET, "THROTTLE": True}


@pytest.fixture
def iris(db: None) -> Counselor:
    make.practice()
    make.reminder(1440)
    return make.counselor("iris")


@pytest.fixture
def talk(iris: Counselor) -> Service:
    return make.service(counselors=[iris])


@pytest.fixture
def peer(settings: Settings) -> Iterator[Peer]:
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        yield peer


def book(
    talk: Service,
    start: datetime,
    now: datetime = NOW,
    email: str = THIRD,
    partner: str | None = None,
    by: Actor = VISITOR,
) -> Appointment:
    people = [
        NewPerson("Robin Reed", one, None, "en", "America/New_York") if one else None
        for one in (email, partner)
    ]
    assert people[0]
    wanted = booking.Request(booker=people[0], partner=people[1], partner_safe_to_invite=True)
    under = terms.of(talk.pk)
    return booking.book_start(
        under=under, counselor=None, start=start, request=wanted, by=by, now=now
    ).appointment


def of(appointment: Appointment) -> Attendance:
    return Attendance.objects.get(appointment=appointment, role="booker")


def state(appointment: Appointment, purpose: str = "confirmation") -> tuple[str, str]:
    row = Message.objects.filter(
        subject_id__in=appointment.attendances.values("pk"), purpose=purpose
    ).latest("version")
    return row.state, row.reason


def scan(now: datetime) -> int:
    outcome = messages.send_due(
        subjects=letters.subjects(), by=make.SYSTEM, now=now, clock=lambda: now
    )
    return outcome.sent


def book_twenty(talk: Service) -> datetime:
    now = NOW
    for start in STARTS[:20]:
        book(talk, start, now)
        now += timedelta(seconds=30)
    return now


def test_of_twenty_bookings_with_somebody_elses_address_three_are_mailed(
    peer: Peer, talk: Service
) -> None:
    assert "after 3 messages per address per hour" in cases.case("BK-200").expect["detail"]
    now = book_twenty(talk)
    assert scan(now) == 3
    assert scan(now + timedelta(hours=1)) == 0
    assert len(peer.taken) == 3
    suppressed = Message.objects.filter(state="suppressed")
    assert set(suppressed.values_list("purpose", "reason")) == {("confirmation", "too_many")}
    assert suppressed.count() == 17


def test_without_the_limit_all_twenty_are(peer: Peer, talk: Service, settings: Settings) -> None:
    settings.DUET = {**settings.DUET, "THROTTLE": False}
    assert scan(book_twenty(talk)) == 20


def test_the_address_counts_however_it_is_written_and_in_whichever_part(talk: Service) -> None:
    book(talk, STARTS[0], email="Somebody.Else@EXAMPLE.org")
    book(talk, STARTS[1], email="one@example.org", partner=THIRD)
    book(talk, STARTS[2], email="two@example.org", partner=THIRD)
    both = book(talk, STARTS[3], email="three@example.org", partner=THIRD)
    assert state(both, "invitation") == ("suppressed", "too_many")
    assert state(both, "confirmation") == ("planned", "")


def test_an_hour_later_the_address_is_written_to_again(talk: Service) -> None:
    for start in STARTS[:3]:
        book(talk, start)
    late = book(talk, STARTS[3], NOW + timedelta(minutes=59))
    assert state(late) == ("suppressed", "too_many")
    assert state(book(talk, STARTS[4], NOW + timedelta(hours=1))) == ("planned", "")


def test_what_the_practice_does_is_never_limited(talk: Service, iris: Counselor) -> None:
    member = iris.member.as_actor()
    for start in STARTS[:5]:
        assert state(book(talk, start, by=member)) == ("planned", "")


def test_reminders_come_all_of_them_also_where_the_first_letter_was_left_out(
    peer: Peer, talk: Service
) -> None:
    made = [book(talk, start) for start in STARTS[:5]]
    assert state(made[4]) == ("suppressed", "too_many")
    scan(NOW)
    day_before = STARTS[0] - timedelta(days=1)
    assert sum(scan(day_before + timedelta(minutes=30 * step)) for step in range(20)) == 5
    # Who has had a reminder has heard of it, and hears of its end.
    booking.cancel(appointment=made[4], by=make.SYSTEM, now=day_before + timedelta(hours=9))
    assert state(made[4], "cancelled") == ("planned", "")


def test_who_was_told_hears_of_changes_later_and_of_the_last_one_only(
    peer: Peer, talk: Service
) -> None:
    made = book(talk, STARTS[0])
    assert scan(NOW) == 1
    now = NOW
    for start in STARTS[1:7]:
        now += timedelta(minutes=2)
        by = Actor.of_person(of(made).person_id)
        booking.move(appointment=made, start=start, by=by, now=now)
        scan(now)
    assert len(peer.taken) == 3
    assert scan(NOW + timedelta(minutes=59)) == 0
    assert scan(NOW + timedelta(hours=1)) == 1
    made.refresh_from_db()
    assert made.starts_at == STARTS[6]
    assert state(made, "moved") == ("sent", "")
    assert scan(NOW + timedelta(hours=3)) == 0


def test_a_later_letter_that_would_come_too_late_is_sent_at_once(peer: Peer, talk: Service) -> None:
    talk.notice = 0
    talk.save()
    soon = NOW + timedelta(hours=1)  # nine o'clock
    for start in (*STARTS[:2], soon):
        made = book(talk, start, NOW + timedelta(minutes=1))
    scan(NOW + timedelta(minutes=1))
    practice = make.practice(cutoff_minutes=0)
    assert practice
    now = NOW + timedelta(minutes=2)
    by = Actor.of_person(of(made).person_id)
    booking.leave(attendance=of(made), reason="", by=by, now=now)
    assert scan(now) == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_bookings_at_the_same_moment_each_sees_the_ones_before(talk: Service) -> None:
    def one(start: datetime) -> None:
        try:
            # Two addresses, now the one first and now the other: the locks never cross.
            pair = (THIRD, "other@example.org")
            first, second = pair if start.hour % 2 else pair[::-1]
            book(talk, start, email=first, partner=second)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, STARTS[:8]))
    sendable = Message.objects.filter(
        state="planned", purpose__in=["confirmation", "invitation"]
    ).select_related("person__key")
    addresses = [row.person.email for row in sendable]
    assert addresses.count(THIRD) == addresses.count("other@example.org") == 3


MOMENTS = st.lists(
    st.integers(min_value=-90, max_value=90).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    max_size=20,
)


@given(MOMENTS)
def test_the_next_free_moment_has_fewer_than_three_in_the_hour_before(
    others: list[datetime],
) -> None:
    free = crowding.next_free(NOW, others)
    lately = [one for one in others if free - crowding.WITHIN < one <= free]
    assert free >= NOW
    assert len(lately) < crowding.MOST
    if free > NOW:
        assert len([one for one in others if NOW - crowding.WITHIN < one <= NOW]) >= crowding.MOST
