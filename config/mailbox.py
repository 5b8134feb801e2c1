"""The demo's mail server and its mailbox: mail that is sent stays on this machine.

`up` starts the sink as a process of its own, so that demo mail is a real SMTP conversation;
`/dev/mailbox/` shows what arrived. Outside demo mode neither exists.
"""

import argparse
import asyncio
import mailbox
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

LARGEST = 10_000_000  # bytes
BODIES = {"text/plain", "text/html"}
NAME = re.compile(r"(\d+)\.M(\d+)P\d+Q(\d+)")


@dataclass(frozen=True)
class Letter:
    """One message of the mailbox."""

    key: str
    arrived_at: datetime
    recipients: str  # of the SMTP conversation, which says more than the header
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message.get("Subject", ""))

    @property
    def sender(self) -> str:
        return str(self.message.get("From", ""))

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def attachments(self) -> list[EmailMessage]:
        """Return the parts that are neither the text nor its HTML twin, calendar files included."""
        return [
            part
            for part in self.message.walk()
            if not part.is_multipart() and part.get_content_type() not in BODIES
        ]

    @property
    def attachment_names(self) -> list[str]:
        """Return a name for each attachment. (In a template a part's methods read as headers.)"""
        return [part.get_filename() or part.get_content_type() for part in self.attachments]

    def _part(self, kind: str) -> str:
        body = self.message.get_body(preferencelist=(kind,))
        return str(body.get_content()) if body else ""


def letters(folder: Path) -> Iterator[Letter]:
    """Yield the letters, newest first."""
    for key in sorted(_box(folder).keys(), key=_age, reverse=True):
        if letter := find(folder, key):
            yield letter


def find(folder: Path, key: str) -> Letter | None:
    """Return one letter, or None where there is none of that key."""
    box = _box(folder)
    if key not in box:  # the box knows its own names only, so no key leads out of it
        return None
    message = message_from_bytes(box.get_bytes(key), policy=policy.default)
    recipients = str(message.get("X-RcptTo", ""))
    return Letter(key, datetime.fromtimestamp(_age(key)[0], UTC), recipients, message)


def empty(folder: Path) -> None:
    """Throw all letters away."""
    _box(folder).clear()


def _age(key: str) -> tuple[int, ...]:
    """Read a Maildir name, `seconds.M<microseconds>P<process>Q<count>.host`, as numbers."""
    found = NAME.match(key)
    return tuple(int(part) for part in found.groups()) if found else (0, 0, 0)


def _box(folder: Path) -> mailbox.Maildir:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return mailbox.Maildir(folder, create=True)  # mailbox makes it 0700


class _Keep:
    """Keeps each message with its SMTP recipients in a header."""

    def __init__(self, folder: Path) -> None:
        self._box = _box(folder)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content or b""
        content = content if isinstance(content, bytes) else content.encode()
        recipients = ", ".join(envelope.rcpt_tos).encode("utf-8", "replace")
        self._box.add(b"X-RcptTo: " + recipients + b"\r\n" + content)
        return "250 Kept on this machine"


async def _serve(port: int, folder: Path) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    keep = _Keep(folder)

    def conversation() -> SMTP:
        settings: dict[str, Any] = {"data_size_limit": LARGEST, "enable_SMTPUTF8": True}
        return SMTP(keep, hostname="localhost", loop=loop, **settings)

    server = await loop.create_server(conversation, "127.0.0.1", port)
    await ended.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.mailbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    try:
        asyncio.run(_serve(options.port, options.folder))
    except OSError as error:
        sys.exit(f"The mail sink could not listen on port {options.port}: {error.strerror}.")


if __name__ == "__main__":
    main()
