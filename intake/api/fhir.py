"""The intake as FHIR R4, read only: questionnaires, responses and scores, as searchset Bundles.

What each member may read is as everywhere. Private checks are in no Bundle: such a response is
read by its id alone, by those who counsel the case, and carries a label that says so.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clients.api import fields, paging, schema
from clients.api.endpoint import MemberEndpoint, PlainJSON
from clients.api.serializers import Strict
from clients.rules.envelope import Erased, KeyRefused, Unreadable
from intake import models
from intake.actions import reads
from intake.api.instruments import SLUG, OneQuery, version_of
from intake.limits import READS
from intake.queries import responses
from intake.rules.fhir import observation, response, writing

_FORMS_SALT, _RESPONSES_SALT, _SCORES_SALT = (
    f"intake.api.fhir.{one}" for one in ("forms", "responses", "scores")
)
# Each may bring a definition to write a form from, and each response a seal to open.
_MOST = 50


class FHIR(PlainJSON):
    """JSON, by the name that FHIR gives it."""

    media_type = "application/fhir+json"


class FormsQuery(Strict):
    _count = fields.PageSize(most=_MOST, required=False)
    cursor = fields.Cursor(salt=_FORMS_SALT, required=False)


class ResponsesQuery(Strict):
    """`patient` is the person who answered; `questionnaire` the short name of a form."""

    case = fields.Id(required=False)
    patient = fields.Id(required=False)
    questionnaire = fields.Line(limit=60, required=False)
    _count = fields.PageSize(most=_MOST, required=False)
    cursor = fields.Cursor(salt=_RESPONSES_SALT, required=False)


class ScoresQuery(Strict):
    """As of responses."""

    case = fields.Id(required=False)
    patient = fields.Id(required=False)
    questionnaire = fields.Line(limit=60, required=False)
    _count = fields.PageSize(most=_MOST, required=False)
    cursor = fields.Cursor(salt=_SCORES_SALT, required=False)


class ResourceOut(serializers.Serializer[Any]):
    """A resource of FHIR R4, with all that belongs to its kind."""

    resourceType = serializers.CharField()  # noqa: N815 - FHIR's own name


class BundleLinkOut(serializers.Serializer[Any]):
    relation = serializers.CharField()
    url = serializers.CharField()


class BundleEntryOut(serializers.Serializer[Any]):
    fullUrl = serializers.CharField(required=False)  # noqa: N815 - FHIR's own name
    resource = ResourceOut()
    search = serializers.DictField()


class BundleOut(serializers.Serializer[Any]):
    """A page of what was found."""

    resourceType = serializers.CharField()  # noqa: N815 - FHIR's own name
    type = serializers.CharField()
    link = BundleLinkOut(many=True)
    entry = BundleEntryOut(many=True, required=False)


class FHIREndpoint(MemberEndpoint):
    """For members; answers are FHIR, refusals problems as everywhere."""

    renderer_classes = (FHIR,)
    limits: ClassVar = {"GET": READS}


class Questionnaires(FHIREndpoint):
    """The forms in use."""

    about = "instrument"

    @schema.described(
        operation_id="fhir_questionnaires",
        parameters=[FormsQuery],
        responses=schema.answers(BundleOut, 400, 401, 403, 429),
        filters=False,
    )
    def get(self, request: Request) -> Response:
        """Each published version; one that came from a file stands as it came."""
        asked = _asked(self.query(FormsQuery))
        found = models.Instrument.objects.visible_to(self.actor).published()
        rows, following = paging.page(request, found, asked, by="made_at", salt=_FORMS_SALT)
        matched = [(f"Questionnaire/{one.slug}", _form(one)) for one in rows]
        return _bundle(request, matched, following)


class Questionnaire(FHIREndpoint):
    """One form."""

    about = "instrument"

    @schema.described(
        operation_id="fhir_questionnaire",
        parameters=[SLUG, OneQuery],
        responses=schema.answers(ResourceOut, 400, 401, 403, 404, 429),
    )
    def get(self, request: Request, slug: str) -> Response:
        """The published version, or the newest; with `version` that one."""
        asked = self.query(OneQuery)
        found = models.Instrument.objects.visible_to(self.actor).filter(slug=slug)
        rows = list(found.order_by("-made_at", "-pk"))
        return Response(_form(version_of(rows, asked.get("version"))))


class Responses(FHIREndpoint):
    """What was sent, but for private checks."""

    about = "response"

    @schema.described(
        operation_id="fhir_responses",
        parameters=[ResponsesQuery],
        responses=schema.answers(BundleOut, 400, 401, 403, 429),
        filters=False,
    )
    def get(self, request: Request) -> Response:
        """In the order in which it was sent."""
        asked = _asked(self.query(ResponsesQuery))
        rows, following = paging.page(
            request, _found(self, asked), asked, by="sent_at", salt=_RESPONSES_SALT
        )
        reads.several(responses=rows, verb=reads.ANSWERS, by=self.actor, now=timezone.now())
        versions = responses.instruments(one.assignment for one in rows)
        matched: list[tuple[str, dict[str, Any]]] = []
        for one in rows:
            try:
                told = _answers(one, versions[one.assignment.instrument_id])
            except (Erased, Unreadable, KeyRefused):
                matched.append(("", _cannot_be_read(one.pk)))
            else:
                matched.append((f"QuestionnaireResponse/{one.pk}", told))
        return _bundle(request, matched, following)


class OneResponse(FHIREndpoint):
    """One response, also of a private check."""

    about = "response"

    @schema.described(
        operation_id="fhir_response",
        responses=schema.answers(ResourceOut, 401, 403, 404, 409, 410, 429),
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """One that this member may not read isn't there."""
        row = responses.sent(self.actor).select_related("assignment__instrument").filter(pk=pk)
        found = row.first()
        if found is None:
            raise Http404
        reads.one_response(response=found, by=self.actor, now=timezone.now())
        return Response(_answers(found, found.assignment.instrument))


class Observations(FHIREndpoint):
    """Scores of what was sent, but for private checks."""

    about = "response"

    @schema.described(
        operation_id="fhir_observations",
        parameters=[ScoresQuery],
        responses=schema.answers(BundleOut, 400, 401, 403, 429),
        filters=False,
    )
    def get(self, request: Request) -> Response:
        """In the order in which it was sent; `_count` counts responses, each with its scores."""
        asked = _asked(self.query(ScoresQuery))
        rows, following = paging.page(
            request, _found(self, asked), asked, by="sent_at", salt=_SCORES_SALT
        )
        reads.several(responses=rows, verb=reads.SCORES, by=self.actor, now=timezone.now())
        versions = responses.instruments(one.assignment for one in rows)
        matched: list[tuple[str, dict[str, Any]]] = []
        for one in rows:
            definition = versions[one.assignment.instrument_id].parsed
            try:
                scores = one.scored()
            except (Erased, Unreadable, KeyRefused):
                matched.append(("", _cannot_be_read(one.pk)))
                continue
            told = observation.write(definition, scores, _about(one))
            matched += [(f"Observation/{each['id']}", each) for each in told]
        return _bundle(request, matched, following)


def _asked(query: dict[str, Any]) -> dict[str, Any]:
    return query | {"page_size": query.get("_count")}


def _found(endpoint: FHIREndpoint, asked: Mapping[str, Any]) -> Any:
    return responses.unguarded(
        responses.sent(
            endpoint.actor,
            case=asked.get("case"),
            person=asked.get("patient"),
            slug=asked.get("questionnaire", ""),
        )
    )


def _form(row: models.Instrument) -> dict[str, Any]:
    return writing.questionnaire(row.parsed, fhir=row.fhir, state=row.state)


def _about(row: models.Response) -> response.About:
    intake = row.assignment.intake
    at = row.sent_at or row.saved_at
    return response.About(row.pk, intake.person_id, at, row.sent_at is not None, row.guarded)


def _answers(row: models.Response, version: models.Instrument) -> dict[str, Any]:
    return response.write(
        version.parsed,
        row.said(),
        _about(row),
        fhir=version.fhir,
        short=row.assignment.short,
        zone=timezone.get_default_timezone(),
    )


def _cannot_be_read(pk: UUID) -> dict[str, Any]:
    issue = {"severity": "warning", "code": "incomplete", "diagnostics": f"{pk} can't be read."}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _bundle(
    request: Request, matched: Iterable[tuple[str, dict[str, Any]]], following: str | None
) -> Response:
    """A page of matches, each with its address; what has none says that something is amiss."""
    base = settings.DUET["BASE_URL"]
    root = base + reverse("intake:fhir-questionnaires").removesuffix("Questionnaire")
    found: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": "self", "url": base + request.get_full_path()}],
    }
    if following:
        found["link"].append({"relation": "next", "url": base + following})
    entries = [
        {"fullUrl": root + path, "resource": one, "search": {"mode": "match"}}
        if path
        else {"resource": one, "search": {"mode": "outcome"}}
        for path, one in matched
    ]
    return Response(found | ({"entry": entries} if entries else {}))
