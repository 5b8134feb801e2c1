"""A new contact, a new rule, new hours: what is planned follows at once."""

from datetime import timedelta

import pytest

from clients.actions import people
from clients.models import Message, Person, SafeContact
from clients.queries import keys
from clients.queries import people as find
from clients.rules.actors import Actor
from practice.actions import booking, contacts, diary
from practice.models import Appointment, Attendance, Counselor, Service
from practice.queries import offers
from tests import factories as make

pytestmark = pytest.mark.django_db

STAFF = Actor.system()
NOW = make.NOW
ANA = people.NewPerson("Ana Alder", "ana@example.org", None, "en", "America/New_York")
SHARED = people.NewPerson("Ben Birch", "ana@example.org", None, "en", "America/New_York")


@pytest.fixture
def iris() -> Counselor:
    make.practice()
    return make.counselor("iris")


@pytest.fixture
def talk(iris: Counselor) -> Service:
    make.reminder(120)
    return make.service(counselors=[iris])


def book(service: Service, partner: people.NewPerson | None = None) -> booking.Booked:
    held = booking.hold(
        service=service, counselor=None, start=make.at(4), by=Actor.visitor(), now=NOW
    )
    request = booking.Request(booker=ANA, partner=partner, partner_safe_to_invite=True)
    return booking.book(token=held.token, request=request, by=Actor.visitor(), now=NOW)


def change(person: Person, email: str | None) -> None:
    contacts.change_contact(
        person=person,
        email=email,
        phone=None,
        language="en",
        zone="America/New_York",
        by=STAFF,
        now=NOW,
    )


def test_another_language_and_zone_change_nothing_else_and_letters_follow(talk: Service) -> None:
    stale = book(talk).attendances[0].person
    change(stale, "new@example.org")
    before = Message.objects.filter(state="planned").count()
    contacts.change_language(
        person=stale, language="es", zone="Europe/Madrid", by=Actor.of_person(stale.pk), now=NOW
    )
    found = Person.objects.select_related("key").get(pk=stale.pk)
    assert (found.email, found.language, found.zone) == ("new@example.org", "es", "Europe/Madrid")
    assert Message.objects.filter(state="planned").count() == before
    assert find.addresses([stale.pk])[stale.pk] == find.address(found, keys.index_key())


def planned(attendance: Attendance) -> set[str]:
    rows = Message.objects.filter(subject_id=attendance.pk, state="planned")
    return set(rows.values_list("purpose", flat=True))


def test_an_own_address_opens_the_gate_that_a_shared_one_shut(talk: Service) -> None:
    booker, partner = book(talk, SHARED).attendances
    assert planned(partner) == set()
    change(partner.person, "ben@example.org")
    assert planned(partner) == {"invitation", "reminder-120"}
    assert planned(booker) == {"confirmation", "reminder-120"}


def test_moving_to_one_address_shuts_the_gate_and_cancels_what_was_planned(talk: Service) -> None:
    own = people.NewPerson("Ben Birch", "ben@example.org", None, "en", "America/New_York")
    booker, partner = book(talk, own).attendances
    change(booker.person, "BEN@example.org")
    partner.refresh_from_db()
    assert partner.gate == Attendance.Gate.SHARED_ADDRESS
    assert planned(partner) == set()


def test_without_an_address_nothing_is_planned(talk: Service) -> None:
    (booker,) = book(talk).attendances
    change(booker.person, None)
    assert planned(booker) == set()


def test_a_changed_address_is_found_and_the_old_one_is_not(talk: Service) -> None:
    (booker,) = book(talk).attendances
    change(booker.person, "new@example.org")
    assert find.persons_at(STAFF, email="New@example.org") == [booker.person]
    assert find.persons_at(STAFF, email="ana@example.org") == []


def test_quiet_hours_bring_a_planned_reminder_forward(talk: Service) -> None:
    (booker,) = book(talk).attendances
    contacts.say_safe_contact(
        person=booker.person,
        channel=SafeContact.Channel.EMAIL,
        permission=SafeContact.Permission.NEUTRAL,
        quiet=(7 * 60, 9 * 60),
        by=STAFF,
        now=NOW,
    )
    reminder = Message.objects.get(subject_id=booker.pk, purpose="reminder-120")
    assert reminder.due_at == make.at(4, "06:59")


def test_quiet_hours_hold_for_what_is_booked_by_hand_in_the_same_moment(talk: Service) -> None:
    first = book(talk)
    contacts.say_safe_contact(
        person=first.attendances[0].person,
        channel=SafeContact.Channel.EMAIL,
        permission=SafeContact.Permission.NEUTRAL,
        quiet=(7 * 60, 9 * 60),
        by=STAFF,
        now=NOW,
    )
    again = booking.book_by_hand(
        service=talk,
        counselor=talk.counselors.get(),
        start=make.at(5, "09:00"),
        request=None,
        case=first.appointment.case,
        beside=booking.ByHand("as agreed"),
        by=STAFF,
        now=NOW,
    )
    reminder = Message.objects.get(subject_id=again.attendances[0].pk, purpose="reminder-120")
    assert reminder.due_at == make.at(5, "06:59")


def test_a_new_reminder_rule_reaches_what_is_booked_already(talk: Service) -> None:
    (booker,) = book(talk).attendances
    diary.set_reminders(service=None, minutes_before=[1440], by=STAFF, now=NOW)
    assert planned(booker) == {"confirmation", "reminder-1440"}
    diary.set_reminders(service=talk, minutes_before=[60], by=STAFF, now=NOW)
    assert planned(booker) == {"confirmation", "reminder-60"}


def test_new_hours_are_offered_and_what_was_booked_stays(iris: Counselor, talk: Service) -> None:
    booked = book(talk)
    assert booked.appointment.offered_under == 1
    diary.set_hours(
        counselor=iris,
        openings=[diary.Opening(1, 600, 700)],
        zone="America/New_York",
        by=STAFF,
        now=NOW,
    )
    assert Appointment.objects.get(pk=booked.appointment.pk).state == "confirmed"
    times = offers.open_times(
        service=talk,
        counselor=None,
        from_on=make.MONDAY,
        to_on=make.MONDAY + timedelta(days=7),
        zone="America/New_York",
        now=NOW,
    )
    assert [time.start for time in times] == [make.at(1, "10:00"), make.at(1, "10:30")]
    assert {one.hours_version for time in times for one in time.offered} == {2}


def test_an_exception_and_time_off_close_what_the_week_offers(
    iris: Counselor, talk: Service
) -> None:
    diary.set_exception(
        counselor=iris,
        on=make.MONDAY + timedelta(days=1),
        openings=[],
        zone="UTC",
        by=STAFF,
        now=NOW,
    )
    diary.take_time_off(
        counselor=None,
        starts_at=make.at(2, "00:00"),
        ends_at=make.at(5, "00:00"),
        label="Closed",
        by=STAFF,
        now=NOW,
    )
    times = offers.open_times(
        service=talk,
        counselor=iris,
        from_on=make.MONDAY + timedelta(days=1),
        to_on=make.MONDAY + timedelta(days=7),
        zone="America/New_York",
        now=NOW,
    )
    assert times == []


def test_a_page_of_times_is_one_statement_whatever_the_diary_holds(
    iris: Counselor, talk: Service, django_assert_num_queries: object
) -> None:
    for hour in (9, 11, 13, 15):
        make.appointment(iris, talk, make.ana(), start=make.at(1, f"{hour:02}:00"))
    with django_assert_num_queries(1):  # type: ignore[operator]
        offers.open_times(
            service=talk,
            counselor=None,
            from_on=make.MONDAY,
            to_on=make.MONDAY + timedelta(days=30),
            zone="Europe/Madrid",
            now=NOW,
        )
