"""Names and contact at rest: sealed with the person's own key, bound to their row and column."""

import base64
import uuid
from collections.abc import Callable

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from clients.models import DataKey, Person
from clients.queries import keys
from clients.rules import envelope
from clients.rules.envelope import KeyRefused, Unreadable
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

Ring = Callable[..., None]


def _fresh(person: Person) -> Person:
    return Person.objects.select_related("key").get(pk=person.pk)


def _raw(person: Person, column: str) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM duet_clients_person WHERE id = %s", [person.pk])
        return bytes(cursor.fetchone()[0])


def _write(person: Person, column: str, value: bytes) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE duet_clients_person SET {column} = %s WHERE id = %s", [value, person.pk]
        )


def _kek(name: str) -> str:
    return f"{name}:{base64.b64encode(name.encode().ljust(32, b'!')).decode()}"


@pytest.fixture
def ring(settings: Settings) -> Ring:
    """Put these key-encryption keys, by name, into the environment."""

    def put(*names: str) -> None:
        settings.DUET = settings.DUET | {"NOTES_KEYS": ",".join(_kek(name) for name in names)}

    return put


def test_a_person_reads_back_as_written() -> None:
    ana = _fresh(factories.ana(name="Ana Älder"))
    assert (ana.name, ana.email, ana.phone) == ("Ana Älder", "ana@example.org", "+12015550101")
    dana = _fresh(factories.dana())
    assert dana.email is None


def test_no_table_holds_what_was_typed() -> None:
    factories.ana()
    words = [b"Alder", b"alder", b"ana@example", b"2015550101"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'duet_%'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT {table}::text FROM {table}")
            for (row,) in cursor.fetchall():
                stored = row.encode()
                hexed = [word.hex().encode() for word in words]
                assert not [word for word in [*words, *hexed] if word in stored], table


def test_a_table_with_a_plain_column_would_be_noticed() -> None:
    """The control of the test above: the words are found where they are not sealed."""
    factories.member("alder")
    with connection.cursor() as cursor:
        cursor.execute("SELECT duet_clients_member::text FROM duet_clients_member")
        assert "Alder" in cursor.fetchone()[0]


def test_the_same_name_is_never_stored_the_same_way() -> None:
    one, other = factories.ana(), factories.ana()
    assert _raw(one, "name") != _raw(other, "name")
    before = _raw(one, "name")
    one.save(update_fields=["name"])
    assert _raw(one, "name") != before


def test_a_value_put_into_another_persons_row_is_refused() -> None:
    ana, ben = factories.ana(), factories.ben()
    _write(ben, "name", _raw(ana, "name"))
    with pytest.raises(Unreadable, match="another key"):
        _ = _fresh(ben).name


def test_a_value_put_into_another_row_with_the_same_key_is_refused() -> None:
    """What binds is the row, too, and not the key alone."""
    ana = factories.ana()
    stolen = envelope.seal(
        key=ana.key.plain(),
        key_id=str(ana.key.pk),
        plain=b"Ana",
        context=f"duet_clients_person.name:{uuid.uuid4()}",
    )
    _write(ana, "name", stolen)
    with pytest.raises(Unreadable, match="changed or belongs"):
        _ = _fresh(ana).name


def test_a_value_put_into_another_column_is_refused() -> None:
    ana = factories.ana()
    _write(ana, "email", _raw(ana, "phone"))
    person = _fresh(ana)
    assert person.phone == "+12015550101"
    with pytest.raises(Unreadable):
        _ = person.email


@pytest.mark.parametrize("place", [0, 5, 12, 25, -1])
def test_a_flipped_bit_is_refused(place: int) -> None:
    ana = factories.ana()
    sealed = bytearray(_raw(ana, "name"))
    sealed[place] ^= 1
    _write(ana, "name", bytes(sealed))
    with pytest.raises(Unreadable):
        _ = _fresh(ana).name


@pytest.mark.parametrize("length", [0, 1, 9, 20, 30])
def test_a_value_cut_short_is_refused(length: int) -> None:
    ana = factories.ana()
    _write(ana, "name", _raw(ana, "name")[:length])
    with pytest.raises(Unreadable):
        _ = _fresh(ana).name


def test_without_any_key_the_refusal_is_one_sentence(settings: Settings) -> None:
    ana = factories.ana()
    settings.DUET = settings.DUET | {"NOTES_KEYS": " "}
    with pytest.raises(KeyRefused, match="DUET_NOTES_KEY isn't set") as refused:
        _ = _fresh(ana).name
    assert "\n" not in str(refused.value)
    with pytest.raises(KeyRefused, match="isn't set"):
        keys.check_keys()


def test_another_key_under_the_same_name_is_refused(ring: Ring, settings: Settings) -> None:
    ring("oak")
    ana = factories.ana()
    wrong = base64.b64encode(b"?" * 32).decode()
    settings.DUET = settings.DUET | {"NOTES_KEYS": f"oak:{wrong}"}
    with pytest.raises(KeyRefused, match="'oak' in DUET_NOTES_KEY isn't the one"):
        _ = _fresh(ana).name
    with pytest.raises(KeyRefused, match="isn't the one"):
        keys.check_keys()


def test_a_key_that_is_gone_is_asked_for_by_name(ring: Ring) -> None:
    ring("oak")
    ana = factories.ana()
    ring("elm")
    with pytest.raises(KeyRefused, match="the key 'oak', which DUET_NOTES_KEY doesn't hold"):
        _ = _fresh(ana).name


def test_a_new_first_key_locks_what_is_new_and_the_old_one_still_opens(ring: Ring) -> None:
    ring("oak")
    ana = factories.ana()
    ring("elm", "oak")
    ben = factories.ben()
    assert (_fresh(ana).name, _fresh(ben).name) == ("Ana Alder", "Ben Birch")
    assert (_fresh(ana).key.kek_id, _fresh(ben).key.kek_id) == ("oak", "elm")
    keys.check_keys()


@pytest.mark.parametrize("kept", ["oak", "elm"])
def test_a_ring_that_opens_only_some_records_is_refused(ring: Ring, kept: str) -> None:
    ring("oak")
    factories.ana()
    ring("elm", "oak")
    factories.ben()
    keys.check_keys()
    ring(kept)
    gone = "elm" if kept == "oak" else "oak"
    with pytest.raises(KeyRefused, match=f"the key '{gone}', which DUET_NOTES_KEY doesn't hold"):
        keys.check_keys()


def test_a_destroyed_key_leaves_nothing_to_read() -> None:
    ana = factories.ana()
    DataKey.objects.filter(pk=ana.key_id).update(wrapped=None, destroyed_at=NOW)
    with pytest.raises(Unreadable, match="erased"):
        _ = _fresh(ana).name
    # Its neighbour is not touched.
    assert _fresh(factories.ben()).name == "Ben Birch"


def test_a_wrapped_key_put_into_another_keys_row_is_refused() -> None:
    ana, ben = factories.ana(), factories.ben()
    DataKey.objects.filter(pk=ben.key_id).update(wrapped=ana.key.wrapped)
    with pytest.raises(KeyRefused):
        _ = _fresh(ben).name


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "isn't set"),
        ("oak", "must read 'id:key'"),
        (":AAAA", "must read 'id:key'"),
        ("oak:AAAA", "isn't 32 bytes"),
        ("oak:not base64!", "isn't 32 bytes"),
        (f"{_kek('oak')},{_kek('oak')}", "names the key 'oak' twice"),
    ],
)
def test_a_key_ring_that_is_not_one_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(KeyRefused, match=sentence) as refused:
        envelope.parse_keyring(text)
    assert "AAAA" not in str(refused.value), "no key material in what is printed"


def test_sealed_columns_are_left_out_of_filters() -> None:
    """Equality would compare ciphertexts: it finds nobody, and never somebody else."""
    factories.ana()
    assert not Person.objects.filter(name=b"Ana Alder").exists()


def test_an_error_shows_no_plain_text() -> None:
    ana = factories.ana()
    assert "Ana" not in repr(ana)
    assert "Alder" not in str(ana)
