"""From a time to an appointment, as a browser without JavaScript walks it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from clients.models import Message, Person
from practice.models import (
    Answer,
    Appointment,
    Attendance,
    Consent,
    ConsentGiven,
    Counselor,
    Question,
    Service,
)
from tests import factories as make
from tests.bad_inputs import cases
from tests.practice.views import walk
from tests.practice.views.conftest import SetClock

pytestmark = pytest.mark.django_db

TEN = make.at(1, "10:00")
STARTS = [
    case
    for case in cases.read()
    if case.surface == "booking"
    and case.input.get("field") == "start"
    and case.expect["class"] == "reject"
]


@pytest.fixture
def other() -> Client:
    """Another browser."""
    return Client()


def booked() -> Appointment:
    return Appointment.objects.exclude(state=Appointment.State.HELD).get()


def planned(attendance: Attendance) -> set[str]:
    rows = Message.objects.filter(subject_id=attendance.pk, state=Message.State.PLANNED)
    return set(rows.values_list("purpose", flat=True))


# --- the way through -----------------------------------------------------------------------------


def test_two_people_book_without_an_account(client: Client, talk: Service) -> None:
    assert walk.hold(client, talk, TEN, who="couple")["Location"] == "/book/details/"
    page = walk.details(client)
    assert "Held for you until <b>08:10, New York time</b>" in walk.text(page)
    assert "Tuesday 12 January 2027, 10:00" in walk.text(page)
    sent = client.post("/book/details/", walk.filled(page, **walk.BEN))
    assert sent["Location"] == "/book/done/"
    done = walk.text(client.get("/book/done/"))
    assert "Your time is booked" in done
    assert "The other person gets" in done
    ana, ben = Attendance.objects.order_by("role")
    assert (ana.person.name, ana.person.email) == ("Ana Alder", "ana@example.org")
    assert (ben.person.name, ben.person.zone, ben.person.language) == (
        "Ben Birch",
        "Europe/Madrid",
        "es",
    )
    assert ana.token in done
    assert ben.token not in done
    assert planned(ana) == {"confirmation"}
    assert planned(ben) == {"invitation"}


def test_one_person_comes_alone_first(client: Client, talk: Service) -> None:
    sent = walk.book(client, talk, **(walk.BEN | walk.ALONE))
    assert sent.status_code == 302
    assert Person.objects.count() == 1
    done = walk.text(client.get("/book/done/"))
    assert "other person" not in done


def test_nothing_is_sent_to_a_partner_unless_it_was_said_to_be_safe(
    client: Client, talk: Service
) -> None:
    walk.book(client, talk, **(walk.BEN | {"partner_safe": "no"}))
    ben = Attendance.objects.get(role="partner")
    assert ben.gate == Attendance.Gate.SAID_UNSAFE
    assert planned(ben) == set()
    assert "Nothing is sent to the other person" in walk.text(client.get("/book/done/"))


def test_a_shared_address_gets_the_same_answer_and_no_second_mail(
    client: Client, talk: Service
) -> None:
    walk.book(client, talk, **(walk.BEN | {"partner_email": "Ana@example.org"}))
    assert Attendance.objects.get(role="partner").gate == Attendance.Gate.SHARED_ADDRESS
    assert "The other person gets" in walk.text(client.get("/book/done/"))


def test_a_partner_without_contact_needs_no_word_on_safety(client: Client, talk: Service) -> None:
    fields = {"who": "couple", "partner_name": "Ben Birch"}
    assert walk.book(client, talk, **fields).status_code == 302
    assert planned(Attendance.objects.get(role="partner")) == set()


def test_a_request_waits_for_an_answer(client: Client, iris: Counselor) -> None:
    service = make.service("long-session", counselors=[iris], booking="request")
    walk.book(client, service, **walk.ALONE)
    assert booked().state == Appointment.State.REQUESTED
    assert "Your request has arrived" in walk.text(client.get("/book/done/"))


def test_a_service_for_one_asks_about_nobody_else(client: Client, iris: Counselor) -> None:
    service = make.service("single", counselors=[iris], attendees="one")
    walk.hold(client, service, TEN)
    page = walk.details(client)
    assert "partner_name" not in walk.text(page)
    refused = client.post("/book/details/", walk.filled(page, **walk.BEN))
    assert refused.status_code == 400
    assert client.post("/book/details/", walk.filled(page)).status_code == 302


def test_whoever_gives_no_address_is_told_to_keep_the_link(client: Client, talk: Service) -> None:
    contact = {"email": "", "phone": "+1 201 555 0101"}
    walk.book(client, talk, **(walk.ALONE | contact))
    assert "please keep this link" in walk.text(client.get("/book/done/"))


def test_questions_and_consents_are_kept_with_the_one_who_answered(
    client: Client, talk: Service
) -> None:
    question = Question.objects.create(service=talk, slug="why", label="What brings you?")
    consent = Consent.objects.create(
        service=talk, slug="terms", version=3, text="Be kind.", published_at=make.NOW
    )
    walk.hold(client, talk, TEN)
    page = walk.details(client)
    assert "(version 3)" in walk.text(page)
    fields = walk.ALONE | {"question_why": '"><img src=x onerror=alert(1)>'}
    refused = client.post("/book/details/", walk.filled(page, **fields))
    assert "We need your agreement" in walk.text(refused)
    assert b"<img src=x" not in refused.content
    old = client.post("/book/details/", walk.filled(page, **fields, consent_terms="2"))
    assert "This text has changed" in walk.text(old)
    sent = client.post("/book/details/", walk.filled(page, **fields, consent_terms="3"))
    assert sent.status_code == 302
    answer = Answer.objects.get(question=question)
    assert answer.text == '"><img src=x onerror=alert(1)>'
    assert ConsentGiven.objects.get().consent == consent


# --- the hold ------------------------------------------------------------------------------------


def test_a_held_time_is_kept_from_another_browser(
    client: Client, other: Client, talk: Service
) -> None:
    walk.hold(client, talk, TEN)
    address = f"/book/?service={talk.slug}&from=2027-01-12"
    assert 'value="2027-01-12T10:00:00-05:00"' not in walk.text(other.get(address))
    own = walk.text(client.get(address))
    assert 'value="2027-01-12T10:00:00-05:00"' in own
    assert "You hold Tue 12 Jan, 10:00 until 08:10" in own
    late = walk.hold(other, talk, TEN, who="couple")
    assert late.status_code == 409
    assert "That time has just been taken" in walk.text(late)
    assert 'name="who" value="couple"' in walk.text(late)


def test_a_browser_has_one_hold(client: Client, talk: Service) -> None:
    walk.hold(client, talk, TEN)
    walk.hold(client, talk, make.at(1, "14:00"))
    assert Appointment.objects.get().starts_at == make.at(1, "14:00")


def test_letting_go_frees_the_time_and_keeps_the_choices(client: Client, talk: Service) -> None:
    walk.hold(client, talk, TEN, who="couple", tz="Europe/Berlin")
    response = client.post("/book/release/")
    assert response["Location"] == (
        f"/book/?service={talk.slug}&who=couple&tz=Europe%2FBerlin&from=2027-01-12"
    )
    assert not Appointment.objects.exists()
    assert client.post("/book/release/")["Location"] == "/book/"


def test_an_ended_hold_leads_back_to_the_times(
    client: Client, talk: Service, clock: SetClock
) -> None:
    walk.hold(client, talk, TEN)
    clock(make.NOW + timedelta(minutes=11))
    page = client.get("/book/details/", follow=True)
    assert "no longer held for you" in walk.text(page)
    assert "Choose a time" in walk.text(page)


def test_a_form_sent_after_its_hold_ended_holds_the_time_anew(
    client: Client, talk: Service, clock: SetClock
) -> None:
    walk.hold(client, talk, TEN)
    page = walk.details(client)
    clock(make.NOW + timedelta(minutes=30))
    sent = client.post("/book/details/", walk.filled(page, **walk.ALONE))
    assert sent["Location"] == "/book/done/"
    assert booked().starts_at == TEN


def test_a_time_taken_meanwhile_keeps_the_form_and_offers_the_next_ones(
    client: Client, other: Client, talk: Service, clock: SetClock
) -> None:
    walk.hold(client, talk, TEN)
    page = walk.details(client)
    clock(make.NOW + timedelta(minutes=30))
    walk.book(other, talk, TEN, **walk.ALONE)
    typed = walk.filled(page, **walk.BEN)
    late = client.post("/book/details/", typed)
    assert late.status_code == 409
    shown = walk.text(late)
    assert "has just been taken by somebody else" in shown
    assert 'value="Ben Birch"' in shown
    assert 'name="start" value="2027-01-12T11:00:00-05:00"' in shown
    again = typed | {"start": "2027-01-12T11:00:00-05:00"}
    assert client.post("/book/details/", again).status_code == 302
    assert Appointment.objects.filter(case__couple__isnull=False).get().starts_at == make.at(
        1, "11:00"
    )


def test_a_form_books_its_own_time_and_not_that_of_another_tab(
    client: Client, talk: Service
) -> None:
    walk.hold(client, talk, TEN)
    first_tab = walk.details(client)
    walk.hold(client, talk, make.at(1, "14:00"))
    client.post("/book/details/", walk.filled(first_tab, **walk.ALONE))
    assert booked().starts_at == TEN
    assert not Appointment.objects.filter(state=Appointment.State.HELD).exists()


def test_sending_a_form_twice_is_sending_it_once(client: Client, talk: Service) -> None:
    walk.hold(client, talk, TEN)
    sent = walk.filled(walk.details(client), **walk.BEN)
    first = client.post("/book/details/", sent)
    second = client.post("/book/details/", sent)
    assert (first.status_code, first["Location"]) == (second.status_code, second["Location"])
    assert booked().starts_at == TEN


def test_the_last_page_is_for_the_browser_that_booked(
    client: Client, other: Client, talk: Service, clock: SetClock
) -> None:
    walk.book(client, talk, **walk.ALONE)
    assert other.get("/book/done/").status_code == 302
    clock(make.NOW + timedelta(minutes=31))
    assert client.get("/book/done/").status_code == 302


# --- what is refused -----------------------------------------------------------------------------


def test_an_empty_form_says_what_is_missing_and_keeps_the_rest(
    client: Client, talk: Service
) -> None:
    walk.hold(client, talk, TEN)
    page = walk.details(client)
    fields = {"name": "", "email": "not an address", "who": "couple", "partner_email": "b@x.org"}
    refused = client.post("/book/details/", walk.filled(page, **fields))
    assert refused.status_code == 422
    shown = walk.text(refused)
    assert "Please fill this in." in shown
    assert "doesn't look like an e-mail address" in shown
    assert "Please say whether we may write to them." in shown
    assert 'value="not an address"' in shown
    assert "Held for you until" in shown
    assert Appointment.objects.get().state == Appointment.State.HELD


def test_somebody_who_can_not_be_reached_is_asked_for_a_contact(
    client: Client, talk: Service
) -> None:
    refused = walk.book(client, talk, **(walk.ALONE | {"email": ""}))
    assert "Please give an e-mail address or a telephone number" in walk.text(refused)


@pytest.mark.parametrize("name", ["is_staff", "status", "start[]", "person"])
def test_an_unknown_field_is_refused(client: Client, talk: Service, name: str) -> None:
    refused = walk.book(client, talk, **(walk.ALONE | {name: "x"}))
    assert refused.status_code == 400
    assert "a field that we don't know" in walk.text(refused)


@pytest.mark.parametrize("name", ["name", "start", "service", "made", "website"])
def test_two_values_for_one_field_are_refused(client: Client, talk: Service, name: str) -> None:
    walk.hold(client, talk, TEN)
    fields: dict[str, str | list[str]] = dict(walk.filled(walk.details(client), **walk.ALONE))
    fields[name] = [str(fields[name]), str(fields[name])]
    assert client.post("/book/details/", fields).status_code == 400
    assert Appointment.objects.get().state == Appointment.State.HELD


@pytest.mark.parametrize("mark", ["", "forged", "a:b:c"])
def test_a_form_that_we_did_not_make_is_not_taken(client: Client, talk: Service, mark: str) -> None:
    refused = walk.book(client, talk, **(walk.ALONE | {"made": mark}))
    assert refused.status_code == 422
    assert 'value="Ana Alder"' in walk.text(refused)
    again = walk.filled(refused, **walk.ALONE)
    assert client.post("/book/details/", again).status_code == 302


def test_whoever_fills_in_the_trap_is_not_booked(client: Client, talk: Service) -> None:
    refused = walk.book(client, talk, **(walk.ALONE | {"website": "https://spam.example"}))
    assert refused.status_code == 422


ODD = ("\x00", "a\x00b", "\ud7ff" * 3_000, "\r\nBcc: x@example.org", "☃" * 100_000)


@pytest.mark.parametrize(
    "name",
    ["name", "email", "phone", "tz", "language", "who", "partner_name", "partner_safe",
     "partner_tz", "partner_language", "service", "counselor", "start", "question_why"],
)  # fmt: skip
def test_no_value_makes_the_form_fail(client: Client, talk: Service, name: str) -> None:
    Question.objects.create(service=talk, slug="why", label="Why?", choices=["a", "b"])
    walk.hold(client, talk, TEN)
    page = walk.details(client)
    for value in ODD:
        fields = walk.filled(page, **(walk.BEN | {name: value}))
        assert client.post("/book/details/", fields).status_code == 422
    assert Appointment.objects.get().state == Appointment.State.HELD


@pytest.mark.parametrize("case", STARTS, ids=str)
def test_a_start_that_is_none_is_refused(client: Client, talk: Service, case: cases.Case) -> None:
    value = cases.unwrap(case.input["value"], now=make.NOW)
    if isinstance(value, dict):
        pytest.skip("needs an API")
    sent = {"service": talk.slug, "counselor": "", "start": "" if value is None else value}
    refused = client.post("/book/hold/", sent)
    assert refused.status_code in (400, 422)
    assert not Appointment.objects.exists()


@pytest.mark.parametrize("name", ["service", "counselor", "tz", "who"])
def test_an_odd_choice_is_refused_in_words(client: Client, talk: Service, name: str) -> None:
    for value in (*ODD, "unknown"):
        assert walk.hold(client, talk, TEN, **{name: value}).status_code == 422
    assert not Appointment.objects.exists()


def test_a_counselor_who_does_not_offer_the_service_is_refused(
    client: Client, talk: Service
) -> None:
    make.counselor("theo")
    assert walk.hold(client, talk, TEN, counselor="theo").status_code == 422
    refused = walk.book(client, talk, **(walk.ALONE | {"counselor": "theo"}))
    assert refused.status_code == 422


def test_a_hidden_service_is_refused(client: Client, iris: Counselor) -> None:
    service = make.service("for-the-house", counselors=[iris], hidden=True)
    assert walk.hold(client, service, TEN).status_code == 422


@pytest.mark.parametrize("name", ["hold", "release"])
def test_a_link_can_not_press_the_button(client: Client, talk: Service, name: str) -> None:
    address = reverse(f"practice:{name}")
    assert client.get(f"{address}?service={talk.slug}&start={TEN.isoformat()}").status_code == 405
    assert not Appointment.objects.exists()


def test_another_site_can_not_press_the_button(talk: Service) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert walk.hold(strict, talk, TEN).status_code == 403
    assert not Appointment.objects.exists()
