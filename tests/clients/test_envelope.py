"""Sealing, wrapping and fingerprints, from values alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.rules import envelope
from clients.rules.envelope import KeyRefused, Keyring, Unreadable

KEY, OTHER = envelope.new_key(), envelope.new_key()


def _seal(plain: bytes = b"Ana", context: str = "person.name:1") -> bytes:
    return envelope.seal(key=KEY, key_id="k", plain=plain, context=context)


def _open(sealed: bytes, context: str = "person.name:1", key_id: str = "k") -> bytes:
    return envelope.unseal(key=KEY, key_id=key_id, sealed=sealed, context=context)


@given(st.binary(max_size=2_000), st.text(max_size=80))
def test_what_is_sealed_opens_again_and_does_not_show(plain: bytes, context: str) -> None:
    sealed = _seal(plain, context)
    assert _open(sealed, context) == plain
    assert len(plain) < 4 or plain not in sealed
    assert sealed != _seal(plain, context), "a fresh nonce each time"


def test_every_single_bit_counts() -> None:
    sealed = _seal()
    for place in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(Unreadable):
            _open(bytes(changed))


@given(st.binary(max_size=60))
def test_bytes_that_nobody_sealed_are_refused(sealed: bytes) -> None:
    with pytest.raises(Unreadable):
        _open(sealed)


def test_another_key_another_name_or_another_place_is_refused() -> None:
    sealed = _seal()
    with pytest.raises(Unreadable):
        envelope.unseal(key=OTHER, key_id="k", sealed=sealed, context="person.name:1")
    with pytest.raises(Unreadable):
        _open(sealed, key_id="other")
    with pytest.raises(Unreadable):
        _open(sealed, context="person.name:2")
    with pytest.raises(Unreadable):
        _open(sealed, context="person.email:1")


def test_the_first_key_of_a_ring_wraps_and_all_unwrap() -> None:
    old = Keyring({"old": KEY})
    key_id, wrapped = old.wrap(plain=b"x" * 32, context="datakey:1")
    ring = Keyring({"new": OTHER, "old": KEY})
    assert ring.unwrap(key_id=key_id, wrapped=wrapped, context="datakey:1") == b"x" * 32
    assert ring.wrap(plain=b"y" * 32, context="datakey:2")[0] == "new"
    with pytest.raises(KeyRefused, match="'old'"):
        Keyring({"new": OTHER}).unwrap(key_id=key_id, wrapped=wrapped, context="datakey:1")


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_fingerprint_is_of_kind_and_value_together(one: str, other: str) -> None:
    """No value of one kind can pass for another value of another kind."""
    left = envelope.blind(key=KEY, kind="name", normalised=one)
    assert left == envelope.blind(key=KEY, kind="name", normalised=one)
    assert (left == envelope.blind(key=KEY, kind="name", normalised=other)) == (one == other)
    assert left != envelope.blind(key=KEY, kind="email", normalised=other)
