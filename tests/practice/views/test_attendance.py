"""An attendee's own page: what it shows, what its buttons do, and what it never tells."""

from datetime import timedelta

import pytest
from django.test import Client

from clients.models import Message
from practice.models import Appointment, Attendance, Counselor, Practice, Service
from tests import factories as make
from tests.practice.views import walk
from tests.practice.views.conftest import SetClock

pytestmark = pytest.mark.django_db

START = make.at(3, "10:00")
PAGES = ("", "move/", "cancel/", "appointment.ics")


@pytest.fixture
def couple(iris: Counselor, talk: Service) -> Appointment:
    """Ana booked for herself and Ben, who hasn't answered yet."""
    return make.appointment(iris, talk, make.ana(), make.ben(zone="Europe/Madrid"), start=START)


@pytest.fixture
def ana(couple: Appointment) -> Attendance:
    return Attendance.objects.select_related("person__key").get(role="booker")


@pytest.fixture
def ben(couple: Appointment) -> Attendance:
    return Attendance.objects.select_related("person__key").get(role="partner")


def link(attendance: Attendance, page: str = "") -> str:
    return f"/a/{attendance.token}/{page}"


def now(attendance: Attendance) -> Attendance:
    attendance.refresh_from_db()
    return attendance


# --- what it shows -------------------------------------------------------------------------------


def test_each_sees_the_time_in_their_own_zone(
    client: Client, ana: Attendance, ben: Attendance
) -> None:
    assert "Thursday 14 January 2027, 10:00" in walk.text(client.get(link(ana)))
    bens = walk.text(client.get(link(ben)))
    assert "Thursday 14 January 2027, 16:00" in bens
    assert "Madrid time" in bens
    assert "Thu 14 Jan, 10:00 in New York time" in bens


def test_the_page_is_neutral(client: Client, ben: Attendance) -> None:
    response = client.get(link(ben))
    page = walk.text(response)
    assert "<title>Your appointment</title>" in page
    for word in ("therap", "couple", "counsel", "Elm Street Couples", "First talk"):
        assert word.lower() not in page.lower()
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["X-Robots-Tag"] == "noindex"
    assert "no-store" in response["Cache-Control"]


def test_the_page_speaks_the_language_of_its_reader(
    client: Client, iris: Counselor, talk: Service
) -> None:
    make.appointment(iris, talk, make.chris(), start=START)
    response = client.get(link(Attendance.objects.get()))
    assert '<html lang="es">' in walk.text(response)
    assert response["Content-Language"] == "es"


def test_neither_partner_learns_anything_of_the_other(
    client: Client, couple: Appointment, ana: Attendance, ben: Attendance
) -> None:
    ben.cancel_reason = "canary of ben"
    ben.save(update_fields=["cancel_reason"])
    for own, other in ((ana, ben), (ben, ana)):
        for page in PAGES:
            shown = walk.text(client.get(link(own, page)))
            canaries = [other.person.name, other.person.email, other.person.phone, other.token]
            for canary in [*canaries, other.person.name.split()[0], "canary", "of 2", "partner"]:
                assert canary is None or canary not in shown


@pytest.mark.parametrize("state", ["confirmed", "cancelled"])
def test_what_the_other_does_changes_no_byte_of_ones_own_page(
    client: Client, ana: Attendance, ben: Attendance, state: str
) -> None:
    before = [client.get(link(ana, page)).content for page in PAGES]
    Client().post(link(ben, "confirm/" if state == "confirmed" else "cancel/"))
    assert now(ben).state == state
    assert [client.get(link(ana, page)).content for page in PAGES] == before


def test_opening_a_link_changes_nothing(client: Client, ana: Attendance, ben: Attendance) -> None:
    before = walk.domain_rows()
    for attendance in (ana, ben):
        for page in PAGES:
            assert client.get(link(attendance, page)).status_code == 200
            assert client.head(link(attendance, page)).status_code == 200
        assert client.get(link(attendance, "confirm/")).status_code == 405
        client.get(link(attendance), headers={"X-HTTP-Method-Override": "POST"})
    assert walk.domain_rows() == before
    assert not client.cookies


def test_the_calendar_file_has_a_neutral_name(client: Client, ben: Attendance) -> None:
    response = client.get(link(ben, "appointment.ics"))
    assert response["Content-Type"].startswith("text/calendar")
    assert b"BEGIN:VEVENT" in response.content
    assert "appointment.ics" in response["Content-Disposition"]


# --- links that don't work -----------------------------------------------------------------------


def test_unknown_old_and_mistyped_links_meet_the_same_page(
    client: Client, ana: Attendance, clock: SetClock
) -> None:
    unknown = client.get("/a/AAAAAAAAAAAAAAAAAAAAAA/")
    others = [
        client.get(path) for path in ("/a/1/", "/a/", "/a/%00/", f"/a/{'x' * 900}/", "/a/a/b")
    ]
    clock(START + timedelta(days=2))
    others.append(client.get(link(ana)))
    others.append(client.post(link(ana, "cancel/")))
    for response in others:
        assert response.status_code == 404
        assert response.content == unknown.content
    assert now(ana).state == Attendance.State.CONFIRMED


# --- the buttons ---------------------------------------------------------------------------------


def test_confirming_takes_the_token_out_of_the_address(client: Client, ben: Attendance) -> None:
    response = client.post(link(ben, "confirm/"))
    assert response["Location"] == "/a/"
    assert now(ben).state == Attendance.State.CONFIRMED
    page = walk.text(client.get("/a/"))
    assert "We expect you" in page
    assert ben.token not in page
    assert 'href="/a/move/"' in page


def test_the_page_without_the_token_ends_after_half_an_hour(
    client: Client, ben: Attendance, clock: SetClock
) -> None:
    client.post(link(ben, "confirm/"))
    clock(make.NOW + timedelta(minutes=29))
    assert client.get("/a/").status_code == 200
    clock(make.NOW + timedelta(minutes=31))
    assert client.get("/a/").status_code == 404
    assert client.post("/a/cancel/").status_code == 404


def test_the_page_without_the_token_acts_too_and_holds_to_csrf(ben: Attendance) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.post(link(ben, "confirm/"))
    assert strict.post("/a/cancel/").status_code == 403
    form = strict.get("/a/cancel/")
    mine = {name: walk.hidden(form, name) for name in ("csrfmiddlewaretoken", "own")}
    sent = strict.post("/a/cancel/", mine)
    assert sent["Location"] == "/a/"
    assert now(ben).state == Attendance.State.CANCELLED


def test_moving_moves_for_all_and_asks_the_other_anew(
    client: Client, ana: Attendance, ben: Attendance
) -> None:
    Client().post(link(ben, "confirm/"))
    times = walk.text(client.get(link(ana, "move/")))
    assert "2027-01-14T10:00:00-05:00" not in times
    response = client.post(link(ana, "move/"), {"start": "2027-01-14T14:00:00-05:00"})
    assert response["Location"] == "/a/"
    assert "The time has been changed" in walk.text(client.get("/a/"))
    assert now(ana).appointment.starts_at == make.at(3, "14:00")
    assert (now(ana).state, now(ben).state) == ("confirmed", "expected")


def test_a_taken_time_leaves_the_old_one(
    client: Client, ana: Attendance, iris: Counselor, talk: Service
) -> None:
    make.appointment(iris, talk, make.dana(), start=make.at(3, "14:00"))
    refused = client.post(link(ana, "move/"), {"start": make.at(3, "14:00").isoformat()})
    assert refused.status_code == 409
    assert "has just been taken" in walk.text(refused)
    assert now(ana).appointment.starts_at == START


@pytest.mark.parametrize(
    "start", ["", "tomorrow", "2027-01-14T03:00:00-05:00", "2027-01-14T14:00:00", "\x00"]
)
def test_a_time_that_is_not_offered_is_refused(client: Client, ana: Attendance, start: str) -> None:
    assert client.post(link(ana, "move/"), {"start": start}).status_code == 422
    assert now(ana).appointment.starts_at == START


def test_cancelling_asks_once_more_and_keeps_the_reason_sealed(
    client: Client, ben: Attendance, ana: Attendance
) -> None:
    assert "Cancel this appointment?" in walk.text(client.get(link(ben, "cancel/")))
    client.post(link(ben, "cancel/"), {"reason": "I am ill"})
    assert now(ben).cancel_reason == "I am ill"
    assert now(ana).appointment.state == Appointment.State.CONFIRMED
    assert "This appointment is cancelled" in walk.text(client.get(link(ben)))
    assert "This appointment is cancelled" not in walk.text(client.get(link(ana)))


def test_cancelling_twice_is_cancelling_once(client: Client, ben: Attendance) -> None:
    client.post(link(ben, "cancel/"))
    before = Message.objects.count()
    assert client.post(link(ben, "cancel/")).status_code == 302
    assert Message.objects.count() == before


def test_a_cancelled_attendee_no_longer_moves_the_others(client: Client, ben: Attendance) -> None:
    client.post(link(ben, "cancel/"))
    refused = client.post(link(ben, "move/"), {"start": make.at(3, "14:00").isoformat()})
    assert refused.status_code == 422
    assert now(ben).appointment.starts_at == START


def test_past_the_cut_off_the_page_names_the_telephone(
    client: Client, ana: Attendance, clock: SetClock
) -> None:
    clock(START - timedelta(hours=23))
    page = walk.text(client.get(link(ana)))
    assert "too late to change this here" in page
    assert "+1 201 555 0100" in page
    for name, sent in (("cancel/", {}), ("move/", {"start": make.at(3, "14:00").isoformat()})):
        refused = client.post(link(ana, name), sent)
        assert refused.status_code == 422
        assert "+1 201 555 0100" in walk.text(refused)
    assert now(ana).state == Attendance.State.CONFIRMED


def test_confirming_is_possible_past_the_cut_off_and_not_past_the_start(
    client: Client, ben: Attendance, clock: SetClock
) -> None:
    clock(START + timedelta(minutes=1))
    assert client.post(link(ben, "confirm/")).status_code == 422
    clock(START - timedelta(minutes=1))
    assert client.post(link(ben, "confirm/")).status_code == 302


@pytest.mark.parametrize("button", ["confirm/", "cancel/"])
def test_an_unknown_field_is_refused(client: Client, ben: Attendance, button: str) -> None:
    assert client.post(link(ben, button), {"state": "confirmed"}).status_code == 400
    assert now(ben).state == Attendance.State.EXPECTED


def test_no_reason_makes_the_form_fail(client: Client, ben: Attendance) -> None:
    for reason in ("\x00", "x" * 5_000):
        refused = client.post(link(ben, "cancel/"), {"reason": reason})
        assert refused.status_code == 422
    assert now(ben).state == Attendance.State.EXPECTED


def test_a_message_that_may_have_left_is_named(client: Client, ana: Attendance) -> None:
    make.message(ana, purpose="confirmation", state=Message.State.SENDING)
    client.post(link(ana, "cancel/"))
    assert "may have left just before" in walk.text(client.get("/a/"))


def test_without_a_practice_no_link_works(client: Client, practice: Practice) -> None:
    practice.delete()
    assert client.get("/a/AAAAAAAAAAAAAAAAAAAAAA/").status_code == 404


# --- after somebody has left ---------------------------------------------------------------------


def leave(client: Client, attendance: Attendance) -> None:
    assert client.post(link(attendance, "cancel/"), {"reason": ""}).status_code == 302


def test_whoever_left_sees_nothing_of_what_becomes_of_the_others_time(
    ana: Attendance, ben: Attendance, couple: Appointment
) -> None:
    anas, bens = Client(), Client()
    leave(anas, ana)
    before = [Client().get(link(ana, page)).content for page in ("", "appointment.ics")]
    moved = bens.post(link(ben, "move/"), {"start": make.at(4, "14:00").isoformat()})
    assert moved.status_code == 302
    assert [Client().get(link(ana, page)).content for page in ("", "appointment.ics")] == before
    leave(bens, ben)
    assert [Client().get(link(ana, page)).content for page in ("", "appointment.ics")] == before
    assert b"LOCATION" not in before[1]
    couple.refresh_from_db()
    assert couple.state == Appointment.State.CANCELLED


def test_a_link_of_somebody_who_left_ends_with_the_time_that_they_left(
    ana: Attendance, ben: Attendance, clock: SetClock
) -> None:
    leave(Client(), ana)
    Client().post(link(ben, "move/"), {"start": make.at(11, "10:00").isoformat()})
    clock(START + timedelta(days=2))
    assert Client().get(link(ana)).status_code == 404
    assert Client().get(link(ben)).status_code == 200


def test_a_button_never_acts_on_whoever_used_the_browser_in_between(
    client: Client, ana: Attendance, ben: Attendance
) -> None:
    client.post(link(ana, "confirm/"))
    form = client.get("/a/cancel/")
    client.post(link(ben, "confirm/"))
    sent = {"reason": "", "own": walk.hidden(form, "own")}
    assert client.post("/a/cancel/", sent).status_code == 404
    assert client.post("/a/cancel/", {"reason": ""}).status_code == 404
    assert {now(ana).state, now(ben).state} == {Attendance.State.CONFIRMED}
