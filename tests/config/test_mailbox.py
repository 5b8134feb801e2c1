import re
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from config import mailbox, supervisor
from config.children import wait_until
from tests.config.running import ROOT, environment

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.DUET = {**settings.DUET, "DATA_DIR": tmp_path, "MAILBOX": True}
    return tmp_path / "mail"


@pytest.fixture
def port(folder: Path) -> Iterator[int]:
    """The sink, as a process of its own."""
    number = supervisor.free_port()
    sink = subprocess.Popen(
        [sys.executable, "-m", "config.mailbox", "--port", str(number), "--folder", str(folder)],
        cwd=ROOT,
        env=environment(),
    )
    assert wait_until(lambda: supervisor.is_taken(number), seconds=30)
    yield number
    sink.terminate()
    assert sink.wait(10) == 0


def letter(subject: str = "A time for you") -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "a@duet.example", "b@duet.example"
    message.set_content("See https://duet.example/a/1 for more <b>.\n")
    message.add_alternative("<p>Hello</p><script>alert(1)</script>", subtype="html")
    message.add_attachment(
        "BEGIN:VCALENDAR",
        subtype="calendar",
        filename="../invite.ics",
        params={"method": "REQUEST"},
    )
    return message


def send(port: int, message: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as server:
        server.send_message(message, to_addrs=["b@duet.example", "c@duet.example"])


def test_a_letter_sent_over_smtp_is_shown_with_its_parts(port: int, client: Client) -> None:
    send(port, letter())
    listed = client.get("/dev/mailbox/").content.decode()
    assert "A time for you" in listed
    assert "b@duet.example, c@duet.example" in listed
    (address,) = set(re.findall(r'href="(/dev/mailbox/[^"]+/)"', listed))
    shown = client.get(address).content.decode()
    assert 'href="https://duet.example/a/1"' in shown
    assert "&lt;b&gt;" in shown
    html = client.get(f"{address}html/")
    assert html.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    attached = client.get(f"{address}0/")
    assert attached.content == b"BEGIN:VCALENDAR\r\n"
    assert attached.headers["Content-Disposition"] == 'attachment; filename="..invite.ics"'
    assert client.get(f"{address}1/").status_code == 404


def test_letters_are_newest_first_and_can_be_thrown_away(
    port: int, folder: Path, client: Client
) -> None:
    for number in range(12):
        send(port, letter(f"Letter {number}"))
    subjects = [one.subject for one in mailbox.letters(folder)]
    assert subjects == [f"Letter {number}" for number in reversed(range(12))]
    assert client.get("/dev/mailbox/empty/").status_code == 405
    client.post("/dev/mailbox/empty/")
    assert not list(mailbox.letters(folder))


def test_no_key_leads_out_of_the_mailbox(folder: Path, client: Client) -> None:
    mailbox.empty(folder)
    (folder / "new" / "known").write_bytes(b"Subject: x\n\n")
    for key in ("..", "..%2f..%2fnotes_key", "new", "%00"):
        assert client.get(f"/dev/mailbox/{key}/").status_code == 404


@pytest.mark.parametrize("path", ["", "x/", "x/html/", "x/0/"])
def test_outside_demo_mode_there_is_no_mailbox(
    path: str, client: Client, settings: Settings
) -> None:
    settings.DUET = {**settings.DUET, "MAILBOX": False}
    assert client.get(f"/dev/mailbox/{path}").status_code == 404
