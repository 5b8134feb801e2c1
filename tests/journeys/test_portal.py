"""Somebody's own page, on a phone: in by a letter or a passkey, around it, and out at once."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import CDPSession, Page, expect
from pytest_django import Settings

from clients.actions import access
from clients.models import ClientSession, Person
from practice.models import Answer, Appointment, Attendance, Consent, ConsentGiven, Question
from tests import factories as make
from tests.journeys import steps
from tests.journeys.conftest import Clock, House, OpenBrowser
from tests.journeys.look import Look
from tests.journeys.post import Post
from tests.journeys.test_accounts import plug_in

pytestmark = pytest.mark.browser

PIN = "271828"
WORDS = "canary of what Ana wrote"


@pytest.fixture
def look() -> Iterator[Look]:
    look = Look()
    yield look
    assert not look.faults, "\n".join(look.faults)


@pytest.fixture
def ana(house: House) -> Person:
    """Ana comes on Thursday with Chris, wrote something before, and agreed to the text."""
    booked = make.appointment(
        house.iris, house.talk, make.ana(), make.chris(), start=make.at(3, "10:00")
    )
    own = Attendance.objects.select_related("person__key").get(appointment=booked, role="booker")
    what = Question.objects.get(slug="what")
    Answer.objects.create(attendance=own, question=what, text=WORDS, audience="staff")
    ConsentGiven.objects.create(attendance=own, consent=Consent.objects.get(), given_at=make.NOW)
    return own.person


def come_in(page: Page, post: Post) -> None:
    """Ask for the link, open the letter, press the button."""
    page.goto("/portal/")
    page.get_by_label("Your e-mail address").fill("ana@example.org")
    page.get_by_role("button", name="Send me the link").click()
    steps.headed(page, "Please look into your mail")
    letter = post.deliver()["ana@example.org"]
    page.goto(letter.link)
    page.get_by_role("button", name="Open my page").click()
    steps.headed(page, "Your page")


def set_pin(page: Page, person: Person, clock: Clock) -> None:
    """Where a code is asked for: type it, and a PIN."""
    code = access.give_code(person=person, by=make.SYSTEM, now=clock())
    page.get_by_label("The code from the practice").fill(f"{code[:4]} {code[4:]}")
    page.get_by_label("Your new PIN", exact=True).fill(PIN)
    page.get_by_label("Your new PIN once more").fill(PIN)
    page.get_by_role("button", name="Set this PIN").click()
    steps.headed(page, "Your page")


@pytest.mark.parametrize("javascript", [True, False], ids=["with_javascript", "without_javascript"])
def test_in_by_a_letter_and_further_with_a_pin(
    open_browser: OpenBrowser, ana: Person, post: Post, clock: Clock, *, javascript: bool
) -> None:
    page = open_browser(javascript=javascript, phone=True)
    come_in(page, post)
    assert page.url.endswith("/portal/mine/")
    expect(page.locator("main")).to_contain_text("This is the page of Ana Alder")
    expect(page.locator("main")).to_contain_text("Thursday 14 January 2027, 10:00")
    expect(page.locator("body")).not_to_contain_text("Chris")

    page.get_by_role("link", name="What you wrote to us").click()
    steps.headed(page, "This part is private")
    page.get_by_role("link", name="I have a code").click()
    set_pin(page, ana, clock)
    page.get_by_role("link", name="What you wrote to us").click()
    expect(page.locator("main")).to_contain_text(WORDS)

    page.get_by_role("link", name="Back to your page").click()
    page.get_by_role("button", name="Open: Thursday 14 January 2027, 10:00").click()
    page.wait_for_url("**/a/")
    page.locator("main a[href$='/cancel/']").click()
    page.locator("form[action$='/cancel/'] button").click()
    page.wait_for_url("**/a/")
    assert Appointment.objects.get().attendances.get(person=ana).state == "cancelled"


def test_a_passkey_brings_somebody_in_without_a_letter(
    open_browser: OpenBrowser, ana: Person, post: Post, clock: Clock
) -> None:
    page = open_browser(phone=True)
    device: CDPSession = plug_in(page)
    come_in(page, post)
    page.get_by_role("link", name="Set a PIN").click()
    set_pin(page, ana, clock)
    page.get_by_role("link", name="Your PIN and your passkeys").click()
    page.get_by_label("What do you call this device?").fill("My phone")
    page.get_by_role("button", name="Add a passkey on this device").click()
    expect(page.get_by_role("button", name="Remove My phone")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    steps.headed(page, "Your own page")
    page.get_by_role("button", name="Go on with a passkey").click()
    steps.headed(page, "Your page")
    page.get_by_role("link", name="What you wrote to us").click()
    expect(page.locator("main")).to_contain_text(WORDS)
    page.get_by_role("link", name="Back to your page").click()
    page.get_by_role("button", name="Sign out").click()
    steps.headed(page, "Your own page")
    # A link alone, and the passkey for what is private.
    come_in(page, post)
    page.get_by_role("link", name="What you wrote to us").click()
    page.get_by_role("button", name="Go on with a passkey").click()
    expect(page.locator("main")).to_contain_text(WORDS)
    device.detach()


@pytest.fixture
def elsewhere(origin: str, settings: Settings) -> str:
    """The neutral site: here a page of ours, since tests ask no other host."""
    settings.DUET = {**settings.DUET, "QUICK_EXIT_URL": f"{origin}/book/"}
    return f"{origin}/book/"


def press_exit(page: Page, way: str) -> None:
    """By the button, or by Shift three times; a capital letter is no press."""
    if way == "button":
        page.get_by_role("link", name="Exit this page", exact=True).click()
        return
    page.keyboard.press("Shift+A")
    for said in ("two more times", "once more"):
        page.keyboard.press("Shift")
        expect(page.locator("[data-exit-said]")).to_contain_text(said)
    page.keyboard.press("Shift")


@pytest.mark.parametrize("way", ["button", "shift"])
def test_the_exit_covers_the_page_before_anything_is_answered(
    open_browser: OpenBrowser, ana: Person, way: str
) -> None:
    page = open_browser(phone=True)
    page.goto("/portal/")
    # As a network on which nothing comes back: the page stays.
    page.route("**/exit/", lambda route: route.fulfill(status=204))
    press_exit(page, way)
    expect(page.locator(".exit-cover")).to_be_visible()
    middle = "document.elementFromPoint(innerWidth / 2, innerHeight / 2).className"
    assert page.evaluate(middle) == "exit-cover"


@pytest.mark.parametrize("way", ["button", "shift"])
def test_after_the_exit_back_shows_nothing(
    open_browser: OpenBrowser, ana: Person, post: Post, elsewhere: str, way: str
) -> None:
    page = open_browser(phone=True)
    come_in(page, post)
    page.get_by_role("link", name="What you agreed to").click()
    steps.headed(page, "What you agreed to")
    press_exit(page, way)
    page.wait_for_url(elsewhere)
    assert not ClientSession.objects.filter(ended_at=None).exists()
    page.go_back()
    steps.headed(page, "Your own page")
    page.goto("/portal/consents/")
    steps.headed(page, "Your own page")


def test_the_exit_is_a_plain_link_too(
    open_browser: OpenBrowser, ana: Person, post: Post, elsewhere: str
) -> None:
    page = open_browser(javascript=False, phone=True)
    come_in(page, post)
    page.get_by_role("link", name="Exit this page", exact=True).click()
    page.wait_for_url(elsewhere)
    page.go_back()
    steps.headed(page, "Your own page")
    assert not ClientSession.objects.filter(ended_at=None).exists()


def test_the_exit_is_in_view_wherever_one_scrolls(
    open_browser: OpenBrowser, ana: Person, post: Post
) -> None:
    page = open_browser(phone=True)
    come_in(page, post)
    for share in (0, 0.5, 1):
        page.evaluate(f"scrollTo(0, document.documentElement.scrollHeight * {share})")
        expect(page.get_by_role("link", name="Exit this page", exact=True)).to_be_in_viewport()


def test_back_after_signing_out_shows_nothing(
    open_browser: OpenBrowser, ana: Person, post: Post, clock: Clock
) -> None:
    page = open_browser(phone=True)
    come_in(page, post)
    page.get_by_role("link", name="Set a PIN").click()
    set_pin(page, ana, clock)
    page.get_by_role("link", name="What you wrote to us").click()
    expect(page.locator("main")).to_contain_text(WORDS)
    page.get_by_role("button", name="Sign out").click()
    steps.headed(page, "Your own page")
    for _ in range(3):
        page.go_back()
        expect(page.locator("body")).not_to_contain_text(WORDS)
        expect(page.locator("body")).not_to_contain_text("Ana Alder")


def test_a_link_of_somebody_else_changes_the_page_visibly(
    open_browser: OpenBrowser, ana: Person, post: Post, clock: Clock
) -> None:
    page = open_browser(phone=True)
    come_in(page, post)
    access.send_links(persons=[make.ben(now=clock())], by=make.SYSTEM, now=clock())
    page.goto(post.deliver()["ben@example.org"].link)
    page.get_by_role("button", name="Open my page").click()
    expect(page.locator("main")).to_contain_text("This is the page of Ben Birch")
    expect(page.locator("body")).not_to_contain_text("Ana")
    assert ClientSession.objects.filter(ended_at=None).count() == 1


def test_screens_of_a_persons_own_pages(
    open_browser: OpenBrowser, ana: Person, post: Post, clock: Clock, look: Look
) -> None:
    page = open_browser()
    page.goto("/portal/")
    look.at(page, "portal, ask")
    page.get_by_label("Your e-mail address").fill("not an address")
    page.locator("form").first.evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    look.at(page, "portal, ask, with errors")
    page.goto("/portal/in/AAAAAAAAAAAAAAAAAAAAAA/")
    look.at(page, "portal, link over")
    come_in(page, post)
    look.at(page, "portal, mine, by a link")
    for name in ("consents", "sessions", "requests", "safe-contact", "pin"):
        page.goto(f"/portal/{name}/")
        look.at(page, f"portal, {name}, by a link")
    page.goto("/portal/prove/?then=portal-answers")
    look.at(page, "portal, prove")
    page.get_by_label("Your PIN").fill("1")
    page.get_by_role("button", name="Go on", exact=True).click()
    expect(page.get_by_role("alert").first).to_be_visible()
    look.at(page, "portal, prove, wrong")
    page.goto("/portal/pin/")
    set_pin(page, ana, clock)
    for name in ("mine", "answers", "looks", "contact", "requests", "safe-contact", "proofs"):
        page.goto(f"/portal/{name}/")
        look.at(page, f"portal, {name}, proved")
    page.goto("/exit/help/")
    look.at(page, "exit, help")
    page.goto("/portal/mine/")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/portal/sent/")
    look.at(page, "portal, sent")


def test_screens_of_a_code_at_the_desk(
    open_browser: OpenBrowser, ana: Person, house: House, look: Look
) -> None:
    make.front_desk()
    page = open_browser()
    steps.sign_in(page, "sam")
    page.goto(f"/desk/persons/{ana.pk}/code/")
    look.at(page, "desk, code")
    page.get_by_role("button", name="Give a code").click()
    expect(page.get_by_role("status")).to_contain_text("24 hours")
    look.at(page, "desk, code given")
