"""Takes pictures of pages, phone and desktop, light and dark, to be looked at by a person.

    python -m tests.screens --base http://127.0.0.1:8000 / /book/ /desk/ --sign-in NAME PASSWORD

The pictures go to a git-ignored directory. A page that is wider than its window, asks another
host for something or writes to the console is named at the end, and the exit code is then 1.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from tests import chromium

WINDOWS = {"phone": (390, 844), "narrow": (320, 640), "desktop": (1280, 900)}
THEMES = ("light", "dark")
OUT = Path(__file__).resolve().parent.parent / ".duet" / "screens"


def sign_in(page: Page, base: str, name: str, password: str) -> None:
    """Signs in through the sign-in page, as a person does."""
    page.goto(urljoin(base, "/accounts/login/"))
    page.fill("[name=login]", name)
    page.fill("[name=password]", password)
    page.click("main form:first-of-type button")


def file_name(path: str, window: str, theme: str) -> str:
    """A file name out of a path: "/book/?a=1", phone, dark -> book-a-1.phone.dark.png."""
    return f"{re.sub(r'[^a-zA-Z0-9]+', '-', path).strip('-') or 'home'}.{window}.{theme}.png"


def faults_of(page: Page, path: str, base: str, out: Path, label: tuple[str, str]) -> Iterator[str]:
    """Takes one picture; yields what is plainly wrong with the page, in words."""
    window, theme = label
    console: list[str] = []
    foreign: list[str] = []
    page.on("console", lambda said: console.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: console.append(str(error)))
    page.on(
        "request",
        lambda asked: (
            foreign.append(asked.url)
            if urlsplit(asked.url).netloc != urlsplit(base).netloc
            and not asked.url.startswith("data:")
            else None
        ),
    )
    page.goto(urljoin(base, path), wait_until="load")
    page.screenshot(path=out / file_name(path, window, theme), full_page=True)
    where = f"{path} ({window}, {theme})"
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        yield f"{where}: wider than its window"
    yield from (f"{where}: console: {text}" for text in console)
    yield from (f"{where}: asked {url}" for url in foreign)


def take(browser: Browser, options: argparse.Namespace) -> Iterator[str]:
    """Takes the pictures of every path in every window and theme; yields the faults."""
    for window in options.windows:
        width, height = WINDOWS[window]
        for theme in THEMES:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if theme == "dark" else "light",
                reduced_motion="reduce",
            )
            if options.sign_in:
                sign_in(context.new_page(), options.base, *options.sign_in)
            for path in options.paths:
                page = context.new_page()
                yield from faults_of(page, path, options.base, options.out, (window, theme))
                page.close()
            context.close()


def main() -> int:
    """Reads the command line, takes the pictures, prints faults; 1 when there is one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--base", default="http://127.0.0.1:8000")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--sign-in", nargs=2, metavar=("NAME", "PASSWORD"))
    parser.add_argument("--windows", nargs="+", choices=WINDOWS, default=list(WINDOWS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.path(), args=["--no-sandbox"])
        faults = list(take(browser, options))
        browser.close()
    for fault in faults:
        sys.stdout.write(fault + "\n")
    sys.stdout.write(f"{options.out}: {len(faults)} faults\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
