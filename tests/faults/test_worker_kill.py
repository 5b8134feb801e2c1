"""The real Celery worker killed with -9 again and again while it sends.

None is lost; at most one extra copy for each kill, with the same Message-ID and marked; none after
a cancellation, none after the start. The short form lets the leases of the dead end at once, the
long one waits for them.
"""

import os
import signal
from datetime import timedelta

import pytest
from django.utils import timezone

from clients.models import Message
from config.children import wait_until
from practice.actions import booking
from practice.models import Appointment, Attendance
from tests import factories as make
from tests.config.running import living
from tests.faults.whole_site import LONG, WORKER, WholeSite

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults"), pytest.mark.timeout(900)]

LETTERS, KILLS = (1_000, 20) if LONG else (60, 4)


def appointment_of(letter: Message) -> Appointment:
    return Attendance.objects.get(pk=letter.subject_id).appointment


def test_workers_killed_in_mid_letter_lose_none_and_double_one_each_at_most(
    whole: WholeSite,
) -> None:
    talk, now = whole.talk(), timezone.now()
    gone = whole.letters(talk, 10, first=500)
    booking.cancel(appointment=appointment_of(gone[0]), by=make.SYSTEM, now=now)
    letters = whole.letters(talk, LETTERS)
    # It begins after all the others; somebody cancels while those are being sent.
    going = whole.letters(talk, 10, first=400)
    begun = whole.beginning(talk, now - timedelta(minutes=1), due=now - timedelta(minutes=5))

    killed: list[int] = []
    changed: list[booking.Changed] = []

    def kill() -> None:
        worker = whole.site.child(WORKER)
        assert worker
        assert worker not in killed
        os.kill(worker, signal.SIGKILL)
        assert wait_until(lambda: not living({worker}), seconds=10)
        killed.append(worker)

    def cancel() -> None:
        appointment = appointment_of(going[0])
        changed.append(booking.cancel(appointment=appointment, by=make.SYSTEM, now=timezone.now()))

    # Every so many letters one is taken, and its worker dies before it hears so.
    acts = {1 + LETTERS * number // KILLS: kill for number in range(KILLS)}
    whole.when_taken(acts | {LETTERS // 2: cancel})
    whole.ring()
    everything, mended = [*letters, *going, begun], 0
    while not whole.ends(everything, seconds=0.5):
        if len(killed) > mended:
            mended = len(killed)
            if not LONG:
                whole.let_leases_end()
            assert wait_until(lambda: whole.site.child(WORKER) not in {None, *killed}, seconds=90)
            whole.ring()

    copies = whole.copies(letters)
    extra = sum(copies.values()) - len(copies)
    marked = set(Message.objects.exclude(uncertain_at=None).values_list("pk", flat=True))
    assert len(killed) == KILLS
    assert set(copies) == {letter.pk for letter in letters}
    assert whole.states(letters) == {"sent": LETTERS}
    assert extra <= KILLS
    assert {letter for letter, times in copies.items() if times > 1} <= marked
    assert len(marked & set(copies)) <= KILLS
    assert not whole.copies(gone)
    assert [one.on_its_way for one in changed] == [False]
    assert not whole.copies(going)
    assert not whole.copies([begun])
    assert whole.states([*gone, *going, begun]) == {"cancelled": 20, "missed": 1}
