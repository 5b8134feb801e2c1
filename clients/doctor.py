"""What may be wrong with the keys, for `manage.py doctor` of the site."""

from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004
from django.db import DatabaseError
from django.utils import timezone

from clients.queries import keys
from clients.rules.envelope import KeyRefused


def keys_are_proved() -> Iterator[CheckMessage]:
    """Somebody showed within half a year that they have a copy; a demo's key is nobody's."""
    if settings.DUET["MODE"] == "demo":
        return
    try:
        found = keys.warnings(timezone.now())
    except (KeyRefused, DatabaseError):
        return  # the site's own checks say so
    for sentence in found:
        yield Warning(sentence, hint="Who loses the key loses every record.", id="keys.proof")


CHECKS = [keys_are_proved]
