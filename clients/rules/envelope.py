"""Envelope encryption: a key-encryption key wraps data keys, a data key seals values.

AES-256-GCM from `cryptography`; a fresh 96-bit nonce per value. Every ciphertext starts with a
format byte and the id of the key that made it, so that rotation can tell old from new.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = b"\x01"
KEY_BYTES = 32
NONCE_BYTES = 12
KEY_ID_BYTES = 8


class KeyRefused(Exception):
    """The key material can't be used; the text is one sentence that says how to mend it."""


class Unreadable(Exception):
    """A sealed value was changed, moved to another row, or belongs to another key."""


class Erased(Unreadable):
    """The key was destroyed on purpose: what it sealed can't be read by anybody any more."""


def key_id_bytes(key_id: str) -> bytes:
    """A key's name in eight bytes, as it stands at the head of what it sealed."""
    return hashlib.sha256(key_id.encode()).digest()[:KEY_ID_BYTES]


def new_key() -> bytes:
    """A fresh data key, drawn at random."""
    return AESGCM.generate_key(bit_length=KEY_BYTES * 8)


def seal(*, key: bytes, key_id: str, plain: bytes, context: str) -> bytes:
    """Encrypt `plain`; `context` (table, column, row) is bound to it and must never change."""
    nonce = os.urandom(NONCE_BYTES)
    head = FORMAT + key_id_bytes(key_id)
    return head + nonce + AESGCM(key).encrypt(nonce, plain, head + context.encode())


def unseal(*, key: bytes, key_id: str, sealed: bytes, context: str) -> bytes:
    """Decrypt what `seal` made. Refuses (Unreadable) another key, another context, any change."""
    head = FORMAT + key_id_bytes(key_id)
    if not sealed.startswith(head):
        raise Unreadable("The value was sealed with another key.")
    body = sealed[len(head) :]
    try:
        return AESGCM(key).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], head + context.encode())
    except (InvalidTag, ValueError) as broken:
        raise Unreadable("The value was changed or belongs to another row.") from broken


def blind(*, key: bytes, kind: str, normalised: str) -> bytes:
    """A keyed fingerprint (HMAC-SHA256) to find a value by equality without storing it."""
    return hmac.digest(key, f"{kind}\x00{normalised}".encode(), hashlib.sha256)


@dataclass(frozen=True)
class Keyring:
    """The key-encryption keys in order: the first one encrypts, all of them decrypt."""

    keys: Mapping[str, bytes]

    @property
    def first_id(self) -> str:
        return next(iter(self.keys))

    def wrap(self, *, plain: bytes, context: str) -> tuple[str, bytes]:
        """Wrap a data key with the first key; returns that key's id and the wrapped bytes."""
        key_id = self.first_id
        key = self.keys[key_id]
        return key_id, seal(key=key, key_id=key_id, plain=plain, context=context)

    def unwrap(self, *, key_id: str, wrapped: bytes, context: str) -> bytes:
        """Unwrap a data key. Refuses (KeyRefused) when its key is absent or not the right one."""
        try:
            key = self.keys[key_id]
        except KeyError:
            raise KeyRefused(
                f"The records are locked with the key '{key_id}', which DUET_NOTES_KEY doesn't "
                "hold: put it back."
            ) from None
        try:
            return unseal(key=key, key_id=key_id, sealed=wrapped, context=context)
        except Unreadable:
            raise KeyRefused(
                f"The key '{key_id}' in DUET_NOTES_KEY isn't the one that locked the records: "
                "put the right one back."
            ) from None


def parse_keyring(text: str) -> Keyring:
    """Read `id:base64` pairs, split by commas or line breaks.

    Refuses (KeyRefused) an empty text, a doubled id or key, and a key that isn't 32 bytes long.
    """
    keys: dict[str, bytes] = {}
    for pair in text.replace("\n", ",").split(","):
        if not pair.strip():
            continue
        key_id, colon, encoded = pair.strip().partition(":")
        if not colon or not key_id.isascii() or not key_id.replace("-", "").isalnum():
            raise KeyRefused("DUET_NOTES_KEY must read 'id:key', pairs split by commas.")
        if key_id in keys:
            raise KeyRefused(f"DUET_NOTES_KEY names the key '{key_id}' twice.")
        key = _decode(key_id, encoded)
        if key in keys.values():
            raise KeyRefused(f"DUET_NOTES_KEY holds the key '{key_id}' under another name too.")
        keys[key_id] = key
    if not keys:
        raise KeyRefused(
            "DUET_NOTES_KEY isn't set: without it no record can be read; set it, or "
            "DUET_NOTES_KEY_FILE."
        )
    return Keyring(keys)


def _decode(key_id: str, encoded: str) -> bytes:
    standard = encoded.strip().replace("-", "+").replace("_", "/")
    try:
        key = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyRefused(f"The key '{key_id}' in DUET_NOTES_KEY isn't 32 bytes in base64.")
    return key
