"""The queue of intakes, one review and one flag: empty and full, on a phone, in light and dark."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from clients.models import Case, SafeContact
from intake.actions import safety
from practice.models import Appointment
from tests import factories as make
from tests.intake.test_safety import CHECK
from tests.journeys import steps
from tests.journeys.conftest import House, OpenBrowser
from tests.journeys.look import Look
from tests.journeys.test_screens import LONG

pytestmark = pytest.mark.browser

TEXT = "We have argued about the same thing for years. " * 6


@pytest.fixture
def look() -> Iterator[Look]:
    look = Look()
    yield look
    assert not look.faults, "\n".join(look.faults)


def waiting(house: House) -> Case:
    """A couple with long names who asked for a time; one has sent everything, with a flag."""
    ana, ben = make.ana(name=LONG), make.ben()
    booked = make.appointment(
        house.iris, house.both, ana, ben, start=make.at(2), state=Appointment.State.REQUESTED
    )
    case = booked.case
    assert case is not None
    form = make.instrument(id="practice-intake", title="Practice intake", visibility="staff")
    given = make.assignment(make.intake(case, ana), form)
    make.response(given, {"close": "often", "words": TEXT})
    theirs = make.intake(case, ben)
    make.assignment(theirs, form, due_at=make.at(1))
    check = make.assignment(theirs, make.instrument(CHECK))
    said = make.response(check, {"afraid": "yes", "words": TEXT}, guarded=True)
    safety.raise_flags(response=said, sent=True, by=make.SYSTEM, now=make.NOW)
    make.safe_contact(ben, permission=SafeContact.Permission.NEUTRAL, quiet=(1320, 420))
    review = make.review(case, due_at=make.NOW + timedelta(hours=20))
    make.review_step(review, words="Please send the rest as well.", reason="Half is missing.")
    return case


def test_screens_of_the_queue_a_review_and_a_flag(
    open_browser: OpenBrowser, house: House, look: Look
) -> None:
    page = open_browser()
    rita = make.reviewer()
    steps.sign_in(page, "rita")
    page.goto("/desk/intake/")
    expect(page.locator("main")).to_contain_text("Nothing waits for a decision")
    look.at(page, "intake, nothing waits")
    page.goto("/desk/intake/?show=list")
    look.at(page, "intake, nobody on the list")

    case = waiting(house)
    review = case.reviews.get()
    make.case(make.ana(name=LONG, email="other@example.org"), make.dana(), counselor=None)
    late = make.case(make.chris(), counselor=house.jonas.member)
    make.review(late, due_at=make.NOW, claimed_by=rita, now=make.NOW - timedelta(days=2))
    page.goto("/desk/intake/")
    look.at(page, "intake, of a reviewer")
    # By the keyboard: the page of the queue, and one of its rows claimed.
    page.goto("/desk/")
    page.keyboard.press("g")
    page.keyboard.press("i")
    page.wait_for_url("**/desk/intake/")
    page.get_by_role("link", name=LONG).click()
    look.at(page, "review, of a reviewer")
    page.keyboard.press("c")
    expect(page.locator("main")).to_contain_text("Give it back")
    look.at(page, "review, claimed")
    for name in ("Ask for more", "Waiting list", "Decline"):
        page.goto(f"/desk/intake/{review.pk}/")
        page.get_by_role("link", name=name, exact=True).last.click()
        look.at(page, f"review, {name}")
    page.get_by_role("button", name="Decline it").click()
    look.at(page, "review, declined without a word")
    page.get_by_label("To whom else can they turn?").fill("Please call the clinic in Oak Street.")
    page.get_by_role("button", name="Decline it").click()
    expect(page.locator("main")).to_contain_text("declined")
    look.at(page, "review, declined")
    page.get_by_role("button", name="Sign out").click()


def test_screens_of_a_flag(open_browser: OpenBrowser, house: House, look: Look) -> None:
    page = open_browser()
    case = waiting(house)
    steps.sign_in(page, "iris")
    look.at(page, "desk, with a flag")
    page.goto("/desk/intake/")
    expect(page.locator("main")).to_contain_text("look at this first")
    look.at(page, "intake, of a counselor with a flag")
    page.goto(f"/desk/intake/{case.reviews.get().pk}/")
    look.at(page, "review, of a counselor with a flag")
    page.goto(f"/desk/cases/{case.pk}/")
    look.at(page, "case, of a counselor with a flag")
    page.get_by_role("link", name="Ben Birch: ").click()
    look.at(page, "flag")
    page.keyboard.press("s")
    expect(page.locator("main")).to_contain_text("Iris Ivory")
    page.get_by_role("button", name="Close it with this note").click()
    look.at(page, "flag, closed without a note")
    page.get_by_label("What did you find").fill("We spoke on the telephone, alone. " * 8)
    page.get_by_role("button", name="Close it with this note").click()
    expect(page.locator("main")).to_contain_text("Closed")
    look.at(page, "flag, closed")
