"""Every page in every state that a person can bring it to, seen on a phone, in light and dark."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import Page, expect
from pytest_django import Settings

from practice.models import Appointment, Attendance, Service
from tests import factories as make
from tests.journeys import steps
from tests.journeys.conftest import Clock, House, OpenBrowser
from tests.journeys.look import Look
from tests.journeys.post import Post

pytestmark = pytest.mark.browser

LONG = "Maximiliana-Theodora Wolfeschlegelsteinhausen-Bergerdorff y de la Encarnación"


@pytest.fixture
def look() -> Iterator[Look]:
    look = Look()
    yield look
    assert not look.faults, "\n".join(look.faults)


def link_of(attendance: Attendance) -> str:
    return f"/a/{attendance.token}/"


def test_screens_of_a_booking(
    open_browser: OpenBrowser, house: House, clock: Clock, look: Look
) -> None:
    page, other = open_browser(timezone_id="Asia/Kathmandu"), open_browser()
    page.goto("/")
    look.at(page, "home")
    page.goto("/book/")
    look.at(page, "choose")
    page.goto("/book/?service=gone")
    look.at(page, "choose, service unknown")
    page.goto("/book/?service=couple-session")
    page.get_by_text("Change the time zone").click()
    look.at(page, "times, two counselors, another zone")
    page.goto("/book/?service=couple-session&counselor=jonas&tz=Asia/Kathmandu&from=2027-01-16")
    look.at(page, "times, one counselor")

    steps.go_to_times(page)
    steps.go_to_times(other)
    steps.take(page)
    look.at(page, "details, two")
    page.get_by_role("radio", name="I come alone first").check()
    look.at(page, "details, one")
    page.get_by_role("radio", name="Two of us").check()
    page.get_by_label("Their e-mail address").fill("not an address")
    page.get_by_role("button", name="Book this time").click()
    expect(page.get_by_role("alert")).to_be_visible()
    look.at(page, "details, with errors")
    page.goto("/book/?service=first-conversation&who=couple")
    look.at(page, "times, one held")
    steps.time(other, steps.THURSDAY, "10:00").click()
    expect(other.locator("main")).to_contain_text("just been taken")
    look.at(other, "times, just taken")

    page.goto("/book/details/")
    steps.fill_in(page, steps.Typed(name=LONG))
    clock.go_on(page, minutes=11)
    expect(page.locator("[data-hold-status]")).to_contain_text("no longer held", timeout=12_000)
    look.at(page, "details, hold over")
    steps.go_to_times(other)
    steps.take(other)
    steps.fill_in(other)
    steps.book(other)
    look.at(other, "done, two")
    page.get_by_role("button", name="Book this time").click()
    expect(page.get_by_role("alert")).to_contain_text("just been taken")
    look.at(page, "details, just taken")

    make.time_off(make.at(-1), make.at(15))
    page.goto("/book/?service=first-conversation&who=one")
    look.at(page, "times, none these days")
    make.time_off(make.at(15), make.at(90))
    page.goto("/book/?service=first-conversation&who=one")
    look.at(page, "times, none at all")
    page.goto("/")
    look.at(page, "home, no times")


def test_screens_of_an_attendee(
    open_browser: OpenBrowser, house: House, clock: Clock, look: Look
) -> None:
    booked = make.appointment(
        house.iris, house.talk, make.ana(), make.chris(), start=make.at(3, "10:00")
    )
    booker, partner = booked.attendances.order_by("role")
    page, chris = open_browser(), open_browser(locale="es-ES", timezone_id="Europe/Madrid")
    chris.goto(link_of(partner))
    look.at(chris, "attendance, expected, Spanish")
    chris.locator("form[action$='/confirm/'] button").click()
    chris.wait_for_url("**/a/")
    look.at(chris, "attendance, just confirmed, Spanish")
    page.goto(link_of(booker))
    look.at(page, "attendance, confirmed")
    page.goto(link_of(booker) + "move/")
    look.at(page, "move")
    page.goto(link_of(booker) + "move/?from=2027-03-12")
    look.at(page, "move, no times")
    page.goto(link_of(booker) + "cancel/")
    look.at(page, "cancel")
    page.get_by_role("textbox").fill("x" * 1_001)
    page.locator("form[action$='/cancel/'] button").click()
    look.at(page, "cancel, with errors")
    page.get_by_role("textbox").fill("We need to come another day.")
    page.locator("form[action$='/cancel/'] button").click()
    page.wait_for_url("**/a/")
    look.at(page, "attendance, just cancelled")

    requested = make.appointment(
        house.jonas,
        house.both,
        make.ben(),
        start=make.at(2, "05:00"),
        state=Appointment.State.REQUESTED,
    )
    page.goto(link_of(requested.attendances.get()))
    look.at(page, "attendance, requested")
    clock.go_on(days=1, hours=2)
    page.goto(link_of(requested.attendances.get()))
    look.at(page, "attendance, too late to change")
    page.goto(link_of(requested.attendances.get()) + "cancel/")
    look.at(page, "cancel, too late")
    clock.go_on(days=1)
    page.goto(link_of(requested.attendances.get()))
    look.at(page, "attendance, over")
    page.goto("/a/nobody-has-this-link-0000/")
    look.at(page, "link unknown")


def test_screens_of_a_request_and_of_one_alone(
    open_browser: OpenBrowser, house: House, look: Look
) -> None:
    Service.objects.filter(pk=house.both.pk).update(booking=Service.Booking.REQUEST)
    page = open_browser()
    page.goto("/book/?service=couple-session&counselor=iris")
    steps.take(page, clock="11:00")
    look.at(page, "details, a request")
    page.get_by_label("Your name").fill("Dana Dogwood")
    page.get_by_label("Your telephone number").fill("201 555 0104")
    page.get_by_role("radio", name="I come alone first").check()
    page.get_by_role("button", name="Ask for this time").click()
    steps.headed(page, "Your request has arrived")
    look.at(page, "done, a request by telephone")


def test_screens_of_the_site(
    open_browser: OpenBrowser,
    house: House,
    post: Post,
    look: Look,
    settings: Settings,
    tmp_path: Path,
) -> None:
    settings.DUET = {**settings.DUET, "DATA_DIR": tmp_path}
    page = open_browser()
    page.goto("/accounts/login/")
    look.at(page, "sign in")
    page.get_by_label("Username").fill("iris")
    page.get_by_label("Password").fill("wrong")
    page.locator("main button").click()
    expect(page.get_by_role("alert")).to_be_visible()
    look.at(page, "sign in, refused")
    page.goto("/nowhere/")
    look.at(page, "not found")
    get_user_model().objects.create_user(username="guest", password=make.PASSWORD)
    sign_in(page, "guest")
    look.at(page, "not a member")
    page.goto("/book/?service=first-conversation")
    page.context.clear_cookies()
    steps.time(page, steps.THURSDAY, "10:00").click()
    look.at(page, "form too old")

    page.goto("/dev/mailbox/")
    look.at(page, "mailbox, empty")
    make.appointment(house.iris, house.talk, start=make.at(3, "10:00"))


def sign_in(page: Page, name: str) -> None:
    """Sign in as a person does, with the password that all have."""
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(make.PASSWORD)
    page.locator("main button").click()
    page.wait_for_url("**/desk/")
