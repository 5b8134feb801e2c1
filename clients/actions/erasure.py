"""Erase a person: destroy the one key that opens what is theirs, and remove what finds them."""

import fcntl
import json
import os
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest

from clients.actions import audit, notices
from clients.models import (
    BlindIndex,
    Case,
    ClientPasskey,
    ClientPin,
    ClientSession,
    CoupleMember,
    DataKey,
    DataRequest,
    Erasure,
    Message,
    Person,
    SafeContact,
    SignInLink,
)
from clients.queries import erased_keys
from clients.rules import ledger, permissions, retention
from clients.rules.actors import Actor
from clients.rules.permissions import Right
from clients.rules.requests import ERASED

_THEIRS = (BlindIndex, SafeContact, SignInLink, ClientSession, ClientPin, ClientPasskey)
# What each step of a sign-in holds until it is done: first what it proves with, then the session.
_WAYS_IN = (ClientPin, ClientPasskey, SignInLink, ClientSession)


def lock(*, person_id: UUID, by: Actor, now: datetime) -> Person:  # noqa: ARG001 - as every action
    """Wait for whoever is about to sign in as this person or to book for them; hold all others.

    Part of the caller's transaction. Refuses (NotPermitted) whoever may not erase, and whom the
    person isn't there for, also where a broken glass shows them.
    """
    permissions.check(by, Right.ERASE)
    if not Person.objects.visible_to(by.without_glass()).filter(pk=person_id).exists():
        raise permissions.NotPermitted(Right.ERASE)
    # A session that is opened meanwhile is seen only by statements after this wait.
    for model in _WAYS_IN:
        rows = model._base_manager.filter(person=person_id)
        list(rows.select_for_update().order_by("pk").values_list("pk"))
    cases = Case.objects.filter(Q(person=person_id) | Q(couple__members__person=person_id))
    held = Case.objects.filter(pk__in=cases.values("pk")).order_by("pk")
    list(held.select_for_update(no_key=True).values_list("pk"))
    return Person.objects.select_for_update(of=("self",), no_key=True).get(pk=person_id)


@transaction.atomic
def erase(
    *,
    person: Person,
    reason: str,
    despite: str = "",
    erased_at: datetime | None = None,
    by: Actor,
    now: datetime,
) -> Erasure:
    """Destroy a person's key and what finds or reaches them; of a couple only their own part.

    A step of whoever knows the diary, which decides whether it may be: it comes last in that
    transaction, since the list outside the database is written before the commit. `erased_at` is
    for an erasure that is done once more. Twice is the same as once. Refuses (NotPermitted)
    whoever may not erase this person, (ValueError) a reason that isn't a code, (OSError) where the
    list can't be written.
    """
    lock(person_id=person.pk, by=by, now=now)
    for code in filter(None, (reason, despite)):
        retention.check_code(code)
    key = DataKey.objects.select_for_update().get(pk=person.key_id)
    if key.destroyed_at is not None:
        return Erasure.objects.get(key_id=key.pk)
    at = erased_at or now
    for model in _THEIRS:
        model.objects.filter(person=person).delete()
    Person.objects.filter(pk=person.pk).update(
        email=None, phone=None, language=settings.LANGUAGE_CODE, zone="UTC"
    )
    # Whose couple it was stays on record; whoever is still part of it is seen alone from now on.
    standing = CoupleMember.objects.filter(person=person, left_at__isnull=True)
    standing.update(left_at=Greatest(F("joined_at"), Value(now)))
    _cancel_messages(person)
    _answer_requests(person, by, now)
    DataKey.objects.filter(pk=key.pk).update(wrapped=None, destroyed_at=at)
    stone, _ = Erasure.objects.update_or_create(
        person_id=person.pk,
        defaults={"key_id": key.pk, "erased_at": at, "reason": reason, "despite": despite},
    )
    audit.record(
        verb="person.erased",
        subject_kind="person",
        subject_id=person.pk,
        person_id=person.pk,
        by=by,
        now=now,
        detail={"reason": reason, "despite": despite, "again": erased_at is not None},
    )
    _put_on_list(key.pk, at, reason)
    return stone


def _cancel_messages(person: Person) -> None:
    """What hasn't left stays; what a sender has in hand, its last look finds gone."""
    rows = Message.objects.filter(person=person, state__in=ledger.UNSENT)
    ids = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
    Message.objects.filter(pk__in=ids).update(state=Message.State.CANCELLED, reason="erased")


def _answer_requests(person: Person, by: Actor, now: datetime) -> None:
    rows = DataRequest.objects.filter(person=person, answered_at__isnull=True)
    ids = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
    DataRequest.objects.filter(pk__in=ids).update(
        answered_at=now,
        answered_by=by.id if by.kind == "member" else None,
        answer=ERASED,
    )
    notices.settle(kind="data_request", subject_ids=ids, by=by, now=now)


def _put_on_list(key_id: UUID, at: datetime, reason: str) -> None:
    """Append a line that is on the disk when this returns."""
    path = erased_keys.list_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = json.dumps({"key": str(key_id), "at": at.isoformat(), "reason": reason}) + "\n"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if key_id in erased_keys.listed():
            return
        whole = path.read_bytes().rpartition(b"\n")
        # A line without its end was being written when the power went: nothing was erased then.
        os.truncate(descriptor, len(whole[0]) + len(whole[1]))
        os.lseek(descriptor, 0, os.SEEK_END)
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
