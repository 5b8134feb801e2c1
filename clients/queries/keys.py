"""The key-encryption keys: are they the right ones, what do they lock, who has a copy of them?"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Max
from django.db.models.fields.json import KT

from clients.models import AuditEntry, DataKey, keyring
from clients.rules import envelope
from clients.rules.envelope import KeyRefused, Keyring

# A column for statements that read the blind index's key along with something else.
INDEX_KEY = """(SELECT row_to_json(k) FROM duet_clients_datakey k WHERE k.purpose = 'index')"""

PROVED: Final = "key.proved"
ROTATION_BEGAN: Final = "keys.rotation_began"
ROTATION_ENDED: Final = "keys.rotation_ended"
# After so long nobody knows any more where the copy lies.
PROOF_HOLDS: Final = timedelta(days=180)
# One damaged row says nothing about a key; that none of so many opens, does.
_TRIED: Final = 10


def check_keys() -> None:
    """Refuses (KeyRefused, one sentence) a ring that lacks a key which locks records, or is wrong.

    Data keys are tried for each key-encryption key in use, so that a ring which opens only the
    older half of the records is refused too.
    """
    ring = keyring()
    for kek_id in sorted(locked()):
        _check_opens(ring, kek_id)


def _check_opens(ring: Keyring, kek_id: str) -> None:
    refusal: KeyRefused | None = None
    for row in DataKey.objects.filter(wrapped__isnull=False, kek_id=kek_id).order_by("pk")[:_TRIED]:
        try:
            row.open_with(ring)
        except KeyRefused as refused:
            refusal = refused
        else:
            return
    if refusal is not None:
        raise refusal


def locked() -> dict[str, int]:
    """How many data keys each key-encryption key locks, of those that lock any."""
    found = DataKey.objects.filter(wrapped__isnull=False).order_by().values_list("kek_id")
    return dict(found.annotate(Count("pk")))


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """A key-encryption key that is in the ring, or locks something, or both."""

    id: str
    locks: int
    held: bool  # it stands in DUET_NOTES_KEY
    first: bool  # it locks what is new
    proved_at: datetime | None  # when somebody last showed that they have a copy of it

    @property
    def removable(self) -> bool:
        return self.held and not self.first and not self.locks


def in_use() -> list[KeyInUse]:
    """The keys of the ring in its order, then those that it lacks."""
    ring, locks, proofs = keyring(), locked(), _proofs()
    ids = [*ring.keys, *sorted(set(locks) - set(ring.keys))]
    return [
        KeyInUse(one, locks.get(one, 0), one in ring.keys, one == ring.first_id, proofs.get(one))
        for one in ids
    ]


def _proofs() -> dict[str, datetime]:
    proofs = AuditEntry.objects.filter(verb=PROVED).order_by().values_list(KT("detail__key"))
    return dict(proofs.annotate(Max("at")))


def unproven(now: datetime) -> list[KeyInUse]:
    """Keys that lock records, or will, of which nobody has shown a copy for half a year."""
    return [
        one
        for one in in_use()
        if (one.first or one.locks) and (one.proved_at is None or one.proved_at < now - PROOF_HOLDS)
    ]


def warnings(now: datetime) -> list[str]:
    """What isn't wrong yet, in a sentence each: a lost key is a lost record. A demo is spared."""
    if settings.DUET["MODE"] == "demo":
        return []
    return [
        f"The key '{one.id}' has never been proved: run `manage.py keys prove` with your copy."
        if one.proved_at is None
        else f"The key '{one.id}' was last proved {(now - one.proved_at).days} days ago:"
        " run `manage.py keys prove` with your copy."
        for one in unproven(now)
    ]


@dataclass(frozen=True, slots=True)
class Opened:
    """How many of the data keys that a key locks it opens, and which ones it doesn't."""

    count: int
    damaged: tuple[UUID, ...]


def opened_by(ring: Keyring, kek_id: str) -> Opened:
    """Try a key of this ring, which needn't be the site's own, on all that it should open."""
    count, damaged = 0, []
    for row in _rows(kek_id):
        try:
            row.open_with(ring)
            count += 1
        except KeyRefused:
            damaged.append(row.pk)
    return Opened(count, tuple(damaged))


def _rows(kek_id: str) -> Iterable[DataKey]:
    return DataKey.objects.filter(wrapped__isnull=False, kek_id=kek_id).iterator()


def interrupted_rotation(to: str) -> UUID | None:
    """The rotation to this key that was begun and never came to its end."""
    entries = AuditEntry.objects.filter(subject_kind="rotation")
    ended = entries.filter(verb=ROTATION_ENDED).values("subject_id")
    begun = entries.filter(verb=ROTATION_BEGAN, detail__to=to).exclude(subject_id__in=ended)
    return begun.order_by("-at").values_list("subject_id", flat=True).first()


def index_key() -> bytes:
    """The blind index's own key. Refuses (LookupError) before the first person is known."""
    row = DataKey.objects.filter(purpose=DataKey.Purpose.INDEX).first()
    if row is None:
        raise LookupError("No person is known yet.")
    return row.plain()


def digest(kind: str, normalised: str) -> bytes:
    """The blind-index digest of a normalised value."""
    return envelope.blind(key=index_key(), kind=kind, normalised=normalised)
