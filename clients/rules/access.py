"""How a person comes to their own page, from values: how long, with which code, what it opens.

A link by mail proves little, since somebody else may read the mailbox. So it opens little, and a
PIN can first be set only with a code that the practice hands over in person.
"""

import hashlib
import itertools
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from clients.rules.actors import PROOF_LINK, PROOF_SECOND

# As messages and audit entries name it.
LINK_SUBJECT: Final = "sign_in_link"
LINK_LASTS: Final = timedelta(minutes=10)
# One address may have several persons, since every booking makes one: the newest get a letter.
LINKS_AT_ONCE: Final = 4
# Links of one person within an hour; what is asked for beyond them brings no letter.
LINKS_AN_HOUR: Final = 6

IDLE: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(hours=12)
# A use is written down when the one before was this long ago.
GRAIN: Final = timedelta(minutes=1)

TRIES: Final = 5
CODE_LASTS: Final = timedelta(hours=24)
CODE_DIGITS: Final = 8
PIN_LEAST: Final = 6
PIN_MOST: Final = 12
# How long a page may lie open before its passkey button is pressed.
CHALLENGE_LASTS: Final = timedelta(minutes=5)
PASSKEYS_MOST: Final = 10

_PIN = re.compile(rf"[0-9]{{{PIN_LEAST},{PIN_MOST}}}")
_CODE = re.compile(rf"[0-9]{{{CODE_DIGITS}}}")


class Opens(StrEnum):
    """What there is to be opened on somebody's own page."""

    APPOINTMENTS = "appointments"  # see and change one's own part
    CONSENTS = "consents"  # what one agreed to
    SESSIONS = "sessions"  # see them, end them
    ASKING = "asking"  # ask for a copy or an erasure, ask not to be written to
    CONTACT = "contact"  # see and change how one may be reached
    ANSWERS = "answers"  # read what one wrote
    RECORD = "record"  # the copy, what became of a request, who looked
    PASSKEYS = "passkeys"  # set and take away what proves who one is


_BY_LINK = frozenset({Opens.APPOINTMENTS, Opens.CONSENTS, Opens.SESSIONS, Opens.ASKING})
OPENED_BY: Final[Mapping[int, frozenset[Opens]]] = MappingProxyType(
    {PROOF_LINK: _BY_LINK, PROOF_SECOND: frozenset(Opens)}
)


def opens(proof: int, what: Opens) -> bool:
    """Whether somebody who has proved so much may open it."""
    return what in OPENED_BY.get(proof, frozenset())


class PinRefused(Exception):
    """Digits that can be no PIN; `code` says why: `digits` or `simple`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def check_pin(pin: str) -> None:
    """Refuses (PinRefused) all but 6 to 12 ASCII digits, and those that are guessed first."""
    if not _PIN.fullmatch(pin):
        raise PinRefused("digits")
    steps = {(int(after) - int(before)) % 10 for before, after in itertools.pairwise(pin)}
    # 000000, 123456, 987654 and what goes on beyond the nine; 121212 and 123123.
    if steps in ({0}, {1}, {9}) or re.fullmatch(r"(\d{1,3})\1+", pin):
        raise PinRefused("simple")


def is_code(text: str) -> bool:
    """Whether a text can be a code at all."""
    return bool(_CODE.fullmatch(text))


def tidied(text: str) -> str:
    """A code or PIN as it was meant: people type blanks and hyphens between groups of digits."""
    return re.sub(r"[ \u00a0-]", "", text)


def is_over(*, seen_at: datetime, ends_at: datetime, now: datetime) -> bool:
    """Whether a session has come to one of its two ends."""
    return now - seen_at >= IDLE or now >= ends_at


def token_hash(token: str) -> bytes:
    """How a link or a session is looked up: only the hash of its token is stored."""
    return hashlib.sha256(token.encode()).digest()
