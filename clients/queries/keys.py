"""Is the key at hand the one that locked the records?"""

from clients.models import DataKey, keyring
from clients.rules import envelope

# A column for statements that read the blind index's key along with something else.
INDEX_KEY = """(SELECT row_to_json(k) FROM duet_clients_datakey k WHERE k.purpose = 'index')"""


def check_keys() -> None:
    """Refuses (KeyRefused, one sentence) a ring that lacks a key which locks records, or is wrong.

    One data key is opened for each key-encryption key in use, so that a ring which opens only the
    older half of the records is refused too.
    """
    keyring()
    locked = DataKey.objects.filter(wrapped__isnull=False)
    for kek_id in sorted(set(locked.order_by().values_list("kek_id", flat=True).distinct())):
        row = locked.filter(kek_id=kek_id).first()
        if row is not None:
            row.plain()


def index_key() -> bytes:
    """The blind index's own key. Refuses (LookupError) before the first person is known."""
    row = DataKey.objects.filter(purpose=DataKey.Purpose.INDEX).first()
    if row is None:
        raise LookupError("No person is known yet.")
    return row.plain()


def digest(kind: str, normalised: str) -> bytes:
    """The blind-index digest of a normalised value."""
    return envelope.blind(key=index_key(), kind=kind, normalised=normalised)
