"""Tell members what they must know: on their desk, and by a mail that says nothing of it.

A mail may come twice after a crash, and never leaves nobody told: there is nothing in it.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from clients.actions import audit, messages
from clients.channels.letter import Answer, Channel, Letter, LetterRefused, Unreachable
from clients.channels.registry import CHANNELS
from clients.models import Member, Notice
from clients.rules.actors import Actor
from clients.rules.ledger import Heard

logger = logging.getLogger(__name__)

BELL: Final = "practice.tasks.tell_members"
# The next try of a mail comes after this, then twice that, and so on; after the last of them, some
# two days later, the desk alone tells.
_FIRST_PAUSE: Final = timedelta(seconds=30)
_LONGEST_PAUSE: Final = timedelta(hours=6)
_TRIES: Final = 18


def tell(
    *,
    members: Iterable[Member],
    kind: str,
    subject_kind: str,
    subject_id: UUID,
    again: bool = False,
    by: Actor,  # noqa: ARG001 - every action has both
    now: datetime,
) -> None:
    """Put a notice on the desk of each of these members, once for each subject; mails follow.

    `again` puts one back that was told before, also one that was taken note of. Part of the
    caller's transaction, which records what happened.
    """
    anew: dict[str, Any] = {"ignore_conflicts": True}
    if again:
        anew = {
            "update_conflicts": True,
            "unique_fields": ["member", "kind", "subject_kind", "subject_id"],
            "update_fields": ["made_at", "seen_at", "next_try_at", "tries", "mailed_at"],
        }
    Notice.objects.bulk_create(
        [
            Notice(
                member=member,
                kind=kind,
                subject_kind=subject_kind,
                subject_id=subject_id,
                made_at=now,
                next_try_at=now,
            )
            for member in members
        ],
        **anew,
    )
    messages.ring(task=BELL)


@transaction.atomic
def seen(*, notice_id: UUID, by: Actor, now: datetime) -> bool:
    """A member has taken note: it leaves their desk, and no mail tells of it any more.

    Whether there was one; another's isn't there.
    """
    found = Notice.objects.filter(pk=notice_id, member=by.id, seen_at__isnull=True)
    row = found.select_for_update().first()
    if row is None:
        return False
    row.seen_at, row.next_try_at = now, None
    row.save(update_fields=["seen_at", "next_try_at"])
    audit.record(
        verb="notice.seen",
        subject_kind="notice",
        subject_id=row.pk,
        by=by,
        now=now,
        detail={"kind": row.kind},
    )
    return True


def settle(
    *,
    kind: str,
    subject_ids: Iterable[UUID],
    member_id: UUID | None = None,
    by: Actor,  # noqa: ARG001 - every action has both
    now: datetime,
) -> None:
    """What these subjects' notices tell of is done: they leave every desk, and no mail follows.

    With `member_id` they leave that desk alone. Part of the caller's transaction, which records
    what happened.
    """
    found = Notice.objects.filter(kind=kind, subject_id__in=list(subject_ids), seen_at__isnull=True)
    if member_id is not None:
        found = found.filter(member=member_id)
    found.update(seen_at=now, next_try_at=None)


@dataclass(slots=True)
class Mailed:
    """How many members a scan told, put off, and gave up."""

    told: int = 0
    later: int = 0
    given_up: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def mail_due(
    *,
    letter: Callable[[Member, str, UUID], Letter],
    by: Actor,
    now: datetime,
    clock: Callable[[], datetime],
) -> Mailed:
    """Mail the members whose notices wait, each one mail for all of theirs.

    Any number of these may run at once: a row is held while its mail leaves. `letter` writes to a
    member, at an address, about a notice. A broken address stops nobody else; a server that is
    away ends the scan, and all wait for the next.
    """
    channel, done, tried = CHANNELS["email"](), Mailed(), set[UUID]()
    try:
        while _one(channel, letter, tried, done, by, now, clock):
            pass
    except Unreachable as away:
        logger.warning("Members can't be mailed: %s", away.code)
    finally:
        channel.close()
    return done


@transaction.atomic
def _one(
    channel: Channel,
    letter: Callable[[Member, str, UUID], Letter],
    tried: set[UUID],
    done: Mailed,
    by: Actor,
    now: datetime,
    clock: Callable[[], datetime],
) -> bool:
    """Mail the next member; False when nobody waits. Refuses (Unreachable) without a server."""
    waiting = Notice.objects.filter(next_try_at__lte=now).exclude(member__in=tried)
    first = waiting.select_for_update(skip_locked=True).order_by("next_try_at", "pk").first()
    if first is None:
        return False
    member = Member.objects.select_related("user").get(pk=first.member_id)
    tried.add(member.pk)
    theirs = Notice.objects.filter(member=member, next_try_at__lte=now)
    rows = list(theirs.select_for_update(skip_locked=True).order_by("pk"))
    to = getattr(member.user, member.user.get_email_field_name(), "") or ""
    if not to or not member.user.is_active:
        _put(rows, next_try_at=None)
        done.given_up += 1
        return True
    channel.open()
    answer = _sent(channel, letter, member, to, rows[0].pk, clock())
    if answer.heard is Heard.ACCEPTED:
        _put(rows, next_try_at=None, mailed_at=clock())
        audit.record(
            verb="notice.mailed",
            subject_kind="member",
            subject_id=member.pk,
            by=by,
            now=now,
            detail={"notices": len(rows)},
        )
        done.told += 1
        return True
    tries = max(row.tries for row in rows) + 1
    if answer.heard is Heard.PERMANENT or tries >= _TRIES:
        logger.warning("A member's address is given up: %s", answer.code)
        _put(rows, next_try_at=None, tries=tries)
        done.given_up += 1
    else:
        pause = min(_FIRST_PAUSE * 2 ** (tries - 1), _LONGEST_PAUSE)
        _put(rows, next_try_at=clock() + pause, tries=tries)
        done.later += 1
    return not answer.hung


def _sent(
    channel: Channel,
    letter: Callable[[Member, str, UUID], Letter],
    member: Member,
    to: str,
    notice_id: UUID,
    now: datetime,
) -> Answer:
    try:
        wire = channel.write(letter(member, to, notice_id), now)
    except LetterRefused:
        return Answer(Heard.PERMANENT, "letter_refused")
    return channel.send(to, wire)


def _put(rows: Iterable[Notice], **values: object) -> None:
    Notice.objects.filter(pk__in=[row.pk for row in rows]).update(**values)
