"""Runs the real web server on the test's own database, and speaks to it over bare sockets."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection

from config import supervisor
from config.children import wait_until
from config.worker import Worker
from tests.config.running import ROOT, fresh_folder


class QuickWorker(Worker):
    """Loses its patience after two seconds."""

    patience = 2.0


@dataclass
class Server:
    """One gunicorn with its workers."""

    port: int
    log: Path
    process: "subprocess.Popen[bytes]"

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """A plain request of a well-behaved client."""
        client = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            client.request("GET", path, headers=headers)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()

    def open(self, *sent: bytes) -> socket.socket:
        """A connection over which these bytes were sent."""
        opened = socket.create_connection(("127.0.0.1", self.port), timeout=15)
        for part in sent:
            opened.sendall(part)
        return opened

    def say(self, *sent: bytes) -> list[int]:
        """Send these bytes; the status of each answer, until the server hangs up."""
        with self.open(*sent) as opened:
            return statuses(heard(opened))


def heard(opened: socket.socket) -> bytes:
    """All that the server says until it hangs up, or says nothing for a while."""
    got = b""
    opened.settimeout(30)
    try:
        while part := opened.recv(65_536):
            got += part
    except (TimeoutError, ConnectionResetError):
        pass
    return got


def statuses(got: bytes) -> list[int]:
    """The statuses of the answers in what was heard."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


@contextmanager
def serving(*options: str, **names: str) -> Iterator[Server]:
    """gunicorn as `up` starts it, with more options, and more names in its environment."""
    folder, port = fresh_folder(), supervisor.free_port()
    log = folder / "web.log"
    database = urlsplit(os.environ["DATABASE_URL"])
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": database._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
        "DUET_BASE_URL": f"http://127.0.0.1:{port}",
        "TMPDIR": str(folder),
        **names,
    }
    command = [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--bind", f"127.0.0.1:{port}", *options],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        assert wait_until(lambda: supervisor.is_taken(port), seconds=60), log.read_text()
        yield Server(port, log, process)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
