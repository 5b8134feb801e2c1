"""What can be booked, and when: public, and the same for everybody."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar

from django.http import Http404
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clients.api import fields, problems, schema
from clients.api.endpoint import Endpoint
from clients.api.serializers import Strict
from clients.rules.access import token_hash
from practice.api.fields import Zone
from practice.limits import READS
from practice.models import Counselor, Service
from practice.queries import offers, pages, terms
from practice.queries.terms import Terms
from practice.rules import wall

# How long a browser or a proxy may show the same times without asking again. Somebody who comes
# with a time that was taken meanwhile gets the next ones.
FRESH_SECONDS = 10
DAYS = 7


class ConsentOut(serializers.Serializer[Any]):
    slug = serializers.SlugField()
    version = serializers.IntegerField()
    text = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment] # a field of that name


class QuestionOut(serializers.Serializer[Any]):
    slug = serializers.SlugField()
    label = serializers.CharField()  # type: ignore[assignment]
    choices = serializers.ListField(child=serializers.CharField())
    required = serializers.BooleanField()  # type: ignore[assignment]


class ServiceOut(serializers.Serializer[Any]):
    slug = serializers.SlugField()
    name = serializers.CharField()
    about = serializers.CharField()
    minutes = serializers.IntegerField()
    attendees = serializers.ChoiceField(choices=Service.Attendees.values)
    booking = serializers.ChoiceField(choices=Service.Booking.values)
    place = serializers.ChoiceField(choices=Service.Place.values)
    price = serializers.DecimalField(max_digits=12, decimal_places=2)
    currency = serializers.CharField()
    consents = ConsentOut(many=True)
    questions = QuestionOut(many=True)
    counselors = serializers.ListField(child=serializers.SlugField())


class CounselorOut(serializers.Serializer[Any]):
    slug = serializers.SlugField()
    name = serializers.CharField()
    about = serializers.CharField()
    languages = serializers.ListField(child=serializers.CharField())
    tz = serializers.CharField()
    services = serializers.ListField(child=serializers.SlugField())


class SlotOut(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    counselors = serializers.ListField(child=serializers.SlugField())


class SlotsOut(serializers.Serializer[Any]):
    slots = SlotOut(many=True)
    tz = serializers.CharField()


class Nothing(Strict):
    """A query without names."""


class SlotsQuery(Strict):
    """`from` and `to` are dates in `tz`; `to` isn't among them any more."""

    service = fields.Slug()
    counselor = fields.Slug(required=False)
    tz = Zone(required=False)
    hold = fields.Token(required=False)

    def get_fields(self) -> dict[str, Any]:
        """With the one name that Python keeps for itself."""
        return super().get_fields() | {
            "from": fields.Day(required=False),
            "to": fields.Day(required=False),
        }


class Services(Endpoint):
    """What the practice offers."""

    about = "service"
    limits: ClassVar = {"GET": READS}

    @schema.described(responses=schema.answers(schema.page_of(ServiceOut), 400, 429))
    def get(self, request: Request) -> Response:
        """All public services, in the practice's order."""
        self.query(Nothing)
        found = pages.all_bookable(asked=True)
        return cached({"results": [_service(one) for one in found], "next": None})


def _service(one: pages.Bookable) -> dict[str, object]:
    service = one.service
    whole, rest = divmod(service.price_cents, 100)
    return {
        "slug": service.slug,
        "name": service.name,
        "about": service.about,
        "minutes": service.minutes,
        "attendees": service.attendees,
        "booking": service.booking,
        "place": service.place,
        "price": f"{whole}.{rest:02}",
        "currency": service.currency,
        "consents": [
            {
                "slug": consent.slug,
                "version": consent.version,
                "text": consent.text,
                "required": consent.required,
            }
            for consent in one.consents
        ],
        "questions": [
            {
                "slug": question.slug,
                "label": question.label,
                "choices": question.choices,
                "required": question.required,
            }
            for question in one.questions
        ],
        "counselors": [counselor.slug for counselor in one.counselors],
    }


class Counselors(Endpoint):
    """Whom one can book."""

    about = "counselor"
    limits: ClassVar = {"GET": READS}

    @schema.described(responses=schema.answers(schema.page_of(CounselorOut), 400, 429))
    def get(self, request: Request) -> Response:
        """All counselors who offer a public service, by their short names."""
        self.query(Nothing)
        services: dict[Counselor, list[str]] = {}
        for one in pages.all_bookable():
            for counselor in one.counselors:
                services.setdefault(counselor, []).append(one.service.slug)
        results = [
            {
                "slug": counselor.slug,
                "name": counselor.member.name,
                "about": counselor.about,
                "languages": counselor.languages,
                "tz": counselor.zone,
                "services": slugs,
            }
            for counselor, slugs in sorted(services.items(), key=lambda item: item[0].slug)
        ]
        return cached({"results": results, "next": None})


class Slots(Endpoint):
    """When it can be booked."""

    about = "service"
    limits: ClassVar = {"GET": READS}

    @schema.described(
        parameters=[SlotsQuery],
        responses=schema.answers(SlotsOut, 304, 400, 422, 429),
        filters=False,
    )
    def get(self, request: Request) -> Response:
        """Open starts on the dates from `from` (today) to before `to` (a week later), in `tz`.

        At most 62 days. `counselor` may be left out: with anybody. Whoever holds a time sends
        `hold`, so that their own doesn't stand in their way; that answer is theirs alone.
        """
        asked = self.query(SlotsQuery)
        now = timezone.now()
        zone = asked.get("tz") or own_zone()
        from_on = asked.get("from") or wall.wall(wall.minute_floor(now), zone).date()
        to_on = asked.get("to") or from_on + timedelta(days=DAYS)
        if not from_on <= to_on <= from_on + timedelta(days=offers.MAX_DAYS):
            sentence = _("Write a date at most %(days)d days after `from`, and not before it.")
            raise problems.invalid({"to": [sentence % {"days": offers.MAX_DAYS}]})
        hold = asked.get("hold")
        found = offers.listed(
            service=asked["service"],
            counselor=asked.get("counselor"),
            from_on=from_on,
            to_on=to_on,
            zone=zone,
            now=now,
            hold_hash=token_hash(hold) if hold else None,
        )
        if found is None:
            # Which of the two there isn't.
            a_counselor(under(asked["service"]), asked.get("counselor"))
            raise Http404
        answer = {"slots": slots(found.times, found.minutes, zone), "tz": zone}
        return private(Response(answer)) if hold else cached(answer)


def own_zone() -> str:
    """The practice's. Refuses (Problem) before it is set up."""
    practice = pages.practice()
    if practice is None:
        raise _not_set_up()
    return practice.zone


def _not_set_up() -> problems.Problem:
    return problems.Problem("away", 503, detail=_("This practice isn't set up yet."))


def under(slug: str) -> Terms:
    """The terms of a public service. Refuses (Problem) a slug under which there is none."""
    practice, found = terms.of_public(slug)
    if practice is None:
        raise _not_set_up()
    if found is None:
        raise problems.invalid({"service": [_("There is no such service.")]})
    return found


def a_counselor(offered: Terms, slug: str | None) -> Counselor | None:
    """The counselor of this slug; None for anybody. Refuses (Problem) who doesn't offer it."""
    if not slug:
        return None
    found = offered.counselor(slug)
    if found is None:
        raise problems.invalid({"counselor": [_("This person doesn't offer that.")]})
    return found


def slots(found: list[offers.OpenTime], minutes: int, zone: str) -> list[dict[str, object]]:
    """Open times as the API writes them, in the zone that was asked for."""
    length = timedelta(minutes=minutes)
    return [
        {
            "start": local(one.start, zone),
            "end": local(one.start + length, zone),
            "counselors": [offered.slug for offered in one.offered],
        }
        for one in found
    ]


@lru_cache(maxsize=16_384)
def local(moment: datetime, zone: str) -> str:
    """An instant with the offset that the zone has then."""
    return moment.astimezone(wall.zone_info(zone)).isoformat()


def next_slots(
    service: Service, counselor: Counselor | None, after: datetime, zone: str, now: datetime
) -> list[dict[str, object]]:
    """What somebody is offered whose time is gone."""
    found = offers.next_times(service=service, counselor=counselor, after=after, now=now)
    return slots(found, service.minutes, zone)


def cached(answer: dict[str, object]) -> Response:
    """An answer that anybody may keep for a moment; the route adds ETag and 304."""
    response = Response(answer)
    patch_cache_control(response, public=True, max_age=FRESH_SECONDS)
    return response


def private(response: Response) -> Response:
    """An answer that nobody keeps."""
    patch_cache_control(response, private=True, no_store=True)
    return response
