"""The desk's first page: what needs somebody now, today, and the coming days."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from clients import doors
from clients.doors import MemberRequest
from clients.models import BreakGlass, Case
from clients.queries import care
from clients.rules import permissions
from clients.rules.actors import COUNSELOR, Actor
from clients.rules.permissions import Right, can
from practice.actions import reads
from practice.models import Appointment, Attendance, Counselor, Practice
from practice.queries import diary, pages
from practice.rules import wall
from practice.templatetags import duet_times
from practice.views import notices

DAYS = 8


def the_practice() -> Practice:
    """Refuses (404) a desk without a practice."""
    practice = pages.practice()
    if practice is None:
        raise Http404
    return practice


def find(request: MemberRequest, pk: UUID) -> Appointment:
    """Refuses (404) what doesn't exist and what isn't theirs alike."""
    found = diary.appointment(request.actor, pk)
    if found is None:
        raise Http404
    return found


def glass_of(actor: Actor, case_id: UUID | None, now: datetime) -> BreakGlass | None:
    """What every page of a case says while this member reads it through the broken glass."""
    return care.glass(actor, case_id, now) if case_id else None


@dataclass(frozen=True, slots=True)
class Allowed:
    """What this member may do with an appointment, as the actions would have it."""

    keep: bool
    answer: bool
    ask: bool
    book_again: bool
    see_contact: bool
    see_case: bool
    give_code: bool


def allowed(actor: Actor, found: Appointment) -> Allowed:
    """One or two statements for who sees it by their relation to its case, none for the desk."""
    owner, case = found.counselor.member_id, found.case
    if case is None:
        raise ValueError("What is booked has a case.")
    # What is seen only through the broken glass is read, and nothing else.
    knows = not care.only_by_glass(actor, case)
    keep = knows and permissions.can_keep_diary(actor, owner)
    in_every_diary = can(actor, Right.KEEP_DIARY)
    counsels = in_every_diary or care.counsels(actor, case)
    return Allowed(
        keep=keep,
        answer=knows and permissions.can_answer_requests(actor, owner),
        # Who counsels them: they alone know what else is in the way, and nobody else learns of it.
        ask=knows and COUNSELOR in actor.roles and care.counsels(actor, case),
        book_again=knows and counsels,
        see_contact=keep
        or permissions.can_see_contact(actor, opened=False)
        or care.is_open(actor, case),
        see_case=care.may_know(actor, case),
        give_code=knows
        and (can(actor, Right.ANSWER_REQUESTS) or (counsels and case.state != Case.State.CLOSED)),
    )


# --- today ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One appointment in the list of a day."""

    appointment: Appointment
    attendances: tuple[Attendance, ...]

    @property
    def url(self) -> str:
        return reverse("practice:desk-appointment", args=[self.appointment.pk])

    @property
    def names(self) -> str:
        return " & ".join(str(one.person.shown_name) for one in self.attendances)

    @property
    def coming(self) -> list[Attendance]:
        return [one for one in self.attendances if one.state != Attendance.State.CANCELLED]

    @property
    def confirmed(self) -> int:
        return sum(one.state == Attendance.State.CONFIRMED for one in self.attendances)

    @property
    def left(self) -> int:
        return len(self.attendances) - len(self.coming)

    @property
    def shut(self) -> list[Attendance]:
        return [one for one in self.coming if one.gate != Attendance.Gate.OPEN]


def rows_of(found: Iterable[Appointment]) -> list[Row]:
    return [Row(one, tuple(one.attendances.all())) for one in found]


@doors.desk
@doors.about("appointment")
@require_safe
def today(request: MemberRequest) -> HttpResponse:
    """What needs somebody now, and the appointments of today and the coming seven days."""
    now = timezone.now()
    practice = the_practice()
    all_counselors = diary.seen_counselors(request.actor)
    chosen = _chosen(all_counselors, request.GET.get("counselor", ""))
    zone = _zone(request.actor, all_counselors, chosen) or practice.zone
    first = duet_times.local(now, zone).date()
    edges = (
        wall.instant(wall.first_minute(first, 0, zone)),
        wall.instant(wall.first_minute(first + timedelta(days=DAYS), 0, zone)),
    )
    shown = diary.between(request.actor, *edges, chosen)
    asked = diary.requests(request.actor, now, chosen)
    gates = diary.shut_gates(request.actor, now, chosen)
    trouble = diary.trouble(request.actor, now, chosen)
    listed = [part for one in (*shown.rows, *asked.rows) for part in one.attendances.all()]
    listed += [*gates.rows, *(one.attendance for one in trouble)]
    reads.in_list(attendances=listed, by=request.actor, now=now)
    context = {
        "practice": practice,
        "section": "today",
        "counselors": all_counselors if len(all_counselors) > 1 else [],
        "counselor": chosen,
        "shows_everybody": chosen is None and len(all_counselors) > 1,
        "may_book": diary.books(request.actor),
        "zone": zone,
        "zone_label": duet_times.zone_words(zone),
        "days": _days(shown, first, zone),
        "more": shown.more,
        "now": now,
        "notices": notices.lines(request.actor),
        "requests": rows_of(asked.rows),
        "more_requests": asked.more,
        "gates": gates.rows,
        "more_gates": gates.more,
        "trouble": trouble,
    }
    return render(request, "duet/practice/desk.html", context)


def _chosen(counselors: list[Counselor], slug: str) -> Counselor | None:
    """The counselor filtered by."""
    return next((one for one in counselors if one.slug == slug), None)


def _zone(actor: Actor, counselors: list[Counselor], chosen: Counselor | None) -> str:
    """The clock of whose diary it is; a counselor's own, until they choose another."""
    if chosen is None and not can(actor, Right.SEE_DIARY):
        chosen = next((one for one in counselors if one.member_id == actor.id), None)
    return chosen.zone if chosen else ""


def _days(shown: diary.Shown[Appointment], first: date, zone: str) -> list[dict[str, object]]:
    days = [first + timedelta(days=number) for number in range(DAYS)]
    on: dict[date, list[Row]] = {day: [] for day in days}
    for row in rows_of(shown.rows):
        # What began before midnight belongs to the first day shown.
        start = duet_times.local(row.appointment.starts_at, zone).date()
        on[max(start, first)].append(row)
    if shown.more:
        # Days beyond the last row aren't empty: they didn't fit.
        last = max(day for day in days if on[day])
        days = [day for day in days if day <= last]
    return [{"date": day, "rows": on[day], "is_today": day == first} for day in days]
