"""The style sheets: contrast in both themes, nothing from elsewhere, small."""

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parent.parent / "static" / "duet"
SHEET = (STATIC / "css" / "duet.css").read_text()

ON_PAGE = ["paper", "raised", "sunk"]
WASHES = ["action-wash", "accent-wash", "danger-wash", "good-wash"]
TEXT_PAIRS = [
    *((ink, ground) for ink in ["ink", "soft", "action"] for ground in [*ON_PAGE, *WASHES]),
    *((f"{kind}", f"{kind}-wash") for kind in ["accent", "danger", "good", "voice-a", "voice-b"]),
    *((kind, "paper") for kind in ["accent", "danger", "good", "voice-a", "voice-b"]),
    *((kind, "raised") for kind in ["accent", "danger", "good", "voice-a", "voice-b"]),
    ("action-strong", "paper"),
    ("action-strong", "action-wash"),
    ("on-action", "action"),
    ("on-action", "action-strong"),
]
LINE_PAIRS = [
    *((line, ground) for line in ["edge", "voice-b-line", "voice-a"] for ground in ON_PAGE[:2]),
    ("edge", "accent-wash"),
]


def tokens_in(rule: str) -> dict[str, str]:
    """The colours that the first rule with this selector sets, by name without the prefix."""
    _, _, after = SHEET.partition(rule)
    return dict(re.findall(r"--duet-([\w-]+): (#[0-9a-f]{6});", after.partition("}")[0]))


LIGHT = tokens_in(":root {")
DARK = tokens_in(':root:not([data-theme="light"]) {')


def luminance(colour: str) -> float:
    """Relative luminance (0..1) of "#rrggbb", as WCAG 2.2 defines it."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio (1..21) of two colours."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_PAIRS, ids="-on-".join)
def test_text_can_be_read(theme: dict[str, str], ink: str, ground: str) -> None:
    assert contrast(theme[ink], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("line", "ground"), LINE_PAIRS, ids="-on-".join)
def test_lines_that_mean_something_can_be_seen(
    theme: dict[str, str], line: str, ground: str
) -> None:
    assert contrast(theme[line], theme[ground]) >= 3


def test_the_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_a_dark_theme_that_is_chosen_equals_the_one_that_the_system_asks_for() -> None:
    assert tokens_in(':root[data-theme="dark"] {') == DARK
    assert DARK.keys() == LIGHT.keys()


def test_every_custom_property_that_is_used_is_set() -> None:
    sheets = SHEET + (STATIC / "css" / "desk.css").read_text()
    used = set(re.findall(r"var\((--duet-[\w-]+)\)", sheets))
    assert used <= set(re.findall(r"(--duet-[\w-]+):", SHEET))


@pytest.mark.parametrize(
    "path",
    [*STATIC.rglob("*.css"), *STATIC.rglob("*.js"), *STATIC.rglob("*.svg")],
    ids=lambda path: path.name,
)
def test_static_files_ask_no_other_host(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|url\(|@import|eval\(", text)


def test_the_style_sheets_stay_small() -> None:
    assert sum(path.stat().st_size for path in STATIC.rglob("*.css")) < 40_000
    sizes = {path.name: path.stat().st_size for path in STATIC.rglob("*.js")}
    # What keeps typed text on every network has more to do than the others.
    assert sizes.pop("autosave.js") < 5_000
    assert all(size < 2_000 for size in sizes.values())
