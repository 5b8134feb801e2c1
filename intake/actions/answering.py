"""Begin, save and send a form, and agree to how what is said alone is kept.

Only the person themselves answers. The audit trail holds codes and counts of it, never a word.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from clients.actions import audit
from clients.models import Case, Person
from clients.rules.actors import Actor
from intake.actions import reach, reviewing, safety
from intake.models import Agreement, Assignment, Intake, Response
from intake.queries import taking
from intake.rules import conditions, flags, given, pages, scoring, signing, wording
from intake.rules.answers import Answered, is_answered
from intake.rules.definition import PRIVATE_CHECK, SHOWN_ONLY, Definition, Item
from intake.rules.taking import (
    POLICY_VERSION,
    SHARE_ITEM,
    SHARED,
    spoken,
    stops,
)

Sent = str | Sequence[str] | None


class Closed(Exception):
    """It was sent, withdrawn or has ended: nothing of it changes any more."""


class NotTheirs(Exception):
    """Somebody else's form: only the person themselves answers."""


class CheckFirst(Exception):
    """The private check has to be sent before anything else is asked."""


class PolicyFirst(Exception):
    """It hasn't been accepted yet how what is said alone is kept."""


class Refused(Exception):
    """Answers that can't be taken: of each question the code why, as `intake.rules.given` has it.

    `hidden` is an answer to what isn't asked, `unknown` one to no question of the form.
    """

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__(", ".join(sorted(set(wrong.values()))))
        self.wrong = wrong


class Incomplete(Exception):
    """What has to be there before a form is sent: answers on these pages, a name, anything at all.

    `missing` has the number of each page, and the question.
    """

    def __init__(self, missing: Sequence[tuple[int, str]], *, unsigned: bool, empty: bool) -> None:
        super().__init__("incomplete")
        self.missing = missing
        self.unsigned = unsigned
        self.empty = empty


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of answers: all are kept, or, with `conflicts`, none.

    `conflicts`: questions that were answered elsewhere meanwhile, in another way. `helps`: kept
    answers for which help is shown at once. `stopped`: nothing was kept, and nothing is asked now.
    """

    revision: int
    conflicts: tuple[str, ...] = ()
    helps: tuple[str, ...] = ()
    stopped: bool = False


@transaction.atomic
def begin(*, assignment: Assignment, language: str, by: Actor, now: datetime) -> Response:
    """Open the form for answers, once; a second time it is found as it is.

    Refuses (NotTheirs, Closed, CheckFirst, PolicyFirst).
    """
    _lock(assignment, by, now)
    return _begun(assignment, language, by, now)


@transaction.atomic
def save(
    *, assignment: Assignment, values: Mapping[str, Sent], revision: int, by: Actor, now: datetime
) -> Saved:
    """Keep these answers, as somebody gave them who had read the form at `revision`.

    All or none. What was answered elsewhere since then, in another way, is a conflict and is
    overwritten by nobody; the same answer again is none. Refuses (Refused) what can't be taken,
    and as `begin`.
    """
    _lock(assignment, by, now)
    definition = assignment.instrument.parsed
    response = _begun(assignment, spoken(definition, assignment.intake.person.language), by, now)
    stored = taking.answers_of(response)
    put = _read(assignment, stored, values, now)
    if any(stops(_item(definition, name), answer) for name, answer in put.items()):
        return Saved(response.revision, stopped=True)
    changed = {name: answer for name, answer in put.items() if _differs(stored.get(name), answer)}
    conflicts = tuple(
        name
        for name in changed
        if is_answered(stored.get(name)) and stored[name].revision > revision
    )
    if conflicts:
        # Nothing is kept, and yet what was just said may not wait: help is shown, a clinician told.
        said = {**stored, **put}
        safety.raise_flags(response=response, said=said, sent=False, by=by, now=now)
        return Saved(response.revision, conflicts, _helps(assignment, said, put))
    if changed:
        response.revision += 1
        for name, answer in changed.items():
            stored[name] = Answered(answer.value, answer.non, response.revision)
        response.answers = signing.written(stored)
        response.saved_at = now
        response.save(update_fields=["answers", "revision", "saved_at"])
        _on_record("response.saved", response, by, now, {"answers": len(changed)})
        safety.raise_flags(response=response, sent=False, by=by, now=now)
    return Saved(response.revision, helps=_helps(assignment, stored, put))


def _helps(
    assignment: Assignment, said: Mapping[str, Answered], put: Mapping[str, Answered]
) -> tuple[str, ...]:
    """Of what was just answered, that for which help is shown at once."""
    definition = assignment.instrument.parsed
    raised = flags.raised(definition, said, sent=False, short=assignment.short)
    return tuple(dict.fromkeys(one.item for one in raised if one.shows_help and one.item in put))


@transaction.atomic
def send(*, assignment: Assignment, signed_name: str = "", by: Actor, now: datetime) -> Response:
    """Send the form: from then on nothing of it changes, and it isn't read back over the link.

    Answers to what isn't asked any more are dropped. The date is the server's. Refuses
    (Incomplete) what lacks an answer that it needs, a name where one is to be written, or
    everything; and as `begin`.
    """
    # The case before the form, as whoever gives or takes back locks them.
    _lock_case(assignment.intake.case_id)
    _lock(assignment, by, now)
    definition = assignment.instrument.parsed
    response = _begun(assignment, spoken(definition, assignment.intake.person.language), by, now)
    signed_name = signed_name.strip()
    kept = _complete(assignment, taking.answers_of(response), signed_name)
    scores = scoring.score(definition, kept, short=assignment.short)
    response.answers = signing.written(kept)
    response.content_hash = signing.content_hash(
        bytes(assignment.instrument.content_hash), response.answers
    )
    response.scores = json.dumps(
        {name: None if one is None else str(one) for name, one in scores.items()}
    )
    response.scored_by = scoring.ENGINE
    # In which language they read it at last: in this one they agreed.
    response.language = spoken(definition, assignment.intake.person.language)
    response.sent_at = response.saved_at = now
    response.save(
        update_fields=[
            *("answers", "content_hash", "scores", "scored_by", "language", "sent_at", "saved_at")
        ]
    )
    assignment.state, assignment.closed_at = Assignment.State.SENT, now
    assignment.save(update_fields=["state", "closed_at"])
    _agreed_in(response, definition, kept, signed_name, by, now)
    said = sum(1 for one in kept.values() if not one.non)
    _on_record("response.sent", response, by, now, {"answers": said, "not_said": len(kept) - said})
    safety.raise_flags(response=response, sent=True, by=by, now=now)
    reach.heed(response=response, by=by, now=now)
    reviewing.came_in(case=assignment.intake.case, by=by, now=now)
    return response


# --- agreements ----------------------------------------------------------------------------------


@transaction.atomic
def accept_policy(
    *, intake: Intake, kind: str, words: str, language: str, by: Actor, now: datetime
) -> Agreement:
    """The person accepts how what is said alone is kept, in these words, once.

    Refuses (NotTheirs).
    """
    _is_their_own(intake.person_id, by)
    _lock_case(intake.case_id)
    return _agree(
        Agreement(
            case=intake.case,
            person=intake.person,
            kind=Agreement.Kind.POLICY,
            slug=kind,
            version=POLICY_VERSION,
            text=words,
            language=language,
            given_at=now,
        ),
        by,
        now,
    )


@transaction.atomic
def share(
    *,
    case: Case,
    person: Person,
    agreed: bool,
    version: str,
    words: str,
    language: str,
    by: Actor,
    now: datetime,
) -> None:
    """The person agrees that the counselor may show both a summary, or takes that back.

    Refuses (NotTheirs) anybody but the person.
    """
    _is_their_own(person.pk, by)
    _lock_case(case.pk)
    if not agreed:
        _take_back(case, person, by, now)
        return
    row = Agreement(
        case=case,
        person=person,
        kind=Agreement.Kind.SHARE,
        slug=SHARED,
        version=version,
        text=words,
        language=language,
        given_at=now,
    )
    _agree(row, by, now)


def _take_back(case: Case, person: Person, by: Actor, now: datetime) -> None:
    standing = Agreement.objects.standing().filter(
        case=case, person=person, kind=Agreement.Kind.SHARE
    )
    for row in standing:
        row.withdrawn_at = _not_before(row, now)
        row.save(update_fields=["withdrawn_at"])
        _agreement_on_record("agreement.withdrawn", row, by, now)


def _not_before(row: Agreement, now: datetime) -> datetime:
    """`now`, or the moment of what was agreed to while this one waited for the lock."""
    return max(now, row.given_at)


def _agree(row: Agreement, by: Actor, now: datetime) -> Agreement:
    """Keep an agreement; one to other words takes its place, to the same words it stands.

    Under the case's lock: a first one has no row that could be waited for.
    """
    standing = (
        Agreement.objects.standing()
        .filter(case=row.case, person=row.person, kind=row.kind, slug=row.slug)
        .first()
    )
    if standing and (standing.version, standing.language) == (row.version, row.language):
        return standing
    if standing:
        standing.withdrawn_at = _not_before(standing, now)
        standing.save(update_fields=["withdrawn_at"])
    row.save(force_insert=True)
    _agreement_on_record("agreement.given", row, by, now)
    return row


def _agreed_in(
    response: Response,
    definition: Definition,
    answers: Mapping[str, Answered],
    signed_name: str,
    by: Actor,
    now: datetime,
) -> None:
    """What a form's consents become. To be asked again about sharing, and not agree, ends it."""
    assignment = response.assignment
    intake = assignment.intake
    for item in conditions.asked(definition, answers, short=assignment.short):
        agreed = item.id in answers and answers[item.id].value in (True, "yes")
        shares = item.id == SHARE_ITEM
        if shares and not agreed:
            _take_back(intake.case, intake.person, by, now)
        if not agreed or not (shares or item.kind == "consent"):
            continue
        row = Agreement(
            case=intake.case,
            person=intake.person,
            kind=Agreement.Kind.SHARE if shares else Agreement.Kind.CONSENT,
            slug=SHARED if shares else f"{definition.id}.{item.id}"[:100],
            version=item.version or definition.version,
            text=_read_words(definition, item, response.language),
            language=response.language,
            response=response,
            signed_name=signed_name or None,
            given_at=now,
        )
        _agree(row, by, now)


def _read_words(definition: Definition, item: Item, language: str) -> str:
    """What stood beside the box, with what explains it."""
    keys = (f"items.{item.id}", f"items.{item.id}.help")
    words = (wording.text(definition, key, language) for key in keys)
    return "\n".join(one for one in words if one)


def _agreement_on_record(verb: str, row: Agreement, by: Actor, now: datetime) -> None:
    audit.record(
        verb=verb,
        subject_kind="agreement",
        subject_id=row.pk,
        person_id=row.person_id,
        case_id=row.case_id,
        by=by,
        now=now,
        detail={"kind": row.kind, "version": row.version},
    )


# --- steps ---------------------------------------------------------------------------------------


def _is_their_own(person_id: UUID, by: Actor) -> None:
    if by.kind != "system" and (by.kind != "person" or by.id != person_id):
        raise NotTheirs


def _lock_case(case_id: UUID) -> None:
    """Nobody else agrees to anything for this case until the transaction ends."""
    list(Case.objects.select_for_update(no_key=True).filter(pk=case_id).values_list("pk"))


def _lock(assignment: Assignment, by: Actor, now: datetime) -> None:
    """Nobody else writes to this form until the transaction ends."""
    _is_their_own(assignment.intake.person_id, by)
    locked = Assignment.objects.select_for_update(no_key=True).get(pk=assignment.pk)
    if not taking.is_open(locked, now):
        raise Closed
    if taking.waits_for_the_check(assignment):
        raise CheckFirst
    if assignment.instrument.parsed.private and not taking.has_accepted(assignment.intake):
        raise PolicyFirst


def _begun(assignment: Assignment, language: str, by: Actor, now: datetime) -> Response:
    """The row that holds the answers, as it is under the lock."""
    found = Response.objects.filter(assignment=assignment).first()
    if found is not None:
        found.assignment = assignment
        return found
    guarded = assignment.slug == PRIVATE_CHECK
    response = Response(
        assignment=assignment,
        guarded=guarded,
        audience="counselor" if guarded else assignment.instrument.parsed.visibility,
        answers=signing.written({}),
        language=language,
        started_at=now,
        saved_at=now,
    )
    response.save(force_insert=True)
    _on_record("response.begun", response, by, now, {"short": assignment.short})
    return response


def _read(
    assignment: Assignment,
    stored: Mapping[str, Answered],
    values: Mapping[str, Sent],
    now: datetime,
) -> dict[str, Answered]:
    definition = assignment.instrument.parsed
    today = now.astimezone(ZoneInfo(assignment.intake.person.zone)).date()
    put: dict[str, Answered] = {}
    wrong: dict[str, str] = {}
    for name, sent in values.items():
        item = definition.item(name)
        if item is None or item.kind in SHOWN_ONLY | pages.AT_THE_END:
            wrong[name] = "unknown"
            continue
        try:
            put[name] = given.read(definition, item, sent, today=today)
        except given.Wrong as refused:
            wrong[name] = refused.code
    shown = _shown(assignment, {**stored, **put})
    wrong |= {name: "hidden" for name in put if name not in shown}
    if wrong:
        raise Refused(wrong)
    return put


def _shown(assignment: Assignment, answers: Mapping[str, Answered]) -> set[str]:
    asked: Iterable[Item] = conditions.asked(
        assignment.instrument.parsed, answers, short=assignment.short
    )
    return {one.id for one in asked}


def _item(definition: Definition, name: str) -> Item:
    found = definition.item(name)
    assert found is not None  # noqa: S101 - `_read` has refused what there is not
    return found


def _differs(stored: Answered | None, answer: Answered) -> bool:
    return stored is None or (stored.value, stored.non) != (answer.value, answer.non)


def _complete(
    assignment: Assignment, answers: Mapping[str, Answered], signed_name: str
) -> dict[str, Answered]:
    """The answers to what is asked, with the name beneath them where the form has a line for it."""
    definition = assignment.instrument.parsed
    found = pages.pages(definition, answers, short=assignment.short)
    missing = [(page.number, item.id) for page, item in pages.missing(found, answers)]
    kept = conditions.given(definition, answers, short=assignment.short)
    unsigned = pages.to_sign(definition) and not signed_name
    if missing or unsigned or not kept:
        raise Incomplete(missing, unsigned=unsigned, empty=not kept)
    for item in conditions.asked(definition, answers, short=assignment.short):
        if item.kind in pages.AT_THE_END:
            kept[item.id] = Answered(signed_name)
    return kept


def _on_record(
    verb: str, response: Response, by: Actor, now: datetime, detail: dict[str, object]
) -> None:
    intake = response.assignment.intake
    audit.record(
        verb=verb,
        subject_kind="response",
        subject_id=response.pk,
        person_id=intake.person_id,
        case_id=intake.case_id,
        by=by,
        now=now,
        detail={"form": response.assignment.slug, "revision": response.revision, **detail},
    )
