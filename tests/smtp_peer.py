"""A mail server of the tests: a real SMTP conversation on loopback, that behaves as it is told.

What it took is in `taken`, whether or not it said so. It runs on threads of its own; `running`
starts and stops it.
"""

import email
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from enum import StrEnum


class Behave(StrEnum):
    """What the server does, with every letter or with those to one recipient."""

    ACCEPT = "accept"
    # Answers 451 or 550 to the recipient, 554 to the letter.
    TEMPORARY = "temporary"
    UNKNOWN = "unknown"
    SPAM = "spam"
    # Answers 550 to our own address.
    STRANGER = "stranger"
    # Closes the line at the recipient: nothing was handed over.
    DROP = "drop"
    # Takes the letter and closes the line before its 250.
    DROP_AFTER_DATA = "drop_after_data"
    # Says nothing from the recipient on, or from the letter on.
    HANG = "hang"
    HANG_AFTER_DATA = "hang_after_data"


@dataclass
class Peer:
    """A running server. Change `behave` and `by_recipient` at any time."""

    behave: Behave = Behave.ACCEPT
    by_recipient: dict[str, Behave] = field(default_factory=dict)
    # Whether it offers to hear several commands at once (RFC 2920), and whether it then answers 354
    # to DATA even where it refused the recipient.
    pipelining: bool = True
    careless: bool = False
    # How many letters one connection may bring; then the server closes it.
    letters_per_connection: int = 10_000
    # Called with each letter when it is taken, before the answer.
    on_letter: Callable[[EmailMessage], None] = lambda letter: None
    taken: list[EmailMessage] = field(default_factory=list)
    # What came, where it answered 354, for nobody that it knows.
    to_nobody: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._lines: list[socket.socket] = []
        self.start()

    def start(self) -> None:
        """Listen; again on the same port after `stop`."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, args=(self._listener,), daemon=True).start()

    def ids(self) -> list[str]:
        """The Message-IDs of what was taken, in order."""
        return [str(letter["Message-ID"]) for letter in self.taken]

    def to(self) -> list[str]:
        """The recipients of what was taken, in order."""
        return [str(letter["To"]) for letter in self.taken]

    def stop(self) -> None:
        """Refuse connections from now on, and break those that stand."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        for line in self._lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._lines.append(line)
            threading.Thread(target=self._converse, args=(line,), daemon=True).start()

    def _converse(self, line: socket.socket) -> None:
        with suppress(OSError), line, line.makefile("rb") as heard:
            line.sendall(b"220 peer.example.org ESMTP\r\n")
            letters, behave, to_whom = 0, self.behave, b""
            while words := heard.readline():
                verb = words[:4].upper()
                if verb == b"EHLO":
                    offers = b"250-PIPELINING\r\n" if self.pipelining else b""
                    answer = b"250-peer.example.org\r\n" + offers + b"250 8BITMIME"
                elif verb == b"MAIL":
                    to_whom = b""
                    answer = b"550 5.7.1 who?" if self.behave is Behave.STRANGER else b"250 ok"
                elif verb == b"RCPT":
                    to_whom = words.split(b":", 1)[1].strip().strip(b"<>")
                    behave = self.by_recipient.get(to_whom.decode(), self.behave)
                    if letters >= self.letters_per_connection or behave is Behave.DROP:
                        return
                    if behave is Behave.HANG:
                        heard.read()
                    answer = _ANSWERS.get(behave, b"250 ok")
                    to_whom = to_whom if answer.startswith(b"250") else b""
                elif verb == b"DATA" and not (to_whom or self.careless):
                    answer = b"503 5.5.1 to nobody?"
                elif verb == b"DATA":
                    line.sendall(b"354 go on\r\n")
                    letter = _until_dot(heard)
                    if letter is None:
                        return
                    if not to_whom:
                        self.to_nobody.append(letter)
                        line.sendall(b"554 5.5.1 to nobody\r\n")
                        continue
                    self._take(letter)
                    letters += 1
                    if behave is Behave.DROP_AFTER_DATA:
                        return
                    if behave is Behave.HANG_AFTER_DATA:
                        heard.read()
                    answer = b"554 5.7.1 no" if behave is Behave.SPAM else b"250 taken"
                elif verb == b"QUIT":
                    line.sendall(b"221 bye\r\n")
                    return
                else:
                    answer = b"250 ok"
                line.sendall(answer + b"\r\n")

    def _take(self, wire: bytes) -> None:
        letter = email.message_from_bytes(wire, policy=default)
        assert isinstance(letter, EmailMessage)
        self.on_letter(letter)
        self.taken.append(letter)


_ANSWERS = {
    Behave.TEMPORARY: b"451 4.3.0 try again later",
    Behave.UNKNOWN: b"550 5.1.1 user unknown",
    Behave.STRANGER: b"503 5.5.1 from whom?",
}


def _until_dot(heard: Iterator[bytes]) -> bytes | None:
    """A letter; None if the line broke within it."""
    lines: list[bytes] = []
    for row in heard:
        if row == b".\r\n":
            return b"".join(lines)
        lines.append(row[1:] if row.startswith(b".") else row)
    return None


@contextmanager
def running() -> Iterator[Peer]:
    """A server for the length of a test."""
    peer = Peer()
    try:
        yield peer
    finally:
        peer.stop()
