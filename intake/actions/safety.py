"""Safety flags: raised by an answer, told to the case's clinicians alone, closed with a note."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from clients.actions import audit, notices
from clients.models import Case, Member
from clients.rules import contact
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from intake.models import Flag, Response
from intake.queries import safety
from intake.rules import escalation, flags
from intake.rules.answers import Answers

# What a member is told; the desk knows the sentence of each, and none says whom it is about.
RAISED: Final = "flag"
ESCALATED: Final = "flag_escalated"
NEEDS_CLINICIAN: Final = "needs_clinician"


@transaction.atomic
def raise_flags(
    *, response: Response, said: Answers | None = None, sent: bool, by: Actor, now: datetime
) -> list[Flag]:
    """Raise a flag for each kind of answer that a clinician must see; the new ones.

    Called with every save, when only urgent ones count, and when all is sent: one that is open for
    each response and kind. An answer that is taken back leaves its flag; a graver or another one
    makes it unseen again, and raises a new one where a clinician had closed it. The same answer
    again, as when the form is sent, does neither. Its clinicians are told at once, and of what they
    are told nothing; nobody else, and never by a mail to a client. `said` are answers that were
    given and couldn't be kept.
    """
    assignment = response.assignment
    answers = response.said() if said is None else said
    found = flags.raised(assignment.instrument.parsed, answers, sent=sent, short=assignment.short)
    # What somebody hasn't sent is theirs, unless a life may depend on it.
    found = [one for one in found if sent or one.severity == "urgent"]
    if not found:
        return []
    case = Case.objects.get(pk=assignment.intake.case_id)
    newest = escalation.latest(found, answers)
    raised = []
    for kind, severity in escalation.gravest(found).items():
        known = _newest(response, kind)
        if known is None or (known.closed_at and _is_news(known, severity, newest[kind])):
            flag = Flag.objects.create(
                case=case,
                person=assignment.intake.person,
                response=response,
                kind=kind,
                severity=severity,
                revision=newest[kind],
                raised_at=now,
            )
            raised.append(flag)
            _record("flag.raised", flag, by, now, severity=severity)
            _tell(flag, case, again=False, by=by, now=now)
        elif known.closed_at is None and _is_news(known, severity, newest[kind]):
            _renew(known, case, severity, newest[kind], by, now)
    return raised


def _newest(response: Response, kind: str) -> Flag | None:
    """The response's flag of this kind, locked: the open one, else the one closed last."""
    found = Flag.objects.filter(response=response, kind=kind).select_for_update()
    return found.order_by(F("closed_at").desc(nulls_first=True), "-raised_at").first()


def _is_news(flag: Flag, severity: str, revision: int) -> bool:
    """Whether the answers are graver than those of a flag, or were given after them."""
    return revision > flag.revision or _is_graver(flag, severity)


def _is_graver(flag: Flag, severity: str) -> bool:
    return escalation.graver(severity, flag.severity) != flag.severity


def _renew(flag: Flag, case: Case, severity: str, revision: int, by: Actor, now: datetime) -> None:
    """Put what is news on an open flag: who had seen it is told again, and it waits anew.

    Who was told above sees it still. One that nobody has seen waits since it was raised, by its
    new severity: it comes no later for being graver.
    """
    graver, was_seen = _is_graver(flag, severity), flag.seen_at is not None
    flag.revision = max(flag.revision, revision)
    if graver:
        flag.severity = severity
    if graver or was_seen:
        if was_seen or flag.escalated_at is not None:
            flag.renewed_at = now
        flag.seen_at, flag.seen_by = None, None
    flag.save(update_fields=["severity", "revision", "renewed_at", "seen_at", "seen_by"])
    if graver or was_seen:
        verb = "flag.graver" if graver else "flag.changed"
        _record(verb, flag, by, now, severity=flag.severity)
        _tell(flag, case, again=True, by=by, now=now)


def _tell(flag: Flag, case: Case, *, again: bool, by: Actor, now: datetime) -> None:
    """Tell the clinicians; of a case that has none, its supervisors and who can give it one."""
    clinicians = safety.clinicians(case)
    if clinicians:
        _put(clinicians, RAISED, flag, again=again, by=by, now=now)
    else:
        _further_up(flag, case, by, now)


def _further_up(flag: Flag, case: Case, by: Actor, now: datetime) -> None:
    """Let the case's supervisors see the flag, and tell them.

    Where there is no supervisor, or no clinician, admins are told that the case needs a clinician,
    and nothing else.
    """
    flag.escalated_at = now
    flag.save(update_fields=["escalated_at"])
    above = safety.supervisors(case)
    _record("flag.escalated", flag, by, now, supervisors=len(above))
    _put(above, ESCALATED, flag, again=True, by=by, now=now)
    if not above or not safety.clinicians(case):
        need_clinician(case=case, again=True, by=by, now=now)


def need_clinician(*, case: Case, again: bool = False, by: Actor, now: datetime) -> None:
    """Tell admins that a case needs a clinician, and not why. Part of the caller's transaction."""
    notices.tell(
        members=safety.admins(case),
        kind=NEEDS_CLINICIAN,
        subject_kind="case",
        subject_id=case.pk,
        again=again,
        by=by,
        now=now,
    )


def _put(
    members: Iterable[Member], kind: str, flag: Flag, *, again: bool, by: Actor, now: datetime
) -> None:
    notices.tell(
        members=members,
        kind=kind,
        subject_kind="flag",
        subject_id=flag.pk,
        again=again,
        by=by,
        now=now,
    )


@transaction.atomic
def escalate_due(*, after: timedelta, by: Actor, now: datetime) -> int:
    """Tell those above of flags that nobody has seen for so long, and again every day; how many.

    Urgent ones wait an hour at most. Whoever counsels a case since is told of its open flags, too.
    """
    _tell_newcomers(by, now)
    late = Flag.objects.open().filter(safety.unseen_before(now, after))
    rows = late.select_related("case").select_for_update(of=("self",), skip_locked=True)
    count = 0
    for flag in rows.order_by("pk"):
        _put(safety.clinicians(flag.case), RAISED, flag, again=True, by=by, now=now)
        _further_up(flag, flag.case, by, now)
        count += 1
    return count


def _tell_newcomers(by: Actor, now: datetime) -> None:
    """Tell whoever counsels a case since; as many statements for one open flag as for all."""
    waiting = list(Flag.objects.open().select_related("case").order_by("pk"))
    told = safety.told(waiting, RAISED)
    clinicians = safety.clinicians_of([flag.case for flag in waiting])
    for flag in waiting:
        new = [one for one in clinicians[flag.case_id] if (flag.pk, one.pk) not in told]
        if new:
            _put(new, RAISED, flag, again=False, by=by, now=now)


@transaction.atomic
def see(*, flag: Flag, by: Actor, now: datetime) -> Flag:
    """Note that somebody who may see it has; it is told no further up. Twice is the same as once.

    Refuses (NotPermitted) whoever doesn't see it, or sees it only by the broken glass.
    """
    flag = _locked(flag, by)
    if flag.seen_at is None and flag.closed_at is None:
        _note_seen(flag, by, now)
    notices.settle(kind=RAISED, subject_ids=[flag.pk], member_id=by.id, by=by, now=now)
    notices.settle(kind=ESCALATED, subject_ids=[flag.pk], by=by, now=now)
    return flag


@transaction.atomic
def close(*, flag: Flag, note: str, asked: bool = False, by: Actor, now: datetime) -> Flag:
    """Close a flag with what was found; with its last one the couple leaves safe mode.

    `asked`: the clinician has asked this person in person, alone. Refuses (NotPermitted) whoever
    isn't the case's counselor or co-counselor, (NotAllowed) a note of less than ten letters or of
    more than two thousand, and to close twice.
    """
    flag = _locked(flag, by)
    if not safety.may_close(by, flag.case):
        raise NotPermitted
    escalation.check_closable(closed=flag.closed_at is not None)
    note = contact.paragraph(note, limit=escalation.MOST_NOTE).strip()
    escalation.check_note(note)
    if flag.seen_at is None:
        _note_seen(flag, by, now)
    flag.closed_at, flag.closed_by_id, flag.note = now, by.id, note
    flag.save(update_fields=["closed_at", "closed_by", "note"])
    _record("flag.closed", flag, by, now, asked=asked)
    for kind in (RAISED, ESCALATED):
        notices.settle(kind=kind, subject_ids=[flag.pk], by=by, now=now)
    return flag


def _note_seen(flag: Flag, by: Actor, now: datetime) -> None:
    flag.seen_at, flag.seen_by_id = now, by.id
    flag.save(update_fields=["seen_at", "seen_by"])
    _record("flag.seen", flag, by, now)


def _locked(flag: Flag, by: Actor) -> Flag:
    """The flag as it stands now, locked. Refuses (NotPermitted) who may not see it, or by glass."""
    found = Flag.objects.visible_to(by.without_glass()).filter(pk=flag.pk)
    row = found.select_related("case__counselor", "person__key").select_for_update(of=("self",))
    locked = row.first()
    if locked is None:
        raise NotPermitted
    return locked


def _record(verb: str, flag: Flag, by: Actor, now: datetime, **detail: object) -> UUID:
    """Put it on record; the entry's id."""
    entry = audit.record(
        verb=verb,
        subject_kind="flag",
        subject_id=flag.pk,
        person_id=flag.person_id,
        case_id=flag.case_id,
        by=by,
        now=now,
        detail=detail,
    )
    return entry.pk
