"""What comes with a service in tests: rules, the instruments that they name, a booking of two."""

from datetime import datetime

from clients.actions import people
from clients.models import Message
from clients.rules.actors import Actor
from intake.models import Assignment, Intake
from practice.actions import booking
from practice.models import FormRule, Service
from tests import factories as make
from tests.factories import NOW

VISITOR = Actor.visitor()
CHECK, MOOD = "private-check", "mood"
ANA = people.NewPerson("Ana Alder", "ana@example.org", None, "en", "America/New_York")
BEN = people.NewPerson("Ben Birch", "ben@example.org", None, "es", "Europe/Madrid")


def published(*slugs: str) -> None:
    """A version of each, as it is given now."""
    for slug in slugs:
        make.instrument(id=slug)


def rules(*slugs: str, service: Service | None = None, **fields: object) -> None:
    """Forms that come with a service, or with any, in this order."""
    for position, slug in enumerate(slugs):
        FormRule.objects.create(service=service, slug=slug, position=position, **fields)


def book(
    service: Service,
    partner: people.NewPerson | None = BEN,
    *,
    safe: bool = True,
    day: int = 10,
    booker: people.NewPerson = ANA,
    by: Actor = VISITOR,
    now: datetime = NOW,
) -> booking.Booked:
    """A time on that day, booked as the booking page would."""
    start = make.at(day, "10:00")
    held = booking.hold(service=service, counselor=None, start=start, by=by, now=now)
    request = booking.Request(booker=booker, partner=partner, partner_safe_to_invite=safe)
    return booking.book(token=held.token, request=request, by=by, now=now)


def forms(name: str) -> list[tuple[str, str]]:
    """What somebody was given, in the order in which it is asked, and what became of it."""
    rows = Assignment.objects.select_related("intake__person__key")
    own = [row for row in rows if row.intake.person.name.startswith(name)]
    return [
        (row.slug, row.state) for row in sorted(own, key=lambda one: (one.position, one.number))
    ]


def link(name: str) -> Intake:
    """Somebody's standing link."""
    rows = Intake.objects.filter(ended_at__isnull=True).select_related("person__key", "case")
    return next(row for row in rows if row.person.name.startswith(name))


def letters(name: str) -> list[tuple[str, int, str]]:
    """The letters about somebody's links: purpose, version and state, in their order."""
    rows = Message.objects.filter(subject_kind="intake").select_related("person__key")
    rows = rows.order_by("due_at", "purpose", "version")
    own = [row for row in rows if row.person.name.startswith(name)]
    return [(row.purpose, row.version, row.state) for row in own]


def send(intake: Intake, *slugs: str) -> None:
    """As if somebody had sent these."""
    rows = Assignment.objects.filter(intake=intake, slug__in=slugs, state="open")
    rows.update(state="sent", closed_at=NOW)
