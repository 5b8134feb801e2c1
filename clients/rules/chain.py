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

    `key_id` names the key of the hash. Every seal has one; whoever owns the table can take it away.
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
    or put in; `unkeyed`: one that anybody can have made. `keyless`: the key of this place's seal,
    and of others perhaps, isn't there. `missing`: the seals from one place to another. `cut`: the
    same at the chain's end, and `rewritten`: another chain, both by what was noted outside.
    """

    kind: str
    entry_id: UUID | None
    position: int | None
    last: int | None = None


def content_hash(fields: Mapping[str, object]) -> bytes:
    """The hash of an entry's fields, written as canonical JSON."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).digest()


def link(*, position: int, content: bytes, previous: bytes, key: bytes) -> bytes:
    """The hash of one place in the chain."""
    return hmac.digest(key, previous + position.to_bytes(8, "big") + content, "sha256")


def verify(
    *,
    sealed: Iterable[tuple[Seal, bytes | None]],
    keys: Mapping[UUID, bytes],
    noted: Iterable[Head] = (),
) -> Iterator[Breach]:
    """Every breach in the chain, in its order; what was noted outside comes last.

    `sealed` are the seals by their places, each with its entry's content hash as it stands now,
    or None where there is no such entry. A seal without a key never holds.
    """
    heads = {head.position: head for head in noted}
    previous, position = GENESIS, 0
    gone: set[UUID] = set()
    for seal, content in sealed:
        if seal.position > position + 1:
            yield Breach("missing", None, position + 1, seal.position - 1)
        if seal.key_id is None:
            yield Breach("unkeyed", seal.entry_id, seal.position)
        elif seal.key_id not in keys and seal.key_id not in gone:
            gone.add(seal.key_id)
            yield Breach("keyless", seal.entry_id, seal.position)
        if not _follows(seal, previous, position, keys):
            yield Breach("broken", seal.entry_id, seal.position)
        if content is None:
            yield Breach("removed", seal.entry_id, seal.position)
        elif content != seal.content:
            yield Breach("changed", seal.entry_id, seal.position)
        head = heads.get(seal.position)
        if head and head.hash != seal.hash:
            yield Breach("rewritten", seal.entry_id, seal.position)
        previous, position = seal.hash, seal.position
    last = max(heads, default=0)
    if last > position:
        yield Breach("cut", None, position + 1, last)


def _follows(seal: Seal, previous: bytes, position: int, keys: Mapping[UUID, bytes]) -> bool:
    """Whether a seal is the one that comes next; without its key, by its place alone."""
    if seal.position != position + 1 or seal.previous != previous:
        return False
    key = keys.get(seal.key_id) if seal.key_id else None
    return key is None or hmac.compare_digest(
        seal.hash,
        link(position=seal.position, content=seal.content, previous=previous, key=key),
    )
