"""The e-mail channel: what a letter becomes on the wire, and what refuses to become one."""

import email
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP, default

import pytest
from django.core.mail import EmailMessage as DjangoMail
from pytest_django import Settings

from clients.channels import mime
from clients.channels.email import EmailChannel
from clients.channels.letter import Attachment, Letter, LetterRefused, Unreachable
from clients.channels.registry import CHANNELS
from clients.rules.ledger import Heard
from tests import smtp_peer
from tests.clients.message_cast import NOW, talk_to
from tests.smtp_peer import Behave, Peer

# Every control character of ASCII and Latin-1, and the two line separators.
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]


def letter(**fields: object) -> Letter:
    values: dict[str, object] = {
        "to": "ana@example.org",
        "sender_name": "Elm Street",
        "subject": "Your appointment",
        "text": "Tuesday\n",
        "html": "<p>Tuesday</p>",
        "message_id": "1@elm.example.org",
        "language": "en",
    }
    return Letter(**(values | fields))  # type: ignore[arg-type]


def parsed(one: Letter) -> EmailMessage:
    wire = mime.mail(one, sender="practice@elm.example.org", now=NOW)
    message = email.message_from_bytes(wire, policy=default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.fixture(params=[True, False], ids=["at once", "one by one"])
def peer(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Peer]:
    """A server that hears the commands before a letter at once, and one that wants each alone."""
    with smtp_peer.running() as peer:
        peer.pipelining = request.param
        talk_to(peer, settings)
        yield peer


def test_the_registry_makes_an_email_channel() -> None:
    assert isinstance(CHANNELS["email"](), EmailChannel)


def test_the_headers_say_who_and_what_and_that_a_machine_wrote_it() -> None:
    mail = parsed(letter())
    assert mail["From"] == "Elm Street <practice@elm.example.org>"
    assert mail["To"] == "ana@example.org"
    assert mail["Message-ID"] == "<1@elm.example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == NOW
    assert not [name for name in mail if name.lower().startswith(("list-", "x-", "return-"))]


@pytest.mark.parametrize(
    "text",
    [
        "Tuesday at ten\n",
        "Martes, 8 de diciembre — mañana a las 10\n",
        "日本語の文。" * 40 + "\n",
        ".\n..\n.dot at the start\n",
        "x" * 2_000 + "\n",
        "ends with a blank \nand a tab\t\n",
        "100% %s %(x)s {{ 7*7 }} = =3D\n",
        "From here\n--=_duet_forms--\n",
        "no line end",
    ],
    ids=["plain", "es", "ja", "dots", "long", "blanks", "signs", "boundary", "unended"],
)
def test_both_forms_arrive_as_they_were_written(text: str, peer: Peer) -> None:
    channel = EmailChannel()
    channel.open()
    channel.send("ana@example.org", channel.write(letter(text=text, html=f"<p>{text}</p>"), NOW))
    channel.close()
    (mail,) = peer.taken
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert _lines(plain) == text.rstrip("\n")
    assert _lines(html) == f"<p>{text}</p>"


def _lines(part: MIMEPart) -> str:
    text: str = part.get_content()
    return text.replace("\r\n", "\n").rstrip("\n")


def test_no_line_is_longer_than_mail_allows_and_all_is_seven_bit() -> None:
    wire = mime.mail(
        letter(text="ñ" * 3_000, subject="Su cita: mañana " * 10),
        sender="practice@elm.example.org",
        now=NOW,
    )
    assert max(map(len, wire.split(b"\r\n"))) <= 998
    assert wire.isascii()
    assert b"\n" not in wire.replace(b"\r\n", b"")


def test_a_subject_and_a_name_in_any_script_arrive() -> None:
    mail = parsed(letter(subject="Recordatorio: su cita mañana", sender_name="Calle Olmo ñ"))
    assert mail["Subject"] == "Recordatorio: su cita mañana"
    assert mail["From"].addresses[0].display_name == "Calle Olmo ñ"


def test_a_name_with_a_comma_is_one_sender() -> None:
    mail = parsed(letter(sender_name='Elm, Street "of" <trees>'))
    assert len(mail["From"].addresses) == 1


def test_a_calendar_entry_is_both_shown_and_a_file() -> None:
    entry = Attachment("appointment.ics", "text/calendar", b"BEGIN:VCALENDAR\r\n", "REQUEST")
    mail = parsed(letter(attachments=(entry,)))
    parts = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    assert [part.get_content_disposition() for part in parts] == [None, "attachment"]
    assert parts[0].get_param("method") == "REQUEST"
    assert [part.get_payload(decode=True) for part in parts] == [entry.content] * 2
    assert mail.get_content_type() == "multipart/mixed"
    assert parts[1].get_filename() == "appointment.ics"


@pytest.mark.parametrize("control", CONTROLS, ids=lambda char: f"U+{ord(char):04X}")
@pytest.mark.parametrize("header", ["subject", "sender_name", "to", "message_id"])
def test_no_control_character_gets_into_a_header(control: str, header: str) -> None:
    with pytest.raises(LetterRefused):
        letter(**{header: f"Ana{control}Bcc: eve@example.org"})


@pytest.mark.parametrize("control", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e"])
def test_the_mail_library_alone_does_not_refuse_them(control: str) -> None:
    """The control: Django lets these pass, and then the header block ends early or breaks."""
    mail = DjangoMail(f"Ana{control}Bcc: eve@example.org", "text", "a@example.org", ["b@e.org"])
    try:
        wire = mail.message().as_bytes()
    except Exception as error:
        assert "newlines" not in str(error)  # noqa: PT017 - not the refusal meant for this
        return
    head = email.message_from_bytes(wire, policy=SMTP)
    assert head["Subject"] != f"Ana{control}Bcc: eve@example.org"


@pytest.mark.parametrize("to", ["añá@example.org", "nobody", ""])
def test_an_address_that_cannot_be_sent_to_is_refused_before_anything_leaves(to: str) -> None:
    with pytest.raises(LetterRefused):
        mime.mail(letter(to=to), sender="practice@elm.example.org", now=NOW)


def test_two_writings_of_one_letter_are_the_same_bytes() -> None:
    def write() -> bytes:
        return mime.mail(letter(), sender="practice@elm.example.org", now=NOW)

    assert write() == write()


@pytest.mark.parametrize(
    ("behave", "heard", "code", "dead"),
    [
        (Behave.ACCEPT, Heard.ACCEPTED, "smtp_250", False),
        (Behave.TEMPORARY, Heard.TEMPORARY, "smtp_451", False),
        (Behave.UNKNOWN, Heard.PERMANENT, "smtp_550", True),
        (Behave.SPAM, Heard.PERMANENT, "smtp_554", False),
        (Behave.DROP, Heard.UNREACHABLE, "dropped", False),
        (Behave.DROP_AFTER_DATA, Heard.LOST, "answer_lost", False),
        (Behave.HANG, Heard.UNREACHABLE, "hung", False),
        (Behave.HANG_AFTER_DATA, Heard.LOST, "answer_lost", False),
    ],
)
def test_what_a_server_does_is_told_in_one_word(
    behave: Behave, heard: Heard, code: str, dead: bool, peer: Peer, settings: Settings
) -> None:
    settings.EMAIL_TIMEOUT = 1
    peer.behave = behave
    channel = EmailChannel()
    channel.open()
    answer = channel.send("ana@example.org", channel.write(letter(), NOW))
    channel.close()
    assert (answer.heard, answer.code, answer.address_dead) == (heard, code, dead)
    assert answer.hung is (behave in {Behave.HANG, Behave.HANG_AFTER_DATA})


def test_after_a_refusal_the_same_connection_serves_the_next_letter(peer: Peer) -> None:
    peer.by_recipient["ana@example.org"] = Behave.UNKNOWN
    channel = EmailChannel()
    for to in ("ana@example.org", "ben@example.org"):
        channel.open()
        channel.send(to, channel.write(letter(to=to), NOW))
    channel.close()
    assert (peer.to(), peer.connections) == (["ben@example.org"], 1)


def test_a_used_connection_that_was_closed_is_replaced_without_a_second_copy(peer: Peer) -> None:
    peer.letters_per_connection = 1
    channel = EmailChannel()
    heard = []
    for _ in range(3):
        channel.open()
        heard.append(channel.send("ana@example.org", channel.write(letter(), NOW)).heard)
    channel.close()
    assert heard == [Heard.ACCEPTED] * 3
    assert (len(peer.taken), peer.connections) == (3, 3)


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        (b"5.1.1 user unknown", True),
        (b"no such user here", True),
        (b"5.2.2 mailbox full", False),
        (b"5.7.1 relaying denied", False),
    ],
)
def test_only_an_unknown_mailbox_is_a_dead_address(
    text: bytes, dead: bool, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(smtp_peer._ANSWERS, Behave.UNKNOWN, b"550 " + text)
    peer.behave = Behave.UNKNOWN
    channel = EmailChannel()
    channel.open()
    answer = channel.send("ana@example.org", channel.write(letter(), NOW))
    channel.close()
    assert (answer.heard, answer.address_dead) == (Heard.PERMANENT, dead)


def test_a_refused_sender_is_the_practices_fault_and_waits(peer: Peer) -> None:
    peer.behave = Behave.STRANGER
    channel = EmailChannel()
    channel.open()
    answer = channel.send("ana@example.org", channel.write(letter(), NOW))
    channel.close()
    assert (answer.heard, answer.code) == (Heard.TEMPORARY, "smtp_550_sender")
    assert (peer.taken, peer.to_nobody) == ([], [])


def test_a_server_that_asks_for_a_refused_recipients_letter_gets_none(peer: Peer) -> None:
    """It answers 354 all the same, as RFC 2920 lets it: an empty letter goes to nobody."""
    peer.careless = True
    peer.by_recipient["ana@example.org"] = Behave.UNKNOWN
    channel = EmailChannel()
    heard = []
    for to in ("ana@example.org", "ben@example.org"):
        channel.open()
        heard.append(channel.send(to, channel.write(letter(to=to), NOW)).heard)
    channel.close()
    assert heard == [Heard.PERMANENT, Heard.ACCEPTED]
    assert (peer.to(), peer.connections) == (["ben@example.org"], 1)
    assert peer.to_nobody == ([b""] if peer.pipelining else [])


def test_a_server_that_asks_for_a_refused_senders_letter_is_hung_up_on(peer: Peer) -> None:
    peer.careless, peer.behave = True, Behave.STRANGER
    channel = EmailChannel()
    channel.open()
    assert channel.send("ana@example.org", channel.write(letter(), NOW)).code == "smtp_550_sender"
    peer.behave = Behave.ACCEPT
    channel.open()
    assert channel.send("ana@example.org", channel.write(letter(), NOW)).heard is Heard.ACCEPTED
    channel.close()
    assert (len(peer.taken), peer.to_nobody) == (1, [])
    assert peer.connections == (2 if peer.pipelining else 1)


def test_a_refused_sign_in_is_told_before_anything_is_sent(peer: Peer, settings: Settings) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "elm", "wrong"
    with pytest.raises(Unreachable) as refused:
        EmailChannel().open()
    assert refused.value.code in {"sign_in_refused", "unreachable"}


def test_the_date_header_is_that_of_the_moment_given() -> None:
    later = NOW + timedelta(days=1)
    wire = mime.mail(letter(), sender="practice@elm.example.org", now=later)
    assert email.message_from_bytes(wire, policy=default)["Date"].datetime == later
