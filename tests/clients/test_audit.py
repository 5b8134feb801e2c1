"""The audit trail: append-only, in the writer's transaction, chained by hash afterwards."""

import base64
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from clients.actions import audit, keys
from clients.doctor import the_audit_is_not_cut_off
from clients.models import AuditEntry, AuditSeal, DataKey, Person
from clients.queries import audit as trail
from clients.rules import chain
from clients.rules.actors import Actor
from clients.tasks import seal_audit
from tests import factories
from tests.factories import SYSTEM

# Long ago on any machine's clock: what is not sealed by now has been forgotten.
NOW = factories.NOW - timedelta(days=1_000)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def outside(settings: Any, tmp_path: Path) -> None:
    """Where the chain's end is noted."""
    settings.DUET = {**settings.DUET, "DATA_DIR": tmp_path}


def _record(verb: str = "tea.made", now: datetime = NOW) -> AuditEntry:
    with transaction.atomic():
        return audit.record(verb=verb, subject_kind="tea", subject_id=uuid4(), by=SYSTEM, now=now)


def _sealed(count: int = 5) -> list[AuditEntry]:
    """So many sealed entries, in the order of the chain."""
    for number in range(count):
        _record(f"tea.made{number}")
    assert audit.seal(by=SYSTEM, now=NOW) == count
    order = list(AuditSeal.objects.order_by("position").values_list("entry_id", flat=True))
    entries = AuditEntry.objects.in_bulk(order)
    return [entries[pk] for pk in order]


@contextmanager
def _trigger_off(table: str) -> Iterator[None]:
    """As somebody with the rights of the tables' owner would go about it."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def _verify(*options: str) -> str:
    out = StringIO()
    try:
        call_command("audit", "verify", *options, stdout=out)
    except CommandError as failed:
        return out.getvalue() + str(failed)
    return out.getvalue()


# --- append-only ---------------------------------------------------------------------------------

CHANGES = [
    ("duet_clients_auditentry", "UPDATE duet_clients_auditentry SET verb = 'nothing'"),
    ("duet_clients_auditentry", "DELETE FROM duet_clients_auditentry"),
    ("duet_clients_auditseal", "UPDATE duet_clients_auditseal SET hash = 'x'"),
    ("duet_clients_auditseal", "DELETE FROM duet_clients_auditseal"),
]


@pytest.mark.parametrize(("table", "statement"), CHANGES)
def test_the_database_refuses_to_change_or_remove(table: str, statement: str) -> None:
    _sealed()
    refused = pytest.raises(DatabaseError, match=f"{table} is append-only")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert "verifies" in _verify()


@pytest.mark.parametrize(("table", "statement"), CHANGES)
def test_without_its_trigger_the_same_would_pass_and_be_noticed(table: str, statement: str) -> None:
    _sealed()
    with _trigger_off(table), connection.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.rowcount == 5
    assert "doesn't verify" in _verify()


# --- in the writer's transaction -----------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_an_entry_outside_a_transaction_is_refused() -> None:
    with pytest.raises(RuntimeError, match="belongs into the transaction"):
        audit.record(verb="x", subject_kind="x", subject_id=None, by=SYSTEM, now=NOW)
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_act_that_fails_leaves_no_entry_and_no_row() -> None:
    class PowerCut(Exception):
        pass

    @transaction.atomic
    def act() -> None:
        factories.ana()
        assert AuditEntry.objects.filter(verb="person.made").count() == 1
        raise PowerCut

    with pytest.raises(PowerCut):
        act()
    assert not AuditEntry.objects.exists()
    assert not Person.objects.exists()


def test_every_act_of_the_people_actions_is_on_record() -> None:
    ana, ben = factories.ana(), factories.ben()
    case = factories.case(ana, ben)
    entries = list(AuditEntry.objects.order_by("at", "verb").values_list("verb", "subject_id"))
    assert sorted(entries) == sorted(
        [("person.made", ana.pk), ("person.made", ben.pk), ("case.opened", case.pk)]
    )


def test_an_entry_holds_no_name_and_no_address() -> None:
    factories.case(factories.ana(), factories.ben())
    with connection.cursor() as cursor:
        cursor.execute("SELECT duet_clients_auditentry::text FROM duet_clients_auditentry")
        everything = " ".join(row for (row,) in cursor.fetchall())
    for word in ("Ana", "Alder", "Ben", "@", "2015550101"):
        assert word not in everything


# --- sealing -------------------------------------------------------------------------------------


def test_sealing_chains_what_is_new_and_only_that() -> None:
    _sealed(3)
    assert audit.seal(by=SYSTEM, now=NOW) == 0
    _record("more")
    assert audit.seal(by=SYSTEM, now=NOW + timedelta(seconds=30)) == 1
    seals = list(AuditSeal.objects.order_by("position"))
    assert [seal.position for seal in seals] == [1, 2, 3, 4]
    assert [bytes(seal.previous) for seal in seals[1:]] == [bytes(seal.hash) for seal in seals[:-1]]
    assert list(trail.breaches()) == []


def test_what_waited_for_days_is_sealed_portion_by_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    """No beat rang for three days, and there is more than one sealing takes."""
    monkeypatch.setattr(audit, "_BATCH", 2)
    for hours in range(0, 72, 12):
        _record(now=NOW + timedelta(hours=hours))
    back = NOW + timedelta(days=3)
    assert [audit.seal(by=SYSTEM, now=back) for _ in range(4)] == [2, 2, 2, 0]


def test_a_clock_that_was_ahead_leaves_nothing_unsealed() -> None:
    ahead = NOW + timedelta(days=2)
    _record(now=ahead)
    assert audit.seal(by=SYSTEM, now=ahead) == 1
    _record(now=NOW)
    assert audit.seal(by=SYSTEM, now=NOW) == 1


@pytest.mark.django_db(transaction=True)
def test_many_sealers_at_once_make_one_chain() -> None:
    for number in range(40):
        _record(f"tea.made{number}")
    barrier, sealed, failed = threading.Barrier(6), [], []

    def seal() -> None:
        try:
            barrier.wait(timeout=30)
            for _ in range(3):
                sealed.append(audit.seal(by=SYSTEM, now=NOW))
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=seal) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failed == []
    assert sum(sealed) == AuditSeal.objects.count() == 40
    assert list(trail.breaches()) == []


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_two_sealers_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: while one is at it the other goes ahead too, and takes the same place."""
    _record()
    monkeypatch.setattr(audit, "_SEAL_LOCK", 1)
    with transaction.atomic():
        assert audit.seal(by=SYSTEM, now=NOW) == 1
        waits: list[BaseException] = []

        def seal() -> None:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '300ms'")
                monkeypatch.setattr(audit, "_SEAL_LOCK", 2)  # another lock is no lock
                audit.seal(by=SYSTEM, now=NOW)
            except DatabaseError as collided:
                waits.append(collided)
            finally:
                connection.close()

        other = threading.Thread(target=seal)
        other.start()
        other.join(timeout=30)
    assert len(waits) == 1


# --- verify --------------------------------------------------------------------------------------


def test_a_whole_chain_verifies_and_names_its_head() -> None:
    _sealed()
    head = trail.head()
    assert head is not None
    assert f"verifies: 5 entries, its head is 5:{bytes(head.hash).hex()}" in _verify()


def test_an_empty_chain_verifies() -> None:
    assert "empty" in _verify()


@pytest.mark.parametrize(
    "change",
    [
        *("verb = 'x'", "at = at + interval '1 microsecond'", "actor_kind = 'person'"),
        *("actor_id = gen_random_uuid()", "subject_kind = 'x'", "subject_id = NULL"),
        *("person_id = gen_random_uuid()", "case_id = gen_random_uuid()", "detail = '{\"a\": 1}'"),
    ],
)
def test_a_changed_entry_is_named(change: str) -> None:
    entry = _sealed()[2]
    with _trigger_off("duet_clients_auditentry"), connection.cursor() as cursor:
        cursor.execute(f"UPDATE duet_clients_auditentry SET {change} WHERE id = %s", [entry.pk])
    said = _verify()
    assert f"Place 3: the entry {entry.pk} was changed" in said
    assert "1 breaches" in said


def test_a_removed_entry_is_named() -> None:
    entry = _sealed()[0]
    with _trigger_off("duet_clients_auditentry"):
        AuditEntry.objects.filter(pk=entry.pk).delete()
    assert f"Place 1: the entry {entry.pk} was removed" in _verify()


def _take_away(first: int, last: int) -> None:
    """Entries and their seals, as the tables' owner would do it."""
    with _trigger_off("duet_clients_auditentry"), _trigger_off("duet_clients_auditseal"):
        gone = AuditSeal.objects.filter(position__range=(first, last))
        AuditEntry.objects.filter(pk__in=gone.values("entry_id")).delete()
        gone.delete()


def test_entries_removed_with_their_seals_are_named() -> None:
    _sealed()
    _take_away(2, 3)
    said = _verify()
    assert "Places 2 to 3: the seals were removed" in said
    assert "Place 4: the chain is broken" in said


def test_a_seal_removed_alone_is_named_with_its_entry() -> None:
    entry = _sealed()[1]
    with _trigger_off("duet_clients_auditseal"):
        AuditSeal.objects.filter(position=2).delete()
    said = _verify()
    assert "Places 2 to 2: the seals were removed" in said
    assert f"The entry {entry.pk} was never sealed" in said


def test_two_entries_that_changed_places_are_named() -> None:
    """What the one says stands under the other's id; or their seals have changed places."""
    entries = _sealed()
    one, other = entries[1], entries[3]
    with _trigger_off("duet_clients_auditentry"):
        AuditEntry.objects.filter(pk=one.pk).update(verb=other.verb)
        AuditEntry.objects.filter(pk=other.pk).update(verb=one.verb)
    said = _verify()
    assert f"Place 2: the entry {one.pk} was changed" in said
    assert f"Place 4: the entry {other.pk} was changed" in said


def test_two_seals_that_changed_places_are_named() -> None:
    _sealed()
    with _trigger_off("duet_clients_auditseal"), connection.cursor() as cursor:
        for old, new in ((2, 99), (4, 2), (99, 4)):
            cursor.execute(
                "UPDATE duet_clients_auditseal SET position = %s WHERE position = %s", [new, old]
            )
    said = _verify()
    assert "Place 2: the chain is broken" in said
    assert "Place 4: the chain is broken" in said


def test_a_doubled_entry_is_named() -> None:
    """Only who may change the tables can do that at all."""
    entry = _sealed()[2]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "ALTER TABLE duet_clients_auditentry DROP CONSTRAINT duet_clients_auditentry_pkey"
        )
        cursor.execute(
            "INSERT INTO duet_clients_auditentry"
            " SELECT * FROM duet_clients_auditentry WHERE id = %s",
            [entry.pk],
        )
    assert f"The entry {entry.pk} is there twice" in _verify()


def _without_a_key(*, position: int, content: bytes, previous: bytes) -> bytes:
    """The best that whoever has the database alone can make."""
    return hashlib.sha256(previous + position.to_bytes(8, "big") + content).digest()


def _seals_may_have_no_key() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE duet_clients_auditseal ALTER key_id DROP NOT NULL")


def _forge(first: int, key_id: UUID | None) -> None:
    """Another chain from this place on, by all that the database holds."""
    before = AuditSeal.objects.filter(position=first - 1).first()
    previous = bytes(before.hash) if before else chain.GENESIS
    _seals_may_have_no_key()
    with _trigger_off("duet_clients_auditentry"), _trigger_off("duet_clients_auditseal"):
        for seal in AuditSeal.objects.filter(position__gte=first).order_by("position"):
            AuditEntry.objects.filter(pk=seal.entry_id).update(verb="forged")
            content = AuditEntry.objects.get(pk=seal.entry_id).content()
            digest = _without_a_key(position=seal.position, content=content, previous=previous)
            AuditSeal.objects.filter(pk=seal.pk).update(
                content=content, previous=previous, hash=digest, key_id=key_id
            )
            previous = digest


@pytest.mark.parametrize("first", [1, 3])
@pytest.mark.parametrize("says", ["broken", "no key"])
def test_who_owns_the_database_cannot_make_the_chain_anew(says: str, first: int) -> None:
    _sealed()
    _forge(first, DataKey.objects.get(purpose="audit").pk if says == "broken" else None)
    said = _verify()
    for place in range(first, 6):
        assert re.search(rf"Place {place}: the .* (is|has) {says}", said)
    assert f"{6 - first} breaches" in said


@pytest.mark.parametrize("first", [1, 3])
def test_a_forged_chain_is_not_made_good_by_the_next_sealing(first: int) -> None:
    """Nor by taking the key away, as if the chain had never had one."""
    _sealed()
    _forge(first, None)
    DataKey.objects.filter(purpose="audit").delete()
    _record("later")
    assert audit.seal(by=SYSTEM, now=NOW) == 1
    said = _verify()
    for place in range(first, 6):
        assert f"Place {place}: the seal has no key" in said


@pytest.mark.parametrize("how", ["deleted", "destroyed"])
def test_a_key_that_is_gone_is_named_once(how: str) -> None:
    _sealed()
    gone = DataKey.objects.filter(purpose="audit")
    if how == "deleted":
        gone.delete()
    else:
        gone.update(wrapped=None, destroyed_at=NOW)
    said = _verify()
    assert "Place 1: sealed under a key that is gone" in said
    assert "1 breaches" in said


def test_without_a_look_at_the_key_a_chain_could_be_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: so it was with the first chains."""
    _sealed()
    _forge(1, DataKey.objects.get(purpose="audit").pk)
    assert "verifies" not in _verify()
    monkeypatch.setattr(chain, "link", lambda *, key, **given: _without_a_key(**given))
    assert "verifies: 5 entries" in _verify()


def test_a_chain_of_before_is_sealed_anew_under_a_key() -> None:
    """What the migration does: the entries stay, and every one has a seal with a key again."""
    entries = _sealed(3)
    _forge(1, None)
    migration = import_module("clients.migrations.0007_every_seal_has_a_key")
    with connection.cursor() as cursor:
        cursor.execute(migration.BEGIN_ANEW)
    assert not AuditSeal.objects.exists()
    assert audit.seal(by=SYSTEM, now=NOW) == 3
    assert {seal.entry_id for seal in AuditSeal.objects.all()} == {one.pk for one in entries}
    assert "verifies: 3 entries" in _verify()
    with connection.cursor() as cursor:
        cursor.execute(migration.BEGIN_ANEW)
    assert AuditSeal.objects.count() == 3
    refused = pytest.raises(DatabaseError, match="append-only")
    with refused, transaction.atomic():
        AuditSeal.objects.all().delete()


def test_the_chain_verifies_after_a_rotation_of_the_keys(settings: Any) -> None:
    _sealed()
    ring = f"fresh:{base64.b64encode(b'f' * 32).decode()},{settings.DUET['NOTES_KEYS']}"
    settings.DUET = {**settings.DUET, "NOTES_KEYS": ring}
    assert keys.rotate(by=SYSTEM, now=NOW).count == 1
    _record("later")
    assert audit.seal(by=SYSTEM, now=NOW) > 0
    assert "verifies" in _verify()


def test_an_entry_put_in_with_a_made_up_seal_breaks_the_chain() -> None:
    _sealed()
    entry = _record("forged")
    AuditSeal.objects.create(
        position=6,
        entry_id=entry.pk,
        content=entry.content(),
        previous=b"\x00" * 32,
        hash=b"\x01" * 32,
        key_id=DataKey.objects.get(purpose="audit").pk,
        sealed_at=NOW,
    )
    assert "Place 6: the chain is broken" in _verify()


# --- what is noted outside -----------------------------------------------------------------------


def test_a_cut_off_end_is_named_by_what_was_noted_outside() -> None:
    _sealed()
    assert audit.note_head(by=SYSTEM, now=NOW)
    _take_away(4, 5)
    assert "Places 4 to 5: the chain's end was cut off" in _verify()


def test_without_the_note_a_cut_off_end_is_not_noticed() -> None:
    """The control; and that nothing was noted is said."""
    _sealed()
    _take_away(4, 5)
    said = _verify()
    assert "verifies: 3 entries" in said
    assert "whether its end was cut off isn't known" in said


def test_what_was_noted_stays_when_the_chain_goes_on_after_a_cut() -> None:
    _sealed()
    assert list(the_audit_is_not_cut_off()) == []
    assert audit.note_head(by=SYSTEM, now=NOW)
    assert list(the_audit_is_not_cut_off()) == []
    noted = trail.noted_head()
    _take_away(4, 5)
    for number in range(4):
        _record(f"later{number}")
    assert audit.seal(by=SYSTEM, now=NOW) == 4
    assert not audit.note_head(by=SYSTEM, now=NOW)
    assert trail.noted_head() == noted
    assert [found.id for found in the_audit_is_not_cut_off()] == ["audit.cut"]
    assert "Place 5: the chain isn't the one that was noted outside" in _verify()


def test_what_is_missing_is_logged_once_in_a_process(caplog: pytest.LogCaptureFixture) -> None:
    _sealed()
    assert audit.note_head(by=SYSTEM, now=NOW)
    _take_away(4, 5)
    for _ in range(3):
        assert not audit.note_head(by=SYSTEM, now=NOW)
    assert [one.message for one in caplog.records if "was noted of it" in one.message] == [
        "The audit chain doesn't hold what was noted of it: see `audit verify`."
    ]


def test_after_a_restore_the_end_is_accepted_by_hand_and_on_record() -> None:
    _sealed()
    with pytest.raises(CommandError, match="Nothing is missing"):
        call_command("audit", "accept-head", "--yes")
    assert audit.note_head(by=SYSTEM, now=NOW)
    _take_away(4, 5)
    with pytest.raises(CommandError, match="add --yes"):
        call_command("audit", "accept-head")
    assert not audit.note_head(by=SYSTEM, now=NOW)
    out = StringIO()
    call_command("audit", "accept-head", "--yes", stdout=out)
    assert "the chain ends at place 3; it had been 5" in out.getvalue()
    entry = AuditEntry.objects.get(verb="audit.head_accepted")
    assert (entry.actor_kind, entry.detail) == ("system", {"noted": 5, "accepted": 3})
    assert audit.seal(by=SYSTEM, now=entry.at) == 1
    assert audit.note_head(by=SYSTEM, now=NOW)
    assert "verifies: 4 entries" in _verify()
    assert list(the_audit_is_not_cut_off()) == []


def test_an_end_that_can_not_be_noted_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    _sealed()
    assert audit.note_head(by=SYSTEM, now=NOW)
    _take_away(4, 5)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(CommandError, match="No space left"):
        call_command("audit", "accept-head", "--yes")
    assert not AuditEntry.objects.filter(verb="audit.head_accepted").exists()
    noted = trail.noted_head()
    assert noted is not None
    assert noted.position == 5


def test_each_sealing_notes_the_end() -> None:
    _record()
    seal_audit()
    head = trail.head()
    assert head is not None
    assert trail.noted_head() == chain.Head(1, bytes(head.hash))
    _record("more")
    seal_audit()
    noted = trail.noted_head()
    assert noted is not None
    assert noted.position == 2


def test_an_end_that_was_written_down_is_compared() -> None:
    _sealed()
    head = trail.head()
    assert head is not None
    good = f"5:{bytes(head.hash).hex()}"
    assert "verifies" in _verify("--head", good)
    assert "isn't the one that was noted" in _verify("--head", f"5:{'ab' * 32}")
    assert "Places 6 to 7" in _verify("--head", f"7:{'ab' * 32}")


def test_a_note_that_can_not_be_read_is_no_note_of_nothing() -> None:
    _sealed()
    trail.head_path().write_text("gone")
    assert "isn't the one that was noted" in _verify()


def test_a_changed_entry_whose_seal_was_changed_along_breaks_the_chain() -> None:
    entry = _sealed()[1]
    with _trigger_off("duet_clients_auditentry"), _trigger_off("duet_clients_auditseal"):
        AuditEntry.objects.filter(pk=entry.pk).update(verb="x")
        entry.refresh_from_db()
        AuditSeal.objects.filter(position=2).update(content=entry.content())
    assert "Place 2: the chain is broken" in _verify()


def test_an_entry_that_was_never_sealed_is_named_after_ten_minutes() -> None:
    _sealed()
    entry = _record("late")
    assert f"The entry {entry.pk} was never sealed" in _verify()
    assert list(trail.breaches(unsealed_before=NOW)) == []


# --- who looked ----------------------------------------------------------------------------------


def test_the_report_lists_who_did_what_to_a_person_and_their_case() -> None:
    ana, ben, chris = factories.ana(), factories.ben(), factories.chris()
    iris = factories.member("iris", roles=["counselor"])
    case = factories.case(ana, ben)
    factories.case(chris)
    with transaction.atomic():
        audit.record(
            verb="case.read",
            subject_kind="case",
            subject_id=case.pk,
            case_id=case.pk,
            by=iris.as_actor(),
            now=NOW,
        )
        audit.record(
            verb="attendance.confirmed",
            subject_kind="appointment",
            subject_id=uuid4(),
            person_id=ana.pk,
            by=Actor.of_person(ana.pk),
            now=NOW,
        )
    out = StringIO()
    call_command("audit", "report", "--person", str(ana.pk), stdout=out)
    said = out.getvalue()
    day = NOW.date().isoformat()
    assert f"{day}  Iris (counselor)  case read  once" in said
    assert f"{day}  a person in care  attendance confirmed  once" in said
    assert "the system  person made  once" in said
    assert "Entries: 4." in said
    assert "Alder" not in said


def test_asking_who_looked_is_on_record_too() -> None:
    ana = factories.ana()
    call_command("audit", "report", "--person", str(ana.pk), stdout=StringIO())
    assert AuditEntry.objects.filter(verb="audit.reported", person_id=ana.pk).count() == 1


def test_a_report_on_nobody_is_refused() -> None:
    with pytest.raises(CommandError, match="No person has the id"):
        call_command("audit", "report", "--person", str(uuid4()), stdout=StringIO())
