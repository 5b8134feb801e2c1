"""Every scored form that a case has sent, by form and person, the oldest first."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final
from uuid import UUID

from clients.models import Case
from clients.rules.actors import Actor
from clients.rules.envelope import Erased, KeyRefused, Unreadable
from intake.models import Instrument, Response
from intake.rules.definition import Definition

# The newest of a case; nobody looks through more at once.
_MOST: Final = 400


@dataclass(frozen=True, slots=True)
class Scored:
    """One form that was sent, with its scores; none of them where they can't be opened."""

    response: Response
    person_id: UUID
    version: str
    scores: dict[str, Fraction | None]


@dataclass(frozen=True, slots=True)
class Form:
    """All that a case sent of one form. The definition is of the version sent last."""

    slug: str
    definition: Definition
    sent: tuple[Scored, ...]


def forms(actor: Actor, case: Case) -> list[Form]:
    """The scored forms of a case, by title; one statement. What is guarded is never among them."""
    rows = list(
        Response.objects.visible_to(actor)
        .sent()
        .filter(assignment__intake__case=case.pk, guarded=False)
        .select_related("assignment__instrument", "assignment__intake__person__key")
        .order_by("-sent_at", "pk")[:_MOST]
    )
    instruments: dict[UUID, Instrument] = {}
    by_slug: dict[str, list[Response]] = {}
    for row in reversed(rows):
        asked = row.assignment
        asked.instrument = instruments.setdefault(asked.instrument_id, asked.instrument)
        by_slug.setdefault(asked.slug, []).append(row)
    found = [_form(slug, sent) for slug, sent in by_slug.items()]
    return sorted(
        (one for one in found if one.definition.subscales), key=lambda one: one.definition.title
    )


def _form(slug: str, sent: Iterable[Response]) -> Form:
    rows = list(sent)
    return Form(slug, rows[-1].assignment.instrument.parsed, tuple(_scored(row) for row in rows))


def _scored(row: Response) -> Scored:
    asked = row.assignment
    return Scored(row, asked.intake.person_id, asked.instrument.version, _scores(row))


def _scores(row: Response) -> dict[str, Fraction | None]:
    try:
        return row.scored()
    except (Erased, Unreadable, KeyRefused):
        return {}
