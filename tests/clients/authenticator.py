"""An authenticator made of a key in memory, for what a browser would answer."""

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import sha256, websafe_decode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticationResponse,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    AuthenticatorData,
    CollectedClientData,
    RegistrationResponse,
)

_FLAG = AuthenticatorData.FLAG


@dataclass
class Authenticator:
    """One passkey, as one browser on one site uses it."""

    origin: str = "http://localhost:8000"
    rp_id: str = "localhost"
    counter: int = 0
    verified: bool = True
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    owner: bytes = b""

    def create(self, options: str) -> str:
        """The answer to a wish for a new passkey."""
        asked = json.loads(options)
        self.owner = websafe_decode(asked["user"]["id"])
        credential = AttestedCredentialData.create(
            Aaguid.NONE,
            self.credential_id,
            ES256.from_cryptography_key(self.key.public_key()),  # type: ignore[no-untyped-call]
        )
        data = AuthenticatorData.create(
            sha256(self.rp_id.encode()), self._flags() | _FLAG.AT, self.counter, bytes(credential)
        )
        response = AuthenticatorAttestationResponse(
            client_data=self._client("webauthn.create", asked),
            attestation_object=AttestationObject.create("none", data, {}),
        )
        return _json(RegistrationResponse(raw_id=self.credential_id, response=response))

    def get(self, options: str) -> str:
        """The answer to a challenge."""
        self.counter += bool(self.counter)
        client = self._client("webauthn.get", json.loads(options))
        data = AuthenticatorData.create(sha256(self.rp_id.encode()), self._flags(), self.counter)
        response = AuthenticatorAssertionResponse(
            client_data=client,
            authenticator_data=data,
            signature=self.key.sign(data + client.hash, ec.ECDSA(hashes.SHA256())),
            user_handle=self.owner,
        )
        return _json(AuthenticationResponse(raw_id=self.credential_id, response=response))

    def _flags(self) -> Any:
        return _FLAG.UP | _FLAG.UV if self.verified else _FLAG.UP

    def _client(self, kind: str, asked: dict[str, Any]) -> CollectedClientData:
        challenge = websafe_decode(asked["challenge"])
        return CollectedClientData.create(kind, challenge, self.origin)


def _json(answer: Any) -> str:
    return json.dumps(dict(answer))
