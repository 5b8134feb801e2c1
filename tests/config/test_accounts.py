"""Accounts of members: factors, who must have one, passwords, sessions, and what is told."""

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.models import Session as OldSession
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.utils import timezone
from pytest_django import Settings

from clients import doors
from clients.models import AuditEntry, Member
from clients.rules import actors
from config import sessions
from config.accounts import backend, letters, second_factor, urls
from config.models import Session
from config.tasks import forget_sessions
from config.urls import urlpatterns as site
from tests import factories as make
from tests.config.accounts import (
    CODE,
    LOGIN,
    ORIGIN,
    Steps,
    add_passkey,
    is_in,
    passkey_options,
    prove,
    set_up_app,
    sign_in,
    sign_in_with,
)

pytestmark = pytest.mark.django_db
NEW = "several words that nobody knows"


# A page that asks for itself every now and then, as an autosave does.
@doors.desk
@sessions.background
def _tick(request: HttpRequest) -> HttpResponse:
    request.session["ticks"] = request.session.get("ticks", 0) + 1
    return HttpResponse("tick")


urlpatterns = [*site, path("tick/", _tick)]


@pytest.fixture(autouse=True)
def _base_url(settings: Settings) -> None:
    settings.DUET = {**settings.DUET, "BASE_URL": ORIGIN}
    cache.clear()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


@pytest.fixture
def olive() -> User:
    user = make.admin("olive").user
    user.email = "olive@example.org"
    user.save()
    return user


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Ahead":
    ahead = Ahead(timezone.now())
    monkeypatch.setattr(timezone, "now", ahead)
    return ahead


class Ahead:
    """The site's clock, which goes on when a test says so."""

    def __init__(self, now: Any) -> None:
        self.now = now

    def __call__(self) -> Any:
        return self.now

    def go_on(self, **by: float) -> None:
        self.now += timedelta(**by)


def in_production(settings: Settings) -> None:
    settings.DUET = {**settings.DUET, "MODE": "production"}


def texts(answer: Any) -> str:
    return re.sub(r'value="[\w-]{32,}"', "", answer.content.decode())


# --- names and passwords -------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["olive", " OLIVE ", "olive@example.org", "Olive@Example.org"])
def test_a_member_signs_in_by_name_or_address(client: Client, olive: User, typed: str) -> None:
    assert sign_in(client, typed)["Location"] == "/desk/"
    assert is_in(client)


def test_an_address_that_two_have_signs_nobody_in(client: Client, olive: User) -> None:
    get_user_model().objects.create_user("other", "OLIVE@example.org", make.PASSWORD)
    assert sign_in(client, "olive@example.org").status_code == 401
    assert sign_in(client, "olive").status_code == 302


def test_nobody_signs_up(client: Client) -> None:
    for path_ in (
        "/accounts/signup/",
        "/accounts/email/",
        "/accounts/social/",
        "/accounts/3rdparty/",
    ):
        assert client.get(path_).status_code == 404, path_
    names = {route.name for route in urls.urlpatterns}
    assert not {"account_signup", "account_email", "socialaccount_signup"} & names


def test_known_unknown_and_inactive_names_are_answered_alike(olive: User) -> None:
    make.front_desk("gone")
    get_user_model().objects.filter(username="gone").update(is_active=False)
    answers = {
        name: sign_in(Client(), name, password)
        for name, password in (
            ("olive", "wrong"),
            ("nobody", "wrong"),
            ("gone", "wrong"),
            ("gone ", make.PASSWORD),
        )
    }
    pages = {texts(one).replace(name.strip(), "NAME") for name, one in answers.items()}
    assert {one.status_code for one in answers.values()} == {401}
    assert len({page.replace('value="NAME "', 'value="NAME"') for page in pages}) == 1


@pytest.mark.parametrize(
    "typed", ["olive", "nobody", "gone", "olive@example.org", "no@example.org"]
)
def test_each_try_hashes_one_password_whoever_it_names(
    olive: User, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time class: what takes long is done once for everybody."""
    make.front_desk("gone")
    get_user_model().objects.filter(username="gone").update(is_active=False)
    hashed: list[str] = []
    monkeypatch.setattr(User, "check_password", lambda self, raw: hashed.append(raw))
    monkeypatch.setattr(User, "set_password", lambda self, raw: hashed.append(raw))
    assert backend.MemberBackend().authenticate(None, typed, "wrong") is None
    assert hashed == ["wrong"]


# --- an authenticator app ------------------------------------------------------------------------


def test_after_the_password_comes_the_code_and_each_is_good_once(
    client: Client, olive: User, steps: Steps
) -> None:
    sign_in(client, "olive")
    set_up_app(client, steps)
    other = Client()
    assert sign_in(other, "olive", next="/desk/messages/")["Location"] == CODE
    assert not is_in(other)
    code = steps.code(olive)
    assert other.post(CODE, {"code": code})["Location"] == "/desk/messages/"
    assert is_in(other)
    third = Client()
    sign_in(third, "olive")
    assert third.post(CODE, {"code": code}).status_code == 401
    assert not is_in(third)
    steps.go_on()
    assert third.post(CODE, {"code": steps.code(olive)}).status_code == 302


def test_the_code_that_set_the_app_up_signs_nobody_in(
    client: Client, olive: User, steps: Steps
) -> None:
    sign_in(client, "olive")
    set_up_app(client, steps)
    steps.now -= 1
    other = Client()
    sign_in(other, "olive")
    assert other.post(CODE, {"code": steps.code(olive)}).status_code == 401


def test_codes_are_good_once_with_redis_away_too(
    client: Client, olive: User, steps: Steps, settings: Settings
) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    sign_in(client, "olive")
    set_up_app(client, steps)
    code, answers = steps.code(olive), []
    for _ in range(2):
        other = Client()
        sign_in(other, "olive")
        answers.append(other.post(CODE, {"code": code}).status_code)
    assert answers == [302, 401]


def test_wrong_codes_are_counted_by_the_account(
    client: Client, olive: User, steps: Steps, settings: Settings
) -> None:
    sign_in(client, "olive")
    set_up_app(client, steps)
    settings.DUET = {**settings.DUET, "THROTTLE": True}
    found = []
    for number in range(11):
        other = Client(REMOTE_ADDR=f"192.0.2.{number}")
        sign_in(other, "olive")
        found.append(other.post(CODE, {"code": "000000"}).status_code)
    assert found == [401] * 10 + [429]


def test_the_apps_secret_is_sealed(client: Client, olive: User, steps: Steps) -> None:
    sign_in(client, "olive")
    secret = set_up_app(client, steps)
    for row in Authenticator.objects.all():
        assert secret not in str(row.data)
    seed = Authenticator.objects.get(type="recovery_codes").data["seed"]
    assert not re.fullmatch(r"[0-9a-f]+", seed)


def test_recovery_codes_are_shown_once_and_each_signs_in_once(
    client: Client, olive: User, steps: Steps
) -> None:
    sign_in(client, "olive")
    set_up_app(client, steps)
    page = client.get("/accounts/recovery-codes/").content.decode()
    codes = re.findall(r"<code>(\d+)</code>", page)
    assert len(codes) == 10
    assert "10 recovery codes are left" in client.get("/accounts/recovery-codes/").content.decode()
    other, third = Client(), Client()
    sign_in(other, "olive")
    assert other.post(CODE, {"code": codes[3]}).status_code == 302
    sign_in(third, "olive")
    assert third.post(CODE, {"code": codes[3]}).status_code == 401
    assert "9 recovery codes are left" in other_page(other)


def other_page(client: Client) -> str:
    prove(client)
    return client.get("/accounts/recovery-codes/").content.decode()


@pytest.mark.parametrize(
    "path_",
    [
        "/accounts/app/",
        "/accounts/passkeys/",
        "/accounts/recovery-codes/new/",
        "/accounts/app/off/",
    ],
)
def test_a_change_of_factors_asks_who_it_is_once_more(
    client: Client, olive: User, steps: Steps, path_: str, clock: Ahead
) -> None:
    sign_in(client, "olive")
    if path_.endswith(("new/", "off/")):
        set_up_app(client, steps)
        client.logout()
        sign_in(client, "olive")
        client.post(CODE, {"code": steps.code(olive)})
    before = list(Authenticator.objects.values_list("pk", "data"))
    for answer in (client.get(path_), client.post(path_, {"code": "000000"})):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/again/")
    assert [pk for pk, _ in before] == list(Authenticator.objects.values_list("pk", flat=True))


# --- passkeys ------------------------------------------------------------------------------------


def test_a_passkey_signs_in_alone_and_as_the_second_factor(client: Client, olive: User) -> None:
    sign_in(client, "olive")
    key = add_passkey(client)
    other = Client()
    answer = sign_in_with(other, key.answer(passkey_options(other)))
    assert answer["Location"] == "/desk/"
    assert is_in(other)
    third = Client()
    assert sign_in(third, "olive")["Location"] == CODE


def test_a_passkey_of_one_who_was_shut_out_signs_nobody_in(client: Client, olive: User) -> None:
    sign_in(client, "olive")
    key = add_passkey(client)
    olive.is_active = False
    olive.save()
    other = Client()
    answer = sign_in_with(other, key.answer(passkey_options(other)))
    assert answer["Location"] == LOGIN
    assert not is_in(other)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "{}",
        "[]",
        "null",
        "[" * 9_000,
        '{"response": {}}',
        '{"id": "x", "rawId": "x", "type": "public-key", "response": {"clientDataJSON": "%%"}}',
        '{"response": {"userHandle": 5}}',
        '{"id": 1, "rawId": [], "response": {"clientDataJSON": "e30", "authenticatorData": "AA",'
        ' "signature": "AA", "userHandle": "_____w"}, "type": "public-key"}',
        '{"id": "AA", "rawId": "AA", "response": {"clientDataJSON": "e30", "authenticatorData":'
        ' "AA", "signature": "AA", "userHandle": ""}, "type": "public-key"}',
        "x" * 30_000,
    ],
)
def test_no_passkey_is_refused_in_words(client: Client, olive: User, sent: str) -> None:
    passkey_options(client)
    answer = client.post("/accounts/login/passkey/", {"credential": sent})
    assert answer.status_code == 401
    sign_in(client, "olive")
    prove(client)
    client.get("/accounts/passkeys/")
    answer = client.post("/accounts/passkeys/", {"name": "x", "credential": sent})
    assert answer.status_code == 422


# --- who must have one ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (actors.COUNSELOR, 302),
        (actors.SUPERVISOR, 302),
        (actors.ADMIN, 302),
        (actors.FRONT_DESK, 200),
        (actors.REVIEWER, 200),
    ],
)
def test_who_works_with_what_clients_say_sets_up_a_second_factor_first(
    client: Client, settings: Settings, steps: Steps, role: str, status: int
) -> None:
    make.practice()
    make.member("zoe", roles=[role])
    sign_in(client, "zoe")
    assert client.get("/desk/").status_code == 200, "a demo asks for none"
    in_production(settings)
    assert client.get("/desk/", secure=True).status_code == status
    page = client.get("/accounts/", secure=True)
    assert page.status_code == 200
    if status == 302:
        assert client.get("/desk/", secure=True)["Location"] == "/accounts/"
        assert client.get("/api/v1/appointments/", secure=True).status_code == 403
        assert b"set up a second factor first" in page.content
    else:
        assert b"We advise one" in page.content
    set_up_app(client, steps)
    assert client.get("/desk/").status_code == 200


def test_without_its_guard_nobody_is_asked(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the test above."""
    make.practice()
    make.counselor("iris")
    sign_in(client, "iris")
    in_production(settings)
    assert client.get("/desk/").status_code == 302
    monkeypatch.setattr(second_factor, "is_demanded", lambda: False)
    assert client.get("/desk/").status_code == 200


def test_a_demo_says_that_it_asks_for_none(client: Client, olive: User) -> None:
    sign_in(client, "olive")
    assert b"This is a demo" in client.get("/accounts/").content


def test_recovery_codes_alone_are_no_second_factor(olive: User) -> None:
    Authenticator.objects.create(user=olive, type="recovery_codes", data={})
    assert not second_factor.has(olive)


# --- passwords -----------------------------------------------------------------------------------


def test_another_password_ends_the_other_sessions_and_is_told(
    client: Client, olive: User, django_capture_on_commit_callbacks: Any
) -> None:
    other = Client()
    for one in (client, other):
        sign_in(one, "olive")
    wrong = {"old_password": "wrong", "new_password1": NEW, "new_password2": NEW}
    assert client.post("/accounts/password/", wrong).status_code == 422
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post("/accounts/password/", wrong | {"old_password": make.PASSWORD})
    assert answer["Location"] == "/accounts/"
    assert is_in(client)
    assert not is_in(other)
    assert Session.objects.filter(user=olive).count() == 1
    letters.wait()
    (letter,) = mail.outbox
    assert letter.to == ["olive@example.org"]
    assert "Something about your sign-in was changed" in letter.body
    assert "testserver" not in f"{letter.body}{letter.subject}"


def test_a_forgotten_password_is_chosen_behind_a_link_once(client: Client, olive: User) -> None:
    sign_in(client, "olive")
    visitor = Client()
    visitor.post("/accounts/password/forgotten/", {"login": "olive"}, headers={"Host": "127.0.0.1"})
    letters.wait()
    (letter,) = mail.outbox
    (link,) = re.findall(r"http\S+", str(letter.body))
    assert link.startswith(f"{ORIGIN}/accounts/password/choose/")
    route = link.removeprefix(ORIGIN)
    for _ in range(3):  # a scanner of mail looks at it and uses nothing up
        page = visitor.get(route)
        assert page.status_code == 200
        assert page["Referrer-Policy"] == "no-referrer"
    assert not visitor.cookies
    short = {"new_password1": "short", "new_password2": "short"}
    assert visitor.post(route, short).status_code == 422
    chosen = {"new_password1": NEW, "new_password2": NEW}
    assert visitor.post(route, chosen).status_code == 200
    assert visitor.get(route).status_code == 404
    assert visitor.post(route, chosen).status_code == 404
    assert not is_in(client), "all sessions are over"
    assert not is_in(visitor), "the link alone signs nobody in"
    assert sign_in(visitor, "olive", NEW).status_code == 302


@pytest.mark.parametrize("key", ["x", "1-x", "zzzzzzzzzzzzz-x", "-", "1-", "ⅷ-x", "1" * 40 + "-x"])
def test_a_link_that_never_was_one_is_over(client: Client, olive: User, key: str) -> None:
    assert client.get(f"/accounts/password/choose/{key}/").status_code == 404


def test_a_link_is_over_after_its_hour(
    client: Client, olive: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = letters.password_link(olive).removeprefix(ORIGIN)
    assert client.get(link).status_code == 200
    token = default_token_generator
    later = token._now() + timedelta(seconds=3601)
    monkeypatch.setattr(token, "_now", lambda: later)
    assert client.get(link).status_code == 404


def test_whoever_forgot_a_password_is_answered_alike_and_only_members_get_a_letter(
    olive: User,
) -> None:
    make.front_desk("silent")
    gone = make.front_desk("gone").user
    gone.email, gone.is_active = "gone@example.org", False
    gone.save()
    names = ("olive", "olive@example.org", "nobody", "no@example.org", "silent", "gone")
    answers = [Client().post("/accounts/password/forgotten/", {"login": name}) for name in names]
    assert {one.status_code for one in answers} == {200}
    assert len({one.content for one in answers}) == 1
    letters.wait()
    assert [letter.to for letter in mail.outbox] == [["olive@example.org"]] * 2


def test_a_mail_server_that_is_away_changes_no_answer(
    client: Client, olive: User, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "nowhere.to.be.found"
    answer = client.post("/accounts/password/forgotten/", {"login": "olive"})
    letters.wait()
    assert answer.status_code == 200


def test_forgotten_passwords_are_limited_for_any_name_alike(
    olive: User, settings: Settings
) -> None:
    settings.DUET = {**settings.DUET, "THROTTLE": True}
    found = {
        name: [
            Client(REMOTE_ADDR="192.0.2.7")
            .post("/accounts/password/forgotten/", {"login": name})
            .status_code
            for _ in range(6)
        ]
        for name in ("olive", "nobody")
    }
    assert found["olive"] == found["nobody"] == [200] * 5 + [429]
    letters.wait()


# --- sessions ------------------------------------------------------------------------------------


def test_a_session_ends_after_half_an_hour_without_use(
    client: Client, olive: User, clock: Ahead
) -> None:
    sign_in(client, "olive")
    for _ in range(4):
        clock.go_on(minutes=28)
        assert is_in(client)
    clock.go_on(minutes=30)
    assert not is_in(client)
    assert not Session.objects.filter(user=olive).exists()


def test_a_session_ends_after_twelve_hours_however_it_is_used(
    client: Client, olive: User, clock: Ahead
) -> None:
    sign_in(client, "olive")
    for _ in range(12 * 60 // 20 - 1):
        clock.go_on(minutes=20)
        assert is_in(client)
    clock.go_on(minutes=20)
    assert not is_in(client)


@pytest.mark.urls("tests.config.test_accounts")
@pytest.mark.parametrize("header", [{}, {"X-Duet-Background": "0"}, {"HX-Request": "true"}])
def test_what_a_page_asks_for_by_itself_prolongs_nothing(
    client: Client, olive: User, clock: Ahead, header: dict[str, str]
) -> None:
    sign_in(client, "olive")
    for _ in range(5):
        clock.go_on(minutes=5)
        assert client.get("/tick/?background=0", headers=header).status_code == 200
    clock.go_on(minutes=5)
    assert client.get("/tick/", headers=header).status_code == 302


@pytest.mark.urls("tests.config.test_accounts")
def test_without_its_mark_the_same_page_prolongs(
    client: Client, olive: User, clock: Ahead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the test above."""
    monkeypatch.setattr(_tick, "background", False)
    sign_in(client, "olive")
    for _ in range(8):
        clock.go_on(minutes=5)
        assert client.get("/tick/").status_code == 200


def test_signing_in_once_more_in_the_same_session_begins_its_hours_anew(
    client: Client, olive: User, clock: Ahead
) -> None:
    client.force_login(olive)
    before = Session.objects.get(user=olive).started_at
    clock.go_on(minutes=20)
    client.force_login(olive)
    row = Session.objects.get(user=olive)
    assert (row.started_at, row.seen_at) == (clock.now, clock.now)
    assert row.started_at > before
    # The control: any other write of the session leaves its beginning as it is.
    session = client.session
    session["kept"] = 1
    clock.go_on(minutes=20)
    session.save()
    assert Session.objects.get(user=olive).started_at == row.started_at


def test_expired_sessions_are_deleted_in_portions_and_no_others(
    client: Client, olive: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_PORTION", 2)
    client.force_login(olive)
    now = timezone.now()
    for kept, delta in (("a", -1), ("b", -1), ("c", -1), ("d", 1)):
        ends = now + timedelta(minutes=delta)
        Session.objects.create(session_key=kept * 32, expire_date=ends, started_at=now, seen_at=now)
        OldSession.objects.create(session_key=kept * 32, expire_date=ends)
    assert forget_sessions() == 6
    assert not Session.objects.filter(expire_date__lt=now).exists()
    assert OldSession.objects.get().session_key == "d" * 32
    assert Session.objects.filter(session_key="d" * 32).exists()
    assert is_in(client)


def test_one_run_deletes_only_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_PORTION", 1)
    monkeypatch.setattr(sessions, "_PORTIONS", 2)
    for kept in "abc":
        OldSession.objects.create(session_key=kept * 32, expire_date=timezone.now())
    assert forget_sessions() == 2
    assert forget_sessions() == 1


def test_a_visitors_session_has_neither_end(client: Client, clock: Ahead) -> None:
    session = client.session
    session["kept"] = 1
    session.save()
    clock.go_on(hours=11)
    assert client.session.get("kept") == 1


def test_signing_in_gives_another_session_and_the_old_one_is_dead(
    client: Client, olive: User
) -> None:
    session = client.session
    session["planted"] = 1
    session.save()
    planted = str(session.session_key)
    sign_in(client, "olive")
    assert client.cookies["sessionid"].value != planted
    other = Client()
    other.cookies["sessionid"] = planted
    assert not is_in(other)
    assert not Session.objects.filter(session_key=planted).exists()


def test_a_user_who_is_shut_out_is_out_on_the_next_request(client: Client, olive: User) -> None:
    sign_in(client, "olive")
    assert is_in(client)
    get_user_model().objects.filter(pk=olive.pk).update(is_active=False)
    assert not is_in(client)


def test_a_new_factor_ends_the_other_sessions(client: Client, olive: User, steps: Steps) -> None:
    other = Client()
    for one in (client, other):
        sign_in(one, "olive")
    set_up_app(client, steps)
    assert is_in(client)
    assert not is_in(other)


def test_the_list_of_sessions_ends_one_or_all_others(client: Client, olive: User) -> None:
    firefox = Client(
        HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    )
    third = Client()
    for one in (client, firefox, third):
        sign_in(one, "olive")
    stranger = Client()
    make.front_desk("sam")
    sign_in(stranger, "sam")
    page = client.get("/accounts/sessions/").content.decode()
    assert page.count("End this session") == 2
    assert "Firefox, Linux" in page
    for session in Session.objects.all():
        assert session.session_key not in page
    mark = re.findall(r'name="session" value="([\d.]+)"', page[page.index("Firefox") :])[0]
    client.post("/accounts/sessions/", {"session": mark})
    assert [is_in(one) for one in (client, firefox, third)] == [True, False, True]
    client.post("/accounts/sessions/", {"others": "yes"})
    assert [is_in(one) for one in (client, third, stranger)] == [True, False, True]


def test_nobody_ends_the_session_of_somebody_else(client: Client, olive: User) -> None:
    sign_in(client, "olive")
    make.front_desk("sam")
    other = Client()
    sign_in(other, "sam")
    theirs = Session.objects.get(user=olive)
    mark = f"{theirs.started_at.timestamp():.6f}"
    for sent in ({"session": mark}, {"session": theirs.session_key}, {"others": "yes"}):
        other.post("/accounts/sessions/", sent)
    assert is_in(client)


def test_a_session_that_isnt_there_ends_nothing_and_leaves_no_entry(
    client: Client, olive: User
) -> None:
    sign_in(client, "olive")
    current = Session.objects.get(user=olive)
    mark = f"{current.started_at.timestamp():.6f}"
    ended = AuditEntry.objects.filter(verb="member.sessions_ended")
    for sent in ({"session": "1.000000"}, {"session": mark}, {"others": "yes"}, {}):
        page = client.post("/accounts/sessions/", sent, follow=True).content.decode()
        assert "No such session is open: nothing was ended." in page
        assert "The session is ended." not in page
        assert not ended.exists()
    sign_in(Client(), "olive")
    page = client.post("/accounts/sessions/", {"others": "yes"}, follow=True).content.decode()
    assert "The session is ended." in page
    assert ended.count() == 1


# --- what is on record ---------------------------------------------------------------------------


def test_sign_ins_and_changes_are_on_record(client: Client, olive: User, steps: Steps) -> None:
    sign_in(client, "olive")
    set_up_app(client, steps)
    client.post("/accounts/logout/")
    sign_in(client, "olive")
    client.post(CODE, {"code": "000000"})
    member = Member.objects.get(user=olive)
    verbs = list(
        AuditEntry.objects.filter(subject_id=member.pk)
        .order_by("at")
        .values_list("verb", flat=True)
    )
    assert verbs[0] == "member.signed_in"
    assert sorted(verbs[1:3]) == ["member.factor_added"] * 2
    assert verbs[3:] == ["member.signed_out", "member.factor_refused"]


# --- manage.py member ----------------------------------------------------------------------------


def command(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    call_command("member", *words)
    return capsys.readouterr().out


def test_the_first_admin_comes_by_the_command_line(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    said = command(
        capsys, "add", "olive", "--name", "Olive Oak", "--role", "admin", "--role", "counselor"
    )
    member = Member.objects.get(user__username="olive")
    assert member.roles == ["admin", "counselor"]
    assert not member.user.has_usable_password()
    assert sign_in(client, "olive", "").status_code == 401
    (link,) = re.findall(rf"{ORIGIN}(\S+)", said)
    client.post(link, {"new_password1": NEW, "new_password2": NEW})
    assert sign_in(client, "olive", NEW).status_code == 302
    assert AuditEntry.objects.filter(verb="member.made", subject_id=member.pk).exists()


@pytest.mark.parametrize(
    "words",
    [
        ("add", "OLIVE", "--name", "Another", "--role", "admin"),
        ("add", "other", "--name", "Another", "--role", "admin", "--email", "OLIVE@example.org"),
        ("add", "other", "--name", "Another", "--role", "admin", "--email", "nowhere"),
        ("add", "a b", "--name", "Another", "--role", "admin"),
        ("add", "other", "--name", "  ", "--role", "admin"),
        ("add", "other", "--name", "Another", "--role", "owner"),
        ("add", "other", "--name", "Another"),
        ("link", "nobody"),
        ("reset-factors", "nobody"),
    ],
)
def test_what_the_command_refuses(olive: User, words: tuple[str, ...]) -> None:
    before = list(get_user_model().objects.values_list("pk", flat=True))
    with pytest.raises(CommandError):
        call_command("member", *words)
    assert list(get_user_model().objects.values_list("pk", flat=True)) == before


def test_lost_factors_are_reset_on_the_command_line_and_on_record(
    client: Client, olive: User, steps: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in(client, "olive")
    set_up_app(client, steps)
    assert "taken away: 1" in command(capsys, "reset-factors", "olive")
    assert not is_in(client)
    assert not Authenticator.objects.filter(user=olive).exists()
    assert sign_in(client, "olive")["Location"] == "/desk/"
    entry = AuditEntry.objects.get(verb="member.factors_reset")
    assert (entry.actor_kind, entry.detail) == ("system", {"factors": 1})


def test_a_member_is_shut_out_and_let_in_again(
    client: Client, olive: User, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in(client, "olive")
    command(capsys, "shut-out", "olive")
    assert not is_in(client)
    assert sign_in(client, "olive").status_code == 401
    command(capsys, "let-in", "olive")
    assert sign_in(client, "olive").status_code == 302
    assert command(capsys, "link", "olive").startswith(ORIGIN)
