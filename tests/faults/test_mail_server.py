"""A mail server that is no use for an hour: afterwards all that still matters is sent.

How one scan takes each of a server's answers is in tests/clients/test_message_delivery.py.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from pytest_django import Settings

from tests import factories as make
from tests import smtp_peer
from tests.clients.message_cast import talk_to
from tests.faults.accelerated import Accelerated, fates, number, reminders, taken
from tests.faults.whole_site import LONG
from tests.smtp_peer import Behave

pytestmark = [pytest.mark.faults, pytest.mark.django_db]

NOW, HOUR, MINUTE = make.NOW, timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def practice(settings: Settings) -> Iterator[Accelerated]:
    """Appointments every five minutes for three hours, each with a reminder two hours before."""
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        practice = Accelerated(peer, NOW - timedelta(days=1), 120)
        for minutes in range(20, 181, 5):
            practice.book(NOW + minutes * MINUTE, to=f"person{minutes}@example.org")
        practice.confirm()
        practice.clock.now = NOW
        yield practice


def check_missed(practice: Accelerated) -> None:
    """Those whose time was over while nothing could be sent say so, and were never sent."""
    over = [row for row in reminders() if row.window_ends_at <= NOW + HOUR]
    assert len(over) == 15
    assert fates(over) == {("missed", "window_passed"): 15}
    assert not {number(row) for row in over} & set(taken(practice.peer))


def test_refusing_connections_for_an_hour_then_all_is_sent_by_what_begins_first(
    practice: Accelerated,
) -> None:
    practice.peer.stop()
    practice.go_on(HOUR)
    # The control: none of them got through meanwhile, and none was given up before its time.
    waiting = [row for row in reminders() if row.window_ends_at > NOW + HOUR]
    assert {row.state for row in waiting} == {"planned"}
    assert practice.peer.taken == []
    practice.peer.start()
    assert practice.scan().sent == len(waiting) == 18
    assert taken(practice.peer) == [number(row) for row in waiting]
    check_missed(practice)
    practice.check()


USELESS = (Behave.TEMPORARY, Behave.HANG, Behave.DROP)


@pytest.mark.parametrize("behave", USELESS if LONG else USELESS[:2])
def test_no_use_for_an_hour_then_all_is_sent_once_within_five_minutes(
    practice: Accelerated, settings: Settings, behave: Behave
) -> None:
    practice.peer.behave, patient = behave, settings.EMAIL_TIMEOUT
    settings.EMAIL_TIMEOUT = 0.05  # only while nothing is to come of it
    practice.go_on(HOUR)
    assert practice.peer.taken == []
    practice.peer.behave, settings.EMAIL_TIMEOUT = Behave.ACCEPT, patient
    practice.go_on(5 * MINUTE)
    waited = [row for row in reminders() if row.window_ends_at > NOW + HOUR + 5 * MINUTE]
    assert fates(waited) == {("sent", ""): 17}
    assert len(taken(practice.peer)) == len(set(taken(practice.peer)))
    check_missed(practice)
    practice.check()


def test_breaking_off_after_each_letter_for_an_hour_brings_two_copies_at_most_and_marks_them(
    practice: Accelerated,
) -> None:
    practice.peer.behave = Behave.DROP_AFTER_DATA
    practice.go_on(HOUR)
    practice.peer.behave = Behave.ACCEPT
    practice.go_on(5 * MINUTE)
    copies = [taken(practice.peer).count(number(row)) for row in reminders()]
    assert max(copies) == 2
    assert all(row.uncertain_at for row, many in zip(reminders(), copies, strict=True) if many > 1)
    assert {row.state for row in reminders()} <= {"sent", "failed", "missed"}
    practice.check()
