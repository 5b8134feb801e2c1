"""Filling in a form on a phone: kept as one writes, help at once, no line lost; all looked at.

Without JavaScript: tests/intake/views/test_taking.py.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, expect

from clients.models import Case, Person
from clients.rules.actors import Actor
from intake.actions import answering, crisis, instruments
from intake.models import Intake, Response
from intake.queries import taking
from tests import factories as make
from tests.intake import filling
from tests.journeys.conftest import PATIENCE, Clock, House, OpenBrowser
from tests.journeys.look import Look

pytestmark = pytest.mark.browser

LONG = "Hubert Blaine Wolfeschlegelsteinhausenbergerdorff"


@pytest.fixture
def look() -> Iterator[Look]:
    look = Look()
    yield look
    assert not look.faults, "\n".join(look.faults)


@pytest.fixture
def ana(house: House) -> Person:
    instruments.load_shipped(by=make.SYSTEM, now=timezone.now())
    crisis.load_shipped(by=make.SYSTEM, now=timezone.now())
    make.instrument(make.MOOD)
    return make.ana()


@pytest.fixture
def mine(ana: Person, house: House) -> Intake:
    case: Case = make.case(ana, make.ben(), counselor=house.iris)
    return filling.give(case, ana, *filling.ALL, "mood", now=timezone.now())


def enter(page: Page, mine: Intake, slug: str = "", *, number: int = 0) -> None:
    """In by the link; then to a form, or to one of its pages."""
    page.goto(f"/i/{mine.token}/")
    page.locator("main form button").click()
    expect(page.locator("h1")).to_have_text("Your forms")
    if slug:
        pk = filling.assignment(mine, slug).pk
        page.goto(f"/i/{pk}/{number}/" if number else f"/i/{pk}/")


def past_the_check(mine: Intake) -> None:
    filling.accept(mine, now=timezone.now())
    filling.send(filling.assignment(mine, "private-check"), now=timezone.now())


def go_on(page: Page, name: str = "Next") -> None:
    before = page.url
    page.get_by_role("button", name=name, exact=True).click()
    expect(page).not_to_have_url(before)


def kept(mine: Intake, slug: str, item: str) -> object:
    found = taking.answers_of(
        Response.objects.select_related("assignment__intake__person__key")
        .filter(assignment=filling.assignment(mine, slug))
        .first()
    )
    return found[item].value if item in found else None


def test_answers_are_kept_as_they_are_given_and_another_device_goes_on(
    open_browser: OpenBrowser, mine: Intake
) -> None:
    past_the_check(mine)
    page = open_browser(phone=True)
    enter(page, mine, "mood")
    page.get_by_text("Often", exact=True).click()
    expect(page.locator("[data-saving]")).to_have_text("Saved")
    assert kept(mine, "mood", "close") == "often"
    go_on(page)
    page.get_by_text("Never", exact=True).click()
    go_on(page)
    page.locator("textarea").press_sequentially("We went for a walk")
    expect(page.locator("[data-saving]")).to_have_text("Saved")
    expect(page.locator("[data-count]")).to_have_text("19,982 characters left")
    page.close()  # the battery is empty

    other = open_browser(phone=True)
    enter(other, mine, "mood")
    expect(other.locator("h1")).to_have_text("Before you send it")
    expect(other.locator(".said-so")).to_contain_text("We went for a walk")


def test_help_stands_on_the_page_as_soon_as_an_answer_asks_for_it(
    open_browser: OpenBrowser, mine: Intake, look: Look
) -> None:
    past_the_check(mine)
    page = open_browser(phone=True)
    number = filling.page_of(filling.assignment(mine, "phq-9"), "phq9_9")
    enter(page, mine, "phq-9", number=number)
    asked = page.get_by_role("group", name="better off dead")
    asked.get_by_text("Not at all", exact=True).click()
    expect(page.locator("[data-saving]")).to_have_text("Saved")
    expect(page.locator("[data-help]")).to_be_hidden()
    asked.get_by_text("Several days", exact=True).click()
    expect(page.locator("[data-help]")).to_be_visible()
    expect(page.locator("[data-help] [role=status]")).to_contain_text("don't have to be alone")
    expect(page.locator("[data-help] a[href='tel:988']")).to_be_visible()
    assert page.locator("aside.help").count() == 1
    look.at(page, "form, help at once")
    go_on(page)
    expect(page).not_to_have_url(re.compile("/help/"))  # it was shown already


def test_a_lost_connection_loses_nothing_and_keeps_nothing_twice(
    browser: Browser, origin: str, mine: Intake
) -> None:
    """First no answer comes though it was kept, then nothing goes through; then it does again."""
    past_the_check(mine)
    context = browser.new_context(base_url=origin, viewport={"width": 390, "height": 800})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    enter(page, mine, "mood", number=3)
    tries: list[str] = []

    def lose(route: Route) -> None:
        tries.append(route.request.post_data or "")
        if len(tries) == 1:
            route.fetch()
        if len(tries) <= 2:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/save/", lose)
    page.locator("textarea").fill("Only once")
    expect(page.locator("[data-saving]")).to_have_text("Not saved yet, trying again")
    page.locator("textarea").press_sequentially(", and more")
    expect(page.locator("[data-saving]")).to_have_text("Saved", timeout=PATIENCE * 2)
    expect(page.locator("textarea")).to_have_value("Only once, and more")
    assert tries[0] == tries[1] == tries[2]  # what may have arrived goes again as it was
    expect(page.locator("[data-saving]")).to_have_text("Saved")
    go_on(page)
    assert kept(mine, "mood", "words") == "Only once, and more"
    context.close()


def test_when_the_session_has_ended_the_text_stays_and_the_way_back_is_told(
    browser: Browser, origin: str, mine: Intake, clock: Clock, look: Look
) -> None:
    past_the_check(mine)
    context = browser.new_context(base_url=origin)
    page = context.new_page()
    enter(page, mine, "mood", number=3)
    clock.go_on(minutes=31)
    page.locator("textarea").press_sequentially("Still here")
    expect(page.locator("[data-saving]")).to_contain_text("open the link in your message again")
    expect(page.locator("textarea")).to_have_value("Still here")
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.locator("h1")).to_have_text("This page was open for long")
    expect(page.locator("textarea")).to_have_value("Still here")
    look.at(page, "form, closed")
    enter(page, mine, "mood", number=3)
    page.locator("textarea").fill("Still here")
    go_on(page)
    assert kept(mine, "mood", "words") == "Still here"
    context.close()


def test_screens_of_forms(open_browser: OpenBrowser, mine: Intake, look: Look) -> None:
    page = open_browser(phone=True)
    page.goto(f"/i/{mine.token}/")
    look.at(page, "form, start")
    page.locator("main form button").click()
    look.at(page, "form, all of them")
    page.locator("main a.button").click()
    look.at(page, "form, policy")
    page.locator("main form button").click()
    look.at(page, "form, alone")
    page.get_by_text("No", exact=True).click()
    go_on(page)
    look.at(page, "form, later")

    filling.send(filling.assignment(mine, "private-check"), now=timezone.now())
    enter(page, mine, "practice-intake")
    look.at(page, "form, words and a date")
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.locator("#errors")).to_be_visible()
    look.at(page, "form, refused")
    filling.save(filling.assignment(mine, "practice-intake"), now=timezone.now())
    pk = filling.assignment(mine, "practice-intake").pk
    for number, name in ((3, "long words"), (4, "ten"), (15, "consent")):
        page.goto(f"/i/{pk}/{number}/")
        look.at(page, f"form, {name}")
    page.goto(f"/i/{pk}/review/")
    look.at(page, "form, the last look")
    page.locator("[name=signed_name]").fill(LONG)
    go_on(page, "Send")
    look.at(page, "form, sent")

    enter(page, mine, "cycle-reflection", number=2)
    look.at(page, "form, both of us")


def test_two_answers_to_one_question_are_both_offered(
    browser: Browser, origin: str, mine: Intake, look: Look
) -> None:
    past_the_check(mine)
    context = browser.new_context(base_url=origin)
    page = context.new_page()
    enter(page, mine, "cycle-reflection", number=2)
    given = filling.assignment(mine, "cycle-reflection")
    answering.save(
        assignment=given,
        values={"W1.self": "3"},
        revision=0,
        by=Actor.of_person(mine.person_id),
        now=timezone.now() - timedelta(seconds=1),
    )
    page.get_by_text("Never or almost never").first.click()
    expect(page.locator("[data-saving]")).to_contain_text("answered elsewhere")
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.locator(".which")).to_be_visible()
    look.at(page, "form, two answers")
    page.locator(".which").get_by_text("What was answered elsewhere").click()
    go_on(page)
    assert kept(mine, "cycle-reflection", "W1.self") == "3"
    context.close()


def test_screens_of_forms_in_spanish(
    open_browser: OpenBrowser, ana: Person, house: House, look: Look
) -> None:
    chris = make.chris(name=LONG)
    his = filling.give(make.case(chris, counselor=house.iris), chris, now=timezone.now())
    past_the_check(his)
    page = open_browser(phone=True)
    page.goto(f"/i/{his.token}/")
    page.locator("main form button").click()
    for slug in ("cycle-reflection", "phq-9"):
        page.goto(f"/i/{filling.assignment(his, slug).pk}/1/")
        expect(page.locator("fieldset").first).to_be_visible()
        look.at(page, f"form in Spanish, {slug}")
