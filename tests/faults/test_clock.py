"""Clocks that are set forward and back while letters are due, and the nights that change them.

All through the one seam, the `now` and `clock` of the sender.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from pytest_django import Settings

from tests import factories as make
from tests import smtp_peer
from tests.clients.message_cast import talk_to
from tests.faults.accelerated import Accelerated, number, reminders, taken
from tests.faults.whole_site import LONG
from tests.smtp_peer import Peer

pytestmark = [pytest.mark.faults, pytest.mark.django_db]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEW_YORK = "America/New_York"


@pytest.fixture
def peer(settings: Settings) -> Iterator[Peer]:
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        yield peer


def check_once_and_in_time(practice: Accelerated) -> None:
    """Each letter at most once, none after the start, and whatever wasn't sent says why."""
    assert len(taken(practice.peer)) == len(set(taken(practice.peer)))
    for row in reminders():
        assert row.state in {"sent", "missed"}
        assert (number(row) in taken(practice.peer)) == (row.state == "sent")
        assert row.sent_at is None or row.sent_at < row.about_at
    practice.check()


@pytest.mark.parametrize("seed", range(8 if LONG else 2))
def test_a_clock_that_jumps_to_and_fro_sends_nothing_twice_and_nothing_after_the_start(
    peer: Peer, seed: int
) -> None:
    """By hours between two scans, and back in the middle of one."""
    dice = random.Random(seed)
    practice = Accelerated(peer, make.NOW, 24 * 60, 120, zone=NEW_YORK)
    for place in range(12):
        practice.book(make.NOW + DAY + place * 4 * HOUR)
    practice.confirm()
    end = make.NOW + 4 * DAY

    def jump_back(letter: EmailMessage) -> None:
        if dice.random() < 0.2:
            practice.clock.now -= dice.randint(1, 90) * timedelta(minutes=1)

    peer.on_letter = jump_back
    jumps = 0
    while practice.clock() < end:
        practice.clock.now += timedelta(minutes=30)
        if dice.random() < 0.1:
            practice.clock.now += dice.randint(-5, 6) * HOUR
            jumps += 1
        practice.scan()
    assert jumps > 5
    assert {row.state for row in reminders()} >= {"sent"}
    check_once_and_in_time(practice)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_host_that_sets_its_clock_by_hand_in_the_night_of_the_change_sends_each_once(
    peer: Peer, step: timedelta
) -> None:
    """The clock steps in the middle of a scan, between one letter and the next."""
    change = datetime(2027, 3, 14, 7, tzinfo=UTC)  # two in the morning becomes three
    practice = Accelerated(peer, change - 2 * DAY, 24 * 60, zone=NEW_YORK)
    for minutes in (0, 10, 20):
        practice.book(change + DAY + timedelta(minutes=minutes))
    practice.confirm()

    def set_the_clock(letter: EmailMessage) -> None:
        peer.on_letter = lambda letter: None
        practice.clock.now += step

    peer.on_letter = set_the_clock
    practice.clock.now = change + timedelta(minutes=20)
    practice.scan()
    practice.go_on(3 * HOUR)
    assert sorted(taken(peer)) == sorted(number(row) for row in reminders())
    check_once_and_in_time(practice)


@pytest.mark.parametrize(
    "start",
    [
        datetime(2027, 3, 14, 14, tzinfo=UTC),  # the day that has 23 hours
        datetime(2027, 11, 7, 6, 30, tzinfo=UTC),  # 01:30 for the second time
        datetime(2028, 3, 1, 15, tzinfo=UTC),  # after a leap day
    ],
)
def test_over_a_change_of_the_clocks_a_reminder_comes_so_many_hours_before(
    peer: Peer, start: datetime
) -> None:
    practice = Accelerated(peer, start - 3 * DAY, 24 * 60, 120, zone=NEW_YORK)
    practice.book(start)
    practice.confirm()
    for before in (DAY, 2 * HOUR):
        practice.clock.now = start - before - timedelta(minutes=1)
        assert practice.scan().sent == 0
        practice.clock.now = start - before
        assert practice.scan().sent == 1
    check_once_and_in_time(practice)
