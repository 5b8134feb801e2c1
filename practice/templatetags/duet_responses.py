"""Which of the forms that were given can be read."""

from collections.abc import Mapping
from uuid import UUID

from django import template

from intake.models import Assignment

register = template.Library()


@register.filter
def to_read(given: Assignment, readable: Mapping[UUID, UUID]) -> UUID | None:
    """What was sent in answer to it, for whoever may read that; nothing for everybody else."""
    return readable.get(given.pk)
