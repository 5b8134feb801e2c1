"""The desk: who sees what, and what each button does."""

import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clients.models import AuditEntry, Member, Message
from practice.models import Answer, Appointment, Attendance, Counselor, Practice, Question, Service
from tests import factories as make
from tests.practice.views import walk
from tests.practice.views.conftest import SetClock

pytestmark = pytest.mark.django_db

START = make.at(1, "10:00")
NEW = {"name": "Kim Kale", "email": "kim@example.org", "phone": "", "language": "en",
       "tz": "America/New_York", "who": "one"}  # fmt: skip


def signed_in(member: Member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


@pytest.fixture
def owner(practice: Practice) -> Client:
    return signed_in(make.admin())


@pytest.fixture
def staff(practice: Practice) -> Client:
    return signed_in(make.front_desk())


@pytest.fixture
def own(iris: Counselor) -> Client:
    """Iris at her own desk."""
    return signed_in(iris.member)


@pytest.fixture
def theo(practice: Practice) -> Counselor:
    return make.counselor("theo")


@pytest.fixture
def couple(iris: Counselor, talk: Service) -> Appointment:
    return make.appointment(iris, talk, make.ana(), make.ben(), start=START, gate="private_check")


def address(appointment: Appointment, page: str = "") -> str:
    return f"/desk/appointments/{appointment.pk}/{page}"


def now(appointment: Appointment) -> Appointment:
    appointment.refresh_from_db()
    return appointment


def on_its_way(appointment: Appointment) -> set[str]:
    rows = Message.objects.filter(subject_id__in=appointment.attendances.values("pk"))
    return set(rows.filter(state=Message.State.PLANNED).values_list("purpose", flat=True))


# --- who may come in -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/desk/", "/desk/book/", f"/desk/appointments/{uuid.UUID(int=1)}/"]
)
def test_whoever_is_not_signed_in_signs_in_first(client: Client, path: str) -> None:
    assert client.get(path)["Location"] == f"/accounts/login/?next={path}"


def test_a_user_who_is_no_member_stays_outside(client: Client, practice: Practice) -> None:
    client.force_login(get_user_model().objects.create_user("visitor"))
    assert client.get("/desk/").status_code == 403


def test_a_counselor_sees_their_own_diary_alone(
    own: Client, couple: Appointment, theo: Counselor, talk: Service
) -> None:
    foreign = make.appointment(theo, talk, make.dana(), start=START, gate="private_check")
    page = walk.text(own.get("/desk/?counselor=theo"))
    assert "Ana Alder & Ben Birch" in page
    assert "Dana Dogwood" not in page
    for name in ("", "cancel/", "move/"):
        assert own.get(address(foreign, name)).status_code == 404
    for name in ("accept/", "cancel/", "move/", "close/"):
        assert own.post(address(foreign, name)).status_code == 404
    gate = f"/desk/attendances/{foreign.attendances.get().pk}/open-gate/"
    assert own.post(gate).status_code == 404
    assert now(foreign).state == Appointment.State.CONFIRMED


def test_staff_see_everybody_and_may_filter(
    staff: Client, couple: Appointment, theo: Counselor, talk: Service
) -> None:
    make.appointment(theo, talk, make.dana(), start=START)
    everybody = walk.text(staff.get("/desk/"))
    assert "Ana Alder & Ben Birch" in everybody
    assert "Dana Dogwood" in everybody
    assert "Dana Dogwood" not in walk.text(staff.get("/desk/?counselor=iris"))
    assert staff.get("/desk/?counselor=%00").status_code == 200


def test_a_hold_has_no_page(owner: Client, iris: Counselor, talk: Service) -> None:
    assert owner.get(address(make.hold(iris, talk, start=START))).status_code == 404


# --- today ---------------------------------------------------------------------------------------


def test_today_says_how_many_have_confirmed_and_who_can_not_be_written_to(
    own: Client, couple: Appointment
) -> None:
    page = walk.text(own.get("/desk/"))
    assert "1 of 2 confirmed" in page
    assert "Tuesday 12 January 2027" in page
    assert "waits for the private check of both" in page


def test_today_lists_requests_and_messages_in_trouble(
    own: Client, iris: Counselor, talk: Service
) -> None:
    asked = make.appointment(iris, talk, start=make.at(30, "10:00"), state="requested")
    make.message(asked.attendances.get(), state=Message.State.FAILED, reason="smtp_550")
    page = walk.text(own.get("/desk/"))
    assert "Requests to answer" in page
    assert "Messages to look at" in page


def test_today_takes_as_many_statements_for_many_as_for_few(
    owner: Client, iris: Counselor, talk: Service
) -> None:
    def fill(days: range) -> None:
        for day in days:
            people = (make.ana(), make.ben())
            booked = make.appointment(
                iris, talk, *people, start=make.at(day, "10:00"), gate="private_check"
            )
            make.appointment(
                iris,
                talk,
                *people,
                start=make.at(day, "13:00"),
                state="requested",
                gate="no_contact",
            )
            for attendance in booked.attendances.all():
                make.message(attendance, state=Message.State.FAILED, reason="smtp_550")

    def statements() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert owner.get("/desk/").status_code == 200
        return len(caught)

    fill(range(1, 2))
    few = statements()
    fill(range(2, 6))
    assert statements() == few
    assert few <= 15


def test_looking_changes_nothing_but_the_record_of_who_looked(
    own: Client, couple: Appointment
) -> None:
    before = walk.domain_rows()
    to_book = "/desk/book/?service=first-talk&counselor=iris"
    pages = ["/desk/", "/desk/book/", to_book, f"{to_book}&case={couple.case_id}"]
    pages += [address(couple), address(couple, "cancel/"), address(couple, "move/")]
    for page in pages:
        assert own.get(page).status_code == 200
    after = walk.domain_rows()
    entries = AuditEntry.objects.filter(person_id__isnull=False, verb__endswith=".read")
    # In a list, on a page of its own, to book for them: each of the two, once a minute.
    assert Counter(entries.values_list("verb", flat=True)) == {
        "diary.read": 2,
        "appointment.read": 2,
        "person.read": 2,
    }
    added = len(after.pop("duet_clients.AuditEntry")) - len(before.pop("duet_clients.AuditEntry"))
    assert added == entries.count()
    assert after == before


# --- one appointment -----------------------------------------------------------------------------


def test_an_appointment_shows_all_that_the_practice_knows(own: Client, couple: Appointment) -> None:
    ana = couple.attendances.get(role="booker")
    question = Question.objects.create(service=couple.service, slug="why", label="What brings you?")
    Answer(attendance=ana, question=question, text="<b>We</b> argue").save(force_insert=True)
    make.message(ana)
    response = own.get(address(couple))
    page = walk.text(response)
    assert "ana@example.org" in page
    assert "<b>We</b> argue" in page
    assert b"<b>We</b>" not in response.content
    assert "reminder 48 h before" in page
    entries = AuditEntry.objects.filter(verb="appointment.read", subject_id=couple.pk)
    ben = couple.attendances.get(role="partner")
    assert dict(entries.values_list("person_id", "detail")) == {
        ana.person_id: {"answers": 1},
        ben.person_id: {"answers": 0},
    }


def test_a_clinician_opens_the_gate(own: Client, staff: Client, couple: Appointment) -> None:
    ben = couple.attendances.get(role="partner")
    gate = f"/desk/attendances/{ben.pk}/open-gate/"
    assert "I asked them in person" not in walk.text(staff.get(address(couple)))
    assert staff.post(gate).status_code == 403
    assert "I asked them in person" in walk.text(own.get(address(couple)))
    assert own.get(gate).status_code == 405
    assert own.post(gate, {"asked": "yes"})["Location"] == address(couple)
    ben.refresh_from_db()
    assert ben.gate == Attendance.Gate.OPEN
    assert "invitation" in on_its_way(couple)


def test_a_shared_address_keeps_the_gate_shut(own: Client, iris: Counselor, talk: Service) -> None:
    shared = make.appointment(
        iris, talk, make.ana(), make.ben(email="ana@example.org"), start=START,
        gate="shared_address",
    )  # fmt: skip
    ben = shared.attendances.get(role="partner")
    refused = own.post(f"/desk/attendances/{ben.pk}/open-gate/", {"asked": "yes"})
    assert refused.status_code == 422
    assert "Both gave the same address" in walk.text(refused)


def test_a_request_is_accepted_or_declined(own: Client, iris: Counselor, talk: Service) -> None:
    first = make.appointment(iris, talk, start=START, state="requested")
    second = make.appointment(iris, talk, start=make.at(1, "14:00"), state="requested")
    assert own.post(address(first, "accept/"))["Location"] == address(first)
    assert now(first).state == Appointment.State.CONFIRMED
    assert "confirmation" in on_its_way(first)
    assert own.post(address(first, "accept/")).status_code == 422
    assert "Decline this request?" in walk.text(own.get(address(second, "cancel/")))
    own.post(address(second, "cancel/"))
    assert now(second).state == Appointment.State.CANCELLED


def test_cancelling_asks_first(own: Client, couple: Appointment) -> None:
    assert "Cancel this appointment?" in walk.text(own.get(address(couple, "cancel/")))
    assert now(couple).state == Appointment.State.CONFIRMED
    own.post(address(couple, "cancel/"))
    assert now(couple).state == Appointment.State.CANCELLED
    assert own.post(address(couple, "cancel/")).status_code == 302


def test_what_took_place_is_noted_afterwards(
    own: Client, couple: Appointment, iris: Counselor, clock: SetClock
) -> None:
    assert own.post(address(couple, "close/"), {"came": "yes"}).status_code == 422
    clock(START + timedelta(hours=1))
    own = signed_in(iris.member)
    assert own.post(address(couple, "close/"), {"came": "perhaps"}).status_code == 422
    own.post(address(couple, "close/"), {"came": "no"})
    assert now(couple).state == Appointment.State.NO_SHOW
    own.post(address(couple, "close/"), {"came": "yes"})
    assert now(couple).state == Appointment.State.DONE


@pytest.mark.parametrize("button", ["accept/", "cancel/", "close/", "move/"])
def test_an_unknown_field_is_refused(own: Client, couple: Appointment, button: str) -> None:
    assert own.post(address(couple, button), {"counselor": "theo"}).status_code == 422
    assert now(couple).state == Appointment.State.CONFIRMED


# --- move ----------------------------------------------------------------------------------------


def test_an_appointment_is_moved_to_an_open_time(own: Client, couple: Appointment) -> None:
    start = make.at(1, "14:00")
    assert own.post(address(couple, "move/"), {"start": start.isoformat()}).status_code == 302
    assert now(couple).starts_at == start


def test_a_move_beside_the_hours_needs_a_reason(own: Client, couple: Appointment) -> None:
    late = {"date": "2027-01-12", "time": "20:15"}
    refused = own.post(address(couple, "move/"), late)
    assert refused.status_code == 422
    assert "To book it all the same, say why" in walk.text(refused)
    own.post(address(couple, "move/"), late | {"reason": "they work late"})
    assert now(couple).starts_at == make.at(1, "20:15")
    assert now(couple).override_reason == "they work late"


def test_a_move_over_another_one_shows_it_first(
    own: Client, couple: Appointment, iris: Counselor, talk: Service
) -> None:
    make.appointment(iris, talk, make.dana(), start=make.at(1, "14:00"))
    wanted = {"date": "2027-01-12", "time": "14:00", "reason": "urgent"}
    shown = own.post(address(couple, "move/"), wanted)
    assert shown.status_code == 409
    assert "Dana Dogwood" in walk.text(shown)
    own.post(address(couple, "move/"), wanted | {"overbook": "on"})
    assert now(couple).overbooked


# --- book by hand --------------------------------------------------------------------------------


def hand(client: Client, service: Service, start: datetime, /, **fields: str) -> Any:
    local = start.astimezone(ZoneInfo("America/New_York"))
    sent = {
        "service": service.slug,
        "counselor": "iris",
        "date": local.date().isoformat(),
        "time": local.strftime("%H:%M"),
        "offset": "",
        "reason": "",
    }
    return client.post("/desk/book/", sent | NEW | fields)


def test_somebody_new_is_booked_at_an_open_time(own: Client, talk: Service) -> None:
    page = walk.text(
        own.get(f"/desk/book/?service={talk.slug}&counselor=iris&start=2027-01-12T10:00:00-05:00")
    )
    assert 'value="2027-01-12"' in page
    assert 'value="10:00"' in page
    booked = hand(own, talk, START)
    assert booked.status_code == 302
    row = Appointment.objects.get()
    assert booked["Location"] == address(row)
    assert row.starts_at == START
    assert row.offered_under is not None


def test_a_couple_is_booked_by_hand_with_its_gate(own: Client, talk: Service) -> None:
    hand(own, talk, START, **(walk.BEN | {"partner_safe": "no", "asked_in_person": "on"}))
    assert Attendance.objects.get(role="partner").gate == Attendance.Gate.OPEN


def test_staff_can_not_say_that_a_partner_was_asked(staff: Client, talk: Service) -> None:
    refused = hand(staff, talk, START, **(walk.BEN | {"asked_in_person": "on"}))
    assert refused.status_code == 400


def test_a_case_is_booked_again_without_typing(
    own: Client, couple: Appointment, talk: Service
) -> None:
    sent = {"service": talk.slug, "counselor": "iris", "case": str(couple.case_id),
            "comes": "couple", "date": "2027-01-19", "time": "10:00", "reason": ""}  # fmt: skip
    assert own.post("/desk/book/", sent).status_code == 302
    again = Appointment.objects.exclude(pk=couple.pk).get()
    assert again.case_id == couple.case_id
    assert again.attendances.count() == 2


def test_a_foreign_case_and_a_foreign_diary_are_refused(
    own: Client, theo: Counselor, talk: Service
) -> None:
    talk.counselors.add(theo)
    foreign = make.appointment(theo, talk, make.dana(), start=START)
    assert own.get(f"/desk/book/?case={foreign.case_id}").status_code == 404
    assert own.get("/desk/book/?case=%00").status_code == 404
    assert hand(own, talk, START, counselor="theo").status_code == 422
    assert Appointment.objects.count() == 1


def test_a_time_beside_the_hours_needs_a_reason(own: Client, talk: Service) -> None:
    late = make.at(1, "20:15")
    refused = hand(own, talk, late)
    assert refused.status_code == 422
    assert 'value="Kim Kale"' in walk.text(refused)
    hand(own, talk, late, reason="they work late")
    assert Appointment.objects.get().override_reason == "they work late"


def test_an_overbooking_shows_the_other_one_and_needs_a_reason(
    own: Client, couple: Appointment, talk: Service
) -> None:
    shown = hand(own, talk, START)
    assert shown.status_code == 409
    assert "Ana Alder & Ben Birch" in walk.text(shown)
    unexplained = hand(own, talk, START, overbook="on")
    assert "say why it is booked over another one" in walk.text(unexplained)
    assert hand(own, talk, START, overbook="on", reason="urgent").status_code == 302
    row = Appointment.objects.exclude(pk=couple.pk).get()
    assert (row.overbooked, row.override_reason) == (True, "urgent")


def test_a_time_that_the_clock_skips_is_refused_and_one_that_comes_twice_is_asked_about(
    own: Client, talk: Service
) -> None:
    skipped = hand(own, talk, START, date="2027-03-14", time="02:30", reason="night")
    assert "doesn't exist on that day" in walk.text(skipped)
    twice = hand(own, talk, START, date="2027-11-07", time="01:30", reason="night")
    assert twice.status_code == 422
    page = walk.text(twice)
    assert 'value="-04:00"' in page
    assert 'value="-05:00"' in page
    hand(own, talk, START, date="2027-11-07", time="01:30", reason="night", offset="-05:00")
    assert Appointment.objects.get().starts_at.isoformat() == "2027-11-07T06:30:00+00:00"


@pytest.mark.parametrize("name", ["date", "time", "offset", "reason", "name", "tz", "service"])
def test_no_value_makes_the_form_fail(own: Client, talk: Service, name: str) -> None:
    dates = () if name == "reason" else ("9999-12-31", "0001-01-01", "99:99")
    for value in ("\x00", "☃" * 2_000, *dates):
        response = hand(own, talk, make.at(1, "20:15"), **{name: value})
        assert response.status_code == 422


def test_the_past_can_not_be_booked(own: Client, talk: Service) -> None:
    assert hand(own, talk, make.NOW - timedelta(days=1), reason="forgot").status_code == 422
