"""What beat and the bell ask for. Each task may be lost or doubled: the rows are the queue."""

import threading
from collections import Counter
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from clients.actions import access, messages, notices
from clients.rules.actors import Actor
from intake.actions import giving, safety
from practice.actions import booking, forms, idempotency
from practice.queries import letters, notice_letters, pages

_scanning, _asked = threading.Lock(), threading.Event()
_telling = threading.Lock()


@shared_task(name="practice.tasks.send_due")
def send_due() -> dict[str, int]:
    """Scan the message ledger, until nobody has rung meanwhile.

    One scan at a time in each process: a kill can double a letter of each scan that it hits, and
    four that wait for one mail server would leave no thread for the other tasks. Whoever rings
    during a scan is answered by another one after it.
    """
    counts = Counter(messages.Outcome().as_dict())
    _asked.set()
    while _asked.is_set() and _scanning.acquire(blocking=False):
        try:
            _asked.clear()
            counts.update(_scan().as_dict())
        finally:
            _scanning.release()
    return dict(counts)


def _scan() -> messages.Outcome:
    return messages.send_due(
        subjects=letters.subjects(),
        by=Actor.system(),
        now=timezone.now(),
        clock=timezone.now,
    )


@shared_task(name="practice.tasks.expire_holds")
def expire_holds() -> int:
    """Give free what nobody booked in time, and forget yesterday's keys, links and sessions."""
    now, by = timezone.now(), Actor.system()
    idempotency.forget(by=by, now=now)
    access.forget(by=by, now=now)
    return booking.expire_holds(by=by, now=now)


@shared_task(name="practice.tasks.tell_members")
def tell_members() -> dict[str, int]:
    """Mail members that something waits on their desk; one scan at a time in each process.

    A task of its own: what clients wait for never waits for it.
    """
    if pages.practice() is None or not _telling.acquire(blocking=False):
        return {}
    try:
        return notices.mail_due(
            letter=notice_letters.letter,
            by=Actor.system(),
            now=timezone.now(),
            clock=timezone.now,
        ).as_dict()
    finally:
        _telling.release()


@shared_task(name="practice.tasks.escalate_flags")
def escalate_flags() -> int:
    """Tell those above of flags that nobody has seen in time."""
    practice = pages.practice()
    if practice is None:
        return 0
    after = timedelta(hours=practice.escalate_after_hours)
    return safety.escalate_due(after=after, by=Actor.system(), now=timezone.now())


@shared_task(name="practice.tasks.give_rounds")
def give_rounds() -> int:
    """Ask again what is asked on a rhythm, where its time has come."""
    if pages.practice() is None:
        return 0
    return forms.give_rounds(by=Actor.system(), now=timezone.now())


@shared_task(name="practice.tasks.expire_forms")
def expire_forms() -> int:
    """End what nobody sent in time, and links whose time is over."""
    return giving.expire(by=Actor.system(), now=timezone.now())
