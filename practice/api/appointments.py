"""The diary, for members of the practice: what each may see on the pages, and no names."""

from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django.core import signing
from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clients.api import fields, problems, schema
from clients.api.endpoint import MemberEndpoint
from clients.api.serializers import Strict
from practice.actions import reads
from practice.api import offered
from practice.api.fields import Zone
from practice.limits import READS
from practice.models import Appointment, Attendance, Counselor
from practice.queries import diary, services
from practice.rules import wall

DAYS, MOST_DAYS = 31, 400
PAGE, MOST_PAGE = 50, 100
_SALT = "practice.api.appointments"
_STATES = [value for value, _label in Appointment.State.choices if value != "held"]


class AppointmentsQuery(Strict):
    """`from` and `to` are dates in `tz`; `to` isn't among them any more."""

    tz = Zone(required=False)
    counselor = fields.Slug(required=False)
    state = fields.Choice(of=_STATES, required=False)
    ordering = fields.Choice(of=["start", "-start"], required=False)
    page_size = fields.PageSize(most=MOST_PAGE, required=False)
    cursor = fields.Cursor(salt=_SALT, required=False)

    def get_fields(self) -> dict[str, Any]:
        """With the one name that Python keeps for itself."""
        return super().get_fields() | {
            "from": fields.Day(required=False),
            "to": fields.Day(required=False),
        }


class AttendeeOut(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Attendance.Role.choices)
    state = serializers.ChoiceField(choices=Attendance.State.choices)
    gate = serializers.ChoiceField(choices=Attendance.Gate.choices)


class AppointmentOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=_STATES)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    tz = serializers.CharField()
    service = serializers.SlugField()
    counselor = serializers.SlugField()
    case = serializers.UUIDField()
    overbooked = serializers.BooleanField()
    attendees = AttendeeOut(many=True)


class Appointments(MemberEndpoint):
    """Appointments that this member may see."""

    about = "appointment"
    limits: ClassVar = {"GET": READS}

    @schema.described(
        operation_id="appointments_list",
        parameters=[AppointmentsQuery],
        responses=schema.answers(schema.page_of(AppointmentOut), 400, 401, 403, 422, 429),
        filters=False,
    )
    def get(self, request: Request) -> Response:
        """Those that begin on the dates from `from` (today) to before `to` (a month later)."""
        asked = self.query(AppointmentsQuery)
        zone = asked.get("tz") or offered.own_zone()
        from_on = asked.get("from") or wall.wall(wall.minute_floor(timezone.now()), zone).date()
        to_on = asked.get("to") or from_on + timedelta(days=DAYS)
        if not from_on <= to_on <= from_on + timedelta(days=MOST_DAYS):
            sentence = _("Write a date at most %(days)d days after `from`, and not before it.")
            raise problems.invalid({"to": [sentence % {"days": MOST_DAYS}]})
        low, high = (wall.instant(wall.first_minute(on, 0, zone)) for on in (from_on, to_on))
        found = diary.beginning(self.actor, low, high)
        if asked.get("counselor"):
            found = found.filter(counselor=_counselor(asked["counselor"]))
        if asked.get("state"):
            found = found.filter(state=asked["state"])
        size = asked.get("page_size") or PAGE
        backwards = asked.get("ordering") == "-start"
        rows = list(_after(found, asked.get("cursor"), backwards=backwards)[: size + 1])
        shown = [part for row in rows[:size] for part in row.attendances.all()]
        reads.in_list(attendances=shown, by=self.actor, now=timezone.now())
        return Response(
            {
                "results": [_told(row) for row in rows[:size]],
                "next": _next(request, rows[size - 1]) if len(rows) > size else None,
            }
        )


class One(MemberEndpoint):
    """One appointment."""

    about = "appointment"
    limits: ClassVar = {"GET": READS}

    @schema.described(responses=schema.answers(AppointmentOut, 401, 403, 404, 429))
    def get(self, request: Request, pk: UUID) -> Response:
        """As in the list. One that this member may not see isn't there."""
        found = diary.seen(self.actor).filter(pk=pk).first()
        if found is None:
            raise Http404
        reads.on_page(appointment=found, by=self.actor, now=timezone.now())
        return Response(_told(found))


def _counselor(slug: str) -> Counselor:
    """Refuses (Problem) a short name that nobody has."""
    row = services.counselor(slug)
    if row is None:
        raise problems.invalid({"counselor": [_("There is nobody of this short name.")]})
    return row


def _after(
    found: QuerySet[Appointment], cursor: tuple[datetime, UUID] | None, *, backwards: bool
) -> QuerySet[Appointment]:
    """Those behind the cursor, in order: by start, and by id where two begin together."""
    sign, compared = ("-", "lt") if backwards else ("", "gt")
    if cursor:
        start, pk = cursor
        found = found.filter(
            Q(**{f"period__startswith__{compared}": start})
            | Q(period__startswith=start, **{f"pk__{compared}": pk})
        )
    return found.order_by(f"{sign}period__startswith", f"{sign}pk")


def _next(request: Request, last: Appointment) -> str:
    """The address of the page behind this row."""
    cursor = signing.dumps([last.starts_at.isoformat(), str(last.pk)], salt=_SALT)
    query = {**request.query_params.dict(), "cursor": cursor}
    return f"{request.path}?{urlencode(query)}"


def _told(row: Appointment) -> dict[str, object]:
    zone = row.counselor.zone
    return {
        "id": str(row.pk),
        "state": row.state,
        "start": offered.local(row.starts_at, zone),
        "end": offered.local(row.ends_at, zone),
        "tz": zone,
        "service": row.service.slug,
        "counselor": row.counselor.slug,
        "case": str(row.case_id),
        "overbooked": row.overbooked,
        "attendees": [
            {"role": one.role, "state": one.state, "gate": one.gate}
            for one in row.attendances.all()
        ],
    }
