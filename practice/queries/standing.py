"""How persons stand to the practice: what is to come, what is open, when their care ended."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from django.db.models import Count, Max, Q

from clients.models import Case, CoupleMember
from clients.rules.retention import Standing
from practice.models import Appointment, Attendance


def of_persons(person_ids: Iterable[UUID], now: datetime) -> dict[UUID, Standing]:
    """What decides whether each of these persons may be erased; four statements for them all."""
    ids = set(person_ids)
    left = _couples(ids)
    attended, coming = _attended(ids, now), _coming(ids, now)
    open_cases: Counter[UUID] = Counter()
    ends: dict[UUID, list[date]] = defaultdict(list)
    own = Case.objects.filter(
        Q(person__in=ids) | Q(couple__in={couple for _, couple in left})
    ).only("person", "couple", "state", "closed_at")
    for case in own:
        for person in _persons(case, left):
            ended = case.closed_at or (left[person, case.couple_id] if case.couple_id else None)
            last = attended.get((person, case.pk))
            # An enquiry that came to nothing is no care.
            was_care = case.state != Case.State.ENQUIRY or last is not None
            if ended is None:
                open_cases[person] += was_care
            elif was_care:
                ends[person].append(max(ended, last or ended).date())
    return {
        one: Standing(coming[one], open_cases[one], max(ends[one], default=None)) for one in ids
    }


def _couples(ids: set[UUID]) -> dict[tuple[UUID, UUID], datetime | None]:
    """Of each person and couple of theirs when they left it; None while they are part of it."""
    found: dict[tuple[UUID, UUID], datetime | None] = {}
    rows = CoupleMember.objects.filter(person__in=ids).order_by("joined_at", "voice")
    for person, couple, left_at in rows.values_list("person", "couple", "left_at"):
        # Whoever came back is part of it again.
        found[person, couple] = left_at
    return found


def _persons(case: Case, left: dict[tuple[UUID, UUID], datetime | None]) -> list[UUID]:
    if case.person_id:
        return [case.person_id]
    return [person for person, couple in left if couple == case.couple_id]


def _attended(ids: set[UUID], now: datetime) -> dict[tuple[UUID, UUID | None], datetime]:
    """When the last hour of care ended, of each person and case that had one."""
    rows = Attendance.objects.filter(
        person__in=ids,
        appointment__state__in=Appointment.ATTENDED,
        appointment__period__endswith__lte=now,
    ).values("person", "appointment__case")
    found = rows.annotate(last=Max("appointment__period__endswith"))
    return {(row["person"], row["appointment__case"]): row["last"] for row in found.order_by()}


def _coming(ids: set[UUID], now: datetime) -> Counter[UUID]:
    """How many appointments each of them has still to come to."""
    rows = (
        Attendance.objects.filter(person__in=ids)
        .exclude(state=Attendance.State.CANCELLED)
        .filter(appointment__in=Appointment.objects.coming(now))
        .values("person")
        .annotate(number=Count("pk"))
    )
    return Counter({row["person"]: row["number"] for row in rows.order_by()})
