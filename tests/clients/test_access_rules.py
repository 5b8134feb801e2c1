"""Which digits may be a PIN, what a proof opens, and when a session is over."""

from datetime import timedelta

import pytest

from clients.rules import access
from clients.rules.access import Opens, PinRefused
from clients.rules.actors import PROOF_LINK, PROOF_SECOND
from clients.rules.browsers import browser_words
from tests.factories import NOW


@pytest.mark.parametrize("pin", ["271828", "314159265358", "902107", "112358"])
def test_six_to_twelve_digits_are_a_pin(pin: str) -> None:
    access.check_pin(pin)


@pytest.mark.parametrize(
    ("pin", "code"),
    [
        ("", "digits"),
        ("27182", "digits"),
        ("2718281828459", "digits"),
        ("27182x", "digits"),
        ("271 828", "digits"),
        ("271828\n", "digits"),
        ("٢٧١٨٢٨", "digits"),
        ("２７１８２８", "digits"),
        ("000000", "simple"),
        ("123456", "simple"),
        ("567890123", "simple"),
        ("987654", "simple"),
        ("121212", "simple"),
        ("123123", "simple"),
    ],
)
def test_what_is_no_pin_is_refused(pin: str, code: str) -> None:
    with pytest.raises(PinRefused) as refused:
        access.check_pin(pin)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("text", "is_code"),
    [("01234567", True), ("0123456", False), ("012345678", False), ("٠١٢٣٤٥٦٧", False)],
)
def test_a_code_has_eight_digits(text: str, is_code: bool) -> None:
    assert access.is_code(text) is is_code


def test_blanks_between_groups_of_digits_are_no_fault() -> None:
    assert access.tidied(" 0123 4567\u00a0") == access.tidied("0123-4567") == "01234567"


def test_a_link_opens_little_and_a_second_proof_everything() -> None:
    by_link = {what for what in Opens if access.opens(PROOF_LINK, what)}
    assert by_link == {Opens.APPOINTMENTS, Opens.CONSENTS, Opens.SESSIONS, Opens.ASKING}
    assert all(access.opens(PROOF_SECOND, what) for what in Opens)
    assert not any(access.opens(0, what) for what in Opens)


@pytest.mark.parametrize(
    ("idle", "left", "over"),
    [
        (timedelta(minutes=14, seconds=59), timedelta(hours=1), False),
        (timedelta(minutes=15), timedelta(hours=1), True),
        (timedelta(0), timedelta(seconds=1), False),
        (timedelta(0), timedelta(0), True),
    ],
)
def test_a_session_has_two_ends(idle: timedelta, left: timedelta, over: bool) -> None:
    assert access.is_over(seen_at=NOW - idle, ends_at=NOW + left, now=NOW) is over


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "Firefox, Linux",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0"
            " Mobile Safari/537.36",
            "Chrome, Android",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 Safari/537.36 Edg/120.0", "Edge, Windows"),
        ("<script>alert(1)</script>", ""),
        ("", ""),
    ],
)
def test_a_browser_is_told_in_words(agent: str, words: str) -> None:
    assert browser_words(agent) == words
