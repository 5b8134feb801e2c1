"""Send what is due: claim, say `sending`, look again, send, mark. The rows are the queue."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import Error, connection, transaction
from django.db.models import Q
from django.db.models.expressions import RawSQL
from psycopg import ClientCursor

from clients.actions import audit
from clients.channels.letter import Answer, Channel, Subject, Unreachable
from clients.channels.registry import CHANNELS
from clients.models import Message, SafeContact
from clients.rules import ledger
from clients.rules.actors import Actor
from clients.rules.ledger import Fate, Heard

logger = logging.getLogger(__name__)
_T = TypeVar("_T")

# Rows of one claim: twice as many where the last ones left quickly, since a claim has its cost.
_FEWEST, _MOST = 20, 160
_QUICK = timedelta(seconds=1)
# A server that breaks off this many dialogs in a row is left alone until the next scan.
_STRIKES = 3
# Rows that are too late are ended in portions of this size.
_LATE = 1_000

# What was read with a claim is believed for so long; then the rest of it is claimed anew.
_FRESH = timedelta(seconds=5)

# Seconds that a sender waits for a database that went away: it knows what has left meanwhile, and
# nobody else may take its rows before its lease ends.
_PATIENCE = 90.0
_PAUSE = 0.5

# Since when the server has not lost a commit that it had not yet written to disk: statistics are
# set back by every recovery from a crash, and by no orderly restart. Kept with each claim.
_RUN = "(SELECT 'run_' || extract(epoch FROM stats_reset) FROM pg_stat_bgwriter)"
_THIS_RUN = RawSQL(_RUN, [])  # noqa: S611 - nothing in it comes from outside
# Rows that may have gone out, although they don't say so, once their lease has ended.
_DOUBTFUL = Q(state=ledger.SENDING) | Q(state=ledger.CLAIMED) & ~Q(reason=_THIS_RUN)

# The statements of every letter are written out, since building them costs more than running
# them. A row is ours while it is claimed or sending until the moment that our claim has set.
_OURS = "state IN ('claimed', 'sending') AND next_try_at = %(until)s"
# In the order in which a changing plan locks them.
_LOCK = f"""
SELECT FROM duet_clients_message WHERE id = ANY(%(sent)s::uuid[]) AND {_OURS}
 ORDER BY id FOR UPDATE"""
# The entry is the one that `audit.record` would write.
_MARK = f"""
WITH sent AS (
  UPDATE duet_clients_message SET state = 'sent', reason = '', sent_at = %(now)s
   WHERE id = ANY(%(sent)s::uuid[]) AND {_OURS} RETURNING id, person_id, purpose)
INSERT INTO duet_clients_auditentry
       (id, at, actor_kind, actor_id, verb, subject_kind, subject_id, person_id, detail)
SELECT gen_random_uuid(), %(now)s, %(actor_kind)s, %(actor_id)s, 'message.sent', 'message', id,
       person_id, jsonb_build_object('purpose', purpose)
  FROM sent"""  # noqa: S608
# The commit alone does not wait for the disk; the next one that does covers it.
_TAKE = f"""
UPDATE duet_clients_message m SET state = 'sending', reason = '', attempts = attempts + 1
  FROM (SELECT id FROM duet_clients_message
         WHERE id = ANY(%(next)s::uuid[]) AND {_OURS} FOR UPDATE) free
 WHERE m.id = free.id
RETURNING m.id, set_config('synchronous_commit', 'off', true)"""  # noqa: S608
_TAKE_FREE = _TAKE.replace("FOR UPDATE", "FOR UPDATE SKIP LOCKED")
_CONTACTS = """
SELECT person_id, permission, bounced_at FROM duet_clients_safecontact
 WHERE person_id = ANY(%(persons)s::uuid[]) AND channel = %(channel)s"""
_Contact = tuple[str | None, datetime | None]

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
    """Rows that are ours until `until`, in the order of sending, as they were at `made_at`.

    `sent` are those that left, `unmarked` those of them whose rows do not say so yet.
    """

    messages: Sequence[Message]
    made_at: datetime
    sent: list[UUID] = field(default_factory=list)
    unmarked: list[UUID] = field(default_factory=list)

    @property
    def until(self) -> datetime:
        return self.made_at + ledger.LEASE


@dataclass(frozen=True, slots=True)
class _Ready:
    """What is to leave."""

    message: Message
    to: str
    wire: bytes


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
    limit: int = 10_000,
) -> Outcome:
    """Send all that is due, at most `limit` messages, and say what became of them.

    Any number of these may run at once. It refuses (RuntimeError) to run inside a transaction:
    `sending` has to be committed before the first byte leaves. What one message does, short of
    taking the database away, delays no other; a dead server costs one time-out.
    """
    scan = _Scan(subjects=subjects, by=by, clock=clock)
    _mark_uncertain(scan, now)
    _mark_late(scan, now)
    size = _FEWEST
    try:
        while limit > 0:
            claim = _claim(scan, min(size, limit))
            if not claim.messages:
                break
            limit -= len(claim.messages)
            _work_off(scan, claim)
            quick = scan.clock() < claim.made_at + _QUICK
            size = min(2 * size, _MOST) if quick else _FEWEST
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
    each killed process. `uncertain_at` stays for good, so that the desk can say so. Where the
    database crashed as well, what a dead sender had claimed may have gone out too.
    """
    left = Message.objects.filter(_DOUBTFUL, next_try_at__lte=now)
    for message in left.select_for_update(skip_locked=True):
        _change(scan, message, Fate(ledger.UNCERTAIN, "sender_died", now), now)


@transaction.atomic(durable=True)
def _mark_late(scan: _Scan, now: datetime) -> None:
    """End the rows that are too late; also while no server can be reached."""
    late = Message.objects.takeable(now).filter(Q(window_ends_at__lte=now) | Q(about_at__lte=now))
    for message in late.exclude(_DOUBTFUL).select_for_update(skip_locked=True)[:_LATE]:
        fate = _too_late(message, now)
        if fate is not None:
            _change(scan, message, fate, now)


@transaction.atomic(durable=True)
def _claim(scan: _Scan, size: int) -> _Claim:
    """Take up to `size` rows whose moment has come; what begins first goes first.

    Subjects that this scan doesn't know are left to one that does: newer code may have planned.
    """
    now = scan.clock()
    due = (
        Message.objects.takeable(now)
        .filter(subject_kind__in=list(scan.subjects))
        .exclude(_DOUBTFUL)
        .exclude(channel__in=list(scan.down))
        .select_related("person__key")
        .order_by("about_at", "due_at")
        .select_for_update(of=("self",), skip_locked=True)
    )
    claim = _Claim(list(due[:size]), now)
    Message.objects.filter(pk__in=[message.pk for message in claim.messages]).update(
        state=ledger.CLAIMED,
        next_try_at=claim.until,
        reason=RawSQL(_RUN, []),  # noqa: S611
    )
    for message in claim.messages:
        message.state, message.next_try_at = Message.State.CLAIMED, claim.until
    return claim


# --- one claim ---------------------------------------------------------------------------------


def _work_off(scan: _Scan, claim: _Claim) -> None:
    """Send the rows of a claim.

    What became of a letter is written with the statement that takes up the next, so that never
    more of them are in `sending` than their channel sends at once: all that a kill can double.
    """
    _read_subjects(scan, claim)
    held: list[Message] = []
    for flight in _flights(scan, claim):
        held += _send(scan, claim, flight)
    _mark(scan, claim)
    for message in held:
        # Somebody was changing its plan. With nothing else in hand, waiting for them is safe.
        if not scan.is_old(claim) and scan.ready(message.channel):
            _send(scan, claim, [message], wait=True)
            _mark(scan, claim)
    _give_back(scan, claim)


def _read_subjects(scan: _Scan, claim: _Claim) -> None:
    """Let the subjects read what their letters need, for all of a claim at once."""
    for kind, subject in scan.subjects.items():
        try:
            subject.read([message for message in claim.messages if message.subject_kind == kind])
        except Exception as error:
            # Its letters will each fail to be written, and wait; those of other kinds go on.
            logger.error("Subjects of kind %s can't be read: %s", kind, type(error).__name__)


def _flights(scan: _Scan, claim: _Claim) -> Iterator[Sequence[Message]]:
    """What to send next, and next: as much of one channel as it sends at once, until it is old."""
    rest = list(claim.messages)
    while rest and (len(rest) == len(claim.messages) or not scan.is_old(claim)):
        kind = rest[0].channel
        size = 1
        if scan.ready(kind):
            size = scan.channels[kind].at_once if kind in scan.channels else 1
            together = [message for message in rest[:size] if message.channel == kind]
            yield together
            size = len(together)
        del rest[:size]


def _send(
    scan: _Scan, claim: _Claim, flight: Sequence[Message], *, wait: bool = False
) -> list[Message]:
    """Say that these are on their way, look once more, and speak to the server.

    Nothing is locked meanwhile. Whoever changes a plan sees the rows on their way, or we see the
    change: see docs/adr/0013. Returns those that somebody else holds just now (or for good).
    """
    letters = [ready for message in flight if (ready := _written(scan, message)) is not None]
    taken, contacts = _take(scan, claim, [letter.message for letter in letters], wait=wait)
    for letter in letters:
        message = letter.message
        if message.pk not in taken:
            continue
        message.state, message.attempts = Message.State.SENDING, message.attempts + 1
        why_not = _unfit(scan, letter, contacts.get(message.person_id, (None, None)))
        if why_not is not None:
            _bring(scan, message, why_not)
            continue
        if scan.clock() > claim.until - ledger.DIALOG:
            # This process stood still: another one may take the row at any moment.
            answer = Answer(Heard.UNREACHABLE, "stalled")
        else:
            answer = scan.channels[message.channel].send(letter.to, letter.wire)
            scan.note(message.channel, answer)
        _hear(scan, claim, message, answer)
    return [letter.message for letter in letters if letter.message.pk not in taken]


def _written(scan: _Scan, message: Message) -> _Ready | None:
    """A row's letter as bytes; None if it has come to another end, which is written then."""
    now = scan.clock()
    fate = _too_late(message, now)
    if fate is None and message.channel not in scan.channels:
        fate = Fate(ledger.SUPPRESSED, "no_channel")
    if fate is not None:
        _bring(scan, message, fate)
        return None
    channel = scan.channels[message.channel]
    try:
        if channel.address(message.person) is None:
            return _Ready(message, "", b"")
        letter = scan.subjects[message.subject_kind].render(message)
        return _Ready(message, letter.to, channel.write(letter, now))
    except Exception as error:
        # Whatever the subject or a template does: this row waits, the others go on. The text of
        # the error isn't logged, since it may quote a person.
        logger.error("Message %s can't be written: %s", message.pk, type(error).__name__)
        _bring(scan, message, _unwritable(scan, message))
        return None


def _take(
    scan: _Scan, claim: _Claim, messages: Sequence[Message], *, wait: bool
) -> tuple[set[UUID], dict[UUID, _Contact]]:
    """Mark what has left, set these rows to `sending`, and only then read how to reach whom.

    Rows that are no longer ours (a changed plan or an ended lease takes them away) are left out,
    and, unless told to wait, those that somebody else holds just now.
    """
    if not messages:
        return set(), {}
    statements = [*_marking(claim.unmarked), _TAKE if wait else _TAKE_FREE, _CONTACTS]
    values = _marks(scan, claim, claim.unmarked) | {
        "next": [message.pk for message in messages],
        "persons": [message.person_id for message in messages],
        "channel": messages[0].channel,
    }
    try:
        taken, contacts = _surely(lambda: _executed(statements, values), once=wait)[-2:]
    except Error:
        if not wait:
            raise
        # Somebody holds it for long. Nothing else depends on it: it stays until its lease ends.
        return set(), {}
    claim.unmarked.clear()
    return {row[0] for row in taken}, {row[0]: row[1:] for row in contacts}


def _unfit(scan: _Scan, letter: _Ready, contact: _Contact) -> Fate | None:
    """Why a letter isn't to go after all; None while it is."""
    message = letter.message
    permission, bounced_at = contact
    subject = scan.subjects[message.subject_kind]
    try:
        why = _surely(lambda: subject.still_due(message), once=True)
    except Exception as error:
        logger.error("Message %s can't be looked at: %s", message.pk, type(error).__name__)
        return _unwritable(scan, message)
    if why is not None:
        return Fate(ledger.CANCELLED, why)
    return ledger.may_write(
        permission=permission, bounced=bounced_at is not None, has_address=bool(letter.to)
    )


def _hear(scan: _Scan, claim: _Claim, message: Message, answer: Answer) -> None:
    """Keep in mind what was sent, and write at once whatever else became of a letter."""
    now = scan.clock()
    fate = ledger.after(
        answer.heard,
        code=answer.code,
        attempts=message.attempts,
        uncertain=message.uncertain_at is not None,
        now=now,
        window_ends_at=message.window_ends_at,
    )
    if fate.state == ledger.SENT:
        claim.sent.append(message.pk)
        claim.unmarked.append(message.pk)
        scan.counts[ledger.SENT] += 1
        return
    _bring(scan, message, fate, address_dead=answer.address_dead)


def _mark(scan: _Scan, claim: _Claim) -> None:
    """Mark all that left in this claim, and wait for the disk.

    Had the database crashed meanwhile, it would have forgotten some of it. We have not.
    """
    if claim.sent:
        statements, values = _marking(claim.sent), _marks(scan, claim, claim.sent)
        _surely(lambda: _executed(statements, values))
        claim.sent.clear()
        claim.unmarked.clear()


def _marking(sent: Sequence[UUID]) -> list[str]:
    return [*([_LOCK] if len(sent) > 1 else []), *([_MARK] if sent else [])]


def _marks(scan: _Scan, claim: _Claim, sent: Sequence[UUID]) -> dict[str, object]:
    return {
        "sent": list(sent),
        "until": claim.until,
        "now": scan.clock(),
        "actor_kind": scan.by.kind,
        "actor_id": scan.by.id,
    }


def _executed(statements: Sequence[str], values: Mapping[str, object]) -> list[list[Any]]:
    """The rows of these statements: in one transaction, for one way to the server and back."""
    with connection.cursor() as cursor:
        # Written out here: with values left to the server it takes no more than one at a time.
        cursor.execute(ClientCursor(connection.connection).mogrify(";".join(statements), values))
        found = []
        while True:
            found.append(cursor.fetchall() if cursor.description else [])
            if not cursor.nextset():
                return found


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
        left.update(state=ledger.PLANNED, next_try_at=scan.clock(), reason="")


# --- one row -----------------------------------------------------------------------------------


def _too_late(message: Message, now: datetime) -> Fate | None:
    return ledger.too_late(
        now=now,
        window_ends_at=message.window_ends_at,
        about_at=message.about_at,
        uncertain=message.uncertain_at is not None,
    )


def _unwritable(scan: _Scan, message: Message) -> Fate:
    tries = message.attempts + (message.state == ledger.CLAIMED)
    return ledger.unwritable(
        attempts=tries, now=scan.clock(), window_ends_at=message.window_ends_at
    )


def _bring(scan: _Scan, message: Message, fate: Fate, *, address_dead: bool = False) -> None:
    """Write what became of a row now, in a transaction of its own."""

    @transaction.atomic(durable=True)
    def bring() -> None:
        now = scan.clock()
        _change(scan, message, fate, now)
        if address_dead:
            SafeContact.objects.filter(
                person=message.person_id, channel=message.channel, bounced_at=None
            ).update(bounced_at=now)

    _surely(bring)


def _change(scan: _Scan, message: Message, fate: Fate, now: datetime) -> None:
    """Change a row, if it still is as we know it; count and tell what became of it."""
    ledger.check_transition(message.state, fate.state)
    changes: dict[str, object] = {"state": fate.state, "reason": fate.reason}
    if fate.next_try_at is not None:
        changes["next_try_at"] = fate.next_try_at
    if fate.reason == "not_writable":
        changes["attempts"] = message.attempts + (message.state == ledger.CLAIMED)
    if fate.state == ledger.UNCERTAIN:
        changes["uncertain_at"] = message.uncertain_at or now
    # A database that crashed may have forgotten that the row was on its way.
    states = {message.state, ledger.CLAIMED} if message.state == ledger.SENDING else {message.state}
    known = Message.objects.filter(pk=message.pk, state__in=states, next_try_at=message.next_try_at)
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


def _surely(write: Callable[[], _T], *, once: bool = False) -> _T:
    """Do this, and where it fails do it again, on a new connection if it broke, for a while.

    What is written may be written twice. With `once`, only a broken connection is a reason to do
    it again. Refuses (Error) when the database stays away.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return write()
        except Error as error:
            broken = not connection.is_usable()
            if time.monotonic() > until or (once and not broken):
                raise
            logger.warning("The ledger can't be reached yet: %s", type(error).__name__)
        if broken:
            connection.close()
        time.sleep(_PAUSE)
