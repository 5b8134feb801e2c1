"""The audit trail: append-only, in the writer's transaction, chained by hash afterwards."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from clients.actions import audit
from clients.models import AuditEntry, AuditSeal, Person
from clients.queries import audit as trail
from clients.rules.actors import Actor
from tests import factories
from tests.factories import SYSTEM

# Long ago on any machine's clock: what is not sealed by now has been forgotten.
NOW = factories.NOW - timedelta(days=1_000)

pytestmark = pytest.mark.django_db


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


def _verify() -> str:
    out = StringIO()
    try:
        call_command("audit", "verify", stdout=out)
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
    assert trail.breaches() == []


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
    assert trail.breaches() == []


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
    assert f"verifies: 5 entries, its head is {bytes(head.hash).hex()}" in _verify()


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


def test_an_entry_removed_with_its_seal_breaks_the_chain() -> None:
    entry = _sealed()[1]
    with _trigger_off("duet_clients_auditentry"), _trigger_off("duet_clients_auditseal"):
        AuditSeal.objects.filter(position=2).delete()
        entry.delete()
    assert "Place 3: the chain is broken" in _verify()


def test_an_entry_put_in_with_a_made_up_seal_breaks_the_chain() -> None:
    _sealed()
    entry = _record("forged")
    AuditSeal.objects.create(
        position=6,
        entry_id=entry.pk,
        content=entry.content(),
        previous=b"\x00" * 32,
        hash=b"\x01" * 32,
        sealed_at=NOW,
    )
    assert "Place 6: the chain is broken" in _verify()


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
    assert trail.breaches(unsealed_before=NOW) == []


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
    assert f"Iris  case.read  case {case.pk}" in said
    assert "a person in care  attendance.confirmed" in said
    assert f"person.made  person {ana.pk}" in said
    assert str(ben.pk) not in said
    assert str(chris.pk) not in said
    assert "Entries: 4." in said
    assert "Alder" not in said


def test_asking_who_looked_is_on_record_too() -> None:
    ana = factories.ana()
    call_command("audit", "report", "--person", str(ana.pk), stdout=StringIO())
    assert AuditEntry.objects.filter(verb="audit.reported", person_id=ana.pk).count() == 1


def test_a_report_on_nobody_is_refused() -> None:
    with pytest.raises(CommandError, match="No person has the id"):
        call_command("audit", "report", "--person", str(uuid4()), stdout=StringIO())
