"""Somebody changes the plan while a sender has the row in hand: each order in which it can happen.

Two connections, stopped where it matters. Either the sender sees the change and sends nothing, or
whoever makes the change is told that a message may be on its way: see docs/adr/0013.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from email.message import EmailMessage
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from clients.actions import delivery, messages
from clients.actions.messages import Outcome, Replanned
from clients.models import Message, Person, SafeContact
from tests import factories, smtp_peer
from tests.clients.message_cast import NOW, Plain, row, scan, talk_to
from tests.smtp_peer import Peer

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]
Other = Callable[[Callable[[], Any]], "Future[Any]"]


class Standing(Plain):
    """A subject that is cancelled when its person's zone says so: something that is committed."""

    def still_due(self, message: Message) -> str | None:
        gone = Person.objects.filter(pk=message.person_id, zone="cancelled").exists()
        return "seen" if gone else None


@pytest.fixture
def peer(settings: Settings) -> Iterator[Peer]:
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        yield peer


@pytest.fixture
def other() -> Iterator[Other]:
    """Runs steps of one long transaction on a thread and a connection of their own."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(transaction.set_autocommit, False).result()
        yield thread.submit
        thread.submit(lambda: connection.close()).result()  # that of the thread


@pytest.fixture
def message(peer: Peer) -> Message:
    return row(factories.ana())


def step(monkeypatch: pytest.MonkeyPatch, *, before: Any = None, after: Any = None) -> None:
    """Call these once, right before the sender takes its row and right after it has done so."""
    real, left = delivery._take, [before, after]

    def take(*args: Any, **options: Any) -> Any:
        (left[0] or int)()
        taken = real(*args, **options)
        (left[1] or int)()
        left[:] = None, None
        return taken

    monkeypatch.setattr(delivery, "_take", take)


def cancel_subject(message: Message) -> None:
    Person.objects.filter(pk=message.person_id).update(zone="cancelled")


def replan(message: Message) -> Replanned:
    return messages.replan(
        subject_kind="plain",
        subject_id=message.subject_id,
        wanted=[],
        reason="planned",
        by=factories.SYSTEM,
        now=NOW,
    )


def when_somebody_waits(then: Callable[[], object]) -> None:
    """Do this as soon as a connection waits for a lock of ours."""
    until = time.monotonic() + 10
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                break
        else:
            raise AssertionError("Nobody waits.")
    then()


def test_a_cancellation_before_the_row_is_taken_is_final(
    message: Message, peer: Peer, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def cancel() -> None:
        cancel_subject(message)
        told.append(replan(message))
        transaction.commit()

    step(monkeypatch, before=lambda: other(cancel).result())
    assert scan(Standing()) == Outcome()
    assert (told, peer.taken) == ([Replanned(cancelled=1)], [])


def test_a_cancellation_that_holds_the_row_is_waited_for_and_final(
    message: Message, peer: Peer, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def cancel() -> None:
        cancel_subject(message)
        told.append(replan(message))

    def hold() -> None:
        other(cancel).result()
        other(lambda: when_somebody_waits(transaction.commit))

    step(monkeypatch, before=hold)
    assert scan(Standing()) == Outcome()
    assert (told, peer.taken) == ([Replanned(cancelled=1)], [])


def test_a_cancellation_that_is_not_committed_when_we_look_finds_the_letter_on_its_way(
    message: Message, peer: Peer, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has written its subject, which we can't see, and not yet looked at the rows."""
    told = []

    def look(letter: EmailMessage) -> None:
        told.append(other(lambda: replan(message)).result())
        other(transaction.commit).result()

    step(monkeypatch, before=lambda: other(lambda: cancel_subject(message)).result())
    peer.on_letter = look
    assert scan(Standing()) == Outcome(sent=1)
    assert told == [Replanned(on_its_way=1)]


def test_a_cancellation_after_the_row_was_taken_is_seen_and_yet_told_that_it_may_arrive(
    message: Message, peer: Peer, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def cancel() -> None:
        cancel_subject(message)
        told.append(replan(message))
        transaction.commit()

    step(monkeypatch, after=lambda: other(cancel).result())
    assert scan(Standing()) == Outcome(cancelled=1)
    assert (told, peer.taken) == ([Replanned(on_its_way=1)], [])
    assert Message.objects.get().reason == "seen"


def test_without_the_look_after_taking_the_same_cancellation_comes_too_late(
    message: Message, peer: Peer, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a sender that looks first, and says afterwards that it sends."""

    class LooksBefore(Standing):
        def render(self, message: Message) -> Any:
            self.seen = super().still_due(message)
            return super().render(message)

        def still_due(self, message: Message) -> str | None:
            return self.seen

    def cancel_without_a_plan() -> None:
        cancel_subject(message)
        transaction.commit()

    step(monkeypatch, before=lambda: other(cancel_without_a_plan).result())
    assert scan(LooksBefore()) == Outcome(sent=1)


def say_no(message: Message) -> None:
    """As `say_safe_contact`: the word first, then the rows, which stay as they are."""
    SafeContact.objects.filter(person=message.person_id).update(permission="no")
    list(Message.objects.filter(pk=message.pk).select_for_update())


def hold_a_no(message: Message, other: Other) -> Callable[[], None]:
    def hold() -> None:
        other(lambda: say_no(message)).result()
        other(lambda: when_somebody_waits(transaction.commit))

    return hold


def test_a_no_that_is_committed_while_we_wait_for_its_row_is_heard(
    message: Message, peer: Peer, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.safe_contact(message.person)
    step(monkeypatch, before=hold_a_no(message, other))
    assert scan() == Outcome(suppressed=1)
    assert peer.taken == []


def test_a_no_read_in_the_statement_that_waits_is_that_of_before(
    message: Message, peer: Peer, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the contact read before the row is ours."""
    factories.safe_contact(message.person)
    real = delivery._executed

    def contacts_first(statements: Sequence[str], values: Mapping[str, object]) -> list[list[Any]]:
        if statements[-1] != delivery._CONTACTS:
            return real(statements, values)
        *rest, contacts, taken = real([*statements[:-2], statements[-1], statements[-2]], values)
        return [*rest, taken, contacts]

    monkeypatch.setattr(delivery, "_executed", contacts_first)
    step(monkeypatch, before=hold_a_no(message, other))
    assert scan() == Outcome(sent=1)


def test_a_plan_that_takes_two_rows_crosswise_is_waited_for_without_a_deadlock(
    message: Message, peer: Peer, other: Other
) -> None:
    """It holds the row of the letter that has just left, and then wants the next one's."""
    second = row(message.person, about_at=message.about_at, purpose="second")

    def lock(*, one: Message) -> None:
        Message.objects.select_for_update().get(pk=one.pk)

    def hold(letter: EmailMessage) -> None:
        if not peer.taken:
            mine, others = (
                (message, second) if str(message.pk) in letter["Message-ID"] else (second, message)
            )
            other(lambda: lock(one=mine)).result()
            other(lambda: when_somebody_waits(lambda: lock(one=others)))
            ends.append(other(transaction.commit))

    ends: list[Future[Any]] = []
    peer.on_letter = hold
    assert scan() == Outcome(sent=2)
    ends[0].result()
    assert set(Message.objects.values_list("state", "attempts")) == {("sent", 1)}
