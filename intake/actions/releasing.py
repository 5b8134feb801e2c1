"""Release parts of a round of the cycle to the couple whose it is, and take that back.

Both agree, both answered enough for a dance, a clinician of the case releases, and neither has an
open flag; each of these is asked for again whenever the couple looks.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from clients.actions import audit
from clients.models import Case
from clients.queries import care
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from intake.models import Release
from intake.models.safety import is_in_safe_mode
from intake.queries import cycle
from intake.queries import release as queries
from intake.rules import release as rules
from intake.rules.cycle import reflect


class CannotRelease(Exception):
    """What is missing for it: codes of `intake.rules.release`, and who hasn't agreed.

    For a clinician alone: it tells of consents and flags.
    """

    def __init__(self, missing: Iterable[str], unagreed: Iterable[UUID] = ()) -> None:
        self.missing = tuple(missing)
        self.unagreed = frozenset(unagreed)
        super().__init__(", ".join(self.missing))


@transaction.atomic
def release(*, case: Case, number: int, parts: Iterable[str], by: Actor, now: datetime) -> Release:
    """Let the couple see these parts of one round; what was released before is taken back.

    Refuses (NotPermitted) whoever is no clinician of the case or only broke its glass,
    (CannotRelease) while something is missing for it, (ValueError) a part that there isn't.
    """
    wanted = rules.in_order(parts)
    locked = _locked(case, by)
    found = _round(locked, number)
    missing, unagreed = _missing(locked, found, wanted)
    if missing or found is None:
        raise CannotRelease(missing, unagreed)
    assert by.id is not None  # noqa: S101 - only a member counsels
    _take_back(locked, by, now)
    first, second = found.sent
    row = Release.objects.create(
        case=locked,
        first=first,
        second=second,
        parts=list(wanted),
        released_at=now,
        released_by_id=by.id,
    )
    _record("release.made", row, by, now, {"round": number, "parts": list(wanted)})
    return row


@transaction.atomic
def withdraw(*, case: Case, by: Actor, now: datetime) -> None:
    """Take back what the couple may see; nothing where nothing is released.

    Refuses (NotPermitted) whoever is no clinician of the case or only broke its glass.
    """
    _take_back(_locked(case, by), by, now)


def _locked(case: Case, by: Actor) -> Case:
    """One at a time, so that what stands is one release."""
    if not care.counsels(by, case):
        raise NotPermitted
    locked = Case.objects.select_for_update(of=("self",), no_key=True).get(pk=case.pk)
    found = cycle.case(by, locked.pk)
    if found is None:
        raise NotPermitted
    return found


def _round(case: Case, number: int) -> cycle.Round | None:
    everything = cycle.rounds(Actor.system(), case)
    return next((one for one in everything if one.number == number), None)


def _missing(
    case: Case, found: cycle.Round | None, parts: tuple[str, ...]
) -> tuple[list[str], set[UUID]]:
    """What stands in the way, all of it at once."""
    if found is None or len(found.sent) < 2 or not queries.present(found):
        return [rules.NOT_TWO], set()
    missing = []
    if not parts:
        missing.append(rules.NOTHING)
    if not found.same_version:
        missing.append(rules.VERSIONS)
    first, second = (cycle.answers(one) for one in found.responses)
    if first is None or second is None:
        missing.append(rules.UNREADABLE)
    elif found.same_version:
        questions = cycle.definition(found)
        missing += rules.unfit(reflect(questions, first, second, short=found.asked_short))
    persons = {one.person.pk for one in found.voices}
    unagreed = persons - queries.agree(case, [one.person for one in found.voices])
    if unagreed:
        missing.append(rules.CONSENT)
    if is_in_safe_mode(case):
        missing.append(rules.FLAG)
    return missing, unagreed


def _take_back(case: Case, by: Actor, now: datetime) -> None:
    for row in Release.objects.standing().filter(case=case.pk):
        row.withdrawn_at, row.withdrawn_by_id = now, by.id
        row.save(update_fields=["withdrawn_at", "withdrawn_by"])
        _record("release.withdrawn", row, by, now, {})


def _record(verb: str, row: Release, by: Actor, now: datetime, detail: dict[str, object]) -> None:
    audit.record(
        verb=verb,
        subject_kind="release",
        subject_id=row.pk,
        case_id=row.case_id,
        by=by,
        now=now,
        detail=detail,
    )
