"""Accessibility of a page in both themes: no violation, and nothing that axe could not decide.

What axe leaves open ("incomplete") fails too, unless REVIEWED names it with the reason.
"""

from collections.abc import Iterator
from typing import Literal, TypedDict

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WCAG = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
# What the other theme can change; all else is the same page.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
# Only what is wrong or open comes back: the list of all that passed is half a megabyte.
_AXE = Axe()
_RUN = """
async (options) => {
  const results = await axe.run({ ...options, resultTypes: ["violations", "incomplete"] });
  return ["violations", "incomplete"].flatMap((kind) => results[kind].flatMap((result) =>
    result.nodes.map((node) => ({
      kind, rule: result.id, target: node.target.join(" "), html: node.html.slice(0, 160),
    }))));
}
"""
# (rule, a part of the element's selector): why a person found it right.
REVIEWED: dict[tuple[str, str], str] = {
    ("color-contrast", ".who"): (
        "A name within a loop of the dance line has the page's ground of its own behind it;"
        " test_style_sheet holds the voices' contrast."
    ),
    ("color-contrast", " > text["): (
        "Text of an SVG: --duet-soft on the page's ground, which test_style_sheet holds."
    ),
}


class Found(TypedDict):
    """One element that a rule speaks of."""

    kind: Literal["violations", "incomplete"]
    rule: str
    target: str
    html: str


def is_reviewed(rule: str, target: str) -> bool:
    """Whether a person has looked at this open finding and said why it is right."""
    return any(rule == known and part in target for known, part in REVIEWED)


def findings(page: Page) -> Iterator[str]:
    """Yields each finding in words, for the page as it stands, in light and in dark."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.axe_script)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        found: list[Found] = page.evaluate(_RUN, WCAG if theme == "light" else COLOURS)
        for one in found:
            if one["kind"] == "incomplete" and is_reviewed(one["rule"], one["target"]):
                continue
            yield f"{theme} {one['kind']} {one['rule']}: {one['target']}: {one['html']}"


def assert_accessible(page: Page) -> None:
    """Refuses a page with a violation or an open finding that nobody has reviewed."""
    found = list(findings(page))
    assert not found, f"{page.url}\n" + "\n".join(found)
