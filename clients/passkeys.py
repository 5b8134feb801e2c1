"""What a client's browser is asked to do with a passkey, and whether its answer is one.

The challenge travels in a signed note, bound to what it was made for, and holds for five minutes.
Each is good once: using it ends the session that it was made in (`clients.actions.access`), or
takes up the one row that can be made of it. fido2 does the cryptography.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core import signing
from fido2.server import Fido2Server
from fido2.utils import websafe_decode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from clients.rules import access, strict_json

_SALT: Final = "clients.passkeys"
# Far more than any browser sends.
_LONGEST: Final = 16_384


class PasskeyRefused(Exception):
    """The answer is none of what was asked: forged, late, used, or from another site."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page hands to the browser, and the note that comes back with the answer."""

    options: str
    note: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A new passkey, as it is stored."""

    credential: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class Proved:
    """Which passkey answered, how often it has signed, and to which challenge."""

    credential: bytes
    sign_count: int
    challenge: bytes


def to_register(*, person_id: UUID, known: Sequence[bytes], shown_as: str, made_for: UUID) -> Asked:
    """Ask for a new passkey that the device unlocks by itself; `shown_as` is a neutral name."""
    options, state = _server(shown_as).register_begin(
        PublicKeyCredentialUserEntity(id=person_id.bytes, name=shown_as, display_name=shown_as),
        credentials=[AttestedCredentialData(one) for one in known],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=UserVerificationRequirement.REQUIRED,
        challenge=secrets.token_bytes(32),
    )
    return _asked(dict(options), state, "register", made_for)


def to_prove(*, known: Sequence[bytes] = (), made_for: UUID | None = None) -> Asked:
    """Ask for one of these passkeys; without any, for whichever the browser has for this site."""
    options, state = _server().authenticate_begin(
        credentials=[AttestedCredentialData(one) for one in known] or None,
        user_verification=UserVerificationRequirement.REQUIRED,
        challenge=secrets.token_bytes(32),
    )
    return _asked(dict(options), state, "prove", made_for)


def registered(*, answer: str, note: str, made_for: UUID) -> Registered:
    """Refuses (PasskeyRefused) all that isn't the answer to this session's own question."""
    state = _state(note, "register", made_for)
    try:
        data = _server().register_complete(state, _read(answer))
    except Exception as error:  # whatever a library makes of what somebody made up
        raise PasskeyRefused from error
    if data.credential_data is None:
        raise PasskeyRefused
    return Registered(bytes(data.credential_data), data.counter)


def proved(*, answer: str, note: str, known: Sequence[bytes], made_for: UUID | None) -> Proved:
    """Refuses (PasskeyRefused) as `registered`, and a passkey that isn't among these."""
    state = _state(note, "prove", made_for)
    try:
        said = AuthenticationResponse.from_dict(_read(answer))
        credentials = [AttestedCredentialData(one) for one in known]
        found = _server().authenticate_complete(state, credentials, said)
        counter = said.response.authenticator_data.counter
        return Proved(bytes(found), counter, websafe_decode(state["challenge"]))
    except Exception as error:
        raise PasskeyRefused from error


def owner_said(answer: str) -> UUID:
    """Whose passkey it claims to be; nothing is proved yet. Refuses (PasskeyRefused) no answer."""
    try:
        handle = AuthenticationResponse.from_dict(_read(answer)).response.user_handle
        return UUID(bytes=handle)
    except Exception as error:
        raise PasskeyRefused from error


def _read(answer: str) -> Any:
    if len(answer) > _LONGEST:
        raise PasskeyRefused
    return strict_json.loads(answer.encode())


def _asked(options: dict[str, Any], state: Any, use: str, made_for: UUID | None) -> Asked:
    note = signing.dumps([use, str(made_for or ""), dict(state)], salt=_SALT)
    return Asked(json.dumps(options["publicKey"]), note)


def _state(note: str, use: str, made_for: UUID | None) -> Any:
    try:
        found = signing.loads(note, salt=_SALT, max_age=access.CHALLENGE_LASTS)
    except signing.BadSignature as error:
        raise PasskeyRefused from error
    if found[:2] != [use, str(made_for or "")]:
        raise PasskeyRefused
    return found[2]


def _server(name: str = "") -> Fido2Server:
    """This site as the browsers know it: by its configured address, never by a request's."""
    base = urlsplit(settings.DUET["BASE_URL"])
    host = base.hostname or "localhost"
    origin = f"{base.scheme}://{base.netloc}"
    return Fido2Server(
        PublicKeyCredentialRpEntity(id=host, name=name or host),
        verify_origin=lambda told: bool(told == origin),
    )
