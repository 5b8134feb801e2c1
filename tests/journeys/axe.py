"""Accessibility of a page in both themes: no violation, and nothing that axe could not decide.

What axe leaves open ("incomplete") fails too, unless REVIEWED names it with the reason.
"""

from collections.abc import Iterator
from typing import Literal

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
# (rule, a part of the element's selector): why a person found it right.
REVIEWED: dict[tuple[str, str], str] = {}


def is_reviewed(rule: str, target: str) -> bool:
    """Whether a person has looked at this open finding and said why it is right."""
    return any(rule == known and part in target for known, part in REVIEWED)


def findings(page: Page) -> Iterator[str]:
    """Yields each finding in words, for the page as it stands, in light and in dark."""
    for theme in THEMES:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        options = WCAG if theme == "light" else COLOURS
        results = Axe().run(page, options=options).response
        for kind in ("violations", "incomplete"):
            for result in results[kind]:
                for node in result["nodes"]:
                    target = " ".join(map(str, node["target"]))
                    if kind == "incomplete" and is_reviewed(result["id"], target):
                        continue
                    yield f"{theme} {kind} {result['id']}: {target}: {node['html'][:160]}"


def assert_accessible(page: Page) -> None:
    """Refuses a page with a violation or an open finding that nobody has reviewed."""
    found = list(findings(page))
    assert not found, f"{page.url}\n" + "\n".join(found)
