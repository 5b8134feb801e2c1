"""Three browsers at once: an admin opens a case, its counselor is told, and then restricts it."""

import pytest
from playwright.sync_api import Page, expect

from practice.models import Answer, Question
from tests import factories as make
from tests.journeys import axe, steps
from tests.journeys.conftest import Clock, House, OpenBrowser

pytestmark = pytest.mark.browser

WORDS = "kittiwake"


def assert_absent(page: Page, address: str) -> None:
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 404
    expect(page.locator("body")).not_to_contain_text("Ana Alder")


def test_a_case_is_opened_told_of_and_restricted(
    open_browser: OpenBrowser, house: House, clock: Clock
) -> None:
    couple = make.appointment(
        house.iris, house.talk, make.ana(), make.chris(), start=make.at(1, "11:00")
    )
    booker = couple.attendances.get(role="booker")
    question = Question.objects.get(slug="what")
    Answer.objects.create(attendance=booker, question=question, text=f"A {WORDS}.")
    make.admin("olive")
    make.front_desk("sam")
    olive, iris, sam = (open_browser() for _ in range(3))
    for page, name in ((olive, "olive"), (iris, "iris"), (sam, "sam")):
        steps.sign_in(page, name)
    here = f"/desk/cases/{couple.case_id}/"

    sam.goto(here)
    expect(sam.locator("main")).to_contain_text("Ana Alder & Chris Cedar")
    expect(sam.locator("main")).not_to_contain_text(WORDS)
    expect(sam.get_by_role("link", name="Open it for an hour")).to_have_count(0)

    olive.goto(here)
    expect(olive.locator("main")).not_to_contain_text(WORDS)
    olive.get_by_role("link", name="Open it for an hour").click()
    olive.get_by_label("Why do you have to open it now?").fill("Iris is ill, and Ana called.")
    olive.get_by_role("button", name="Open it, and tell the counselor").click()
    expect(olive.locator("main")).to_contain_text(WORDS)
    expect(olive.locator("main")).to_contain_text("your reason is on record")
    axe.assert_accessible(olive)
    sam.reload()
    expect(sam.locator("main")).not_to_contain_text(WORDS)

    iris.reload()
    iris.get_by_role("link", name="A colleague opened a case of yours").click()
    steps.headed(iris, "Ana Alder & Chris Cedar")
    iris.get_by_role("link", name="Who cares for it").click()
    iris.get_by_role("link", name="Restrict it").click()
    iris.get_by_role("button", name="Restrict it").click()
    expect(iris.get_by_role("status")).to_contain_text("Only those who care for the case")

    for address in (here, f"/desk/appointments/{couple.pk}/"):
        assert_absent(sam, address)
    sam.goto("/desk/cases/")
    expect(sam.locator("main")).not_to_contain_text("Ana Alder")
    sam.get_by_label("Find by name").fill("ana@example.org")
    sam.keyboard.press("Enter")
    expect(sam.locator("main")).to_contain_text("Nobody was found")
    # What was opened before stays open for its hour, and not a minute longer.
    olive.reload()
    expect(olive.locator("main")).to_contain_text(WORDS)
    clock.go_on(minutes=29)
    olive.reload()
    clock.go_on(minutes=29)
    olive.reload()
    expect(olive.locator("main")).to_contain_text(WORDS)
    clock.go_on(minutes=3)
    assert_absent(olive, here)
