"""What those of a case have answered, as one file for a table program."""

import csv
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from uuid import UUID

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from clients import doors
from clients.doors import MemberRequest
from clients.rules.envelope import Erased, KeyRefused, Unreadable
from intake.actions import reads
from intake.models import Instrument, Response
from intake.queries import responses
from intake.rules import printed
from intake.rules.answers import worth
from intake.rules.vectors import plain

COLUMNS = (
    *("person", "instrument", "version", "number", "sent_at", "kind"),
    *("item", "text", "answer", "code", "value"),
)
# What a table program would take for a formula, or for the end of a cell.
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# The same inside of a cell, where a program begins another one: at the end of a line, and at a
# semicolon where its country has those for commas.
_BEGINS_ANOTHER = re.compile(r"""([\r\n;]["\t]*)(?=[=+\-@])""")
_CANT_BE_READ = "unreadable"


@doors.desk
@doors.about("case")
@require_safe
def responses_csv(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Each answer and each score in a row, the oldest form first; private checks aren't in it.

    For whoever may read the case's record; for everybody else it isn't there. That it was taken
    out is on record, for each person of whom something is in it.
    """
    actor, now = request.actor, timezone.now()
    case = responses.case(actor, pk)
    if case is None:
        raise Http404
    rows = responses.of_case(actor, case)
    versions = responses.instruments(one.assignment for one in rows)
    reads.several(responses=rows, verb=reads.EXPORTED, by=actor, now=now)
    text = StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for row in rows:
        for cells in _cells(row, versions[row.assignment.instrument_id]):
            writer.writerow([safe(one) for one in cells])
    # With a byte order mark, without which the usual program reads accents wrongly.
    answer = HttpResponse(text.getvalue().encode("utf-8-sig"), content_type="text/csv")
    answer["Content-Disposition"] = 'attachment; filename="responses.csv"'
    return answer


def safe(cell: object) -> str:
    """A cell that no table program computes: an apostrophe before what would begin a formula."""
    text = "" if cell is None else _BEGINS_ANOTHER.sub(r"\1'", str(cell))
    return f"'{text}" if text.startswith(_BEGINS_A_FORMULA) else text


def _cells(row: Response, version: Instrument) -> Iterator[Sequence[object]]:
    """The rows of one form. Persons stand there by their ids: a name is in the record."""
    given = row.assignment
    sent_at = row.sent_at.isoformat(timespec="seconds") if row.sent_at else ""
    head = (given.intake.person_id, given.slug, version.version, given.number, sent_at)
    definition = version.parsed
    try:
        said, scores = row.said(), row.scored()
    except (Erased, Unreadable, KeyRefused):
        yield (*head, _CANT_BE_READ, "", "", "", "", "")
        return
    for line in printed.lines(definition, said, row.language, short=given.short):
        answer, item = said.get(line.item), definition.item(line.item)
        if answer is None or item is None or not line.is_answered:
            continue
        words = line.words if line.yes is None else "yes" if line.yes else "no"
        code = answer.non or (answer.value if item.scale else "")
        listed = " ".join(map(str, code)) if isinstance(code, list) else code
        weight = plain(worth(definition, item, answer))
        yield (*head, "answer", line.item, line.question, words, listed, weight)
    for subscale in definition.subscales:
        if subscale.id in scores:
            score = plain(scores[subscale.id])
            yield (*head, "score", subscale.id, subscale.label, "", "", score)
