"""What was given to whom, for members of the practice: that it was sent, and never what it says."""

from typing import Any, ClassVar

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clients.api import fields, paging, schema
from clients.api.endpoint import MemberEndpoint
from clients.api.serializers import Strict
from intake.actions import reads
from intake.limits import READS
from intake.models import Assignment
from intake.queries import responses

_SALT = "intake.api.assignments"


class AssignmentsQuery(Strict):
    """Without a case it is about all that this member may know of."""

    case = fields.Id(required=False)
    state = fields.Choice(of=list(Assignment.State.values), required=False)
    page_size = fields.PageSize(most=paging.MOST_PAGE, required=False)
    cursor = fields.Cursor(salt=_SALT, required=False)


class AssignmentOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    case = serializers.UUIDField()
    person = serializers.UUIDField()
    instrument = serializers.CharField()
    version = serializers.CharField()
    number = serializers.IntegerField()
    short = serializers.BooleanField()
    origin = serializers.ChoiceField(choices=Assignment.Origin.choices)
    state = serializers.ChoiceField(choices=Assignment.State.choices)
    assigned_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)


class Assignments(MemberEndpoint):
    """What was given to people."""

    about = "assignment"
    limits: ClassVar = {"GET": READS}

    @schema.described(
        operation_id="assignments_list",
        parameters=[AssignmentsQuery],
        responses=schema.answers(schema.page_of(AssignmentOut), 400, 401, 403, 429),
        filters=False,
    )
    def get(self, request: Request) -> Response:
        """In the order in which it was given. It names nobody."""
        asked = self.query(AssignmentsQuery)
        found = responses.given(self.actor, case=asked.get("case"))
        if asked.get("state"):
            found = found.filter(state=asked["state"])
        rows, following = paging.page(request, found, asked, by="assigned_at", salt=_SALT)
        reads.given(assignments=rows, by=self.actor, now=timezone.now())
        return Response({"results": told(rows), "next": following})


def told(rows: list[Assignment]) -> list[dict[str, object]]:
    """What is said of each; one statement for all."""
    versions = responses.instruments(rows)
    return [
        {
            "id": str(one.pk),
            "case": str(one.intake.case_id),
            "person": str(one.intake.person_id),
            "instrument": one.slug,
            "version": versions[one.instrument_id].version,
            "number": one.number,
            "short": one.short,
            "origin": one.origin,
            "state": one.state,
            "assigned_at": one.assigned_at.isoformat(),
            "due_at": one.due_at and one.due_at.isoformat(),
            "expires_at": one.expires_at and one.expires_at.isoformat(),
            "closed_at": one.closed_at and one.closed_at.isoformat(),
        }
        for one in rows
    ]
