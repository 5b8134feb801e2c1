"""A counselor at the desk: sees the couple, cancels for it, books by hand and over another one."""

import pytest
from playwright.sync_api import Locator, Page, expect

from practice.models import Appointment
from tests import factories as make
from tests.journeys import steps
from tests.journeys.conftest import House, OpenBrowser
from tests.journeys.post import Post

pytestmark = pytest.mark.browser


def row(page: Page, names: str) -> Locator:
    """The line of the day's list that is about these people."""
    return page.get_by_role("listitem").filter(has=page.get_by_role("link", name=names))


def test_the_counselor_sees_who_has_confirmed_and_cancels(
    open_browser: OpenBrowser, house: House, post: Post
) -> None:
    ana, chris, iris, jonas = (open_browser() for _ in range(4))
    steps.book_for_two(ana)
    first = post.deliver()
    steps.sign_in(iris, "iris")
    expect(row(iris, "Ana Alder & Chris Cedar")).to_contain_text("1 of 2 confirmed")
    steps.confirm(chris, first["chris@example.com"])
    iris.reload()
    expect(row(iris, "Ana Alder & Chris Cedar")).to_contain_text("2 of 2 confirmed")

    iris.get_by_role("link", name="Ana Alder & Chris Cedar").click()
    expect(iris.locator("main")).to_contain_text("Who does the dishes, again")
    steps.sign_in(jonas, "jonas")
    expect(jonas.get_by_text("Ana Alder")).to_have_count(0)
    answer = jonas.goto(iris.url)
    assert answer is not None
    assert answer.status == 404

    iris.locator("main a[href$='/cancel/']").click()
    iris.get_by_role("button", name="Cancel it").click()
    expect(iris.get_by_role("status")).to_contain_text("cancelled")
    told = post.deliver()
    assert {to: letter.entry.method for to, letter in told.items()} == {
        "ana@example.org": "CANCEL",
        "chris@example.com": "CANCEL",
    }
    ana.goto(first["ana@example.org"].link)
    steps.headed(ana, "This appointment is cancelled")
    steps.go_to_times(ana)
    expect(steps.time(ana, steps.THURSDAY, "10:00")).to_be_visible()


def test_a_partner_behind_the_gate_is_written_to_once_the_counselor_has_asked(
    open_browser: OpenBrowser, house: House, post: Post
) -> None:
    ana, iris = open_browser(), open_browser()
    ana.goto("/book/?service=couple-session&counselor=iris&who=couple")
    steps.take(ana, clock="11:00")
    steps.fill_in_people(ana)
    steps.book(ana)
    expect(ana.locator("main")).to_contain_text(
        "only after your counselor has spoken with each of you"
    )
    assert set(post.deliver()) == {"ana@example.org"}

    steps.sign_in(iris, "iris")
    iris.get_by_role("region", name="Partners who can't be written to yet").get_by_role(
        "link", name="Chris Cedar"
    ).click()
    iris.locator("form[action$='/open-gate/'] button").click()
    expect(iris.get_by_role("status")).to_contain_text("written to")
    (invitation,) = post.deliver().values()
    assert (invitation.to, invitation.entry.method) == ("chris@example.com", "REQUEST")


def test_the_counselor_books_by_hand_and_overbooks_with_a_reason(
    open_browser: OpenBrowser, house: House, post: Post
) -> None:
    make.appointment(house.iris, house.talk, make.ana(), start=make.at(3, "10:00"))
    iris = open_browser()
    steps.sign_in(iris, "iris")
    iris.goto("/desk/book/")
    iris.get_by_label("Service").select_option("first-conversation")
    iris.locator("main form button").click()
    steps.fill_time(iris, "2027-01-14", "10:00")
    iris.get_by_role("radio", name="One alone").check()
    iris.locator("[name=name]").fill("Ben Birch")
    iris.locator("[name=email]").fill("ben@example.org")
    book_it = iris.get_by_role("button", name="Book it")
    book_it.click()

    # It says what lies there, and books over it only for a reason.
    problem = iris.get_by_role("alert")
    expect(problem).to_contain_text("Something else lies at that time.")
    expect(problem).to_contain_text("Ana Alder")
    expect(problem).to_be_focused()  # on a phone it stands below a list of times
    iris.get_by_role("checkbox", name="Book it all the same").check()
    book_it.click()
    expect(iris.locator("main")).to_contain_text("Please say why it is booked over another one.")
    iris.locator("[name=reason]").fill("Ana leaves earlier that day")
    book_it.click()
    expect(iris.get_by_role("status")).to_contain_text("Booked.")
    expect(iris.locator("main")).to_contain_text("overbooked")
    expect(iris.locator("main")).to_contain_text("Ana leaves earlier that day")
    over = Appointment.objects.get(overbooked=True)
    assert over.starts_at == make.at(3, "10:00")
    assert over.override_reason == "Ana leaves earlier that day"
    assert set(post.deliver()) == {"ben@example.org"}
