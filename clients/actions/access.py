"""Links, sessions and proofs of persons who come to their own page.

What is short (PIN, code) is tried under the lock of the person's one row, counted before anybody
is told, and compared with the same work whether or not there is something to compare with.
"""

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.hashers import check_password, make_password
from django.db import IntegrityError, transaction
from django.db.models import Model, Q

from clients import passkeys
from clients.actions import audit, messages, notices, rows
from clients.models import (
    ClientPasskey,
    ClientPin,
    ClientSession,
    DataKey,
    DataRequest,
    Person,
    SafeContact,
    SignInLink,
)
from clients.passkeys import PasskeyRefused
from clients.queries import access as queries
from clients.rules import access, envelope, permissions
from clients.rules.actors import PROOF_LINK, PROOF_SECOND, Actor
from clients.rules.permissions import NotPermitted, Right
from clients.rules.requests import check_answer

_KEPT: Final = timedelta(days=1)


class LinkOver(Exception):
    """The link is unknown, used up or too old; nobody is told which."""


class SessionOver(Exception):
    """The session was ended meanwhile, or what it was asked has been answered already."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was just opened, and the token that only its browser gets."""

    session: ClientSession
    token: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a try with a PIN or a code: a session that proves more, or nothing."""

    opened: Opened | None
    locked: bool = False


# --- links ---------------------------------------------------------------------------------------


@transaction.atomic
def send_links(*, persons: Sequence[Person], by: Actor, now: datetime) -> None:
    """Give each of these persons a link, and plan the letter that brings it; four at most.

    It takes as much work for nobody as for somebody, in as many statements: how long an answer
    takes must not tell who is known here.
    """
    asked: list[Model] = []
    for number in range(access.LINKS_AT_ONCE):
        if number < len(persons):
            asked += _link_rows(persons[number], by, now)
        else:
            _as_if(now)
    rows.insert(asked or [_asked(None, by, now)])
    messages.ring()


def _link_rows(person: Person, by: Actor, now: datetime) -> list[Model]:
    link = _new_link(person, now)
    want = messages.Wanted(
        purpose="sign_in",
        person_id=person.pk,
        channel=SafeContact.Channel.EMAIL,
        version=0,
        due_at=now,
        window_ends_at=link.ends_at,
        about_at=link.ends_at,
    )
    letter = messages.new_rows(
        [want], subject_kind=access.LINK_SUBJECT, subject_id=link.pk, now=now
    )
    return [link, *letter, _asked(link, by, now)]


def _new_link(person: Person, now: datetime) -> SignInLink:
    token = secrets.token_urlsafe(16)
    return SignInLink(
        person=person,
        token_hash=access.token_hash(token),
        token=token,
        made_at=now,
        ends_at=now + access.LINK_LASTS,
    )


def _as_if(now: datetime) -> None:
    """The work of a link for a person who isn't there: a key is opened, a token sealed."""
    key = DataKey(purpose=DataKey.Purpose.PERSON, created_at=now).fill(envelope.new_key())
    link = _new_link(Person(key=key), now)
    SignInLink._meta.get_field("token").pre_save(link, add=True)


def _asked(link: SignInLink | None, by: Actor, now: datetime) -> Model:
    return audit.record(
        verb="portal.link_asked",
        subject_kind=access.LINK_SUBJECT,
        subject_id=link.pk if link else None,
        person_id=link.person_id if link else None,
        by=by,
        now=now,
        write=False,
    )


@transaction.atomic
def use_link(
    *,
    token: str,
    browser: str,
    instead_of: ClientSession | None,
    by: Actor,
    now: datetime,
) -> Opened:
    """Use a link up and open a session; the one that was open in this browser ends first.

    Refuses (LinkOver) a link that doesn't work, or that somebody else uses at this moment.
    """
    link = _use_up(access.token_hash(token), now)
    if instead_of is not None:
        _end(Q(pk=instead_of.pk), now)
    opened = _open(link.person, PROOF_LINK, browser, now, now + access.LONGEST, now)
    _record("portal.signed_in", opened.session, by, now, how="link")
    return opened


def _use_up(token_hash: bytes, now: datetime) -> SignInLink:
    """One statement asks and marks: of two at the same moment the second finds it used."""
    works = SignInLink.objects.filter(token_hash=token_hash, used_at__isnull=True, ends_at__gt=now)
    if not works.update(used_at=now):
        raise LinkOver
    return SignInLink.objects.select_related("person__key").get(token_hash=token_hash)


# --- sessions ------------------------------------------------------------------------------------


def _open(
    person: Person,
    proof: int,
    browser: str,
    opened_at: datetime,
    ends_at: datetime,
    now: datetime,
    session_id: uuid.UUID | None = None,
) -> Opened:
    token = secrets.token_urlsafe(32)
    session = ClientSession(
        id=session_id or uuid.uuid4(),
        person=person,
        token_hash=access.token_hash(token),
        proof=proof,
        browser=browser[:60],
        opened_at=opened_at,
        seen_at=now,
        ends_at=ends_at,
    )
    session.save(force_insert=True)
    return Opened(session, token)


def _raised(session: ClientSession, now: datetime) -> Opened:
    """The same session with the second proof, under a new token; the old token is worth nothing.

    Refuses (SessionOver) one that has ended, by this very step of another request, for example.
    """
    if not _end(Q(pk=session.pk), now):
        raise SessionOver
    return _open(
        session.person, PROOF_SECOND, session.browser, session.opened_at, session.ends_at, now
    )


def _end_other_proved(session: ClientSession, now: datetime) -> None:
    _end(Q(person=session.person_id, proof=PROOF_SECOND) & ~Q(pk=session.pk), now)


def _end(which: Q, now: datetime) -> int:
    return ClientSession.objects.filter(which, ended_at__isnull=True).update(ended_at=now)


def touch(*, session: ClientSession, by: Actor, now: datetime) -> None:  # noqa: ARG001
    """Note that a session was used; a minute's clicks are one statement."""
    if now - session.seen_at >= access.GRAIN:
        ClientSession.objects.filter(pk=session.pk).update(seen_at=now)


@transaction.atomic
def end_session(*, session: ClientSession, by: Actor, now: datetime) -> None:
    """End one session; one that has ended stays as it is."""
    if _end(Q(pk=session.pk), now):
        _record("portal.session_ended", session, by, now)


@transaction.atomic
def end_all(*, person: Person, by: Actor, now: datetime, keep: ClientSession | None = None) -> int:
    """End a person's sessions, all but `keep`, and their unused links; returns how many sessions.

    For whoever signs out everywhere, for the practice, and for a couple that separates. Refuses
    (NotPermitted) members as `give_code` does, and other persons.
    """
    if not (by.kind == "person" and by.id == person.pk):
        _check_keeps_access(by, person)
    which = Q(person=person)
    if keep is not None:
        which &= ~Q(pk=keep.pk)
    ended = _end(which, now)
    SignInLink.objects.filter(person=person, used_at__isnull=True).update(used_at=now)
    audit.record(
        verb="portal.all_sessions_ended",
        subject_kind="person",
        subject_id=person.pk,
        person_id=person.pk,
        by=by,
        now=now,
        detail={"sessions": ended},
    )
    return ended


def forget(*, by: Actor, now: datetime) -> int:  # noqa: ARG001 - what is forgotten was audited
    """Delete the links and sessions that ended more than a day ago; returns how many."""
    before = now - _KEPT
    links, _ = SignInLink.objects.filter(ends_at__lt=before).delete()
    sessions, _ = ClientSession.objects.filter(
        Q(ended_at__lt=before) | Q(ends_at__lt=before) | Q(seen_at__lt=before - access.IDLE)
    ).delete()
    return links + sessions


# --- PIN and code --------------------------------------------------------------------------------


@transaction.atomic
def give_code(*, person: Person, by: Actor, now: datetime) -> str:
    """A code with which the person may set a PIN within a day; an earlier one is void.

    The caller shows it to a member once. Refuses (NotPermitted) whoever neither answers what this
    person asks nor counsels them, or may not know of them, also through a broken glass.
    """
    _check_keeps_access(by, person)
    row = _locked_pin(person)
    code = f"{secrets.randbelow(10**access.CODE_DIGITS):0{access.CODE_DIGITS}}"
    row.code, row.code_ends_at, row.code_tries = make_password(code), now + access.CODE_LASTS, 0
    row.save(update_fields=["code", "code_ends_at", "code_tries"])
    audit.record(
        verb="portal.code_given",
        subject_kind="person",
        subject_id=person.pk,
        person_id=person.pk,
        by=by,
        now=now,
    )
    return code


def _check_keeps_access(by: Actor, person: Person) -> None:
    if by.kind != "system" and not queries.keeps_access(by, person):
        raise NotPermitted(Right.ANSWER_REQUESTS)


@transaction.atomic
def prove_with_pin(*, session: ClientSession, pin: str, by: Actor, now: datetime) -> Tried:
    """Try a PIN; the right one raises the session. After five wrong ones none is right.

    Answers alike whether or not a PIN is set. Refuses (SessionOver) an ended session.
    """
    row = _locked_pin(session.person)
    if not _is_pin(row, pin):
        _record("portal.pin_wrong", session, by, now)
        return Tried(None, locked=row.tries >= access.TRIES)
    opened = _raised(session, now)
    _record("portal.proved", opened.session, by, now, how="pin")
    return Tried(opened)


@transaction.atomic
def set_pin_with_code(
    *, session: ClientSession, code: str, pin: str, by: Actor, now: datetime
) -> Tried:
    """Set a PIN, the first or a new one, with a code from the practice; it unlocks as well.

    All other sessions end: whoever asked for a code may have lost the PIN to somebody. After five
    wrong codes only another one helps. Refuses (PinRefused) digits that can be no PIN.
    """
    access.check_pin(pin)
    row = _locked_pin(session.person)
    open_for_tries = row.code_tries < access.TRIES and (row.code_ends_at or now) > now
    same = _compared(code, row.code)
    if not (same and open_for_tries):
        row.code_tries = min(row.code_tries + 1, access.TRIES)
        row.save(update_fields=["code_tries"])
        _record("portal.code_wrong", session, by, now)
        return Tried(None, locked=row.code_tries >= access.TRIES)
    row.pin, row.set_at, row.tries = make_password(pin), now, 0
    row.code, row.code_ends_at, row.code_tries = None, None, 0
    row.save()
    _end(Q(person=session.person_id) & ~Q(pk=session.pk), now)
    opened = _raised(session, now)
    _record("portal.pin_set", opened.session, by, now, how="code")
    return Tried(opened)


@transaction.atomic
def change_pin(
    *, session: ClientSession, current: str, pin: str, by: Actor, now: datetime
) -> Tried:
    """Set another PIN with the one so far, which is tried and counted as at any other time.

    Refuses (PinRefused) digits that can be no PIN.
    """
    access.check_pin(pin)
    row = _locked_pin(session.person)
    if not _is_pin(row, current):
        _record("portal.pin_wrong", session, by, now)
        return Tried(None, locked=row.tries >= access.TRIES)
    row.pin, row.set_at = make_password(pin), now
    row.save(update_fields=["pin", "set_at"])
    _end(Q(person=session.person_id) & ~Q(pk=session.pk), now)
    opened = _raised(session, now)
    _record("portal.pin_set", opened.session, by, now, how="pin")
    return Tried(opened)


@transaction.atomic
def remove_pin(*, session: ClientSession, by: Actor, now: datetime) -> None:
    """Take the PIN away; to set another one takes a code from the practice again.

    Other sessions that were proved end: whoever opened one may have had this PIN.
    """
    row = _locked_pin(session.person)
    row.pin, row.set_at = None, None
    row.save(update_fields=["pin", "set_at"])
    _end_other_proved(session, now)
    _record("portal.pin_removed", session, by, now)


def _locked_pin(person: Person) -> ClientPin:
    """The person's row, made if there is none, locked until the transaction ends."""
    ClientPin.objects.bulk_create([ClientPin(person=person)], ignore_conflicts=True)
    row = ClientPin.objects.select_for_update(of=("self",)).get(person=person)
    row.person = person
    return row


def _is_pin(row: ClientPin, pin: str) -> bool:
    """Whether it is the PIN, counted: each wrong one brings the row nearer to its lock."""
    same = _compared(pin, row.pin)
    if row.tries >= access.TRIES:
        return False
    row.tries = 0 if same else row.tries + 1
    row.save(update_fields=["tries"])
    return same


def _compared(typed: str, stored: str | None) -> bool:
    """Whether they are the same; one slow hash in any case."""
    if stored is None:
        make_password(typed)
        return False
    return check_password(typed, stored)


# --- passkeys ------------------------------------------------------------------------------------


@transaction.atomic
def add_passkey(
    *, session: ClientSession, answer: str, note: str, name: str, by: Actor, now: datetime
) -> Opened:
    """Keep a new passkey. The session goes on under a new token, so that no answer counts twice.

    Refuses (PasskeyRefused) an answer that isn't the one to this session's question, a passkey
    that is known already and more than ten; (SessionOver) an ended session.
    """
    found = passkeys.registered(answer=answer, note=note, made_for=session.pk)
    opened = _raised(session, now)
    if ClientPasskey.objects.filter(person=session.person_id).count() >= access.PASSKEYS_MOST:
        raise PasskeyRefused
    try:
        with transaction.atomic():
            row = ClientPasskey.objects.create(
                person=session.person,
                credential=found.credential,
                sign_count=found.sign_count,
                name=name,
                made_at=now,
            )
    except IntegrityError as error:
        raise PasskeyRefused from error
    _record("portal.passkey_added", opened.session, by, now, passkey=str(row.pk))
    return opened


@transaction.atomic
def prove_with_passkey(
    *, session: ClientSession, answer: str, note: str, by: Actor, now: datetime
) -> Opened:
    """Raise the session with one of the person's passkeys.

    Refuses (PasskeyRefused) any other answer, and (SessionOver) one that was given before.
    """
    _answered(session.person, answer, note, session.pk, now)
    opened = _raised(session, now)
    _record("portal.proved", opened.session, by, now, how="passkey")
    return opened


@transaction.atomic
def sign_in_with_passkey(
    *,
    answer: str,
    note: str,
    browser: str,
    instead_of: ClientSession | None,
    by: Actor,
    now: datetime,
) -> Opened:
    """Open a session with a passkey alone, which proves more than any link by mail.

    Refuses (PasskeyRefused) all that isn't a known passkey's answer, and an answer given before:
    the session's id is made of the challenge, so that there can be one session of it.
    """
    person = Person.objects.select_related("key").filter(pk=passkeys.owner_said(answer)).first()
    found = _answered(person or Person(), answer, note, None, now)
    if person is None:
        raise PasskeyRefused
    if instead_of is not None:
        _end(Q(pk=instead_of.pk), now)
    only = uuid.UUID(bytes=hashlib.sha256(found.challenge).digest()[:16], version=4)
    try:
        with transaction.atomic():
            opened = _open(person, PROOF_SECOND, browser, now, now + access.LONGEST, now, only)
    except IntegrityError as error:
        raise PasskeyRefused from error
    _record("portal.signed_in", opened.session, by, now, how="passkey")
    return opened


def _answered(
    person: Person, answer: str, note: str, made_for: uuid.UUID | None, now: datetime
) -> passkeys.Proved:
    """Check the answer, and note the passkey's use. A copied passkey counts behind: refused."""
    known = list(ClientPasskey.objects.filter(person=person.pk).select_for_update())
    found = passkeys.proved(
        answer=answer,
        note=note,
        known=[bytes(one.credential) for one in known],
        made_for=made_for,
    )
    row = next(one for one in known if bytes(one.credential) == found.credential)
    if found.sign_count and found.sign_count <= row.sign_count:
        raise PasskeyRefused
    row.sign_count, row.used_at = found.sign_count, now
    row.save(update_fields=["sign_count", "used_at"])
    return found


@transaction.atomic
def remove_passkey(
    *, session: ClientSession, passkey: ClientPasskey, by: Actor, now: datetime
) -> None:
    """Take a passkey away; it opens nothing from now on, and other proved sessions end."""
    passkey.delete()
    _end_other_proved(session, now)
    _record("portal.passkey_removed", session, by, now)


# --- what a person asks about their record -------------------------------------------------------


@transaction.atomic
def ask_about_record(
    *, person: Person, kind: DataRequest.Kind, by: Actor, now: datetime
) -> DataRequest:
    """Ask for a copy or an erasure, and tell whoever answers; asked again, nothing changes."""
    row = DataRequest(person=person, kind=kind, asked_at=now)
    DataRequest.objects.bulk_create([row], ignore_conflicts=True)
    if not DataRequest.objects.filter(pk=row.pk).exists():
        # Asked before; by now that may be answered.
        return DataRequest.objects.filter(person=person, kind=kind).latest("asked_at")
    audit.record(
        verb=f"request.{kind}_asked",
        subject_kind="data_request",
        subject_id=row.pk,
        person_id=person.pk,
        by=by,
        now=now,
    )
    notices.tell(
        members=queries.who_answers(person),
        kind="data_request",
        subject_kind="data_request",
        subject_id=row.pk,
        by=by,
        now=now,
    )
    return row


@transaction.atomic
def answer_request(*, request: DataRequest, answer: str, by: Actor, now: datetime) -> DataRequest:
    """Put down what became of a request; nobody's desk tells of it any more.

    Refuses (NotPermitted) members without the right, or who may not know of the person, also
    through a broken glass, (NotAnswerable) a request that is answered, and an answer that doesn't
    fit it: "erased" while the person's key is there.
    """
    permissions.check(by, Right.ANSWER_REQUESTS)
    seen = DataRequest.objects.visible_to(by.without_glass()).filter(pk=request.pk)
    row = seen.select_for_update(of=("self",)).first()
    if row is None:
        raise NotPermitted(Right.ANSWER_REQUESTS)
    check_answer(
        answer,
        kind=row.kind,
        answered=row.answered_at is not None,
        # Asked under the lock: an erasure answers what is open, so it came before or waits.
        erased=Person.objects.filter(pk=row.person_id, key__destroyed_at__isnull=False).exists(),
    )
    row.answered_at, row.answer = now, answer
    row.answered_by_id = by.id if by.kind == "member" else None
    row.save(update_fields=["answered_at", "answered_by", "answer"])
    audit.record(
        verb="request.answered",
        subject_kind="data_request",
        subject_id=row.pk,
        person_id=row.person_id,
        by=by,
        now=now,
        detail={"kind": row.kind, "answer": answer},
    )
    notices.settle(kind="data_request", subject_ids=[row.pk], by=by, now=now)
    return row


@transaction.atomic
def note_copy(*, session: ClientSession, by: Actor, now: datetime) -> None:
    """Put down that a person took a copy of their record; part of giving it."""
    _record("portal.copy_taken", session, by, now)


def _record(verb: str, session: ClientSession, by: Actor, now: datetime, **detail: object) -> None:
    audit.record(
        verb=verb,
        subject_kind="client_session",
        subject_id=session.pk,
        person_id=session.person_id,
        by=by,
        now=now,
        detail=detail,
    )
