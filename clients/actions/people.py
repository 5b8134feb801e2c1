"""Make persons, couples and cases known."""

import functools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from django.db import transaction
from django.db.models import Model

from clients.actions import audit, rows
from clients.models import (
    BlindIndex,
    Case,
    Couple,
    CoupleMember,
    DataKey,
    Member,
    Person,
    SafeContact,
)
from clients.queries import keys
from clients.rules import contact, envelope
from clients.rules.actors import Actor

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class NewPerson:
    """What is known of somebody new; texts are already cleaned by `clients.rules.contact`."""

    name: str
    email: str | None
    phone: str | None
    language: str
    zone: str


def _new_key(purpose: DataKey.Purpose, now: datetime) -> DataKey:
    key = DataKey(id=uuid.uuid4(), purpose=purpose, created_at=now)
    return key.fill(envelope.new_key())


def ensure_index_key(*, by: Actor, now: datetime) -> None:  # noqa: ARG001 - every action has both
    """Make the blind index's key once; safe when two do it at the same moment."""
    if not DataKey.objects.filter(purpose=DataKey.Purpose.INDEX).exists():
        DataKey.objects.bulk_create([_new_key(DataKey.Purpose.INDEX, now)], ignore_conflicts=True)


def index_rows(person: Person, *, index_key: bytes) -> list[BlindIndex]:
    """The fingerprints by which `person` is found again; not saved."""
    digest = functools.partial(envelope.blind, key=index_key)
    values = [(BlindIndex.Kind.NAME, word) for word in contact.name_tokens(person.name)]
    if person.email:
        values.append((BlindIndex.Kind.EMAIL, contact.search_form(person.email)))
    if person.phone:
        values.append((BlindIndex.Kind.PHONE, person.phone))
    return [
        BlindIndex(person=person, kind=kind, digest=digest(kind=kind, normalised=value))
        for kind, value in values
    ]


def index_key(*, by: Actor, now: datetime) -> bytes:
    """The blind index's key; the first person ever makes it."""
    try:
        return keys.index_key()
    except LookupError:
        ensure_index_key(by=by, now=now)
        return keys.index_key()


@dataclass(frozen=True, slots=True)
class NewRows(Generic[Row]):
    """A row that isn't written yet, and all the rows that have to be written with it."""

    row: Row
    rows: tuple[Model, ...]


def new_person(*, new: NewPerson, index_key: bytes, by: Actor, now: datetime) -> NewRows[Person]:
    """A new person with an own key, to be written; contact is neutral until they say otherwise.

    It never looks for somebody known with the same address: a person is not an e-mail address,
    and only staff merge.
    """
    key = _new_key(DataKey.Purpose.PERSON, now)
    person = Person(
        key=key,
        name=new.name,
        email=new.email,
        phone=new.phone,
        language=new.language,
        zone=new.zone,
        created_at=now,
    )
    contacts = [
        SafeContact(person=person, channel=channel, asked_at=now) for channel in SafeContact.Channel
    ]
    entry = audit.record(
        verb="person.made",
        subject_kind="person",
        subject_id=person.pk,
        person_id=person.pk,
        by=by,
        now=now,
        write=False,
    )
    found_by = index_rows(person, index_key=index_key)
    return NewRows(person, (key, person, *found_by, *contacts, entry))


@transaction.atomic
def make_person(*, new: NewPerson, by: Actor, now: datetime) -> Person:
    """Make a new person; see `new_person`."""
    made = new_person(new=new, index_key=index_key(by=by, now=now), by=by, now=now)
    rows.insert(made.rows)
    return made.row


def new_case(
    *,
    persons: Sequence[Person],
    counselor: Member | None,
    case_id: uuid.UUID,
    by: Actor,
    now: datetime,
) -> NewRows[Case]:
    """A case in state enquiry, to be written: of one person, or of the couple that two make."""
    couple = None
    together: tuple[Model, ...] = ()
    if len(persons) > 1:
        key = _new_key(DataKey.Purpose.COUPLE, now)
        couple = Couple(key=key, opened_at=now)
        members = [
            CoupleMember(couple=couple, person=person, voice=voice, joined_at=now)
            for voice, person in enumerate(persons)
        ]
        together = (key, couple, *members)
    case = Case(
        id=case_id,
        couple=couple,
        person=None if couple else persons[0],
        counselor=counselor,
        opened_at=now,
    )
    entry = audit.record(
        verb="case.opened",
        subject_kind="case",
        subject_id=case.pk,
        case_id=case.pk,
        by=by,
        now=now,
        detail={"persons": len(persons)},
        write=False,
    )
    return NewRows(case, (*together, case, entry))


@transaction.atomic
def open_case(
    *, persons: Sequence[Person], counselor: Member | None, by: Actor, now: datetime
) -> Case:
    """Open a case; see `new_case`."""
    made = new_case(persons=persons, counselor=counselor, case_id=uuid.uuid4(), by=by, now=now)
    rows.insert(made.rows)
    return made.row


@transaction.atomic
def say_safe_contact(
    *,
    person: Person,
    channel: SafeContact.Channel,
    permission: SafeContact.Permission,
    quiet: tuple[int, int] | None = None,
    voicemail: bool | None = None,
    by: Actor,
    now: datetime,
) -> SafeContact:
    """Store how `person` may be reached on a channel; the sender asks it before every message.

    `quiet` are minutes of the day, from and until, in the person's own zone; of a `voicemail` that
    nothing is said about, what was said before holds. Refuses (Erased) whoever was erased.
    """
    said: dict[str, object] = {
        "permission": permission,
        "asked_at": now,
        "quiet_from": quiet[0] if quiet else None,
        "quiet_until": quiet[1] if quiet else None,
    }
    if voicemail is not None:
        said["voicemail"] = voicemail
    return _said(person, channel, said, by, now)


@transaction.atomic
def say_no(
    *, person: Person, channel: SafeContact.Channel, by: Actor, now: datetime
) -> SafeContact:
    """Store that nothing may come on a channel; its hours and its voicemail stay as they were.

    Refuses (Erased) as `say_safe_contact` does.
    """
    said: dict[str, object] = {"permission": SafeContact.Permission.NO, "asked_at": now}
    return _said(person, channel, said, by, now)


def _said(
    person: Person, channel: str, said: dict[str, object], by: Actor, now: datetime
) -> SafeContact:
    _locked(person.pk)
    row, _ = SafeContact.objects.update_or_create(person=person, channel=channel, defaults=said)
    audit.record(
        verb="person.safe_contact",
        subject_kind="person",
        subject_id=person.pk,
        person_id=person.pk,
        by=by,
        now=now,
        detail={"channel": str(channel), "permission": str(row.permission)},
    )
    return row


@transaction.atomic
def change_contact(
    *,
    person: Person,
    email: str | None,
    phone: str | None,
    language: str,
    zone: str,
    by: Actor,
    now: datetime,
) -> Person:
    """Replace how a person is reached; texts are already cleaned by `clients.rules.contact`.

    A new address has not bounced yet. The caller re-plans what hangs on it. Refuses (Erased)
    whoever was erased, (Unreadable) an address so far that can't be opened.
    """
    person = _locked(person.pk)
    readdressed = person.email != email
    person.email, person.phone, person.language, person.zone = email, phone, language, zone
    person.save(update_fields=["email", "phone", "language", "zone"])
    BlindIndex.objects.filter(person=person).delete()
    BlindIndex.objects.bulk_create(index_rows(person, index_key=keys.index_key()))
    if readdressed:
        SafeContact.objects.filter(person=person, channel=SafeContact.Channel.EMAIL).update(
            bounced_at=None
        )
    _contact_changed(person, by, now)
    return person


@transaction.atomic
def change_language(
    *, person: Person, language: str, zone: str, by: Actor, now: datetime
) -> Person:
    """Replace the language and the zone in which somebody is written to, and nothing else.

    Refuses (Erased) whoever was erased.
    """
    person = _locked(person.pk)
    person.language, person.zone = language, zone
    person.save(update_fields=["language", "zone"])
    _contact_changed(person, by, now)
    return person


def _contact_changed(person: Person, by: Actor, now: datetime) -> None:
    audit.record(
        verb="person.contact_changed",
        subject_kind="person",
        subject_id=person.pk,
        person_id=person.pk,
        by=by,
        now=now,
    )


def _locked(person_id: uuid.UUID) -> Person:
    """The person with their key, both read after the wait for an erasure. Refuses (Erased)."""
    held = Person.objects.select_for_update(of=("self", "key"), no_key=True)
    person = held.select_related("key").get(pk=person_id)
    if person.key.destroyed_at is not None:
        raise envelope.Erased("This record was erased.")
    return person
