"""What people do on the pages, step by step, with what they see there."""

from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from tests import factories
from tests.journeys.post import Letter

THURSDAY = "Thursday 14 January 2027"
FRIDAY = "Friday 15 January 2027"


@dataclass(frozen=True)
class Typed:
    """What somebody writes into the form; `safe` is what they say of writing to the other."""

    name: str = "Ana Alder"
    email: str = "ana@example.org"
    partner: str = "Chris Cedar"
    partner_email: str = "chris@example.com"
    partner_zone: str = "Europe/Madrid"
    partner_language: str = "es"
    safe: bool = True
    about: str = "Who does the dishes, again"


ANA_AND_CHRIS = Typed()


def go_to_times(page: Page) -> None:
    """From the first page to the open times, for two."""
    page.goto("/")
    page.get_by_role("link", name="See times", exact=True).click()
    page.get_by_role("radio", name="First conversation").check()
    page.get_by_role("radio", name="Two of us").check()
    page.get_by_role("button", name="See the times").click()
    headed(page, "Choose a time")


def headed(page: Page, heading: str) -> None:
    """The page is the one of this heading."""
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def time(page: Page, day: str, clock: str) -> Locator:
    """The button of one open time."""
    return page.get_by_role("button", name=f"{clock}, {day}", exact=True)


def take(page: Page, day: str = THURSDAY, clock: str = "10:00") -> None:
    """Press a time: it is held from now on."""
    time(page, day, clock).click()
    headed(page, "Your details")


def fill_in(page: Page, typed: Typed = ANA_AND_CHRIS) -> None:
    """The whole form, for two."""
    fill_in_people(page, typed)
    page.get_by_role("radio", name="Weekly").check()
    page.get_by_label("What is it about?").fill(typed.about)
    page.get_by_role("checkbox").check()


def fill_in_people(page: Page, typed: Typed = ANA_AND_CHRIS) -> None:
    """The part of the form that is about the two."""
    page.get_by_label("Your name").fill(typed.name)
    page.get_by_label("Your e-mail address").fill(typed.email)
    page.get_by_label("Their name").fill(typed.partner)
    page.get_by_label("Their e-mail address").fill(typed.partner_email)
    safe = "Yes, you may write to them" if typed.safe else "No, or I am not sure"
    page.get_by_role("radio", name=safe).check()
    page.get_by_label("Their time zone").select_option(typed.partner_zone)
    page.get_by_label("Their language").select_option(typed.partner_language)


def book(page: Page) -> None:
    """Send the form."""
    page.get_by_role("button", name="Book this time").click()
    headed(page, "Your time is booked")


def book_for_two(page: Page, typed: Typed = ANA_AND_CHRIS) -> None:
    """From the first page to the booked time: Thursday at ten."""
    go_to_times(page)
    take(page)
    fill_in(page, typed)
    book(page)


# The pages behind a letter's link speak the reader's language, so their parts are named here by
# where they lead.


def confirm(page: Page, letter: Letter) -> None:
    """Open the link and say: I come."""
    page.goto(letter.link)
    page.locator("form[action$='/confirm/'] button").click()
    page.wait_for_url("**/a/")


def move(page: Page, letter: Letter, day: str, clock: str) -> None:
    """Open the link, look at other times and press one."""
    page.goto(letter.link)
    page.locator("main a[href$='/move/']").click()
    time(page, day, clock).click()
    page.wait_for_url("**/a/")


def cancel(page: Page, letter: Letter) -> None:
    """Open the link and cancel; the page asks once more."""
    page.goto(letter.link)
    page.locator("main a[href$='/cancel/']").click()
    page.locator("form[action$='/cancel/'] button").click()
    page.wait_for_url("**/a/")


# The desk.


def sign_in(page: Page, name: str) -> None:
    """Sign in as one of the members does, with the password that all have."""
    page.goto("/accounts/login/")
    type_password(page, name)
    page.wait_for_url("**/desk/")


def type_password(page: Page, name: str, password: str = factories.PASSWORD) -> None:
    """Name and password on the sign-in page, sent."""
    page.locator("[name=login]").fill(name)
    page.locator("[name=password]").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def fill_time(page: Page, day: str, clock: str, *, reason: str = "") -> None:
    """A day and a time of the counselor's own, with a reason if it isn't offered."""
    page.locator("[name=date]").fill(day)
    page.locator("[name=time]").fill(clock)
    page.locator("[name=reason]").fill(reason)
