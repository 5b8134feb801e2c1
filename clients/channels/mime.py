"""A letter as the bytes of a mail: headers, two forms of the text, a calendar entry, files.

Written directly: building an `EmailMessage` for each mail costs more than sending it does.
"""

import base64
import binascii
import functools
import re
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr, parseaddr

from clients.channels.letter import Attachment, Letter, LetterRefused, check_line

# Quoted-printable never holds "=_", so that no text can end a part.
_OUTER = "=_duet_parts"
_INNER = "=_duet_forms"
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


def mail(letter: Letter, *, sender: str, now: datetime) -> bytes:
    """The whole mail with CRLF line ends. `sender` is the address that it comes from.

    Refuses (LetterRefused) an address that isn't plain ASCII.
    """
    if not letter.to.isascii() or "@" not in letter.to:
        raise LetterRefused("This isn't an address that mail can be sent to.")
    head = [
        f"From: {_sender(letter.sender_name, sender)}",
        f"To: {letter.to}",
        f"Subject: {_words(letter.subject, 'Subject')}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{letter.message_id}>",
        f"Content-Language: {letter.language}",
        # Asks holiday replies and the like to keep silent (RFC 3834).
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    ]
    forms = [_text("plain", letter.text), _text("html", letter.html)]
    forms += [_calendar(entry) for entry in letter.attachments if entry.method]
    body = _multipart("alternative", _INNER, forms)
    if letter.attachments:
        files = [_file(attachment) for attachment in letter.attachments]
        body = _multipart("mixed", _OUTER, [body, *files])
    return "\r\n".join([*head, body, ""]).encode("ascii")


def address_of(sender: str) -> str:
    """The bare address in a setting such as `Elm Street <practice@example.org>`."""
    return parseaddr(sender)[1]


@functools.lru_cache(maxsize=64)
def _sender(name: str, sender: str) -> str:
    return formataddr((check_line(name), check_line(address_of(sender))))


@functools.lru_cache(maxsize=512)
def _words(text: str, header: str) -> str:
    if text.isascii():
        return text
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")


def _multipart(kind: str, boundary: str, parts: list[str]) -> str:
    lines = [f'Content-Type: multipart/{kind}; boundary="{boundary}"', ""]
    for part in parts:
        lines += [f"--{boundary}", part]
    return "\r\n".join([*lines, f"--{boundary}--", ""])


def _text(kind: str, text: str) -> str:
    quoted = binascii.b2a_qp(_LINE_BREAK.sub("\n", text).encode(), istext=True)
    body = quoted.decode().replace("\n", "\r\n")
    return (
        f"Content-Type: text/{kind}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: quoted-printable\r\n\r\n{body}"
    )


def _calendar(entry: Attachment) -> str:
    return (
        f"Content-Type: {entry.media_type}; charset=utf-8; method={entry.method}\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{_base64(entry.content)}"
    )


def _file(attachment: Attachment) -> str:
    name = attachment.filename.replace('"', "").replace("\\", "")
    return (
        f'Content-Type: {attachment.media_type}; charset=utf-8; name="{name}"\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n'
        f"Content-Transfer-Encoding: base64\r\n\r\n{_base64(attachment.content)}"
    )


def _base64(content: bytes) -> str:
    return base64.encodebytes(content).decode().replace("\n", "\r\n")
