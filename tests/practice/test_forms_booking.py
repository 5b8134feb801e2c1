"""What comes with a first booking: to whom, by when, and what becomes of it afterwards."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from clients.actions import people
from clients.models import Case, Message, Person, SafeContact
from intake.models import Assignment, CasePolicy, Intake, Review
from practice.actions import booking, cases, contacts, erasure, forms
from practice.models import Attendance, Counselor, FormRule, Practice, Service
from tests import factories as make
from tests.factories import NOW, SYSTEM
from tests.practice import forms_cast as cast
from tests.practice.forms_cast import ANA, BEN, CHECK, MOOD

pytestmark = pytest.mark.django_db
FIRST = ("intake", 1, "planned")


@pytest.fixture
def iris() -> Counselor:
    make.practice()
    return make.counselor("iris")


@pytest.fixture
def talk(iris: Counselor) -> Service:
    return make.service(counselors=[iris], invite_gate="private_check")


@pytest.fixture
def ruled(talk: Service) -> Service:
    cast.published(CHECK, MOOD)
    cast.rules(MOOD, CHECK, service=talk)
    return talk


def test_each_gets_an_own_link_and_the_private_check_first(ruled: Service) -> None:
    booked = cast.book(ruled)

    for name in ("Ana", "Ben"):
        assert cast.forms(name) == [(CHECK, "open"), (MOOD, "open")]
        assert cast.letters(name)[0] == FIRST
    assert booked.attendances[1].gate == Attendance.Gate.PRIVATE_CHECK
    assert CasePolicy.objects.get().kind == Practice.objects.get().secrets_policy
    start = booked.appointment.starts_at
    assert {row.due_at for row in Assignment.objects.all()} == {start - timedelta(hours=24)}
    assert {row.expires_at for row in Assignment.objects.all()} == {start + timedelta(days=14)}


def test_without_a_rule_nothing_is_given_and_no_letter_planned(talk: Service) -> None:
    cast.published(CHECK)
    cast.book(talk)
    assert not Intake.objects.exists()
    assert not CasePolicy.objects.exists()
    assert not Message.objects.filter(subject_kind="intake").exists()


def test_a_partner_of_whom_nobody_said_that_it_is_safe_gets_nothing(ruled: Service) -> None:
    cast.book(ruled, safe=False)
    assert cast.forms("Ana")
    assert cast.forms("Ben") == []


def test_a_partner_without_an_address_hears_of_it_when_there_is_one(ruled: Service) -> None:
    ben = people.NewPerson("Ben Birch", None, "+12015550102", "en", "Europe/Madrid")
    booked = cast.book(ruled, ben)
    assert cast.letters("Ben") == []

    contacts.change_contact(
        person=booked.attendances[1].person,
        email="ben@example.org",
        phone=None,
        language="en",
        zone="Europe/Madrid",
        by=SYSTEM,
        now=NOW,
    )
    assert cast.forms("Ben") == [(CHECK, "open"), (MOOD, "open")]
    assert cast.letters("Ben")[0][0] == "intake"
    assert Attendance.objects.get(role="partner").gate == Attendance.Gate.PRIVATE_CHECK


def test_an_address_that_turns_out_to_be_the_others_stops_every_letter(ruled: Service) -> None:
    booked = cast.book(ruled)
    contacts.change_contact(
        person=booked.attendances[1].person,
        email="ANA@example.org",
        phone=None,
        language="en",
        zone="Europe/Madrid",
        by=SYSTEM,
        now=NOW,
    )
    assert Attendance.objects.get(role="partner").gate == Attendance.Gate.SHARED_ADDRESS
    for name in ("Ana", "Ben"):
        assert {state for _, _, state in cast.letters(name)} == {"cancelled"}


def test_where_both_gave_one_address_no_letter_brings_either_link(ruled: Service) -> None:
    ben = people.NewPerson("Ben Birch", "Ana@example.org", None, "en", "Europe/Madrid")
    booked = cast.book(ruled, ben)
    assert cast.forms("Ben") == []
    assert cast.forms("Ana")
    assert cast.letters("Ana") == []

    contacts.change_contact(
        person=booked.attendances[1].person,
        email="ben@example.org",
        phone=None,
        language="en",
        zone="Europe/Madrid",
        by=SYSTEM,
        now=NOW,
    )
    for name in ("Ana", "Ben"):
        assert cast.letters(name)[0][0] == "intake"


def test_a_rule_for_the_one_who_books_is_for_them_alone(talk: Service) -> None:
    cast.published(MOOD)
    cast.rules(MOOD, who="booker")
    cast.book(talk)
    assert cast.forms("Ana") == [(MOOD, "open")]
    assert cast.forms("Ben") == []


def test_a_services_own_rules_stand_in_place_of_the_general_ones(talk: Service) -> None:
    cast.published(MOOD, CHECK)
    cast.rules(MOOD)
    cast.rules(CHECK, service=talk)
    cast.book(talk)
    assert cast.forms("Ana") == [(CHECK, "open")]


def test_what_isnt_published_isnt_given_and_holds_no_booking_up(talk: Service) -> None:
    make.instrument(id=MOOD, state="draft")
    cast.rules(MOOD, "unknown")
    cast.book(talk)
    assert not Intake.objects.exists()


def test_what_is_booked_late_is_due_in_an_hour_and_nobody_is_reminded(talk: Service) -> None:
    cast.published(CHECK)
    cast.rules(CHECK, due_hours_before=48)
    cast.book(talk, None, day=1)
    assert Assignment.objects.first().due_at == NOW + timedelta(hours=1)  # type: ignore[union-attr]
    assert cast.letters("Ana") == [FIRST]


def test_with_the_confirmation_comes_one_more_letter_and_then_two_reminders(ruled: Service) -> None:
    cast.book(ruled, None)
    assert Message.objects.filter(due_at=NOW).count() == 2
    due = make.at(10, "10:00") - timedelta(hours=24)
    assert list(
        Message.objects.filter(subject_kind="intake")
        .order_by("due_at")
        .values_list("purpose", "due_at")
    ) == [
        ("intake", NOW),
        ("intake-nudge-1", due - timedelta(days=2)),
        ("intake-nudge-2", due),
    ]


def test_strangers_cannot_have_letters_poured_over_an_address(
    ruled: Service, settings: Settings
) -> None:
    settings.DUET = settings.DUET | {"THROTTLE": True}
    for day in (10, 11, 14):
        cast.book(ruled, None, day=day)
    sent = Message.objects.filter(due_at=NOW, state="planned")
    assert sent.count() == 3
    assert Message.objects.filter(reason="too_many", purpose="intake").count() == 2


def _statements(service: Service, **fields: object) -> int:
    held = booking.hold(
        service=service, counselor=None, start=make.at(10), by=cast.VISITOR, now=NOW
    )
    request = booking.Request(booker=ANA, partner=BEN, partner_safe_to_invite=True)
    with CaptureQueriesContext(connection) as caught:
        booking.book(token=held.token, request=request, by=cast.VISITOR, now=NOW)
    return len([one for one in caught if "SAVEPOINT" not in one["sql"]])


def test_a_booking_takes_as_many_statements_with_forms_as_without(talk: Service) -> None:
    people.ensure_index_key(by=SYSTEM, now=NOW)
    without = _statements(talk)
    for row in Attendance.objects.select_related("appointment"):
        row.appointment.state, row.appointment.cancelled_at = "cancelled", NOW
        row.appointment.save()
    cast.published(MOOD, CHECK)
    cast.rules(MOOD, CHECK, service=talk)
    assert _statements(talk) == without
    assert Assignment.objects.count() == 4


# --- afterwards ----------------------------------------------------------------------------------


def test_a_move_changes_by_when_it_is_due_and_when_people_are_reminded(ruled: Service) -> None:
    booked = cast.book(ruled)
    cast.send(cast.link("Ben"), MOOD)
    start = make.at(14, "10:00")
    booking.move(appointment=booked.appointment, start=start, by=SYSTEM, now=NOW)

    due = start - timedelta(hours=24)
    assert {row.due_at for row in Assignment.objects.open()} == {due}
    assert Assignment.objects.get(state="sent").due_at == make.at(9, "10:00")
    for purpose, ahead in {"intake-nudge-1": 2, "intake-nudge-2": 0}.items():
        rows = Message.objects.filter(purpose=purpose)
        assert {row.due_at for row in rows} == {due - timedelta(days=ahead)}


def test_a_move_locks_the_case_then_links_then_forms(ruled: Service) -> None:
    booked = cast.book(ruled)
    with CaptureQueriesContext(connection) as caught:
        forms.follow(appointment=booked.appointment, reason="moved", by=SYSTEM, now=NOW)
    locking = [one["sql"] for one in caught.captured_queries if "FOR NO KEY UPDATE" in one["sql"]]
    found = [re.search(r'FROM "duet_(clients_case|intake_\w+)"', sql) for sql in locking]
    tables = list(dict.fromkeys(one[1] for one in found if one))
    assert tables == ["clients_case", "intake_intake", "intake_assignment"]


def test_a_cancelled_first_session_takes_back_what_nobody_sent(ruled: Service) -> None:
    booked = cast.book(ruled)
    cast.send(cast.link("Ana"), CHECK)
    booking.cancel(appointment=booked.appointment, by=SYSTEM, now=NOW)

    assert cast.forms("Ana") == [(CHECK, "sent"), (MOOD, "withdrawn")]
    assert cast.forms("Ben") == [(CHECK, "withdrawn"), (MOOD, "withdrawn")]
    assert {state for _, _, state in cast.letters("Ana")} == {"cancelled"}


def test_they_may_be_kept_for_whoever_waits_for_another_time(ruled: Service) -> None:
    booked = cast.book(ruled)
    booking.cancel(appointment=booked.appointment, keep_forms=True, by=SYSTEM, now=NOW)
    assert {state for _, state in cast.forms("Ana")} == {"open"}


def test_whoever_leaves_alone_takes_back_only_their_own(ruled: Service) -> None:
    booked = cast.book(ruled)
    partner = booked.attendances[1]
    booking.open_gate(attendance=partner, asked_in_person=True, by=SYSTEM, now=NOW)
    booking.leave(attendance=partner, reason="", by=SYSTEM, now=NOW)
    assert {state for _, state in cast.forms("Ben")} == {"withdrawn"}
    assert {state for _, state in cast.forms("Ana")} == {"open"}


def test_what_came_before_a_session_stays_when_a_later_one_is_cancelled(ruled: Service) -> None:
    booked = cast.book(ruled, None)
    after = booked.appointment.ends_at + timedelta(days=1)
    booking.close(appointment=booked.appointment, came=True, by=SYSTEM, now=after)
    second = booking.book_by_hand(
        service=ruled,
        counselor=booked.appointment.counselor,
        start=make.at(21, "10:00"),
        request=None,
        case=booked.appointment.case,
        beside=None,
        by=SYSTEM,
        now=after,
    )
    booking.cancel(appointment=second.appointment, by=SYSTEM, now=after)
    assert {state for _, state in cast.forms("Ana")} == {"open"}


def test_who_is_booked_again_before_any_session_is_asked_again(ruled: Service) -> None:
    booked = cast.book(ruled, None)
    cast.send(cast.link("Ana"), CHECK)
    booking.cancel(appointment=booked.appointment, by=SYSTEM, now=NOW)
    booking.book_by_hand(
        service=ruled,
        counselor=booked.appointment.counselor,
        start=make.at(11, "10:00"),
        request=None,
        case=booked.appointment.case,
        beside=None,
        by=SYSTEM,
        now=NOW,
    )
    assert sorted(cast.forms("Ana")) == [(MOOD, "open"), (MOOD, "withdrawn"), (CHECK, "sent")]
    assert Intake.objects.count() == 1
    assert ("intake", 2, "planned") in cast.letters("Ana")


def test_an_enquiry_that_is_booked_again_waits_for_a_decision_again(ruled: Service) -> None:
    cast.book(ruled, partner=None)
    case = Case.objects.get()
    Review.objects.update(decision="waitlisted", decided_at=NOW, decided_by=make.reviewer())
    iris = Counselor.objects.get()
    Assignment.objects.filter(slug=MOOD).update(state="withdrawn", closed_at=NOW)

    def again(day: int) -> Review:
        booking.book_by_hand(
            service=ruled, counselor=iris, start=make.at(day, "10:00"), request=None, case=case,
            beside=None, by=iris.member.as_actor(), now=NOW,
        )  # fmt: skip
        return Review.objects.open().get()

    review = again(11)
    assert (review.case, review.due_at) == (case, make.at(11, "10:00"))
    # What waits already is left as it is.
    assert again(14).due_at == make.at(11, "10:00")


def test_a_known_case_without_rules_costs_nothing_more(talk: Service) -> None:
    booked = cast.book(talk, None)
    with CaptureQueriesContext(connection) as caught:
        booking.book_by_hand(
            service=talk,
            counselor=booked.appointment.counselor,
            start=make.at(11, "10:00"),
            request=None,
            case=booked.appointment.case,
            beside=None,
            by=SYSTEM,
            now=NOW,
        )
    asked = [one["sql"] for one in caught if "duet_intake" in one["sql"]]
    # The terms, which name the rules; whoever comes alone is held by no flag.
    assert len(asked) == 1, asked


def test_a_no_and_a_new_address_reach_what_is_planned(ruled: Service) -> None:
    booked = cast.book(ruled, None)
    ana = booked.attendances[0].person
    contacts.change_contact(
        person=ana, email=None, phone="+12015550109", language="en", zone=ana.zone, by=SYSTEM,
        now=NOW,
    )  # fmt: skip
    assert {state for _, _, state in cast.letters("Ana")} == {"cancelled"}
    contacts.change_contact(
        person=ana, email="ana2@example.org", phone=None, language="en", zone=ana.zone, by=SYSTEM,
        now=NOW,
    )  # fmt: skip
    assert {state for _, _, state in cast.letters("Ana")} == {"planned"}


def test_quiet_hours_move_reminders_ahead_of_them_and_the_first_letter_behind(
    ruled: Service,
) -> None:
    booked = cast.book(ruled, None)
    ana = booked.attendances[0].person
    contacts.say_safe_contact(
        person=ana,
        channel=SafeContact.Channel.EMAIL,
        permission=SafeContact.Permission.YES,
        quiet=(7 * 60, 12 * 60),
        by=SYSTEM,
        now=NOW,
    )
    first, *nudges = Message.objects.filter(subject_kind="intake").order_by("due_at")
    assert first.due_at == NOW + timedelta(hours=4)
    for one in nudges:
        assert one.due_at.astimezone(make.at(1).tzinfo).strftime("%H:%M") in {"06:59", "11:59"}


def test_closing_a_case_ends_its_links(ruled: Service) -> None:
    booked = cast.book(ruled, None)
    booking.cancel(appointment=booked.appointment, keep_forms=True, by=SYSTEM, now=NOW)
    cases.close(case=booked.appointment.case, by=SYSTEM, now=NOW)  # type: ignore[arg-type]
    assert Intake.objects.get().ended_at == NOW
    assert {state for _, state in cast.forms("Ana")} == {"withdrawn"}
    assert {state for _, _, state in cast.letters("Ana")} == {"cancelled"}


def test_erasing_ends_the_link_and_leaves_the_partners(ruled: Service) -> None:
    booked = cast.book(ruled)
    booking.cancel(appointment=booked.appointment, keep_forms=True, by=SYSTEM, now=NOW)
    ben = booked.attendances[1].person
    erasure.erase(person=ben, reason="asked", despite="court", by=SYSTEM, now=NOW)
    assert Intake.objects.get(person=ben).ended_at == NOW
    assert set(Assignment.objects.filter(intake__person=ben).values_list("state", flat=True)) == {
        "withdrawn"
    }
    own = Intake.objects.get(person=booked.attendances[0].person)
    assert own.ended_at is None
    assert Message.objects.filter(subject_id=own.pk, state="planned").exists()


def test_by_hand_and_once_more(ruled: Service) -> None:
    booked = cast.book(ruled, None)
    cast.published("sleep")
    case = Case.objects.get()
    ana = Person.objects.get()
    intakes = forms.give_by_hand(
        case=case, persons=[ana], slugs=["sleep"], due_at=None, expires_at=None, by=SYSTEM, now=NOW
    )
    assert cast.letters("Ana")[0] == ("intake", 1, "cancelled")
    assert ("intake", 2, "planned") in cast.letters("Ana")
    forms.ask_again(intake=intakes[0], by=SYSTEM, now=NOW + timedelta(hours=1))
    assert ("intake", 3, "planned") in cast.letters("Ana")
    for one in Assignment.objects.open().select_related("intake__case"):
        forms.withdraw(assignment=one, by=SYSTEM, now=NOW)
    assert {state for _, _, state in cast.letters("Ana")} == {"cancelled"}
    assert booked.appointment.case == case


def test_nobody_writes_to_a_partner_whose_gate_was_never_called_safe(ruled: Service) -> None:
    booked = cast.book(ruled, safe=False)
    ben = booked.attendances[1].person
    forms.give_by_hand(
        case=Case.objects.get(), persons=[ben], slugs=[MOOD], due_at=None, expires_at=None,
        by=SYSTEM, now=NOW,
    )  # fmt: skip
    assert cast.forms("Ben") == [(MOOD, "open")]
    assert cast.letters("Ben") == []
    assert FormRule.objects.count() == 2
