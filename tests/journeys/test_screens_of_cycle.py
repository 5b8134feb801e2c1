"""The cycle and change over time: empty and full, on a phone, in light and dark, and printed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from clients.actions import access
from clients.models import Case
from intake.actions import releasing
from intake.rules.release import PARTS
from tests import factories as make
from tests.intake import cycle_cast as cast
from tests.journeys import steps
from tests.journeys.conftest import Clock, House, OpenBrowser
from tests.journeys.look import Look
from tests.journeys.test_screens import LONG
from tests.practice.views import portal_walk

pytestmark = pytest.mark.browser


@pytest.fixture
def look() -> Iterator[Look]:
    look = Look()
    yield look
    assert not look.faults, "\n".join(look.faults)


def pages_of(page: Page, name: str) -> int:
    """How many sheets of A4 the page takes when it is printed."""
    edge = "12mm"
    printed = page.pdf(
        format="A4", margin={"top": edge, "right": edge, "bottom": edge, "left": edge}
    )
    if folder := os.environ.get("SCREENS"):
        page.set_viewport_size({"width": 703, "height": 1032})
        page.emulate_media(media="print")
        page.screenshot(path=Path(folder) / f"{name}.print.png", full_page=True)
        page.emulate_media(media="null")
        (Path(folder) / f"{name}.pdf").write_bytes(printed)
    return len(re.findall(rb"/Type ?/Page\b", printed))


def open_cycle(page: Page, case: Case, query: str = "") -> None:
    page.goto(f"/desk/cases/{case.pk}/cycle/{query}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_screens_of_the_cycle(open_browser: OpenBrowser, house: House, look: Look) -> None:
    page = open_browser()
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben, counselor=house.iris.member)
    steps.sign_in(page, "iris")
    open_cycle(page, case)
    look.at(page, "cycle, nobody answered")

    cast.round_of(case, ana, ben, "TV1", without="B")
    open_cycle(page, case)
    look.at(page, "cycle, one view")
    expect(page.get_by_role("heading", level=1)).to_have_text("How Ana sees it")

    cast.round_of(case, ana, ben, "TV1", without="A")
    open_cycle(page, case)
    look.at(page, "cycle, clear")
    assert pages_of(page, "cycle-clear") == 1


def test_screens_of_several_rounds(open_browser: OpenBrowser, house: House, look: Look) -> None:
    page = open_browser()
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben, counselor=house.iris.member)
    steps.sign_in(page, "iris")
    for number, name in enumerate(("TV1", "TV2", "TV4"), 1):
        cast.round_of(case, ana, ben, name, number=number, day=30 * number)
    open_cycle(page, case, "?round=2")
    look.at(page, "cycle, gaps")
    open_cycle(page, case)
    look.at(page, "cycle, tentative and several rounds")
    assert pages_of(page, "cycle-rounds") == 1
    cast.agree(case, ana, ben)
    open_cycle(page, case)
    page.get_by_role("checkbox", name="The dance, in words").check()
    page.get_by_role("checkbox", name="What each feels beneath it").check()
    page.get_by_role("button", name="Release these parts").click()
    expect(page.locator(".sharing")).to_contain_text("was released on")
    look.at(page, "cycle, released")
    page.goto(f"/desk/cases/{case.pk}/change/")
    look.at(page, "change over time")
    make.flag(case, ana)
    open_cycle(page, case)
    look.at(page, "cycle, held")


def test_screens_of_a_cycle_with_long_names(
    open_browser: OpenBrowser, house: House, look: Look
) -> None:
    page = open_browser()
    one, other = make.ana(name=LONG), make.chris(name="Wolfeschlegelsteinhausen Donaudampfschiff")
    case = make.case(one, other, counselor=house.iris.member)
    for place, name in enumerate(("TV8", "TV1", "TV2"), 1):
        cast.round_of(case, one, other, name, number=place, day=30 * place)
    cast.agree(case, one, other)
    steps.sign_in(page, "iris")
    open_cycle(page, case)
    look.at(page, "cycle, long names")
    assert pages_of(page, "cycle-long") == 1


def test_screens_of_what_a_couple_sees(
    open_browser: OpenBrowser, house: House, clock: Clock, look: Look
) -> None:
    ana, ben = make.ana(), make.ben(name=LONG)
    case = make.case(ana, ben, counselor=house.iris.member)
    page = open_browser(phone=True)
    page.goto(f"/portal/in/{portal_walk.link_for(ana).token}/")
    page.locator("main form button").first.click()
    code = access.give_code(person=ana, by=make.SYSTEM, now=clock())
    page.goto("/portal/pin/")
    for name, value in (("code", code), ("pin", portal_walk.PIN), ("again", portal_walk.PIN)):
        page.fill(f"[name={name}]", value)
    page.locator("main form button").first.click()
    for name in ("together", "reflection", "sharing"):
        page.goto(f"/portal/{name}/")
        look.at(page, f"{name}, nothing yet")
    cast.round_of(case, ana, ben)
    cast.agree(case, ana, ben)
    releasing.release(
        case=case, number=1, parts=PARTS, by=house.iris.member.as_actor(), now=clock()
    )
    for name in ("together", "reflection", "sharing"):
        page.goto(f"/portal/{name}/")
        look.at(page, f"{name}, full")
