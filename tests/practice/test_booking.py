"""Holding, booking, moving, cancelling: what each does, and what each refuses."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from clients.actions import people
from clients.models import AuditEntry, Case, Message, Person
from clients.rules.actors import Actor
from practice.actions import booking
from practice.actions.guard import SlotTaken
from practice.models import Appointment, Attendance, Counselor, Service
from practice.rules import cancellation
from tests import factories as make

pytestmark = pytest.mark.django_db

VISITOR = Actor.visitor()
NOW = make.NOW
ANA = people.NewPerson("Ana Alder", "ana@example.org", None, "en", "America/New_York")
BEN = people.NewPerson("Ben Birch", "ben@example.org", None, "es", "Europe/Madrid")


@pytest.fixture
def iris() -> Counselor:
    make.practice()
    return make.counselor("iris")


@pytest.fixture
def talk(iris: Counselor) -> Service:
    return make.service(counselors=[iris])


def hold(service: Service, start: str = "10:00", day: int = 1) -> booking.Held:
    return booking.hold(
        service=service, counselor=None, start=make.at(day, start), by=VISITOR, now=NOW
    )


def book(
    service: Service,
    start: str = "10:00",
    day: int = 1,
    *,
    partner: people.NewPerson | None = None,
    safe: bool = True,
) -> booking.Booked:
    request = booking.Request(booker=ANA, partner=partner, partner_safe_to_invite=safe)
    held = hold(service, start, day)
    return booking.book(token=held.token, request=request, by=VISITOR, now=NOW)


def planned(attendance: Attendance) -> set[str]:
    rows = Message.objects.filter(subject_id=attendance.pk, state=Message.State.PLANNED)
    return set(rows.values_list("purpose", flat=True))


def tell(attendance: Attendance) -> None:
    """As if the letters planned for now had left."""
    Message.objects.filter(subject_id=attendance.pk, due_at__lte=NOW, state="planned").update(
        state="sent", sent_at=NOW
    )


def test_a_hold_keeps_the_time_for_ten_minutes(talk: Service) -> None:
    held = hold(talk)
    assert held.appointment.held_until == NOW + timedelta(minutes=10)
    with pytest.raises(SlotTaken):
        hold(talk)


def test_a_hold_whose_time_is_up_gives_way(talk: Service) -> None:
    first = hold(talk)
    later = NOW + timedelta(minutes=10)
    second = booking.hold(
        service=talk, counselor=None, start=make.at(1, "10:00"), by=VISITOR, now=later
    )
    assert second.appointment.pk != first.appointment.pk
    with pytest.raises(booking.HoldGone):
        booking.book(token=first.token, request=booking.Request(booker=ANA), by=VISITOR, now=later)


def test_a_hold_that_ended_can_no_longer_be_booked(talk: Service) -> None:
    held = hold(talk)
    with pytest.raises(booking.HoldGone):
        booking.book(
            token=held.token,
            request=booking.Request(booker=ANA),
            by=VISITOR,
            now=NOW + timedelta(minutes=10),
        )
    assert not Person.objects.exists()


def test_letting_a_hold_go_frees_the_time(talk: Service) -> None:
    held = hold(talk)
    assert booking.release(token=held.token, by=VISITOR, now=NOW)
    assert not booking.release(token=held.token, by=VISITOR, now=NOW)
    assert hold(talk).token != held.token


def test_expired_holds_are_removed_and_live_ones_stay(talk: Service) -> None:
    hold(talk, "09:00")
    live = booking.hold(
        service=talk,
        counselor=None,
        start=make.at(1, "11:00"),
        by=VISITOR,
        now=NOW + timedelta(minutes=5),
    )
    later = NOW + timedelta(minutes=11)
    assert booking.expire_holds(by=Actor.system(), now=later) == 1
    assert list(Appointment.objects.values_list("pk", flat=True)) == [live.appointment.pk]


@pytest.mark.parametrize(
    ("day", "start"), [(1, "08:00"), (1, "10:07"), (5, "10:00"), (0, "09:00"), (90, "10:00")]
)
def test_only_offered_starts_can_be_held(talk: Service, day: int, start: str) -> None:
    with pytest.raises(booking.NotOffered):
        hold(talk, start, day)


def test_anyone_means_the_counselor_with_the_emptier_week(iris: Counselor) -> None:
    juno = make.counselor("juno")
    talk = make.service(counselors=[iris, juno])
    make.appointment(iris, talk, start=make.at(2))
    assert hold(talk).appointment.counselor == juno
    assert hold(talk).appointment.counselor == iris
    with pytest.raises(SlotTaken):
        hold(talk)


def test_booking_alone_makes_a_person_a_case_and_a_confirmation(talk: Service) -> None:
    booked = book(talk)
    appointment = booked.appointment
    (booker,) = booked.attendances
    assert appointment.state == Appointment.State.CONFIRMED
    assert appointment.case is not None
    assert appointment.case.person == booker.person
    assert booker.state == Attendance.State.CONFIRMED
    assert booker.person.name == "Ana Alder"
    assert planned(booker) == {"confirmation"}


def test_booking_for_two_makes_a_couple_and_two_links(talk: Service) -> None:
    booker, partner = book(talk, partner=BEN).attendances
    case = Case.objects.get()
    assert case.couple is not None
    assert case.couple.members.count() == 2
    assert booker.token != partner.token
    assert partner.state == Attendance.State.EXPECTED
    assert planned(partner) == {"invitation"}
    assert partner.person.zone == "Europe/Madrid"


def test_both_are_reminded_each_by_the_same_rules(talk: Service) -> None:
    make.reminder(120)
    make.reminder(2880)
    booker, partner = book(talk, day=4, partner=BEN).attendances
    assert planned(booker) == {"confirmation", "reminder-120", "reminder-2880"}
    assert planned(partner) == {"invitation", "reminder-120", "reminder-2880"}


def test_a_reminder_whose_moment_has_passed_at_booking_is_left_out(talk: Service) -> None:
    make.reminder(2880)
    (booker,) = book(talk, day=1).attendances
    assert planned(booker) == {"confirmation"}


def test_nothing_is_planned_for_a_partner_whom_it_is_not_safe_to_write_to(talk: Service) -> None:
    make.reminder(120)
    _, partner = book(talk, partner=BEN, safe=False).attendances
    assert partner.gate == Attendance.Gate.SAID_UNSAFE
    assert partner.person.email == "ben@example.org"
    assert not Message.objects.filter(person=partner.person).exists()


def test_one_address_for_two_gets_no_second_mail(talk: Service) -> None:
    shared = people.NewPerson("Ben Birch", "ANA@example.org", None, "en", "UTC")
    _, partner = book(talk, partner=shared).attendances
    assert partner.gate == Attendance.Gate.SHARED_ADDRESS
    assert not Message.objects.filter(person=partner.person).exists()


def test_the_same_address_twice_makes_two_persons(talk: Service) -> None:
    book(talk, "10:00")
    book(talk, "11:00")
    assert Person.objects.count() == 2


def test_a_partner_is_refused_where_one_person_comes(iris: Counselor) -> None:
    alone = make.service("alone", counselors=[iris], attendees="one")
    with pytest.raises(booking.PartnerNotExpected):
        book(alone, partner=BEN)


def test_a_clinician_who_asked_in_person_opens_the_gate(iris: Counselor) -> None:
    session = make.service("session", counselors=[iris], invite_gate="private_check")
    _, partner = book(session, partner=BEN).attendances
    assert partner.gate == Attendance.Gate.PRIVATE_CHECK
    booking.open_gate(attendance=partner, asked_in_person=True, by=iris.member.as_actor(), now=NOW)
    assert planned(partner) == {"invitation"}


def test_asking_in_person_does_not_open_a_shared_address(talk: Service) -> None:
    shared = people.NewPerson("Ben Birch", "ana@example.org", None, "en", "UTC")
    _, partner = book(talk, partner=shared).attendances
    with pytest.raises(booking.GateStaysShut):
        booking.open_gate(attendance=partner, asked_in_person=True, by=Actor.system(), now=NOW)


def test_on_request_the_time_is_taken_and_the_partner_hears_nothing_yet(iris: Counselor) -> None:
    asked = make.service("asked", counselors=[iris], booking="request", invite_gate="said_safe")
    booked = book(asked, partner=BEN)
    booker, partner = booked.attendances
    assert booked.appointment.state == Appointment.State.REQUESTED
    assert (planned(booker), planned(partner)) == ({"requested"}, set())
    with pytest.raises(SlotTaken):
        hold(asked)
    tell(booker)
    booking.accept(appointment=booked.appointment, by=iris.member.as_actor(), now=NOW)
    assert (planned(booker), planned(partner)) == ({"confirmation"}, {"invitation"})
    with pytest.raises(cancellation.NotAllowed):
        booking.accept(appointment=booked.appointment, by=iris.member.as_actor(), now=NOW)


def test_a_declined_request_frees_the_time_and_says_so(iris: Counselor) -> None:
    asked = make.service("asked", counselors=[iris], booking="request")
    booked = book(asked)
    tell(booked.attendances[0])
    booking.cancel(appointment=booked.appointment, by=iris.member.as_actor(), now=NOW)
    assert planned(booked.attendances[0]) == {"declined"}
    assert hold(asked)


def test_a_move_tells_everybody_and_asks_the_other_anew(talk: Service) -> None:
    make.reminder(120)
    booked = book(talk, partner=BEN)
    booker, partner = booked.attendances
    booking.confirm(attendance=partner, by=Actor.of_person(partner.person_id), now=NOW)
    tell(booker)
    tell(partner)
    changed = booking.move(
        appointment=booked.appointment,
        start=make.at(3, "14:00"),
        by=Actor.of_person(booker.person_id),
        now=NOW,
    )
    assert changed.appointment.sequence == 1
    assert changed.appointment.starts_at == make.at(3, "14:00")
    partner.refresh_from_db()
    booker.refresh_from_db()
    assert partner.state == Attendance.State.EXPECTED
    assert booker.state == Attendance.State.CONFIRMED
    assert planned(partner) == {"moved", "reminder-120"}
    stale = Message.objects.filter(purpose="reminder-120", version=0)
    assert set(stale.values_list("state", flat=True)) == {"cancelled"}


def test_a_move_before_anything_was_sent_sends_one_confirmation_of_the_new_time(
    talk: Service,
) -> None:
    booked = book(talk)
    booking.move(appointment=booked.appointment, start=make.at(3), by=Actor.system(), now=NOW)
    rows = Message.objects.filter(subject_id=booked.attendances[0].pk, state="planned")
    assert list(rows.values_list("purpose", "version")) == [("confirmation", 1)]


def test_a_move_into_a_taken_time_is_refused_and_changes_nothing(talk: Service) -> None:
    booked = book(talk, "10:00")
    book(talk, "11:00")
    with pytest.raises(SlotTaken):
        booking.move(
            appointment=booked.appointment,
            start=make.at(1, "11:00"),
            by=Actor.system(),
            now=NOW,
        )
    booked.appointment.refresh_from_db()
    assert booked.appointment.starts_at == make.at(1, "10:00")
    assert booked.appointment.sequence == 0


def test_a_move_by_half_its_own_length_is_not_in_its_own_way(talk: Service) -> None:
    booked = book(talk, "10:00")
    changed = booking.move(
        appointment=booked.appointment,
        start=make.at(1, "10:30"),
        by=Actor.system(),
        now=NOW,
    )
    assert changed.appointment.starts_at == make.at(1, "10:30")


def test_one_who_leaves_leaves_the_other_their_time(talk: Service) -> None:
    booked = book(talk, partner=BEN)
    booker, partner = booked.attendances
    tell(booker)
    tell(partner)
    booking.leave(attendance=booker, reason="", by=Actor.of_person(booker.person_id), now=NOW)
    booked.appointment.refresh_from_db()
    assert booked.appointment.state == Appointment.State.CONFIRMED
    assert (planned(booker), planned(partner)) == ({"cancelled"}, set())
    booking.leave(attendance=partner, reason="", by=Actor.of_person(partner.person_id), now=NOW)
    booked.appointment.refresh_from_db()
    assert booked.appointment.state == Appointment.State.CANCELLED
    assert hold(talk)


def test_a_partner_who_was_never_told_does_not_keep_the_time(talk: Service) -> None:
    booked = book(talk, partner=BEN, safe=False)
    booking.leave(attendance=booked.attendances[0], reason="", by=Actor.system(), now=NOW)
    booked.appointment.refresh_from_db()
    assert booked.appointment.state == Appointment.State.CANCELLED


def test_a_misclick_taken_back_at_once_sends_nothing(iris: Counselor) -> None:
    make.practice(confirmation_delay_seconds=120)
    talk = make.service(counselors=[iris])
    booked = book(talk, partner=BEN)
    rows = Message.objects.filter(state="planned")
    assert {row.due_at for row in rows} == {NOW + timedelta(minutes=2)}
    for attendance in booked.attendances:
        booking.leave(attendance=attendance, reason="", by=Actor.system(), now=NOW)
    assert set(Message.objects.values_list("state", flat=True)) == {"cancelled"}


def test_cancelling_twice_is_cancelling_once(talk: Service) -> None:
    booked = book(talk)
    booking.cancel(appointment=booked.appointment, by=Actor.system(), now=NOW)
    booking.cancel(appointment=booked.appointment, by=Actor.system(), now=NOW)
    assert AuditEntry.objects.filter(verb="appointment.cancelled").count() == 1


def test_the_cut_off_binds_the_attendee_and_not_the_desk(talk: Service, iris: Counselor) -> None:
    booked = book(talk, "15:00", day=0)
    attendance = booked.attendances[0]
    with pytest.raises(cancellation.TooLate):
        booking.leave(
            attendance=attendance,
            reason="",
            by=Actor.of_person(attendance.person_id),
            now=NOW,
        )
    with pytest.raises(cancellation.TooLate):
        booking.move(
            appointment=booked.appointment,
            start=make.at(3),
            by=Actor.of_person(attendance.person_id),
            now=NOW,
        )
    booking.cancel(appointment=booked.appointment, by=iris.member.as_actor(), now=NOW)


def test_a_cancelled_attendance_can_not_be_confirmed(talk: Service) -> None:
    booked = book(talk, partner=BEN)
    partner = booked.attendances[1]
    booking.leave(attendance=partner, reason="", by=Actor.system(), now=NOW)
    with pytest.raises(cancellation.NotAllowed):
        booking.confirm(attendance=partner, by=Actor.system(), now=NOW)


def test_what_took_place_can_no_longer_be_left(talk: Service) -> None:
    booked = book(talk)
    after = make.at(1, "12:00")
    booking.close(appointment=booked.appointment, came=True, by=Actor.system(), now=after)
    with pytest.raises(cancellation.NotAllowed):
        booking.leave(attendance=booked.attendances[0], reason="", by=Actor.system(), now=after)


def by_hand(
    iris: Counselor, service: Service, start: str, beside: booking.ByHand | None = None
) -> booking.Booked:
    return booking.book_by_hand(
        service=service,
        counselor=iris,
        start=make.at(1, start),
        request=booking.Request(booker=ANA),
        case=None,
        beside=beside,
        by=iris.member.as_actor(),
        now=NOW,
    )


def test_beside_the_offered_times_the_desk_gives_a_reason(iris: Counselor, talk: Service) -> None:
    with pytest.raises(booking.NotOffered):
        by_hand(iris, talk, "19:00")
    booked = by_hand(iris, talk, "19:00", booking.ByHand("after work, this once"))
    assert booked.appointment.offered_under is None
    assert booked.appointment.override_reason == "after work, this once"


def test_overbooking_is_knowing_and_still_keeps_others_out(iris: Counselor, talk: Service) -> None:
    by_hand(iris, talk, "10:00")
    with pytest.raises(SlotTaken):
        by_hand(iris, talk, "10:00", booking.ByHand("a crisis"))
    booked = by_hand(iris, talk, "12:00", booking.ByHand("a crisis", overbook=True))
    assert booked.appointment.overbooked
    # What was overbooked counts as busy for everybody after it.
    with pytest.raises((SlotTaken, booking.NotOffered)):
        hold(talk, "12:00")


def test_over_what_was_overbooked_nothing_is_booked_unknowingly(
    iris: Counselor, talk: Service
) -> None:
    over = by_hand(iris, talk, "19:00", booking.ByHand("a crisis", overbook=True))
    # The control: the constraint alone, past the guard, lets it through.
    past = make.appointment(iris, talk, start=make.at(1, "19:30"), override_reason="past the guard")
    Appointment.objects.filter(pk=past.pk).update(state="cancelled", cancelled_at=NOW)
    with pytest.raises(SlotTaken):
        by_hand(iris, talk, "19:00", booking.ByHand("after work"))
    booked = book(talk)
    with pytest.raises(SlotTaken):
        booking.move(
            appointment=booked.appointment,
            start=make.at(1, "19:30"),
            by=Actor.system(),
            now=NOW,
            beside=booking.ByHand("after work"),
        )
    booking.cancel(appointment=over.appointment, by=Actor.system(), now=NOW)
    assert by_hand(iris, talk, "19:00", booking.ByHand("after work"))


def test_what_is_over_is_neither_cancelled_nor_moved(talk: Service) -> None:
    booked = book(talk)
    after = make.at(1, "12:00")
    with pytest.raises(cancellation.NotAllowed):
        booking.cancel(appointment=booked.appointment, by=Actor.system(), now=after)
    with pytest.raises(cancellation.NotAllowed):
        booking.move(appointment=booked.appointment, start=make.at(3), by=Actor.system(), now=after)


def test_a_known_couple_is_booked_again_without_asking_anew(iris: Counselor, talk: Service) -> None:
    booked = book(talk, partner=BEN)
    again = booking.book_by_hand(
        service=talk,
        counselor=iris,
        start=make.at(2),
        request=None,
        case=booked.appointment.case,
        beside=None,
        by=iris.member.as_actor(),
        now=NOW,
    )
    assert [one.person for one in again.attendances] == [one.person for one in booked.attendances]
    assert {one.gate for one in again.attendances} == {Attendance.Gate.OPEN}
    assert Person.objects.count() == 2


def test_a_session_for_one_of_two_is_nothing_that_the_other_hears_of(
    iris: Counselor, talk: Service
) -> None:
    booked = book(talk, partner=BEN)
    ben = booked.attendances[1].person
    alone = make.service("alone", counselors=[iris], attendees="one")

    def again(*comes: Person) -> booking.Booked:
        return booking.book_by_hand(
            service=alone,
            counselor=iris,
            start=make.at(2),
            request=None,
            case=booked.appointment.case,
            comes=comes,
            beside=None,
            by=iris.member.as_actor(),
            now=NOW,
        )

    with pytest.raises(booking.PartnerNotExpected):
        again()
    assert [one.person for one in again(ben).attendances] == [ben]


def test_whoever_has_left_can_no_longer_move_it_for_the_other(talk: Service) -> None:
    booked = book(talk, partner=BEN)
    partner = booked.attendances[1]
    by = Actor.of_person(partner.person_id)
    booking.leave(attendance=partner, reason="", by=by, now=NOW)
    with pytest.raises(cancellation.NotAllowed):
        booking.move(appointment=booked.appointment, start=make.at(3), by=by, now=NOW)


def test_every_change_leaves_an_entry_in_the_audit(talk: Service) -> None:
    booked = book(talk, partner=BEN)
    booking.move(appointment=booked.appointment, start=make.at(3), by=Actor.system(), now=NOW)
    booking.cancel(appointment=booked.appointment, by=Actor.system(), now=NOW)
    verbs = list(
        AuditEntry.objects.filter(subject_id=booked.appointment.pk).values_list("verb", flat=True)
    )
    assert set(verbs) == {
        "appointment.held",
        "appointment.booked",
        "appointment.moved",
        "appointment.cancelled",
    }


def test_two_share_a_room_only_one_after_the_other(iris: Counselor) -> None:
    garden = make.room()
    Counselor.objects.update(room=garden)
    juno = make.counselor("juno", room=garden)
    talk = make.service(counselors=[iris, juno], minutes=60, step=60)
    hold(talk, "10:00")
    with pytest.raises((SlotTaken, booking.NotOffered)):
        hold(talk, "10:00")
    assert hold(talk, "11:00")


@pytest.mark.parametrize(
    "period",
    [
        DateTimeTZRange(empty=True),
        DateTimeTZRange(make.at(1), None),
        DateTimeTZRange(None, make.at(1)),
    ],
)
def test_the_database_refuses_periods_that_slip_past_the_guard(
    talk: Service, period: DateTimeTZRange
) -> None:
    appointment = hold(talk).appointment
    with pytest.raises(IntegrityError), transaction.atomic():
        Appointment.objects.filter(pk=appointment.pk).update(period=period, blocked=period)
