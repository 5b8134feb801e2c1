"""Instruments, for members of the practice: which there are, and what each asks."""

from typing import Any, ClassVar

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clients.api import fields, paging, schema
from clients.api.endpoint import MemberEndpoint
from clients.api.serializers import Strict
from intake.limits import READS
from intake.models import Instrument
from intake.models.instruments import InstrumentQuerySet

_SALT = "intake.api.instruments"
# Longer than the short names of what the practice offers.
SLUG = OpenApiParameter(
    "slug",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,60}$"},
    OpenApiParameter.PATH,
)


class InstrumentsQuery(Strict):
    """Without a state all versions are told."""

    state = fields.Choice(of=list(Instrument.State.values), required=False)
    page_size = fields.PageSize(most=paging.MOST_PAGE, required=False)
    cursor = fields.Cursor(salt=_SALT, required=False)


class OneQuery(Strict):
    """Without a version it is the published one, or else the newest."""

    version = fields.Line(limit=40, required=False)


class InstrumentOut(serializers.Serializer[Any]):
    slug = serializers.CharField()
    version = serializers.CharField()
    language = serializers.CharField()
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=Instrument.State.choices)
    made_at = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)
    retired_at = serializers.DateTimeField(allow_null=True)
    from_fhir = serializers.BooleanField()
    attested = serializers.BooleanField()


class WholeInstrumentOut(InstrumentOut):
    definition = serializers.DictField()


class Instruments(MemberEndpoint):
    """Every version of every instrument."""

    about = "instrument"
    limits: ClassVar = {"GET": READS}

    @schema.described(
        operation_id="instruments_list",
        parameters=[InstrumentsQuery],
        responses=schema.answers(schema.page_of(InstrumentOut), 400, 401, 403, 429),
        filters=False,
    )
    def get(self, request: Request) -> Response:
        """The oldest first; `state=published` are those that are given to people now."""
        asked = self.query(InstrumentsQuery)
        found = _with_origin(Instrument.objects.visible_to(self.actor)).defer("definition")
        if asked.get("state"):
            found = found.filter(state=asked["state"])
        rows, following = paging.page(request, found, asked, by="made_at", salt=_SALT)
        return Response({"results": [_told(one) for one in rows], "next": following})


class One(MemberEndpoint):
    """One instrument."""

    about = "instrument"
    limits: ClassVar = {"GET": READS}

    @schema.described(
        parameters=[SLUG, OneQuery],
        responses=schema.answers(WholeInstrumentOut, 400, 401, 403, 404, 429),
    )
    def get(self, request: Request, slug: str) -> Response:
        """With its definition, as `manage.py instrument export` writes it."""
        row = version_of(self._versions(slug), self.query(OneQuery).get("version"))
        return Response({**_told(row), "definition": row.definition})

    def _versions(self, slug: str) -> list[Instrument]:
        """All versions of it, the newest first."""
        found = _with_origin(Instrument.objects.visible_to(self.actor)).filter(slug=slug)
        return list(found.order_by("-made_at", "-pk"))


def version_of(rows: list[Instrument], version: str | None) -> Instrument:
    """The version that is meant. Refuses (Http404) one that there isn't."""
    published = [one for one in rows if one.state == Instrument.State.PUBLISHED]
    found = [one for one in rows if one.version == version] if version else published or rows
    if not found:
        raise Http404
    return found[0]


def _with_origin(found: InstrumentQuerySet) -> Any:
    """Saying whether each came from a file of FHIR's, without that file."""
    came = ExpressionWrapper(Q(fhir__isnull=False), output_field=BooleanField())
    return found.annotate(came_from_fhir=came).defer("fhir")


def _told(row: Any) -> dict[str, object]:
    return {
        "slug": row.slug,
        "version": row.version,
        "language": row.language,
        "title": row.title,
        "state": row.state,
        "made_at": row.made_at.isoformat(),
        "published_at": row.published_at and row.published_at.isoformat(),
        "retired_at": row.retired_at and row.retired_at.isoformat(),
        "from_fhir": row.came_from_fhir,
        "attested": row.attested_at is not None,
    }
