"""The desk's first page: what needs somebody now, today, and the coming days."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from clients import doors
from clients.doors import MemberRequest
from clients.rules.actors import ADMIN, COUNSELOR, Actor
from practice.actions import reads
from practice.models import Appointment, Attendance, Counselor, Practice
from practice.queries import diary, pages
from practice.rules import wall
from practice.templatetags import duet_times

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


def may_ask_in_person(actor: Actor) -> bool:
    """Whether this member may say that a partner was asked in person: a clinician's word."""
    return bool(actor.roles & {ADMIN, COUNSELOR})


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
@require_safe
def today(request: MemberRequest) -> HttpResponse:
    """What needs somebody now, and the appointments of today and the coming seven days."""
    now = timezone.now()
    practice = the_practice()
    all_counselors = diary.counselors(request.actor)
    chosen = _chosen(all_counselors, request.GET.get("counselor", ""))
    zone = chosen.zone if chosen else practice.zone
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
        "shows_everybody": chosen is None,
        "zone": zone,
        "zone_label": duet_times.zone_words(zone),
        "days": _days(shown, first, zone),
        "more": shown.more,
        "now": now,
        "requests": rows_of(asked.rows),
        "more_requests": asked.more,
        "gates": gates.rows,
        "more_gates": gates.more,
        "trouble": trouble,
    }
    return render(request, "duet/practice/desk.html", context)


def _chosen(counselors: list[Counselor], slug: str) -> Counselor | None:
    """The counselor filtered by; whoever keeps one diary only is always at that one."""
    if len(counselors) == 1:
        return counselors[0]
    return next((one for one in counselors if one.slug == slug), None)


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
