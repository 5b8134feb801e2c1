"""Turns drafts into rows: persons, couples, cases, appointments, messages, audit entries."""

import random
import secrets
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db import models

from clients.actions import people
from clients.models import (
    AuditEntry,
    BlindIndex,
    CareRelation,
    Case,
    Couple,
    CoupleMember,
    DataKey,
    Message,
    Person,
    SafeContact,
)
from clients.rules import envelope
from clients.rules.access import token_hash
from clients.rules.actors import Actor
from clients.rules.audience import Audience
from practice.demo import cast
from practice.demo.drawing import SEED, CaseDraft, PersonDraft, Visit
from practice.demo.ledger import History
from practice.demo.paperwork import ORDER, Paperwork
from practice.demo.setting import Setting
from practice.models import Answer, Appointment, Attendance, ConsentGiven
from practice.rules import wall

# Each model after those that it points at.
_ORDER: Final = (
    DataKey,
    Person,
    BlindIndex,
    SafeContact,
    Couple,
    CoupleMember,
    Case,
    CareRelation,
    Appointment,
    Attendance,
    Answer,
    ConsentGiven,
    *ORDER,
    Message,
    AuditEntry,
)


class Writer:
    """Collects the rows of drafts; `take_rows` hands them over in an order that can be written."""

    def __init__(self, setting: Setting, index_key: bytes, by: Actor, now: datetime) -> None:
        self._setting, self._index_key, self._by, self._now = setting, index_key, by, now
        self._rng = random.Random(SEED)  # noqa: S311 - answers and seconds, no secrets
        self._history = History(setting, self._rng, now)
        self._paperwork = Paperwork(setting, by, now)
        self._rows: dict[type[models.Model], list[models.Model]] = {kind: [] for kind in _ORDER}
        self._count = dict.fromkeys((Person, Appointment, Message), 0)

    def counts(self) -> tuple[int, int, int]:
        """How many persons, appointments and messages were handed over."""
        persons, appointments, messages = self._count.values()
        return persons, appointments, messages

    def take_rows(self) -> Iterator[list[models.Model]]:
        """Hand over what was collected, one list for each model."""
        for kind, rows in self._rows.items():
            if kind in self._count:
                self._count[kind] += len(rows)
            yield rows
            self._rows[kind] = []

    def add(self, draft: CaseDraft) -> None:
        """Collect the rows of one case."""
        first = min((visit.booked for visit in draft.visits), default=None)
        opened = wall.instant(first) if first is not None else self._now - timedelta(days=2)
        persons = [self._person(card, opened) for card in draft.persons]
        permissions = {
            person.pk: card.permission for person, card in zip(persons, draft.persons, strict=True)
        }
        case = self._case(draft, persons, opened)
        for visit in draft.visits:
            self._visit(draft, visit, case, persons, permissions)
        self._add(*self._paperwork.rows(draft, case, persons))

    def _add(self, *rows: models.Model) -> None:
        for row in rows:
            self._rows[type(row)].append(row)

    def _entry(self, kind: str, row: models.Model, **where: uuid.UUID | None) -> None:
        """What the auditor looks for; the moment is that of the load, for that is what happened."""
        self._add(
            AuditEntry(
                at=self._now,
                actor_kind=self._by.kind,
                actor_id=self._by.id,
                verb=f"{kind}.loaded",
                subject_kind=kind,
                subject_id=row.pk,
                **where,
            )
        )

    def _key(self, purpose: DataKey.Purpose, at: datetime) -> DataKey:
        key = DataKey(id=uuid.uuid4(), purpose=purpose, created_at=at).fill(envelope.new_key())
        self._add(key)
        return key

    def _person(self, card: PersonDraft, at: datetime) -> Person:
        person = Person(
            key=self._key(DataKey.Purpose.PERSON, at),
            name=card.name,
            email=card.email,
            phone=card.phone,
            language=card.language,
            zone=card.zone,
            created_at=at,
        )
        self._add(person, *people.index_rows(person, index_key=self._index_key))
        quiet = card.quiet or (None, None)
        self._add(
            *(
                SafeContact(
                    person=person,
                    channel=channel,
                    permission=card.permission
                    if channel == SafeContact.Channel.EMAIL
                    else "neutral",
                    quiet_from=quiet[0],
                    quiet_until=quiet[1],
                    asked_at=at,
                )
                for channel in SafeContact.Channel
            )
        )
        self._entry("person", person, person_id=person.pk)
        return person

    def _case(self, draft: CaseDraft, persons: list[Person], opened: datetime) -> Case:
        last = max((visit.end for visit in draft.visits), default=None)
        over = min(wall.instant(last), self._now) if last is not None else self._now
        closed = draft.state == Case.State.CLOSED
        couple = None
        if len(persons) > 1:
            couple = Couple(
                key=self._key(DataKey.Purpose.COUPLE, opened),
                opened_at=opened,
                paused_at=over if draft.state == Case.State.PAUSED else None,
                ended_at=over if closed else None,
            )
            self._add(couple)
            self._add(
                *(
                    CoupleMember(couple=couple, person=one, voice=voice, joined_at=opened)
                    for voice, one in enumerate(persons)
                )
            )
        case = Case(
            couple=couple,
            person=None if couple else persons[0],
            counselor=self._setting.counselors[draft.counselor].member,
            state=draft.state,
            opened_at=opened,
            closed_at=over if closed else None,
            restricted_at=opened if draft.number == cast.RESTRICTED else None,
        )
        self._add(case)
        self._entry("case", case, case_id=case.pk)
        for username, kind in cast.CARE.get(draft.number, ()):
            member = self._setting.members[username]
            relation = CareRelation(case=case, member=member, kind=kind, since_at=opened)
            self._add(relation)
            self._entry("care", relation, case_id=case.pk)
        return case

    def _visit(
        self,
        draft: CaseDraft,
        visit: Visit,
        case: Case,
        persons: list[Person],
        permissions: dict[uuid.UUID, str],
    ) -> None:
        """One appointment with its attendees, and what they were told until now."""
        counselor = self._setting.counselors[draft.counselor]
        service = self._setting.services[visit.service]
        booked = wall.instant(visit.booked)
        appointment = Appointment(
            counselor=counselor,
            service=service,
            case=case,
            room=counselor.room if service.place == "address" else None,
            overbooked=visit.overbooked,
            offered_under=None if visit.reason else counselor.hours_version,
            override_reason=visit.reason,
            created_at=booked,
        )
        attendances = [
            self._attendance(visit, appointment, person, partner=index > 0)
            for index, person in enumerate(persons)
        ]
        self._add(appointment, *attendances)
        self._asked(visit, attendances[0], booked)
        quiet = {person.pk: card.quiet for person, card in zip(persons, draft.persons, strict=True)}
        self._add(
            *self._history.tell(
                visit, appointment, attendances, quiet=quiet, permissions=permissions
            )
        )
        self._entry("appointment", appointment, case_id=case.pk)

    def _attendance(
        self, visit: Visit, appointment: Appointment, person: Person, *, partner: bool
    ) -> Attendance:
        token = secrets.token_urlsafe(16)
        booked = wall.instant(visit.booked)
        is_open = not partner or visit.gate == Attendance.Gate.OPEN
        confirmed = is_open and (not partner or visit.partner == Attendance.State.CONFIRMED)
        return Attendance(
            appointment=appointment,
            person=person,
            role=Attendance.Role.PARTNER if partner else Attendance.Role.BOOKER,
            state=Attendance.State.CONFIRMED if confirmed else Attendance.State.EXPECTED,
            gate=visit.gate if partner else Attendance.Gate.OPEN,
            gate_opened_at=booked if is_open else None,
            confirmed_at=booked + timedelta(minutes=40 if partner else 0) if confirmed else None,
            token_hash=token_hash(token),
            token=token,
        )

    def _asked(self, visit: Visit, booker: Attendance, at: datetime) -> None:
        """What the booker answered and agreed to."""
        for question in self._setting.questions[visit.service]:
            words = cast.BEFORE if question.choices else cast.ANSWERS
            text = self._rng.choice(words)
            self._add(
                Answer(attendance=booker, question=question, text=text, audience=Audience.STAFF)
            )
        self._add(
            *(
                ConsentGiven(attendance=booker, consent=consent, given_at=at)
                for consent in self._setting.consents[visit.service]
            )
        )
