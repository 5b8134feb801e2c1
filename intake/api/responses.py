"""What people answered, for the members who may read it, each as `Response.visible_to` says."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clients.api import fields, paging, schema
from clients.api.endpoint import MemberEndpoint
from clients.api.serializers import Strict
from clients.rules.envelope import Erased, KeyRefused, Unreadable
from intake import models
from intake.actions import reads
from intake.limits import READS
from intake.queries import responses
from intake.rules import printed
from intake.rules.answers import Answered, worth
from intake.rules.definition import Definition
from intake.rules.vectors import plain

_SALT = "intake.api.responses"
_SCORES_SALT = "intake.api.scores"


class ResponsesQuery(Strict):
    """Without a case it is about all that this member may read."""

    case = fields.Id(required=False)
    instrument = fields.Line(limit=60, required=False)
    page_size = fields.PageSize(most=paging.MOST_PAGE, required=False)
    cursor = fields.Cursor(salt=_SALT, required=False)


class ScoresQuery(ResponsesQuery):
    """As of responses."""

    cursor = fields.Cursor(salt=_SCORES_SALT, required=False)


class ResponseOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    assignment = serializers.UUIDField()
    case = serializers.UUIDField()
    person = serializers.UUIDField()
    instrument = serializers.CharField()
    version = serializers.CharField()
    number = serializers.IntegerField()
    short = serializers.BooleanField()
    guarded = serializers.BooleanField()
    language = serializers.CharField()
    sent_at = serializers.DateTimeField()


class AnswerOut(serializers.Serializer[Any]):
    item = serializers.CharField()
    question = serializers.CharField()
    # A code, several, true or false, or words; null where nothing was said.
    value = serializers.JSONField(allow_null=True)
    words = serializers.CharField()
    non_answer = serializers.CharField(allow_null=True)
    weight = serializers.FloatField(allow_null=True)


class WholeResponseOut(ResponseOut):
    answers = AnswerOut(many=True)
    scores = serializers.DictField(child=serializers.FloatField(allow_null=True))


class ScoreOut(serializers.Serializer[Any]):
    response = serializers.UUIDField()
    case = serializers.UUIDField()
    person = serializers.UUIDField()
    instrument = serializers.CharField()
    version = serializers.CharField()
    number = serializers.IntegerField()
    sent_at = serializers.DateTimeField()
    scored_by = serializers.CharField()
    # Null where it can't be opened (any more); a score is null where too little was answered.
    scores = serializers.DictField(child=serializers.FloatField(allow_null=True), allow_null=True)


class Responses(MemberEndpoint):
    """What was sent."""

    about = "response"
    limits: ClassVar = {"GET": READS}

    @schema.described(
        operation_id="responses_list",
        parameters=[ResponsesQuery],
        responses=schema.answers(schema.page_of(ResponseOut), 400, 401, 403, 429),
        filters=False,
    )
    def get(self, request: Request) -> Response:
        """In the order in which it was sent, without the answers."""
        asked = self.query(ResponsesQuery)
        found = responses.sent(self.actor, case=asked.get("case"), slug=asked.get("instrument", ""))
        rows, following = paging.page(request, found, asked, by="sent_at", salt=_SALT)
        reads.several(responses=rows, verb=reads.LISTED, by=self.actor, now=timezone.now())
        versions = responses.instruments(one.assignment for one in rows)
        results = [_told(one, versions[one.assignment.instrument_id]) for one in rows]
        return Response({"results": results, "next": following})


class One(MemberEndpoint):
    """One response."""

    about = "response"
    limits: ClassVar = {"GET": READS}

    @schema.described(responses=schema.answers(WholeResponseOut, 401, 403, 404, 409, 410, 429))
    def get(self, request: Request, pk: UUID) -> Response:
        """With each answer that counts, in the order of the form, in its own words."""
        row = responses.sent(self.actor).select_related("assignment__instrument").filter(pk=pk)
        found = row.first()
        if found is None:
            raise Http404
        reads.one_response(response=found, by=self.actor, now=timezone.now())
        definition = found.assignment.instrument.parsed
        said = found.said()
        return Response(
            {
                **_told(found, found.assignment.instrument),
                "answers": _answers(definition, said, found),
                "scores": plain(found.scored()),
            }
        )


class Scores(MemberEndpoint):
    """Scores of what was sent."""

    about = "response"
    limits: ClassVar = {"GET": READS}

    @schema.described(
        operation_id="scores_list",
        parameters=[ScoresQuery],
        responses=schema.answers(schema.page_of(ScoreOut), 400, 401, 403, 429),
        filters=False,
    )
    def get(self, request: Request) -> Response:
        """As they were computed when it was sent. Private checks aren't among them."""
        asked = self.query(ScoresQuery)
        found = responses.unguarded(
            responses.sent(self.actor, case=asked.get("case"), slug=asked.get("instrument", ""))
        )
        rows, following = paging.page(request, found, asked, by="sent_at", salt=_SCORES_SALT)
        reads.several(responses=rows, verb=reads.SCORES, by=self.actor, now=timezone.now())
        versions = responses.instruments(one.assignment for one in rows)
        results = [_scored(one, versions[one.assignment.instrument_id]) for one in rows]
        return Response({"results": results, "next": following})


def _told(row: models.Response, version: models.Instrument) -> dict[str, object]:
    given = row.assignment
    return {
        "id": str(row.pk),
        "assignment": str(given.pk),
        "case": str(given.intake.case_id),
        "person": str(given.intake.person_id),
        "instrument": given.slug,
        "version": version.version,
        "number": given.number,
        "short": given.short,
        "guarded": row.guarded,
        "language": row.language,
        "sent_at": row.sent_at and row.sent_at.isoformat(),
    }


def _answers(
    definition: Definition, said: Mapping[str, Answered], row: models.Response
) -> list[dict[str, object]]:
    """What was answered to what was asked, in the language in which it was."""
    found = []
    for line in printed.lines(definition, said, row.language, short=row.assignment.short):
        answer, item = said.get(line.item), definition.item(line.item)
        if answer is None or item is None or not line.is_answered:
            continue
        found.append(
            {
                "item": line.item,
                "question": line.question,
                "value": None if answer.non else answer.value,
                "words": line.words,
                "non_answer": answer.non or None,
                "weight": plain(worth(definition, item, answer)),
            }
        )
    return found


def _scored(row: models.Response, version: models.Instrument) -> dict[str, object]:
    given = row.assignment
    try:
        scores = plain(row.scored())
    except (Erased, Unreadable, KeyRefused):
        scores = None
    return {
        "response": str(row.pk),
        "case": str(given.intake.case_id),
        "person": str(given.intake.person_id),
        "instrument": given.slug,
        "version": version.version,
        "number": given.number,
        "sent_at": row.sent_at and row.sent_at.isoformat(),
        "scored_by": row.scored_by,
        "scores": scores,
    }
