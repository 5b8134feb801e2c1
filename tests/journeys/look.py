"""Looks at a page as it stands: axe in both themes, a phone's width, sizes for a thumb."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

from tests.journeys import axe
from tests.journeys.conftest import DESKTOP, PHONE

# What is pressed stands in no line of text, and is as high and wide as a thumb.
_SMALL = """
() => [...document.querySelectorAll(
  "button, .button, select, summary, textarea, input, form a, nav a, .choice, .check"
)].filter((one) => {
  const box = (one.matches("[type=radio], [type=checkbox]") && one.closest("label") || one)
    .getBoundingClientRect();
  const seen = one.checkVisibility({ visibilityProperty: true }) && box.right > 0 && box.bottom > 0;
  const inline = one.matches("p a, li.inline a, .notice li a");
  return seen && !inline && (box.height < 43.5 || box.width < 43.5);
}).map((one) => {
  const box = one.getBoundingClientRect();
  return `${Math.round(box.width)}x${Math.round(box.height)} ${one.outerHTML.slice(0, 90)}`;
})
"""


@dataclass
class Look:
    """Collects what is wrong with the pages that it is shown, each under a name of its own.

    With SCREENS set to a folder it also takes pictures: phone and desktop, light and dark.
    """

    faults: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def at(self, page: Page, name: str) -> None:
        """Note the faults of the page as it stands, on a narrow phone."""
        assert name not in self.seen, f"{name} is the name of another page"
        self.seen.append(name)
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        found = list(axe.findings(page))
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            found.append(f"is {width} wide in a window of {PHONE['width']}")
        found += [f"is small: {text}" for text in page.evaluate(_SMALL)]
        titles = page.locator("h1").count()
        if titles != 1:
            found.append(f"has {titles} h1")
        self.faults += [f"{name}: {text}" for text in found]
        if folder := os.environ.get("SCREENS"):
            _take_pictures(page, name, Path(folder))


def _take_pictures(page: Page, name: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    for window, size in (("desktop", DESKTOP), ("phone", PHONE)):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        for theme in axe.THEMES:
            page.emulate_media(color_scheme=theme)
            page.screenshot(path=folder / f"{file}.{window}.{theme}.png", full_page=True)
