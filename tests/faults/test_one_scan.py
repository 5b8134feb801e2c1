"""The same task several times at the same time in one process, as a worker's threads run it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta
from email.message import EmailMessage
from itertools import count
from typing import TypeVar
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from clients.actions.messages import Outcome
from clients.models import Message
from practice import tasks
from tests import factories as make
from tests import smtp_peer
from tests.clients.message_cast import talk_to
from tests.faults.whole_site import audit, planned
from tests.smtp_peer import Peer

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

TASKS = 4
R = TypeVar("R")


@pytest.fixture
def peer(settings: Settings) -> Iterator[Peer]:
    make.practice()
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        yield peer


def letters(size: int) -> list[Message]:
    """Reminders that are due, ten about each appointment."""
    iris, now = make.counselor("iris"), timezone.now()
    talk = make.service(counselors=[iris])
    made: list[Message] = []
    for number in range(size // 10):
        start = now + timedelta(days=2, hours=number)
        appointment = make.appointment(iris, talk, make.ana(now=now), start=start, booked_at=now)
        made += planned(appointment, 10, now)
    return Message.objects.bulk_create(made)


def on_a_thread(scan: Callable[[], R]) -> R:
    try:
        return scan()
    finally:
        connections.close_all()


def test_one_process_has_one_letter_on_its_way_and_answers_who_rings_meanwhile(peer: Peer) -> None:
    *due, later = letters(80)
    Message.objects.filter(pk=later.pk).update(next_try_at=timezone.now() + timedelta(days=1))
    others_done = threading.Event()

    def hold_the_first(letter: EmailMessage) -> None:
        if not peer.taken:
            others_done.wait(30)

    peer.on_letter = hold_the_first
    with ThreadPoolExecutor(TASKS) as pool:
        running = [pool.submit(on_a_thread, tasks.send_due) for _ in range(TASKS)]
        finished = as_completed(running, timeout=30)
        others = [next(finished).result() for _ in range(TASKS - 1)]
        assert others == [Outcome().as_dict()] * (TASKS - 1)
        assert peer.taken == []
        # While that letter is on its way, one more falls due, and its ring finds the scan running.
        Message.objects.filter(pk=later.pk).update(next_try_at=timezone.now())
        assert tasks.send_due() == Outcome().as_dict()
        others_done.set()
        assert next(finished).result()["sent"] == 80
    assert len(peer.taken) == len(set(peer.ids())) == 80
    assert {letter.pk for letter in (*due, later)} == set(_sent())
    assert audit() == []


def test_without_that_four_are_on_their_way_that_one_kill_would_double(peer: Peer) -> None:
    letters(80)
    all_at_once, numbers = threading.Barrier(TASKS, timeout=30), count()

    def meet(letter: EmailMessage) -> None:
        if next(numbers) < TASKS:
            all_at_once.wait()

    peer.on_letter = meet
    with ThreadPoolExecutor(TASKS) as pool:
        running = [pool.submit(on_a_thread, tasks._scan) for _ in range(TASKS)]
        assert sum(one.result().sent for one in running) == 80
    assert not all_at_once.broken


def _sent() -> list[UUID]:
    return list(Message.objects.filter(state="sent").values_list("pk", flat=True))
