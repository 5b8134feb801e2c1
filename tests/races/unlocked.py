"""The site as it would be if nobody waited for a lock: for the controls, and nothing else."""

from collections.abc import Iterable
from uuid import UUID

from clients.rules.actors import Actor
from config.wsgi import application
from practice.actions import booking, guard
from practice.models import Appointment

__all__ = ["application"]


def read_only(appointment_id: UUID, by: Actor) -> Appointment:
    """The row as it is read by anybody."""
    return Appointment.objects.select_related("service", "counselor__member").get(pk=appointment_id)


def wait_for_nobody(ids: Iterable[UUID]) -> None:
    """No lock."""


booking._locked = read_only
guard.lock_counselors = wait_for_nobody
