"""Watch who reads what: raise the unusual, and tell each week who looked."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from django.db import connection, transaction
from django.utils import timezone

from clients.actions import audit, notices
from clients.models import AuditEntry, Member
from clients.queries import reading
from clients.rules.actors import COUNSELOR, SUPERVISOR, Actor
from clients.rules.permissions import Right

# A pause of the clock that is longer than this leaves something unnoticed.
_LOOK_BACK: Final = timedelta(days=8)
_LOCK: Final = 7_438_002
# Under it each finding has its own id, by member, kind and day, and each week that was reported.
_FINDINGS: Final = UUID("5b0c0d7e-6c1f-4f0e-9f6e-2d9a5a0d6c11")


@transaction.atomic
def watch(*, by: Actor, now: datetime) -> int:
    """Put down what was unusual in the last days, and tell the admins: once for each finding.

    Never the reader: whoever runs a practice alone finds it in `audit unusual`. Returns how many.
    """
    if not _alone():
        return 0
    found = {
        uuid5(_FINDINGS, f"{member} {finding.kind} {finding.on}"): (member, finding)
        for member, finding in reading.unusual_reading(now - _LOOK_BACK, now + timedelta(hours=1))
    }
    known = AuditEntry.objects.filter(pk__in=list(found)).values_list("pk", flat=True)
    for pk in set(found) - set(known):
        member, finding = found[pk]
        entry = audit.record(
            verb=reading.FOUND,
            subject_kind="member",
            subject_id=member,
            by=by,
            now=now,
            detail={
                "kind": finding.kind,
                "on": finding.on.isoformat(),
                "persons": finding.persons,
            },
            write=False,
        )
        entry.pk = pk
        entry.save(force_insert=True)
        notices.tell(
            members=reading.with_right(Right.SEE_ACCESS).exclude(pk=member),
            kind="unusual_reading",
            subject_kind="finding",
            subject_id=pk,
            by=by,
            now=now,
        )
    return len(set(found) - set(known))


@transaction.atomic
def report_week(*, by: Actor, now: datetime) -> int:
    """Tell who looked in the week that is over: counselors of their cases, admins of all.

    Whoever nobody but carers looked at has nothing to be told. It may be asked at any time of the
    week after, and is done once, which is on record. Returns how many were told now.
    """
    if not _alone():
        return 0
    zone = timezone.get_default_timezone()
    monday = reading.week_of((now.astimezone(zone) - timedelta(days=7)).date())
    week = reading.week_id(monday)
    low, high = reading.edges(monday, zone)
    done = uuid5(_FINDINGS, f"week {monday}")
    if AuditEntry.objects.filter(pk=done).exists():
        return 0
    found = reading.all_beside_care(low, high)
    told = [one for one in _readers_of_reports() if reading.has_a_report(one.as_actor(), found)]
    entry = audit.record(
        verb="reading.week_reported",
        subject_kind="week",
        subject_id=week,
        by=by,
        now=now,
        detail={"week": monday.isoformat(), "members": len(told)},
        write=False,
    )
    entry.pk = done
    entry.save(force_insert=True)
    notices.tell(
        members=told,
        kind="access_report",
        subject_kind="week",
        subject_id=week,
        by=by,
        now=now,
    )
    return len(told)


def _readers_of_reports() -> list[Member]:
    """Who may have a report."""
    admins = reading.with_right(Right.SEE_ACCESS)
    carers = Member.objects.filter(roles__overlap=[COUNSELOR, SUPERVISOR], user__is_active=True)
    found = {one.pk: one for one in [*carers, *admins]}
    return [found[pk] for pk in sorted(found)]


def _alone() -> bool:
    """One at a time; whoever comes second leaves it to the first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])
