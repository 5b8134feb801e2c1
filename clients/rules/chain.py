"""The audit chain: each seal holds the hash of its entry and of the seal before it, under a key.

Without the key nobody can go on with the chain or make another one, the database's owner included.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

GENESIS = b"\x00" * 32


@dataclass(frozen=True, slots=True)
class Seal:
    """A sealed place in the chain; `previous` is the hash of the seal before it.

    `key_id` names the key of the hash; the first chains had none.
    """

    position: int
    entry_id: UUID
    content: bytes
    previous: bytes
    hash: bytes
    key_id: UUID | None


@dataclass(frozen=True, slots=True)
class Head:
    """A place as somebody noted it outside the database."""

    position: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that is wrong with the chain.

    `changed`, `removed`, `doubled`, `unsealed`: an entry. `broken`: a place whose seal was changed
    or put in. `missing`: the seals from one place to another. `cut`: the same at the chain's end,
    and `rewritten`: another chain, both by what was noted outside.
    """

    kind: str
    entry_id: UUID | None
    position: int | None
    last: int | None = None


def content_hash(fields: Mapping[str, object]) -> bytes:
    """The hash of an entry's fields, written as canonical JSON."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).digest()


def link(*, position: int, content: bytes, previous: bytes, key: bytes | None) -> bytes:
    """The hash of one place in the chain."""
    told = previous + position.to_bytes(8, "big") + content
    return hmac.digest(key, told, "sha256") if key else hashlib.sha256(told).digest()


def verify(
    *,
    sealed: Iterable[tuple[Seal, bytes | None]],
    keys: Mapping[UUID, bytes],
    noted: Iterable[Head] = (),
) -> Iterator[Breach]:
    """Every breach in the chain, in its order; what was noted outside comes last.

    `sealed` are the seals by their places, each with its entry's content hash as it stands now,
    or None where there is no such entry.
    """
    heads = {head.position: head for head in noted}
    previous, position, keyed = GENESIS, 0, False
    for seal, content in sealed:
        if seal.position > position + 1:
            yield Breach("missing", None, position + 1, seal.position - 1)
        if not _holds(seal, previous, position, keys, keyed=keyed):
            yield Breach("broken", seal.entry_id, seal.position)
        if content is None:
            yield Breach("removed", seal.entry_id, seal.position)
        elif content != seal.content:
            yield Breach("changed", seal.entry_id, seal.position)
        head = heads.get(seal.position)
        if head and head.hash != seal.hash:
            yield Breach("rewritten", seal.entry_id, seal.position)
        previous, position = seal.hash, seal.position
        keyed = keyed or seal.key_id is not None
    last = max(heads, default=0)
    if last > position:
        yield Breach("cut", None, position + 1, last)


def _holds(
    seal: Seal, previous: bytes, position: int, keys: Mapping[UUID, bytes], *, keyed: bool
) -> bool:
    """Whether a seal is the one that follows; after one with a key there is none without."""
    key = keys.get(seal.key_id) if seal.key_id else None
    if key is None and (seal.key_id or keyed):
        return False
    expected = link(position=seal.position, content=seal.content, previous=previous, key=key)
    return seal.position == position + 1 and (seal.previous, seal.hash) == (previous, expected)
