"""Which forms come with which service, and who of a case may be asked for them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import (
    Aggregate,
    Count,
    DateTimeField,
    F,
    Field,
    IntegerField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Coalesce

from clients.models import Case, Message, Person
from clients.models.people import CaseQuerySet
from clients.queries import care, people
from clients.rules.actors import Actor
from clients.rules.permissions import Right, can
from intake.models import Assignment, Instrument, Intake
from intake.queries import giving
from intake.rules.rhythm import Before, Sessions
from practice.models import Appointment, Attendance, FormRule
from practice.queries.caseload import Voice
from practice.rules import gate, nudges


def of_service(rules: Iterable[FormRule], service_id: UUID) -> list[FormRule]:
    """Of these rules the service's own, or the general ones if it has none."""
    listed = list(rules)
    own = [one for one in listed if one.service_id == service_id]
    return own or [one for one in listed if one.service_id is None]


def before_first(service_id: UUID) -> list[FormRule]:
    """What comes before a first session with this service; one statement."""
    rules = FormRule.objects.filter(active=True, when=FormRule.When.BEFORE_FIRST)
    fitting = rules.filter(Q(service=service_id) | Q(service__isnull=True))
    return of_service(fitting.order_by("position", "slug"), service_id)


def on_rhythm() -> list[FormRule]:
    """What is asked again and again, as far as it is published; one statement."""
    rules = FormRule.objects.filter(active=True).exclude(when=FormRule.When.BEFORE_FIRST)
    given = rules.filter(slug__in=Instrument.objects.published().values("slug"))
    return list(given.order_by("position", "slug", "pk"))


def all_rules() -> list[FormRule]:
    """Every rule, those for any service first, in the order in which forms come; one statement."""
    rules = FormRule.objects.select_related("service")
    by_service = F("service__position").asc(nulls_first=True)
    return list(rules.order_by(by_service, "service__slug", "position", "slug", "when"))


def rule(pk: UUID) -> FormRule | None:
    """One rule."""
    return FormRule.objects.filter(pk=pk).first()


def may_be_asked(case_id: UUID) -> dict[UUID, bool]:
    """Of each who is part of a case: whether they may be written to alone; four statements.

    The last appointment of each says so, and of nobody who was never part of one; before there is
    any, whoever gives says so. While two have one address nobody is: each would open the other's
    link. Gates can't tell that, since they are judged for what is to come alone.
    """
    present = [one.pk for one in people.persons_of(Case.objects.get(pk=case_id))]
    found = people.addresses(present)
    rows = Attendance.objects.filter(appointment__case=case_id)
    last = dict(
        rows.order_by("appointment__period__startswith", "pk").values_list("person", "gate")
    )
    if len(set(found.values())) < len(found):
        return dict.fromkeys(present, False)
    if not last:
        return dict.fromkeys(present, True)
    return {one: one in last and gate.may_be_asked(last[one]) for one in present}


def bookers(case_id: UUID) -> set[UUID]:
    """Who booked for a case; one statement."""
    rows = Attendance.objects.filter(appointment__case=case_id, role=Attendance.Role.BOOKER)
    return set(rows.values_list("person", flat=True))


def begun(case_id: UUID, now: datetime) -> bool:
    """Whether a case has had a session; one statement."""
    had = Appointment.objects.filter(case=case_id, state__in=Appointment.ATTENDED)
    return had.filter(period__endswith__lte=now).exists()


def first_coming(case_id: UUID, now: datetime) -> dict[UUID, datetime]:
    """When each person of a case comes next, of those who still come; one statement."""
    rows = Attendance.objects.filter(
        appointment__case=case_id,
        appointment__state__in=Appointment.TAKES_PLACE,
        appointment__period__endswith__gt=now,
    ).exclude(state=Attendance.State.CANCELLED)
    return dict(
        rows.order_by().values_list("person").annotate(at=Min("appointment__period__startswith"))
    )


# --- at the desk ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GivenTo:
    """What one person of a case was given, by which link, and the last letter about it."""

    mark: str
    person: Person
    rows: tuple[Assignment, ...]
    link: Intake | None
    letter: Message | None

    @property
    def open_rows(self) -> int:
        return sum(one.state == Assignment.State.OPEN for one in self.rows)


def may_give(actor: Actor, case: Case) -> bool:
    """Whether the actor gives those of a case a form; through a broken glass nobody does."""
    if case.state == Case.State.CLOSED or care.only_by_glass(actor, case):
        return False
    return can(actor, Right.GIVE_FORMS) or care.counsels(actor, case)


def present(case: Case, voices: Sequence[Voice]) -> list[Voice]:
    """Those who are still part of a case; one statement."""
    there = {one.pk for one in people.persons_of(case)}
    return [one for one in voices if one.person.pk in there]


def given_to(actor: Actor, case: Case, voices: Sequence[Voice]) -> list[GivenTo]:
    """What each of a case was given and what became of it; three statements."""
    rows = giving.listed(actor, case)
    links = {
        one.person_id: one
        for one in Intake.objects.visible_to(actor).filter(case=case.pk, ended_at__isnull=True)
    }
    sent = Message.objects.filter(
        subject_kind=nudges.SUBJECT, subject_id__in=[one.pk for one in links.values()]
    ).exclude(state=Message.State.CANCELLED)
    # Of those that have left or will, the one that is nearest to now is the newest told of.
    letters = {one.person_id: one for one in sent.order_by("version", "-due_at")}
    return [
        GivenTo(
            one.mark,
            one.person,
            tuple(row for row in rows if row.intake.person_id == one.person.pk),
            links.get(one.person.pk),
            letters.get(one.person.pk),
        )
        for one in voices
    ]


# --- rhythms -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """How a case stands to one rule: its sessions, and the last time that it was asked."""

    case_id: UUID
    sessions: Sessions
    last: Before | None


def standing(rule: FormRule, cases: CaseQuerySet, now: datetime) -> list[Standing]:
    """How these cases stand to a rule on a rhythm; one statement.

    Only those in care, and none in which the last round's time goes on. What somebody was given by
    hand is no round: it would move the other partner's.
    """
    held = Appointment.objects.filter(case=OuterRef("pk")).order_by()
    if rule.service_id is not None:
        held = held.filter(service=rule.service_id)
    had = held.filter(state__in=Appointment.ATTENDED, period__endswith__lte=now)
    coming = held.filter(state=Appointment.State.CONFIRMED, period__startswith__gt=now)
    given = (
        Assignment.objects.filter(intake__case=OuterRef("pk"), slug=rule.slug)
        .exclude(origin=Assignment.Origin.HAND)
        .exclude(state=Assignment.State.WITHDRAWN)
        .order_by()
    )
    rows = (
        cases.filter(state=Case.State.ACTIVE)
        .annotate(
            had=Coalesce(_one(had, Count("pk"), IntegerField()), 0),
            ended=_one(had, Max("period__endswith")),
            starts=_one(coming, Min("period__startswith")),
            given=_one(given, Max("assigned_at"), of="intake__case"),
            over=_one(given, Max("expires_at"), of="intake__case"),
        )
        .filter(Q(over__isnull=True) | Q(over__lte=now), had__gt=0)
        .order_by("pk")
        .values_list("pk", "had", "ended", "starts", "given", "over")
    )
    return [
        Standing(
            pk,
            Sessions(had_, ended, starts),
            Before(given_at, over) if given_at else None,
        )
        for pk, had_, ended, starts, given_at, over in rows
    ]


def open_by_hand(case_id: UUID, slug: str, now: datetime) -> set[UUID]:
    """Who of a case has this open because a member gave it to them; one statement."""
    rows = Assignment.objects.open().filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=now),
        intake__case=case_id,
        slug=slug,
        origin=Assignment.Origin.HAND,
    )
    return set(rows.values_list("intake__person", flat=True))


def _one(
    rows: QuerySet[Any],
    value: Aggregate,
    kind: "Field[Any, Any] | None" = None,
    of: str = "case",
) -> Subquery:
    grouped = rows.values(of).annotate(found=value).values("found")
    return Subquery(grouped, output_field=kind or DateTimeField())
