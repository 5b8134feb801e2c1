"""The life of a message, from values alone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.models import Message
from clients.rules import ledger
from clients.rules.ledger import Heard

NOW = datetime(2027, 1, 11, 13, tzinfo=UTC)
FAR = NOW + timedelta(days=2)


def test_every_state_of_the_table_is_in_the_model() -> None:
    assert set(ledger.TRANSITIONS) == set(Message.State.values)
    assert all(set(to) <= set(Message.State.values) for to in ledger.TRANSITIONS.values())


@pytest.mark.parametrize("state", ["sent", "failed", "missed", "suppressed"])
def test_what_is_over_stays_over(state: str) -> None:
    with pytest.raises(ValueError, match="can't become planned"):
        ledger.check_transition(state, "planned")


def test_tries_come_after_half_a_minute_then_later_and_later() -> None:
    waits = [
        ledger.next_try(attempts=attempts, now=NOW, window_ends_at=FAR) - NOW
        for attempts in range(7)
    ]
    assert [wait.total_seconds() for wait in waits] == [30, 30, 60, 120, 240, 240, 240]


def test_after_an_hour_of_451_the_next_try_comes_within_five_minutes_scan_included() -> None:
    wait = ledger.next_try(attempts=30, now=NOW, window_ends_at=FAR) - NOW
    assert wait + timedelta(seconds=30) < timedelta(minutes=5)


@given(st.integers(0, 50), st.integers(0, 100_000))
def test_no_try_is_planned_past_the_window(attempts: int, seconds_left: int) -> None:
    window_ends_at = NOW + timedelta(seconds=seconds_left)
    later = ledger.next_try(attempts=attempts, now=NOW, window_ends_at=window_ends_at)
    assert NOW <= later <= window_ends_at


def test_a_last_try_comes_a_minute_before_the_window_ends() -> None:
    window_ends_at = NOW + timedelta(minutes=3)
    later = ledger.next_try(attempts=4, now=NOW, window_ends_at=window_ends_at)
    assert window_ends_at - later == timedelta(minutes=1)


def test_a_message_is_missed_at_its_windows_end_and_at_the_start_of_what_it_is_about() -> None:
    for window_ends_at, about_at in ((NOW, FAR), (FAR, NOW)):
        fate = ledger.too_late(
            now=NOW, window_ends_at=window_ends_at, about_at=about_at, uncertain=False
        )
        assert fate == ledger.Fate("missed", "window_passed")


def test_one_that_may_have_arrived_is_not_called_missed() -> None:
    fate = ledger.too_late(now=NOW, window_ends_at=NOW, about_at=FAR, uncertain=True)
    assert fate == ledger.Fate("failed", "answer_lost")


@pytest.mark.parametrize(
    ("permission", "bounced", "has_address", "reason"),
    [
        ("yes", False, True, None),
        ("neutral", False, True, None),
        (None, False, True, None),
        ("no", False, True, "safe_contact_no"),
        ("no", True, False, "safe_contact_no"),
        ("yes", True, True, "address_bounced"),
        ("neutral", False, False, "no_address"),
    ],
)
def test_who_may_be_written_to(
    permission: str | None, bounced: bool, has_address: bool, reason: str | None
) -> None:
    fate = ledger.may_write(permission=permission, bounced=bounced, has_address=has_address)
    assert fate == (ledger.Fate("suppressed", reason) if reason else None)


def test_a_lost_answer_is_tried_once_more_and_then_ends() -> None:
    def after(uncertain: bool) -> ledger.Fate:
        return ledger.after(
            Heard.LOST,
            code="answer_lost",
            attempts=1,
            uncertain=uncertain,
            now=NOW,
            window_ends_at=FAR,
        )

    assert (after(False).state, after(True).state) == ("uncertain", "failed")


@pytest.mark.parametrize("heard", list(Heard))
@pytest.mark.parametrize("uncertain", [False, True])
def test_every_answer_leads_where_the_table_allows(heard: Heard, uncertain: bool) -> None:
    fate = ledger.after(
        heard, code="x", attempts=1, uncertain=uncertain, now=NOW, window_ends_at=FAR
    )
    ledger.check_transition("sending", fate.state)
    assert (fate.next_try_at is not None) == (fate.state in {"planned", "uncertain"})


def test_a_letter_that_cannot_be_written_is_parked_at_the_fifth_time() -> None:
    states = [
        ledger.unwritable(attempts=attempts, now=NOW, window_ends_at=FAR).state
        for attempts in range(1, 6)
    ]
    assert states == ["planned"] * 4 + ["failed"]
