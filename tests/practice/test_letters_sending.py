"""From a booked appointment to the mail that is read: planner, ledger, sender and server."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from clients.actions import messages
from clients.actions.messages import Outcome
from clients.models import Message
from clients.queries import messages as ledger
from practice import tasks
from practice.actions import planning
from practice.models import Appointment, Attendance, Counselor
from practice.queries import letters
from tests import factories, smtp_peer
from tests.clients.message_cast import talk_to
from tests.smtp_peer import Peer

pytestmark = pytest.mark.django_db
NOW = factories.NOW


@pytest.fixture
def peer(settings: Settings) -> Iterator[Peer]:
    factories.practice()
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        yield peer


@pytest.fixture
def iris() -> Counselor:
    factories.reminder(2880)
    factories.reminder(120)
    return factories.counselor("iris")


def scan(now: datetime) -> Outcome:
    return messages.send_due(
        subjects=letters.subjects(), by=factories.SYSTEM, now=now, clock=lambda: now
    )


def replan(appointment: Appointment, reason: str = "booked", now: datetime = NOW) -> bool:
    with transaction.atomic():
        return planning.replan(appointment=appointment, reason=reason, by=factories.SYSTEM, now=now)


def booked(iris: Counselor) -> Appointment:
    """For Ana in New York and Chris in Madrid, on Thursday at ten in New York."""
    service = factories.service(counselors=[iris])
    persons = (factories.ana(), factories.chris())
    appointment = factories.appointment(iris, service, *persons, start=factories.at(3, "10:00"))
    replan(appointment)
    return appointment


def test_two_get_two_different_letters_each_in_their_own_language_and_zone(
    peer: Peer, iris: Counselor
) -> None:
    booked(iris)
    assert scan(NOW).sent == 2
    by_reader = {str(mail["To"]): mail for mail in peer.taken}
    assert by_reader["ana@example.org"]["Subject"] == "Your appointment"
    assert by_reader["chris@example.com"]["Subject"] == "Su cita: por favor, responda"
    assert len({str(mail["Message-ID"]) for mail in peer.taken}) == 2
    for mail in peer.taken:
        parts = [part.get_content_type() for part in mail.walk()]
        assert parts.count("text/calendar") == 2
        assert {"text/plain", "text/html"} <= set(parts)


def test_reminders_come_by_themselves_each_once(peer: Peer, iris: Counselor) -> None:
    start = booked(iris).starts_at
    scan(NOW)
    for before in (48, 2):
        moment = start - timedelta(hours=before)
        assert scan(moment - timedelta(minutes=1)).sent == 0
        assert scan(moment).sent == 2
        assert scan(moment + timedelta(minutes=1)) == Outcome()
    assert [str(mail["Subject"]) for mail in peer.taken].count("Reminder: your appointment") == 2


def test_after_a_move_the_old_reminder_never_comes_and_the_new_one_does(
    peer: Peer, iris: Counselor
) -> None:
    appointment = booked(iris)
    scan(NOW)
    old_start = appointment.starts_at
    later = timedelta(days=1)
    for period in (appointment.period, appointment.blocked):
        period._lower, period._upper = period.lower + later, period.upper + later
    appointment.sequence, appointment.settled_at = 1, NOW + timedelta(minutes=5)
    appointment.save()
    replan(appointment, "moved", NOW + timedelta(minutes=5))
    assert scan(NOW + timedelta(minutes=5)).sent == 2
    assert str(peer.taken[-1]["Subject"]) in {"Your appointment: new time", "Su cita: nueva hora"}
    assert scan(old_start - timedelta(hours=48)).sent == 0
    assert scan(old_start + later - timedelta(hours=48)).sent == 2
    cancelled = Message.objects.filter(version=0, state="cancelled")
    assert set(cancelled.values_list("reason", flat=True)) == {"moved"}


def test_after_a_cancellation_each_hears_of_it_once_and_of_nothing_else(
    peer: Peer, iris: Counselor
) -> None:
    appointment = booked(iris)
    scan(NOW)
    Appointment.objects.update(state="cancelled", cancelled_at=NOW, sequence=1)
    appointment.refresh_from_db()
    replan(appointment, "cancelled")
    assert scan(NOW).sent == 2
    assert scan(appointment.starts_at - timedelta(hours=2)) == Outcome()
    calendar = [
        part for part in peer.taken[-1].walk() if part.get_content_type() == "text/calendar"
    ]
    assert calendar[0].get_param("method") == "CANCEL"


def test_a_change_that_no_plan_knows_of_is_seen_before_sending(peer: Peer, iris: Counselor) -> None:
    """The control of the second look: the rows alone would have let these go."""
    booked(iris)
    Attendance.objects.update(state="cancelled", cancelled_at=NOW)
    assert scan(NOW) == Outcome(cancelled=2)
    assert peer.taken == []


def test_without_the_second_look_the_same_change_is_missed(
    peer: Peer, iris: Counselor, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked(iris)
    Attendance.objects.update(state="cancelled", cancelled_at=NOW)
    monkeypatch.setattr(letters.AttendanceLetters, "still_due", lambda self, message: None)
    assert scan(NOW).sent == 2


def test_nothing_of_a_backlog_is_sent_after_the_start(peer: Peer, iris: Counselor) -> None:
    start = booked(iris).starts_at
    outcome = scan(start)
    assert (outcome.sent, outcome.missed) == (0, 6)


def test_the_task_and_the_command_do_the_same_scan(peer: Peer, iris: Counselor) -> None:
    start = timezone.now() + timedelta(days=30)
    service = factories.service(counselors=[iris])
    for number in range(2):
        appointment = factories.appointment(
            iris,
            service,
            factories.ana(),
            start=start + timedelta(days=number),
            booked_at=timezone.now(),
        )
        replan(appointment, now=timezone.now())
        if number == 0:
            assert tasks.send_due()["sent"] == 1
    out = StringIO()
    call_command("send_due", "--json", stdout=out)
    assert json.loads(out.getvalue()) == Outcome(sent=1).as_dict()
    out = StringIO()
    call_command("send_due", stdout=out)
    assert "sent  0" in out.getvalue()


def test_before_the_practice_is_set_up_there_is_nothing_to_send() -> None:
    assert letters.subjects() == {}
    assert tasks.send_due() == Outcome().as_dict()


def test_the_desk_finds_what_it_should_look_at(peer: Peer, iris: Counselor) -> None:
    peer.by_recipient["chris@example.com"] = smtp_peer.Behave.UNKNOWN
    appointment = booked(iris)
    scan(NOW)
    ids = appointment.attendances.values_list("pk", flat=True)
    assert [row.reason for row in ledger.wanting_attention()] == ["smtp_550"]
    assert ledger.about("attendance", ids).count() == 6
    assert not ledger.overdue(NOW).exists()
    assert ledger.overdue(appointment.starts_at).count() == 4
    assert {ledger.why(row) for row in ledger.about("attendance", ids)} == {
        "sent",
        "planned",
        "smtp_550",
    }
