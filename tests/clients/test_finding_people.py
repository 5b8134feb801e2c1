"""The blind index: found by exact address, number, or words of the name; never by reading."""

import pytest

from clients.models import BlindIndex, DataKey, Person
from clients.queries import keys, people
from clients.rules import contact, envelope
from clients.rules.actors import Actor
from tests import factories

pytestmark = pytest.mark.django_db


def _named(text: str) -> set[str]:
    return {person.name for person in people.persons_named(Actor.system(), text)}


def test_an_address_is_found_however_it_is_capitalised() -> None:
    ana = factories.ana(email="Ana.Alder@example.org")
    factories.ben()
    assert people.persons_at(Actor.system(), email="ana.alder@EXAMPLE.ORG") == [ana]
    assert people.persons_at(Actor.system(), email="ana.alde@example.org") == []


def test_two_with_one_address_are_both_found_and_stay_two() -> None:
    ana, ben = factories.ana(email="home@example.org"), factories.ben(email="home@example.org")
    assert ana.pk != ben.pk
    assert ana.key_id != ben.key_id
    assert {
        person.pk for person in people.persons_at(Actor.system(), email="home@example.org")
    } == {ana.pk, ben.pk}


def test_the_same_person_typed_twice_is_two_until_staff_merge_them() -> None:
    first, second = factories.ana(), factories.ana()
    assert first.pk != second.pk
    assert len(people.persons_at(Actor.system(), email="ana@example.org")) == 2


def test_a_number_is_found_by_its_one_written_form() -> None:
    ana = factories.ana()
    digest = keys.digest("phone", contact.phone("(201) 555-0101", region="US"))
    assert list(Person.objects.found_by([digest])) == [ana]


@pytest.mark.parametrize(
    "text", ["ana", "ALDER", "alder ana", "Ana  Alder", "ana\u2003alder", "Ａｎａ"]
)
def test_a_name_is_found_by_any_of_its_words(text: str) -> None:
    factories.ana()
    factories.ana(name="Ben Oak", email=None)
    assert _named(text) == {"Ana Alder"}


@pytest.mark.parametrize("text", ["", "  ", "an", "ana birch", "%", "_", "ana%"])
def test_a_part_of_a_word_or_a_word_too_many_finds_nobody(text: str) -> None:
    factories.ana()
    assert _named(text) == set()


@pytest.mark.parametrize("text", ["İpek", "ipek", "IPEK", "ıpek", "işık", "IŞIK"])
def test_the_four_letters_i_of_turkish_find_each_other(text: str) -> None:
    factories.person(name="İpek Işık", email=None)
    assert _named(text) == {"İpek Işık"}


@pytest.mark.parametrize("text", ["o'neil", "O’NEIL", "neil", "anne-marie", "Marie", "anne o'neil"])
def test_a_double_name_is_found_by_its_parts(text: str) -> None:
    factories.person(name="Anne-Marie O’Neil", email=None)
    assert _named(text) == {"Anne-Marie O’Neil"}


def test_letters_that_only_look_alike_do_not_match() -> None:
    factories.person(name="Аnna Alder", email=None)  # the first A is Cyrillic
    assert _named("Anna") == set()
    assert _named("Alder") == {"Аnna Alder"}


def test_each_index_key_gives_digests_of_its_own() -> None:
    one, other = envelope.new_key(), envelope.new_key()
    first = envelope.blind(key=one, kind="email", normalised="ana@example.org")
    assert first == envelope.blind(key=one, kind="email", normalised="ana@example.org")
    assert first != envelope.blind(key=other, kind="email", normalised="ana@example.org")
    assert first != envelope.blind(key=one, kind="name", normalised="ana@example.org")


def test_there_is_one_index_key_whoever_makes_it() -> None:
    factories.ana()
    factories.ben()
    assert DataKey.objects.filter(purpose=DataKey.Purpose.INDEX).count() == 1


def test_digests_tell_nothing_without_the_key() -> None:
    """Two people of one name share a digest, as they must; it is no plain hash of the name."""
    import hashlib

    factories.ana()
    stored = {bytes(row.digest) for row in BlindIndex.objects.all()}
    for word in ("ana", "alder", "ana alder", "ana@example.org", "+12015550101"):
        assert hashlib.sha256(word.encode()).digest() not in stored
