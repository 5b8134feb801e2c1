"""Bad inputs of reminders: names that break mail, and what happens between plan and sending.

Runs the whole way: an appointment that is booked, moved and cancelled by the actions, the ledger,
a real SMTP conversation. What is about the sender alone is in `tests/clients` and `tests/faults`.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.test import Client
from kombu import Consumer, Exchange, Queue
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads
from pytest_django import Settings

from clients.actions import messages
from clients.actions.messages import Outcome
from clients.actions.people import NewPerson
from clients.models import Message, SafeContact
from config.celery import app
from practice.actions import booking
from practice.models import Appointment, Attendance, Counselor
from practice.queries import letters
from tests import factories as make
from tests import smtp_peer
from tests.bad_inputs import cases
from tests.bad_inputs.cases import Case
from tests.clients.message_cast import talk_to
from tests.practice.api.bodies import ANA
from tests.practice.api.bodies import booking as body
from tests.practice.api.conftest import Caller
from tests.smtp_peer import Behave, Peer

NOW, START = make.NOW, make.at(3, "10:00")
NAMES = [one for one in cases.read() if one.kind in {"mail_header_injection", "name_percent"}]
# More of the kind: whatever some mail library takes for the end of a line, or of the header.
MORE_NAMES = [
    f"Anna{harm}Bcc: b@example.org"
    for harm in ("\r\n", "\n ", "\r\t", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85")
] + ["Anna\u2028X", "Anna\u2029X", "Anna\0", "=?utf-8?q?Anna=0ABcc:_b=40example.org?="]


@pytest.fixture
def peer(settings: Settings) -> Iterator[Peer]:
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        yield peer


@pytest.fixture
def iris(db: None) -> Counselor:
    make.practice()
    make.reminder(48 * 60)
    return make.counselor("iris")


def scan(now: datetime) -> Outcome:
    return messages.send_due(
        subjects=letters.subjects(), by=make.SYSTEM, now=now, clock=lambda: now
    )


def booked(iris: Counselor, **who: str) -> Appointment:
    """Ana's appointment on Thursday at ten, planned by the actions; its confirmation is out."""
    service = make.service(counselors=[iris], notice=0)
    held = booking.hold(service=service, counselor=None, start=START, by=make.SYSTEM, now=NOW)
    row = booking.book(
        token=held.token,
        request=booking.Request(booker=make_person(**who)),
        by=make.SYSTEM,
        now=NOW,
    )
    assert scan(NOW).sent == 1
    return row.appointment


def make_person(**who: str) -> NewPerson:
    values = {"name": "Ana", "email": "ana@example.org", "language": "en", **who}
    return NewPerson(**values, phone=None, zone="America/New_York")


DUE = START - timedelta(hours=48)


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", NAMES, ids=str)
def test_a_name_that_would_break_a_letter_can_not_be_stored(
    api: Caller, talk: object, case: Case
) -> None:
    name = case.input["template_value"]["client_name"]
    answer = api.book(body(person=ANA | {"name": name}))
    if case.expect["class"] == "verbatim":
        assert answer.status_code == 201
        assert Attendance.objects.select_related("person__key").get().person.name == name
    else:
        assert answer.status_code in case.expect["status"]
        assert list(answer.json()["errors"]) == ["person.name"]
        assert not Message.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", [*(one.input["template_value"]["client_name"] for one in NAMES), *MORE_NAMES]
)
def test_an_old_row_with_such_a_name_blocks_nothing_and_leaks_into_no_header(
    peer: Peer, iris: Counselor, name: str
) -> None:
    """As a row that an older version or an import might have left."""
    name = name.replace("\0", "")  # not even the database takes that one
    booked(iris, name=name)
    assert scan(DUE).sent == 1
    assert [str(letter["To"]) for letter in peer.taken] == ["ana@example.org"] * 2
    for letter in peer.taken:
        assert letter["Bcc"] is None
        assert "b@example.org" not in letter.as_string()
        assert "%(x)s" not in letter.as_string()


# --- between plan and sending --------------------------------------------------------------------


@pytest.mark.django_db
def test_cancelled_just_before_it_is_not_sent(peer: Peer, iris: Counselor) -> None:
    """RE-027."""
    appointment = booked(iris)
    booking.cancel(appointment=appointment, by=make.SYSTEM, now=DUE - timedelta(seconds=1))
    peer.taken.clear()
    scan(DUE)
    assert [str(letter["Subject"]) for letter in peer.taken] == ["Your appointment is cancelled"]
    assert scan(START - timedelta(hours=2)) == Outcome()


@pytest.mark.django_db
def test_cancelled_behind_the_plans_back_it_is_not_sent_either(peer: Peer, iris: Counselor) -> None:
    """The look under the lock is what counts, also where nobody has planned anew."""
    booked(iris)
    Appointment.objects.update(state="cancelled", cancelled_at=NOW, sequence=1)
    assert scan(DUE).sent == 0
    assert set(Message.objects.exclude(state="sent").values_list("state", "reason")) == {
        ("cancelled", "cancelled")
    }


@pytest.mark.django_db
def test_moved_just_before_the_old_one_is_never_sent(peer: Peer, iris: Counselor) -> None:
    """RE-028."""
    appointment = booked(iris)
    later = make.at(4, "10:00")
    booking.move(
        appointment=appointment, start=later, by=make.SYSTEM, now=DUE - timedelta(seconds=1)
    )
    peer.taken.clear()
    assert scan(DUE).sent == 1
    assert [str(letter["Subject"]) for letter in peer.taken] == ["Your appointment: new time"]
    assert scan(later - timedelta(hours=48)).sent == 1
    assert str(peer.taken[-1]["Subject"]) == "Reminder: your appointment"
    assert "Friday" in str(peer.taken[-1].get_body(("plain",)))


@pytest.mark.django_db
def test_whoever_asked_not_to_be_written_to_is_not_and_the_desk_reads_why(
    peer: Peer, iris: Counselor, client: Client
) -> None:
    """RE-021: said after the reminder was planned."""
    appointment = booked(iris)
    peer.taken.clear()
    person = Attendance.objects.get(appointment=appointment).person
    make.safe_contact(person, permission=SafeContact.Permission.NO)
    assert scan(DUE).suppressed == 1
    assert peer.taken == []
    row = Message.objects.get(purpose="reminder-2880")
    assert (row.state, row.reason) == ("suppressed", "safe_contact_no")
    client.force_login(make.admin().user)
    page = client.get(f"/desk/appointments/{appointment.pk}/").content.decode()
    assert "this person asked not to be written to" in page


@pytest.mark.django_db
def test_after_an_hour_of_451_it_leaves_within_five_minutes_and_once(
    peer: Peer, iris: Counselor
) -> None:
    """RE-024: a scan each half minute, as beat asks for."""
    booked(iris)
    peer.taken.clear()
    peer.behave = Behave.TEMPORARY
    half = timedelta(seconds=30)
    for number in range(120):
        assert scan(DUE + number * half).sent == 0
    peer.behave = Behave.ACCEPT
    sent = [scan(DUE + number * half).sent for number in range(120, 130)]
    assert sum(sent) == len(peer.taken) == 1
    assert scan(DUE + timedelta(hours=3)) == Outcome()


@pytest.mark.django_db
@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=1)])
def test_a_clock_that_jumps_reminds_once_and_never_after_the_start(
    peer: Peer, iris: Counselor, jump: timedelta
) -> None:
    """RE-033, RE-034."""
    booked(iris)
    peer.taken.clear()
    scan(DUE)
    scan(DUE + jump)
    scan(DUE + timedelta(minutes=1))
    scan(START + timedelta(minutes=1))
    assert len(peer.taken) == 1
    assert Message.objects.filter(purpose="reminder-2880", state="sent").count() == 1


@pytest.mark.django_db
def test_a_clock_that_jumps_past_the_start_sends_nothing(peer: Peer, iris: Counselor) -> None:
    booked(iris)
    peer.taken.clear()
    scan(START)
    assert peer.taken == []
    assert Message.objects.get(purpose="reminder-2880").state == "missed"


# --- what stands in the queue --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("application/x-python-serialize", "binary"),
        ("application/x-yaml", "utf-8"),
        ("application/x-msgpack", "binary"),
        ("text/plain", "utf-8"),
    ],
)
def test_the_worker_reads_nothing_but_json(content_type: str, encoding: str) -> None:
    """RE-041: read as a consumer of the app reads, by what the app says that it accepts."""
    with pytest.raises(ContentDisallowed):
        loads(b"cos\nsystem\n(S'true'\ntR.", content_type, encoding, accept=accepted())


def accepted() -> set[str] | None:
    """The media types that a consumer of the app takes."""
    queue = Queue("duet", Exchange("duet"))
    with app.connection_for_read("memory://") as connection:
        found = Consumer(connection.channel(), [queue], accept=app.conf.accept_content).accept
    assert found == {"application/json"}
    return found
