"""Without a mouse: from the first page to the confirmation, and always knowing where one is."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from practice.models import Appointment
from tests.journeys import steps
from tests.journeys.conftest import OpenBrowser

pytestmark = pytest.mark.browser

# Where the focus is, and whether an eye finds it: a ring of two pixels at least, on the element or
# on the card around it, inside the window and under nothing else.
_FOCUS = """
(wanted) => {
  const here = document.activeElement;
  const ring = (one) => {
    const style = getComputedStyle(one);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  };
  const card = here.closest("label");
  const box = here.getBoundingClientRect();
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const x = Math.min(Math.max(box.left + box.width / 2, 1), innerWidth - 1);
  const y = Math.min(Math.max(box.top + box.height / 2, 1), innerHeight - 1);
  const top = document.elementFromPoint(x, y);
  return {
    name: here.outerHTML.slice(0, 120),
    arrived: here === wanted || (here.type === "radio" && here.name === wanted.name),
    visible: here.matches(":focus-within") && (ring(here) || Boolean(card && ring(card))),
    inside: inside && Boolean(top) && (here.contains(top) || Boolean(card?.contains(top))
      || top.contains(here)),
  };
}
"""
_MOST = 80


def go_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the focus is there; every stop on the way is seen."""
    expect(wanted).to_have_count(1)
    for _ in range(_MOST):
        page.keyboard.press("Tab")
        found: dict[str, Any] = wanted.evaluate(_FOCUS)
        if found["name"].startswith("<body"):
            continue
        assert found["visible"], f"no ring on {page.url}: {found['name']}"
        assert found["inside"], f"out of sight on {page.url}: {found['name']}"
        if found["arrived"]:
            return
    pytest.fail(f"{wanted} can't be reached by Tab")


def choose(page: Page, option: Locator) -> None:
    """Go to a group of radio buttons and choose one, as the arrows do."""
    go_to(page, option)
    page.keyboard.press("Space")
    for _ in range(4):
        if option.is_checked():
            return
        page.keyboard.press("ArrowDown")
    pytest.fail(f"{option} can't be chosen by the arrows")


def write(page: Page, label: str, text: str) -> None:
    go_to(page, page.get_by_label(label))
    page.keyboard.type(text)


def press(page: Page, control: Locator, key: str = "Enter") -> None:
    go_to(page, control)
    page.keyboard.press(key)


def test_a_booking_for_two_takes_no_mouse(open_browser: OpenBrowser) -> None:
    page = open_browser()
    page.goto("/")
    press(page, page.get_by_role("link", name="Skip to the content"))
    press(page, page.get_by_role("link", name="See times", exact=True))

    choose(page, page.get_by_role("radio", name="First conversation"))
    choose(page, page.get_by_role("radio", name="Two of us"))
    press(page, page.get_by_role("button", name="See the times"))
    steps.headed(page, "Choose a time")

    press(page, page.get_by_role("link", name="Later"))  # htmx puts the next days in place
    later = steps.time(page, "Thursday 21 January 2027", "10:00")
    expect(later).to_be_visible()
    press(page, later)
    steps.headed(page, "Your details")

    # Sent too early: all that is missing is said, and leads to its field.
    write(page, "Your name", "Ana Alder")
    press(page, page.get_by_role("button", name="Book this time"))
    problems = page.get_by_role("alert")
    expect(problems).to_contain_text("e-mail address")
    press(page, problems.get_by_role("link", name="Your e-mail address"))
    page.keyboard.type("ana@example.org")

    choose(page, page.get_by_role("radio", name="Two of us"))
    write(page, "Their name", "Chris Cedar")
    write(page, "Their e-mail address", "chris@example.com")
    choose(page, page.get_by_role("radio", name="Yes, you may write to them"))
    write(page, "Their time zone", "Madrid")
    choose(page, page.get_by_role("radio", name="Weekly"))
    press(page, page.get_by_role("checkbox"), "Space")
    press(page, page.get_by_role("button", name="Book this time"))
    steps.headed(page, "Your time is booked")
    booker, partner = Appointment.objects.get().attendances.order_by("role")
    assert (booker.person.name, partner.person.name) == ("Ana Alder", "Chris Cedar")
    assert partner.person.zone == "Europe/Madrid"
