"""Forms that come with a service, on a rhythm or by hand, and the letters that bring their link.

Locks are taken in one order everywhere: appointments, case, links, forms, messages.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Model

from clients.actions import messages
from clients.models import Case, Message, Person, SafeContact
from clients.queries import people as find
from clients.rules import crowding
from clients.rules.actors import Actor
from intake.actions import giving
from intake.actions import reviewing as review
from intake.models import Assignment, CasePolicy, Intake, Review
from intake.queries import giving as given
from intake.queries import reviewing
from intake.rules import rhythm
from practice.actions import planning
from practice.models import Appointment, Attendance, FormRule
from practice.queries import forms, offers
from practice.queries.terms import Terms
from practice.rules import gate, nudges, reminders

logger = logging.getLogger(__name__)

_EMAIL: Final = SafeContact.Channel.EMAIL
_BATCH: Final = 200


# --- with a booking ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewForms:
    """What a booking gives to one person: a link that isn't written yet, and what stands behind."""

    intake: Intake
    rows: tuple[Model, ...]
    may_write: bool

    @property
    def assignments(self) -> list[Assignment]:
        return [row for row in self.rows if isinstance(row, Assignment)]


def new_forms(
    *,
    case: Case,
    attendances: Sequence[Attendance],
    starts_at: datetime,
    under: Terms,
    by: Actor,
    now: datetime,
) -> list[NewForms]:
    """What comes before a first session, for a case that is just being opened; nothing is read.

    The one who booked gets theirs at once, the partner only where writing to them was called safe.
    Where both gave one address, the forms wait on the own page of the one who booked: no letter
    brings a link that the other could open.
    """
    rules = forms.of_service((rule for rule, _ in under.forms), under.service.pk)
    versions = {rule.pk: pk for rule, pk in under.forms if pk is not None}
    shared = any(one.gate == Attendance.Gate.SHARED_ADDRESS for one in attendances)
    found = []
    for attendance in attendances:
        if not gate.may_be_asked(attendance.gate):
            continue
        own = [
            _form(rule, versions[rule.pk], starts_at, now)
            for rule in rules
            if rule.pk in versions and _is_for(rule, attendance.role)
        ]
        if own:
            made = giving.new_intake(case=case, person=attendance.person, forms=own, by=by, now=now)
            found.append(NewForms(made.row, made.rows, _has_way(attendance.person, not shared)))
    if not found:
        return []
    policy = CasePolicy(case=case, kind=under.practice.secrets_policy, set_at=now)
    first = found[0]
    return [NewForms(first.intake, (policy, *first.rows), first.may_write), *found[1:]]


def _is_for(rule: FormRule, role: str) -> bool:
    return rule.who == FormRule.Who.EACH or role == Attendance.Role.BOOKER


def _form(rule: FormRule, version: UUID, starts_at: datetime, now: datetime) -> giving.Form:
    asked = rhythm.before_first(starts_at=starts_at, hours_before=rule.due_hours_before, now=now)
    return giving.Form(version, rule.slug, rule.short, asked.due_at, asked.expires_at)


def plan(
    *,
    new: Iterable[NewForms],
    besides: Iterable[Message],
    lately: Mapping[UUID, Sequence[messages.Due]],
    under: Terms,
    by: Actor,  # noqa: ARG001 - the audit entries are those of what is given
    now: datetime,
) -> list[Message]:
    """The letters that bring these links, as rows to be written.

    `besides` is what this very booking has planned already, `lately` what else is due to the same
    addresses: past the limit for strangers the first letter is put down and not sent.
    """
    delay = timedelta(seconds=under.practice.confirmation_delay_seconds)
    planned = list(besides)
    rows = []
    for one in new:
        person = one.intake.person
        due = [each.due_at for each in lately.get(person.pk, ())]
        own = [each.due_at for each in planned if each.person_id == person.pk]
        limited = person.pk in lately
        wants = [
            _within_limit(want, [*due, *own]) if limited else want
            for want in wanted(
                intake=one.intake,
                waiting=one.assignments,
                may_write=one.may_write,
                quiet=None,
                delay=delay,
                now=now,
            )
        ]
        rows += messages.new_rows(
            wants, subject_kind=nudges.SUBJECT, subject_id=one.intake.pk, now=now
        )
    return rows


def _within_limit(want: messages.Wanted, others: Sequence[datetime]) -> messages.Wanted:
    if want.purpose != nudges.FIRST or crowding.next_free(want.due_at, others) == want.due_at:
        return want
    return planning.too_many(want)


@transaction.atomic
def give_first(*, appointment: Appointment, by: Actor, now: datetime) -> None:
    """Give what comes before a first session to those of a case who weren't given it yet.

    For a case that is known: booked anew before it ever had a session, or with a partner who may
    be asked only now. A step of that act; the practice's rules give, whoever acts.
    """
    case_id = appointment.case_id
    rules = forms.before_first(appointment.service_id)
    if case_id is None or not rules or forms.begun(case_id, now):
        return
    case = Case.objects.select_for_update(of=("self",), no_key=True).get(pk=case_id)
    attendances = [
        one
        for one in Attendance.objects.filter(appointment=appointment).select_related("person__key")
        if one.state != Attendance.State.CANCELLED and gate.may_be_asked(one.gate)
    ]
    has = given.given_slugs(case_id, [one.person_id for one in attendances])
    present = {one.pk for one in find.persons_of(case)}
    was_given = False
    for rule in rules:
        asked = rhythm.before_first(
            starts_at=appointment.starts_at, hours_before=rule.due_hours_before, now=now
        )
        persons = [
            one.person
            for one in attendances
            if one.person_id in present
            and _is_for(rule, one.role)
            and rule.slug not in has[one.person_id]
        ]
        if persons:
            was_given |= _give(case, persons, rule, Assignment.Origin.SERVICE, asked, now)
    _replan_case(case_id, "given", by, now)
    if was_given and case.state == Case.State.ENQUIRY:
        _await_decision(case, appointment.starts_at, by, now)


def _await_decision(case: Case, starts_at: datetime, by: Actor, now: datetime) -> None:
    """Put an enquiry that is known, and asked anew, into the queue, unless it waits there."""
    if not Review.objects.open().filter(case=case.pk).exists():
        within = offers.the_practice().review_within_hours
        review.open_review(case=case, due_at=starts_at, within_hours=within, by=by, now=now)


def _give(
    case: Case,
    persons: Sequence[Person],
    rule: FormRule,
    origin: str,
    asked: rhythm.Asked,
    now: datetime,
) -> bool:
    """Give by a rule of the practice's; one whose instrument isn't published gives nothing."""
    try:
        giving.give_round(
            case=case,
            persons=persons,
            slugs=[rule.slug],
            origin=origin,
            due_at=asked.due_at,
            expires_at=asked.expires_at,
            short=rule.short,
            in_place_of_open=True,
            policy=offers.the_practice().secrets_policy,
            by=Actor.system(),
            now=now,
        )
    except giving.Unpublished:
        return False
    return True


@transaction.atomic
def follow(*, appointment: Appointment, reason: str, by: Actor, now: datetime) -> None:
    """Let what comes before a first session follow it: moved, or gone.

    Call it in the transaction of each change. Whoever comes to no session any more has taken back
    what they haven't sent; once there was a session, what came before it stays as it is.
    """
    case_id = appointment.case_id
    rows = Assignment.objects.open().filter(intake__case=case_id, origin=Assignment.Origin.SERVICE)
    if case_id is None or not rows.exists() or forms.begun(case_id, now):
        return
    Case.objects.select_for_update(of=("self",), no_key=True).get(pk=case_id)
    held = list(rows.select_related("intake").order_by("pk"))
    starts = forms.first_coming(case_id, now)
    hours = {
        rule.slug: rule.due_hours_before for rule in forms.before_first(appointment.service_id)
    }
    times = {
        row.pk: rhythm.before_first(
            starts_at=starts[row.intake.person_id],
            hours_before=hours.get(row.slug, 24),
            now=now,
        )
        for row in held
        if row.intake.person_id in starts
    }
    giving.retime(times=times, by=by, now=now)
    gone = [row.pk for row in held if row.pk not in times]
    giving.drop(assignments=gone, reason=reason, by=by, now=now)
    _replan_case(case_id, reason, by, now)


# --- by hand -------------------------------------------------------------------------------------


@transaction.atomic
def give_by_hand(
    *,
    case: Case,
    persons: Sequence[Person],
    slugs: Sequence[str],
    due_at: datetime | None,
    expires_at: datetime | None,
    short: bool = False,
    by: Actor,
    now: datetime,
) -> list[Intake]:
    """Give those of a case what a member chose, and tell each of them that something is there.

    Refuses as `intake.actions.giving.give_round` does.
    """
    intakes = giving.give_round(
        case=case,
        persons=persons,
        slugs=slugs,
        origin=Assignment.Origin.HAND,
        due_at=due_at,
        expires_at=expires_at,
        short=short,
        policy=offers.the_practice().secrets_policy,
        by=by,
        now=now,
    )
    _replan(intakes, forms.may_be_asked(case.pk), "given", by, now)
    return intakes


@transaction.atomic
def withdraw(*, assignment: Assignment, by: Actor, now: datetime) -> Assignment:
    """Take back what somebody hasn't sent, with the letters about it.

    Refuses as `intake.actions.giving.withdraw` does.
    """
    row = giving.withdraw(assignment=assignment, by=by, now=now)
    _replan_case(row.intake.case_id, "withdrawn", by, now)
    return row


@transaction.atomic
def ask_again(*, intake: Intake, by: Actor, now: datetime) -> Intake:
    """Send the link once more. Refuses as `intake.actions.giving.ask_again` does."""
    row = giving.ask_again(intake=intake, by=by, now=now)
    _replan_case(row.case_id, "asked_again", by, now)
    return row


@transaction.atomic
def end_of_case(*, case: Case, by: Actor, now: datetime) -> None:
    """Nobody is asked anything for a case that was closed."""
    _end(given.standing(case.pk), "case_closed", by, now)


@transaction.atomic
def end_of_person(*, person: Person, by: Actor, now: datetime) -> None:
    """Links of somebody who is erased lead nowhere, and what they have open is taken back."""
    rows = Intake.objects.filter(person=person, ended_at__isnull=True)
    _end(rows.order_by("pk"), "erased", by, now)


def _end(intakes: Iterable[Intake], reason: str, by: Actor, now: datetime) -> None:
    for intake in intakes:
        giving.end(intake=intake, reason=reason, by=by, now=now)
        messages.replan(
            subject_kind=nudges.SUBJECT,
            subject_id=intake.pk,
            wanted=[],
            reason=reason,
            by=by,
            now=now,
        )


# --- on a rhythm ---------------------------------------------------------------------------------


def give_rounds(*, by: Actor, now: datetime) -> int:
    """Give what is asked again and again, where its time has come; returns to how many cases.

    As many as one batch; those where there is nobody to ask, and those that fail, take no place in
    it. Each case by itself, and looked at again under its lock: two at once give once, and whoever
    is stopped on the way has given a whole round or nothing. Neither answers nor flags change
    when: the other partner would notice.
    """
    rules = forms.on_rhythm()
    due: dict[UUID, None] = {}
    for rule in rules:
        for one in forms.standing(rule, Case.objects.all(), now):
            if _asked(rule, one, now) is not None:
                due[one.case_id] = None
    given_to = 0
    for case_id in due:
        if given_to == _BATCH:
            break
        try:
            given_to += _give_round(case_id, rules, by, now)
        except Exception as error:
            # No words of the error: they may hold somebody's.
            logger.error("Case %s can't be asked: %s", case_id, type(error).__name__)
    return given_to


@transaction.atomic
def _give_round(case_id: UUID, rules: Sequence[FormRule], by: Actor, now: datetime) -> bool:
    found = Case.objects.filter(pk=case_id)
    case = found.select_for_update(of=("self",), no_key=True, skip_locked=True).first()
    if case is None:
        return False
    asked = forms.may_be_asked(case_id)
    booked = forms.bookers(case_id)
    present = [one for one in find.persons_of(case) if asked.get(one.pk, False)]
    was_given = False
    for rule in rules:
        for one in forms.standing(rule, found, now):
            when = _asked(rule, one, now)
            everybody = rule.who == FormRule.Who.EACH
            if when is None:
                continue
            has = forms.open_by_hand(case_id, rule.slug, now)
            persons = [
                each for each in present if (everybody or each.pk in booked) and each.pk not in has
            ]
            if persons:
                was_given |= _give(case, persons, rule, Assignment.Origin.RHYTHM, when, now)
    if was_given:
        _replan_case(case_id, "given", by, now)
    return was_given


def _asked(rule: FormRule, one: forms.Standing, now: datetime) -> rhythm.Asked | None:
    if rule.weeks is not None:
        return rhythm.every_weeks(weeks=rule.weeks, last=one.last, sessions=one.sessions, now=now)
    return rhythm.every_second(
        hours_before=rule.due_hours_before, last=one.last, sessions=one.sessions, now=now
    )


# --- letters -------------------------------------------------------------------------------------


@transaction.atomic
def replan_person(*, person: Person, reason: str, by: Actor, now: datetime) -> None:
    """Let the unsent letters about somebody's links follow from how they are reached now."""
    rows = Intake.objects.filter(person=person, ended_at__isnull=True, ends_at__gt=now)
    for case_id in sorted(set(rows.values_list("case", flat=True))):
        _replan_case(case_id, reason, by, now)


def wanted(
    *,
    intake: Intake,
    waiting: Sequence[Assignment],
    may_write: bool,
    quiet: reminders.Quiet | None,
    delay: timedelta,
    now: datetime,
) -> list[messages.Wanted]:
    """What one person is to be told about what waits for them; nothing is read or written."""
    if not may_write or not waiting or intake.ended_at is not None:
        return []
    ahead = [one.due_at for one in waiting if one.due_at and one.due_at > intake.asked_at]
    planned = nudges.plan(
        asked_at=intake.asked_at,
        due_at=min(ahead, default=None),
        ends_at=max([one.expires_at or intake.ends_at for one in waiting]),
        delay=delay,
        now=now,
        quiet=quiet,
        zone=intake.person.zone,
    )
    return [_wanted(intake, one, intake.round) for one in planned]


def _words(
    intake: Intake,
    number: int,
    told_at: datetime,
    quiet: reminders.Quiet | None,
    delay: timedelta,
) -> messages.Wanted:
    """The letter about a decision, the `number`th that was told in words."""
    planned = nudges.about_words(
        told_at=told_at,
        ends_at=intake.ends_at,
        delay=delay,
        quiet=quiet,
        zone=intake.person.zone,
    )
    return _wanted(intake, planned, number)


def _wanted(intake: Intake, planned: reminders.Planned, version: int) -> messages.Wanted:
    return messages.Wanted(
        purpose=planned.purpose,
        person_id=intake.person_id,
        channel=_EMAIL,
        version=version,
        due_at=planned.due_at,
        window_ends_at=planned.window_ends_at,
        about_at=planned.window_ends_at,
    )


@transaction.atomic
def tell(*, case: Case, by: Actor, now: datetime) -> None:
    """Tell those of a case that there is something to read on their own page.

    Part of the transaction that puts the words down, which records it.
    """
    _replan_case(case.pk, "told", by, now)


def _replan_case(case_id: UUID, reason: str, by: Actor, now: datetime) -> None:
    """Make the letters about a case's links follow from what is open behind them."""
    intakes = given.standing(case_id)
    if intakes:
        _replan(intakes, forms.may_be_asked(case_id), reason, by, now)


def _replan(
    intakes: Sequence[Intake], asked: Mapping[UUID, bool], reason: str, by: Actor, now: datetime
) -> None:
    messages.lock(subject_kind=nudges.SUBJECT, subject_ids=[one.pk for one in intakes])
    waiting = given.open_of(intakes)
    told = reviewing.decided_in_words(intakes[0].case_id)
    quiet = planning.quiet_hours(one.person_id for one in intakes)
    delay = timedelta(seconds=offers.the_practice().confirmation_delay_seconds)
    for intake in intakes:
        person = intake.person
        may_write = _has_way(person, asked.get(person.pk, False))
        wants = wanted(
            intake=intake,
            waiting=waiting[intake.pk],
            may_write=may_write,
            quiet=quiet.get(person.pk),
            delay=delay,
            now=now,
        )
        if told and may_write:
            wants.append(_words(intake, *told, quiet.get(person.pk), delay))
        messages.replan(
            subject_kind=nudges.SUBJECT,
            subject_id=intake.pk,
            wanted=wants,
            reason=reason,
            by=by,
            now=now,
        )
    messages.ring()


def _has_way(person: Person, may_be_asked: bool) -> bool:
    return may_be_asked and person.has_email
