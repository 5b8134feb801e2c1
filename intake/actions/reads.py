"""Whose forms were shown to a member: an entry for each person, before the answer is sent."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from clients.actions import audit
from clients.rules.actors import Actor
from intake.models import Assignment, Response

# A line in a list of what was given: when it is due, and whether it was sent.
GIVEN: Final = "assignment.read"
# A line in a list of what was sent.
LISTED: Final = "responses.read"
# Answers or scores, one form's or several.
ANSWERS: Final = "response.read"
SCORES: Final = "score.read"
# Everything of a case's in one file.
EXPORTED: Final = "response.exported"


def given(*, assignments: Iterable[Assignment], by: Actor, now: datetime) -> None:
    """These stood in a list; each with its intake at hand. One statement."""
    shown = [(one.intake.person_id, one.intake.case_id) for one in assignments]
    audit.record_reads(verb=GIVEN, persons=shown, by=by, now=now)


def one_response(*, response: Response, by: Actor, now: datetime) -> None:
    """The answers of one form were shown. One statement."""
    intake = response.assignment.intake
    audit.record_reads(
        verb=ANSWERS,
        persons=[(intake.person_id, intake.case_id)],
        subject=("response", response.pk),
        by=by,
        now=now,
    )


def several(*, responses: Iterable[Response], verb: str, by: Actor, now: datetime) -> None:
    """Forms, their answers or their scores were shown; how many, of each. One statement."""
    intakes = [one.assignment.intake for one in responses]
    forms = Counter(one.person_id for one in intakes)
    audit.record_reads(
        verb=verb,
        persons=[(one.person_id, one.case_id) for one in intakes],
        details={person: {"forms": many} for person, many in forms.items()},
        by=by,
        now=now,
    )
