"""One message that nobody can write, and addresses that servers refuse, among good ones."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from pytest_django import Settings

from clients.models import Message, Person
from practice.queries import letters
from tests import factories as make
from tests import smtp_peer
from tests.clients.message_cast import talk_to
from tests.faults.accelerated import Accelerated, fates, number, reminders, taken
from tests.smtp_peer import Behave, Peer

pytestmark = [pytest.mark.faults, pytest.mark.django_db]

GOOD = 100
MINUTE = timedelta(minutes=1)
# What begins first is sent first: these stand before all others.
BAD = {
    "poisoned@example.org": None,
    "unknown@example.org": Behave.UNKNOWN,
    "later@example.org": Behave.TEMPORARY,
    "spam@example.org": Behave.SPAM,
    "breaks@example.org": Behave.DROP,
}


@pytest.fixture
def peer(settings: Settings) -> Iterator[Peer]:
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        yield peer


def practice_with(peer: Peer, *, good: int) -> Accelerated:
    """So many reminders beside the bad ones, all due now; no clock knows the first one's zone."""
    practice = Accelerated(peer, make.NOW - timedelta(days=1), 24 * 60)
    first = make.NOW + timedelta(hours=12)
    emails = [*BAD, *(f"person{place}@example.org" for place in range(good))]
    booked = [practice.book(first + 5 * place * MINUTE, to=to) for place, to in enumerate(emails)]
    practice.confirm()
    poisoned = booked[0].attendances.get().person_id
    Person.objects.filter(pk=poisoned).update(zone="Mars/Olympus_Mons")
    peer.by_recipient.update({to: how for to, how in BAD.items() if how})
    practice.clock.now = make.NOW
    Message.objects.filter(purpose__startswith="reminder").update(
        due_at=make.NOW, next_try_at=make.NOW
    )
    return practice


def test_none_of_the_good_ones_waits_and_each_bad_one_ends_with_its_reason(peer: Peer) -> None:
    practice = practice_with(peer, good=GOOD)
    assert practice.scan().sent == GOOD
    good = reminders()[len(BAD) :]
    assert fates(good) == {("sent", ""): GOOD}
    assert [one for one in taken(peer) if one in set(map(number, good))] == list(map(number, good))
    practice.go_on(20 * MINUTE)
    bad = reminders()[: len(BAD)]
    assert [(row.state, row.reason) for row in bad] == [
        ("failed", "not_writable"),
        ("failed", "smtp_550"),
        ("planned", "smtp_451"),
        ("failed", "smtp_554"),
        ("planned", "dropped"),
    ]
    peer.by_recipient.clear()
    practice.go_on(5 * MINUTE)
    assert fates(reminders())[("sent", "")] == GOOD + 2
    practice.check()


def test_what_is_not_caught_ends_the_scan_before_all_the_good_ones(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the first letter raises what no scan outlives."""
    practice = practice_with(peer, good=5)

    class Fatal(BaseException):
        pass

    def fall(*args: object) -> None:
        raise Fatal

    monkeypatch.setattr(letters.AttendanceLetters, "render", fall)
    with pytest.raises(Fatal):
        practice.scan()
    assert peer.taken == []
