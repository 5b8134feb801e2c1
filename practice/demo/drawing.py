"""Draws the demo practice's diary: who comes when, and how it went. No database, no clock.

The same seed and the same moment give the same diary, and another day the same one moved along.
"""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from practice.demo import cast
from practice.demo.cast import CounselorCard, ServiceCard
from practice.rules import slots, wall
from practice.rules.slots import Dated, Interval

SEED: Final = 7438
# The one appointment whose last reminder leaves by itself soon after the practice is opened.
SOON: Final = 122
_PER_COUNSELOR: Final = 14
_NEVER: Final = 1 << 40
_SERVICES: Final = {card.slug: card for card in cast.SERVICES}


@dataclass(frozen=True, slots=True)
class PersonDraft:
    """Somebody in care, as they would fill in the form."""

    name: str
    email: str | None
    phone: str | None
    language: str
    zone: str
    # What they said about e-mail: yes, neutral or no; and their quiet hours, if any.
    permission: str = "neutral"
    quiet: tuple[int, int] | None = None


@dataclass(slots=True)
class Visit:
    """One appointment; moments in epoch minutes. `reason`: why it lies beside the hours."""

    service: str
    start: int
    booked: int
    state: str
    cancelled: int | None = None
    partner: str = "confirmed"
    gate: str = "open"
    overbooked: bool = False
    reason: str = ""
    # When it was moved to where it is, and from where.
    moved: int | None = None
    moved_from: int | None = None
    # When the partner said that they can't come; the other one still does.
    partner_left: int | None = None

    @property
    def end(self) -> int:
        return self.start + _SERVICES[self.service].minutes


@dataclass(slots=True)
class CaseDraft:
    """One or two persons, their counselor (by place in the list), and their visits in order."""

    number: int
    counselor: int
    persons: tuple[PersonDraft, ...]
    state: str
    visits: list[Visit]


@dataclass(slots=True)
class Diary:
    """All that is loaded: the exceptions and time off of each counselor, and the cases."""

    counselors: tuple[CounselorCard, ...]
    dated: list[list[Dated]]
    away: list[list[tuple[Interval, str]]]
    cases: list[CaseDraft] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Story:
    """How a case goes: sessions at a rhythm, then one that anchors it to a day from today."""

    persons: int
    state: str
    service: str
    anchor: int | None
    at: int
    rhythm: int = 7
    past: int = 0
    coming: int = 0
    outcome: str = "confirmed"
    partner: str = "confirmed"
    gate: str = "open"
    moved: bool = False
    leaves: bool = False


_TWO, _ONE, _TALK, _LONG = "couple-session", "individual-session", "consultation", "long-session"

# Four meet today, the others on the days around it. `at` is the wished-for minute of the day.
_STORIES: Final = (
    _Story(2, "active", _TWO, 0, 570, past=5, coming=2),
    _Story(2, "active", _TWO, 0, 840, rhythm=14, past=3, coming=1, partner="expected", leaves=True),
    _Story(1, "active", _ONE, 0, 690, past=4, coming=1),
    _Story(2, "enquiry", _TALK, 0, 960, partner="expected"),
    _Story(2, "active", _TWO, 1, 660, past=3, coming=1, gate="shared_address"),
    _Story(2, "active", _TWO, 6, 900, rhythm=14, past=2, partner="expected", moved=True),
    _Story(1, "active", _ONE, 3, 960, rhythm=14, past=3, coming=1),
    _Story(2, "enquiry", _TALK, 2, 870, partner="expected", gate="said_unsafe"),
    _Story(2, "active", _LONG, 9, 600, past=2, outcome="requested", gate="private_check"),
    _Story(2, "paused", _TWO, -21, 720, past=4),
    _Story(2, "active", _TWO, 2, 780, past=2, coming=1, outcome="cancelled"),
    _Story(1, "active", _ONE, 4, 600, past=2, outcome="no_show"),
    _Story(1, "enquiry", _TALK, 3, 720),
    _Story(2, "closed", _TWO, -35, 990, past=4, gate="no_contact"),
)


def service(slug: str) -> ServiceCard:
    """The service with this slug. Refuses (KeyError) any other."""
    return _SERVICES[slug]


class _Book:
    """One counselor's hours and what is taken of them."""

    def __init__(
        self, card: CounselorCard, dated: list[Dated], away: list[tuple[Interval, str]]
    ) -> None:
        self.zone = card.zone
        self._hours = slots.Hours(card.hours(), tuple(dated))
        self._away = [period for period, _ in away]
        self._taken: dict[int, list[Interval]] = {}

    def find(self, on: date, at: int, service: ServiceCard, step: int) -> int | None:
        """The open start nearest to `at` on this date, or on the next one of ten, `step` apart."""
        for days in range(10):
            day = on + timedelta(days=days * step)
            found = self._starts(day, service)
            if found:
                wished = wall.first_minute(day, at, self.zone)
                return min(found, key=lambda start: abs(start - wished))
        return None

    def _starts(self, on: date, service: ServiceCard) -> list[int]:
        midnight = wall.first_minute(on, 0, self.zone)
        return slots.open_starts(
            hours=self._hours,
            busy=[*self._taken.get(midnight // wall.DAY, ()), *self._away],
            length=service.minutes,
            step=service.step,
            after=service.buffer_after,
            earliest=midnight,
            latest=_NEVER,
            window=(midnight, midnight + wall.DAY),
        )

    def take(self, start: int, service: ServiceCard) -> None:
        """Mark a session and its buffer as taken, on every date that it may touch."""
        period = (start, start + service.minutes + service.buffer_after)
        for day in range(period[0] // wall.DAY - 2, period[1] // wall.DAY + 2):
            self._taken.setdefault(day, []).append(period)


def draw(*, count: int, now: datetime, seed: int = SEED) -> Diary:
    """A diary with `count` cases around `now`; nothing in it overlaps but what says so."""
    rng = random.Random(seed)  # noqa: S311 - a diary, not a secret
    minute = wall.minute_ceiling(now)
    cards = cast.counselors(max(len(cast.COUNSELORS), -(-count // _PER_COUNSELOR)))
    diary = Diary(cards, [], [])
    for number, card in enumerate(cards):
        today = wall.wall(minute, card.zone).date()
        diary.dated.append(list(_exceptions(card, number, today)))
        diary.away.append(list(_time_off(card, number, today)))
    books = [
        _Book(card, diary.dated[number], diary.away[number]) for number, card in enumerate(cards)
    ]
    crowd = _Crowd(rng)
    for number in range(count):
        who = number % len(cards)
        story = _STORIES[number // len(cards) % len(_STORIES)]
        visits = _Drafting(rng, books[who], story, minute).visits(soon=number == 0)
        persons = crowd.persons(number, books[who].zone, story)
        if number == 0:
            # Nothing may hold back the one reminder that leaves by itself, at night either.
            persons = tuple(replace(one, permission="neutral", quiet=None) for one in persons)
        diary.cases.append(CaseDraft(number, who, persons, story.state, visits))
    if count:
        _overbook(diary, minute)
    return diary


def _exceptions(card: CounselorCard, number: int, today: date) -> Iterator[Dated]:
    """Today is open even on a weekend; two Saturdays ahead some are; one day some are closed."""
    if not any(day == today.weekday() for day, _, _ in card.weekly):
        yield Dated(today, card.zone, ((570, 780), (840, 1080)))
    saturday = today + timedelta(days=(5 - today.weekday()) % 7 + 7)
    if number % 3 == 0:
        yield Dated(saturday, card.zone, ((540, 720),))
    if number % 3 == 1:
        yield Dated(today + timedelta(days=11), card.zone)


def _time_off(card: CounselorCard, number: int, today: date) -> Iterator[tuple[Interval, str]]:
    first, days, label = (
        (today + timedelta(days=19), 5, "Away"),
        (today + timedelta(days=26), 2, "Training"),
        (today - timedelta(days=12), 3, "Away"),
    )[number % 3]
    last = first + timedelta(days=days)
    yield (wall.first_minute(first, 0, card.zone), wall.first_minute(last, 0, card.zone)), label


class _Drafting:
    """One case in the making."""

    def __init__(self, rng: random.Random, book: _Book, story: _Story, now: int) -> None:
        self._rng, self._book, self._story, self._now = rng, book, story, now
        self._today = wall.wall(now, book.zone).date()

    def visits(self, *, soon: bool) -> list[Visit]:
        story = self._story
        visits: list[Visit] = []
        anchor = self._today + timedelta(days=story.anchor or 0)
        for back in range(story.past, 0, -1):
            service = _TALK if back == story.past else (_TWO if story.persons == 2 else _ONE)
            on = anchor - timedelta(days=back * story.rhythm)
            self._add(
                visits, service, on, step=-1, outcome=self._how_it_went(), partner="confirmed"
            )
        if soon:
            visits.append(self._soon(visits))
        elif story.anchor is not None:
            # An outcome of the past is that of the session before; what comes is confirmed.
            outcome = "confirmed" if story.outcome == "no_show" else story.outcome
            self._add(visits, story.service, anchor, outcome=outcome, partner=story.partner)
            if story.moved and visits and visits[-1].start > self._now + 2 * wall.DAY:
                _move(visits[-1], self._now)
        if story.outcome == "no_show" and len(visits) > 1 and visits[-2].state == "done":
            visits[-2].state = "no_show"
        for ahead in range(1, story.coming + 1):
            on = anchor + timedelta(days=ahead * story.rhythm)
            self._add(visits, story.service, on, outcome="confirmed", partner="expected")
            if story.leaves and visits[-1].start > self._now + 2 * wall.DAY:
                visits[-1].partner_left = max(self._now - 5 * 60, visits[-1].booked + 10)
        return visits

    def _how_it_went(self) -> str:
        return self._rng.choices(("done", "cancelled", "no_show"), (88, 8, 4))[0]

    def _add(
        self,
        visits: list[Visit],
        slug: str,
        on: date,
        *,
        outcome: str,
        partner: str,
        step: int = 1,
    ) -> None:
        """Find a time on that day or near it; without any the visit is left out."""
        service = _SERVICES[slug]
        start = self._book.find(on, self._story.at, service, step)
        if start is None or (visits and start < visits[-1].end):
            return
        booked = self._booked(visits, start)
        visit = Visit(slug, start, booked, outcome, partner=partner, gate=self._story.gate)
        visit.state = self._state_now(visit)
        if visit.state == "cancelled":
            latest = min(start - 30 * 60, self._now - 26 * 60)
            visit.cancelled = max(booked + 30, latest)
        else:
            self._book.take(start, service)
        visits.append(visit)

    def _state_now(self, visit: Visit) -> str:
        """What is over has been put down, what has not ended is still to come."""
        if visit.end <= self._now:
            return "done" if visit.state in {"confirmed", "requested"} else visit.state
        return "confirmed" if visit.state in {"done", "no_show"} else visit.state

    def _booked(self, visits: list[Visit], start: int) -> int:
        """Booked at the end of the last session, or some days ahead; a while ago in any case."""
        over = [visit.end for visit in visits if visit.end < min(start, self._now)]
        ahead = max(over) + 3 if over else start - self._rng.randint(4 * wall.DAY, 9 * wall.DAY)
        return min(ahead, self._now - self._rng.randint(2 * 60, 20 * 60), start - 5 * 60)

    def _soon(self, visits: list[Visit]) -> Visit:
        service = _SERVICES[self._story.service]
        start = self._now + SOON
        self._book.take(start, service)
        booked = min(self._booked(visits, start), start - 5 * wall.DAY)
        reason = "Agreed by telephone, between two others."
        return Visit(service.slug, start, booked, "confirmed", reason=reason)


def _move(visit: Visit, now: int) -> None:
    """It was a day later at first, and was moved this morning or last night."""
    visit.moved = max(now - 90, visit.booked + 10)
    visit.moved_from = visit.start + wall.DAY


def _overbook(diary: Diary, now: int) -> None:
    """One coming session lies over another one, knowingly."""
    for other in diary.cases:
        if other.counselor != 0 or len(other.persons) != 1:
            continue
        for case in diary.cases[1:]:
            for visit in case.visits:
                lies_ahead = visit.start > now + wall.DAY and visit.state == "confirmed"
                if case.counselor == 0 and lies_ahead and visit.service == _TWO:
                    reason = "Could not wait for the next free time."
                    other.visits.append(
                        Visit(
                            _ONE,
                            visit.start + 60,
                            now - 3 * 60,
                            "confirmed",
                            overbooked=True,
                            reason=reason,
                        )
                    )
                    return


class _Crowd:
    """Invents persons; in a small practice no two have the same name."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._names: set[str] = set()

    def persons(self, number: int, zone: str, story: _Story) -> tuple[PersonDraft, ...]:
        """One or two persons; of a couple some share a surname, and some an address."""
        first = self._person(number, zone, self._rng.choice(cast.SURNAMES), "")
        if story.persons == 1:
            return (first,)
        shared = self._rng.random() < 0.4
        surname = first.name.split(" ", 1)[1] if shared else self._rng.choice(cast.SURNAMES)
        partner = self._person(number, zone, surname, "b")
        if story.gate == "shared_address":
            return first, replace(partner, email=first.email)
        if story.gate == "no_contact":
            return first, replace(partner, email=None, phone=None)
        return first, partner

    def _given(self, surname: str) -> str:
        for _ in range(20):
            given = self._rng.choice(cast.GIVEN)
            if f"{given} {surname}" not in self._names:
                break
        self._names.add(f"{given} {surname}")
        return given

    def _person(self, number: int, zone: str, surname: str, part: str) -> PersonDraft:
        rng = self._rng
        given = self._given(surname)
        # Names repeat in a large practice, addresses never.
        mark = f"{number}{part}" if number >= 60 else ""
        domain = rng.choice(("example.org", "example.com"))
        phone = f"+1{rng.choice(cast.AREA_CODES)}55501{rng.randrange(100):02}"
        elsewhere = "America/Chicago" if zone == cast.PRACTICE_ZONE else "Atlantic/Canary"
        spanish = zone == "Europe/Madrid" and rng.random() < 0.7
        return PersonDraft(
            name=f"{given} {surname}",
            email=f"{_ascii(f'{given}.{surname}'.lower())}{mark}@{domain}",
            phone=phone if rng.random() < 0.6 else None,
            language="es" if spanish else "en",
            zone=elsewhere if part and rng.random() < 0.2 else zone,
            permission=rng.choices(("neutral", "yes", "no"), (70, 24, 6))[0],
            quiet=(22 * 60, 7 * 60) if rng.random() < 0.25 else None,
        )


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return plain.replace(" ", "")
