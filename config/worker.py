"""Gunicorn's threaded worker, but a request gets a thread only once all of it has arrived.

As gunicorn has it, whoever sends a byte every few seconds keeps a thread for as long as they like,
and sixteen of them keep everybody else out. Here what has arrived is kept beside the socket, the
socket waits with all the others, and after `patience` seconds the answer is 408. A request that
ends too early isn't read at all, so that no half of a form is ever taken for the whole.
"""

import logging
import re
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from gunicorn import util
from gunicorn.workers import gthread

MOST_HEAD = 64 * 1024
# A little more than the API reads, so that it can say itself what was too long.
MOST_BODY = 1_200_000

log = logging.getLogger("config.worker")

_LENGTH = re.compile(rb"(?i)\r\ncontent-length[ \t]*:[ \t]*([0-9]{1,12})[ \t]*(?=\r\n)")
_ANY_LENGTH = re.compile(rb"(?i)\r\n(?:content-length|transfer-encoding)[ \t]*:")
_CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding[ \t]*:")
_EXPECT = re.compile(rb"(?i)\r\nexpect[ \t]*:[^\r\n]*")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# What a new connection is given to say something before it has to wait with the others.
_AT_ONCE = 0.02
# Who doesn't take an answer, or close after it, is left alone after so many seconds.
_TAKE, _LINGER = 20, 0.5


@dataclass(slots=True)
class _Arriving:
    """What has arrived of a request, and when it began to."""

    data: bytearray = field(default_factory=bytearray)
    since: float = 0.0
    head_ends: int = -1
    ends: int = -1  # where the whole request ends; -1 while that isn't known


class _Refused(Exception):
    """A request that no application needs to see."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """`gthread`, which calls `handle` in a thread for a connection that has something to read."""

    patience = 20.0  # seconds from a request's first byte to its last

    def handle(self, conn: Any) -> Any:
        """Read what is there, without waiting; go on once it is a whole request."""
        arriving = _arriving(conn)
        try:
            if conn.parser is None and not arriving.data:
                _limit(conn.sock)
                conn.wait_for_data(_AT_ONCE)
            closed = _read(conn.sock, arriving)
            whole = _is_whole(conn.sock, arriving)
            if not whole and not closed:
                if arriving.since and time.monotonic() > arriving.since + self.patience:
                    raise _Refused(408, "Request Timeout")
                return gthread._DEFER
            if not whole:
                if arriving.data:
                    raise _Refused(400, "Bad Request")
                return False
        except _Refused as refused:
            _refuse(conn.sock, refused)
            return False
        except OSError:
            return False
        conn.duet_arriving = None
        conn.sock.setblocking(True)
        conn.init()
        conn.parser.unreader.unread(bytes(arriving.data))
        return super().handle(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Hang up in a thread: waiting for the other side to do so would stop everything here."""
        if fs.cancelled() or fs.exception() is not None or fs.result():
            super().finish_request(conn, fs)
            return
        self.nr_conns -= 1
        try:
            self.tpool.submit(_hang_up, conn.sock)
        except RuntimeError:  # the threads are gone: this worker ends
            conn.close()

    def murder_pending(self) -> None:
        """Who stopped in the middle of a request is told so, before gunicorn hangs up."""
        now = time.monotonic()
        for conn in self.pending_conns:
            if conn.timeout > now:
                break
            if getattr(conn, "duet_arriving", None) and conn.duet_arriving.data:
                _refuse(conn.sock, _Refused(408, "Request Timeout"))
        super().murder_pending()


def _limit(sock: Any) -> None:
    """Bound what gunicorn does with the socket by itself: sending, and throwing a rest away."""
    length = struct.pack("ll", _TAKE, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, length)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, length)


def _hang_up(sock: Any) -> None:
    with suppress(OSError):
        sock.setblocking(True)
        util.close_graceful(sock, timeout=_LINGER)


def _arriving(conn: Any) -> _Arriving:
    """What is kept beside the connection; of an earlier request's reading the rest."""
    found: _Arriving | None = getattr(conn, "duet_arriving", None)
    if found is None:
        found = conn.duet_arriving = _Arriving()
        if conn.parser is not None:
            found.data += conn.parser.unreader.take_buffered()
    return found


def _read(sock: Any, arriving: _Arriving) -> bool:
    """Take what is there; whether the other side has hung up."""
    sock.setblocking(False)
    while len(arriving.data) < MOST_HEAD + MOST_BODY:
        try:
            got = sock.recv(65_536)
        except (BlockingIOError, InterruptedError):
            break
        if not got:
            return True
        arriving.data += got
    if arriving.data and not arriving.since:
        arriving.since = time.monotonic()
    return False


def _is_whole(sock: Any, arriving: _Arriving) -> bool:
    """Whether all of the request is there; what gunicorn will refuse goes to it at once."""
    if arriving.head_ends < 0:
        while arriving.data.startswith(b"\r\n"):  # some clients end a body with an extra line
            del arriving.data[:2]
        found = arriving.data.find(b"\r\n\r\n")
        if found < 0:
            if len(arriving.data) > MOST_HEAD:
                raise _Refused(431, "Request Header Fields Too Large")
            return False
        arriving.head_ends = found + 4
        arriving.ends = arriving.head_ends + _body_length(arriving)
        _answer_expectation(sock, arriving)
    return len(arriving.data) >= arriving.ends


def _body_length(arriving: _Arriving) -> int:
    """How long the body says it is; 0 where gunicorn's parser has to judge.

    A chunked body is refused: nobody can say when it is whole, and Django would read none of it.
    """
    head = bytes(arriving.data[: arriving.head_ends])
    lengths = _LENGTH.findall(head)
    if _CHUNKED.search(head):
        raise _Refused(400, "Bad Request") if lengths else _Refused(411, "Length Required")
    if len(lengths) != 1 or len(_ANY_LENGTH.findall(head)) != 1:
        return 0
    length = int(lengths[0])
    if length > MOST_BODY:
        raise _Refused(413, "Content Too Large")
    return length


def _answer_expectation(sock: Any, arriving: _Arriving) -> None:
    """Say "go on" to who asks before sending a body; other expectations mean nothing here."""
    head = bytes(arriving.data[: arriving.head_ends])
    asked = _EXPECT.findall(head)
    if not asked:
        return
    plain = _EXPECT.sub(b"", head)
    arriving.data[: arriving.head_ends] = plain
    gone = len(head) - len(plain)
    arriving.head_ends -= gone
    arriving.ends -= gone
    if len(arriving.data) < arriving.ends and any(b"100-continue" in one.lower() for one in asked):
        sock.send(_CONTINUE)


def _refuse(sock: Any, refused: _Refused) -> None:
    log.info("refused %s", refused.status)
    with suppress(OSError):
        sock.setblocking(True)
        sock.settimeout(1.0)
        util.write_error(sock, refused.status, refused.reason, "")
