"""Hold a time, and book it: for a widget, or for somebody else's site."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as FormError
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clients import limits
from clients.actions import people
from clients.api import fields, problems, schema
from clients.api.endpoint import Endpoint
from clients.api.serializers import Strict
from clients.forms.fields import phone_field
from clients.rules.access import token_hash
from clients.rules.actors import Actor
from practice.actions import booking, idempotency
from practice.actions.guard import SlotTaken
from practice.api import offered
from practice.api.fields import Zone
from practice.forms.booking import TEXT_LIMIT, ConsentBox, question_field
from practice.limits import BOOKING_TRIES, BOOKINGS, HOLDS, open_holds
from practice.models import (
    Appointment,
    Attendance,
    BookedOnce,
    Consent,
    Counselor,
    Question,
    Service,
)
from practice.queries import letters, pages, terms
from practice.queries.terms import Terms

VISITOR = Actor.visitor()
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class HoldIn(Strict):
    """A start that somebody wants to book; without `counselor`, with anybody."""

    service = fields.Slug()
    counselor = fields.Slug(required=False, allow_null=True)
    start = fields.Instant()


class HoldOut(serializers.Serializer[Any]):
    hold = serializers.CharField()
    expires_at = serializers.DateTimeField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    counselor = serializers.SlugField()


class PersonIn(Strict):
    """Reachable by e-mail, by telephone, or both."""

    name = fields.Name()
    email = fields.Email(required=False, allow_null=True)
    phone = fields.Phone(required=False, allow_null=True)
    tz = Zone()
    language = fields.Language()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuses (ValidationError) somebody who can't be reached at all."""
        if not attrs.get("email") and not attrs.get("phone"):
            sentence = _("Please give an e-mail address or a telephone number, or both.")
            raise serializers.ValidationError({"email": [sentence]})
        return attrs


class PartnerIn(Strict):
    """The one who comes along; zone and language are the booker's where none are said."""

    name = fields.Name()
    email = fields.Email(required=False, allow_null=True)
    phone = fields.Phone(required=False, allow_null=True)
    tz = Zone(required=False, allow_null=True)
    language = fields.Language(required=False, allow_null=True)


class ConsentIn(Strict):
    """A text that was agreed to, in the version that was shown."""

    slug = fields.Slug()
    version = fields.Whole(least=1, most=32_767)


class BookingIn(Strict):
    """What somebody books: a time that they hold, or a service and a start."""

    hold = fields.Token(required=False, allow_null=True)
    service = fields.Slug(required=False, allow_null=True)
    counselor = fields.Slug(required=False, allow_null=True)
    start = fields.Instant(required=False, allow_null=True)
    person = PersonIn()
    partner = PartnerIn(required=False, allow_null=True)
    partner_safe_to_invite = fields.Flag(default=False)
    answers = fields.Few(child=fields.Text(limit=TEXT_LIMIT), required=False, allow_null=True)
    consents = ConsentIn(many=True, required=False, max_length=fields.FEW)  # type: ignore[call-arg]
    from_article = fields.Slug(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuses (ValidationError) a body that names neither a hold nor a start."""
        if not attrs.get("hold"):
            missing = [name for name in ("service", "start") if not attrs.get(name)]
            if missing:
                sentence = _("Send this, or a hold.")
                raise serializers.ValidationError(dict.fromkeys(missing, sentence))
        return attrs


class BookingOut(serializers.Serializer[Any]):
    appointment = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Appointment.State.choices)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    counselor = serializers.SlugField()
    manage_url = serializers.URLField()


class Holds(Endpoint):
    """Keep a time for the one who fills in a form."""

    about = "appointment"
    limits: ClassVar = {"POST": HOLDS}

    @schema.described(
        request=HoldIn,
        responses=schema.answers(HoldOut, 400, 409, 413, 415, 422, 429, status=201),
    )
    def post(self, request: Request) -> Response:
        """Hold a time for some minutes. Without `counselor`, of anybody: the hold names who."""
        now = timezone.now()
        wanted = self.body(HoldIn)
        under = offered.under(wanted["service"])
        counselor = offered.a_counselor(under, wanted.get("counselor"))
        start, zone = wanted["start"], under.practice.zone
        with limits.place(request._request, open_holds(under.practice.hold_minutes)) as place:
            try:
                held = booking.hold(
                    service=under.service,
                    counselor=counselor,
                    start=start,
                    by=VISITOR,
                    now=now,
                )
            except (SlotTaken, booking.NotOffered) as refused:
                raise gone(refused, under.service, counselor, start, zone, now) from None
            place.belongs_to(held.token)
        appointment = held.appointment
        until = appointment.held_until or now
        told = {
            "hold": held.token,
            "expires_at": offered.local(until, zone),
            "start": offered.local(appointment.starts_at, zone),
            "end": offered.local(appointment.ends_at, zone),
            "counselor": appointment.counselor.slug,
        }
        return offered.private(Response(told, 201))


class Hold(Endpoint):
    """One held time; who has its token may let it go."""

    about = "appointment"

    @schema.described(
        parameters=[schema.TOKEN],
        responses=schema.answers(None, 404, status=204),
    )
    def delete(self, request: Request, token: str) -> Response:
        """Let the time go. One that has ended, or never was, is let go of as well."""
        booking.release(token=token, by=VISITOR, now=timezone.now())
        limits.free(token)
        return offered.private(Response(status=204))


class Bookings(Endpoint):
    """Book a time for one or two."""

    about = "appointment"
    limits: ClassVar = {"POST": BOOKING_TRIES}

    @schema.described(
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
                OpenApiParameter.HEADER,
                required=True,
                description="Made by the sender for each booking: sent again with the same body, "
                "within 24 hours, it is answered with the same booking.",
            )
        ],
        request=BookingIn,
        responses=schema.answers(BookingOut, 400, 409, 413, 415, 422, 429, status=201),
    )
    def post(self, request: Request) -> Response:
        """Book. Each person gets an own link, and is written to as their safe contact says."""
        now = timezone.now()
        key = self._key(request)
        body = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
        try:
            once = idempotency.book_once(
                key_hash=hashlib.sha256(key.encode()).digest(),
                body_hash=hashlib.sha256(body.encode()).digest(),
                book=lambda once: self._book(once, now),
                by=VISITOR,
                now=now,
            )
        except idempotency.KeyReused:
            sentence = _("This key came before with another body. Make a new one.")
            raise problems.Problem("key_reused", 422, sentence) from None
        response = offered.private(Response(_booked(once.attendance), 201))
        if once.repeated:
            response["Idempotency-Replayed"] = "true"
        return response

    def _key(self, request: Request) -> str:
        """Refuses (400) a booking without a key, and keys that aren't 1 to 255 visible signs."""
        key = request.headers.get("Idempotency-Key", "")
        if not _KEY.fullmatch(key):
            sentence = _("Send an Idempotency-Key of 1 to 255 visible ASCII signs.")
            raise problems.Problem(
                "malformed", 400, detail=sentence, errors={"Idempotency-Key": [sentence]}
            )
        return key

    def _book(self, once: BookedOnce, now: datetime) -> booking.Booked:
        """Check what was sent against what is offered, and book it."""
        wanted = self.body(BookingIn)
        about = _about_hold(wanted, now) if wanted.get("hold") else _about_start(wanted)
        request = _request(wanted, about.under)
        # Only what would be booked counts; who sends it again is answered all the same.
        limits.check(self.request._request, BOOKINGS)
        try:
            if about.hold:
                booked = booking.book(
                    token=about.hold, request=request, once=once, by=VISITOR, now=now
                )
                limits.free(about.hold)
                return booked
            return booking.book_start(
                under=about.under,
                counselor=about.counselor,
                start=about.start,
                request=request,
                once=once,
                by=VISITOR,
                now=now,
            )
        except booking.HoldGone:
            raise _hold_gone() from None
        except (SlotTaken, booking.NotOffered) as refused:
            zone, service = request.booker.zone, about.under.service
            raise gone(refused, service, about.counselor, about.start, zone, now) from None


@dataclass(frozen=True, slots=True)
class _About:
    """Which time a booking is about, under which terms, and the hold on it if there is one."""

    under: Terms
    counselor: Counselor | None
    start: datetime
    hold: str = ""


def _about_start(wanted: dict[str, Any]) -> _About:
    """Refuses (Problem) a service or a counselor that there isn't."""
    under = offered.under(wanted["service"])
    return _About(under, offered.a_counselor(under, wanted.get("counselor")), wanted["start"])


def _about_hold(wanted: dict[str, Any], now: datetime) -> _About:
    """Refuses (Problem) a hold that has ended, and a start that isn't the hold's own."""
    held = pages.held(token_hash(wanted["hold"]), now)
    if held is None:
        raise _hold_gone()
    own = {
        "service": held.service.slug,
        "counselor": held.counselor.slug,
        "start": held.starts_at,
    }
    other = [name for name, value in own.items() if wanted.get(name) not in (None, value)]
    if other:
        sentence = _("The hold is for another one. Leave this out, or send what was held.")
        raise problems.invalid({name: [sentence] for name in other})
    return _About(terms.of(held.service_id), held.counselor, held.starts_at, wanted["hold"])


def _hold_gone() -> problems.Problem:
    return problems.Problem("hold_gone", 409, _("The time is no longer held. Hold it again."))


def _request(wanted: dict[str, Any], under: Terms) -> booking.Request:
    """What the action takes. Refuses (Problem) what doesn't fit the service or the practice."""
    errors: dict[str, list[str]] = {}
    partner = wanted.get("partner")
    if partner and under.service.attendees == Service.Attendees.ONE:
        errors["partner"] = [_("This is for one person.")]
    region = under.practice.region
    booker = _person("person", wanted["person"], wanted["person"], region, errors)
    request = booking.Request(
        booker=booker,
        partner=_person("partner", partner, wanted["person"], region, errors) if partner else None,
        partner_safe_to_invite=wanted["partner_safe_to_invite"],
        answers=dict(_answers(wanted.get("answers") or {}, under.questions, errors)),
        consents=list(_agreed(wanted.get("consents") or [], under.consents, errors)),
        from_article=wanted.get("from_article") or "",
    )
    if errors:
        raise problems.invalid(errors)
    return request


def _person(
    path: str,
    said: dict[str, Any],
    booker: dict[str, Any],
    region: str,
    errors: dict[str, list[str]],
) -> people.NewPerson:
    """Somebody new; what is wrong with their number goes into `errors`."""
    phone = ""
    try:
        phone = phone_field(region=region, required=False).clean(said.get("phone"))
    except FormError as refused:
        errors[f"{path}.phone"] = refused.messages
    return people.NewPerson(
        name=said["name"],
        email=said.get("email") or None,
        phone=phone or None,
        language=said.get("language") or booker["language"],
        zone=said.get("tz") or booker["tz"],
    )


def _answers(
    said: dict[str, str], questions: Iterable[Question], errors: dict[str, list[str]]
) -> Iterator[tuple[Question, str]]:
    """The questions that were answered; what is wrong goes into `errors`."""
    for unknown in list(said.keys() - {one.slug for one in questions})[:20]:
        errors[f"answers.{unknown[:100]}"] = [_("This isn't asked here.")]
    for one in questions:
        try:
            text = question_field(one).clean(said.get(one.slug, ""))
        except FormError as refused:
            errors[f"answers.{one.slug}"] = refused.messages
            continue
        if text:
            yield one, text


def _agreed(
    said: list[dict[str, Any]], consents: Iterable[Consent], errors: dict[str, list[str]]
) -> Iterator[Consent]:
    """The texts that were agreed to, in the version in force; as `_answers`."""
    versions = {one["slug"]: one["version"] for one in said}
    if len(versions) < len(said):
        errors["consents"] = [_("A text stands here twice.")]
    for unknown in list(versions.keys() - {one.slug for one in consents})[:20]:
        errors[f"consents.{unknown}"] = [_("There is no such text.")]
    for one in consents:
        try:
            agreed = ConsentBox(one).clean(str(versions.get(one.slug, "")))
        except FormError as refused:
            errors[f"consents.{one.slug}"] = refused.messages
            continue
        if agreed:
            yield one


def _booked(attendance: Attendance) -> dict[str, object]:
    """What the booker is told: their own time, and where to change it."""
    appointment, zone = attendance.appointment, attendance.person.zone
    return {
        "appointment": str(appointment.pk),
        "status": appointment.state,
        "start": offered.local(attendance.starts_at, zone),
        "end": offered.local(attendance.ends_at, zone),
        "counselor": appointment.counselor.slug,
        "manage_url": letters.page_url(attendance.token),
    }


def gone(
    refused: Exception,
    service: Service,
    counselor: Counselor | None,
    start: datetime,
    zone: str,
    now: datetime,
) -> problems.Problem:
    """The problem of a time that isn't to be had: 409 taken, 422 never offered; with others."""
    following = offered.next_slots(service, counselor, start, zone, now)
    if isinstance(refused, SlotTaken):
        title = _("That time has just been taken.")
        return problems.Problem("slot_taken", 409, title, more={"next": following})
    title = _("That time can't be booked.")
    return problems.Problem(
        "not_offered", 422, title, errors={"start": [title]}, more={"next": following}
    )
