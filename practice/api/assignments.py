"""What was given to whom, for members; and to give more, which its persons are told of."""

from typing import Any, ClassVar

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clients.api import fields, problems, schema
from clients.api.serializers import Strict
from clients.models import Case
from clients.queries import people
from clients.rules.envelope import Erased
from intake.actions import giving
from intake.actions import reads as intake_reads
from intake.api import assignments
from intake.models import Assignment
from practice.actions import forms
from practice.limits import WRITES

_NOT_GIVEN: dict[type[Exception], tuple[str, Promise]] = {
    giving.NotOfCase: ("persons", gettext_lazy("Somebody of them is no part of this case.")),
    Erased: ("persons", gettext_lazy("Somebody of them was erased.")),
    giving.CaseClosed: ("case", gettext_lazy("This case is closed.")),
    giving.Unpublished: ("instruments", gettext_lazy("One of them isn't in use.")),
    giving.StillOpen: ("instruments", gettext_lazy("Somebody of them has one of these open.")),
}


class NewAssignments(Strict):
    """What those of a case are to fill in, as one round."""

    case = fields.Id()
    persons = fields.Ids()
    instruments = fields.Slugs(min_length=1)
    due_at = fields.Instant(required=False)
    expires_at = fields.Instant(required=False)
    short = fields.Flag(required=False)


class GivenOut(serializers.Serializer[Any]):
    results = assignments.AssignmentOut(many=True)


class Assignments(assignments.Assignments):
    """What was given to people."""

    limits: ClassVar = {**assignments.Assignments.limits, "POST": WRITES}

    @schema.described(
        operation_id="assignments_give",
        request=NewAssignments,
        responses=schema.answers(GivenOut, 400, 401, 403, 413, 415, 422, 429, status=201),
    )
    def post(self, request: Request) -> Response:
        """Give it to each of them behind their own link; they are told that something is there.

        For whoever counsels the case, and members with the right to give forms.
        """
        said, now = self.body(NewAssignments), timezone.now()
        case = Case.objects.visible_to(self.actor.without_glass()).filter(pk=said["case"]).first()
        if case is None:
            raise problems.invalid({"case": [_("There is no such case.")]})
        persons = [one for one in people.persons_of(case) if one.pk in set(said["persons"])]
        due_at, expires_at = said.get("due_at"), said.get("expires_at")
        self._check(said, len(persons), now)
        try:
            intakes = forms.give_by_hand(
                case=case,
                persons=persons,
                slugs=said["instruments"],
                due_at=due_at,
                expires_at=expires_at,
                short=said.get("short", False),
                by=self.actor,
                now=now,
            )
        except tuple(_NOT_GIVEN) as refused:
            field, sentence = _NOT_GIVEN[type(refused)]
            raise problems.invalid({field: [str(sentence)]}) from None
        rows = list(
            Assignment.objects.visible_to(self.actor)
            .filter(intake__in=intakes, slug__in=said["instruments"], assigned_at=now)
            .select_related("intake")
            .order_by("assigned_at", "pk")
        )
        intake_reads.given(assignments=rows, by=self.actor, now=now)
        return Response({"results": assignments.told(rows)}, 201)

    @staticmethod
    def _check(said: dict[str, Any], found: int, now: Any) -> None:
        """Refuses (Problem) somebody of another case, and times that are over or in no order."""
        if found < len(set(said["persons"])):
            raise problems.invalid({"persons": [str(_NOT_GIVEN[giving.NotOfCase][1])]})
        for name in ("due_at", "expires_at"):
            if said.get(name) and said[name] <= now:
                raise problems.invalid({name: [_("This lies in the past.")]})
        due_at, expires_at = said.get("due_at"), said.get("expires_at")
        if due_at and expires_at and expires_at < due_at:
            sentence = _("It can't be over before it is due.")
            raise problems.invalid({"expires_at": [sentence]})
