"""Redis flushed, killed, away, restarted empty while letters are due: the rows are the queue."""

import shutil

import pytest
from redis import Redis

from clients.models import Message
from config.redis_urls import cache_url
from tests.faults.whole_site import WORKER, WholeSite, bookings

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults"), pytest.mark.timeout(300)]

LETTERS = 200
QUEUE = "duet:celery"


def server(whole: WholeSite) -> Redis:
    return Redis.from_url(cache_url(whole.site.state.environment["REDIS_URL"]))


def test_flushed_and_then_killed_while_letters_leave_each_leaves_once(whole: WholeSite) -> None:
    letters = whole.letters(whole.talk(), LETTERS)

    def flush() -> None:
        with server(whole) as client:
            client.flushdb()

    word = whole.redis
    whole.when_taken({LETTERS // 4: flush, LETTERS // 2: lambda: whole.kill(word)})
    whole.ring(3)
    assert whole.ends(letters)
    assert whole.copies(letters) == {letter.pk: 1 for letter in letters}
    assert whole.is_back(word)


def test_away_and_restarted_empty_people_book_and_beat_and_worker_come_back_by_themselves(
    whole: WholeSite,
) -> None:
    talk, folder = whole.talk(), whole.site.folder / "servers" / "redis"
    with whole.without(WORKER):
        letters = whole.letters(whole.talk(), LETTERS)  # before it is away, beat may send of them
        whole.ring(5)
        with server(whole) as client:
            assert client.llen(QUEUE) >= 5
        whole.kill(whole.redis)
        # The control: whatever Redis knew of all this is lost.
        for kept in folder.glob("appendonly*"):
            shutil.rmtree(kept)
        assert whole.ask("/book/").status == whole.ask("/readyz").status == 200
        booked = whole.book(talk, 1)
        assert booked.status == 201
        assert len(bookings(talk, 1)) == 1
        assert whole.states(letters) == {"planned": LETTERS}
    confirmation = Message.objects.filter(subject_id__in=bookings(talk, 1)[0].attendances.all())
    told = list(confirmation.filter(purpose="confirmation"))
    assert whole.ends([*letters, *told])
    assert whole.copies([*letters, *told]) == {letter.pk: 1 for letter in [*letters, *told]}
