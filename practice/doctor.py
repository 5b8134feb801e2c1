"""What may be wrong with what the practice keeps for its clients, for `manage.py doctor`."""

from collections.abc import Iterator

from django.core.checks import CheckMessage, Warning  # noqa: A004
from django.db import DatabaseError
from django.utils import timezone

from intake.models import Instrument
from intake.queries import crisis
from practice.models import FormRule, Practice

_TAKE_IN = "Run `manage.py instrument import --shipped`"


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


def forms_come() -> Iterator[CheckMessage]:
    """Without a rule whoever books is asked nothing; a rule gives what is published, or nothing."""
    try:
        if not Practice.objects.exists():
            return
        slugs = FormRule.objects.filter(active=True).order_by("slug").values_list("slug", flat=True)
        named = list(slugs.distinct())
        published = set(Instrument.objects.published().values_list("slug", flat=True))
    except DatabaseError:
        return  # the site's own checks say so
    if not named:
        yield Warning(
            "No form comes before a first session: no rule says which.",
            hint=f"{_TAKE_IN}, then say at /desk/settings/forms/ which form comes when.",
            id="forms.none",
        )
    for slug in named:
        if slug not in published:
            yield Warning(
                f"Nobody is given the form '{slug}' that a rule names: no version is published.",
                hint=f"{_TAKE_IN}, or `manage.py instrument import FILE --publish`"
                " for one of your own; or switch the rule off at /desk/settings/forms/.",
                id="forms.unpublished",
            )


CHECKS = [crisis_lines_hold, forms_come]
