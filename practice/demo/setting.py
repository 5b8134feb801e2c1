"""The practice around the cases: members, rooms, hours, services, questions, forms, rules."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from clients.models import Member
from clients.rules.actors import COUNSELOR, Actor
from intake.actions import crisis, instruments
from intake.models import CasePolicy, CrisisLine, Instrument
from intake.views.words import policy
from practice.demo import cast
from practice.demo.copying import copy_in
from practice.demo.drawing import Diary
from practice.models import (
    Consent,
    Counselor,
    FormRule,
    HoursException,
    Offer,
    Practice,
    Question,
    ReminderRule,
    Room,
    Service,
    TimeOff,
    WorkingHours,
)
from practice.rules import wall

_REMINDERS: Final = (48 * 60, 2 * 60)


@dataclass(frozen=True, slots=True)
class Setting:
    """What the cases need: counselors in the diary's order, members, services and more by name."""

    practice: Practice
    members: dict[str, Member]
    counselors: list[Counselor]
    services: dict[str, Service]
    questions: dict[str, list[Question]]
    consents: dict[str, list[Consent]]
    instruments: dict[str, Instrument]
    # What everybody reads before they answer: how what is said alone is kept.
    policy_words: str


def set_up(diary: Diary, by: Actor, now: datetime) -> Setting:
    """Write the practice's own rows, and return those that the cases point at."""
    practice = Practice.objects.create(
        name="Lantern House",
        neutral_name="Lantern House",
        intro=(
            "A small practice for couples and for anyone who is half of one. We look at the "
            "argument that keeps coming back, and at what each of you is asking for in it."
        ),
        zone=cast.PRACTICE_ZONE,
        language="en",
        region="US",
        phone="+1 201 555 0100",
    )
    rooms = {slug: Room.objects.create(slug=slug, name=name) for slug, name in cast.ROOMS}
    members = _members(diary)
    counselors = _counselors(diary, rooms, members)
    services = _services(counselors)
    questions, consents = _questions(services), _consents(services, now)
    ReminderRule.objects.bulk_create(ReminderRule(minutes_before=lead) for lead in _REMINDERS)
    published = _instruments(by, now)
    _form_rules(services)
    _crisis_lines(members["olive"], by, now)
    words = "\n\n".join(policy(CasePolicy.Kind(practice.secrets_policy)))
    return Setting(practice, members, counselors, services, questions, consents, published, words)


def _instruments(by: Actor, now: datetime) -> dict[str, Instrument]:
    """What came with the software, in use long enough for all who have answered."""
    loaded = instruments.load_shipped(by=by, now=now - timedelta(days=200))
    return {row.slug: row for row in loaded if row.state == Instrument.State.PUBLISHED}


def _form_rules(services: dict[str, Service]) -> None:
    """The private check and the intake come before any first session, and more with two."""
    rules = [
        FormRule(service=services.get(service), slug=slug, position=position)
        for service, slugs in cast.FORMS
        for position, slug in enumerate(slugs)
    ]
    again = FormRule(
        service=services["couple-session"],
        slug="cycle-reflection",
        when=FormRule.When.EVERY_WEEKS,
        weeks=4,
        short=True,
    )
    FormRule.objects.bulk_create([*rules, again])


def _crisis_lines(member: Member, by: Actor, now: datetime) -> None:
    crisis.load_shipped(by=by, now=now)
    CrisisLine.objects.update(verified_on=now.date(), verified_by=member)


def _members(diary: Diary) -> dict[str, Member]:
    """Those who sign in, with their passwords; a large practice's further ones have none."""
    users = get_user_model().objects
    passwords = {card.username: card.password for card in cast.MEMBERS}
    cards = {card.username: (card.name, card.role) for card in cast.MEMBERS}
    cards |= {card.slug: (card.name, COUNSELOR) for card in diary.counselors}
    made = users.bulk_create(
        users.model(username=username, password=make_password(passwords.get(username)))
        for username in cards
    )
    rows = Member.objects.bulk_create(
        Member(user=user, name=cards[user.get_username()][0], roles=[cards[user.get_username()][1]])
        for user in made
    )
    return {row.user.get_username(): row for row in rows}


def _counselors(
    diary: Diary, rooms: dict[str, Room], members: dict[str, Member]
) -> list[Counselor]:
    counselors = Counselor.objects.bulk_create(
        Counselor(
            member=members[card.slug],
            slug=card.slug,
            zone=card.zone,
            languages=list(card.languages),
            about=card.about,
            room=rooms.get(card.room or ""),
            video_url="" if card.room else f"https://video.example.org/{card.slug}",
        )
        for card in diary.counselors
    )
    copy_in(
        WorkingHours(counselor=who, weekday=day, start=start, end=end, zone=who.zone)
        for who, card in zip(counselors, diary.counselors, strict=True)
        for day, start, end in card.weekly
    )
    copy_in(
        HoursException(counselor=who, on=dated.on, start=start, end=end, zone=dated.zone)
        for who, exceptions in zip(counselors, diary.dated, strict=True)
        for dated in exceptions
        for start, end in dated.openings or ((None, None),)
    )
    copy_in(
        TimeOff(
            counselor=who,
            period=DateTimeTZRange(wall.instant(start), wall.instant(end)),
            label=label,
        )
        for who, away in zip(counselors, diary.away, strict=True)
        for (start, end), label in away
    )
    return counselors


def _services(counselors: list[Counselor]) -> dict[str, Service]:
    services = Service.objects.bulk_create(
        Service(
            slug=card.slug,
            name=card.name,
            about=card.about,
            position=position,
            minutes=card.minutes,
            step=card.step,
            buffer_after=card.buffer_after,
            notice=card.notice,
            attendees=card.attendees,
            place=card.place,
            place_text="12 Lantern Street, second floor; with Lucía by video"
            if card.place == "address"
            else "",
            booking=card.booking,
            invite_gate=card.invite_gate,
            price_cents=card.price_cents,
        )
        for position, card in enumerate(cast.SERVICES)
    )
    copy_in(Offer(service=service, counselor=who) for service in services for who in counselors)
    return {service.slug: service for service in services}


def _questions(services: dict[str, Service]) -> dict[str, list[Question]]:
    rows = Question.objects.bulk_create(
        Question(
            service=services[service],
            slug=slug,
            label=label,
            choices=list(choices),
            required=required,
            position=position,
        )
        for position, (service, slug, label, choices, required) in enumerate(cast.QUESTIONS)
    )
    return {slug: [row for row in rows if row.service == services[slug]] for slug in services}


def _consents(services: dict[str, Service], now: datetime) -> dict[str, list[Consent]]:
    rows = Consent.objects.bulk_create(
        Consent(
            id=uuid.uuid4(),
            service=service,
            slug=slug,
            version=1,
            text=text,
            position=position,
            published_at=now - timedelta(days=200),
        )
        for service in services.values()
        for position, (slug, text) in enumerate(cast.CONSENTS)
    )
    return {slug: [row for row in rows if row.service == services[slug]] for slug in services}
