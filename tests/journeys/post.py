"""The post: the real sender speaks SMTP to a server of the tests; its letters are read here."""

import re
from dataclasses import dataclass, field
from datetime import date
from email.message import EmailMessage

from icalendar import Calendar

from practice import tasks
from tests.smtp_peer import Peer

_LINK = re.compile(r"https?://[^\s\"<>]+")


@dataclass(frozen=True)
class Entry:
    """The calendar entry of a letter."""

    method: str
    uid: str
    sequence: int
    start: date


@dataclass(frozen=True)
class Letter:
    """A letter as it arrived."""

    message: EmailMessage

    @property
    def to(self) -> str:
        return str(self.message["To"])

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def html(self) -> str:
        return self._body("html")

    @property
    def links(self) -> set[str]:
        """Every address in either part."""
        return set(_LINK.findall(self.text)) | set(_LINK.findall(self.html))

    @property
    def link(self) -> str:
        """The one address that the letter leads to."""
        (link,) = self.links
        return link

    @property
    def entry(self) -> Entry:
        parts = [p for p in self.message.walk() if p.get_content_type() == "text/calendar"]
        # Once for the reader that shows it, once as a file to save: the same to the letter.
        (text,) = {str(part.get_content()) for part in parts}
        calendar = Calendar.from_ical(text)
        (event,) = calendar.events
        return Entry(
            method=str(calendar["METHOD"]),
            uid=str(event["UID"]),
            sequence=int(str(event["SEQUENCE"])),
            start=event.start,
        )

    def all_words(self) -> str:
        """All that a person, or whoever looks over a shoulder, can read in it; without its link."""
        head = "\n".join(f"{name}: {value}" for name, value in self.message.items())
        parts = [
            part.get_content()
            for part in self.message.walk()
            if part.get_content_maintype() == "text"
        ]
        bodies = "\n".join(part.decode() if isinstance(part, bytes) else part for part in parts)
        return _LINK.sub("", head + "\n" + bodies.replace("\r\n ", ""))

    def _body(self, kind: str) -> str:
        body = self.message.get_body(preferencelist=(kind,))
        assert body is not None
        return str(body.get_content())


@dataclass
class Post:
    """What the site has sent; each delivery is one scan of the ledger."""

    peer: Peer
    read: int = field(default=0)

    def deliver(self) -> dict[str, Letter]:
        """Send what is due, and return the new letters by recipient: at most one each."""
        tasks.send_due()
        new = [Letter(message) for message in self.peer.taken[self.read :]]
        self.read += len(new)
        by_recipient = {letter.to: letter for letter in new}
        assert len(by_recipient) == len(new), [(one.to, one.subject) for one in new]
        return by_recipient
