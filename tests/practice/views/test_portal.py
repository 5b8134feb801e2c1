"""The way to somebody's own page: who gets a link, what it opens, and what nobody learns."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from clients.actions import access, messages
from clients.models import AuditEntry, ClientSession, Message, Person, SafeContact, SignInLink
from clients.queries import access as queries
from clients.rules import envelope
from practice.models import Attendance, Counselor, Practice, Service
from practice.queries import letters
from practice.rules import neutral
from tests import factories as make
from tests import smtp_peer
from tests.clients.message_cast import talk_to
from tests.practice.views import portal_walk, walk
from tests.practice.views.conftest import SetClock

pytestmark = pytest.mark.django_db

START = make.at(3, "10:00")


@pytest.fixture
def ana(practice: Practice) -> Person:
    return make.ana()


def ask(email: str, client: Client | None = None) -> bytes:
    response = (client or Client()).post("/portal/", {"email": email})
    assert (response.status_code, response["Location"]) == (302, "/portal/sent/")
    return bytes(response.content)


# --- asking --------------------------------------------------------------------------------------


def test_asking_plans_a_letter_with_a_link_that_lasts_ten_minutes(ana: Person) -> None:
    ask("Ana@Example.org")
    link, letter = SignInLink.objects.get(), Message.objects.get()
    assert link.ends_at == make.NOW + timedelta(minutes=10)
    assert (letter.subject_id, letter.person_id, letter.purpose) == (link.pk, ana.pk, "sign_in")
    assert (letter.due_at, letter.window_ends_at) == (make.NOW, link.ends_at)
    assert bytes(link.token_hash) == make.token_hash(link.token)


def test_known_unknown_and_silent_addresses_are_answered_alike(ana: Person) -> None:
    make.ben()
    make.safe_contact(make.dana(email="dana@example.org"), permission=SafeContact.Permission.NO)
    seen = []
    for email in ("ana@example.org", "nobody@example.org", "dana@example.org", "ben@example.org"):
        with CaptureQueriesContext(connection) as asked:
            body = ask(email)
        seen.append((body, len(asked), [one["sql"].split(" ", 1)[0] for one in asked]))
    assert [one[:2] for one in seen] == [seen[0][:2]] * 4
    assert [one[2] for one in seen] == [seen[0][2]] * 4
    assert SignInLink.objects.count() == 3


def test_an_unknown_address_costs_as_many_seals_as_a_known_one(
    ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the slow things there are none; of AES as many, whoever is or isn't there."""
    counted: list[str] = []

    def counting(name: str) -> None:
        real = getattr(envelope, name)

        def counted_one(**given: Any) -> Any:
            counted.append(name)
            return real(**given)

        monkeypatch.setattr(envelope, name, counted_one)

    counting("seal")
    counting("unseal")
    ask("ana@example.org")
    known = len(counted)
    counted.clear()
    ask("nobody@example.org")
    assert len(counted) == known


def test_persons_at_one_address_get_a_letter_each_and_four_at_most(practice: Practice) -> None:
    rows = [
        make.person(name=f"Ana {number}", now=make.NOW + timedelta(seconds=number))
        for number in range(6)
    ]
    ask("robin@example.org")
    assert set(SignInLink.objects.values_list("person", flat=True)) == {one.pk for one in rows[2:]}
    assert len({bytes(one.token_hash) for one in SignInLink.objects.all()}) == 4


@pytest.mark.parametrize("gate", ["said_unsafe", "shared_address", "private_check"])
def test_whoever_may_not_be_written_to_gets_no_letter(
    iris: Counselor, talk: Service, gate: str
) -> None:
    """Else whoever booked could try the partner's address, and the partner would hear of us."""
    make.appointment(iris, talk, make.ana(), make.ben(), start=START, gate=gate)
    ask("ben@example.org")
    assert not SignInLink.objects.exists()
    ask("ana@example.org")
    assert SignInLink.objects.get().person.name == "Ana Alder"


def test_more_than_six_links_an_hour_bring_no_letter_and_no_other_answer(
    ana: Person, clock: SetClock
) -> None:
    for _ in range(9):
        ask("ana@example.org")
    assert SignInLink.objects.count() == 6
    clock(make.NOW + timedelta(hours=1, seconds=1))
    ask("ana@example.org")
    assert SignInLink.objects.count() == 7


@pytest.mark.parametrize("email", ["ana@example.org", "nobody@example.org"])
def test_the_limit_counts_what_was_typed_and_tells_nothing(
    ana: Person, settings: Settings, email: str
) -> None:
    settings.DUET = settings.DUET | {"THROTTLE": True}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    answers = [Client().post("/portal/", {"email": email}).status_code for _ in range(8)]
    assert answers == [302] * 6 + [429] * 2
    cache.clear()


@pytest.mark.parametrize("email", ["", "ana", "a@b", "ana@example.org,ben@example.org", "\x00@x.y"])
def test_what_is_no_address_is_said_beside_the_field(ana: Person, email: str) -> None:
    response = Client().post("/portal/", {"email": email})
    assert response.status_code == 422
    assert "id_email_error" in walk.text(response)


def test_the_letter_reveals_nothing_and_its_link_opens_the_page(
    ana: Person, settings: Settings
) -> None:
    settings.DUET = settings.DUET | {"BASE_URL": "https://elm.example.org"}
    ask("ana@example.org")
    message = Message.objects.select_related("person__key").get()
    subject = letters.subjects()["sign_in_link"]
    subject.read([message])
    assert subject.still_due(message) is None
    letter = subject.render(message)
    token = SignInLink.objects.get().token
    assert f"https://elm.example.org/portal/in/{token}/" in letter.text
    assert (letter.subject, letter.sender_name) == ("You have a message", "Elm Street")
    assert "Ana" not in letter.text + letter.html
    Client().post(f"/portal/in/{token}/")
    assert subject.still_due(message) == "link_used"


@pytest.mark.parametrize("make_person", [make.ana, make.chris])
def test_the_letter_is_neutral_in_each_language(
    practice: Practice, make_person: Callable[[], Person]
) -> None:
    portal_walk.link_for(make_person())
    message = Message.objects.select_related("person__key").get()
    subject = letters.subjects()["sign_in_link"]
    subject.read([message])
    letter = subject.render(message)
    words = re.sub(r"<style.*?</style>|<[^>]+>", " ", letter.html, flags=re.DOTALL)
    found = neutral._REVEALING.search(
        " ".join([letter.subject, letter.sender_name, letter.text, words])
    )
    assert found is None, found
    assert not re.search(r"src=|url\(", letter.html)


@pytest.mark.django_db(transaction=True)
def test_no_letter_goes_where_writing_is_not_safe(ana: Person, settings: Settings) -> None:
    make.safe_contact(ana, permission=SafeContact.Permission.NO)
    ask("ana@example.org")
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        done = messages.send_due(
            subjects=letters.subjects(), by=make.SYSTEM, now=make.NOW, clock=lambda: make.NOW
        )
    assert (done.sent, done.suppressed, peer.taken) == (0, 1, [])


def test_beyond_the_limit_no_address_is_looked_at(
    ana: Person, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DUET = settings.DUET | {"THROTTLE": True}
    cache.clear()
    looked: list[str] = []
    real = queries.digest_of

    def digest_of(email: str) -> bytes:
        looked.append(email)
        return real(email)

    monkeypatch.setattr(queries, "digest_of", digest_of)
    statuses = [Client().post("/portal/", {"email": f"a{n}@example.org"}) for n in range(40)]
    refused = [one.status_code for one in statuses].count(429)
    assert refused
    assert len(looked) == 40 - refused


# --- the link ------------------------------------------------------------------------------------


def test_a_link_is_opened_by_its_button_alone(ana: Person) -> None:
    link = portal_walk.link_for(ana)
    before = walk.domain_rows()
    client = Client()
    for method in (client.get, client.head, client.get):
        response = method(f"/portal/in/{link.token}/")
        assert response.status_code == 200
        assert not response.cookies
        assert response["Referrer-Policy"] == "no-referrer"
        assert "no-store" in response["Cache-Control"]
        assert "Ana" not in walk.text(response)
    assert walk.domain_rows() == before
    response = client.post(f"/portal/in/{link.token}/")
    assert response["Location"] == "/portal/mine/"
    assert link.token not in response["Location"]
    cookie = response.cookies["duet"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert "This is the page of <b>Ana Alder</b>" in walk.text(client.get("/portal/mine/"))


def test_in_production_the_cookie_belongs_to_this_host_alone(
    ana: Person, settings: Settings
) -> None:
    settings.SESSION_COOKIE_SECURE = True
    response = Client().post(f"/portal/in/{portal_walk.link_for(ana).token}/")
    cookie = response.cookies["__Host-duet"]
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


def test_used_old_unknown_and_mangled_links_meet_the_same_page(
    ana: Person, iris: Counselor, talk: Service, clock: SetClock
) -> None:
    make.appointment(iris, talk, ana, start=START)
    used, old = portal_walk.link_for(ana), None
    Client().post(f"/portal/in/{used.token}/")
    old = portal_walk.link_for(ana)
    attendance = Attendance.objects.get()
    unknown = Client().get("/portal/in/AAAAAAAAAAAAAAAAAAAAAA/")
    clock(make.NOW + timedelta(minutes=10))
    tries = [
        f"/portal/in/{one}/"
        for one in (used.token, old.token, attendance.token, "x", "a.b", "%00", "é", "x" * 900)
    ]
    for path in [*tries, "/portal/in/", "/portal/in/a/b", "/portal/in/a%0Ab"]:
        for response in (Client().get(path), Client().post(path)):
            assert response.status_code == 404, path
            assert response.content == unknown.content, path
            assert not response.cookies
    assert ClientSession.objects.count() == 1


def test_a_sign_in_link_opens_no_appointment(ana: Person, iris: Counselor, talk: Service) -> None:
    make.appointment(iris, talk, ana, start=START)
    assert Client().get(f"/a/{portal_walk.link_for(ana).token}/").status_code == 404


def test_a_form_of_another_site_puts_nobody_into_a_strangers_page(ana: Person) -> None:
    link = portal_walk.link_for(ana)
    path = f"/portal/in/{link.token}/"
    foreign = Client().post(path, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 404
    own = Client().post(path, headers={"Sec-Fetch-Site": "same-origin", "Origin": "null"})
    assert own.status_code == 302


def test_another_persons_link_ends_the_session_before(ana: Person) -> None:
    """Nothing of the first one is left in the browser."""
    client = portal_walk.sign_in(ana)
    before = portal_walk.session(ana)
    portal_walk.sign_in(make.ben(), client)
    before.refresh_from_db()
    assert before.ended_at == make.NOW
    page = walk.text(client.get("/portal/mine/"))
    assert "Ben Birch" in page
    assert "Ana" not in page


def test_from_an_appointment_the_link_goes_to_the_contact_and_opens_nothing(
    iris: Counselor, talk: Service
) -> None:
    make.appointment(iris, talk, make.ana(), make.ben(), start=START)
    attendance = Attendance.objects.get(role="booker")
    client = Client()
    response = client.post(f"/a/{attendance.token}/portal/")
    assert response["Location"] == "/portal/sent/"
    assert SignInLink.objects.get().person_id == attendance.person_id
    assert client.get("/portal/mine/")["Location"] == "/portal/"


# --- sessions ------------------------------------------------------------------------------------


def test_a_session_ends_after_fifteen_idle_minutes(ana: Person, clock: SetClock) -> None:
    client = portal_walk.sign_in(ana)
    for minutes in (14, 28):
        clock(make.NOW + timedelta(minutes=minutes))
        assert client.get("/portal/mine/").status_code == 200
    clock(make.NOW + timedelta(minutes=43))
    assert client.get("/portal/mine/")["Location"] == "/portal/"


def test_a_session_ends_after_twelve_hours_in_any_case(ana: Person, clock: SetClock) -> None:
    client = portal_walk.sign_in(ana)
    for minutes in range(10, 12 * 60, 10):
        clock(make.NOW + timedelta(minutes=minutes))
        assert client.get("/portal/sessions/").status_code == 200
    clock(make.NOW + timedelta(hours=12))
    assert client.get("/portal/sessions/")["Location"] == "/portal/"


def test_a_use_is_written_down_once_a_minute(ana: Person, clock: SetClock) -> None:
    client = portal_walk.sign_in(ana)
    seen = []
    for seconds in (30, 59, 60, 90, 119, 120):
        clock(make.NOW + timedelta(seconds=seconds))
        client.get("/portal/mine/")
        seen.append((portal_walk.session(ana).seen_at - make.NOW).seconds)
    assert seen == [0, 0, 60, 60, 60, 120]


def test_reading_changes_no_row_but_the_sessions(
    ana: Person, iris: Counselor, talk: Service, clock: SetClock
) -> None:
    make.appointment(iris, talk, ana, start=START)
    client = portal_walk.prove(ana)
    clock(make.NOW + timedelta(minutes=5))
    before = walk.domain_rows()
    for page in {*portal_walk.PAGES, *portal_walk.PROVED}:
        assert client.get(f"/portal/{page}/").status_code == 200, page
    after = walk.domain_rows()
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"duet_clients.ClientSession", "duet_clients.AuditEntry"}


def test_signing_out_ends_the_row_and_the_cookie(ana: Person) -> None:
    client = portal_walk.sign_in(ana)
    stolen = client.cookies["duet"].value
    response = client.post("/portal/sign-out/")
    assert response["Clear-Site-Data"] == '"cache", "storage"'
    assert client.cookies["duet"].value == ""
    other = Client()
    other.cookies["duet"] = stolen
    assert other.get("/portal/mine/")["Location"] == "/portal/"


def test_one_or_all_others_can_be_ended(ana: Person) -> None:
    here, there, far = (portal_walk.sign_in(ana) for _ in range(3))
    rows = list(ClientSession.objects.order_by("pk"))
    own = here.get("/portal/sessions/").context["current"]
    other = next(one for one in rows if one.pk != own)
    assert here.post(f"/portal/sessions/{other.pk}/end/").status_code == 302
    assert sum(one.get("/portal/mine/").status_code == 200 for one in (here, there, far)) == 2
    waiting = portal_walk.link_for(ana)
    here.post("/portal/sessions/end/")
    assert [one.get("/portal/mine/").status_code for one in (here, there, far)] == [200, 302, 302]
    assert Client().post(f"/portal/in/{waiting.token}/").status_code == 404


def test_nobody_ends_somebody_elses_session(ana: Person) -> None:
    client, bens = portal_walk.sign_in(ana), portal_walk.sign_in(ben := make.ben())
    pk = portal_walk.session(ben).pk
    assert client.post(f"/portal/sessions/{pk}/end/").status_code == 404
    assert bens.get("/portal/mine/").status_code == 200


@pytest.mark.parametrize("value", ["", "x", "A" * 43, "A" * 44, "é" * 43, "'; --", "\x01" * 43])
def test_a_made_up_cookie_is_nobodys(ana: Person, value: str) -> None:
    client = Client()
    client.cookies["duet"] = value
    assert client.get("/portal/mine/")["Location"] == "/portal/"


def test_yesterdays_links_and_sessions_are_forgotten(ana: Person) -> None:
    portal_walk.sign_in(ana)
    portal_walk.link_for(ana)
    later = make.NOW + timedelta(hours=13)
    assert access.forget(by=make.SYSTEM, now=later) == 0
    assert access.forget(by=make.SYSTEM, now=make.NOW + timedelta(hours=25)) == 3


# --- quick exit ----------------------------------------------------------------------------------


def test_the_exit_ends_the_session_and_leads_away(
    ana: Person, iris: Counselor, talk: Service, settings: Settings
) -> None:
    settings.DUET = settings.DUET | {"QUICK_EXIT_URL": "https://weather.example.org"}
    make.appointment(iris, talk, ana, start=START)
    client = portal_walk.sign_in(ana)
    client.post(f"/portal/appointments/{Attendance.objects.get().pk}/")
    assert client.get("/a/").status_code == 200
    before = walk.domain_rows()
    response = client.get("/exit/")
    assert (response.status_code, response["Location"]) == (302, "https://weather.example.org")
    assert "no-store" in response["Cache-Control"]
    assert client.cookies["duet"].value == ""
    assert client.get("/portal/mine/")["Location"] == "/portal/"
    assert client.get("/a/").status_code == 404
    after = walk.domain_rows()
    changed = {name for name in before if before[name] != after[name]}
    sessions = {"duet_clients.ClientSession", "duet_site.Session"}
    assert changed - sessions == {"duet_clients.AuditEntry"}


def test_the_exit_works_for_anybody_and_keeps_a_member_signed_in(practice: Practice) -> None:
    assert Client().get("/exit/").status_code == 302
    assert Client().post("/exit/").status_code == 405
    olive = make.front_desk()
    client = Client()
    client.force_login(olive.user)
    client.get("/exit/")
    assert client.get("/desk/").status_code == 200


def test_every_page_of_a_client_has_the_exit(ana: Person, iris: Counselor, talk: Service) -> None:
    make.appointment(iris, talk, ana, start=START)
    attendance = Attendance.objects.get()
    client = portal_walk.prove(ana)
    link = portal_walk.link_for(ana)
    paths = [f"/portal/{one}/" for one in {*portal_walk.PAGES, *portal_walk.PROVED} - {"copy"}]
    paths += [f"/a/{attendance.token}/{one}" for one in ("", "move/", "cancel/")]
    paths += ["/portal/sent/", f"/portal/in/{link.token}/", "/exit/help/"]
    for path in paths:
        page = walk.text(client.get(path))
        assert 'href="/exit/"' in page, path
        assert "htmx" not in page.replace("hx-history", ""), path
        assert 'hx-history="false"' in page, path


def test_the_help_says_where_the_back_button_may_still_lead(client: Client) -> None:
    page = walk.text(client.get("/exit/help/"))
    assert "The Back button may still lead to the page where you sign in." in page
    page = walk.text(client.get("/exit/help/", headers={"Accept-Language": "es"}))
    assert "En ella no hay nada privado." in page


def test_the_exit_is_on_the_pages_of_booking(client: Client, talk: Service) -> None:
    walk.hold(client, talk, make.at(1, "10:00"))
    assert 'href="/exit/"' in walk.text(walk.details(client))
    walk.book(client, talk, make.at(1, "12:00"), **walk.ALONE)
    assert 'href="/exit/"' in walk.text(client.get("/book/done/"))


# --- headers -------------------------------------------------------------------------------------


def test_nothing_of_a_persons_page_is_kept(ana: Person) -> None:
    client = portal_walk.prove(ana)
    for page in {*portal_walk.PAGES, *portal_walk.PROVED}:
        response = client.get(f"/portal/{page}/")
        assert "no-store" in response["Cache-Control"], page
        assert response["Referrer-Policy"] == "same-origin", page


def test_a_form_without_its_token_does_nothing(ana: Person) -> None:
    strict = Client(enforce_csrf_checks=True)
    portal_walk.sign_in(ana, strict)
    for path in ("sign-out", "safe-contact", "sessions/end", "requests", "prove", "pin"):
        assert strict.post(f"/portal/{path}/").status_code == 403, path
    assert strict.get("/portal/mine/").status_code == 200


def test_the_page_speaks_the_persons_language(practice: Practice) -> None:
    response = portal_walk.sign_in(make.chris()).get("/portal/mine/")
    assert '<html lang="es">' in walk.text(response)
    assert response["Content-Language"] == "es"


def test_who_signs_in_is_on_record(ana: Person) -> None:
    portal_walk.prove(ana)
    verbs = set(AuditEntry.objects.filter(person_id=ana.pk).values_list("verb", flat=True))
    asked = {"portal.link_asked", "portal.signed_in", "portal.code_given", "portal.pin_set"}
    assert asked <= verbs
