"""Making persons and cases known, and what they say about being reached."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from clients.actions import people
from clients.models import AuditEntry, BlindIndex, DataKey, Person, SafeContact
from clients.rules.actors import Actor
from tests import factories
from tests.factories import NOW, SYSTEM

pytestmark = pytest.mark.django_db


def test_until_they_say_otherwise_only_neutral_words_go_to_anybody() -> None:
    ana = factories.ana()
    assert dict(ana.safe_contacts.values_list("channel", "permission")) == {
        "email": "neutral",
        "sms": "neutral",
        "voice": "neutral",
    }
    assert not ana.safe_contacts.filter(voicemail=True).exists()


def test_what_somebody_says_about_a_channel_replaces_what_they_said_before() -> None:
    ana = factories.ana()
    for permission, hours in (("no", 1), ("yes", 2)):
        people.say_safe_contact(
            person=ana,
            channel=SafeContact.Channel.EMAIL,
            permission=SafeContact.Permission(permission),
            by=Actor.of_person(ana.pk),
            now=NOW + timedelta(hours=hours),
        )
    row = ana.safe_contacts.get(channel="email")
    assert (row.permission, row.asked_at) == ("yes", NOW + timedelta(hours=2))
    entries = AuditEntry.objects.filter(verb="person.safe_contact").order_by("at")
    assert [entry.detail["permission"] for entry in entries] == ["no", "yes"]
    assert {entry.actor_id for entry in entries} == {ana.pk}


def test_each_person_has_a_key_of_their_own() -> None:
    ana, ben = factories.ana(), factories.ben()
    assert ana.key.plain() != ben.key.plain()
    factories.case(ana, ben)
    assert DataKey.objects.filter(purpose="couple").count() == 1


def test_a_person_without_contact_has_no_fingerprint_of_it() -> None:
    dana = factories.person(name="Dana", email=None, phone=None)
    assert set(dana.index_rows.values_list("kind", flat=True)) == {"name"}


def test_a_name_said_twice_in_one_name_is_one_fingerprint() -> None:
    person = factories.person(name="Ana Ana", email=None)
    assert person.index_rows.count() == BlindIndex.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_first_people_may_come_at_the_same_moment() -> None:
    barrier, failed = threading.Barrier(4), []

    def make(name: str) -> None:
        try:
            barrier.wait(timeout=30)
            people.make_person(
                new=people.NewPerson(name, "home@example.org", None, "en", "UTC"),
                by=SYSTEM,
                now=NOW,
            )
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=make, args=(f"Person {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failed == []
    assert Person.objects.count() == 4
    assert DataKey.objects.filter(purpose="index").count() == 1
    assert BlindIndex.objects.filter(kind="email").values("digest").distinct().count() == 1
