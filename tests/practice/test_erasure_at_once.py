"""An erasure beside another step on the same person: whoever comes second sees what the first did.

Each test holds one step before its commit until the other one waits for it.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from clients.actions import access, people
from clients.models import (
    AuditEntry,
    BlindIndex,
    Case,
    ClientPin,
    ClientSession,
    Person,
    SafeContact,
)
from clients.queries import people as find
from clients.rules.actors import PROOF_LINK
from clients.rules.envelope import Erased
from clients.rules.retention import MayNotErase
from practice.actions import booking, erasure
from practice.models import Appointment
from tests import factories as make
from tests.factories import NOW, SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOW + timedelta(days=1)
PIN = "271828"


@pytest.fixture(autouse=True)
def own_folder(settings: Settings, tmp_path: Path) -> None:
    """A list of erased keys for this test alone."""
    settings.DUET = settings.DUET | {"DATA_DIR": tmp_path}


@pytest.fixture
def ana() -> Person:
    """Ana asked once, and nothing came of it."""
    person = make.ana()
    make.case(person)
    return person


def erase(person: Person) -> None:
    erasure.erase(person=person, reason="asked-for", by=SYSTEM, now=LATER)


def until_somebody_waits() -> None:
    """Go on as soon as a connection waits for a lock of ours."""
    end = time.monotonic() + 20
    with connection.cursor() as cursor:
        while time.monotonic() < end:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("Nobody waits.")


def second(act: Callable[[], Any], *, after: Callable[[], Any]) -> Any:
    """What `act` gets, a result or its refusal, when it waits for the end of `after`."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(act())
        except Exception as refused:
            found.append(refused)
        finally:
            connection.close()

    running = threading.Thread(target=run)
    with transaction.atomic():
        after()
        running.start()
        until_somebody_waits()
    running.join(timeout=60)
    return found[0]


def other_address(person: Person) -> Callable[[], Person]:
    return lambda: people.change_contact(
        person=person,
        email="new@example.org",
        phone=None,
        language="en",
        zone="UTC",
        by=SYSTEM,
        now=LATER,
    )


def test_an_address_that_waits_for_an_erasure_is_refused(ana: Person) -> None:
    got = second(other_address(ana), after=lambda: erase(ana))
    assert isinstance(got, Erased)
    assert not BlindIndex.objects.filter(person=ana).exists()
    assert not Person.objects.get(pk=ana.pk).has_email
    assert not AuditEntry.objects.filter(verb="person.contact_changed").exists()


def test_an_address_that_came_first_is_erased(ana: Person) -> None:
    assert second(lambda: erase(ana), after=other_address(ana)) is None
    assert not BlindIndex.objects.filter(person=ana).exists()
    assert not Person.objects.get(pk=ana.pk).has_email


def test_what_is_said_about_a_channel_after_an_erasure_is_refused(ana: Person) -> None:
    got = second(
        lambda: people.say_safe_contact(
            person=ana,
            channel=SafeContact.Channel.EMAIL,
            permission=SafeContact.Permission.YES,
            by=SYSTEM,
            now=LATER,
        ),
        after=lambda: erase(ana),
    )
    assert isinstance(got, Erased)
    assert not SafeContact.objects.filter(person=ana).exists()


@pytest.fixture
def signed_in(ana: Person) -> ClientSession:
    """Ana has a PIN, and a session that only her link has opened."""
    row = ClientPin(person=ana, set_at=NOW)
    row.pin = make_password(PIN)
    row.save()
    return access._open(ana, PROOF_LINK, "Firefox", NOW, NOW + timedelta(days=2), NOW).session


def prove(session: ClientSession) -> None:
    tried = access.prove_with_pin(session=session, pin=PIN, by=SYSTEM, now=LATER)
    assert tried.opened is not None


def test_a_session_that_is_raised_during_an_erasure_goes_with_it(
    ana: Person, signed_in: ClientSession
) -> None:
    assert second(lambda: erase(ana), after=lambda: prove(signed_in)) is None
    assert not ClientSession.objects.filter(person=ana).exists()


def test_a_session_that_is_opened_by_a_link_during_an_erasure_goes_with_it(ana: Person) -> None:
    access.send_links(persons=[ana], by=SYSTEM, now=NOW)
    (link,) = ana.sign_in_links.select_related("person__key")
    token = link.token

    def use() -> None:
        access.use_link(token=token, browser="Firefox", instead_of=None, by=SYSTEM, now=NOW)

    assert second(lambda: erase(ana), after=use) is None
    assert not ClientSession.objects.filter(person=ana).exists()


def test_whoever_is_booked_for_during_an_erasure_stays() -> None:
    make.practice()
    iris = make.counselor("iris")
    service = make.service(counselors=[iris])
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben, counselor=iris)

    def book() -> Appointment:
        return booking.book_by_hand(
            service=service,
            counselor=iris,
            start=make.at(8),
            request=None,
            case=case,
            beside=None,
            by=SYSTEM,
            now=NOW,
        ).appointment

    got = second(lambda: erase(ana), after=book)
    assert isinstance(got, MayNotErase)
    assert got.why == "coming"


def test_who_books_during_an_erasure_books_for_the_partner_alone() -> None:
    make.practice()
    iris = make.counselor("iris")
    service = make.service(counselors=[iris])
    ana, ben = make.ana(), make.ben()
    case: Case = make.case(ana, ben, counselor=iris)
    got = second(
        lambda: booking.book_by_hand(
            service=service,
            counselor=iris,
            start=make.at(8),
            request=None,
            case=case,
            beside=None,
            by=SYSTEM,
            now=NOW,
        ),
        after=lambda: erase(ana),
    )
    (part,) = got.appointment.attendances.all()
    assert part.person_id == ben.pk
    assert [one.pk for one in find.persons_of(case)] == [ben.pk]
