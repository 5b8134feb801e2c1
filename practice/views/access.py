"""Who looked, week by week: at one's own clients; and for admins what everybody read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from clients import doors
from clients.doors import MemberRequest
from clients.forms import fields
from clients.models import AuditEntry, Member, Person
from clients.queries import reading
from clients.queries.reading import Reading
from clients.rules.permissions import Right, can
from practice.actions import reads
from practice.views.desk import the_practice

# Lines of one page: the first are those that were opened most.
_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One client of one's own whom somebody read of."""

    person: Person
    case_url: str
    opened: int
    listed: int


@dataclass(frozen=True, slots=True)
class Reader:
    """A member, and whom they read of."""

    member: Member | None
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Total:
    """How many clients beside their own a member read of."""

    member: Member | None
    opened: int
    listed: int


@dataclass(frozen=True, slots=True)
class Found:
    """Something unusual that a member did."""

    member: Member | None
    on: date
    kind: str
    persons: int


@doors.desk
@doors.about("auditentry")
@require_safe
def access(request: MemberRequest) -> HttpResponse:
    """Who besides those who care for them looked at one's clients in a week; for admins, at all.

    Looking at that is looking too.
    """
    now, actor, zone = timezone.now(), request.actor, timezone.get_default_timezone()
    this_week = reading.week_of(now.astimezone(zone).date())
    asked = fields.a_date(request.GET.get("week", ""))
    monday = min(reading.week_of(asked), this_week) if asked else this_week
    low, high = reading.edges(monday, zone)
    beside = reading.beside_care(actor, low, high)[:_SHOWN]
    persons = {
        one.pk: one
        for one in Person.objects.visible_to(actor)
        .filter(pk__in={row.person_id for row in beside})
        .select_related("key")
    }
    shown = [row for row in beside if row.person_id in persons]
    reads.in_access_report(
        persons=[(row.person_id, row.case_id) for row in shown], by=actor, now=now
    )
    everybody = can(actor, Right.SEE_ACCESS)
    totals = reading.readers(actor, low, high)
    raised = _raised(actor.id, monday) if everybody else []
    members = reading.names(
        {row.member_id for row in shown}
        | {row.member_id for row in totals}
        | {one.subject_id for one in raised if one.subject_id}
    )
    context = {
        "practice": the_practice(),
        "section": "access",
        "monday": monday,
        "sunday": monday + timedelta(days=6),
        "newer_url": _week_url(monday + timedelta(days=7)) if monday < this_week else "",
        "older_url": _week_url(monday - timedelta(days=7)) if monday.year > 2000 else "",
        "readers": _by_reader(shown, members, persons),
        "everybody": everybody,
        "totals": [Total(members.get(row.member_id), row.opened, row.listed) for row in totals],
        "unusual": [_found(one, members) for one in raised],
    }
    return render(request, "duet/practice/desk_access.html", context)


def _by_reader(
    shown: list[Reading], members: Mapping[UUID, Member], persons: Mapping[UUID, Person]
) -> list[Reader]:
    by_member = attrgetter("member_id")
    return [
        Reader(
            members.get(member_id),
            [
                Line(
                    persons[row.person_id],
                    reverse("practice:desk-case", args=[row.case_id]) if row.case_id else "",
                    row.opened,
                    row.listed,
                )
                for row in rows
            ],
        )
        for member_id, rows in groupby(sorted(shown, key=by_member), key=by_member)
    ]


def _raised(own: UUID | None, monday: date) -> list[AuditEntry]:
    """The week's findings; one's own are for the others."""
    raised = reading.raised(monday, monday + timedelta(days=7))
    return [entry for entry in raised if entry.subject_id != own]


def _found(entry: AuditEntry, members: Mapping[UUID, Member]) -> Found:
    return Found(
        members.get(entry.subject_id) if entry.subject_id else None,
        date.fromisoformat(entry.detail["on"]),
        entry.detail["kind"],
        entry.detail["persons"],
    )


def _week_url(monday: date) -> str:
    return f"{reverse('practice:desk-access')}?week={monday.isoformat()}"
