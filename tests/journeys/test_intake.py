"""The intake of a couple, from the booking to the map: on a phone, each by their own link."""

from collections.abc import Iterator

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings

from clients.models import Case
from intake.actions import crisis, instruments
from intake.models import Response, Review
from intake.queries import taking
from practice import tasks
from practice.models import FormRule
from tests import factories as make
from tests.journeys import steps
from tests.journeys.conftest import Clock, House, OpenBrowser
from tests.journeys.look import Look
from tests.journeys.post import Letter, Post

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PHONE = {"width": 390, "height": 844}
ASKED = ("private-check", "practice-intake", "cycle-reflection")
# The words of one of them are found nowhere but where they may be read.
WORDS = "zq9chris9words: we go quiet at the table"
NEXT = "form button[name=go][value=next]:visible:not(.visually-hidden)"


@pytest.fixture
def look() -> Iterator[Look]:
    look = Look()
    yield look
    assert not look.faults, "\n".join(look.faults)


@pytest.fixture
def house(house: House) -> House:
    """Three forms come with a first conversation; Rita reviews what came in."""
    instruments.load_shipped(by=make.SYSTEM, now=timezone.now())
    crisis.load_shipped(by=make.SYSTEM, now=timezone.now())
    for position, slug in enumerate(ASKED):
        FormRule.objects.create(service=house.talk, slug=slug, position=position)
    make.reviewer()
    return house


def links(post: Post, clock: Clock) -> dict[str, str]:
    """The link to the forms in each one's letter, once the letters of some hours have come."""
    for _ in range(3):
        tasks.send_due()
        clock.go_on(hours=1)
    # More than one letter may reach somebody in one scan.
    letters = [Letter(message) for message in post.peer.taken]
    return {one.to: link for one in letters for link in one.links if "/i/" in link}


# --- what somebody does on the pages -------------------------------------------------------------


def enter(page: Page, link: str) -> None:
    """Open the link, and press its button."""
    page.goto(link)
    page.locator("main form button").click()
    page.wait_for_url("**/i/")


def begin(page: Page) -> None:
    """To the next form; where it hasn't been read yet, how what is said alone is kept first."""
    page.locator("main a.button").first.click()
    if page.url.endswith("/i/policy/"):
        page.locator("main form button").click()
    page.wait_for_url("**/i/*-*/**")


def answer(page: Page, words: str, *, last: bool = False) -> None:
    """Everything on the page: one of the choices, a box ticked, some words."""
    form = page.locator("form.questions")
    names: list[str] = form.locator("input[type=radio]").evaluate_all(
        "all => [...new Set(all.map((one) => one.name))]"
    )
    for name in names:
        choices = form.locator(f"label:not(.nothing):has(input[name='{name}'])")
        (choices.last if last else choices.first).click()
    for box in form.locator("fieldset label:has(input[type=checkbox])").all()[:1]:
        box.click()
    for box in form.locator(".consent input[type=checkbox]").all():
        box.check()
    for field in form.locator("textarea").all():
        field.fill(words)
    for field in form.locator("input[type=text]").all():
        field.fill("Some words")
    for field in form.locator("input[type=date]").all():
        field.fill("1990-05-01")


def fill(page: Page, words: str = "Some words", *, pages: int = 100, last: bool = False) -> None:
    """So many pages of the form, or all of them as far as the last look."""
    for _ in range(pages):
        if page.url.endswith("/review/"):
            return
        if "/help/" in page.url:
            page.locator("main a.button").first.click()
            continue
        answer(page, words, last=last)
        before = page.url
        page.locator(NEXT).click()
        expect(page).not_to_have_url(before)


def send(page: Page, name: str) -> None:
    """The name beneath it where there is a line for it, and off it goes."""
    if page.locator("[name=signed_name]").count():
        page.locator("[name=signed_name]").fill(name)
    page.locator("main form .button:not(.quiet)").click()
    page.wait_for_url("**/sent/")


def everything(page: Page, link: str, name: str, words: str, *, last: bool = False) -> None:
    """All forms behind a link, one after the other."""
    enter(page, link)
    for number in range(len(ASKED)):
        begin(page)
        fill(page, words, last=last)
        send(page, name)
        assert Response.objects.sent().count() >= number + 1
    page.goto("/i/")
    expect(page.locator("main a[href*='-']")).to_have_count(0)


# --- the whole way -------------------------------------------------------------------------------


def test_from_the_booking_of_two_to_the_map(
    open_browser: OpenBrowser, post: Post, clock: Clock, house: House, look: Look
) -> None:
    ana = open_browser(viewport=PHONE)
    steps.book_for_two(ana)
    told = links(post, clock)
    assert set(told) == {"ana@example.org", "chris@example.com"}

    # Ana, in English, in one go.
    everything(ana, told["ana@example.org"], "Ana Alder", "Who does the dishes")
    expect(ana.locator("body")).not_to_contain_text("Chris")

    # Chris, in Spanish: begins on one device and goes on with another.
    first = open_browser(viewport=PHONE)
    enter(first, told["chris@example.com"])
    begin(first)
    fill(first)
    send(first, "Chris Cedar")
    begin(first)
    fill(first, WORDS, pages=4)
    reached = first.url
    first.close()
    second = open_browser(viewport=PHONE)
    enter(second, told["chris@example.com"])
    begin(second)
    assert second.url == reached, "where the first device stopped"
    fill(second, WORDS, last=True)
    expect(second.locator("main")).to_contain_text(WORDS)
    send(second, "Chris Cedar")
    begin(second)
    fill(second, WORDS, last=True)
    send(second, "Chris Cedar")
    expect(second.locator("body")).not_to_contain_text("Ana")
    second.goto("/i/")
    expect(second.locator("body")).not_to_contain_text(WORDS)
    assert Response.objects.sent().count() == 2 * len(ASKED)

    # Rita reviews: both are in, she reads what is for the practice, and accepts.
    rita = open_browser()
    steps.sign_in(rita, "rita")
    rita.goto("/desk/intake/")
    expect(rita.locator("main")).to_contain_text("2 of 2")
    look.at(rita, "journey, the queue")
    review = Review.objects.get()
    rita.goto(f"/desk/intake/{review.pk}/")
    expect(rita.locator("main")).to_contain_text(WORDS)
    look.at(rita, "journey, a review")
    rita.locator("form[action$='/claim/'] button").click()
    rita.locator("form[action$='/accept/'] button").click()
    rita.goto("/desk/intake/")
    expect(rita.locator("main")).not_to_contain_text("2 of 2")
    assert Review.objects.get().decision == Review.Decision.ACCEPTED

    # Iris reads the map, and the same in numbers.
    iris = open_browser()
    steps.sign_in(iris, "iris")
    case = Case.objects.get()
    iris.goto(f"/desk/cases/{case.pk}/")
    iris.locator(f"a[href='/desk/cases/{case.pk}/cycle/']").first.click()
    expect(iris.get_by_role("heading", level=1)).to_be_visible()
    expect(iris.locator("main svg").first).to_be_visible()
    expect(iris.locator("main table").first).to_be_visible()
    look.at(iris, "journey, the map")


def test_without_javascript_all_of_it_is_filled_in(
    open_browser: OpenBrowser, post: Post, clock: Clock, house: House
) -> None:
    page = open_browser(viewport=PHONE, javascript=False)
    steps.book_for_two(page)
    everything(page, links(post, clock)["ana@example.org"], "Ana Alder", "Who does the dishes")
    sent = Response.objects.sent().select_related("assignment__intake__person__key")
    assert {one.assignment.slug for one in sent} == set(ASKED)
    (about,) = [one for one in sent if one.assignment.slug == "practice-intake"]
    assert taking.answers_of(about)["goals"].value == "Who does the dishes"


@pytest.mark.parametrize("javascript", [True, False], ids=["with_javascript", "without_javascript"])
def test_the_way_out_of_a_form_leaves_nothing_behind(
    open_browser: OpenBrowser,
    post: Post,
    clock: Clock,
    house: House,
    origin: str,
    settings: Settings,
    *,
    javascript: bool,
) -> None:
    settings.DUET = {**settings.DUET, "QUICK_EXIT_URL": f"{origin}/book/"}
    page = open_browser(viewport=PHONE, javascript=javascript)
    steps.book_for_two(page)
    link = links(post, clock)["ana@example.org"]
    enter(page, link)
    begin(page)
    fill(page, pages=1)
    asked = page.url
    page.locator("fieldset label.answer").first.click()
    page.get_by_role("link", name="Exit this page", exact=True).click()
    page.wait_for_url("**/book/")
    page.go_back()
    expect(page.locator("fieldset")).to_have_count(0)
    answered = page.goto(asked)
    assert answered is not None
    assert answered.status == 404
    # The link brings back what was kept, and asks first whether one is alone.
    enter(page, link)
    begin(page)
    expect(page.locator("input[name='q-S1']")).not_to_have_count(0)
