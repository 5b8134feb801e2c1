"""An attendee's own part, as their page shows it: own time, place and state, nothing of others."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clients import limits
from clients.api import fields, problems, schema
from clients.api.endpoint import Endpoint
from clients.api.serializers import Strict
from clients.rules.access import token_hash
from clients.rules.actors import Actor
from practice.actions import booking
from practice.actions.guard import SlotTaken
from practice.api import bookings, offered
from practice.forms.attendance import REASON_LIMIT
from practice.limits import UNKNOWN_LINKS
from practice.queries import pages
from practice.rules import cancellation
from practice.templatetags import duet_services

_STATES = ("requested", "expected", "confirmed", "cancelled", "over")


class Empty(Strict):
    """A body without names."""


class MoveIn(Strict):
    """Another open start."""

    start = fields.Instant()


class CancelIn(Strict):
    """What the practice is told, if anything."""

    reason = fields.Text(limit=REASON_LIMIT, required=False, allow_null=True)


class AttendanceOut(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=_STATES)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    tz = serializers.CharField()
    minutes = serializers.IntegerField()
    place = serializers.CharField()
    can_confirm = serializers.BooleanField()
    can_change = serializers.BooleanField()


class OwnPart(Endpoint):
    """What all of these have in common: whose part it is, said by the token in the address."""

    about = "attendance"

    def part(self, token: str) -> pages.OwnPart:
        """Refuses (404, the same for all) tokens that are unknown or have ended."""
        now = timezone.now()
        attendance = pages.by_link(token_hash(token), now)
        practice = pages.practice()
        if attendance is None or practice is None:
            # Only these are counted: a link that works always does.
            limits.check(self.request._request, UNKNOWN_LINKS)
            raise problems.Problem("not_found", 404)
        return pages.OwnPart(attendance, practice, now)

    def told(self, token: str) -> Response:
        """How the part stands now."""
        part = self.part(token)
        attendance = part.attendance
        zone = attendance.person.zone
        answer = {
            "state": part.state,
            "start": offered.local(attendance.starts_at, zone),
            "end": offered.local(attendance.ends_at, zone),
            "tz": zone,
            "minutes": attendance.appointment.service.minutes,
            "place": duet_services.place(attendance.appointment),
            "can_confirm": part.can_confirm,
            "can_change": part.can_change,
        }
        return offered.private(Response(answer))


class Attendance(OwnPart):
    """The part as it stands."""

    @schema.described(
        parameters=[schema.TOKEN], responses=schema.answers(AttendanceOut, 400, 404, 429)
    )
    def get(self, request: Request, token: str) -> Response:
        """Own time, place and state."""
        self.query(Empty)
        return self.told(token)


_CHANGED: Any = schema.answers(AttendanceOut, 400, 404, 409, 413, 415, 422, 429)


class Confirm(OwnPart):
    """Say that one comes."""

    @schema.described(parameters=[schema.TOKEN], request=Empty, responses=_CHANGED)
    def post(self, request: Request, token: str) -> Response:
        """Confirm; twice is the same as once."""
        part = self.part(token)
        self.body(Empty)
        try:
            booking.confirm(attendance=part.attendance, by=_by(part), now=part.now)
        except cancellation.NotAllowed:
            raise _not_allowed() from None
        return self.told(token)


class Move(OwnPart):
    """Come at another time."""

    @schema.described(parameters=[schema.TOKEN], request=MoveIn, responses=_CHANGED)
    def post(self, request: Request, token: str) -> Response:
        """Move to another open start with the same counselor; all who come are told."""
        part = self.part(token)
        start = self.body(MoveIn)["start"]
        appointment, zone = part.attendance.appointment, part.attendance.person.zone
        try:
            booking.move(appointment=appointment, start=start, by=_by(part), now=part.now)
        except (SlotTaken, booking.NotOffered) as refused:
            raise bookings.gone(
                refused, appointment.service, appointment.counselor, start, zone, part.now
            ) from None
        except cancellation.NotAllowed as refused:
            raise _too_late(refused) from None
        return self.told(token)


class Cancel(OwnPart):
    """Not come."""

    @schema.described(parameters=[schema.TOKEN], request=CancelIn, responses=_CHANGED)
    def post(self, request: Request, token: str) -> Response:
        """Cancel this person's own part; twice is the same as once."""
        part = self.part(token)
        reason = self.body(CancelIn).get("reason") or ""
        try:
            booking.leave(attendance=part.attendance, reason=reason, by=_by(part), now=part.now)
        except cancellation.NotAllowed as refused:
            raise _too_late(refused) from None
        return self.told(token)


def _by(part: pages.OwnPart) -> Actor:
    return Actor.of_person(part.attendance.person_id)


def _not_allowed() -> problems.Problem:
    return problems.Problem("not_allowed", 422, _("This appointment can no longer be changed."))


def _too_late(refused: cancellation.NotAllowed) -> problems.Problem:
    if isinstance(refused, cancellation.TooLate):
        title = _("It is too late to change this here. Please call the practice.")
        return problems.Problem("too_late", 422, title)
    return _not_allowed()
