"""The rounds of the cycle's questions in one case: who answered, and what can be read of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Prefetch

from clients.models import Case, CoupleMember, Person
from clients.queries import care
from clients.rules.actors import Actor
from clients.rules.envelope import Erased, KeyRefused, Unreadable
from intake.models import Instrument, Response
from intake.models.intakes import ResponseQuerySet
from intake.rules.answers import Answered
from intake.rules.cycle import PEOPLE, Who
from intake.rules.definition import Definition

SCORER: Final = "cycle"
# No page compares more; older ones are still in the record.
_ROUNDS: Final = 24


def case(actor: Actor, pk: UUID) -> Case | None:
    """A case whose record the actor may read, with all who were ever part of it; two statements."""
    members = CoupleMember.objects.select_related("person__key").order_by("voice")
    return (
        Case.objects.opened_to(actor)
        .filter(pk=pk)
        .select_related("couple__key", "person__key", "counselor")
        .prefetch_related(Prefetch("couple__members", members))
        .first()
    )


def reads_both(actor: Actor, case: Case) -> bool:
    """Whether the actor may see two accounts put together: who is told of every flag of the case.

    Its clinicians, also by the broken glass; a supervisor is told of one only once it has come to
    them, and sees each account by itself. One statement at most.
    """
    return actor.kind == "system" or case.pk in actor.opened or care.counsels(actor, case)


@dataclass(frozen=True, slots=True)
class Voice:
    """Somebody who is or was part of a case, and the mark that they keep on every page."""

    person: Person
    mark: str
    left: bool = False


def voices(case: Case) -> tuple[Voice, ...]:
    """All who are or were part of a case that was read here, in the order in which they came."""
    if case.person is not None:
        return (Voice(case.person, "a"),)
    assert case.couple is not None  # noqa: S101 - the table has one or the other
    return tuple(
        Voice(one.person, "b" if one.voice else "a", one.left_at is not None)
        for one in case.couple.members.all()
    )


@dataclass(frozen=True, slots=True)
class Round:
    """One time that those of a case answered: two at most, the first voice first.

    Of the two, `first` or `second` is None where nothing was sent. `partner` names the one of whom
    there is no answer, where the case has somebody who could have given it.
    """

    number: int
    voices: tuple[Voice, ...]
    responses: tuple[Response | None, ...]

    @property
    def sent(self) -> tuple[Response, ...]:
        return tuple(one for one in self.responses if one is not None)

    @property
    def ended_at(self) -> datetime:
        """When the last of them sent theirs."""
        return max(one.sent_at for one in self.sent if one.sent_at is not None)

    @property
    def instrument(self) -> Instrument:
        return self.sent[-1].assignment.instrument

    @property
    def same_version(self) -> bool:
        """Whether all answered the same questions."""
        return len({one.assignment.instrument_id for one in self.sent}) == 1

    @property
    def asked_short(self) -> frozenset[Who]:
        """Who was asked the short form alone."""
        pairs = zip(PEOPLE, self.responses, strict=False)
        return frozenset(who for who, one in pairs if one is not None and one.assignment.short)

    @property
    def short(self) -> bool:
        """Whether nobody was asked more than the short form."""
        return all(one.assignment.short for one in self.sent)


def rounds(actor: Actor, case: Case) -> list[Round]:
    """The rounds that a case has sent, the oldest first; one statement.

    A round has one number for all who were asked. Who left since is in those that they answered.
    """
    return grouped(case, _sent(Response.objects.visible_to(actor), case))


def _sent(found: ResponseQuerySet, case: Case) -> list[Response]:
    rows = list(
        found.sent()
        .filter(
            assignment__intake__case=case.pk,
            assignment__instrument__definition__scorer=SCORER,
            guarded=False,
        )
        .select_related("assignment__instrument", "assignment__intake__person__key")
        .order_by("-sent_at", "pk")[: 2 * _ROUNDS]
    )
    instruments: dict[UUID, Instrument] = {}
    for row in rows:
        asked = row.assignment
        asked.instrument = instruments.setdefault(asked.instrument_id, asked.instrument)
    # An instrument of another name has rounds of its own; the one answered last is what counts.
    return [row for row in rows if row.assignment.slug == rows[0].assignment.slug]


def grouped(case: Case, responses: Iterable[Response]) -> list[Round]:
    """Responses of one case as rounds, the oldest first."""
    by_number: dict[int, dict[UUID, Response]] = {}
    for row in responses:
        of_number = by_number.setdefault(row.assignment.number, {})
        of_number.setdefault(row.assignment.intake.person_id, row)
    everybody = voices(case)
    return [_round(number, by_number[number], everybody) for number in sorted(by_number)]


def _round(number: int, sent: dict[UUID, Response], everybody: Sequence[Voice]) -> Round:
    """The two whom a round is about: who answered, then who is there, then who was."""
    ranked = sorted(everybody, key=lambda one: (one.person.pk not in sent, one.left))[:2]
    pair = [one for one in everybody if one in ranked]
    if len(pair) == 2 and pair[0].mark == pair[1].mark:
        pair = [Voice(one.person, mark, one.left) for one, mark in zip(pair, "ab", strict=True)]
    return Round(number, tuple(pair), tuple(sent.get(one.person.pk) for one in pair))


def answers(response: Response | None) -> dict[str, Answered] | None:
    """What was answered; None where nothing was, or where it can't be opened (any more)."""
    if response is None:
        return None
    try:
        return response.said()
    except (Erased, Unreadable, KeyRefused):
        return None


def definition(found: Round) -> Definition:
    """The questions of a round."""
    return found.instrument.parsed


# --- a person's own ------------------------------------------------------------------------------


def own(actor: Actor) -> Response | None:
    """The newest that a person sent of the cycle's questions; nothing without a second proof.

    One statement. Which case it was for makes no difference: it is what they said themselves.
    """
    return (
        Response.objects.visible_to(actor)
        .sent()
        .filter(
            assignment__intake__person=actor.id,
            assignment__instrument__definition__scorer=SCORER,
            guarded=False,
        )
        .select_related("assignment__instrument", "assignment__intake__person__key")
        .order_by("-sent_at", "pk")
        .first()
    )
