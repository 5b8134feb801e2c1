"""The cycle and change over time: empty and full, on a phone, in light and dark, and printed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from clients.models import Case
from tests import factories as make
from tests.intake import cycle_cast as cast
from tests.journeys import steps
from tests.journeys.conftest import House, OpenBrowser
from tests.journeys.look import Look
from tests.journeys.test_screens import LONG

pytestmark = pytest.mark.browser


@pytest.fixture
def look() -> Iterator[Look]:
    look = Look()
    yield look
    assert not look.faults, "\n".join(look.faults)


def pages_of(page: Page, name: str) -> int:
    """How many sheets of A4 the page takes when it is printed."""
    printed = page.pdf(
        format="A4", margin={side: "12mm" for side in ("top", "right", "bottom", "left")}
    )
    if folder := os.environ.get("SCREENS"):
        page.set_viewport_size({"width": 703, "height": 1032})
        page.emulate_media(media="print")
        page.screenshot(path=Path(folder) / f"{name}.print.png", full_page=True)
        page.emulate_media(media="screen")
        (Path(folder) / f"{name}.pdf").write_bytes(printed)
    return (
        printed.count(b"/Type /Page\n")
        + printed.count(b"/Type /Page ")
        + printed.count(b"/Type /Page/")
    )


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

    cast.round_of(case, ana, ben, "TV2", number=2, day=30)
    cast.round_of(case, ana, ben, "TV4", number=3, day=60)
    open_cycle(page, case, "?round=2")
    look.at(page, "cycle, gaps")
    open_cycle(page, case)
    look.at(page, "cycle, tentative and several rounds")
    assert pages_of(page, "cycle-rounds") == 1
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
