"""Services and weekly hours as those see them who keep them, also what visitors don't see."""

from typing import Any

from practice.models import Counselor, Service, WorkingHours
from practice.rules import versions

# What may be said of a service; the rest follows from them.
FIELDS = (
    *("slug", "name", "about", "position", "minutes", "step", "buffer_before", "buffer_after"),
    *("notice", "horizon_days", "attendees", "place", "place_text", "booking", "invite_gate"),
    *("price_cents", "currency", "hidden", "active"),
)


def service(slug: str) -> Service | None:
    """The service of this slug, whether visitors see it or not."""
    return Service.objects.prefetch_related("counselors").filter(slug=slug).first()


def offered_by(slugs: list[str]) -> list[Counselor]:
    """The counselors of these slugs, as far as there are such."""
    return list(Counselor.objects.filter(slug__in=slugs).order_by("slug"))


def said(row: Service) -> dict[str, Any]:
    """All that may be said of a service, and who offers it."""
    by = sorted(counselor.slug for counselor in row.counselors.all())
    return {name: getattr(row, name) for name in FIELDS} | {"counselors": by}


def service_version(row: Service) -> str:
    """Another one after each change of it."""
    return versions.of(said(row))


def counselors() -> list[Counselor]:
    """All who have a diary, with their weekly hours."""
    found = Counselor.objects.select_related("member").prefetch_related("hours")
    return list(found.order_by("slug"))


def counselor(slug: str) -> Counselor | None:
    """The counselor of this slug, with weekly hours."""
    found = Counselor.objects.select_related("member").prefetch_related("hours")
    return found.filter(slug=slug).first()


def openings(row: Counselor) -> list[WorkingHours]:
    """A counselor's weekly hours in the order of the week."""
    return sorted(row.hours.all(), key=lambda one: (one.weekday, one.start))


def active() -> list[Service]:
    """Those that are offered, also to nobody but the desk, in their order; one statement."""
    return list(Service.objects.filter(active=True).order_by("position", "slug"))
