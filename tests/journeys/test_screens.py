"""Every page in every state that a person can bring it to, seen on a phone, in light and dark."""

import mailbox
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.template.loader import render_to_string
from playwright.sync_api import Route, expect
from pytest_django import Settings

from clients.actions import access, care
from clients.models import DataRequest
from practice.actions import booking
from practice.models import Answer, Appointment, Attendance, Question, Service
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


def test_what_is_wrong_with_a_page_is_seen(open_browser: OpenBrowser) -> None:
    page, look = open_browser(), Look()
    page.goto("/")
    page.locator("main").evaluate(
        """(main) => {
          main.innerHTML = `<h1>One</h1><h1>Two</h1><p id="pale">pale</p><div id="wide"></div>
            <form><button type="button" id="tiny">x</button><input id="nameless"></form>`;
          const style = (id) => document.getElementById(id).style;
          style("pale").color = "#bbb8aa";
          style("wide").cssText = "inline-size: 400px; block-size: 1px";
          style("tiny").blockSize = "20px";
        }"""
    )
    look.at(page, "a bad page")
    said = "\n".join(look.faults)
    for fault in ("color-contrast: #pale", "label: #nameless", "wide in", "small", "has 2 h1"):
        assert fault in said, said


def test_screens_of_choosing_a_time(open_browser: OpenBrowser, look: Look) -> None:
    page = open_browser(timezone_id="Asia/Kathmandu")
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
    make.time_off(make.at(-1), make.at(15))
    page.goto("/book/?service=first-conversation&who=one")
    look.at(page, "times, none these days")
    make.time_off(make.at(15), make.at(90))
    page.goto("/book/?service=first-conversation&who=one")
    look.at(page, "times, none at all")
    page.goto("/")
    look.at(page, "home, no times")


def test_screens_of_a_booking(
    open_browser: OpenBrowser, house: House, clock: Clock, look: Look
) -> None:
    page, other = open_browser(), open_browser()
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
    expect(page.locator("[data-hold-status]")).to_contain_text("no longer held")
    look.at(page, "details, hold over")
    steps.go_to_times(other)
    steps.take(other)
    steps.fill_in(other)
    steps.book(other)
    look.at(other, "done, two")
    page.get_by_role("button", name="Book this time").click()
    expect(page.get_by_role("alert")).to_contain_text("just been taken")
    look.at(page, "details, just taken")


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
    steps.type_password(page, "iris", "wrong")
    expect(page.get_by_role("alert")).to_be_visible()
    look.at(page, "sign in, refused")
    page.goto("/nowhere/")
    look.at(page, "not found")
    for name in ("400", "500", "503"):  # what stands when nothing else does
        page.route("**/broken/", _answer_with(name))
        page.goto("/broken/")
        look.at(page, f"error {name}")
    get_user_model().objects.create_user(username="guest", password=make.PASSWORD)
    steps.sign_in(page, "guest")
    look.at(page, "not a member")
    page.goto("/book/?service=first-conversation")
    page.context.clear_cookies()
    steps.time(page, steps.THURSDAY, "10:00").click()
    look.at(page, "form too old")

    page.goto("/dev/mailbox/")
    look.at(page, "mailbox, empty")
    booked = make.appointment(house.iris, house.talk, start=make.at(3, "10:00"))
    booking.move(appointment=booked, start=make.at(4), by=make.SYSTEM, now=make.NOW)
    post.deliver()
    box = mailbox.Maildir(tmp_path / "mail")
    for letter in post.peer.taken:
        box.add(b"X-RcptTo: ana@example.org\r\n" + letter.as_bytes())
    page.reload()
    look.at(page, "mailbox")
    page.locator("main a[href^='/dev/mailbox/']").first.click()
    look.at(page, "mailbox, a letter")


def _answer_with(name: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(
        body=render_to_string(f"{name}.html"), content_type="text/html"
    )


def test_screens_of_the_desk(
    open_browser: OpenBrowser, house: House, clock: Clock, look: Look
) -> None:
    page = open_browser()
    steps.sign_in(page, "jonas")
    look.at(page, "desk, empty")
    page.goto("/desk/book/")
    look.at(page, "desk, book, choose")
    page.get_by_role("button", name="Sign out").click()

    couple = make.appointment(
        house.iris, house.talk, make.ana(name=LONG), make.chris(), start=make.at(0, "11:00")
    )
    shut = make.appointment(
        house.iris,
        house.both,
        make.ben(),
        make.dana(),
        start=make.at(1, "10:00"),
        gate=Attendance.Gate.PRIVATE_CHECK,
    )
    asked = make.appointment(
        house.jonas,
        house.both,
        make.chris(),
        start=make.at(2, "05:00"),
        state=Appointment.State.REQUESTED,
    )
    make.message(couple.attendances.get(role="booker"), state="failed", reason="550")
    make.admin("olive")
    steps.sign_in(page, "olive")
    look.at(page, "desk")
    by_hand = "/desk/book/?service=couple-session&counselor=iris"
    for name, path in {
        "desk, a couple": f"/desk/appointments/{couple.pk}/",
        "desk, a shut gate": f"/desk/appointments/{shut.pk}/",
        "desk, a request": f"/desk/appointments/{asked.pk}/",
        "desk, cancel": f"/desk/appointments/{couple.pk}/cancel/",
        "desk, decline": f"/desk/appointments/{asked.pk}/cancel/",
        "desk, move": f"/desk/appointments/{couple.pk}/move/",
        "desk, book again": f"{by_hand}&case={shut.case_id}",
        "desk, book": by_hand,
    }.items():
        page.goto(path)
        look.at(page, name)
    page.locator("form[action='/desk/book/'][method=post] button").last.click()
    expect(page.get_by_role("alert")).to_be_visible()
    look.at(page, "desk, book, with errors")
    page.goto(f"/desk/appointments/{shut.pk}/move/")
    steps.fill_time(page, "2027-01-11", "11:00", reason="They asked for it")
    page.get_by_role("button", name="Move it to this time").click()
    expect(page.get_by_role("alert")).to_contain_text("Something else lies at that time.")
    look.at(page, "desk, move, taken")
    page.get_by_role("button", name="Sign out").click()
    look.at(page, "signed out")


def test_screens_of_cases(
    open_browser: OpenBrowser, house: House, clock: Clock, look: Look
) -> None:
    page = open_browser()
    make.admin("olive")
    steps.sign_in(page, "olive")
    page.goto("/desk/cases/")
    look.at(page, "cases, none")
    couple = make.appointment(
        house.iris, house.talk, make.ana(name=LONG), make.chris(), start=make.at(1, "11:00")
    )
    case = couple.case
    assert case is not None
    question = Question.objects.get(slug="what")
    Answer.objects.create(
        attendance=couple.attendances.get(role="booker"),
        question=question,
        text="Who does the dishes, again.\nAnd who says so.",
        audience="staff",
    )
    make.appointment(house.iris, house.talk, case=case, start=make.at(-6, "11:00"), state="done")
    make.appointment(house.jonas, house.both, make.ben(), make.dana(), start=make.at(2, "05:00"))
    make.case(make.dana(name="Dana Dogwood"))
    for name, kind in (("uma", "supervisor"), ("sam", "named")):
        member = make.member(name, roles=["supervisor" if kind == "supervisor" else "front_desk"])
        care.relate(case=case, member=member, kind=kind, by=make.SYSTEM, now=make.NOW)
    here = f"/desk/cases/{case.pk}/"
    for name, path in {
        "cases, all": "/desk/cases/",
        "cases, mine": "/desk/cases/?show=mine",
        "case, its diary alone": here,
        "case, who cares": f"{here}care/",
        "case, restrict": f"{here}restrict/",
        "case, open": f"{here}open/",
    }.items():
        page.goto(path)
        look.at(page, name)
    page.locator("[name=reason]").fill("why not")
    page.get_by_role("button", name="Open it, and tell the counselor").click()
    expect(page.get_by_role("alert")).to_be_visible()
    look.at(page, "case, open, with errors")
    page.locator("[name=reason]").fill("Iris is ill, and she called in distress.")
    page.get_by_role("button", name="Open it, and tell the counselor").click()
    expect(page.locator("main")).to_contain_text("your reason is on record")
    look.at(page, "case, through the glass")
    page.goto(f"/desk/appointments/{couple.pk}/")
    look.at(page, "desk, an appointment through the glass")
    page.goto("/desk/cases/")
    page.keyboard.press("/")
    page.keyboard.type("dana")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Dana Dogwood")
    look.at(page, "cases, found")
    page.locator("[name=q]").fill("nobody")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("main")).to_contain_text("Nobody was found")
    look.at(page, "cases, nobody found")
    page.goto(f"{here}care/")
    page.get_by_role("button", name="Add them").click()
    expect(page.get_by_role("alert")).to_be_visible()
    look.at(page, "case, who cares, with errors")
    care.restrict(case=case, by=house.iris.member.as_actor(), now=make.NOW)
    page.get_by_role("button", name="Sign out").click()
    steps.sign_in(page, "iris")
    look.at(page, "desk, of a counselor who must know something")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/desk/cases/")
    look.at(page, "cases, of a counselor")
    page.goto(here)
    look.at(page, "case, in full")
    page.goto(f"{here}care/")
    look.at(page, "case, restricted, of its counselor")


def test_screens_of_what_is_asked_about_records(
    open_browser: OpenBrowser, house: House, clock: Clock, look: Look
) -> None:
    make.front_desk()
    page = open_browser()
    steps.sign_in(page, "sam")
    page.goto("/desk/requests/")
    look.at(page, "requests, none")
    couple = make.appointment(
        house.iris, house.talk, make.ana(name=LONG), make.chris(), start=make.at(1, "11:00")
    )
    for person, kind in product([one.person for one in couple.attendances.all()], DataRequest.Kind):
        asked = make.NOW - timedelta(days=12)
        access.ask_about_record(person=person, kind=kind, by=make.SYSTEM, now=asked)
    page.goto("/desk/")
    page.get_by_role("link", name="A client asks for a copy").first.click()
    look.at(page, "requests")
    page.get_by_role("button", name="Put it down").first.click()
    expect(page.get_by_role("alert")).to_contain_text("Please choose one of these.")
    look.at(page, "requests, with errors")
    page.get_by_role("radio").first.check()
    page.get_by_role("button", name="Put it down").first.click()
    expect(page.get_by_role("heading", name="Answered last")).to_be_visible()
    look.at(page, "requests, answered")
