"""Who the practice is to a client, for pages of every app: `{% practice_face as practice %}`."""

from dataclasses import dataclass
from typing import Any, Final

from django import template

from practice.queries import pages

register = template.Library()

# Where a request keeps it.
_KEPT: Final = "_duet_practice_face"


@dataclass(frozen=True, slots=True)
class Face:
    """What any client may know of the practice, in neutral words."""

    neutral_name: str = ""
    phone: str = ""
    # Of which country its crisis lines are.
    region: str = "US"
    zone: str = "UTC"
    # For the desk alone: no client's page calls it so.
    full_name: str = ""

    @property
    def name(self) -> str:
        """As the frames of pages call it."""
        return self.neutral_name


@register.simple_tag(takes_context=True)
def practice_face(context: dict[str, Any]) -> Face:
    """The practice's neutral name, telephone and region; one statement in a request."""
    request = context.get("request")
    found: Face | None = getattr(request, _KEPT, None)
    if found is None:
        row = pages.practice()
        found = Face(row.neutral_name, row.phone, row.region, row.zone, row.name) if row else Face()
        if request is not None:
            setattr(request, _KEPT, found)
    return found
