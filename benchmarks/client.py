"""One keep-alive connection to a site on this machine, with as little of its own as possible.

`http.client` takes longer than a bare view: a ratio to one would measure the client.
"""

import json
import socket
from dataclasses import dataclass
from typing import Any, Final

_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def get(path: str, port: int, **headers: str) -> bytes:
    """A GET request, ready to be sent again and again."""
    return _request("GET", path, port, b"", headers)


def post(
    path: str, port: int, body: bytes, *, kind: str = "application/json", **headers: str
) -> bytes:
    """A POST request with a body."""
    return _request("POST", path, port, body, {"Content_Type": kind, **headers})


def _request(method: str, path: str, port: int, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: */*"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + _END + body


class Client:
    """A connection; it is opened anew where the server closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._left = b""

    def send(self, request: bytes) -> Answer:
        """Send a request and read its answer. Refuses (ConnectionError) none on two attempts."""
        for attempt in (1, 2):
            try:
                return self._exchange(request)
            except ConnectionError:
                self.close()
                if attempt == 2:
                    raise
        raise AssertionError

    def close(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket, self._left = None, b""

    def _exchange(self, request: bytes) -> Answer:
        self._connected().sendall(request)
        while _END not in self._left:
            self._left += self._received()
        head, _, self._left = self._left.partition(_END)
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split(" ", 2)[1])
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = b"" if status in (204, 304) else self._body(headers)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self._take(int(headers.get("content-length", 0)))

    def _chunk(self) -> bytes:
        while b"\r\n" not in self._left:
            self._left += self._received()
        size, _, self._left = self._left.partition(b"\r\n")
        chunk = self._take(int(size, 16))
        self._take(2)
        return chunk

    def _take(self, size: int) -> bytes:
        while len(self._left) < size:
            self._left += self._received()
        taken, self._left = self._left[:size], self._left[size:]
        return taken

    def _received(self) -> bytes:
        received = self._connected().recv(65_536)
        if not received:
            raise ConnectionError("The server closed the connection.")
        return received
