"""The audit chain: each seal holds the hash of its entry and of the seal before it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

GENESIS = b"\x00" * 32


@dataclass(frozen=True, slots=True)
class Seal:
    """A sealed place in the chain; `previous` is the hash of the seal before it."""

    position: int
    entry_id: UUID
    content: bytes
    previous: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that is wrong with the chain: `kind` is changed, removed, broken or unsealed."""

    kind: str
    entry_id: UUID | None
    position: int | None


def content_hash(fields: Mapping[str, object]) -> bytes:
    """The hash of an entry's fields, written as canonical JSON."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).digest()


def link(*, position: int, content: bytes, previous: bytes) -> bytes:
    """The hash of one place in the chain."""
    return hashlib.sha256(previous + position.to_bytes(8, "big") + content).digest()


def verify(
    *, seals: Iterable[Seal], contents: Mapping[UUID, bytes], unsealed: Iterable[UUID]
) -> list[Breach]:
    """Every breach in the chain: a changed or removed entry, a broken link, an unsealed entry.

    `contents` maps the entries that exist to their content hash as it stands now.
    """
    breaches: list[Breach] = []
    previous, position = GENESIS, 0
    for seal in seals:
        position += 1
        expected = link(position=seal.position, content=seal.content, previous=previous)
        if (seal.position, seal.previous, seal.hash) != (position, previous, expected):
            breaches.append(Breach("broken", seal.entry_id, seal.position))
            position = seal.position
        if seal.entry_id not in contents:
            breaches.append(Breach("removed", seal.entry_id, seal.position))
        elif contents[seal.entry_id] != seal.content:
            breaches.append(Breach("changed", seal.entry_id, seal.position))
        previous = seal.hash
    breaches.extend(Breach("unsealed", entry_id, None) for entry_id in unsealed)
    return breaches
