"""The diary that availability is measured on: the same sessions for Duet and for its peers.

Working hours are Monday to Friday 09-12 and 13-17 in a zone that changes its clock, with one day
off and one altered day; sessions of 50 minutes are offered every 30, with 10 minutes after each.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from clients.actions import people
from clients.models import Case, Member
from clients.rules.actors import COUNSELOR, Actor
from practice.demo.copying import copy_in
from practice.models import (
    Appointment,
    Counselor,
    HoursException,
    Offer,
    Practice,
    ReminderRule,
    Service,
    WorkingHours,
)
from practice.rules import slots, wall

ZONE: Final = "Europe/Berlin"
DAYS: Final = 30
LENGTH: Final = 50
STEP: Final = 30
AFTER: Final = 10
NOTICE: Final = 240
MORNING: Final = (540, 720)
AFTERNOON: Final = (780, 1020)
ALTERED: Final = (600, 900)
IN_WINDOW: Final = 100  # of all sessions; the rest is history


@dataclass(frozen=True, slots=True)
class Window:
    """Thirty days from a Monday that is far enough ahead for the notice not to matter."""

    first: date

    @classmethod
    def after(cls, today: date) -> "Window":
        return cls(today + timedelta(days=9 - today.weekday()))

    @property
    def end(self) -> date:
        return self.first + timedelta(days=DAYS)

    @property
    def day_off(self) -> date:
        return self.first + timedelta(days=9)

    @property
    def altered_day(self) -> date:
        return self.first + timedelta(days=16)

    @property
    def minutes(self) -> slots.Interval:
        return wall.first_minute(self.first, 0, ZONE), wall.first_minute(self.end, 0, ZONE)


def hours(window: Window, late: int = 0) -> slots.Hours:
    """One counselor's rule set; `late` minutes longer in the afternoon."""
    return slots.Hours(
        tuple(
            slots.Weekly(day, start, end, ZONE)
            for day in range(5)
            for start, end in (MORNING, (AFTERNOON[0], AFTERNOON[1] + late))
        ),
        (slots.Dated(window.day_off, ZONE), slots.Dated(window.altered_day, ZONE, (ALTERED,))),
    )


def side_by_side(window: Window, days: int = DAYS) -> list[int]:
    """The starts of as many sessions as the working hours of so many days take, in order."""
    end = window.first + timedelta(days=days)
    return [
        start
        for spans in slots.openings(hours(window), window.first, end).values()
        for opens, closes in spans
        for start in range(opens, closes - LENGTH + 1, LENGTH + AFTER)
    ]


def sessions_ahead(window: Window, count: int, seed: int) -> list[int]:
    """So many of them within the window, in no order; the same ones every time."""
    return random.Random(seed).sample(side_by_side(window), count)  # noqa: S311


def sessions_past(window: Window, count: int) -> list[int]:
    """The starts of so many sessions before the window, seven on each day."""
    return [
        wall.resolve(window.first - timedelta(days=60 + n // 7), f"{hour:02}:00", ZONE)
        for n in range(count)
        for hour in ((9, 10, 11, 13, 14, 15, 16)[n % 7],)
    ]


@dataclass(frozen=True, slots=True)
class Diary:
    """What was written: counselors in order of their slugs, two services, and the one case."""

    counselors: list[Counselor]
    service: Service
    case: Case


SERVICE: Final = "session"


@transaction.atomic
def write(*, window: Window, counselors: int, now: datetime, ahead: int = IN_WINDOW) -> Diary:
    """A practice whose counselors all offer one service, with so many sessions in the window."""
    Practice.objects.create(name="Lantern House", neutral_name="Lantern House", zone=ZONE)
    service = Service.objects.create(
        slug=SERVICE,
        name="Session",
        minutes=LENGTH,
        step=STEP,
        buffer_after=AFTER,
        notice=NOTICE,
        horizon_days=400,
        place=Service.Place.VIDEO,
    )
    for lead in (48 * 60, 2 * 60):
        ReminderRule.objects.create(minutes_before=lead)
    people.ensure_index_key(by=Actor.system(), now=now)
    made = [_counselor(number, service, window) for number in range(counselors)]
    diary = Diary(made, service, _case(made[0].member, now))
    for number, counselor in enumerate(made):
        book(diary, counselor, sessions_ahead(window, ahead, seed=number), now=now)
    return diary


def book(diary: Diary, counselor: Counselor, starts: Iterable[int], *, now: datetime) -> None:
    """Write confirmed sessions straight into the diary, by the thousand."""
    copy_in(
        Appointment(
            id=uuid4(),
            counselor=counselor,
            service=diary.service,
            case=diary.case,
            state=Appointment.State.CONFIRMED,
            period=DateTimeTZRange(wall.instant(start), wall.instant(start + LENGTH)),
            blocked=DateTimeTZRange(wall.instant(start), wall.instant(start + LENGTH + AFTER)),
            offered_under=1,
            agreed_zone=ZONE,
            agreed_wall=wall.wall(start, ZONE).strftime("%Y-%m-%dT%H:%M"),
            created_at=now,
            settled_at=now,
        )
        for start in starts
    )


def _counselor(number: int, service: Service, window: Window) -> Counselor:
    user = get_user_model().objects.create_user(username=f"c{number:03}")
    counselor = Counselor.objects.create(
        member=Member.objects.create(user=user, name=f"Counselor {number}", roles=[COUNSELOR]),
        slug=user.get_username(),
        zone=ZONE,
    )
    Offer.objects.create(service=service, counselor=counselor)
    rules = hours(window, late=10 * number)
    copy_in(
        WorkingHours(
            counselor=counselor,
            weekday=rule.weekday,
            start=rule.start,
            end=min(rule.end, wall.DAY),
            zone=ZONE,
        )
        for rule in rules.weekly
    )
    copy_in(
        HoursException(counselor=counselor, on=dated.on, start=start, end=end, zone=ZONE)
        for dated in rules.dated
        for start, end in dated.openings or ((None, None),)
    )
    return counselor


def _case(counselor: Member, now: datetime) -> Case:
    person = people.make_person(
        new=people.NewPerson("Robin Reed", "robin@example.org", None, "en", ZONE),
        by=Actor.system(),
        now=now,
    )
    return people.open_case(persons=[person], counselor=counselor, by=Actor.system(), now=now)
