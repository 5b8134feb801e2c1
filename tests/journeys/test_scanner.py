"""A mail scanner opens every link of every letter, and asks only: nothing changes."""

import re
from http.client import HTTPConnection
from urllib.parse import urljoin, urlsplit

import pytest
from django.db import connection
from playwright.sync_api import Page

from clients.actions import access
from practice.actions import booking
from tests import factories as make
from tests.journeys.conftest import Clock, House, OpenBrowser
from tests.journeys.post import Letter, Post

pytestmark = pytest.mark.browser


def rows() -> dict[str, tuple[int, str]]:
    """How many rows each table of the database has, and a hash of all that they say."""
    with connection.cursor() as cursor:
        found = {}
        for table in connection.introspection.table_names(cursor):
            name = connection.ops.quote_name(table)
            cursor.execute(
                f"SELECT count(*), md5(coalesce(string_agg(r::text, '|' ORDER BY r::text), ''))"
                f" FROM {name} r"
            )
            found[table] = cursor.fetchone()
    return found


def ask(method: str, url: str) -> tuple[int, str]:
    """One request without a cookie, as a scanner makes it; a redirect isn't followed."""
    parts = urlsplit(url)
    line = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        line.request(method, parts.path + (f"?{parts.query}" if parts.query else ""))
        answer = line.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        line.close()


def letters_of_a_life(house: House, clock: Clock, post: Post) -> list[Letter]:
    """Every letter that an appointment for two can bring, except the one that it is off."""
    appointment = make.appointment(
        house.iris,
        house.talk,
        make.ana(),
        make.chris(),
        start=make.at(4, "10:00"),
        booked_at=clock(),
    )
    booking.move(appointment=appointment, start=make.at(4, "12:00"), by=make.SYSTEM, now=clock())
    letters = list(post.deliver().values())
    booking.move(appointment=appointment, start=make.at(4, "13:00"), by=make.SYSTEM, now=clock())
    letters += post.deliver().values()
    clock.go_on(days=2, hours=6)
    letters += post.deliver().values()
    return letters


def test_a_scanner_that_opens_every_link_changes_no_row(
    open_browser: OpenBrowser, house: House, clock: Clock, post: Post
) -> None:
    letters = letters_of_a_life(house, clock, post)
    assert {letter.subject for letter in letters if letter.to == "ana@example.org"} == {
        "Your appointment",
        "Your appointment: new time",
        "Reminder: your appointment",
    }
    before = rows()
    asked: set[str] = set()
    for link in {link for letter in letters for link in letter.links}:
        for url in [link, *pages_behind(link)]:
            asked.add(urlsplit(url).path.rstrip("/").rpartition("/")[2])
            for method in ("GET", "HEAD"):
                status, _ = ask(method, url)
                posts = url.endswith(("/confirm/", "/portal/"))
                assert status == (405 if posts else 200), (method, url)
    assert {"confirm", "move", "cancel", "appointment.ics"} <= asked
    # One that runs scripts, too, and follows what it finds.
    for javascript in (True, False):
        page = open_browser(javascript=javascript)
        for link in {letter.link for letter in letters}:
            open_all(page, link)
    assert rows() == before


def test_a_scanner_uses_no_sign_in_link_up(
    open_browser: OpenBrowser, house: House, clock: Clock, post: Post
) -> None:
    ana = make.ana()
    access.send_links(persons=[ana], by=make.SYSTEM, now=clock())
    link = post.deliver()["ana@example.org"].link
    before = rows()
    for method in ("GET", "HEAD", "GET", "OPTIONS"):
        assert ask(method, link)[0] in {200, 405}
    for javascript in (True, False):
        page = open_browser(javascript=javascript)
        page.goto(link)
        assert page.context.cookies() == []
    assert rows() == before
    # And then it opens for the person.
    page.get_by_role("button", name="Open my page").click()
    page.wait_for_url("**/portal/mine/")


def pages_behind(link: str) -> list[str]:
    """Every address below the link that its page names, in links and in forms."""
    _, body = ask("GET", link)
    named = re.findall(r"(?:href|action)=\"([^\"#?]+)\"", body)
    below = {urljoin(link, one) for one in named}
    return sorted(one for one in below if one.startswith(link) and one != link)


def open_all(page: Page, link: str) -> None:
    """Open the page and each page that its links lead to."""
    page.goto(link)
    for other in page.locator("main a:not([download])").evaluate_all("all => all.map(a => a.href)"):
        page.goto(other)
