"""The real Celery worker killed with -9 again and again while it sends.

None is lost; at most one extra copy for each kill, with the same Message-ID and marked; none after
a cancellation, none after the start. The short form lets the leases of the dead end at once, the
long one waits for them.
"""

import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from clients.models import Message
from config import supervisor
from practice.actions import booking
from practice.models import Appointment, Attendance
from tests import factories as make
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

    workers: list[subprocess.Popen[bytes]] = []
    changed: list[booking.Changed] = []

    def kill() -> None:
        workers[-1].kill()
        workers[-1].wait()

    def cancel() -> None:
        appointment = appointment_of(going[0])
        changed.append(booking.cancel(appointment=appointment, by=make.SYSTEM, now=timezone.now()))

    # Every so many letters one is taken, and its worker dies before it hears so. The last third is
    # left over: what the dead had claimed waits for the ends of their leases.
    acts = {1 + LETTERS * 2 // 3 * number // KILLS: kill for number in range(KILLS)}
    assert len(acts) == KILLS
    assert LETTERS // 2 + 2 not in acts
    whole.when_taken(acts | {LETTERS // 2 + 2: cancel})
    everything = [*letters, *going, begun]
    try:
        # The supervisor stands still: its pauses grow with each death. We start the next at once.
        with whole.without(WORKER):
            while not whole.ends(everything, seconds=0.5):
                if not workers or workers[-1].poll() is not None:
                    if not LONG:
                        whole.let_leases_end()
                    workers.append(whole.start(supervisor.worker(Path(os.devnull))))
                    whole.ring()
    finally:
        kill()

    copies = whole.copies(letters)
    extra = sum(copies.values()) - len(copies)
    marked = set(Message.objects.exclude(uncertain_at=None).values_list("pk", flat=True))
    assert len(workers) == KILLS + 1
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
