"""Weekly hours: members read them, a counselor sets their own, who keeps the practice sets all."""

import re
from typing import Any, ClassVar

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clients.api import fields, problems, schema
from clients.api.endpoint import MemberEndpoint
from clients.api.serializers import Strict
from clients.rules import permissions
from practice.actions import diary
from practice.api import offered, versioned
from practice.api.fields import Zone
from practice.limits import READS, WRITES
from practice.models import Counselor
from practice.queries import services

# More openings than anybody's week has.
MOST = 50
_BACKWARDS = gettext_lazy("This ends before it begins.")
_OVERLAP = gettext_lazy("This overlaps with another opening.")


class Clock(fields.Pattern):
    """A wall-clock time, 24:00 being the end of the day; kept in minutes of the day."""

    schema = {
        "type": "string",
        "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$",
        "example": "09:00",
    }
    pattern = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00", re.ASCII)

    def to_internal_value(self, data: Any) -> int:
        """Refuses (ValidationError) what no clock shows."""
        text = super().to_internal_value(data)
        return int(text[:2]) * 60 + int(text[3:])


class OpeningIn(Strict):
    """Monday is 0."""

    weekday = fields.Whole(least=0, most=6)
    start = Clock()
    end = Clock()


class HoursIn(Strict):
    """A whole week; what isn't in it is closed."""

    tz = Zone()
    openings = OpeningIn(many=True, max_length=MOST)  # type: ignore[call-arg]


class NewOpening(OpeningIn):
    """One more opening in somebody's week, on the clock that it has already."""

    counselor = fields.Slug()


class OpeningOut(serializers.Serializer[Any]):
    weekday = serializers.IntegerField()
    start = serializers.CharField()
    end = serializers.CharField()


class HoursOut(serializers.Serializer[Any]):
    counselor = serializers.SlugField()
    tz = serializers.CharField()
    openings = OpeningOut(many=True)


class All(MemberEndpoint):
    """Everybody's weekly hours."""

    about = "workinghours"
    limits: ClassVar = {"GET": READS, "POST": WRITES}

    @schema.described(
        operation_id="working_hours_list",
        responses=schema.answers(schema.page_of(HoursOut), 400, 401, 403, 429),
        filters=False,
    )
    def get(self, request: Request) -> Response:
        """By the counselors' short names."""
        self.query(offered.Nothing)
        return Response({"results": [_said(one) for one in services.counselors()], "next": None})

    @schema.described(
        request=NewOpening,
        responses=schema.answers(HoursOut, 400, 401, 403, 413, 415, 422, 429, status=201),
    )
    def post(self, request: Request) -> Response:
        """Add one opening to a week, where it overlaps with no other."""
        said = self.body(NewOpening)
        row = services.counselor(said.pop("counselor"))
        if row is None:
            raise problems.invalid({"counselor": [_("There is nobody of this short name.")]})
        opening = diary.Opening(**said)
        if opening.start >= opening.end:
            raise problems.invalid({"end": [str(_BACKWARDS)]})
        try:
            diary.add_opening(
                counselor=row, opening=opening, zone=_zone(row), by=self.actor, now=timezone.now()
            )
        except diary.Overlap:
            raise problems.invalid({"start": [str(_OVERLAP)]}) from None
        return _told(_found(row.slug), 201)


class One(MemberEndpoint):
    """One counselor's weekly hours."""

    about = "workinghours"
    limits: ClassVar = {"GET": READS, "PATCH": WRITES}

    @schema.described(
        parameters=[schema.SLUG], responses=schema.answers(HoursOut, 401, 403, 404, 429)
    )
    def get(self, request: Request, slug: str) -> Response:
        """The week; its `ETag` is what a change has to name."""
        return _told(_found(slug))

    @schema.described(
        parameters=[schema.SLUG, versioned.IF_MATCH],
        request=HoursIn,
        responses=schema.answers(HoursOut, 400, 401, 403, 404, 412, 413, 415, 422, 429),
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Another week in place of this one. Appointments that are booked stay."""
        seen, row = versioned.seen(request), _found(slug)
        permissions.check_sets_hours(self.actor, row.member_id)
        said = self.body(HoursIn)
        openings = [diary.Opening(**one) for one in said["openings"]]
        _check(openings)
        versioned.check(seen, _version(row))
        try:
            diary.set_hours(
                counselor=row,
                openings=openings,
                zone=said["tz"],
                seen=row.hours_version,
                by=self.actor,
                now=timezone.now(),
            )
        except diary.HoursChanged:
            raise versioned.changed() from None
        return _told(_found(slug))


def _check(openings: list[diary.Opening]) -> None:
    """Refuses (Problem) openings that end before they begin, or overlap."""
    errors: dict[str, list[str]] = {}
    for number, one in enumerate(openings):
        if one.start >= one.end:
            errors[f"openings.{number}.end"] = [str(_BACKWARDS)]
        elif any(one.overlaps(other) for other in openings[:number]):
            errors[f"openings.{number}.start"] = [str(_OVERLAP)]
    if errors:
        raise problems.invalid(errors)


def _found(slug: str) -> Counselor:
    row = services.counselor(slug)
    if row is None:
        raise Http404
    return row


def _zone(row: Counselor) -> str:
    """The clock of the hours that there are, or else the counselor's own."""
    return next((one.zone for one in services.openings(row)), row.zone)


def _version(row: Counselor) -> str:
    return f"{row.slug}-{row.hours_version}"


def _said(row: Counselor) -> dict[str, object]:
    return {
        "counselor": row.slug,
        "tz": _zone(row),
        "openings": [
            {"weekday": one.weekday, "start": _clock(one.start), "end": _clock(one.end)}
            for one in services.openings(row)
        ],
    }


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _told(row: Counselor, status: int = 200) -> Response:
    return versioned.told(_said(row), _version(row), status)
