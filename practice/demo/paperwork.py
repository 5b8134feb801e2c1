"""What each case of the demo was given to fill in, what came of it, and who looked at that.

Answers come from a small stock that is scored once; each is sealed with its person's own key.
"""

import json
import random
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from django.db import models

from clients.models import AuditEntry, Case, Message, Notice, Person
from clients.rules import ledger
from clients.rules.access import token_hash
from clients.rules.actors import Actor
from intake.actions import safety
from intake.models import (
    Agreement,
    Assignment,
    CasePolicy,
    Flag,
    Instrument,
    Intake,
    Release,
    Response,
    Review,
    ReviewStep,
)
from intake.rules import conditions, flags, rhythm, scoring, signing, wording
from intake.rules import release as parts
from intake.rules import review as policy
from intake.rules.answers import Answered
from intake.rules.definition import PRIVATE_CHECK, Definition
from intake.rules.taking import POLICY_VERSION, SHARE_ITEM, SHARED
from practice.actions import forms
from practice.demo import words
from practice.demo.drawing import SEED, CaseDraft, Visit
from practice.demo.setting import Setting
from practice.rules import gate, nudges, wall

INTAKE: Final = "practice-intake"
CYCLE: Final = "cycle-reflection"
MOOD: Final = "phq-9"
# Each model after those that it points at.
ORDER: Final = (
    CasePolicy,
    Intake,
    Assignment,
    Response,
    Agreement,
    Flag,
    Notice,
    Review,
    ReviewStep,
    Release,
)

_TALK: Final = "consultation"
_WITHIN: Final = timedelta(hours=48)
_ROUND: Final = timedelta(weeks=4)
_FORTNIGHT: Final = timedelta(weeks=2)
# By the place of a case among those of its counselor: the stories of `drawing`.
_ASKED_OFTEN, _MISSED_ONE, _FIRST_TALK, _ONE_IN = 0, 1, 3, 5
_AFRAID, _LEFT_OUT, _SECOND_MISSING, _FIRST_ALONE = 7, 9, 10, 12
_ALONE: Final = frozenset({2, 6, 11})
_URGENT, _GAP = 6, 2
_MOODS: Final = 3


@dataclass(frozen=True, slots=True)
class _Case:
    """A case as it was written, with those of it who are asked something, in their order."""

    draft: CaseDraft
    row: Case
    story: int
    asked: tuple[tuple[Person, str], ...]
    over: datetime | None


@dataclass(frozen=True, slots=True)
class _Stock:
    """Answers that are ready to be sent: as they are stored, their scores, and their hash."""

    answers: str
    scores: str
    content_hash: bytes
    shares: bool
    raised: tuple[tuple[str, str], ...]


class Paperwork:
    """Makes the rows of one case after the other."""

    def __init__(self, setting: Setting, by: Actor, now: datetime) -> None:
        self._setting, self._by, self._now = setting, by, now
        # A stream of its own: what is drawn elsewhere stays as it is.
        self._rng = random.Random(SEED + 1)  # noqa: S311 - answers, no secrets
        self._stocks: dict[tuple[object, ...], _Stock] = {}
        self._told: dict[tuple[str, str], dict[str, str]] = {}

    def rows(
        self, draft: CaseDraft, case: Case, persons: Sequence[Person]
    ) -> Iterator[models.Model]:
        """All that a case was given, and what came of it."""
        if not draft.visits:
            return
        first = draft.visits[0]
        permissions = [card.permission for card in draft.persons]
        asked = tuple(
            (person, permission)
            for place, (person, permission) in enumerate(zip(persons, permissions, strict=True))
            if place == 0 or gate.may_be_asked(first.gate)
        )
        story = draft.number // len(self._setting.counselors)
        one = _Case(draft, case, story, asked, case.closed_at)
        given = self._given(one)
        opened = wall.instant(first.booked)
        yield CasePolicy(case=case, kind=self._setting.practice.secrets_policy, set_at=opened)
        sent: dict[tuple[str, int], list[Response]] = {}
        for person, permission in asked:
            for row in self._of_person(one, person, permission, given[person.pk]):
                if isinstance(row, Response):
                    asks = row.assignment
                    sent.setdefault((asks.slug, asks.number), []).append(row)
                yield row
        yield from self._reviewed(one, [row for rows in sent.values() for row in rows])
        if story == _ASKED_OFTEN:
            yield from self._released(one, sent)

    # --- what is given ---------------------------------------------------------------------------

    def _given(self, one: _Case) -> dict[uuid.UUID, list[Assignment]]:
        """For each who is asked, their forms in the order in which they came; nothing sent yet."""
        found: dict[uuid.UUID, list[Assignment]] = {person.pk: [] for person, _ in one.asked}
        first = one.draft.visits[0]
        booked = wall.instant(first.booked)
        for place, slug in enumerate((PRIVATE_CHECK, INTAKE)):
            self._give(found, slug, place, "service", booked, self._before(first))
        if len(one.draft.persons) > 1:
            together = next((one for one in one.draft.visits if one.service != _TALK), None)
            if together is not None:
                self._rounds(one, found, together)
        elif one.story in _ALONE:
            self._moods(found, booked)
        return found

    def _rounds(
        self, one: _Case, found: dict[uuid.UUID, list[Assignment]], together: Visit
    ) -> None:
        """The cycle's questions with the first session of both, and short ones on a rhythm."""
        at = wall.instant(together.booked)
        self._give(found, CYCLE, 2, "hand", at, self._before(together))
        often = one.story == _ASKED_OFTEN
        step, until = (_FORTNIGHT if often else _ROUND), one.over or self._now
        number = 1
        while at + step <= until and number < 4:
            at, number = at + step, number + 1
            times = rhythm.Asked(at + timedelta(days=7), at + step)
            origin = "hand" if often else "rhythm"
            self._give(found, CYCLE, 1 + number, origin, at, times, number=number, short=True)

    def _moods(self, found: dict[uuid.UUID, list[Assignment]], booked: datetime) -> None:
        """Three times the two weeks before, each given by hand."""
        for number in range(1, _MOODS + 1):
            at = booked + (number - 1) * _FORTNIGHT
            if at < self._now - timedelta(days=1):
                times = rhythm.Asked(at + timedelta(days=4), at + _FORTNIGHT)
                self._give(found, MOOD, 1 + number, "hand", at, times, number=number)

    def _before(self, visit: Visit) -> rhythm.Asked:
        return rhythm.before_first(
            starts_at=wall.instant(visit.start),
            hours_before=24,
            now=wall.instant(visit.booked),
        )

    def _give(
        self,
        found: dict[uuid.UUID, list[Assignment]],
        slug: str,
        place: int,
        origin: str,
        at: datetime,
        times: rhythm.Asked,
        *,
        number: int = 1,
        short: bool = False,
    ) -> None:
        for rows in found.values():
            rows.append(
                Assignment(
                    instrument=self._setting.instruments[slug],
                    slug=slug,
                    number=number,
                    position=place,
                    short=short,
                    origin=origin,
                    assigned_at=at,
                    due_at=times.due_at,
                    expires_at=times.expires_at,
                )
            )

    # --- what one person does with it ------------------------------------------------------------

    def _of_person(
        self, one: _Case, person: Person, permission: str, given: Sequence[Assignment]
    ) -> Iterator[models.Model]:
        token = secrets.token_urlsafe(16)
        intake = Intake(
            case=one.row,
            person=person,
            token_hash=token_hash(token),
            token=token,
            opened_at=given[0].assigned_at,
            asked_at=given[-1].assigned_at,
            round=len({row.assigned_at for row in given}),
            ends_at=max(row.expires_at for row in given if row.expires_at is not None),
        )
        rest: list[models.Model] = []
        for row in given:
            row.intake = intake
            sent_at = self._sent_at(one, person, row)
            rest.append(row)
            if sent_at is not None:
                row.state, row.closed_at = Assignment.State.SENT, sent_at
                rest += self._sent(one, person, row, sent_at)
            elif one.over is not None:
                row.state, row.closed_at = Assignment.State.WITHDRAWN, one.over
            elif row.expires_at is not None and row.expires_at <= self._now:
                row.state, row.closed_at = Assignment.State.EXPIRED, row.expires_at
        intake.ended_at = one.over or (intake.ends_at if intake.ends_at <= self._now else None)
        yield intake
        if any(isinstance(row, Response) for row in rest):
            yield self._policy(intake)
        yield from rest
        yield from self._letters(intake, permission, given)
        yield self._entry("intake", intake.pk, one.row, person)

    def _sent_at(self, one: _Case, person: Person, row: Assignment) -> datetime | None:
        """When it was sent, if it was: somewhere between the day it came and the day it is due."""
        assert row.due_at is not None  # noqa: S101 - `_give` has put it
        moment = row.assigned_at + (row.due_at - row.assigned_at) * self._rng.uniform(0.1, 0.9)
        if moment >= (one.over or self._now):
            return None
        is_first = person is one.asked[0][0]
        turn = one.draft.counselor % 3
        missing = (
            # Of those who come for a first talk: one of two, both, or nobody has sent theirs.
            (one.story == _FIRST_TALK and (turn == 2 or (turn == 0 and not is_first)))
            or (one.story == _FIRST_ALONE and row.slug == INTAKE and turn == 0)
            or (one.story == _GAP and row.slug == MOOD and row.number == 2)
            or (not is_first and row.slug == CYCLE and self._leaves_out(one.story, row.number))
        )
        return None if missing else moment

    def _leaves_out(self, story: int, number: int) -> bool:
        return {_MISSED_ONE: number == 2, _ONE_IN: True, _SECOND_MISSING: number > 1}.get(
            story, False
        )

    def _sent(
        self, one: _Case, person: Person, row: Assignment, at: datetime
    ) -> Iterator[models.Model]:
        stock = self._answered(one, person, row)
        guarded = row.slug == PRIVATE_CHECK
        definition = row.instrument.parsed
        response = Response(
            assignment=row,
            guarded=guarded,
            audience="counselor" if guarded else definition.visibility,
            answers=stock.answers,
            revision=1,
            language=_language(definition, person),
            started_at=at - timedelta(minutes=definition.minutes),
            saved_at=at,
            sent_at=at,
            content_hash=stock.content_hash,
            scores=stock.scores,
            scored_by=scoring.ENGINE,
        )
        yield response
        yield from self._agreed(response, person, shares=stock.shares)
        for kind, severity in stock.raised:
            yield from self._flagged(one, response, kind, severity)

    def _answered(self, one: _Case, person: Person, row: Assignment) -> _Stock:
        voice = 0 if person is one.asked[0][0] else 1
        if row.slug == INTAKE:
            return self._about(person, row)
        if row.slug == PRIVATE_CHECK:
            codes: Mapping[str, object] = words.CHECK_CALM
            if one.story == _AFRAID:
                codes = words.CHECK_AFRAID
            elif one.story == _LEFT_OUT and voice == 1:
                codes = words.CHECK_LEFT_OUT
            key: tuple[object, ...] = (row.slug, tuple(codes.values()))
            return self._stock(key, row, words.said({**codes, "S5": list(words.REACHED)}))
        if row.slug == MOOD:
            urgent = one.story == _URGENT and row.number == _MOODS
            mood = words.MOOD_URGENT if urgent else words.MOODS[row.number - 1]
            options = row.instrument.parsed.scales["frequency"].options
            codes = {f"phq9_{n}": options[int(sign)].code for n, sign in enumerate(mood, 1)}
            return self._stock((row.slug, mood), row, words.said(codes))
        # Those whose first round was released dance the clearest one.
        turn = 0 if one.story == _ASKED_OFTEN else one.draft.number
        dance = tuple(words.DANCES)[turn % len(words.DANCES)]
        calmer = row.number - 1
        answers = words.account(words.DANCES[dance][voice], short=row.short, calmer=calmer)
        shares = not row.short and one.story in {_ASKED_OFTEN, 4}
        if shares:
            answers[SHARE_ITEM] = Answered(value=True, revision=1)
        return self._stock((row.slug, dance, voice, row.short, calmer, shares), row, answers)

    def _about(self, person: Person, row: Assignment) -> _Stock:
        """What is theirs alone has no stock; only how it is scored does."""
        rng = self._rng
        between = str(rng.randint(3, 7))
        codes = {
            "preferred_name": person.name.split(" ", 1)[0],
            "birth_date": date(rng.randint(1960, 2000), rng.randint(1, 12), 9).isoformat(),
            "brings": rng.choice(words.BRINGS),
            "between": between,
            "relationship": rng.choice(("married", "together", "apart")),
            "length": rng.choice(("1-to-3", "4-to-10", "over-10")),
            "children": "no",
            "goals": rng.choice(words.GOALS),
            "consent_records": True,
            "consent_fees": True,
            "signature": person.name,
        }
        answers = words.said(codes)
        scored = self._stock((row.slug, between), row, answers)
        written = signing.written(answers)
        digest = signing.content_hash(bytes(row.instrument.content_hash), written)
        return replace(scored, answers=written, content_hash=digest)

    def _stock(
        self, key: tuple[object, ...], row: Assignment, answers: dict[str, Answered]
    ) -> _Stock:
        if key not in self._stocks:
            self._stocks[key] = self._ready(row.instrument, row.short, answers)
        return self._stocks[key]

    def _ready(self, instrument: Instrument, short: bool, answers: dict[str, Answered]) -> _Stock:
        definition = instrument.parsed
        kept = conditions.given(definition, answers, short=short)
        scores = scoring.score(definition, kept, short=short)
        written = signing.written(kept)
        return _Stock(
            written,
            json.dumps({name: None if one is None else str(one) for name, one in scores.items()}),
            signing.content_hash(bytes(instrument.content_hash), written),
            SHARE_ITEM in kept,
            tuple(
                dict.fromkeys(
                    (flag.kind, flag.severity)
                    for flag in flags.raised(definition, kept, sent=True, short=short)
                )
            ),
        )

    # --- what they agreed to ---------------------------------------------------------------------

    def _policy(self, intake: Intake) -> Agreement:
        return Agreement(
            case=intake.case,
            person=intake.person,
            kind=Agreement.Kind.POLICY,
            slug=self._setting.practice.secrets_policy,
            version=POLICY_VERSION,
            text=self._setting.policy_words,
            language="en",
            given_at=intake.opened_at + timedelta(minutes=1),
        )

    def _agreed(self, response: Response, person: Person, *, shares: bool) -> Iterator[Agreement]:
        definition = response.assignment.instrument.parsed
        if response.assignment.slug == INTAKE:
            agreed = ["consent_records", "consent_fees"]
        else:
            agreed = [SHARE_ITEM] if shares else []
        assert response.sent_at is not None  # noqa: S101 - it was sent
        for name in agreed:
            item = definition.item(name)
            assert item is not None  # noqa: S101 - the shipped definition has it
            told = self._texts(definition, response.language)
            keys = (f"items.{name}", f"items.{name}.help")
            yield Agreement(
                case=response.assignment.intake.case,
                person=person,
                kind=Agreement.Kind.SHARE if shares else Agreement.Kind.CONSENT,
                slug=SHARED if shares else f"{definition.id}.{name}",
                version=item.version or definition.version,
                text="\n".join(told[key] for key in keys if told.get(key)),
                language=response.language,
                response=response,
                signed_name=None if shares else person.name,
                given_at=response.sent_at,
            )

    def _texts(self, definition: Definition, language: str) -> dict[str, str]:
        key = (definition.id, language)
        if key not in self._told:
            self._told[key] = wording.texts(definition, language)
        return self._told[key]

    # --- what members did ------------------------------------------------------------------------

    def _flagged(
        self, one: _Case, response: Response, kind: str, severity: str
    ) -> Iterator[models.Model]:
        """A flag that the counselor was told of; one that is closed, two that they have seen."""
        raised = response.sent_at
        assert raised is not None  # noqa: S101 - it was sent
        member = one.row.counselor
        seen = min(raised + timedelta(minutes=40), self._now)
        flag = Flag(
            case=one.row,
            person=response.assignment.intake.person,
            response=response,
            kind=kind,
            severity=severity,
            raised_at=raised,
            seen_at=seen,
            seen_by=member,
        )
        if one.story == _LEFT_OUT:
            flag.closed_at = min(seen + timedelta(days=1), self._now)
            flag.closed_by, flag.note = member, words.NOTE
        yield flag
        yield Notice(
            member=member,
            kind=safety.RAISED,
            subject_kind="flag",
            subject_id=flag.pk,
            made_at=raised,
            seen_at=seen,
            mailed_at=raised,
        )
        yield self._entry("flag", flag.pk, one.row, flag.person)

    def _reviewed(self, one: _Case, sent: Sequence[Response]) -> Iterator[models.Model]:
        """The queue: who is in care was accepted, who only asked waits, claimed or not."""
        first = one.draft.visits[0]
        opened, starts = wall.instant(first.booked), wall.instant(first.start)
        in_care = one.row.state != Case.State.ENQUIRY
        came_in = min((row.sent_at for row in sent if row.sent_at), default=None)
        reviewer = self._setting.members["rita"]
        at = max(came_in or opened, opened) + timedelta(hours=3)
        claimed = in_care or (at < self._now and one.draft.counselor % 3 == 1)
        decided = min(at + timedelta(hours=1), self._now) if in_care else None
        review = Review(
            case=one.row,
            opened_at=opened,
            latest_at=starts,
            due_at=policy.due(
                opened_at=opened, latest_at=starts, came_in_at=came_in, within=_WITHIN
            ),
            claimed_by=reviewer if claimed else None,
            claimed_at=min(at, self._now) if claimed else None,
            decision=Review.Decision.ACCEPTED if in_care else "",
            decided_at=decided,
            decided_by=reviewer if in_care else None,
        )
        yield review
        if claimed:
            at = min(at, self._now)
            yield ReviewStep(review=review, kind=ReviewStep.Kind.CLAIMED, at=at, by=reviewer)
        if decided is not None:
            yield ReviewStep(review=review, kind=ReviewStep.Kind.ACCEPTED, at=decided, by=reviewer)
        yield self._entry("review", review.pk, one.row)

    def _released(
        self, one: _Case, sent: Mapping[tuple[str, int], Sequence[Response]]
    ) -> Iterator[models.Model]:
        """The counselor has shown the two of them their first round."""
        both = sent.get((CYCLE, 1), ())
        if len(both) != 2:
            return
        first, second = both
        latest = max(row.sent_at for row in both if row.sent_at is not None)
        release = Release(
            case=one.row,
            first=first,
            second=second,
            parts=list(parts.PARTS),
            released_at=min(latest + timedelta(days=1), self._now),
            released_by=one.row.counselor,
        )
        yield release
        yield self._entry("release", release.pk, one.row)

    # --- letters ---------------------------------------------------------------------------------

    def _letters(
        self, intake: Intake, permission: str, given: Sequence[Assignment]
    ) -> Iterator[Message]:
        """The letter that brought the link, and, where something is open, the reminders of it."""
        waiting = [row for row in given if row.state == Assignment.State.OPEN]
        rows = waiting or [row for row in given if row.assigned_at == intake.asked_at]
        wants = forms.wanted(
            intake=intake,
            waiting=rows,
            may_write=intake.person.has_email,
            quiet=None,
            delay=timedelta(),
            now=intake.asked_at,
        )
        fate = ledger.may_write(permission=permission, bounced=False, has_address=True)
        for want in wants if waiting else wants[:1]:
            row = Message(
                purpose=want.purpose,
                subject_kind=nudges.SUBJECT,
                subject_id=intake.pk,
                person_id=want.person_id,
                channel=want.channel,
                version=want.version,
                planned_at=intake.asked_at,
                due_at=want.due_at,
                window_ends_at=want.window_ends_at,
                about_at=want.about_at,
                next_try_at=want.due_at,
            )
            # What leaves within the next minutes left a little earlier.
            if want.due_at <= self._now + timedelta(minutes=20):
                if fate is not None:
                    row.state, row.reason = fate.state, fate.reason
                else:
                    row.state, row.attempts = Message.State.SENT, 1
                    row.sent_at = min(want.due_at + timedelta(seconds=9), self._now)
            yield row

    def _entry(
        self, kind: str, subject: uuid.UUID, case: Case, person: Person | None = None
    ) -> AuditEntry:
        return AuditEntry(
            at=self._now,
            actor_kind=self._by.kind,
            actor_id=self._by.id,
            verb=f"{kind}.loaded",
            subject_kind=kind,
            subject_id=subject,
            person_id=person.pk if person else None,
            case_id=case.pk,
        )


def _language(definition: Definition, person: Person) -> str:
    return person.language if person.language in definition.languages() else definition.language
