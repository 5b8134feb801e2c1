"""A person's own pages: what each shows and changes, and that nothing of the partner is in them."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clients import passkeys
from clients.actions import access, audit
from clients.models import (
    AuditEntry,
    CareRelation,
    Case,
    ClientPasskey,
    CoupleMember,
    DataRequest,
    Person,
    SafeContact,
)
from clients.rules.actors import Actor
from practice.actions import booking, contacts
from practice.forms import portal as forms
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
from practice.queries import portal
from tests import factories as make
from tests.clients.authenticator import Authenticator
from tests.practice.views import portal_walk, walk
from tests.practice.views.conftest import SetClock

pytestmark = pytest.mark.django_db

START = make.at(3, "10:00")
WRONG = "161803"


@pytest.fixture
def couple(iris: Counselor, talk: Service) -> Appointment:
    """Ana booked for herself and Ben, and answered a question; so did Ben."""
    row = make.appointment(iris, talk, make.ana(), make.ben(), start=START)
    question = Question.objects.create(service=talk, slug="what", label="What is it about?")
    consent = Consent.objects.create(
        service=talk, slug="privacy", version=3, text="We keep it here.", published_at=make.NOW
    )
    for attendance in row.attendances.select_related("person__key"):
        Answer.objects.create(
            attendance=attendance,
            question=question,
            text=f"canary of {attendance.person.name}",
            audience="staff",
        )
        ConsentGiven.objects.create(attendance=attendance, consent=consent, given_at=make.NOW)
    return row


def person(role: str) -> Person:
    return Person.objects.select_related("key").get(attendances__role=role)


@pytest.fixture
def ana(couple: Appointment) -> Person:
    return person("booker")


@pytest.fixture
def ben(couple: Appointment) -> Person:
    return person("partner")


def page(client: Client, name: str) -> str:
    response = client.get(f"/portal/{name}/")
    assert response.status_code == 200, (name, response.status_code)
    return walk.text(response)


# --- doors ---------------------------------------------------------------------------------------


def test_who_is_not_signed_in_is_asked_for_an_address(ana: Person) -> None:
    for name in {*portal_walk.PAGES, *portal_walk.PROVED}:
        assert Client().get(f"/portal/{name}/")["Location"] == "/portal/"


def test_a_link_alone_opens_nothing_private(ana: Person) -> None:
    client = portal_walk.sign_in(ana)
    for name in ("answers", "looks", "contact", "proofs", "copy"):
        response = client.get(f"/portal/{name}/")
        assert response["Location"] == f"/portal/prove/?then=portal-{name}"
        assert b"canary" not in response.content
    for name in portal_walk.PAGES:
        assert "canary" not in page(client, name)


@pytest.mark.parametrize(
    ("then", "to"),
    [
        ("portal-answers", "/portal/answers/"),
        ("", "/portal/mine/"),
        ("https://evil.example.org", "/portal/mine/"),
        ("//evil.example.org", "/portal/mine/"),
        ("desk", "/portal/mine/"),
        ("portal-session-end", "/portal/mine/"),
    ],
)
def test_the_pin_leads_back_to_where_it_was_asked_for(ana: Person, then: str, to: str) -> None:
    portal_walk.prove(ana)
    client = portal_walk.sign_in(ana)
    assert walk.hidden(client.get("/portal/prove/", {"then": then}), "then") in {
        "portal-answers",
        "portal-mine",
    }
    response = client.post("/portal/prove/", {"pin": portal_walk.PIN, "then": then})
    assert (response.status_code, response["Location"]) == (302, to)
    assert "canary of Ana Alder" in page(client, "answers")


def test_a_wrong_pin_is_said_beside_the_field_until_it_is_locked(ana: Person) -> None:
    portal_walk.prove(ana)
    client = portal_walk.sign_in(ana)
    answers = [client.post("/portal/prove/", {"pin": WRONG}) for _ in range(6)]
    assert {one.status_code for one in answers} == {422}
    assert "After five wrong ones" in walk.text(answers[0])
    assert "Ask the practice for a code" in walk.text(answers[5])
    assert client.post("/portal/prove/", {"pin": portal_walk.PIN}).status_code == 422


def test_the_page_that_asks_tells_not_whether_there_is_a_pin(ana: Person) -> None:
    without = portal_walk.sign_in(ana)
    pages = [portal_walk.same(without.get("/portal/prove/"))]
    pages.append(portal_walk.same(without.post("/portal/prove/", {"pin": WRONG})))
    portal_walk.prove(ana)
    with_pin = portal_walk.sign_in(ana)
    assert portal_walk.same(with_pin.get("/portal/prove/")) == pages[0]
    assert portal_walk.same(with_pin.post("/portal/prove/", {"pin": WRONG})) == pages[1]


@pytest.mark.parametrize(
    ("code", "pin", "again", "field"),
    [
        ("1234567", "271828", "271828", "code"),
        ("00000000", "271828", "271828", "code"),
        ("{code}", "123456", "123456", "pin"),
        ("{code}", "27182", "27182", "pin"),
        ("{code}", "271828", "271829", "again"),
        ("{code}", "٢٧١٨٢٨", "٢٧١٨٢٨", "pin"),
    ],
)
def test_what_can_be_no_pin_is_said_beside_its_field(
    ana: Person, code: str, pin: str, again: str, field: str
) -> None:
    client = portal_walk.sign_in(ana)
    given = access.give_code(person=ana, by=make.SYSTEM, now=make.NOW)
    sent = {"code": code.format(code=given), "pin": pin, "again": again}
    response = client.post("/portal/pin/", sent)
    assert response.status_code == 422
    shown = walk.text(response)
    assert f'id="id_{field}_error"' in shown
    for secret in (given, pin):
        assert f'value="{secret}"' not in shown
    assert not portal_walk.is_proved(ana)


def test_a_code_may_be_typed_in_groups(ana: Person) -> None:
    client = portal_walk.sign_in(ana)
    code = access.give_code(person=ana, by=make.SYSTEM, now=make.NOW)
    sent = {"code": f"{code[:4]} {code[4:]}", "pin": "271 828", "again": "271828"}
    assert client.post("/portal/pin/", sent).status_code == 302
    assert portal_walk.is_proved(ana)


# --- what the pages show -------------------------------------------------------------------------


def test_the_first_page_shows_own_time_and_state_and_leads_to_the_appointment(
    ana: Person, ben: Person
) -> None:
    make_zone(ben, "Europe/Madrid")
    client = portal_walk.sign_in(ben)
    shown = page(client, "mine")
    assert "Thursday 14 January 2027, 16:00" in shown
    assert "Please say whether this time suits you" in shown
    own = Attendance.objects.get(person=ben)
    assert client.post(f"/portal/appointments/{own.pk}/")["Location"] == "/a/"
    assert client.get("/a/").status_code == 200


def test_of_many_appointments_the_next_ones_are_shown(
    ana: Person, iris: Counselor, talk: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portal, "_SHOWN", 2)
    (first,) = Attendance.objects.filter(person=ana)
    for days in (9, 1, 5):
        row = make.appointment(iris, talk, make.chris(), start=make.at(days, "10:00"))
        row.attendances.update(person=ana)
    found = portal.appointments(ana, make.NOW)
    assert [one.starts_at for one in found] == [make.at(1, "10:00"), first.starts_at]


def own_page(row: Person, client: Client) -> str:
    """Open the page of a person's one appointment from their own pages; returns its mark."""
    own = Attendance.objects.get(person=row)
    assert client.post(f"/portal/appointments/{own.pk}/")["Location"] == "/a/"
    assert client.get("/a/").status_code == 200
    return str(own.pk)


def ends_all(client: Client, ana: Person) -> None:
    access.end_all(person=ana, by=make.SYSTEM, now=make.NOW)


def signs_out(client: Client, ana: Person) -> None:
    client.post("/portal/sign-out/")


def exits(client: Client, ana: Person) -> None:
    client.get("/exit/")


@pytest.mark.parametrize("over", [ends_all, signs_out, exits], ids=lambda over: over.__name__)
@pytest.mark.parametrize("is_member", [False, True])
def test_the_page_of_an_appointment_ends_with_the_session_that_opened_it(
    ana: Person, over: Callable[[Client, Person], None], is_member: bool
) -> None:
    client = Client()
    if is_member:
        client.force_login(make.front_desk().user)
    mark = own_page(ana, portal_walk.sign_in(ana, client))
    over(client, ana)
    assert client.get("/a/").status_code == 404
    for button in ("confirm", "cancel", "move"):
        assert client.post(f"/a/{button}/", {"own": mark}).status_code == 404, button
    assert Attendance.objects.get(person=ana).state != "cancelled"


def test_the_page_of_an_appointment_stays_open_while_it_is_used_and_no_longer(
    ana: Person, clock: SetClock
) -> None:
    client = portal_walk.sign_in(ana)
    mark = own_page(ana, client)
    for minutes in (14, 28):
        clock(make.NOW + timedelta(minutes=minutes))
        assert client.get("/a/").status_code == 200
    assert client.post("/a/confirm/", {"own": mark}).status_code == 302
    clock(make.NOW + timedelta(minutes=42))
    assert client.get("/a/").status_code == 200
    assert client.get("/portal/mine/").status_code == 200
    clock(make.NOW + timedelta(minutes=57))
    assert client.get("/a/").status_code == 404


def test_after_a_button_the_page_still_ends_with_its_session(ana: Person) -> None:
    client = portal_walk.sign_in(ana)
    mark = own_page(ana, client)
    assert client.post("/a/confirm/", {"own": mark}).status_code == 302
    ends_all(client, ana)
    assert client.get("/a/").status_code == 404


def make_zone(row: Person, zone: str) -> None:
    Person.objects.filter(pk=row.pk).update(zone=zone)
    row.refresh_from_db()


def test_somebody_elses_appointment_is_not_there(ana: Person, ben: Person) -> None:
    client = portal_walk.sign_in(ana)
    bens = Attendance.objects.get(person=ben)
    unknown = client.post(f"/portal/appointments/{ana.pk}/")
    response = client.post(f"/portal/appointments/{bens.pk}/")
    assert response.status_code == 404
    assert response.content == unknown.content


def test_an_appointment_of_which_one_may_not_be_told_yet_is_not_there(
    iris: Counselor, talk: Service
) -> None:
    make.appointment(iris, talk, make.ana(), start=make.at(1))
    shut = make.appointment(
        iris, talk, make.dana(), ben := make.ben(), start=START, gate="private_check"
    )
    client = portal_walk.sign_in(ben)
    assert "There is no appointment ahead" in page(client, "mine")
    hidden = shut.attendances.get(person=ben)
    assert client.post(f"/portal/appointments/{hidden.pk}/").status_code == 404


def test_consents_are_shown_word_for_word(ana: Person) -> None:
    shown = page(portal_walk.sign_in(ana), "consents")
    assert "We keep it here." in shown
    assert "Version 3" in shown


def test_what_one_wrote_is_shown_after_the_second_proof_and_to_oneself(
    ana: Person, ben: Person
) -> None:
    shown = page(portal_walk.prove(ana), "answers")
    assert "canary of Ana Alder" in shown
    assert "Ben" not in shown


def test_an_answer_for_the_counselor_alone_is_not_read_back(ana: Person) -> None:
    Answer.objects.filter(attendance__person=ana).update(audience="counselor")
    assert "canary" not in page(portal_walk.prove(ana), "answers")


def test_who_looked_is_told_by_day_and_role_and_never_by_name(
    ana: Person, ben: Person, iris: Counselor
) -> None:
    sam = make.front_desk()
    with transaction.atomic():
        for who, whom, verb in (
            (iris.member, ana, "appointment.read"),
            (sam, ana, "appointment.read"),
            (sam, ana, "appointment.read"),
            (sam, ben, "appointment.read"),
            (iris.member, ben, "person.exported"),
        ):
            audit.record(
                verb=verb,
                subject_kind="appointment",
                subject_id=None,
                person_id=whom.pk,
                case_id=Case.objects.get().pk,
                by=who.as_actor(),
                now=make.NOW,
            )
    shown = page(portal_walk.prove(ana), "looks")
    lines = [line.strip() for line in shown.splitlines() if "Monday 11 January" in line]
    assert len(lines) == 1
    assert lines[0].count("<li>") == 2
    for words in ("your counselor, looked at it", "the front desk, looked at it"):
        assert shown.count(words) == 1
    for name in ("Iris", "Sam", "Ben", "made a copy"):
        assert name not in shown


# --- how one may be reached ----------------------------------------------------------------------


def contact(row: Person, channel: str = "email") -> SafeContact:
    return SafeContact.objects.get(person=row, channel=channel)


def test_a_link_alone_can_only_ask_for_less_and_shows_nothing(ana: Person) -> None:
    make.safe_contact(ana, channel=SafeContact.Channel.VOICE, permission=SafeContact.Permission.NO)
    client = portal_walk.sign_in(ana)
    before = page(client, "safe-contact")
    for sent in (
        {"channel": "voice", "permission": "yes"},
        {"channel": "voice", "permission": "no"},
        {"channel": "post"},
        {},
    ):
        assert client.post("/portal/safe-contact/", sent).status_code in {400, 422}
    assert contact(ana, "voice").permission == "no"
    response = client.post("/portal/safe-contact/", {"channel": "email"})
    assert "Received" in walk.text(response)
    assert contact(ana).permission == "no"
    assert "Received" not in before
    assert portal_walk.same(client.get("/portal/safe-contact/")) == portal_walk.same(
        client.get("/portal/safe-contact/")
    )


def test_no_by_a_link_alone_leaves_what_else_was_said(ana: Person) -> None:
    make.safe_contact(ana, quiet=(1320, 420))
    SafeContact.objects.filter(person=ana).update(voicemail=True)
    portal_walk.sign_in(ana).post("/portal/safe-contact/", {"channel": "email"})
    row = contact(ana)
    assert (row.permission, row.quiet_from, row.quiet_until, row.voicemail) == (
        "no",
        1320,
        420,
        True,
    )


def test_with_a_second_proof_it_is_shown_and_changed_and_planned_letters_follow(
    ana: Person, couple: Appointment
) -> None:
    client = portal_walk.prove(ana)
    assert "By e-mail" in page(client, "safe-contact")
    sent = {"channel": "email", "permission": "yes", "quiet_from": "1320", "quiet_until": "420"}
    assert client.post("/portal/safe-contact/", sent).status_code == 302
    row = contact(ana)
    assert (row.permission, row.quiet_from, row.quiet_until) == ("yes", 1320, 420)
    sent = {
        "channel": "voice",
        "permission": "yes",
        "quiet_from": "",
        "quiet_until": "",
        "voicemail": "on",
    }
    client.post("/portal/safe-contact/", sent)
    assert contact(ana, "voice").voicemail
    entry = AuditEntry.objects.filter(verb="person.safe_contact").last()
    assert entry is not None
    assert (entry.actor_kind, entry.actor_id) == ("person", ana.pk)


@pytest.mark.parametrize(
    "changes",
    [
        {"permission": "maybe"},
        {"channel": "post"},
        {"quiet_from": "1320"},
        {"quiet_from": "60", "quiet_until": "60"},
        {"quiet_from": "-1", "quiet_until": "60"},
        {"person": "somebody"},
    ],
)
def test_what_is_no_way_to_be_reached_changes_nothing(ana: Person, changes: dict[str, str]) -> None:
    client = portal_walk.prove(ana)
    sent = {"channel": "email", "permission": "no", "quiet_from": "", "quiet_until": ""} | changes
    assert client.post("/portal/safe-contact/", sent).status_code in {400, 422}
    assert contact(ana).permission == "neutral"


def test_after_ninety_days_it_is_asked_again(ana: Person, clock: SetClock) -> None:
    assert "90 days" not in page(portal_walk.prove(ana), "safe-contact")
    clock(make.NOW + timedelta(days=90, seconds=1))
    assert page(portal_walk.prove(ana), "safe-contact").count("90 days") == 3


def test_language_and_clock_can_be_changed_and_the_address_not(ana: Person) -> None:
    client = portal_walk.prove(ana)
    shown = page(client, "contact")
    assert "ana@example.org" in shown
    assert "please call us: +1 201 555 0100" in shown
    sent = {"language": "es", "tz": "Europe/Madrid"}
    assert client.post("/portal/contact/", sent | {"email": "x@example.org"}).status_code == 400
    assert client.post("/portal/contact/", sent).status_code == 302
    ana.refresh_from_db()
    found = Person.objects.select_related("key").get(pk=ana.pk)
    assert (found.language, found.zone, found.email) == ("es", "Europe/Madrid", "ana@example.org")


def test_what_the_practice_changes_meanwhile_is_not_undone(
    ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form was opened, and is being sent, while the practice stores another address."""
    client, real = portal_walk.prove(ana), forms.Contact.is_valid

    def meanwhile(form: forms.Contact) -> bool:
        contacts.change_contact(
            person=ana,
            email="new@example.org",
            phone=None,
            language="en",
            zone="America/New_York",
            by=make.SYSTEM,
            now=make.NOW,
        )
        return real(form)

    monkeypatch.setattr(forms.Contact, "is_valid", meanwhile)
    sent = {"language": "es", "tz": "Europe/Madrid"}
    assert client.post("/portal/contact/", sent).status_code == 302
    found = Person.objects.select_related("key").get(pk=ana.pk)
    assert (found.email, found.phone, found.language) == ("new@example.org", None, "es")


# --- PIN and passkeys ----------------------------------------------------------------------------


def test_the_pin_is_changed_and_removed(ana: Person) -> None:
    client = portal_walk.prove(ana)
    sent = {"current": portal_walk.PIN, "pin": "314159", "again": "314159"}
    refused = client.post("/portal/proofs/pin/", sent | {"current": WRONG})
    assert refused.status_code == 422
    assert client.post("/portal/proofs/pin/", sent).status_code == 302
    assert "Change the PIN" in page(client, "proofs")
    assert client.post("/portal/proofs/pin/remove/").status_code == 302
    assert "There is none" in page(client, "proofs")


def question(client: Client, path: str, /, **query: str) -> passkeys.Asked:
    asked = client.get(path, query).context["passkey"]
    assert isinstance(asked, passkeys.Asked)
    return asked


def test_a_passkey_is_added_proves_signs_in_and_is_removed(ana: Person, settings: Any) -> None:
    settings.DUET = settings.DUET | {"BASE_URL": "http://localhost:8000"}
    client, device = portal_walk.prove(ana), Authenticator()
    asked = question(client, "/portal/proofs/")
    assert "Elm Street" in asked.options
    assert "Ana" not in asked.options
    sent = {"note": asked.note, "answer": device.create(asked.options), "name": "My phone"}
    assert client.post("/portal/proofs/passkeys/", sent | {"name": ""}).status_code == 422
    assert client.post("/portal/proofs/passkeys/", sent).status_code == 302
    assert "My phone" in page(client, "proofs")

    client = portal_walk.sign_in(ana)
    asked = question(client, "/portal/prove/", then="portal-answers")
    sent = {"note": asked.note, "answer": device.get(asked.options), "then": "portal-answers"}
    assert client.post("/portal/prove/passkey/", sent)["Location"] == "/portal/answers/"
    assert "canary of Ana" in page(client, "answers")

    fresh = Client()
    asked = question(fresh, "/portal/")
    assert "allowCredentials" not in asked.options
    sent = {"note": asked.note, "answer": device.get(asked.options)}
    assert fresh.post("/portal/passkey/", sent | {"answer": "{}"}).status_code == 422
    assert fresh.post("/portal/passkey/", sent)["Location"] == "/portal/mine/"
    assert Client().post("/portal/passkey/", sent).status_code == 422
    assert "canary of Ana" in page(fresh, "answers")

    row = ClientPasskey.objects.get()
    bens = portal_walk.prove(person("partner"))
    assert bens.post(f"/portal/proofs/passkeys/{row.pk}/remove/").status_code == 404
    assert fresh.post(f"/portal/proofs/passkeys/{row.pk}/remove/").status_code == 302
    assert not ClientPasskey.objects.exists()


# --- the record ----------------------------------------------------------------------------------


def test_a_copy_is_downloaded_with_a_second_proof(ana: Person, ben: Person) -> None:
    response = portal_walk.prove(ana).get("/portal/copy/")
    assert response["Content-Disposition"] == 'attachment; filename="my-record.json"'
    record = json.loads(response.content)
    assert record["person"]["name"] == "Ana Alder"
    assert "canary of Ana" in response.content.decode()
    for word in ("Ben", "Birch", "ben@example.org", "canary of Ben"):
        assert word not in response.content.decode()
    assert AuditEntry.objects.filter(verb="portal.copy_taken", person_id=ana.pk).count() == 1


def test_a_copy_tells_no_more_than_the_page(ana: Person, ben: Person) -> None:
    for gate, shown in (("open", 1), ("private_check", 0)):
        opened_at = make.NOW if gate == "open" else None
        Attendance.objects.filter(person=ben).update(gate=gate, gate_opened_at=opened_at)
        record = json.loads(portal_walk.prove(ben).get("/portal/copy/").content)
        assert len(record["appointments"]) == shown, gate


def test_requests_are_asked_once_and_shown_after_the_second_proof(ana: Person) -> None:
    client = portal_walk.sign_in(ana)
    for _ in range(2):
        response = client.post("/portal/requests/", {"kind": "erasure"})
        assert "Received" in walk.text(response)
    assert "What you asked" not in page(client, "requests")
    assert DataRequest.objects.get().kind == "erasure"
    client = portal_walk.prove(ana)
    shown = page(client, "requests")
    assert "the practice has it" in shown
    assert "Ask us to erase my record" not in shown
    assert client.post("/portal/requests/", {"kind": "all"}).status_code == 422


# --- the partner ---------------------------------------------------------------------------------


def cancels(ben: Person) -> None:
    row = Attendance.objects.get(person=ben)
    booking.leave(attendance=row, reason="canary", by=Actor.of_person(ben.pk), now=make.NOW)


def confirms(ben: Person) -> None:
    row = Attendance.objects.get(person=ben)
    booking.confirm(attendance=row, by=Actor.of_person(ben.pk), now=make.NOW)


def signs_in_and_sets_a_pin(ben: Person) -> None:
    portal_walk.prove(ben)


def asks_for_erasure(ben: Person) -> None:
    access.ask_about_record(
        person=ben, kind=DataRequest.Kind.ERASURE, by=Actor.of_person(ben.pk), now=make.NOW
    )


def says_no(ben: Person) -> None:
    portal_walk.sign_in(ben).post("/portal/safe-contact/", {"channel": "email"})


def wrote(ben: Person) -> None:
    row = Attendance.objects.get(person=ben)
    question = Question.objects.create(service=row.appointment.service, slug="x", label="More?")
    Answer.objects.create(attendance=row, question=question, text="canary", audience="couple")


DOINGS = [cancels, confirms, signs_in_and_sets_a_pin, asks_for_erasure, says_no, wrote]


def everything(client: Client) -> dict[str, tuple[bytes, int, int]]:
    """Of each page its bytes, its size, and how many statements it took."""
    found = {}
    for name in sorted({*portal_walk.PAGES, *portal_walk.PROVED} - {"copy"}):
        with CaptureQueriesContext(connection) as asked:
            response = client.get(f"/portal/{name}/")
        assert response.status_code == 200
        found[name] = (portal_walk.same(response), len(response.content), len(asked))
    return found


@pytest.mark.parametrize("does", DOINGS, ids=lambda does: does.__name__)
def test_nothing_that_the_partner_does_changes_a_byte(
    ana: Person, ben: Person, does: Callable[[Person], None]
) -> None:
    client = portal_walk.prove(ana)
    everything(client)
    before = everything(client)
    does(ben)
    after = everything(client)
    # A challenge is drawn anew for each page; all of them are as long.
    assert {name: one[0] for name, one in after.items()} == {
        name: one[0] for name, one in before.items()
    }
    assert {name: one[2] for name, one in after.items()} == {
        name: one[2] for name, one in before.items()
    }
    sizes = {name: abs(after[name][1] - before[name][1]) for name in after}
    assert max(sizes.values()) <= 4, sizes


@pytest.mark.parametrize("role", ["booker", "partner"])
def test_no_page_names_the_other(ana: Person, ben: Person, role: str) -> None:
    own, other = (ana, ben) if role == "booker" else (ben, ana)
    client = portal_walk.prove(own)
    for name in {*portal_walk.PAGES, *portal_walk.PROVED}:
        shown = page(client, name)
        for word in (*other.name.split(), other.email or "", "of 2"):
            assert not re.search(rf"\b{re.escape(word)}\b", shown), (name, word)


# --- the desk ------------------------------------------------------------------------------------


def at_desk(username: str) -> Client:
    client = Client()
    assert client.login(username=username, password=make.PASSWORD)
    return client


def test_the_front_desk_gives_a_code_and_shows_it_once(ana: Person) -> None:
    make.front_desk()
    client = at_desk("sam")
    path = f"/desk/persons/{ana.pk}/code/"
    assert "shown this once" not in walk.text(client.get(path))
    given = client.post(path).context["code"]
    assert len(given) == 8
    assert given not in walk.text(client.get(path))
    mine = portal_walk.sign_in(ana)
    sent = {"code": given, "pin": portal_walk.PIN, "again": portal_walk.PIN}
    assert mine.post("/portal/pin/", sent).status_code == 302
    entry = AuditEntry.objects.get(verb="portal.code_given")
    assert (entry.actor_kind, entry.person_id) == ("member", ana.pk)
    assert given not in json.dumps(entry.detail)


def test_the_desk_ends_all_of_a_clients_sessions(ana: Person) -> None:
    make.front_desk()
    mine, waiting = portal_walk.sign_in(ana), portal_walk.link_for(ana)
    assert at_desk("sam").post(f"/desk/persons/{ana.pk}/sessions/").status_code == 302
    assert mine.get("/portal/mine/")["Location"] == "/portal/"
    assert Client().post(f"/portal/in/{waiting.token}/").status_code == 404


def test_a_code_is_given_by_the_desk_and_by_whoever_cares(ana: Person, iris: Counselor) -> None:
    make.counselor("jonas")
    make.reviewer()
    path = f"/desk/persons/{ana.pk}/code/"
    assert at_desk("iris").get(path).status_code == 200
    unknown = at_desk("iris").get(f"/desk/persons/{iris.member.pk}/code/")
    assert unknown.status_code == 404
    for username in ("jonas", "rita"):
        for response in (at_desk(username).get(path), at_desk(username).post(path)):
            assert response.status_code == 404, username
            assert response.content == unknown.content
    assert not AuditEntry.objects.filter(verb="portal.code_given").exists()


def test_a_supervisor_and_the_counselor_of_a_couple_that_one_left_give_no_code(
    ana: Person, iris: Counselor
) -> None:
    uma, case = make.supervisor(), Case.objects.get()
    CareRelation.objects.create(case=case, member=uma, kind="supervisor", since_at=make.NOW)
    code, sessions = f"/desk/persons/{ana.pk}/code/", f"/desk/persons/{ana.pk}/sessions/"
    mine = portal_walk.sign_in(ana)
    client = at_desk("uma")
    assert client.get(f"/desk/cases/{case.pk}/").status_code == 200
    answers = [client.get(code), client.post(code), client.post(sessions)]
    CoupleMember.objects.filter(person=ana).update(left_at=make.NOW)
    client = at_desk("iris")
    answers += [client.get(code), client.post(code), client.post(sessions)]
    assert [one.status_code for one in answers] == [404] * 6
    assert mine.get("/portal/mine/").status_code == 200
    assert not AuditEntry.objects.filter(verb="portal.code_given").exists()


def test_who_left_the_couple_isnt_told_of_their_own_counselor(ana: Person, iris: Counselor) -> None:
    def roles() -> set[str]:
        return {one.role for one in portal.looks(ana)}

    with transaction.atomic():
        audit.record_reads(
            verb="case.read",
            persons=[(ana.pk, None)],
            by=iris.member.as_actor(),
            now=make.NOW,
        )
    assert roles() == {"own_counselor"}
    CoupleMember.objects.filter(person=ana).update(left_at=make.NOW)
    assert roles() == {"counselor"}


def test_of_a_restricted_case_the_desk_gives_no_code(ana: Person) -> None:
    make.front_desk()
    Case.objects.update(restricted_at=make.NOW)
    assert at_desk("sam").post(f"/desk/persons/{ana.pk}/code/").status_code == 404
