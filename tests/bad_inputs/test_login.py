"""Bad inputs at the sign-in of members: each case of the file gives the result that it states."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core import mail
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from config.accounts import letters
from tests import factories as make
from tests.bad_inputs import cases
from tests.bad_inputs.cases import Case
from tests.config.accounts import (
    CODE,
    LOGIN,
    ORIGIN,
    Steps,
    add_passkey,
    data_of,
    is_in,
    passkey_options,
    set_up_app,
    sign_in,
    sign_in_with,
)
from tests.config.serving import heard, serving, statuses
from tests.soft_passkey import SoftPasskey

pytestmark = pytest.mark.django_db
NOW = datetime(2027, 1, 11, tzinfo=UTC)
FORGOTTEN = "/accounts/password/forgotten/"
NEW = "several words that nobody knows"


def of_kind(*kinds: str) -> pytest.MarkDecorator:
    found = [case for case in cases.read() if case.surface == "login" and case.kind in kinds]
    assert {case.kind for case in found} == set(kinds)
    return pytest.mark.parametrize("case", found, ids=str)


@pytest.fixture(autouse=True)
def olive(settings: Settings) -> User:
    settings.DUET = {**settings.DUET, "BASE_URL": ORIGIN}
    cache.clear()
    make.practice()
    user = make.admin("olive").user
    user.email = "olive@example.org"
    user.save()
    return user


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


def limited(settings: Settings) -> None:
    settings.DUET = {**settings.DUET, "THROTTLE": True}


# --- letters lead to the configured address ------------------------------------------------------


@of_kind("host_header_variant", "port_in_host")
def test_no_header_says_where_a_letter_leads(case: Case, client: Client) -> None:
    answer = client.post(FORGOTTEN, {"login": "olive"}, headers=case.input["request"]["headers"])
    assert answer.status_code in case.expect["status"]
    letters.wait()
    if case.expect["class"] == "reject":
        assert mail.outbox == []
    else:
        assert_leads_here()


@of_kind("absolute_uri_request")
@pytest.mark.faults
def test_a_request_line_with_another_host_is_answered_as_any_other(case: Case) -> None:
    """At the real server, which takes the path out of the address; letters ask BASE_URL only."""
    target = case.input["request"]["raw"].split()[1].replace("/portal/login", FORGOTTEN)
    token = "a" * 32
    body = f"login=stranger&csrfmiddlewaretoken={token}"
    request = (
        f"POST {target} HTTP/1.1\r\nHost: localhost\r\nCookie: csrftoken={token}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        f"Connection: close\r\n\r\n{body}"
    )
    with serving() as server, server.open(request.encode()) as opened:
        got = heard(opened)
    (status,) = statuses(got)
    assert status in case.expect["status"]
    assert b"evil" not in got


def assert_leads_here() -> None:
    (letter,) = mail.outbox
    links = re.findall(r"\w+://\S+", str(letter.body))
    assert [link.startswith(f"{ORIGIN}/accounts/") for link in links] == [True]
    assert "evil" not in str(letter.message())


# --- who has an account --------------------------------------------------------------------------


@of_kind("enumeration_link")
def test_a_link_for_somebody_and_for_nobody_is_one_answer(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make_link = letters.password_link

    def counted(user: Any) -> str:
        made.append(user.username)
        return make_link(user)

    monkeypatch.setattr(letters, "password_link", counted)
    answers = [Client().post(FORGOTTEN, {"login": name}) for name in ("olive", "stranger")]
    assert case.expect["class"] == "same"
    assert answers[0].status_code == answers[1].status_code == 200
    assert answers[0].content == answers[1].content
    assert len(made) == 2, "the time class: the same work for both, and no mail server before it"
    letters.wait()


@of_kind("enumeration_inactive")
def test_the_right_password_of_one_shut_out_is_a_wrong_one(case: Case) -> None:
    assert case.expect["class"] == "same"
    get_user_model().objects.update(is_active=False)
    right, wrong = (sign_in(Client(), "olive", word) for word in (make.PASSWORD, "wrong"))
    assert right.status_code == wrong.status_code == 401
    assert without_token(right) == without_token(wrong)


def without_token(answer: Any) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode())


# --- limits --------------------------------------------------------------------------------------


@of_kind("credential_stuffing")
def test_many_names_from_one_address_are_refused(case: Case, settings: Settings) -> None:
    limited(settings)
    found = [sign_in(Client(), f"name{number}", "one").status_code for number in range(70)]
    assert found[-1] in case.expect["status"]
    assert set(found) == {401, 429}


@of_kind("xff_spoof_rate_limit")
def test_a_made_up_address_gets_round_no_limit(case: Case, settings: Settings) -> None:
    limited(settings)
    asked = case.input["request"]
    found = [
        Client(headers=asked["headers"])
        .post(LOGIN, {"login": "olive", "password": "wrong"})
        .status_code
        for _ in range(case.input.get("repeat", 50))
    ]
    assert found[-1] in case.expect["status"]


# --- passwords -----------------------------------------------------------------------------------


@of_kind("password_null", "password_array", "password_object")
def test_what_is_no_password_is_refused_and_not_hashed(
    case: Case, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Any] = []
    monkeypatch.setattr(User, "check_password", lambda self, raw: hashed.append(raw))
    monkeypatch.setattr(User, "set_password", lambda self, raw: hashed.append(raw))
    value = case.input["value"]
    answer = client.post(
        LOGIN, json.dumps({"login": "olive", "password": value}), content_type="application/json"
    )
    assert answer.status_code in case.expect["status"]
    fields = {} if value is None else {"password[]": "a"} if isinstance(value, list) else None
    if fields is None:
        fields = {f"password[{name}]": inner for name, inner in value.items()}
    assert client.post(LOGIN, {"login": "olive", **fields}).status_code in case.expect["status"]
    assert sign_in(client, "olive", "x" * 10_000).status_code in case.expect["status"]
    assert hashed == []


@of_kind("password_64_plus", "password_unicode")
def test_long_and_foreign_passwords_are_taken_as_they_are(case: Case, olive: User) -> None:
    password = cases.unwrap(case.input["value"], now=NOW)
    link = letters.password_link(olive).removeprefix(ORIGIN)
    chosen = {"new_password1": password, "new_password2": password}
    assert case.expect["class"] == "verbatim"
    assert Client().post(link, chosen).status_code == 200
    for wrong in (password[:-1], password[:72], password + " "):
        if wrong != password:
            assert sign_in(Client(), "olive", wrong).status_code == 401
    assert sign_in(Client(), "olive", password).status_code == 302


@of_kind("password_common")
def test_a_common_password_is_refused(case: Case, client: Client, olive: User) -> None:
    password = cases.unwrap(case.input["value"], now=NOW)
    link = letters.password_link(olive).removeprefix(ORIGIN)
    chosen = {"new_password1": password, "new_password2": password}
    assert client.post(link, chosen).status_code in case.expect["status"]
    sign_in(client, "olive")
    answer = client.post("/accounts/password/", {"old_password": make.PASSWORD, **chosen})
    assert answer.status_code in case.expect["status"]


# --- the second factor ---------------------------------------------------------------------------


@of_kind("totp_full-width_digits", "totp_space", "totp_number_type", "totp_empty")
def test_what_is_no_code_is_refused_and_counted(
    case: Case, client: Client, codes: Steps, olive: User, settings: Settings
) -> None:
    sign_in(client, "olive")
    set_up_app(client, codes)
    # In the form that the case has, but with the right digits: the form alone must be refused.
    right = codes.code(olive)
    wide = right.translate({ord("0") + n: chr(0xFF10 + n) for n in range(10)})
    value = {
        "totp_full-width_digits": wide,
        "totp_space": f" {right}",
        "totp_number_type": case.input["value"],
        "totp_empty": "",
    }[case.kind]
    other = Client()
    sign_in(other, "olive")
    limited(settings)
    for sent in (value, case.input["value"]):
        assert other.post(CODE, {"code": sent}).status_code in case.expect["status"]
    assert not is_in(other)
    for _ in range(8):
        assert other.post(CODE, {"code": value}).status_code in case.expect["status"]
    assert other.post(CODE, {"code": codes.code(olive)}).status_code == 429


@of_kind("totp_replay")
def test_a_code_is_good_once(case: Case, client: Client, codes: Steps, olive: User) -> None:
    sign_in(client, "olive")
    set_up_app(client, codes)
    code = codes.code(olive)
    first, second = Client(), Client()
    for one in (first, second):
        sign_in(one, "olive")
    assert first.post(CODE, {"code": code}).status_code == 302
    assert second.post(CODE, {"code": code}).status_code in case.expect["status"]
    assert not is_in(second)


@of_kind("second_factor_skip")
def test_nobody_passes_by_the_second_factor(case: Case, client: Client, codes: Steps) -> None:
    sign_in(client, "olive")
    set_up_app(client, codes)
    other = Client()
    sign_in(other, "olive")
    for path in ("/desk/", "/accounts/", "/accounts/sessions/", "/accounts/again/"):
        answer = other.get(path)
        assert answer.status_code in case.expect["status"]
        assert answer["Location"].startswith(LOGIN)
    assert other.get("/api/v1/appointments/").status_code == 401


# --- passkeys ------------------------------------------------------------------------------------


@of_kind("webauthn_wrong_origin")
def test_a_passkey_answer_of_another_site_is_refused(case: Case, client: Client) -> None:
    sign_in(client, "olive")
    key = add_passkey(client)
    for origin in ("https://evil.example", "http://localhost.evil.example"):
        key.origin = origin
        other = Client()
        answer = sign_in_with(other, key.answer(passkey_options(other)))
        assert answer.status_code in case.expect["status"]
        assert not is_in(other)
    key.origin = ORIGIN
    other = Client()
    options = passkey_options(other)
    options["publicKey"]["rpId"] = "evil.example"
    assert sign_in_with(other, key.answer(options)).status_code in case.expect["status"]


@of_kind("webauthn_replay")
def test_a_passkey_answer_is_good_once(case: Case, client: Client) -> None:
    sign_in(client, "olive")
    key = add_passkey(client)
    first, second = Client(), Client()
    credential = key.answer(passkey_options(first))
    assert sign_in_with(first, credential).status_code == 302
    first.post("/accounts/logout/")
    passkey_options(second)
    for one in (first, second):
        assert sign_in_with(one, credential).status_code in case.expect["status"]
        assert not is_in(one)


@of_kind("webauthn_other_user_handle")
def test_a_passkey_opens_no_account_of_somebody_else(case: Case, client: Client) -> None:
    sign_in(client, "olive")
    hers = add_passkey(client)
    make.front_desk("sam")
    theirs_client = Client()
    sign_in(theirs_client, "sam")
    theirs = add_passkey(theirs_client)
    other = Client()
    forged = theirs.answer(passkey_options(other), handle=hers.handle)
    assert sign_in_with(other, forged).status_code in case.expect["status"]
    assert not is_in(other)
    second = Client()
    sign_in(second, "olive")
    options = data_of(second.get(CODE))["request_options"]
    answer = second.post(CODE, {"credential": json.dumps(theirs.answer(options))})
    assert answer.status_code in case.expect["status"]
    assert not is_in(second)
    stranger = SoftPasskey(ORIGIN)
    stranger.handle = hers.handle
    forged = stranger.answer(passkey_options(other))
    assert sign_in_with(other, forged).status_code in case.expect["status"]


# --- sessions ------------------------------------------------------------------------------------


@of_kind("session_fixation")
def test_a_session_of_before_the_sign_in_is_dead_after_it(case: Case, client: Client) -> None:
    session = client.session
    session["set"] = "before"
    session.save()
    planted = str(session.session_key)
    assert sign_in(client, "olive").status_code in case.expect["status"]
    assert client.cookies["sessionid"].value != planted
    other = Client()
    other.cookies["sessionid"] = planted
    assert not is_in(other)


@of_kind("session_after_password_change")
def test_another_password_ends_other_sessions(case: Case, client: Client) -> None:
    other = Client()
    for one in (client, other):
        sign_in(one, "olive")
    client.post(
        "/accounts/password/",
        {"old_password": make.PASSWORD, "new_password1": NEW, "new_password2": NEW},
    )
    assert other.get("/desk/").status_code in case.expect["status"]
    assert is_in(client)
    letters.wait()


# --- where the sign-in leads ---------------------------------------------------------------------


def by_password(client: Client, next_: str) -> Any:
    return sign_in(client, "olive", next=next_)


def by_address(client: Client, next_: str) -> Any:
    return client.post(
        LOGIN, {"login": "olive", "password": make.PASSWORD}, query_params={"next": next_}
    )


@of_kind("open_redirect", "crlf_in_next")
@pytest.mark.parametrize("way", [by_password, by_address])
def test_the_sign_in_leads_to_this_site(
    case: Case, client: Client, way: Callable[[Client, str], Any]
) -> None:
    target = case.input["request"]["query"]["next"]
    assert client.get(LOGIN, {"next": target}).status_code == 200
    answer = way(client, target)
    assert answer.status_code in case.expect.get("status", [302])
    assert "X-Evil" not in answer.headers
    if case.expect["class"] == "normalise":
        assert answer["Location"] == "/desk/"
    elif answer.status_code == 302:
        assert "\n" not in answer["Location"]
        assert answer["Location"].startswith("/")
    again = client.get(LOGIN, {"next": target})
    assert again.status_code == 302
    assert again["Location"].startswith("/")
    assert not again["Location"].startswith(("//", "/\\"))


@of_kind("verb_invented")
def test_an_invented_method_is_refused(case: Case, client: Client) -> None:
    method = case.input["request"]["method"]
    assert client.generic(method, LOGIN).status_code in case.expect["status"]


def test_every_case_of_the_sign_in_is_run_here() -> None:
    here = {
        mark.args[1][index].id
        for name, test in globals().items()
        if name.startswith("test_")
        for mark in getattr(test, "pytestmark", [])
        if mark.name == "parametrize" and mark.args[0] == "case"
        for index in range(len(mark.args[1]))
    }
    assert here == {
        name for name, module in cases.MAPPED_ELSEWHERE.items() if module.endswith("test_login.py")
    }
