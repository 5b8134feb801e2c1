"""A mail server that takes everything and does as little as it can: `-m benchmarks.mail_sink`.

It prints its port, and answers `XTAKEN` with how many copies of which letters came since the last
time (one JSON object, Message-ID to count).
"""

import asyncio
import json
import re
import sys
from collections import Counter
from typing import cast

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([^>]*)>", re.IGNORECASE | re.MULTILINE)
_END = b"\r\n.\r\n"
_ANSWERS = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}

taken: Counter[str] = Counter()


class Sink(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._line = cast(asyncio.Transport, transport)
        self._heard = b""
        self._in_letter = False
        self._line.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        heard, answers = self._heard + data, []
        while True:
            end = heard.find(_END if self._in_letter else b"\r\n")
            if end < 0:
                break
            if self._in_letter:
                found = _MESSAGE_ID.search(heard[:end])
                taken[found[1].decode() if found else ""] += 1
                heard, self._in_letter = heard[end + len(_END) :], False
                answers.append(b"250 taken\r\n")
                continue
            verb, heard = heard[:4].upper(), heard[end + 2 :]
            if verb == b"XTAK":
                answers.append(b"250 %s\r\n" % json.dumps(taken).encode())
                taken.clear()
                continue
            answers.append(_ANSWERS.get(verb, b"250 ok\r\n"))
            self._in_letter = verb == b"DATA"
        self._heard = heard
        if answers:
            self._line.write(b"".join(answers))


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
