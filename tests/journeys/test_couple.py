"""Two people and one appointment, from the first page to the last letter."""

import re

import pytest
from playwright.sync_api import expect

from practice.models import Appointment, Attendance
from tests import factories as make
from tests.journeys import steps
from tests.journeys.conftest import Clock, OpenBrowser
from tests.journeys.post import Letter, Post

pytestmark = pytest.mark.browser

# What nobody may read in a letter: what it is about, whom it is with, who else comes.
_REVEALING = re.compile(
    r"therap|terap|couple|pareja|counsel|consej|partner|relationship|relaci[oó]n|marriage|"
    r"matrimon|session|sesi[oó]n|questionnaire|cuestionario|conflict|first conversation|dishes|"
    r"iris|ivory|elm street practice",
    re.IGNORECASE,
)


def assert_neutral(letter: Letter, *others: str) -> None:
    words = letter.all_words()
    found = _REVEALING.search(words)
    assert found is None, f"{found and found[0]!r} in {words}"
    for name in others:
        assert not re.search(rf"\b{name}\b", words, re.IGNORECASE), name


def others_of(to: str) -> tuple[str, str]:
    """The names that a letter to this address may not hold."""
    return ("Chris", "Cedar") if to.startswith("ana@") else ("Ana", "Alder")


def booked() -> Appointment:
    return Appointment.objects.exclude(state=Appointment.State.HELD).get()


def state_of(role: str) -> str:
    return Attendance.objects.get(role=role).state


@pytest.mark.parametrize("javascript", [True, False], ids=["with_javascript", "without_javascript"])
def test_two_book_confirm_move_and_cancel_by_their_letters(
    open_browser: OpenBrowser, post: Post, clock: Clock, *, javascript: bool
) -> None:
    ana = open_browser(javascript=javascript, phone=True)
    chris = open_browser(javascript=javascript, timezone_id="Europe/Madrid", locale="es-ES")

    # Ana books for both.
    steps.book_for_two(ana)
    first = post.deliver()
    assert set(first) == {"ana@example.org", "chris@example.com"}
    to_ana, to_chris = first["ana@example.org"], first["chris@example.com"]
    assert to_ana.subject != to_chris.subject
    assert to_ana.link != to_chris.link
    assert_neutral(to_ana, *others_of(to_ana.to))
    assert_neutral(to_chris, *others_of(to_chris.to))
    assert "10:00" in to_ana.text
    assert "New York" in to_ana.text
    assert "16:00" in to_chris.text
    assert "Madrid" in to_chris.text
    assert "Zona horaria" in to_chris.text
    assert (to_ana.entry.method, to_ana.entry.sequence) == ("REQUEST", 0)
    assert to_ana.entry.start == to_chris.entry.start == make.at(3, "10:00")
    assert to_ana.entry.uid != to_chris.entry.uid

    # Chris says: I come. Ana's page tells nothing of it.
    ana.goto(to_ana.link)
    before = ana.locator("main").inner_text()
    assert state_of("partner") == "expected"
    steps.confirm(chris, to_chris)
    assert state_of("partner") == "confirmed"
    expect(chris.locator("form[action$='/confirm/']")).to_have_count(0)
    ana.goto(to_ana.link)
    assert ana.locator("main").inner_text() == before
    assert post.deliver() == {}

    # Ana moves: both are told, Chris is asked anew.
    clock.go_on(hours=1)
    steps.move(ana, to_ana, steps.FRIDAY, "11:00")
    assert booked().starts_at == make.at(4, "11:00")
    moved = post.deliver()
    assert set(moved) == set(first)
    for to, letter in moved.items():
        assert letter.link == first[to].link
        assert letter.entry.uid == first[to].entry.uid
        assert (letter.entry.method, letter.entry.sequence) == ("REQUEST", 1)
        assert letter.entry.start == make.at(4, "11:00")
        assert_neutral(letter, *others_of(to))
    assert (state_of("booker"), state_of("partner")) == ("confirmed", "expected")
    chris.goto(moved["chris@example.com"].link)
    expect(chris.locator("form[action$='/confirm/'] button")).to_be_visible()

    # Each cancels for themselves; the time is open again when the second has.
    ana.goto(to_ana.link)
    before = ana.locator("main").inner_text()
    steps.cancel(chris, moved["chris@example.com"])
    told = post.deliver()
    assert set(told) == {"chris@example.com"}
    assert booked().state == "confirmed"
    ana.goto(to_ana.link)
    assert ana.locator("main").inner_text() == before
    steps.cancel(ana, moved["ana@example.org"])
    told |= post.deliver()
    assert booked().state == "cancelled"
    for to, letter in told.items():
        assert (letter.entry.method, letter.entry.uid) == ("CANCEL", first[to].entry.uid)
        assert letter.entry.sequence > 1
        assert_neutral(letter, *others_of(to))
    steps.headed(ana, "This appointment is cancelled")
    reader = open_browser()
    steps.go_to_times(reader)
    expect(steps.time(reader, steps.FRIDAY, "11:00")).to_be_visible()
    expect(steps.time(reader, steps.THURSDAY, "10:00")).to_be_visible()
    clock.go_on(days=5)
    assert post.deliver() == {}


def test_nothing_is_sent_to_somebody_who_is_not_safe_to_write_to(
    open_browser: OpenBrowser, post: Post, clock: Clock
) -> None:
    ana = open_browser()
    steps.book_for_two(ana, steps.Typed(safe=False))
    expect(ana.locator("main")).to_contain_text("Nothing is sent to the other person.")
    (first,) = post.deliver().values()
    assert first.to == "ana@example.org"
    steps.move(ana, first, steps.FRIDAY, "11:00")
    assert set(post.deliver()) == {"ana@example.org"}
    clock.go_on(days=2, hours=3)
    assert set(post.deliver()) == {"ana@example.org"}  # the reminder of two days before
    clock.go_on(minutes=-6 * 60)
    steps.cancel(ana, first)
    assert set(post.deliver()) == {"ana@example.org"}
    assert booked().state == "cancelled"
