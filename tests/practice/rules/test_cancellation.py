"""Until when an attendee may change an appointment, and what may become of it."""

from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from practice.rules import cancellation
from practice.rules.cancellation import NotAllowed, TooLate

STARTS_AT = datetime(2030, 7, 4, 16, tzinfo=UTC)
CUTOFF = 24 * 60
UNTIL = datetime(2030, 7, 3, 16, tzinfo=UTC)
STATES = ("held", "requested", "confirmed", "cancelled", "done", "no_show")
ATTENDANCES = ("expected", "confirmed", "cancelled")


def check(now: datetime, *, state: str = "confirmed", cutoff: int = CUTOFF) -> None:
    cancellation.check_changeable(starts_at=STARTS_AT, cutoff_minutes=cutoff, state=state, now=now)


@pytest.mark.parametrize("state", ["requested", "confirmed"])
def test_a_coming_appointment_can_be_changed_up_to_the_cut_off(state: str) -> None:
    check(UNTIL - timedelta(days=30), state=state)
    check(UNTIL, state=state)


def test_past_the_cut_off_it_is_too_late_and_the_answer_says_until_when() -> None:
    with pytest.raises(TooLate, match="too late") as refused:
        check(UNTIL + timedelta(microseconds=1))
    assert refused.value.until == UNTIL
    assert refused.value.sentence == str(refused.value)


def test_without_a_cut_off_it_can_be_changed_until_it_starts() -> None:
    check(STARTS_AT - timedelta(microseconds=1), cutoff=0)
    with pytest.raises(TooLate):
        check(STARTS_AT, cutoff=0)


@pytest.mark.parametrize("state", ["held", "cancelled", "done", "no_show"])
def test_what_does_not_take_place_can_not_be_changed_at_any_time(state: str) -> None:
    with pytest.raises(NotAllowed, match="no longer be changed") as refused:
        check(UNTIL - timedelta(days=1), state=state)
    assert not isinstance(refused.value, TooLate)


def test_the_cut_off_counts_real_hours_over_a_change_of_clocks() -> None:
    starts_at = datetime(2030, 3, 31, 10, tzinfo=ZoneInfo("Europe/Berlin"))
    until = cancellation.changeable_until(starts_at=starts_at, cutoff_minutes=CUTOFF)
    assert until == datetime(2030, 3, 30, 8, tzinfo=UTC)


def test_asking_and_checking_agree() -> None:
    moments = [UNTIL + timedelta(hours=hours) for hours in (-1, 0, 1, 24, 25)]
    for state, now, cutoff in product(STATES, moments, (0, CUTOFF)):
        try:
            check(now, state=state, cutoff=cutoff)
            passes = True
        except NotAllowed:
            passes = False
        assert passes == cancellation.can_change(
            starts_at=STARTS_AT, cutoff_minutes=cutoff, state=state, now=now
        )


def test_an_appointments_state_changes_as_the_table_says_and_no_other_way() -> None:
    allowed = {
        ("held", "requested"),
        ("held", "confirmed"),
        ("held", "cancelled"),
        ("requested", "confirmed"),
        ("requested", "cancelled"),
        ("confirmed", "cancelled"),
        ("confirmed", "done"),
        ("confirmed", "no_show"),
        ("done", "no_show"),
        ("no_show", "done"),
    }
    for pair in product(STATES, STATES):
        if pair in allowed:
            cancellation.check_transition(*pair)
            continue
        with pytest.raises(NotAllowed, match="can't become"):
            cancellation.check_transition(*pair)


def test_an_attendance_changes_as_the_table_says_and_no_other_way() -> None:
    allowed = {
        ("expected", "confirmed"),
        ("expected", "cancelled"),
        ("confirmed", "expected"),
        ("confirmed", "cancelled"),
    }
    for pair in product(ATTENDANCES, ATTENDANCES):
        if pair in allowed:
            cancellation.check_attendance_transition(*pair)
            continue
        with pytest.raises(NotAllowed, match="can't become"):
            cancellation.check_attendance_transition(*pair)


def test_every_state_that_a_table_leads_to_is_in_it() -> None:
    for table, states in (
        (cancellation.APPOINTMENT_TRANSITIONS, STATES),
        (cancellation.ATTENDANCE_TRANSITIONS, ATTENDANCES),
    ):
        assert set(table) == set(states)
        assert {to for after in table.values() for to in after} <= set(states)


def test_refusals_of_a_change_of_state_are_sentences() -> None:
    with pytest.raises(NotAllowed) as refused:
        cancellation.check_transition("cancelled", "no_show")
    assert refused.value.sentence == "This appointment is cancelled and can't become a no-show."


def test_the_time_frees_when_the_last_one_leaves() -> None:
    assert cancellation.appointment_after_leaving(["cancelled", "cancelled"]) == "cancelled"
    assert cancellation.appointment_after_leaving(["cancelled"]) == "cancelled"


@pytest.mark.parametrize(
    "left", [["cancelled", "expected"], ["confirmed", "cancelled"], ["expected"], []]
)
def test_the_time_stays_taken_while_anybody_is_left(left: list[str]) -> None:
    assert cancellation.appointment_after_leaving(left) is None
