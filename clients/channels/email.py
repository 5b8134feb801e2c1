"""E-mail over SMTP, through the host site's Django settings, on one connection for many letters."""

import re
import smtplib
from contextlib import suppress
from datetime import datetime

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend

from clients.channels import mime
from clients.channels.letter import Answer, Letter, Unreachable
from clients.models import Person
from clients.rules.ledger import Heard

# A host site that sets no time-out would let one silent server hold a worker for ever.
_TIMEOUT_SECONDS = 10
_GOODBYE = 421
_ADDRESS_UNKNOWN = {550, 551, 553}
# The answers to each command before the letter that let it go on.
_TAKEN = {"sender": {250}, "recipient": {250, 251, 252}, "data": {354}}
_ENHANCED = re.compile(rb"[245]\.(\d{1,3})\.\d{1,3}\b")


class _Refused(Exception):
    """The server answered a command with a refusal."""

    def __init__(self, code: int, text: bytes) -> None:
        super().__init__(code)
        self.code = code
        self.text = text


class EmailChannel:
    """Speaks SMTP. Knows at each moment whether a letter may already have been taken."""

    at_once = 1

    def __init__(self) -> None:
        self._backend = _backend()
        self._sender = settings.DEFAULT_FROM_EMAIL
        self._own_address = mime.address_of(self._sender)
        self._letters = 0
        self._stage = ""
        self._handed_over = False

    def address(self, person: Person) -> str | None:
        email: str | None = person.email
        return email

    def write(self, letter: Letter, now: datetime) -> bytes:
        """The bytes of the mail. Refuses (LetterRefused) what would break its headers."""
        return mime.mail(letter, sender=self._sender, now=now)

    def open(self) -> None:
        """Connect and sign in, unless that is done. Refuses (Unreachable)."""
        if self._backend.connection is not None:
            return
        if not settings.EMAIL_HOST:
            raise Unreachable("no_mail_server")
        try:
            self._backend.open()
            self._server.ehlo_or_helo_if_needed()
        except smtplib.SMTPAuthenticationError as error:
            self._drop()
            raise Unreachable("sign_in_refused") from error
        except (OSError, ValueError) as error:
            # OSError is what smtplib's own errors are, refused connections and time-outs too.
            self._drop()
            raise Unreachable("unreachable", hung=_timed_out(error)) from error
        self._letters = 0

    def send(self, to: str, wire: bytes) -> Answer:
        """Hand one mail over. On a used connection that the server has closed, on a new one."""
        used = self._letters > 0
        answer = self._try(to, wire)
        if answer.heard is Heard.UNREACHABLE and used and not answer.hung:
            # Servers end a connection after so many letters, or so long a pause. Nothing was
            # handed over, so that this can't make a second copy.
            try:
                self.open()
            except Unreachable as error:
                return Answer(Heard.UNREACHABLE, error.code, hung=error.hung)
            answer = self._try(to, wire)
        return answer

    def close(self) -> None:
        """Say goodbye where that can be done."""
        try:
            self._backend.close()
        except OSError:
            self._drop()

    @property
    def _server(self) -> smtplib.SMTP:
        connection = self._backend.connection
        if connection is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        return connection

    def _try(self, to: str, wire: bytes) -> Answer:
        """One dialog.

        Once the first byte of the mail has left, silence proves nothing: the server may have
        taken it and died before it said so. Before that, nothing can have been taken.
        """
        self._handed_over = False
        try:
            code = self._dialog(to, wire)
        except _Refused as refusal:
            return self._refused(refusal)
        except OSError as error:
            self._drop()
            hung = _timed_out(error)
            if self._handed_over:
                return Answer(Heard.LOST, "answer_lost", hung=hung)
            return Answer(Heard.UNREACHABLE, "hung" if hung else "dropped", hung=hung)
        self._letters += 1
        return Answer(Heard.ACCEPTED, f"smtp_{code}")

    def _dialog(self, to: str, wire: bytes) -> int:
        server = self._server
        if server.has_extn("pipelining"):
            self._ask_at_once(server, to)
        else:
            self._ask(server, to)
        self._handed_over = True
        if wire.startswith(b".") or b"\n." in wire:
            wire = re.sub(rb"(?m)^\.", b"..", wire)
        server.send(wire + b".\r\n")
        return _check(server.getreply(), {250})

    def _ask(self, server: smtplib.SMTP, to: str) -> None:
        self._stage = "sender"
        _check(server.mail(self._own_address), _TAKEN["sender"])
        self._stage = "recipient"
        _check(server.rcpt(to), _TAKEN["recipient"])
        self._stage = "data"
        _check(server.docmd("DATA"), _TAKEN["data"])

    def _ask_at_once(self, server: smtplib.SMTP, to: str) -> None:
        """The three commands in one write (RFC 2920): one way to the server and back, not three.

        A server may ask for the letter although it refused the recipient: it gets an empty one,
        for nobody. If it refused the sender, and might still think of the recipient, the line is
        cut instead. Nothing was handed over either way.
        """
        sender, recipient = smtplib.quoteaddr(self._own_address), smtplib.quoteaddr(to)
        server.send(f"MAIL FROM:{sender}\r\nRCPT TO:{recipient}\r\nDATA\r\n".encode("ascii"))
        refusals = {}
        for stage, taken in _TAKEN.items():
            self._stage = stage
            code, text = server.getreply()
            if code == _GOODBYE:
                raise _Refused(code, text)
            if code not in taken:
                refusals[stage] = _Refused(code, text)
        if not refusals:
            return
        self._stage, refusal = next(iter(refusals.items()))
        if "data" not in refusals:
            if self._stage == "sender":
                self._drop()
            else:
                with suppress(OSError):
                    server.send(b".\r\n")
                    server.getreply()
        raise refusal

    def _refused(self, refusal: _Refused) -> Answer:
        code = f"smtp_{refusal.code}"
        if refusal.code == _GOODBYE:
            self._drop()
            return Answer(Heard.UNREACHABLE, code)
        self._reset()
        if refusal.code < 500:
            return Answer(Heard.TEMPORARY, code)
        if self._stage == "sender":
            # Our own address is refused: the practice's fault to mend, not this person's.
            return Answer(Heard.TEMPORARY, f"{code}_sender")
        dead = self._stage == "recipient" and _address_unknown(refusal)
        return Answer(Heard.PERMANENT, code, address_dead=dead)

    def _reset(self) -> None:
        """Make the connection fit for the next letter, or give it up."""
        try:
            _check(self._server.rset(), {250})
        except (_Refused, OSError):
            self._drop()

    def _drop(self) -> None:
        """Give the connection up without a word: QUIT would wait for a dead server's answer."""
        half_open = getattr(self._backend, "_partial_connection", None)
        for connection in (self._backend.connection, half_open):
            if connection is not None:
                connection.close()
        self._backend = _backend()


def _backend() -> EmailBackend:
    return EmailBackend(timeout=settings.EMAIL_TIMEOUT or _TIMEOUT_SECONDS)


def _check(reply: tuple[int, bytes], wanted: set[int]) -> int:
    code, text = reply
    if code not in wanted:
        raise _Refused(code, text)
    return code


def _timed_out(error: BaseException) -> bool:
    # smtplib hides a time-out behind "connection unexpectedly closed".
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)


def _address_unknown(refusal: _Refused) -> bool:
    """Whether a refused recipient means a dead address: not a full mailbox, not a policy."""
    enhanced = _ENHANCED.match(refusal.text)
    if enhanced:
        return enhanced[1] == b"1"
    return refusal.code in _ADDRESS_UNKNOWN
