"""One form that somebody has sent: what they answered, for whoever may read it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.views.decorators.http import require_safe

from clients import doors
from clients.doors import MemberRequest
from clients.rules.envelope import Erased, KeyRefused, Unreadable
from intake.models import Response
from intake.queries import responses
from intake.rules import printed, scoring, vectors, wording
from intake.rules.definition import Cut
from intake.rules.printed import Line
from practice.actions import reads
from practice.queries import caseload
from practice.templatetags import duet_times
from practice.views.desk import glass_of, the_practice

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Score:
    """One score as it was computed, none where too little was answered, and the cuts it meets."""

    label: str
    value: int | float | None
    cuts: Sequence[Cut]


@dataclass(frozen=True, slots=True)
class Said:
    """The answers and scores of one form; nothing of either where it can't be opened."""

    lines: Sequence[Line] = ()
    scores: Sequence[Score] = ()
    unreadable: bool = False


@doors.desk
@doors.about("response")
@require_safe
def response(request: MemberRequest, pk: UUID) -> HttpResponse:
    """What one person sent. A private check is there for the clinicians of its case alone."""
    now, actor, practice = timezone.now(), request.actor, the_practice()
    found = responses.one(actor, pk)
    if found is None:
        raise Http404
    reads.on_response(response=found, by=actor, now=now)
    given = found.assignment
    case = caseload.case(actor, given.intake.case_id)
    if case is None:  # closed to them since the form was read
        raise Http404
    person = given.intake.person
    mark = [one.mark for one in caseload.voices(case) if one.person.pk == person.pk]
    zone, language = caseload.zone(case, practice.zone), translation.get_language()
    definition = given.instrument.parsed
    context = {
        "practice": practice,
        "section": "cases",
        "case": case,
        "person": person,
        "mark": mark[0] if mark else "a",
        "given": given,
        "response": found,
        "said": _said(found, language),
        "statement": wording.text(definition, "statement", language),
        "notice": definition.notice,
        "glass": glass_of(actor, case.pk, now),
        "zone": zone,
        "zone_label": duet_times.zone_words(zone),
    }
    return render(request, "duet/practice/desk_response.html", context)


def _said(found: Response, language: str) -> Said:
    definition = found.assignment.instrument.parsed
    try:
        answers, scores = found.said(), found.scored()
    except (Erased, Unreadable, KeyRefused):
        logger.error("A sealed value can't be opened: an answered form, %s", found.pk)
        return Said(unreadable=True)
    met = scoring.cuts_met(definition, scores)
    return Said(
        printed.lines(definition, answers, language, short=found.assignment.short),
        [
            Score(
                wording.text(definition, f"subscales.{one.id}", language) or one.label,
                vectors.plain(scores[one.id]),
                [cut for cut in met if cut.subscale == one.id],
            )
            for one in definition.subscales
            if one.id in scores
        ],
    )
