"""Beat away, beat and workers there several times, and one task twice at the same time."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from celery.beat import ScheduleEntry, Scheduler
from django.utils import timezone

from config import supervisor
from config.celery import app
from config.children import wait_until
from practice.models import Appointment
from tests import factories as make
from tests.faults.whole_site import BEAT, LONG, WholeSite

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults"), pytest.mark.timeout(240)]

WORKERS = 3 if LONG else 1  # beside the site's own


def test_after_an_hour_without_beat_all_that_was_due_is_sent_and_what_began_is_missed(
    whole: WholeSite,
) -> None:
    """The hour is one of the rows: they have been due for so long. Nobody rings but beat."""
    talk, now = whole.talk(), timezone.now()
    with whole.frozen(BEAT):
        late = [
            letter
            for minutes in range(0, 60, 6)
            for letter in whole.letters(talk, 10, due=-timedelta(minutes=minutes), first=minutes)
        ]
        begun = whole.beginning(talk, now - timedelta(minutes=20), due=now - timedelta(minutes=50))
        # The control: all the others live, the worker does what it is asked, and nothing is sent.
        hold = make.hold(
            talk.counselor, talk.service, start=talk.start(200), until=now, token=str(begun.pk)
        )
        whole.ring(task="practice.tasks.expire_holds")
        assert wait_until(lambda: not Appointment.objects.filter(pk=hold.pk).exists(), seconds=30)
        assert whole.states([*late, begun]) == {"planned": 101}
        whole.kill(BEAT)
    assert whole.ends([*late, begun])
    assert whole.copies([*late, begun]) == {letter.pk: 1 for letter in late}
    begun.refresh_from_db()
    assert (begun.state, begun.reason) == ("missed", "window_passed")


def test_a_beat_that_starts_rings_at_once_so_that_dying_often_does_not_silence_it() -> None:
    scheduler = Scheduler(app, lazy=True)
    scheduler.setup_schedule()
    assert {name for name, entry in scheduler.schedule.items() if entry.is_due()[0]} == {
        "practice.tasks.send_due",
        "practice.tasks.tell_members",
        "practice.tasks.expire_holds",
        "practice.tasks.escalate_flags",
        "practice.tasks.expire_forms",
        "practice.tasks.give_rounds",
        "clients.tasks.seal_audit",
        "clients.tasks.watch_reading",
        "clients.tasks.report_access",
        "config.tasks.forget_sessions",
    }
    # The control: counted from its own start, none of them is due.
    for entry in scheduler.schedule.values():
        assert not ScheduleEntry(task=entry.task, schedule=entry.schedule, app=app).is_due()[0]


@contextmanager
def another(whole: WholeSite, program: supervisor.Program) -> Iterator[None]:
    """One more process of the site's, beside those that the supervisor keeps."""
    process = whole.start(program)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_two_beats_and_several_workers_send_each_letter_once(whole: WholeSite) -> None:
    """And the same task many times at once.

    The control is in tests/clients: without the claim, the same race sends copies.
    """
    log, before = Path(os.devnull), whole.peer.connections

    def until_two_send(_: EmailMessage) -> None:
        """Whoever is first has to wait until a second one sends as well."""
        wait_until(lambda: whole.peer.connections > before + 1, seconds=8)

    with ExitStack() as more:
        for program in [supervisor.beat(log)] + [supervisor.worker(log)] * WORKERS:
            more.enter_context(another(whole, program))
        assert wait_until(lambda: whole.workers() > WORKERS, seconds=90)
        whole.peer.on_letter = until_two_send
        letters = whole.letters(whole.talk(), 120)
        whole.ring(20)
        assert whole.ends(letters)
    assert whole.copies(letters) == {letter.pk: 1 for letter in letters}
    assert whole.peer.connections > before + 1
