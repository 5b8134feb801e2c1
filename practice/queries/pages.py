"""What the public pages show; each function says how many statements it takes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Prefetch

from clients.rules.actors import Actor
from practice.models import (
    Appointment,
    Attendance,
    Consent,
    Counselor,
    Offer,
    Practice,
    Question,
    Service,
)

# A link works until a day after the end: long enough to look something up, no longer.
LINK_OUTLIVES_END = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Bookable:
    """A public service and the counselors who offer it, in a stable order."""

    service: Service
    counselors: tuple[Counselor, ...]

    def counselor(self, slug: str) -> Counselor | None:
        """The one of this slug, if they offer the service."""
        return next((one for one in self.counselors if one.slug == slug), None)


def practice() -> Practice | None:
    """The practice, or None before it is set up; one statement."""
    return Practice.objects.first()


def bookable(slug: str) -> Bookable | None:
    """A public service that somebody offers, or None; one statement."""
    offered = list(
        Offer.objects.filter(
            service__in=Service.objects.public().filter(slug=slug),
            counselor__in=Counselor.objects.public(),
        )
        .select_related("service", "counselor__member")
        .order_by("counselor__slug")
    )
    if not offered:
        return None
    return Bookable(offered[0].service, tuple(one.counselor for one in offered))


def all_bookable() -> list[Bookable]:
    """Every public service that somebody offers, in the practice's order; two statements."""
    offered = Prefetch(
        "offers",
        Offer.objects.filter(counselor__in=Counselor.objects.public())
        .select_related("counselor__member")
        .order_by("counselor__slug"),
    )
    services = Service.objects.public().prefetch_related(offered).order_by("position", "slug")
    found = [
        Bookable(service, tuple(offer.counselor for offer in service.offers.all()))
        for service in services
    ]
    return [one for one in found if one.counselors]


def first_service() -> Service | None:
    """The service that the first page leads to; one statement."""
    services = Service.objects.public().filter(counselors__in=Counselor.objects.public())
    return services.order_by("position", "slug").first()


def asked_before(service: Service) -> tuple[list[Question], list[Consent]]:
    """The questions and the texts in force that come before a booking; two statements."""
    questions = Question.objects.filter(service=service, active=True)
    consents = Consent.objects.filter(service=service, withdrawn_at__isnull=True)
    return list(questions.order_by("position", "slug")), list(consents.order_by("position", "slug"))


def held(hold_hash: bytes, now: datetime) -> Appointment | None:
    """The live hold of the one who has its token; one statement."""
    return (
        Appointment.objects.held_under(hold_hash, now)
        .select_related("service", "counselor__member")
        .first()
    )


def by_link(token_hash: bytes, now: datetime) -> Attendance | None:
    """The attendance that a link opens while it works; one statement."""
    return (
        Attendance.objects.opened_by(token_hash)
        .ending_after(now - LINK_OUTLIVES_END)
        .select_related(
            "person__key", "appointment__service", "appointment__counselor__member", "appointment"
        )
        .first()
    )


def own(person_id: UUID, attendance_id: UUID, now: datetime) -> Attendance | None:
    """A person's own attendance, under the same limits as its link; one statement."""
    return (
        Attendance.objects.visible_to(Actor.of_person(person_id))
        .ending_after(now - LINK_OUTLIVES_END)
        .filter(pk=attendance_id)
        .select_related("person__key", "appointment__service", "appointment__counselor__member")
        .first()
    )
