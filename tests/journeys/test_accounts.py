"""Members sign in with passkeys, apps and recovery codes, and end sessions, each page looked at."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from playwright.sync_api import CDPSession, Page, expect
from pytest_django import Settings

from config.accounts import letters
from tests import factories as make
from tests.config.accounts import Steps
from tests.journeys import steps as go
from tests.journeys.conftest import House, OpenBrowser
from tests.journeys.look import Look

pytestmark = pytest.mark.browser


@pytest.fixture
def look() -> Iterator[Look]:
    look = Look()
    yield look
    assert not look.faults, "\n".join(look.faults)


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


def plug_in(page: Page) -> CDPSession:
    """A device with a passkey store, which says yes as a finger would."""
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    device.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return device


def prove(page: Page) -> None:
    go.headed(page, "Is it you?")
    page.get_by_label("Password").fill(make.PASSWORD)
    page.get_by_role("button", name="Go on").click()


def test_a_counselor_adds_a_passkey_and_signs_in_with_it_alone(
    open_browser: OpenBrowser, house: House, look: Look, settings: Settings
) -> None:
    settings.DUET = {**settings.DUET, "MODE": "production"}
    page = open_browser()
    plug_in(page)
    page.goto("/desk/")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()
    go.type_password(page, "iris")
    go.headed(page, "Your sign-in")
    expect(page.locator(".notice")).to_contain_text("Please set up a second factor first")
    look.at(page, "account, a factor is owed")
    page.get_by_role("link", name="Today").click()
    go.headed(page, "Your sign-in")

    page.get_by_role("link", name="Add a passkey").click()
    look.at(page, "once more, by password")
    prove(page)
    go.headed(page, "Add a passkey")
    look.at(page, "add a passkey")
    page.get_by_label("Name, to know it by").fill("Phone")
    page.get_by_role("button", name="Add the passkey").click()
    go.headed(page, "Recovery codes")
    expect(page.locator("ol code")).to_have_count(10)
    look.at(page, "recovery codes, once")
    page.get_by_role("link", name="I have them").click()
    expect(page.get_by_role("link", name="Remove Phone")).to_be_visible()
    look.at(page, "account, a passkey")
    page.get_by_role("link", name="Today").click()
    page.wait_for_url("**/desk/")

    page.get_by_role("button", name="Sign out").click()
    page.goto("/desk/book/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/desk/book/")

    page.get_by_role("button", name="Sign out").click()
    page.goto("/accounts/login/")
    go.type_password(page, "iris")
    go.headed(page, "One more step")
    look.at(page, "the second factor, a passkey too")
    page.get_by_role("button", name="Use your passkey").click()
    page.wait_for_url("**/desk/")

    page.goto("/accounts/recovery-codes/new/")
    page.get_by_role("link", name="Use your passkey").click()
    go.headed(page, "Is it you?")
    look.at(page, "once more, by passkey")
    page.get_by_role("button", name="Use your passkey").click()
    go.headed(page, "Make new recovery codes")
    look.at(page, "new recovery codes")
    page.get_by_role("link", name="Keep the old ones").click()
    page.get_by_role("link", name="Remove Phone").click()
    go.headed(page, "Remove a passkey")
    look.at(page, "remove a passkey")
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.locator(".notice").last).to_contain_text("Please set up a second factor first")


def test_a_browser_without_the_passkey_says_so(open_browser: OpenBrowser, house: House) -> None:
    page = open_browser()
    page.goto("/accounts/login/")
    page.evaluate("void (navigator.credentials.get = () => Promise.reject(new Error('none')))")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("No passkey was used.")).to_be_visible()


def test_signing_in_needs_no_javascript(
    open_browser: OpenBrowser, house: House, codes: Steps
) -> None:
    page = open_browser(javascript=False)
    go.sign_in(page, "iris")
    page.goto("/accounts/")
    page.get_by_role("link", name="Set up an authenticator app").click()
    prove(page)
    page.get_by_text("The app can't scan").click()
    secret = page.locator("code").inner_text()
    page.get_by_label("Code that the app shows").fill(codes.code_of(secret))
    page.get_by_role("button", name="Set it up").click()
    go.headed(page, "Recovery codes")


def test_an_app_is_set_up_and_asked_for_and_recovery_codes_stand_in(
    open_browser: OpenBrowser, house: House, codes: Steps, look: Look
) -> None:
    page = open_browser()
    go.sign_in(page, "iris")
    page.goto("/accounts/")
    expect(page.locator(".notice")).to_contain_text("This is a demo")
    look.at(page, "account, in a demo")
    page.get_by_role("link", name="Set up an authenticator app").click()
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_contain_text("This isn't your password.")
    look.at(page, "once more, refused")
    prove(page)
    go.headed(page, "Set up an authenticator app")
    expect(page.locator("main svg path").first).to_be_visible()
    page.get_by_text("The app can't scan").click()
    secret = page.locator("code").inner_text()
    look.at(page, "set up an app")
    page.get_by_label("Code that the app shows").fill("000000")
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("alert")).to_contain_text("This code isn't right")
    look.at(page, "set up an app, refused")
    page.get_by_label("Code that the app shows").fill(codes.code_of(secret))
    page.get_by_role("button", name="Set it up").click()
    go.headed(page, "Recovery codes")
    recovery = page.locator("ol code").first.inner_text()
    page.get_by_role("link", name="I have them").click()
    look.at(page, "account, an app")
    page.get_by_role("link", name="See how many are left").click()
    look.at(page, "recovery codes, counted")

    for code, taken in ((codes.code_of(secret), False), (recovery, True), (recovery, False)):
        other = open_browser()
        other.goto("/accounts/login/")
        go.type_password(other, "iris")
        go.headed(other, "One more step")
        other.get_by_label("Code").fill(code)
        other.get_by_role("button", name="Sign in", exact=True).click()
        if taken:
            other.wait_for_url("**/desk/")
        else:
            expect(other.get_by_role("alert")).to_contain_text("This code isn't right")
    look.at(other, "the second factor, refused")
    codes.go_on()
    other.get_by_label("Code").fill(codes.code_of(secret))
    other.get_by_role("button", name="Sign in", exact=True).click()
    other.wait_for_url("**/desk/")

    other.goto("/accounts/")
    other.get_by_role("link", name="Remove the authenticator app").click()
    other.get_by_role("link", name="Use a code").click()
    look.at(other, "once more, by code")
    codes.go_on()
    other.get_by_label("Code").fill(codes.code_of(secret))
    other.get_by_role("button", name="Go on").click()
    go.headed(other, "Remove the authenticator app")
    look.at(other, "remove the app")
    other.get_by_role("button", name="Remove the app").click()
    expect(other.get_by_role("link", name="Set up an authenticator app")).to_be_visible()


def test_another_browsers_session_is_ended_from_the_list(
    open_browser: OpenBrowser, house: House, look: Look
) -> None:
    page, other = open_browser(), open_browser()
    for one in (page, other):
        go.sign_in(one, "iris")
    page.goto("/accounts/sessions/")
    expect(page.get_by_role("button", name="End this session")).to_have_count(1)
    look.at(page, "sessions, two")
    page.get_by_role("button", name="End this session").click()
    expect(page.get_by_role("button", name="End this session")).to_have_count(0)
    look.at(page, "sessions, one")
    other.goto("/desk/")
    go.headed(other, "Sign in")
    page.goto("/desk/")
    expect(page).to_have_url(re.compile("/desk/$"))


def test_a_forgotten_password_and_a_changed_one(
    open_browser: OpenBrowser, house: House, look: Look
) -> None:
    get_user_model().objects.filter(username="iris").update(email="iris@example.org")
    page = open_browser()
    page.goto("/accounts/login/")
    page.get_by_role("link", name="Password forgotten?").click()
    look.at(page, "forgotten")
    page.get_by_label("User name or e-mail address").fill("iris")
    page.get_by_role("button", name="Send me the link").click()
    go.headed(page, "Look into your mail")
    look.at(page, "forgotten, sent")
    letters.wait()
    (link,) = re.findall(r"http\S+", str(mail.outbox[-1].body))
    page.goto(link)
    go.headed(page, "Choose a password")
    look.at(page, "choose a password")
    for label in ("New password", "The same once more"):
        page.get_by_label(label).fill("password123456789")
    page.get_by_role("button", name="Take this password").click()
    expect(page.get_by_role("alert")).to_contain_text("common word")
    look.at(page, "choose a password, refused")
    chosen = "several words that nobody knows"
    for label in ("New password", "The same once more"):
        page.get_by_label(label).fill(chosen)
    page.get_by_role("button", name="Take this password").click()
    go.headed(page, "Your password is chosen")
    look.at(page, "a password is chosen")
    page.goto(link)
    go.headed(page, "This link is over")
    look.at(page, "the link is over")

    page.goto("/accounts/login/")
    go.type_password(page, "iris", chosen)
    page.wait_for_url("**/desk/")
    page.goto("/accounts/password/")
    look.at(page, "change the password")
    page.get_by_label("Your password now").fill("wrong")
    page.get_by_label("New password").fill(make.PASSWORD)
    page.get_by_label("The same once more").fill(make.PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("alert")).to_contain_text("This isn't your password.")
    look.at(page, "change the password, refused")
    page.get_by_label("Your password now").fill(chosen)
    page.get_by_label("New password").fill(make.PASSWORD)
    page.get_by_label("The same once more").fill(make.PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    go.headed(page, "Your sign-in")
    look.at(page, "account, password changed")
