"""What the public pages show; each function says how many statements it takes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Prefetch, QuerySet

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
from practice.rules import cancellation

# A link works until a day after the end: long enough to look something up, no longer.
LINK_OUTLIVES_END = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Bookable:
    """A public service and the counselors who offer it, in a stable order."""

    service: Service
    counselors: tuple[Counselor, ...]
    # What comes before a booking, where it was asked for.
    questions: tuple[Question, ...] = ()
    consents: tuple[Consent, ...] = ()

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


def all_bookable(*, asked: bool = False) -> list[Bookable]:
    """Every public service that somebody offers, in the practice's order; two statements.

    With `asked`, what comes before a booking too, in two more.
    """
    offered = Prefetch(
        "offers",
        Offer.objects.filter(counselor__in=Counselor.objects.public())
        .select_related("counselor__member")
        .order_by("counselor__slug"),
    )
    services = Service.objects.public().prefetch_related(offered).order_by("position", "slug")
    if asked:
        services = services.prefetch_related(
            Prefetch("questions", _questions()), Prefetch("consents", _consents())
        )
    found = [
        Bookable(
            service,
            tuple(offer.counselor for offer in service.offers.all()),
            tuple(service.questions.all()) if asked else (),
            tuple(service.consents.all()) if asked else (),
        )
        for service in services
    ]
    return [one for one in found if one.counselors]


def _questions() -> QuerySet[Question]:
    return Question.objects.filter(active=True).order_by("position", "slug")


def _consents() -> QuerySet[Consent]:
    return Consent.objects.filter(withdrawn_at__isnull=True).order_by("position", "slug")


def first_service() -> Service | None:
    """The service that the first page leads to; one statement."""
    services = Service.objects.public().filter(counselors__in=Counselor.objects.public())
    return services.order_by("position", "slug").first()


def asked_before(service: Service) -> tuple[list[Question], list[Consent]]:
    """The questions and the texts in force that come before a booking; two statements."""
    return list(_questions().filter(service=service)), list(_consents().filter(service=service))


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


@dataclass(frozen=True, slots=True)
class OwnPart:
    """How a person's own part in an appointment stands at a moment: all that they are told."""

    attendance: Attendance
    practice: Practice
    now: datetime

    @property
    def gone(self) -> bool:
        """Whether it is cancelled, for this person or at all."""
        return (
            self.attendance.state == Attendance.State.CANCELLED
            or self.attendance.appointment.state == Appointment.State.CANCELLED
        )

    @property
    def takes_place(self) -> bool:
        """Whether it still lies ahead, for this person and at all."""
        appointment = self.attendance.appointment
        return (
            not self.gone
            and appointment.state in Appointment.TAKES_PLACE
            and appointment.starts_at > self.now
        )

    @property
    def can_change(self) -> bool:
        """Whether the practice's cut-off still lets this person move or cancel."""
        return self.takes_place and cancellation.can_change(
            starts_at=self.attendance.starts_at,
            cutoff_minutes=self.practice.cutoff_minutes,
            state=self.attendance.appointment.state,
            now=self.now,
        )

    @property
    def can_confirm(self) -> bool:
        """Whether this person is still asked to say that they come."""
        return self.takes_place and self.attendance.state == Attendance.State.EXPECTED

    @property
    def state(self) -> str:
        """One word for how things stand for this person: `requested`, `expected`, `confirmed`,
        `cancelled` or `over`.
        """
        appointment = self.attendance.appointment
        if self.gone:
            return "cancelled"
        if appointment.ends_at <= self.now or appointment.state not in Appointment.TAKES_PLACE:
            return "over"
        if appointment.state == Appointment.State.REQUESTED:
            return "requested"
        return str(self.attendance.state)
