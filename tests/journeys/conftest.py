"""What every journey has: a small practice, a clock, a mail server, browsers that are watched."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from clients.actions import people
from practice.models import Consent, Counselor, Question, Service
from tests import factories as make
from tests import smtp_peer
from tests.clients.message_cast import talk_to
from tests.journeys.post import Post
from tests.journeys.watch import Watch

PHONE = {"width": 320, "height": 640}
DESKTOP = {"width": 1280, "height": 900}
# A machine that does much else at once is slow, and no fault of the pages.
PATIENCE = 15_000  # ms
expect.set_options(timeout=PATIENCE)


# Scripts read the site's clock. Playwright's own would take `performance` away from them.
_CLOCK = """
{
  const Real = Date;
  globalThis.Date = class extends Real {
    static ahead = AHEAD;
    static now() { return Real.now() + Date.ahead; }
    constructor(...parts) { parts.length ? super(...parts) : super(Date.now()); }
  };
}
"""


@dataclass
class Clock:
    """The site's time: begins at `NOW`, goes on by itself, and jumps when told."""

    _ahead: timedelta
    real = staticmethod(timezone.now)

    def __call__(self) -> datetime:
        return self.real() + self._ahead

    def go_on(self, *pages: Page, **length: float) -> None:
        """Jump; the scripts of `pages` notice, others have the earlier time."""
        self._ahead += timedelta(**length)
        for page in pages:
            page.evaluate(f"Date.ahead += {timedelta(**length) // timedelta(milliseconds=1)}")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Monday morning at eight in New York; the views read this clock too."""
    clock = Clock(make.NOW - timezone.now())
    monkeypatch.setattr(timezone, "now", clock)
    return clock


@pytest.fixture
def origin(live_server: LiveServer, settings: Settings) -> str:
    """The site's address, which letters name too."""
    settings.DUET = {**settings.DUET, "BASE_URL": live_server.url}
    return str(live_server.url)


@pytest.fixture
def post(origin: str, settings: Settings) -> Iterator[Post]:
    """The mail server and what it took."""
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        yield Post(peer)


@dataclass(frozen=True)
class House:
    """The practice of the journeys."""

    iris: Counselor
    jonas: Counselor
    talk: Service
    both: Service


@pytest.fixture
def house(transactional_db: None, clock: Clock) -> House:
    """Two counselors; a free talk with Iris for one or two, and a session for two with either."""
    people.ensure_index_key(by=make.SYSTEM, now=clock())
    practice = make.practice(cutoff_minutes=24 * 60)
    practice.phone, practice.intro = "+1 201 555 0100", "A small practice on Elm Street."
    practice.save()
    iris = make.counselor("iris", name="Iris Ivory", weekdays=range(6))
    jonas = make.counselor("jonas", name="Jonas Juniper", zone="Europe/Madrid")
    talk = make.service(
        "first-conversation",
        counselors=[iris],
        name="First conversation",
        minutes=20,
        step=60,
        buffer_after=10,
        place=Service.Place.ADDRESS,
    )
    talk.place_text = "12 Elm Street, second floor"
    talk.about = "Twenty minutes to see whether this is what you are looking for."
    talk.save()
    both = make.service(
        "couple-session",
        counselors=[iris, jonas],
        name="Couple session",
        minutes=80,
        step=60,
        attendees=Service.Attendees.COUPLE,
        place=Service.Place.VIDEO,
        invite_gate=Service.InviteGate.PRIVATE_CHECK,
    )
    both.position = 1
    both.save()
    make.reminder(48 * 60)
    make.reminder(2 * 60)
    Question.objects.create(
        service=talk, slug="often", label="How often?", choices=["Daily", "Weekly"], required=True
    )
    Question.objects.create(service=talk, slug="what", label="What is it about?", position=1)
    Consent.objects.create(
        service=talk,
        slug="privacy",
        version=3,
        text="We keep what you write here, and show it to nobody outside the practice.",
        published_at=make.NOW - timedelta(days=9),
    )
    return House(iris, jonas, talk, both)


class OpenBrowser(Protocol):
    """Starts a browser of somebody's own, and returns its first page."""

    def __call__(self, *, javascript: bool = True, phone: bool = False, **more: Any) -> Page: ...


@dataclass
class _Opened:
    """The browsers of one journey."""

    browser: Browser
    watch: Watch
    contexts: list[BrowserContext] = field(default_factory=list)

    def __call__(self, *, javascript: bool = True, phone: bool = False, **more: Any) -> Page:
        options: dict[str, Any] = {
            "java_script_enabled": javascript,
            "viewport": PHONE if phone else DESKTOP,
            "timezone_id": "America/New_York",
            "locale": "en-US",
            "reduced_motion": "reduce",
            "base_url": self.watch.origin,
        }
        context = self.browser.new_context(**(options | more))
        context.set_default_timeout(PATIENCE)
        ahead = timezone.now() - Clock.real()
        context.add_init_script(_CLOCK.replace("AHEAD", str(ahead // timedelta(milliseconds=1))))
        self.watch.follow(context)
        self.contexts.append(context)
        return context.new_page()


@pytest.fixture
def open_browser(browser: Browser, origin: str, house: House) -> Iterator[OpenBrowser]:
    """Browsers that share nothing; afterwards none of them may have done what no page may do."""
    opened = _Opened(browser, Watch(origin))
    yield opened
    for context in opened.contexts:
        opened.watch.look_into(context)
        context.close()
    assert not opened.watch.faults, "\n".join(opened.watch.faults)
