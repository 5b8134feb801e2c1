"""The web server killed with -9 in the middle of a booking, at each step of it.

What was answered with 2xx is there; what was not answered is there wholly or not at all; and the
same Idempotency-Key, sent again, makes one booking of it.
"""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from clients.models import Message
from config.children import wait_until
from tests.config.running import living
from tests.faults.load import Load
from tests.faults.whole_site import BEAT, LONG, WEB, Answer, Talk, WholeSite, bookings

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults"), pytest.mark.timeout(240)]

# Where a booking waits while somebody else has locked the table.
STEPS = {
    "the key": "duet_practice_bookedonce",
    "the time": "duet_practice_appointment",
    "the person": "duet_clients_person",
    "the case": "duet_clients_case",
    "who comes": "duet_practice_attendance",
    "the letters": "duet_clients_message",
    "the audit entry": "duet_clients_auditentry",
}
SHORT = ("the key", "the time", "the letters")
WAITING = "SELECT FROM pg_stat_activity WHERE pg_blocking_pids(pid) @> ARRAY[%s::int]"
AT_WORK = """
SELECT FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()"""


def kill_web(whole: WholeSite) -> None:
    """Kill the processes that serve; gunicorn itself starts others at once."""
    serving = whole.site.below(WEB)
    assert serving
    for pid in serving:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not living(serving), seconds=10)


def book_and_kill(whole: WholeSite, talk: Talk, lock: str) -> Answer:
    """Send a booking that has to wait for a lock of ours, and kill the web server over it.

    Beat stands still, so that nobody else waits there. When this returns, the lock has been let
    go, and the database is done with whatever the dead one asked last.
    """
    address = whole.site.state.environment["DATABASE_URL"]
    with (
        whole.frozen(BEAT),
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(address, autocommit=True) as looking,
    ):
        with psycopg.connect(address) as holding:
            holding.execute(lock)
            answer = pool.submit(whole.book, talk, 1)
            ours = [holding.info.backend_pid]
            assert wait_until(lambda: looking.execute(WAITING, ours).rowcount > 0, seconds=30)
            kill_web(whole)
            lost = answer.result()
        assert wait_until(lambda: looking.execute(AT_WORK).rowcount == 0, seconds=30)
    assert wait_until(lambda: whole.ask("/healthz").status == 200, seconds=60, step=0.1)
    return lost


def check_one_booking(whole: WholeSite, talk: Talk) -> None:
    """Send the request twice more: one booking, one confirmation, the same answer."""
    first, second = whole.book(talk, 1), whole.book(talk, 1)
    assert (first.status, second.status) == (201, 201), first.body
    assert first.told == second.told
    (row,) = bookings(talk, 1)
    assert str(row.pk) == first.told["appointment"]
    told = Message.objects.filter(subject_id__in=row.attendances.values("pk"))
    assert told.filter(purpose="confirmation").count() == 1


@pytest.mark.parametrize("step", STEPS if LONG else SHORT)
def test_killed_before_the_commit_nothing_is_stored_and_the_same_key_books_once(
    whole: WholeSite, step: str
) -> None:
    talk = whole.talk()
    lost = book_and_kill(whole, talk, f"LOCK TABLE {STEPS[step]} IN SHARE ROW EXCLUSIVE MODE")
    assert lost.status == 0
    assert bookings(talk, 1) == []
    check_one_booking(whole, talk)


def test_killed_between_commit_and_answer_the_same_key_finds_the_booking(whole: WholeSite) -> None:
    """The commit waits at its last check, of the foreign keys, and goes on without its client."""
    talk = whole.talk()
    where = f"WHERE slug = '{talk.counselor.slug}'"
    lost = book_and_kill(whole, talk, f"SELECT FROM duet_practice_counselor {where} FOR UPDATE")
    assert lost.status == 0
    assert len(bookings(talk, 1)) == 1
    # The control: without its key, the one who booked is told that somebody else was faster.
    refused = whole.book(talk, 1, key="another-key")
    assert (refused.status, refused.told["type"]) == (409, "urn:duet:slot_taken")
    assert whole.book(talk, 1).headers["Idempotency-Replayed"] == "true"
    check_one_booking(whole, talk)


def test_gunicorn_killed_under_load_loses_nothing_that_it_acknowledged(whole: WholeSite) -> None:
    with Load(whole, whole.talk()) as load:
        for _ in range(3 if LONG else 1):
            assert load.goes_on()
            whole.kill(WEB)
        assert load.goes_on()
    load.check(refusals={0, 503})
