"""What may be wrong with the keys, for `manage.py doctor` of the site."""

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004
from django.db import DatabaseError
from django.utils import timezone

from clients.queries import audit, erased_keys, keys
from clients.rules.envelope import KeyRefused


def keys_are_proved() -> Iterator[CheckMessage]:
    """Somebody showed within half a year that they have a copy; a demo's key is nobody's."""
    try:
        found = keys.warnings(timezone.now())
    except (KeyRefused, DatabaseError):
        return  # the site's own checks say so
    for sentence in found:
        yield Warning(sentence, hint="Who loses the key loses every record.", id="keys.proof")


def erased_records_are_gone() -> Iterator[CheckMessage]:
    """A restore brings back what was erased since its backup was made."""
    try:
        found = erased_keys.warnings()
    except DatabaseError:
        return
    for sentence in found:
        yield Error(sentence, hint="See docs/keys.md, on erasing.", id="keys.erased")


def the_audit_is_not_cut_off() -> Iterator[CheckMessage]:
    """What this machine noted of the audit chain has to be in it still."""
    try:
        noted = audit.noted_head()
        whole = noted is None or audit.holds(noted)
    except DatabaseError:
        return
    if not whole:
        sentence = (
            "The audit chain doesn't hold what was noted of it: run `manage.py audit verify`."
        )
        yield Error(sentence, hint="See docs/audit.md; after a restore it is so.", id="audit.cut")


CHECKS = [keys_are_proved, erased_records_are_gone, the_audit_is_not_cut_off]
