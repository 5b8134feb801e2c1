"""Give people what they are asked to fill in, and end it: by the practice's rules, or by hand."""

import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Model, QuerySet

from clients.actions import audit
from clients.actions.people import NewRows
from clients.models import AuditEntry, Case, Person
from clients.queries import care
from clients.queries import people as find
from clients.rules import envelope, permissions
from clients.rules.access import token_hash
from clients.rules.actors import Actor
from intake.models import Assignment, CasePolicy, Instrument, Intake
from intake.rules import rhythm
from intake.rules.definition import PRIVATE_CHECK

# How long a link opens where nothing that stands behind it says when it expires.
LINK_LASTS: Final = timedelta(days=90)
_BATCH: Final = 500

Row = TypeVar("Row", bound=Model)


class Unpublished(Exception):
    """No version of this instrument is published; `slug` names it."""

    def __init__(self, slug: str) -> None:
        super().__init__(slug)
        self.slug = slug


class NotOfCase(Exception):
    """This person is no part of the case, or isn't any more."""


class CaseClosed(Exception):
    """The case is closed: nobody is asked anything for it."""


class StillOpen(Exception):
    """Somebody has this one open already; `slug` names it. It is withdrawn first."""

    def __init__(self, slug: str) -> None:
        super().__init__(slug)
        self.slug = slug


class NotOpen(Exception):
    """It was sent, it expired or it was withdrawn."""


@dataclass(frozen=True, slots=True)
class Form:
    """One published version, as it is given: whole or short, by when, and until when."""

    instrument_id: UUID
    slug: str
    short: bool = False
    due_at: datetime | None = None
    expires_at: datetime | None = None


def new_intake(
    *, case: Case, person: Person, forms: Sequence[Form], by: Actor, now: datetime
) -> NewRows[Intake]:
    """A first intake for a case that is just being opened, to be written with the rest of it.

    A step of a booking: what comes with its service is given as the practice's rules say.
    """
    intake = _opened(case, person, now)
    origin = Assignment.Origin.SERVICE
    given = _assignments(intake, forms, dict.fromkeys((one.slug for one in forms), 1), origin, now)
    intake.ends_at = _ends(now, forms)
    entry = _given(intake, given, origin, by, now, write=False)
    return NewRows(intake, (intake, *given, entry))


@transaction.atomic
def give(
    *,
    case: Case,
    person: Person,
    slugs: Sequence[str],
    origin: str,
    due_at: datetime | None,
    expires_at: datetime | None,
    short: bool = False,
    policy: str,
    by: Actor,
    now: datetime,
) -> Intake:
    """Give one person of a case the published versions of these instruments.

    Opens their link, or takes the one that stands. Refuses as `give_round` does.
    """
    intakes = give_round(
        case=case,
        persons=[person],
        slugs=slugs,
        origin=origin,
        due_at=due_at,
        expires_at=expires_at,
        short=short,
        policy=policy,
        by=by,
        now=now,
    )
    return intakes[0]


@transaction.atomic
def give_round(
    *,
    case: Case,
    persons: Sequence[Person],
    slugs: Sequence[str],
    origin: str,
    due_at: datetime | None,
    expires_at: datetime | None,
    short: bool = False,
    in_place_of_open: bool = False,
    policy: str,
    by: Actor,
    now: datetime,
) -> list[Intake]:
    """Give several of a case the same, as one round: each instrument has one number for all.

    `short` gives the short form of those that have one. `policy` is how what is said alone is
    kept, where the case doesn't say so yet. With `in_place_of_open`, what somebody still has open
    of an earlier round expires.
    Refuses (Unpublished) an instrument without a published version, (NotOfCase, Erased) persons,
    (CaseClosed) a closed case, (StillOpen) what somebody has open, (NotPermitted) whoever may
    give those of the case nothing.
    """
    case = _locked(case, by)
    if case.state == Case.State.CLOSED:
        raise CaseClosed
    asked = _of_case(case, persons)
    versions = _published(slugs)
    forms = [
        Form(one.pk, slug, short and one.has_short, due_at, expires_at)
        for slug, one in versions.items()
    ]
    standing = _standing(case, asked, now)
    _clear(case, asked, versions, now, in_place_of_open=in_place_of_open)
    CasePolicy.objects.get_or_create(case=case, defaults={"kind": policy, "set_at": now})
    numbers = _next_numbers(case, asked, versions)
    intakes = []
    for person in asked:
        intake = standing.get(person.pk)
        if intake is None:
            intake = _opened(case, person, now)
            intake.ends_at = _ends(now, forms)
            intake.save(force_insert=True)
        else:
            intake.round += 1
            intake.asked_at = now
            intake.ends_at = max(intake.ends_at, _ends(now, forms))
            intake.save(update_fields=["round", "asked_at", "ends_at"])
        rows = _assignments(intake, forms, numbers, origin, now, after=_last_place(intake))
        given = Assignment.objects.bulk_create(rows)
        _given(intake, given, origin, by, now)
        intakes.append(intake)
    return intakes


@transaction.atomic
def ask_again(*, intake: Intake, by: Actor, now: datetime) -> Intake:
    """Ask once more for what is open: letters of the round before no longer hold.

    Refuses (NotOpen) where the link has ended or nothing is open, (NotPermitted) as `give_round`.
    """
    case = _locked(intake.case, by)
    intake = Intake.objects.select_for_update(of=("self",), no_key=True).get(pk=intake.pk)
    is_open = Assignment.objects.open().filter(intake=intake).exists()
    if intake.ended_at is not None or intake.ends_at <= now or not is_open:
        raise NotOpen
    intake.round += 1
    intake.asked_at = now
    intake.save(update_fields=["round", "asked_at"])
    _record("intake.asked_again", intake, case.pk, by, now, round=intake.round)
    return intake


@transaction.atomic
def withdraw(*, assignment: Assignment, by: Actor, now: datetime) -> Assignment:
    """Take back what somebody hasn't sent. Twice is the same as once.

    Refuses (NotOpen) what was sent or has expired, (NotPermitted) as `give_round` does.
    """
    case = _locked(assignment.intake.case, by)
    assignment = (
        Assignment.objects.select_for_update(of=("self",), no_key=True)
        .select_related("intake")
        .get(pk=assignment.pk)
    )
    if assignment.state == Assignment.State.WITHDRAWN:
        return assignment
    if assignment.state != Assignment.State.OPEN:
        raise NotOpen
    _close([assignment], Assignment.State.WITHDRAWN, now)
    _record("assignment.withdrawn", assignment.intake, case.pk, by, now, slug=assignment.slug)
    return assignment


@transaction.atomic
def retime(
    *,
    times: Mapping[UUID, rhythm.Asked],
    by: Actor,  # noqa: ARG001 - see below
    now: datetime,  # noqa: ARG001
) -> None:
    """Change by when these are due and until when they can be sent; sent ones stay as they are.

    A step of whoever moves the session that they come before; the entry is that of the move.
    """
    _hold_links(times)
    for row in _hold(times):
        asked = times[row.pk]
        row.due_at, row.expires_at = asked.due_at, asked.expires_at
        row.save(update_fields=["due_at", "expires_at"])
        Intake.objects.filter(pk=row.intake_id, ends_at__lt=asked.expires_at).update(
            ends_at=asked.expires_at
        )


@transaction.atomic
def drop(*, assignments: Iterable[UUID], reason: str, by: Actor, now: datetime) -> None:
    """Take back those of these that nobody has sent.

    A step of whoever cancels what they come before; `reason` is a code.
    """
    for row in _close(_hold(assignments), Assignment.State.WITHDRAWN, now):
        intake = row.intake
        _record(
            "assignment.withdrawn", intake, intake.case_id, by, now, slug=row.slug, reason=reason
        )


@transaction.atomic
def end(*, intake: Intake, reason: str, by: Actor, now: datetime) -> Intake:
    """End a link and take back what is open behind it; what was sent stays.

    A step of whoever closes the case, or erases the person; `reason` is a code.
    """
    intake = Intake.objects.select_for_update(of=("self",), no_key=True).get(pk=intake.pk)
    if intake.ended_at is None:
        rows = Assignment.objects.open().filter(intake=intake)
        _close(rows.select_for_update(no_key=True).order_by("pk"), "withdrawn", now)
        intake.ended_at = now
        intake.save(update_fields=["ended_at"])
        _record("intake.ended", intake, intake.case_id, by, now, reason=reason)
    return intake


@transaction.atomic
def expire(*, by: Actor, now: datetime) -> int:
    """End what nobody sent in time, and links whose time is over; returns how many forms.

    Those that somebody has in hand at this moment are left for the next time.
    """
    over = Assignment.objects.open().filter(expires_at__lte=now)
    rows = _close(_in_hand(over), Assignment.State.EXPIRED, now)
    ended = list(_in_hand(Intake.objects.filter(ended_at__isnull=True, ends_at__lte=now)))
    behind = Assignment.objects.open().filter(intake__in=ended)
    rows += _close(behind.select_for_update(no_key=True).order_by("pk"), "expired", now)
    Intake.objects.filter(pk__in=[one.pk for one in ended]).update(ended_at=now)
    if rows or ended:
        audit.record(
            verb="intake.expired",
            subject_kind="intake",
            subject_id=None,
            by=by,
            now=now,
            detail={"forms": len(rows), "links": len(ended)},
        )
    return len(rows)


# --- steps ---------------------------------------------------------------------------------------


def _locked(case: Case, by: Actor) -> Case:
    """The case, locked: whoever gives at this moment waits, and so does who erases or closes.

    Refuses (NotPermitted) who may not know of it, or gives those of it nothing.
    """
    found = Case.objects.visible_to(by.without_glass()).filter(pk=case.pk)
    row = found.select_for_update(of=("self",), no_key=True).first()
    if row is None:
        raise permissions.NotPermitted
    permissions.check_gives_forms(by, counsels=care.counsels(by, row))
    return row


def _of_case(case: Case, persons: Sequence[Person]) -> list[Person]:
    """The persons as they stand now, in the order of their voices."""
    asked = {one.pk for one in persons}
    found = Person.objects.filter(pk__in=asked).select_related("key")
    if any(one.key.destroyed_at is not None for one in found):
        raise envelope.Erased("This record was erased.")
    present = [one for one in find.persons_of(case) if one.pk in asked]
    if not asked or len(present) != len(asked):
        raise NotOfCase
    return present


class _Version(NamedTuple):
    pk: UUID
    has_short: bool


def _published(slugs: Sequence[str]) -> dict[str, _Version]:
    """The published version of each, the private check first, then in the order asked for."""
    found = Instrument.objects.published().filter(slug__in=slugs)
    versions = {
        slug: _Version(pk, bool(items))
        for slug, pk, items in found.values_list("slug", "pk", "definition__short_form")
    }
    for slug in slugs:
        if slug not in versions:
            raise Unpublished(slug)
    return {slug: versions[slug] for slug in sorted(slugs, key=lambda one: one != PRIVATE_CHECK)}


def _standing(case: Case, persons: Sequence[Person], now: datetime) -> dict[UUID, Intake]:
    """The links that stand; one whose time is over ends here, if beat hasn't come to it yet."""
    rows = Intake.objects.filter(case=case, person__in=persons, ended_at__isnull=True)
    standing = {}
    for row in rows.select_related("person__key").select_for_update(of=("self",), no_key=True):
        if row.ends_at > now:
            standing[row.person_id] = row
            continue
        _close(Assignment.objects.open().filter(intake=row), Assignment.State.EXPIRED, now)
        Intake.objects.filter(pk=row.pk).update(ended_at=now)
    return standing


def _clear(
    case: Case,
    persons: Sequence[Person],
    versions: Iterable[str],
    now: datetime,
    *,
    in_place_of_open: bool,
) -> None:
    """Make room for the new ones. Refuses (StillOpen) what is open unless it is replaced."""
    rows = Assignment.objects.open().filter(
        intake__case=case, intake__person__in=persons, slug__in=list(versions)
    )
    held = list(rows.select_for_update(no_key=True).order_by("pk"))
    late = [one for one in held if one.expires_at is not None and one.expires_at <= now]
    _close(held if in_place_of_open else late, Assignment.State.EXPIRED, now)
    for one in held:
        if one.state == Assignment.State.OPEN:
            raise StillOpen(one.slug)


def _next_numbers(case: Case, persons: Sequence[Person], versions: Iterable[str]) -> dict[str, int]:
    before = (
        Assignment.objects.filter(
            intake__case=case, intake__person__in=persons, slug__in=list(versions)
        )
        .values_list("slug")
        .annotate(last=Max("number"))
    )
    last = dict(before)
    return {slug: last.get(slug, 0) + 1 for slug in versions}


def _last_place(intake: Intake) -> int:
    rows = Assignment.objects.filter(intake=intake)
    return rows.aggregate(last=Max("position"))["last"] or 0


def _opened(case: Case, person: Person, now: datetime) -> Intake:
    token = secrets.token_urlsafe(16)
    return Intake(
        id=uuid.uuid4(),
        case=case,
        person=person,
        token_hash=token_hash(token),
        token=token,
        opened_at=now,
        asked_at=now,
    )


def _ends(now: datetime, forms: Iterable[Form]) -> datetime:
    return max(one.expires_at or now + LINK_LASTS for one in forms)


def _assignments(
    intake: Intake,
    forms: Iterable[Form],
    numbers: Mapping[str, int],
    origin: str,
    now: datetime,
    after: int = 0,
) -> list[Assignment]:
    """The private check stands first, whatever else there is; the rest in turn."""
    places = count(after + 1)
    return [
        Assignment(
            intake=intake,
            instrument_id=one.instrument_id,
            slug=one.slug,
            number=numbers[one.slug],
            position=0 if one.slug == PRIVATE_CHECK else next(places),
            short=one.short,
            origin=origin,
            assigned_at=now,
            due_at=one.due_at,
            expires_at=one.expires_at,
        )
        for one in forms
    ]


def _hold_links(assignments: Iterable[UUID]) -> None:
    """Lock the links in front of these, before them: whoever gives or ends does so too."""
    behind = Assignment.objects.filter(pk__in=list(assignments)).values("intake")
    rows = Intake.objects.filter(pk__in=behind).select_for_update(no_key=True)
    list(rows.order_by("pk").values_list("pk"))


def _hold(assignments: Iterable[UUID]) -> list[Assignment]:
    """Those that are still open, locked in the order of their ids."""
    rows = Assignment.objects.open().filter(pk__in=list(assignments)).select_related("intake")
    return list(rows.select_for_update(of=("self",), no_key=True).order_by("pk"))


def _in_hand(rows: "QuerySet[Row]") -> "QuerySet[Row]":
    return rows.select_for_update(skip_locked=True, no_key=True).order_by("pk")[:_BATCH]


def _close(rows: Iterable[Assignment], state: str, now: datetime) -> list[Assignment]:
    closed = list(rows)
    for row in closed:
        row.state, row.closed_at = state, now
    Assignment.objects.bulk_update(closed, ["state", "closed_at"])
    return closed


def _given(
    intake: Intake,
    given: Sequence[Assignment],
    origin: str,
    by: Actor,
    now: datetime,
    *,
    write: bool = True,
) -> AuditEntry:
    return _record(
        "intake.given",
        intake,
        intake.case_id,
        by,
        now,
        write=write,
        origin=str(origin),
        slugs=[one.slug for one in given],
        round=intake.round,
    )


def _record(
    verb: str,
    intake: Intake,
    case_id: UUID,
    by: Actor,
    now: datetime,
    *,
    write: bool = True,
    **detail: object,
) -> AuditEntry:
    return audit.record(
        verb=verb,
        subject_kind="intake",
        subject_id=intake.pk,
        person_id=intake.person_id,
        case_id=case_id,
        by=by,
        now=now,
        detail=detail,
        write=write,
    )
