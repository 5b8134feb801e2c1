"""A passkey made of software: what a browser's authenticator answers, and what a forger might."""

import os
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import sha256, websafe_decode, websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

_FLAGS = AuthenticatorData.FLAG


class SoftPasskey:
    """One key pair for one site; `origin` is what the browser says it is on."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.id = os.urandom(16)
        self.handle = b""
        self._key = ec.generate_private_key(ec.SECP256R1())

    def register(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to `creation_options`."""
        asked = options["publicKey"]
        self.handle = websafe_decode(asked["user"]["id"])
        public = ES256.from_cryptography_key(self._key.public_key())  # type: ignore[no-untyped-call]
        data = AuthenticatorData.create(
            sha256(asked["rp"]["id"].encode()),
            _FLAGS.UP | _FLAGS.UV | _FLAGS.AT,
            0,
            AttestedCredentialData.create(Aaguid.NONE, self.id, public),
        )
        client = self._client(CollectedClientData.TYPE.CREATE, asked["challenge"])
        return self._credential(
            {
                "clientDataJSON": websafe_encode(client),
                "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
            }
        )

    def answer(self, options: dict[str, Any], *, handle: bytes | None = None) -> dict[str, Any]:
        """The answer to `request_options`; `handle` claims to be somebody else."""
        asked = options["publicKey"]
        data = AuthenticatorData.create(sha256(asked["rpId"].encode()), _FLAGS.UP | _FLAGS.UV, 1)
        client = self._client(CollectedClientData.TYPE.GET, asked["challenge"])
        signature = self._key.sign(data + client.hash, ec.ECDSA(hashes.SHA256()))
        return self._credential(
            {
                "clientDataJSON": websafe_encode(client),
                "authenticatorData": websafe_encode(data),
                "signature": websafe_encode(signature),
                "userHandle": websafe_encode(self.handle if handle is None else handle),
            }
        )

    def _client(self, kind: str, challenge: str) -> CollectedClientData:
        return CollectedClientData.create(kind, websafe_decode(challenge), self.origin)

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        named = websafe_encode(self.id)
        return {
            "id": named,
            "rawId": named,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {"credProps": {"rk": True}},
        }
