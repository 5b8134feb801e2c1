"""Is the key at hand the one that locked the records?"""

from clients.models import DataKey, keyring
from clients.rules import envelope


def check_keys() -> None:
    """Refuses (KeyRefused, one sentence) when no key is set or it can't open the index key."""
    keyring()
    row = DataKey.objects.filter(purpose=DataKey.Purpose.INDEX).first()
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
