"""PostgreSQL killed with -9 under load, bookings and letters: it is all there afterwards."""

import pytest

from clients.models import Message
from clients.rules.ledger import LEASE
from config.children import wait_until
from tests.faults.load import Load
from tests.faults.whole_site import LONG, POSTGRES, WholeSite

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults"), pytest.mark.timeout(600)]

KILLS = 4 if LONG else 1
LETTERS = 300 if LONG else 60


def test_killed_under_load_it_loses_nothing_acknowledged_and_the_site_comes_back_by_itself(
    whole: WholeSite,
) -> None:
    """Meanwhile all are told to come back, and when: no page is a 500."""
    talk = whole.talk()
    letters = whole.letters(whole.talk(), LETTERS)
    with Load(whole, talk) as load:
        for _ in range(KILLS):
            assert load.goes_on()
            seen = len(whole.peer.taken)
            whole.ring()
            assert wait_until(lambda seen=seen: len(whole.peer.taken) > seen, seconds=60)  # type: ignore[misc]
            whole.kill(POSTGRES)
        assert load.goes_on()
    load.check(refusals={503})
    assert {answer.status for answer in load.answers} == {201, 409, 503}
    assert whole.site.get("/readyz") == 200
    check_letters(whole, letters)


def check_letters(whole: WholeSite, letters: list[Message]) -> None:
    """None is lost; copies are one for each kill at most, and marked."""
    # The senders live: they mark what left, and no lease may end before.
    whole.ring()
    assert whole.ends(letters, seconds=LEASE.total_seconds() + 60)
    copies = whole.copies(letters)
    marked = Message.objects.filter(pk__in=copies).exclude(uncertain_at=None)
    assert set(copies) == {letter.pk for letter in letters}
    assert sum(copies.values()) - len(letters) <= KILLS
    assert {letter for letter, times in copies.items() if times > 1} <= {one.pk for one in marked}
