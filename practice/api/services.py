"""Services, for those who keep them: to add, to read with what visitors don't see, to change."""

import re
from typing import Any, ClassVar

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clients.api import fields, problems, schema
from clients.api.endpoint import MemberEndpoint
from clients.api.serializers import Strict
from clients.rules import permissions
from clients.rules.permissions import Right
from practice.actions import services as actions
from practice.api import offered, versioned
from practice.limits import WRITES
from practice.models import Counselor, Service
from practice.queries import services

_YEAR = 366 * 24 * 60


class Price(fields.Pattern):
    """An amount with two decimals, kept in cents."""

    schema = {"type": "string", "pattern": "^[0-9]{1,6}[.][0-9]{2}$", "example": "90.00"}
    pattern = re.compile(r"[0-9]{1,6}[.][0-9]{2}", re.ASCII)

    def to_internal_value(self, data: Any) -> int:
        """Refuses (ValidationError) another number of decimals, signs, and other digits."""
        return int(super().to_internal_value(data).replace(".", ""))


class Currency(fields.Pattern):
    """Three letters (ISO 4217)."""

    schema = {"type": "string", "pattern": "^[A-Z]{3}$", "example": "USD"}
    pattern = re.compile(r"[A-Z]{3}", re.ASCII)


def _said(*, new: bool) -> dict[str, Any]:
    """What may be said of a service; of a new one some has to be."""
    need: dict[str, Any] = {"required": new}
    may: dict[str, Any] = {"required": False}
    return {
        "name": fields.Line(limit=100, **need),
        "minutes": fields.Whole(least=5, most=480, **need),
        "about": fields.Text(limit=2_000, **may),
        "position": fields.Whole(least=0, most=1_000, **may),
        "step": fields.Whole(least=5, most=480, **may),
        "buffer_before": fields.Whole(least=0, most=240, **may),
        "buffer_after": fields.Whole(least=0, most=240, **may),
        "notice": fields.Whole(least=0, most=_YEAR, **may),
        "horizon_days": fields.Whole(least=1, most=400, **may),
        "attendees": fields.Choice(of=list(Service.Attendees.values), **may),
        "place": fields.Choice(of=list(Service.Place.values), **may),
        "place_text": fields.Line(limit=300, **may),
        "booking": fields.Choice(of=list(Service.Booking.values), **may),
        "invite_gate": fields.Choice(of=list(Service.InviteGate.values), **may),
        "price": Price(**may),
        "currency": Currency(**may),
        "hidden": fields.Flag(**may),
        "active": fields.Flag(**may),
        "counselors": fields.Slugs(**may),
    }


class NewService(Strict):
    """A service to add."""

    slug = fields.Slug()

    def get_fields(self) -> dict[str, Any]:
        """With those that a change may name too."""
        return super().get_fields() | _said(new=True)


class ServiceChange(Strict):
    """What to change; the short name stays, since links carry it."""

    def get_fields(self) -> dict[str, Any]:
        """All of them may be left out."""
        return super().get_fields() | _said(new=False)


class KeptServiceOut(serializers.Serializer[Any]):
    slug = serializers.SlugField()
    name = serializers.CharField()
    about = serializers.CharField()
    position = serializers.IntegerField()
    minutes = serializers.IntegerField()
    step = serializers.IntegerField()
    buffer_before = serializers.IntegerField()
    buffer_after = serializers.IntegerField()
    notice = serializers.IntegerField()
    horizon_days = serializers.IntegerField()
    attendees = serializers.ChoiceField(choices=Service.Attendees.values)
    place = serializers.ChoiceField(choices=Service.Place.values)
    place_text = serializers.CharField()
    booking = serializers.ChoiceField(choices=Service.Booking.values)
    invite_gate = serializers.ChoiceField(choices=Service.InviteGate.values)
    price = serializers.CharField()
    currency = serializers.CharField()
    hidden = serializers.BooleanField()
    active = serializers.BooleanField()
    counselors = serializers.ListField(child=serializers.SlugField())


class Services(MemberEndpoint, offered.Services):
    """What the practice offers: anybody reads it, and who keeps the practice adds to it."""

    about = "service"
    right = Right.MANAGE_PRACTICE
    open_to_all = frozenset({"GET", "HEAD"})
    limits: ClassVar = {**offered.Services.limits, "POST": WRITES}

    @schema.described(
        request=NewService,
        responses=schema.answers(
            KeptServiceOut, 400, 401, 403, 409, 413, 415, 422, 429, status=201
        ),
    )
    def post(self, request: Request) -> Response:
        """Add a service; visitors see it at once, unless it is hidden or not active."""
        permissions.check(self.actor, Right.MANAGE_PRACTICE)
        said = self.body(NewService)
        by = _counselors(said)
        try:
            row = actions.add(
                values=_values(said), offered_by=by or [], by=self.actor, now=timezone.now()
            )
        except actions.SlugTaken:
            title = _("There is a service of this short name already.")
            raise problems.Problem("exists", 409, title, errors={"slug": [title]}) from None
        return _told(row, 201)


class One(MemberEndpoint):
    """One service, also one that visitors don't see."""

    about = "service"
    right = Right.MANAGE_PRACTICE
    limits: ClassVar = {"PATCH": WRITES}

    @schema.described(
        operation_id="services_kept",
        parameters=[schema.SLUG],
        responses=schema.answers(KeptServiceOut, 401, 403, 404),
    )
    def get(self, request: Request, slug: str) -> Response:
        """All that is kept about it; its `ETag` is what a change has to name."""
        return _told(_found(slug))

    @schema.described(
        parameters=[schema.SLUG, versioned.IF_MATCH],
        request=ServiceChange,
        responses=schema.answers(KeptServiceOut, 400, 401, 403, 404, 412, 413, 415, 422, 429),
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Change what is named, if nobody else has changed it since. Booked ones stay as booked."""
        seen, row = versioned.seen(request), _found(slug)
        said = self.body(ServiceChange)
        offered_by = _counselors(said)
        version = services.service_version(row)
        versioned.check(seen, version)
        try:
            row = actions.change(
                service=row,
                values=_values(said),
                offered_by=offered_by,
                seen=version,
                by=self.actor,
                now=timezone.now(),
            )
        except actions.Changed:
            raise versioned.changed() from None
        return _told(row)


def _found(slug: str) -> Service:
    row = services.service(slug)
    if row is None:
        raise Http404
    return row


def _values(said: dict[str, Any]) -> dict[str, Any]:
    """As the columns have it."""
    values = {name: value for name, value in said.items() if name != "counselors"}
    if "price" in values:
        values["price_cents"] = values.pop("price")
    return values


def _counselors(said: dict[str, Any]) -> list[Counselor] | None:
    """Those who offer it, if that is said. Refuses (Problem) one whom there isn't."""
    if "counselors" not in said:
        return None
    found = services.offered_by(said["counselors"])
    if {one.slug for one in found} != set(said["counselors"]):
        raise problems.invalid({"counselors": [_("There is nobody of this short name.")]})
    return found


def _told(row: Service, status: int = 200) -> Response:
    said = services.said(row)
    whole, rest = divmod(said.pop("price_cents"), 100)
    return versioned.told(
        said | {"price": f"{whole}.{rest:02}"}, services.service_version(row), status
    )
