"""What may be wrong with what the practice keeps for its clients, for `manage.py doctor`."""

from collections.abc import Iterator

from django.core.checks import CheckMessage, Warning  # noqa: A004
from django.db import DatabaseError
from django.utils import timezone

from intake.queries import crisis
from practice.models import Practice


def crisis_lines_hold() -> Iterator[CheckMessage]:
    """Whoever is in need calls what stands there: somebody of the practice has to have tried it."""
    try:
        region = Practice.objects.values_list("region", flat=True).first()
        known = bool(region) and bool(crisis.lines(region or "", ""))
        old = crisis.stale(timezone.localdate(), [region]) if region else []
    except DatabaseError:
        return  # the site's own checks say so
    if region and not known:
        yield Warning(
            f"Clients are shown no crisis line: none is known for {region}.",
            hint="Run `manage.py crisis load`, or enter your own with `manage.py crisis add`.",
            id="crisis.none",
        )
    for line in old:
        when = f"since {line.verified_on}" if line.verified_on else "yet"
        yield Warning(
            f"Nobody has verified the crisis line '{line.label}' {when}.",
            hint=f"Call it, then run `manage.py crisis verify {line.pk} --by YOU`.",
            id="crisis.stale",
        )


CHECKS = [crisis_lines_hold]
