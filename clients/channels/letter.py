"""A letter as a channel takes it: written out, addressed, and fit to leave."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from clients.models import Message, Person
from clients.rules.ledger import Heard

# Control characters, surrogates, and the separators of lines and paragraphs.
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")


class LetterRefused(ValueError):
    """A letter that no channel may send: a control character where a header would break."""


class Unreachable(Exception):
    """The channel's server can't be spoken to at all; `code` says why."""

    def __init__(self, code: str, *, hung: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.hung = hung


def check_line(text: str) -> str:
    """`text` as one line of a header.

    Refuses (LetterRefused) every control character and line separator: some of them (VT, FF, FS,
    GS, RS) cut the header block without any error from the mail library.
    """
    found = _BREAKS.search(text)
    if found:
        raise LetterRefused(f"U+{ord(found[0]):04X} can't stand in a header.")
    return text


def cleaned(text: str) -> str:
    """`text` with a blank for each character that `check_line` refuses."""
    return _BREAKS.sub(" ", text).strip()


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with a letter.

    A calendar entry with a `method` (REQUEST, CANCEL) is also shown by the mail program itself.
    """

    filename: str
    media_type: str
    content: bytes
    method: str = ""

    def __post_init__(self) -> None:
        for line in (self.filename, self.media_type, self.method):
            check_line(line)


@dataclass(frozen=True, slots=True)
class Letter:
    """What one person gets: two forms of one text, under a name that reveals nothing.

    Refuses (LetterRefused) control characters in all that becomes a header.
    """

    to: str
    sender_name: str
    subject: str
    text: str
    html: str
    message_id: str
    language: str
    attachments: tuple[Attachment, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.to, self.sender_name, self.subject, self.message_id, self.language):
            check_line(line)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a channel heard, with a code to keep.

    `address_dead`: the address itself was refused for good. `hung`: the server let a whole
    time-out pass, so that it is better left alone for a while.
    """

    heard: Heard
    code: str = ""
    address_dead: bool = False
    hung: bool = False


class Channel(Protocol):
    """A way to reach somebody. One instance serves one scan, and is closed after it.

    `at_once` letters are said to be on their way together. That saves statements; but so many may
    come twice when a sender is killed, and a cancellation meanwhile is told that they may arrive.
    """

    at_once: int

    def address(self, person: Person) -> str | None:
        """Where this channel reaches the person; None if nowhere."""

    def write(self, letter: Letter, now: datetime) -> bytes:
        """The bytes to send. Refuses (LetterRefused) what must not leave."""

    def open(self) -> None:
        """Be ready to send; refuses (Unreachable). Called before every letter."""

    def send(self, to: str, wire: bytes) -> Answer:
        """Send what `write` wrote, and say what was heard; never raises for what a server does."""

    def close(self) -> None:
        """Let the server go; never raises."""


class Subject(Protocol):
    """What messages of one kind are about; given by the app that knows it."""

    def read(self, messages: Sequence[Message]) -> None:
        """Read what the letters of these messages need, in few statements."""

    def still_due(self, message: Message) -> str | None:
        """Look at the subject again: None while the message holds, else why not (a code).

        Called when the row says that it is on its way, and others see that it does.
        """

    def render(self, message: Message) -> Letter:
        """Write the letter from what `read` found, without asking the database again."""
