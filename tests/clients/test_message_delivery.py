"""Sending, against a real mail server: each way in which it can end."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from email.message import EmailMessage
from uuid import UUID

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from clients.actions import delivery, messages
from clients.channels.letter import Letter
from clients.models import AuditEntry, Message, SafeContact
from clients.rules.ledger import LEASE
from tests import factories, smtp_peer
from tests.clients.message_cast import NOW, Clock, Plain, row, scan, talk_to, this_run
from tests.smtp_peer import Behave, Peer

pytestmark = pytest.mark.django_db


@pytest.fixture
def peer(settings: Settings) -> Iterator[Peer]:
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        yield peer


def addresses(count: int) -> list[str]:
    return [f"person{number}@example.org" for number in range(count)]


def rows(count: int) -> list[Message]:
    """Messages to as many persons, in the order in which they are to leave."""
    return [
        row(factories.person(email=email), about_at=NOW + timedelta(days=1, seconds=number))
        for number, email in enumerate(addresses(count))
    ]


def only() -> Message:
    return Message.objects.get()


def test_what_is_due_is_sent_once_and_marked(peer: Peer) -> None:
    message = row(factories.ana())
    assert scan().sent == 1
    assert scan().sent == 0
    assert peer.ids() == [f"<{message.pk}@elm.example.org>"]
    message.refresh_from_db()
    assert (message.state, message.sent_at, message.attempts) == ("sent", NOW, 1)
    assert message.uncertain_at is None


def test_what_is_not_due_yet_stays(peer: Peer) -> None:
    row(factories.ana(), due_at=NOW + timedelta(minutes=1))
    assert scan() == messages.Outcome()
    assert peer.connections == 0


def test_an_audit_entry_tells_of_each_letter_without_a_word_about_the_person(peer: Peer) -> None:
    message = row(factories.ana())
    scan()
    entry = AuditEntry.objects.get(verb="message.sent")
    assert (entry.subject_id, entry.person_id) == (message.pk, message.person_id)
    assert entry.detail == {"purpose": "reminder-120"}
    assert (entry.actor_kind, entry.subject_kind, entry.at) == ("system", "message", NOW)


def test_a_hundred_letters_go_over_one_connection_by_what_begins_first(peer: Peer) -> None:
    rows(100)
    assert scan().sent == 100
    assert peer.connections == 1
    assert peer.to() == addresses(100)


def test_a_server_that_ends_the_connection_after_ten_letters_delays_none(peer: Peer) -> None:
    peer.letters_per_connection = 10
    rows(25)
    assert scan().sent == 25
    assert (peer.connections, len(set(peer.ids())), len(peer.taken)) == (3, 25, 25)


def test_a_scan_stops_at_its_limit(peer: Peer) -> None:
    rows(7)
    assert scan(limit=5).sent == 5
    assert scan(limit=5).sent == 2


def test_a_subject_of_another_kind_is_left_to_those_who_know_it(peer: Peer) -> None:
    row(factories.ana(), subject_kind="of newer code")
    assert scan() == messages.Outcome()
    assert only().state == "planned"


# --- what isn't to go ----------------------------------------------------------------------------


def test_a_subject_that_no_longer_wants_it_cancels_it_with_its_reason(peer: Peer) -> None:
    message = row(factories.ana())
    assert scan(Plain(why_not={message.pk: "moved"})).cancelled == 1
    assert (only().state, only().reason, peer.taken) == ("cancelled", "moved", [])


def test_who_said_no_gets_nothing_also_when_said_after_planning(peer: Peer) -> None:
    message = row(factories.ana())
    factories.safe_contact(message.person, permission=SafeContact.Permission.NO)
    assert scan().suppressed == 1
    assert (only().reason, peer.taken) == ("safe_contact_no", [])


def test_who_has_no_address_is_told_nothing_and_the_desk_sees_why(peer: Peer) -> None:
    row(factories.dana())
    assert scan().suppressed == 1
    assert only().reason == "no_address"


def test_a_channel_that_is_not_there_is_a_reason(peer: Peer) -> None:
    row(factories.ana(), channel="sms")
    assert scan().suppressed == 1
    assert only().reason == "no_channel"


def test_past_its_window_a_message_is_missed(peer: Peer) -> None:
    row(factories.ana(), due_at=NOW - timedelta(hours=13))
    assert scan().missed == 1
    assert (only().reason, peer.taken) == ("window_passed", [])


def test_past_the_start_nothing_is_sent_whatever_its_window_says(peer: Peer) -> None:
    row(factories.ana(), about_at=NOW)
    assert scan().missed == 1
    assert peer.taken == []


def test_what_is_too_late_ends_also_while_the_server_is_down(peer: Peer) -> None:
    peer.stop()
    row(factories.ana(), due_at=NOW - timedelta(hours=13))
    assert scan().missed == 1


def test_a_window_that_ends_while_the_scan_runs_is_kept(peer: Peer) -> None:
    clock = Clock()
    slow, _ = rows(2)
    Message.objects.exclude(pk=slow.pk).update(window_ends_at=NOW + timedelta(seconds=5))
    peer.on_letter = lambda letter: clock.go_on(seconds=6)
    outcome = scan(clock=clock)
    assert (outcome.sent, outcome.missed) == (1, 1)


def test_cancelled_while_another_letter_leaves_it_does_not_go(peer: Peer) -> None:
    first, second = rows(2)
    subject = Plain()

    def cancel_second(letter: EmailMessage) -> None:
        subject.why_not[second.pk] = "cancelled"

    peer.on_letter = cancel_second
    outcome = scan(subject)
    assert (outcome.sent, outcome.cancelled) == (1, 1)
    assert peer.ids() == [f"<{first.pk}@elm.example.org>"]


# --- what servers do -----------------------------------------------------------------------------


def test_a_temporary_refusal_is_tried_again_later_and_later(peer: Peer) -> None:
    peer.behave = Behave.TEMPORARY
    clock = Clock()
    row(factories.ana())
    assert scan(clock=clock).planned == 1
    assert (only().state, only().reason) == ("planned", "smtp_451")
    assert only().next_try_at == NOW + timedelta(seconds=30)
    assert scan(clock=clock) == messages.Outcome()
    clock.go_on(seconds=30)
    scan(clock=clock)
    assert only().next_try_at == clock() + timedelta(seconds=60)
    peer.behave = Behave.ACCEPT
    clock.go_on(seconds=60)
    assert scan(clock=clock).sent == 1
    assert (only().reason, len(peer.taken), only().attempts) == ("", 1, 3)


def test_an_unknown_address_is_tried_once_and_flagged(peer: Peer) -> None:
    peer.behave = Behave.UNKNOWN
    message = row(factories.ana())
    assert scan().failed == 1
    assert (only().state, only().reason, only().attempts) == ("failed", "smtp_550", 1)
    contact = SafeContact.objects.get(person=message.person, channel="email")
    assert contact.bounced_at == NOW
    row(message.person)
    assert scan().suppressed == 1


def test_a_letter_taken_for_spam_fails_without_blaming_the_address(peer: Peer) -> None:
    peer.behave = Behave.SPAM
    row(factories.ana())
    assert scan().failed == 1
    assert only().reason == "smtp_554"
    assert not SafeContact.objects.exclude(bounced_at=None).exists()


def test_one_refused_address_among_a_hundred_delays_none(peer: Peer) -> None:
    peer.by_recipient["person3@example.org"] = Behave.UNKNOWN
    rows(100)
    outcome = scan()
    assert (outcome.sent, outcome.failed, peer.connections) == (99, 1, 1)


def test_one_letter_that_breaks_the_line_among_a_hundred_delays_none(peer: Peer) -> None:
    peer.by_recipient["person3@example.org"] = Behave.DROP
    rows(100)
    outcome = scan()
    assert (outcome.sent, outcome.planned) == (99, 1)
    assert Message.objects.get(state="planned").reason == "dropped"


def test_a_server_that_refuses_connections_costs_one_try_and_all_wait(peer: Peer) -> None:
    peer.stop()
    rows(30)
    assert scan().released == 20  # one claim; the rest was not even taken
    assert set(Message.objects.values_list("state", "attempts")) == {("planned", 0)}
    assert set(Message.objects.values_list("reason", flat=True)) == {"unreachable", ""}


def test_all_leave_in_the_first_scan_after_the_server_is_back(
    peer: Peer, settings: Settings
) -> None:
    settings.EMAIL_PORT = 1  # nobody listens there
    rows(30)
    scan()
    settings.EMAIL_PORT = peer.port
    assert scan().sent == 30


def test_a_silent_server_costs_one_time_out_not_one_for_each_letter(
    peer: Peer, settings: Settings
) -> None:
    settings.EMAIL_TIMEOUT = 0.3
    peer.behave = Behave.HANG
    rows(30)
    started = time.monotonic()
    outcome = scan()
    assert time.monotonic() - started < 3
    assert (outcome.planned, outcome.released) == (1, 19)
    assert Message.objects.exclude(reason="").first() is not None
    assert not Message.objects.filter(state__in=["sending", "claimed", "uncertain"]).exists()


def test_a_line_dropped_after_the_letter_is_uncertain_and_tried_once_more(peer: Peer) -> None:
    peer.behave = Behave.DROP_AFTER_DATA
    clock = Clock()
    message = row(factories.ana())
    assert scan(clock=clock).uncertain == 1
    assert (only().state, only().uncertain_at) == ("uncertain", NOW)
    peer.behave = Behave.ACCEPT
    clock.go_on(seconds=30)
    assert scan(clock=clock).sent == 1
    assert peer.ids() == [f"<{message.pk}@elm.example.org>"] * 2
    assert (only().state, only().uncertain_at) == ("sent", NOW)


def test_silence_after_the_letter_is_uncertain_too(peer: Peer, settings: Settings) -> None:
    settings.EMAIL_TIMEOUT = 1
    peer.behave = Behave.HANG_AFTER_DATA
    rows(3)
    outcome = scan()
    assert (outcome.uncertain, outcome.released, len(peer.taken)) == (1, 2, 1)


def test_a_server_that_never_answers_a_letter_gets_two_copies_at_most(peer: Peer) -> None:
    peer.behave = Behave.DROP_AFTER_DATA
    clock = Clock()
    row(factories.ana())
    for _ in range(5):
        scan(clock=clock)
        clock.go_on(minutes=10)
    assert len(peer.taken) == 2
    assert (only().state, only().reason) == ("failed", "answer_lost")
    assert only().uncertain_at == NOW


def test_a_server_that_breaks_off_every_dialog_is_left_alone_after_three(peer: Peer) -> None:
    peer.behave = Behave.DROP_AFTER_DATA
    rows(30)
    outcome = scan()
    assert (outcome.uncertain, outcome.released, len(peer.taken)) == (3, 17, 3)


def test_without_a_mail_server_in_the_settings_all_wait(settings: Settings) -> None:
    settings.EMAIL_HOST = ""
    row(factories.ana())
    assert scan().released == 1
    assert only().reason == "no_mail_server"


# --- one message that does harm ------------------------------------------------------------------


def test_one_unwritable_letter_among_a_hundred_delays_none_and_is_parked(peer: Peer) -> None:
    clock = Clock()
    poisoned = rows(101)[0]
    subject = Plain(broken={poisoned.pk})
    outcome = scan(subject, clock)
    assert (outcome.sent, outcome.planned) == (100, 1)
    for _ in range(4):
        clock.go_on(minutes=5)
        outcome = scan(subject, clock)
    assert outcome.failed == 1
    poisoned.refresh_from_db()
    assert (poisoned.state, poisoned.reason, poisoned.attempts) == ("failed", "not_writable", 5)
    assert AuditEntry.objects.filter(verb="message.failed", subject_id=poisoned.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_a_subject_whose_query_fails_harms_neither_the_letter_before_nor_those_behind(
    peer: Peer,
) -> None:
    first, second, third = rows(3)

    class Broken(Plain):
        def still_due(self, message: Message) -> str | None:
            if message.pk == second.pk:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1 / 0")
            return None

    outcome = scan(Broken())
    assert (outcome.sent, outcome.planned) == (2, 1)
    assert Counter(Message.objects.values_list("state", flat=True)) == {"sent": 2, "planned": 1}
    assert peer.ids() == [f"<{message.pk}@elm.example.org>" for message in (first, third)]


def test_a_subject_that_cannot_be_read_lets_its_letters_wait_and_loses_none(peer: Peer) -> None:
    class Unreadable(Plain):
        def read(self, messages: Sequence[Message]) -> None:
            raise ConnectionError

        def render(self, message: Message) -> Letter:
            raise LookupError

    rows(2)
    assert scan(Unreadable()).planned == 2
    assert set(Message.objects.values_list("state", flat=True)) == {"planned"}


def test_the_words_of_an_error_are_not_logged(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    message = row(factories.ana())
    scan(Plain(broken={message.pk}))
    assert "KeyError" in caplog.text
    assert "what isn't there" not in caplog.text


# --- leases --------------------------------------------------------------------------------------


def test_a_claim_whose_sender_died_is_taken_up_when_its_lease_has_ended(peer: Peer) -> None:
    clock = Clock()
    row(factories.ana(), state="claimed", reason=this_run(), next_try_at=NOW + LEASE)
    assert scan(clock=clock) == messages.Outcome()
    clock.go_on(seconds=LEASE.total_seconds())
    assert scan(clock=clock).sent == 1
    assert only().uncertain_at is None


def test_a_claim_whose_sender_and_database_both_fell_is_marked_and_sent_with_the_same_id(
    peer: Peer,
) -> None:
    """The database may have forgotten that it was on its way: see docs/adr/0013."""
    row(factories.ana(), state="claimed", reason="run_of_before", next_try_at=NOW)
    outcome = scan()
    assert (outcome.uncertain, outcome.sent) == (1, 1)
    assert (only().state, only().uncertain_at) == ("sent", NOW)


def test_a_row_whose_sender_died_while_sending_is_marked_and_sent_with_the_same_id(
    peer: Peer,
) -> None:
    clock = Clock()
    row(factories.ana(), state="sending", attempts=1, next_try_at=NOW + LEASE)
    assert scan(clock=clock) == messages.Outcome()
    clock.go_on(seconds=LEASE.total_seconds())
    outcome = scan(clock=clock)
    assert (outcome.uncertain, outcome.sent) == (1, 1)
    assert (only().state, only().uncertain_at) == ("sent", clock())
    assert AuditEntry.objects.filter(verb="message.uncertain").count() == 1


def test_a_died_sender_whose_window_is_over_leaves_an_honest_end(peer: Peer) -> None:
    row(
        factories.ana(),
        state="sending",
        due_at=NOW - timedelta(hours=13),
        next_try_at=NOW,
        attempts=1,
    )
    outcome = scan()
    assert (outcome.uncertain, outcome.failed, peer.taken) == (1, 1, [])
    assert only().reason == "answer_lost"


def test_a_process_that_stood_still_sends_nothing_on_a_lease_that_may_be_anothers(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    row(factories.ana())
    real = delivery._unfit

    def then_sleep(*args: object) -> object:
        clock.go_on(seconds=LEASE.total_seconds() - 5)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(delivery, "_unfit", then_sleep)
    assert scan(clock=clock).planned == 1
    assert peer.taken == []


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_jumps_sends_nothing_twice(peer: Peer, jump: timedelta) -> None:
    clock = Clock()
    rows(3)
    peer.on_letter = lambda letter: setattr(clock, "now", NOW + jump)
    scan(clock=clock)
    clock.now = NOW + timedelta(hours=2)
    scan(clock=clock)
    assert sorted(set(peer.ids())) == sorted(peer.ids())
    assert len(peer.taken) == 3


# --- several at once -----------------------------------------------------------------------------


def test_it_refuses_to_run_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        scan()


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_two_senders_at_once_send_each_message_once(peer: Peer) -> None:
    rows(60)
    outcomes = _at_once(4)
    assert sum(outcome.sent for outcome in outcomes) == 60
    assert len(peer.taken) == len(set(peer.ids())) == 60


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_without_the_claim_the_same_race_sends_copies(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the test above proves is the claim's work."""

    def claim_without_locks(scan: delivery._Scan, size: int) -> delivery._Claim:
        due = Message.objects.takeable(scan.clock()).select_related("person__key")
        return delivery._Claim(list(due.order_by("about_at")[:size]), scan.clock())

    def take_without_looking(
        scan: delivery._Scan, claim: delivery._Claim, messages: Sequence[Message], *, wait: bool
    ) -> tuple[set[UUID], dict[UUID, delivery._Contact]]:
        return {message.pk for message in messages}, {}

    def mark_without_care(scan: delivery._Scan, claim: delivery._Claim) -> None:
        Message.objects.filter(pk__in=claim.sent).update(state="sent", sent_at=NOW)

    rows(60)
    monkeypatch.setattr(delivery, "_claim", claim_without_locks)
    monkeypatch.setattr(delivery, "_take", take_without_looking)
    monkeypatch.setattr(delivery, "_mark", mark_without_care)
    _at_once(4)
    assert len(peer.taken) > 60


def _at_once(count: int) -> list[messages.Outcome]:
    """So many scans on threads, begun at one moment."""
    outcomes: list[messages.Outcome] = []
    start = threading.Barrier(count)

    def run() -> None:
        try:
            start.wait()
            outcomes.append(scan())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_a_plan_that_changes_between_claim_and_sending_is_what_counts(peer: Peer) -> None:
    first, second = rows(2)

    def cancel_second(letter: EmailMessage) -> None:
        # On the peer's own thread and connection, while the first letter is under way.
        try:
            messages.replan(
                subject_kind="plain",
                subject_id=second.subject_id,
                wanted=[],
                reason="cancelled",
                by=factories.SYSTEM,
                now=NOW,
            )
        finally:
            connection.close()

    peer.on_letter = cancel_second
    assert scan() == messages.Outcome(sent=1)
    second.refresh_from_db()
    assert (second.state, second.reason) == ("cancelled", "cancelled")
    assert peer.ids() == [f"<{first.pk}@elm.example.org>"]


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_holds_is_waited_for_only_with_empty_hands(peer: Peer) -> None:
    """Its plan is being changed for longer than the other letters take: none waits for it."""
    held, *others = rows(3)
    holding, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Message.objects.select_for_update().get(pk=held.pk)
                holding.set()
                let_go.wait(10)
        finally:
            connection.close()

    class Releasing(Plain):
        def still_due(self, message: Message) -> str | None:
            if message.pk == others[-1].pk:
                let_go.set()
            return super().still_due(message)

    # It is claimed before somebody locks it, as when a client cancels in that very second.
    real = delivery._claim

    def claim_then_lock(scan: delivery._Scan, size: int) -> delivery._Claim:
        claim = real(scan, size)
        if claim.messages:
            thread.start()
            assert holding.wait(10)
        return claim

    thread = threading.Thread(target=hold)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery, "_claim", claim_then_lock)
        outcome = scan(Releasing(), limit=3)
    thread.join()
    assert outcome.sent == 3
    assert peer.ids()[-1] == f"<{held.pk}@elm.example.org>"
