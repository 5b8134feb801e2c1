"""Which reminders are planned, when, and until when a late one is still of use."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from practice.rules import reminders, wall
from practice.rules.reminders import Planned, Quiet, ReminderLead
from tests.practice.rules import brute_force

BERLIN = "Europe/Berlin"
NIGHT: Quiet = (22 * 60, 7 * 60)
RULES = (ReminderLead("two days", 2880), ReminderLead("two hours", 120))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).astimezone(UTC)


def planned(
    starts_at: datetime,
    *,
    booked_at: datetime = LONG_AGO,
    now: datetime | None = None,
    rules: tuple[ReminderLead, ...] = RULES,
    quiet: Quiet | None = None,
    zone: str = BERLIN,
) -> tuple[Planned, ...]:
    return reminders.plan(
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=80),
        booked_at=booked_at,
        now=booked_at if now is None else now,
        rules=rules,
        quiet=quiet,
        zone=zone,
    )


def purposes(found: tuple[Planned, ...]) -> list[str]:
    return [each.purpose for each in found]


def test_each_rule_gives_a_reminder_so_long_before_with_three_quarters_of_it_to_be_sent_in() -> (
    None
):
    starts_at = berlin("2030-07-04T18:00")
    assert planned(starts_at) == (
        Planned("reminder-2880", berlin("2030-07-02T18:00"), berlin("2030-07-04T06:00")),
        Planned("reminder-120", berlin("2030-07-04T16:00"), berlin("2030-07-04T17:30")),
    )


def test_a_reminder_counts_real_hours_over_a_change_of_clocks() -> None:
    found = planned(berlin("2030-03-31T10:00"), rules=(ReminderLead("a day", 1440),))
    assert found[0].due_at == berlin("2030-03-30T09:00")


@pytest.mark.parametrize("zone", [UTC, ZoneInfo(BERLIN), ZoneInfo("America/New_York")])
def test_it_does_not_matter_in_which_zone_the_moments_come(zone: ZoneInfo) -> None:
    starts_at = berlin("2030-10-27T10:00")
    found = planned(
        starts_at.astimezone(zone),
        booked_at=berlin("2030-10-25T08:00").astimezone(zone),
        quiet=NIGHT,
        rules=(ReminderLead("a day", 1440), ReminderLead("nine hours", 540)),
    )
    assert [each.due_at for each in found] == [
        berlin("2030-10-26T11:00"),
        berlin("2030-10-26T21:59"),
    ]


def test_a_reminder_whose_moment_has_passed_at_booking_is_left_to_the_confirmation() -> None:
    starts_at = berlin("2030-07-04T18:00")
    assert purposes(planned(starts_at, booked_at=berlin("2030-07-03T12:00"))) == ["reminder-120"]
    assert planned(starts_at, booked_at=berlin("2030-07-04T17:00")) == ()


def test_a_reminder_due_at_the_very_moment_of_booking_is_left_to_the_confirmation() -> None:
    starts_at = berlin("2030-07-04T18:00")
    due_at = berlin("2030-07-02T18:00")
    assert purposes(planned(starts_at, booked_at=due_at)) == ["reminder-120"]
    assert len(planned(starts_at, booked_at=due_at - timedelta(seconds=1))) == 2


def test_planning_anew_keeps_what_is_overdue_and_leaves_out_what_has_missed_its_window() -> None:
    starts_at = berlin("2030-07-04T18:00")
    assert len(planned(starts_at, now=berlin("2030-07-04T05:59"))) == 2
    assert purposes(planned(starts_at, now=berlin("2030-07-04T06:00"))) == ["reminder-120"]
    assert planned(starts_at, now=berlin("2030-07-04T17:30")) == ()
    assert planned(starts_at, now=berlin("2030-07-05T00:00")) == ()


def test_rules_with_the_same_lead_give_one_reminder_and_no_rules_give_none() -> None:
    twice = (ReminderLead("one", 120), ReminderLead("other", 120))
    assert purposes(planned(berlin("2030-07-04T18:00"), rules=twice)) == ["reminder-120"]
    assert planned(berlin("2030-07-04T18:00"), rules=()) == ()


def test_quiet_hours_bring_a_reminder_forward_to_the_minute_before_they_begin() -> None:
    found = planned(berlin("2030-07-04T08:00"), quiet=NIGHT)
    assert [each.due_at for each in found] == [
        berlin("2030-07-02T08:00"),
        berlin("2030-07-03T21:59"),
    ]
    # What is too late to be of use does not change with it.
    assert found[1].window_ends_at == berlin("2030-07-04T07:30")


def test_quiet_hours_end_at_their_end_and_begin_at_their_beginning() -> None:
    lead = (ReminderLead("two hours", 120),)
    for start, due in (
        ("2030-07-04T08:59", "2030-07-03T21:59"),
        ("2030-07-04T09:00", "2030-07-04T07:00"),
        ("2030-07-04T23:59", "2030-07-04T21:59"),
        ("2030-07-05T00:00", "2030-07-04T21:59"),
    ):
        assert planned(berlin(start), quiet=NIGHT, rules=lead)[0].due_at == berlin(due)


def test_quiet_hours_are_those_of_the_persons_own_zone() -> None:
    starts_at = berlin("2030-07-04T18:00")
    lead = (ReminderLead("two hours", 120),)
    in_los_angeles = planned(starts_at, quiet=(0, 540), rules=lead, zone="America/Los_Angeles")
    # 16:00 in Berlin is 07:00 there; 23:59 there is 08:59 in Berlin.
    assert in_los_angeles[0].due_at == berlin("2030-07-04T08:59")
    assert planned(starts_at, quiet=(0, 540), rules=lead)[0].due_at == berlin("2030-07-04T16:00")


def test_quiet_hours_within_one_day_and_equal_ends() -> None:
    starts_at = berlin("2030-07-04T15:00")
    lead = (ReminderLead("two hours", 120),)
    siesta = planned(starts_at, quiet=(12 * 60, 14 * 60), rules=lead)
    assert siesta[0].due_at == berlin("2030-07-04T11:59")
    assert planned(starts_at, quiet=(720, 720), rules=lead)[0].due_at == berlin("2030-07-04T13:00")


def test_whoever_books_in_the_quiet_hours_has_had_the_confirmation_in_place_of_the_reminder() -> (
    None
):
    starts_at = berlin("2030-07-04T08:00")
    in_the_evening, at_night = berlin("2030-07-03T21:00"), berlin("2030-07-03T23:00")
    assert purposes(planned(starts_at, booked_at=in_the_evening, quiet=NIGHT)) == ["reminder-120"]
    assert planned(starts_at, booked_at=at_night, quiet=NIGHT) == ()
    assert purposes(planned(starts_at, booked_at=at_night)) == ["reminder-120"]


def test_reminders_that_quiet_hours_bring_to_one_moment_are_one() -> None:
    rules = (ReminderLead("three", 180), ReminderLead("two", 120), ReminderLead("ten", 600))
    found = planned(berlin("2030-07-04T08:00"), quiet=NIGHT, rules=rules)
    assert found == (
        Planned("reminder-120", berlin("2030-07-03T21:59"), berlin("2030-07-04T07:30")),
    )


def test_quiet_hours_that_begin_in_a_skipped_hour_begin_at_the_change() -> None:
    due = berlin("2030-03-31T04:00")
    found = reminders.before_quiet_hours(due, (150, 420), BERLIN)
    assert found == berlin("2030-03-31T01:59")


def test_quiet_hours_that_begin_in_a_doubled_hour_begin_the_first_time() -> None:
    due = berlin("2030-10-27T04:00")
    found = reminders.before_quiet_hours(due, (150, 420), BERLIN)
    assert found.astimezone(ZoneInfo(BERLIN)).isoformat() == "2030-10-27T02:29:00+02:00"


@pytest.mark.parametrize("quiet", [(0, 1440), (-1, 60), (1440, 60), (60, 1441)])
def test_quiet_hours_outside_the_day_or_all_day_long_are_refused(quiet: Quiet) -> None:
    with pytest.raises(ValueError, match="leave part of the day"):
        planned(berlin("2030-07-04T18:00"), quiet=quiet)


def test_a_rule_without_lead_and_a_session_without_length_are_refused() -> None:
    with pytest.raises(ValueError, match="a minute before"):
        ReminderLead("now", 0)
    starts_at = berlin("2030-07-04T18:00")
    with pytest.raises(ValueError, match="ends after it starts"):
        reminders.plan(
            starts_at=starts_at,
            ends_at=starts_at,
            booked_at=LONG_AGO,
            now=LONG_AGO,
            rules=RULES,
            quiet=None,
            zone=BERLIN,
        )


minutes_of_day = st.integers(0, 1439)


@settings(deadline=None, max_examples=200)
@given(
    place=st.sampled_from(brute_force.change_days(2029, 2031)),
    start_minute=st.integers(-1440, 2880),
    leads=st.lists(st.integers(1, 4000), min_size=1, max_size=4),
    quiet=st.one_of(st.none(), st.tuples(minutes_of_day, minutes_of_day), st.just(NIGHT)),
    booked_before=st.integers(0, 9000),
)
def test_around_every_change_of_clocks_reminders_keep_their_promises(
    place: tuple[str, date],
    start_minute: int,
    leads: list[int],
    quiet: Quiet | None,
    booked_before: int,
) -> None:
    zone, on = place
    starts_at = wall.instant(wall.first_minute(on, 0, zone) + start_minute)
    booked_at = starts_at - timedelta(minutes=booked_before)
    found = planned(
        starts_at,
        booked_at=booked_at,
        rules=tuple(ReminderLead(str(lead), lead) for lead in leads),
        quiet=quiet,
        zone=zone,
    )
    assert len({each.purpose for each in found}) == len(found)
    assert [each.due_at for each in found] == sorted({each.due_at for each in found})
    for each in found:
        lead = timedelta(minutes=int(each.purpose.removeprefix("reminder-")))
        # Never later than its rule says, never in quiet hours, never at or before the booking.
        assert booked_at < each.due_at <= starts_at - lead
        assert not reminders.in_quiet_hours(each.due_at, quiet, zone)
        assert each.due_at < each.window_ends_at == starts_at - lead / 4
        assert each.window_ends_at < starts_at
        if not reminders.in_quiet_hours(starts_at - lead, quiet, zone):
            assert each.due_at == starts_at - lead
        # Brought forward no further than over one stretch of quiet hours, a change included.
        assert starts_at - lead - each.due_at <= timedelta(hours=25)
    for lead_minutes in leads:
        due_at = reminders.before_quiet_hours(
            starts_at - timedelta(minutes=lead_minutes), quiet, zone
        )
        assert (due_at > booked_at) == any(each.due_at == due_at for each in found)


def test_where_the_clocks_skip_all_that_quiet_hours_leave_the_day_before_serves() -> None:
    # Quiet but for the first minute of the day, which this date in Santiago doesn't have.
    moment = datetime(2030, 9, 8, 4, 0, tzinfo=UTC)
    due_at = reminders.before_quiet_hours(moment, (1, 0), "America/Santiago")
    assert due_at == datetime(2030, 9, 7, 4, 0, tzinfo=UTC)
    assert not reminders.in_quiet_hours(due_at, (1, 0), "America/Santiago")
