"""Send what is due: claim, look again, say `sending`, send, mark. The rows are the queue."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import DatabaseError, connection, transaction
from django.db.models import Q

from clients.actions import audit
from clients.channels.letter import Answer, Channel, Subject, Unreachable
from clients.channels.registry import CHANNELS
from clients.models import Message, SafeContact
from clients.rules import ledger
from clients.rules.actors import Actor
from clients.rules.ledger import Fate, Heard

logger = logging.getLogger(__name__)

_BATCH = 20
# A server that breaks off this many dialogs in a row is left alone until the next scan.
_STRIKES = 3
# Rows that are too late are ended in portions of this size.
_LATE = 1_000

# What was read with a claim is believed for so long; then the rest of it is claimed anew.
_FRESH = timedelta(seconds=5)

# The three statements of every letter are written out, since building them costs more than
# running them. The row is ours while it is claimed until the moment that we set.
_LOCK = """
SELECT c.permission, c.bounced_at
  FROM duet_clients_message m
  LEFT JOIN duet_clients_safecontact c ON c.person_id = m.person_id AND c.channel = m.channel
 WHERE m.id = %s AND m.state = 'claimed' AND m.next_try_at = %s
   FOR UPDATE OF m"""
_SENDING = """
UPDATE duet_clients_message
   SET state = 'sending', attempts = attempts + 1, next_try_at = %s WHERE id = %s"""
# With the entry that `audit.record` would write, in the same statement.
_SENT = """
WITH sent AS (
  UPDATE duet_clients_message SET state = 'sent', reason = '', sent_at = %(now)s
   WHERE id = %(id)s AND state = 'sending' AND next_try_at = %(until)s
  RETURNING id, person_id, purpose)
INSERT INTO duet_clients_auditentry
       (id, at, actor_kind, actor_id, verb, subject_kind, subject_id, person_id, detail)
SELECT %(entry)s, %(now)s, %(actor_kind)s, %(actor_id)s, 'message.sent', 'message', id, person_id,
       jsonb_build_object('purpose', purpose)
  FROM sent"""

_AUDITED = {
    ledger.FAILED: "message.failed",
    ledger.UNCERTAIN: "message.uncertain",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many rows a scan brought where.

    `planned`: to be tried again later. `released`: not tried, since their channel is down.
    """

    sent: int = 0
    planned: int = 0
    failed: int = 0
    missed: int = 0
    suppressed: int = 0
    cancelled: int = 0
    uncertain: int = 0
    released: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Claim:
    """Rows that are ours until `until`, in the order of sending, as they were at `made_at`."""

    messages: Sequence[Message]
    made_at: datetime

    @property
    def until(self) -> datetime:
        return self.made_at + ledger.LEASE


@dataclass(frozen=True, slots=True)
class _Ready:
    """A row in `sending`, and what is to leave."""

    message: Message
    to: str
    wire: bytes
    until: datetime


@dataclass(frozen=True, slots=True)
class _Told:
    """A row in `sending`, and what its channel heard."""

    message: Message
    answer: Answer


@dataclass(slots=True)
class _Scan:
    """What one scan knows: its channels, those that are down, and what it has done so far."""

    subjects: Mapping[str, Subject]
    by: Actor
    clock: Callable[[], datetime]
    channels: dict[str, Channel] = field(default_factory=dict)
    down: dict[str, str] = field(default_factory=dict)
    strikes: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def ready(self, kind: str) -> bool:
        """Whether letters of this channel can go now; one that nobody knows is no obstacle."""
        if kind in self.down:
            return False
        if kind not in CHANNELS:
            return True
        if kind not in self.channels:
            self.channels[kind] = CHANNELS[kind]()
        try:
            self.channels[kind].open()
        except Unreachable as error:
            logger.warning("Channel %s is down: %s", kind, error.code)
            self.down[kind] = error.code
        return kind not in self.down

    def is_old(self, claim: _Claim) -> bool:
        """Whether what was read with a claim may have changed since: addresses, places."""
        return self.clock() > claim.made_at + _FRESH

    def note(self, kind: str, answer: Answer) -> None:
        """Learn from an answer whether the channel's server is worth another dialog."""
        if answer.heard not in {Heard.UNREACHABLE, Heard.LOST}:
            self.strikes[kind] = 0
            return
        self.strikes[kind] += 1
        if answer.hung or self.strikes[kind] >= _STRIKES:
            self.down[kind] = answer.code


def send_due(
    *,
    subjects: Mapping[str, Subject],
    by: Actor,
    now: datetime,
    clock: Callable[[], datetime],
    limit: int = 1_000,
) -> Outcome:
    """Send all that is due, at most `limit` messages, and say what became of them.

    Any number of these may run at once. It refuses (RuntimeError) to run inside a transaction:
    `sending` has to be committed before the first byte leaves. What one message does, short of
    taking the database away, delays no other; a dead server costs one time-out.
    """
    scan = _Scan(subjects=subjects, by=by, clock=clock)
    _mark_uncertain(scan, now)
    _mark_late(scan, now)
    try:
        while limit > 0:
            claim = _claim(scan, min(_BATCH, limit))
            if not claim.messages:
                break
            limit -= len(claim.messages)
            _work_off(scan, claim)
    finally:
        for channel in scan.channels.values():
            channel.close()
    return Outcome(**scan.counts)


# --- before anything is sent -------------------------------------------------------------------


@transaction.atomic(durable=True)
def _mark_uncertain(scan: _Scan, now: datetime) -> None:
    """Mark rows whose sender died over them, or was cut off from the database.

    The trade-off, made here: such a row may or may not have gone out, and nobody can ask. Twice
    is better than never, so it is sent again with the same Message-ID: one extra copy at most for
    each killed process. `uncertain_at` stays for good, so that the desk can say so.
    """
    left = Message.objects.filter(state=ledger.SENDING, next_try_at__lte=now)
    for message in left.select_for_update(skip_locked=True):
        _bring(scan, message, Fate(ledger.AFTER_LEASE[message.state], "sender_died", now), now)


@transaction.atomic(durable=True)
def _mark_late(scan: _Scan, now: datetime) -> None:
    """End the rows that are too late; also while no server can be reached."""
    late = Message.objects.takeable(now).filter(Q(window_ends_at__lte=now) | Q(about_at__lte=now))
    for message in late.exclude(state=ledger.SENDING).select_for_update(skip_locked=True)[:_LATE]:
        fate = _too_late(message, now)
        if fate is not None:
            _bring(scan, message, fate, now)


@transaction.atomic(durable=True)
def _claim(scan: _Scan, size: int) -> _Claim:
    """Take up to `size` rows whose moment has come; what begins first goes first.

    Subjects that this scan doesn't know are left to one that does: newer code may have planned.
    """
    now = scan.clock()
    due = (
        Message.objects.takeable(now)
        .filter(subject_kind__in=list(scan.subjects))
        .exclude(state=ledger.SENDING)
        .exclude(channel__in=list(scan.down))
        .select_related("person__key")
        .order_by("about_at", "due_at")
        .select_for_update(of=("self",), skip_locked=True)
    )
    claim = _Claim(list(due[:size]), now)
    Message.objects.filter(pk__in=[message.pk for message in claim.messages]).update(
        state=ledger.CLAIMED, next_try_at=claim.until
    )
    for message in claim.messages:
        message.state, message.next_try_at = Message.State.CLAIMED, claim.until
    return claim


# --- one claim ---------------------------------------------------------------------------------


def _work_off(scan: _Scan, claim: _Claim) -> None:
    """Send the rows of a claim one by one.

    What became of a letter is written in the transaction that takes up the next: one commit for
    each letter, and never more than one row in `sending`, which is all that a kill can double.
    """
    _read_subjects(scan, claim)
    told: _Told | None = None
    locked: list[Message] = []
    for place, message in enumerate(claim.messages):
        if place > 0 and scan.is_old(claim):
            break
        if not scan.ready(message.channel):
            continue
        taken = _step(scan, claim, message, told)
        if taken is None:
            locked.append(message)
        told = _send(scan, taken) if isinstance(taken, _Ready) else None
    _settle_alone(scan, told)
    for message in locked:
        # Somebody was changing its plan. With nothing else in hand, waiting for them is safe.
        if not scan.is_old(claim) and scan.ready(message.channel):
            taken = _step(scan, claim, message, None, wait=True)
            _settle_alone(scan, _send(scan, taken) if isinstance(taken, _Ready) else None)
    _give_back(scan, claim)


def _read_subjects(scan: _Scan, claim: _Claim) -> None:
    """Let the subjects read what their letters need, for all of a claim at once."""
    for kind, subject in scan.subjects.items():
        try:
            subject.read([message for message in claim.messages if message.subject_kind == kind])
        except Exception as error:
            # Its letters will each fail to be written, and wait; those of other kinds go on.
            logger.error("Subjects of kind %s can't be read: %s", kind, type(error).__name__)


def _step(
    scan: _Scan, claim: _Claim, message: Message, told: _Told | None, *, wait: bool = False
) -> "_Ready | Fate | None":
    """Write what became of the letter before, and take up the next; see `_take`."""
    try:
        with _together(scan):
            _settle(scan, told)
            return _take(scan, claim, message, wait=wait)
    except DatabaseError as error:
        logger.error("Message %s can't be looked at: %s", message.pk, type(error).__name__)
    # The letter before isn't to suffer for it, and the connection may have been at fault.
    _settle_alone(scan, told)
    try:
        with _together(scan):
            return _take(scan, claim, message, wait=wait)
    except DatabaseError:
        # At worst the row stays claimed until its lease ends.
        with suppress(DatabaseError), _together(scan):
            return _unwritable(scan, message)
    return None


@contextmanager
def _together(scan: _Scan) -> Iterator[None]:
    """A transaction, and the counts of what happens in it: both hold, or neither."""
    counts = scan.counts.copy()
    try:
        with transaction.atomic(durable=True):
            yield
    except BaseException:
        scan.counts = counts
        raise


def _take(scan: _Scan, claim: _Claim, message: Message, *, wait: bool) -> "_Ready | Fate | None":
    """Lock a row, look at its subject again, and set it to `sending`.

    Returns what is to leave, or the row's fate if it isn't to go; None if the row is no longer
    ours (a changed plan or an ended lease takes it away) or, unless told to wait, somebody else
    holds it just now.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK if wait else f"{_LOCK} SKIP LOCKED", [message.pk, claim.until])
        contact = cursor.fetchone()
    if contact is None:
        return None
    now = scan.clock()
    try:
        taken = _unfit(scan, message, contact, now) or _written(scan, message, now)
    except DatabaseError:
        raise
    except Exception as error:
        # Whatever the subject or a template does: this row waits, the others go on. The text of
        # the error isn't logged, since it may quote a person.
        logger.error("Message %s can't be written: %s", message.pk, type(error).__name__)
        return _unwritable(scan, message)
    if isinstance(taken, Fate):
        _bring(scan, message, taken, now)
        return taken
    # Set on the object only when the transaction is through: see `_send`.
    with connection.cursor() as cursor:
        cursor.execute(_SENDING, [taken.until, message.pk])
    return taken


def _unfit(
    scan: _Scan, message: Message, contact: tuple[str | None, datetime | None], now: datetime
) -> Fate | None:
    """Why a message isn't to go after all; None while it is."""
    permission, bounced_at = contact
    late = _too_late(message, now)
    if late is not None:
        return late
    why = scan.subjects[message.subject_kind].still_due(message)
    if why is not None:
        return Fate(ledger.CANCELLED, why)
    channel = scan.channels.get(message.channel)
    if channel is None:
        return Fate(ledger.SUPPRESSED, "no_channel")
    return ledger.may_write(
        permission=permission,
        bounced=bounced_at is not None,
        has_address=channel.address(message.person) is not None,
    )


def _written(scan: _Scan, message: Message, now: datetime) -> _Ready:
    letter = scan.subjects[message.subject_kind].render(message)
    wire = scan.channels[message.channel].write(letter, now)
    return _Ready(message, letter.to, wire, now + ledger.LEASE)


def _send(scan: _Scan, ready: _Ready) -> _Told:
    """Speak to the server; nothing is locked meanwhile."""
    message = ready.message
    message.state, message.next_try_at = Message.State.SENDING, ready.until
    message.attempts += 1
    if scan.clock() > ready.until - ledger.DIALOG:
        # This process stood still: another one may take the row at any moment.
        return _Told(message, Answer(Heard.UNREACHABLE, "stalled"))
    answer = scan.channels[message.channel].send(ready.to, ready.wire)
    scan.note(message.channel, answer)
    return _Told(message, answer)


def _settle_alone(scan: _Scan, told: _Told | None) -> None:
    """Write what became of a letter now. A connection that broke meanwhile is opened anew."""
    try:
        with _together(scan):
            _settle(scan, told)
    except DatabaseError:
        with _together(scan):
            _settle(scan, told)


def _settle(scan: _Scan, told: _Told | None) -> None:
    """Write what became of a letter. A row that was taken from us meanwhile is left as it is."""
    if told is None:
        return
    now = scan.clock()
    message, answer = told.message, told.answer
    fate = ledger.after(
        answer.heard,
        code=answer.code,
        attempts=message.attempts,
        uncertain=message.uncertain_at is not None,
        now=now,
        window_ends_at=message.window_ends_at,
    )
    if fate.state == ledger.SENT:
        _mark_sent(scan, message, now)
    else:
        _bring(scan, message, fate, now)
    if answer.address_dead:
        SafeContact.objects.filter(
            person=message.person_id, channel=message.channel, bounced_at=None
        ).update(bounced_at=now)


def _mark_sent(scan: _Scan, message: Message, now: datetime) -> None:
    values: dict[str, datetime | UUID | str | None] = {
        "id": message.pk,
        "until": message.next_try_at,
        "now": now,
        "entry": uuid4(),
        "actor_kind": scan.by.kind,
        "actor_id": scan.by.id,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SENT, values)
        scan.counts[ledger.SENT] += cursor.rowcount


def _give_back(scan: _Scan, claim: _Claim) -> None:
    """Give back at once what isn't sent now: its channel is down, or the claim has grown old."""
    left = Message.objects.filter(
        pk__in=[message.pk for message in claim.messages],
        state=ledger.CLAIMED,
        next_try_at=claim.until,
    )
    for kind, code in scan.down.items():
        scan.counts["released"] += left.filter(channel=kind).update(
            state=ledger.PLANNED, next_try_at=scan.clock(), reason=code
        )
    if scan.is_old(claim):
        left.update(state=ledger.PLANNED, next_try_at=scan.clock())


# --- one row -----------------------------------------------------------------------------------


def _too_late(message: Message, now: datetime) -> Fate | None:
    return ledger.too_late(
        now=now,
        window_ends_at=message.window_ends_at,
        about_at=message.about_at,
        uncertain=message.uncertain_at is not None,
    )


def _unwritable(scan: _Scan, message: Message) -> Fate:
    now = scan.clock()
    fate = ledger.unwritable(
        attempts=message.attempts + 1, now=now, window_ends_at=message.window_ends_at
    )
    _bring(scan, message, fate, now, tried=True)
    return fate


def _bring(
    scan: _Scan, message: Message, fate: Fate, now: datetime, *, tried: bool = False
) -> None:
    """Change a row, if it still is as we know it; count and tell what became of it."""
    ledger.check_transition(message.state, fate.state)
    changes: dict[str, object] = {"state": fate.state, "reason": fate.reason}
    if fate.next_try_at is not None:
        changes["next_try_at"] = fate.next_try_at
    if tried:
        changes["attempts"] = message.attempts + 1
    if fate.state == ledger.UNCERTAIN:
        changes["uncertain_at"] = message.uncertain_at or now
    known = Message.objects.filter(
        pk=message.pk, state=message.state, next_try_at=message.next_try_at
    )
    if not known.update(**changes):
        return
    scan.counts[fate.state] += 1
    if fate.state in _AUDITED:
        audit.record(
            verb=_AUDITED[fate.state],
            subject_kind="message",
            subject_id=message.pk,
            person_id=message.person_id,
            by=scan.by,
            now=now,
            detail={"purpose": message.purpose, "reason": fate.reason},
        )
