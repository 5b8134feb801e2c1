"""Two browsers and one time: who holds it, who is told, and when it is free again."""

import pytest
from playwright.sync_api import expect

from practice.models import Appointment
from tests import factories as make
from tests.journeys import steps
from tests.journeys.conftest import Clock, OpenBrowser

pytestmark = pytest.mark.browser

HELD = Appointment.State.HELD


def test_who_comes_second_sees_it_gone_and_books_another_with_all_that_was_typed(
    open_browser: OpenBrowser, clock: Clock
) -> None:
    first, second = open_browser(), open_browser(phone=True)
    steps.go_to_times(second)
    steps.go_to_times(first)
    steps.take(first)

    # The second one's page is older than the hold.
    steps.time(second, steps.THURSDAY, "10:00").click()
    expect(second.locator("main")).to_contain_text("That time has just been taken.")
    expect(steps.time(second, steps.THURSDAY, "10:00")).to_have_count(0)
    expect(steps.time(second, steps.THURSDAY, "11:00")).to_be_visible()

    # The first one takes too long over the form; the second one books the time meanwhile.
    steps.fill_in(first)
    clock.go_on(minutes=11)
    steps.go_to_times(second)
    steps.take(second)
    steps.fill_in(second, steps.Typed(name="Ben Birch", email="ben@example.org"))
    steps.book(second)
    first.get_by_role("button", name="Book this time").click()
    expect(first.get_by_role("alert")).to_contain_text("just been taken by somebody else")
    expect(first.get_by_label("Your name")).to_have_value("Ana Alder")
    expect(first.get_by_label("What is it about?")).to_have_value("Who does the dishes, again")
    expect(first.get_by_label("Their time zone")).to_have_value("Europe/Madrid")
    expect(first.get_by_role("radio", name="Yes, you may write to them")).to_be_checked()
    expect(first.get_by_role("checkbox")).to_be_checked()
    first.get_by_role("button", name="Thu 14 Jan, 11:00").click()
    steps.headed(first, "Your time is booked")
    starts = sorted(one.starts_at for one in Appointment.objects.filter(state="confirmed"))
    assert starts == [make.at(3, "10:00"), make.at(3, "11:00")]
    assert not Appointment.objects.filter(state=HELD).exists()


def test_with_javascript_going_back_gives_the_time_back(open_browser: OpenBrowser) -> None:
    one, other = open_browser(), open_browser()
    steps.go_to_times(one)
    steps.take(one)
    assert Appointment.objects.get().state == HELD
    one.go_back()
    expect(one.locator("#times:not([data-held])")).to_be_attached()
    expect(steps.time(one, steps.THURSDAY, "10:00")).to_be_visible()
    expect(one.get_by_text("You hold")).to_have_count(0)
    steps.go_to_times(other)
    expect(steps.time(other, steps.THURSDAY, "10:00")).to_be_visible()
    assert not Appointment.objects.exists()


def test_without_javascript_a_button_gives_the_time_back(open_browser: OpenBrowser) -> None:
    one, other = open_browser(javascript=False), open_browser(javascript=False)
    steps.go_to_times(one)
    steps.take(one)
    one.go_back()
    expect(one.locator("main")).to_contain_text("You hold Thu 14 Jan, 10:00 until 08:1")
    steps.go_to_times(other)
    expect(steps.time(other, steps.THURSDAY, "10:00")).to_have_count(0)
    one.locator("a[href='/book/details/']").click()
    expect(one.locator("main")).to_contain_text("Held for you until 08:1")
    one.locator("form[action='/book/release/'] button").click()
    steps.headed(one, "Choose a time")
    other.reload()
    expect(steps.time(other, steps.THURSDAY, "10:00")).to_be_visible()
    assert not Appointment.objects.exists()


def test_a_hold_ends_by_itself_and_says_so(open_browser: OpenBrowser, clock: Clock) -> None:
    one, other = open_browser(), open_browser()
    steps.go_to_times(one)
    steps.take(one)
    clock.go_on(one, minutes=11)
    steps.go_to_times(other)
    expect(steps.time(other, steps.THURSDAY, "10:00")).to_be_visible()
    expect(one.locator("[data-hold-status]")).to_contain_text("no longer held")
    expect(one.get_by_text("Held for you until")).to_be_hidden()
    one.reload()
    expect(one.locator("main")).to_contain_text("The time is no longer held for you.")
    expect(steps.time(one, steps.THURSDAY, "10:00")).to_be_visible()
