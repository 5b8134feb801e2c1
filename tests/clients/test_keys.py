"""The keys that lock all the others: what they lock, how they are changed, who has a copy."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django.fixtures import Settings

from clients import doctor
from clients.actions import keys as acts
from clients.models import AuditEntry, DataKey, Person
from clients.queries import keys, people
from clients.rules.envelope import KeyRefused, parse_keyring
from config.state import new_notes_key
from tests import factories as make
from tests.factories import NOW, SYSTEM

pytestmark = pytest.mark.django_db

OAK, ELM, ASH = (f"{name}:{new_notes_key().partition(':')[2]}" for name in ("oak", "elm", "ash"))
Ring = Callable[..., None]


@pytest.fixture
def ring(settings: Settings) -> Ring:
    """Put these keys into the environment."""

    def put(*lines: str) -> None:
        settings.DUET = settings.DUET | {"NOTES_KEYS": ",".join(lines)}

    return put


def said(*arguments: str) -> str:
    """What the command prints."""
    out = io.StringIO()
    call_command("keys", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def names() -> set[str]:
    return {person.name for person in Person.objects.select_related("key")}


def on(kek_id: str) -> int:
    return DataKey.objects.filter(kek_id=kek_id).count()


def damage(key: DataKey) -> None:
    assert key.wrapped is not None
    wrapped = bytearray(key.wrapped)
    wrapped[-1] ^= 1
    DataKey.objects.filter(pk=key.pk).update(wrapped=bytes(wrapped))


# --- status --------------------------------------------------------------------------------------


def test_status_counts_what_each_key_locks_and_prints_none(ring: Ring) -> None:
    ring(OAK)
    make.ana()
    ring(ELM, OAK)
    make.ben()
    told = json.loads(said("status", "--json"))
    assert [(one["id"], one["locks"], one["first"], one["held"]) for one in told["keys"]] == [
        ("elm", 1, True, True),
        ("oak", 2, False, True),  # Ana's and the index's
    ]
    for text in (said("status"), said("status", "--json")):
        for line in (OAK, ELM):
            assert line.partition(":")[2] not in text


def test_status_names_a_key_that_the_ring_lacks(ring: Ring) -> None:
    ring(OAK)
    make.ana()
    ring(ELM)
    assert "oak: locks 2 data keys; never proved; MISSING" in said("status")


def test_a_key_that_locks_nothing_can_be_taken_away(ring: Ring) -> None:
    ring(OAK)
    make.ana()
    ring(OAK, ELM)
    assert [one.id for one in keys.in_use() if one.removable] == ["elm"]


# --- a wrong key is found before the first read --------------------------------------------------


def test_a_wrong_key_is_found_where_there_is_no_index_yet(ring: Ring) -> None:
    ring(OAK)
    key = DataKey(purpose=DataKey.Purpose.COUPLE, created_at=NOW).fill(b"k" * 32)
    key.save()
    ring(f"oak:{ELM.partition(':')[2]}")
    with pytest.raises(KeyRefused, match="isn't the one that locked the records"):
        keys.check_keys()


def test_one_damaged_row_is_no_wrong_key(ring: Ring) -> None:
    ring(OAK)
    for _ in range(3):
        make.ana()
    first = DataKey.objects.order_by("pk").first()
    assert first is not None
    damage(first)
    keys.check_keys()


# --- rotation ------------------------------------------------------------------------------------


def test_rotation_locks_everything_with_the_first_key(ring: Ring) -> None:
    ring(OAK)
    make.case(make.ana(), make.ben())
    ring(ELM, OAK)
    assert on("oak") == 4
    out = said("rotate")
    assert (on("oak"), on("elm")) == (0, 4)
    assert "4 data keys are now locked with 'elm'" in out
    assert "'oak' locks nothing any more" in out
    ring(ELM)
    keys.check_keys()
    assert names() == {"Ana Alder", "Ben Birch"}
    assert [one.name for one in people.persons_named(SYSTEM, "alder")] == ["Ana Alder"]


def test_without_the_rotation_the_old_key_cannot_go(ring: Ring) -> None:
    """The control of the test above."""
    ring(OAK)
    make.ana()
    ring(ELM)
    with pytest.raises(KeyRefused, match="the key 'oak', which DUET_NOTES_KEY doesn't hold"):
        keys.check_keys()


def test_a_rotation_is_on_record_with_its_counts(ring: Ring) -> None:
    ring(OAK)
    make.ana()
    ring(ELM, OAK)
    acts.rotate(by=SYSTEM, now=NOW)
    entries = AuditEntry.objects.filter(subject_kind="rotation")
    assert {(one.verb, *one.detail.values()) for one in entries} == {
        ("keys.rotation_began", "elm", 2),
        ("keys.rotation_ended", "elm", 2, 0),
    }
    assert len({one.subject_id for one in entries}) == 1


def test_an_interrupted_rotation_goes_on_with_or_without_being_told(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring(OAK)
    for _ in range(3):
        make.ana()
    ring(ELM, OAK)
    monkeypatch.setattr(acts, "_BATCH", 2)

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        acts.rotate(by=SYSTEM, now=NOW, progress=stop)
    assert (on("oak"), on("elm")) == (2, 2)
    assert names() == {"Ana Alder"}
    assert "An interrupted run goes on." in said("rotate", "--resume")
    assert (on("oak"), on("elm")) == (0, 4)
    assert "No run was interrupted." in said("rotate", "--resume")
    verbs = AuditEntry.objects.filter(subject_kind="rotation").values_list("verb", flat=True)
    assert sorted(verbs) == sorted(
        [f"keys.rotation_{what}" for what in ("began", "resumed", "ended", "began", "ended")]
    )


def test_what_is_locked_with_the_old_key_meanwhile_is_found_too(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a process that was started before the new key came."""
    ring(OAK)
    make.ana()
    old = DataKey(purpose=DataKey.Purpose.COUPLE, created_at=NOW).fill(b"k" * 32)
    ring(ELM, OAK)
    late = iter([old])

    def meanwhile(done: int, total: int) -> None:
        for row in late:
            row.save(force_insert=True)

    monkeypatch.setattr(acts, "_BATCH", 1)
    acts.rotate(by=SYSTEM, now=NOW, progress=meanwhile)
    assert (on("oak"), on("elm")) == (0, 3)


def test_a_damaged_key_stops_no_rotation_and_is_named(ring: Ring) -> None:
    ring(OAK)
    ana, _ = make.ana(), make.ben()
    damage(ana.key)
    ring(ELM, OAK)
    with pytest.raises(CommandError, match="1 data keys could not be opened"):
        said("rotate")
    assert list(DataKey.objects.filter(kek_id="oak").values_list("pk", flat=True)) == [ana.key_id]
    ended = AuditEntry.objects.get(verb="keys.rotation_ended")
    assert ended.detail == {"to": "elm", "locked": 2, "damaged": 1}


def test_an_erased_key_is_left_alone(ring: Ring) -> None:
    ring(OAK)
    ana = make.ana()
    DataKey.objects.filter(pk=ana.key_id).update(wrapped=None, destroyed_at=NOW)
    ring(ELM, OAK)
    acts.rotate(by=SYSTEM, now=NOW)
    row = DataKey.objects.get(pk=ana.key_id)
    assert (row.kek_id, row.wrapped) == ("oak", None)
    ring(ELM)
    keys.check_keys()


def test_a_ring_that_lacks_a_key_is_not_rotated(ring: Ring) -> None:
    ring(OAK)
    make.ana()
    ring(ELM)
    with pytest.raises(KeyRefused, match="'oak'"):
        acts.rotate(by=SYSTEM, now=NOW)
    assert not AuditEntry.objects.filter(subject_kind="rotation").exists()


# --- proof ---------------------------------------------------------------------------------------


def copied(tmp_path: Path, text: str) -> str:
    file = tmp_path / "copy"
    file.write_text(text)
    return str(file)


def test_a_copy_that_opens_the_records_is_put_on_record(ring: Ring, tmp_path: Path) -> None:
    ring(OAK)
    make.ana()
    assert "The copy of 'oak' opens 2 data keys." in said("prove", copied(tmp_path, f" {OAK}\n"))
    entry = AuditEntry.objects.get(verb="key.proved")
    assert entry.detail == {"key": "oak", "opened": 2, "damaged": 0}
    assert [one.proved_at for one in keys.in_use()] == [entry.at]


def test_the_copy_is_tried_and_not_what_runs(ring: Ring, tmp_path: Path) -> None:
    ring(OAK)
    make.ana()
    wrong = f"oak:{ELM.partition(':')[2]}"
    with pytest.raises(CommandError, match="isn't the one that locked the records: none of 2"):
        said("prove", copied(tmp_path, wrong))
    ring(ELM)  # whoever lost the key in use proves the copy all the same
    assert "opens 2" in said("prove", copied(tmp_path, OAK))


def test_a_copy_comes_from_standard_input_too(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    ring(OAK)
    make.ana()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{OAK}\n"))
    assert "opens 2" in said("prove")


def test_a_copy_that_lacks_a_key_in_use_is_no_proof_of_it(ring: Ring, tmp_path: Path) -> None:
    ring(OAK)
    make.ana()
    ring(ELM, OAK)
    make.ben()
    with pytest.raises(CommandError, match="lacks what locks records: elm"):
        said("prove", copied(tmp_path, OAK))
    assert [one.id for one in keys.unproven(timezone.now())] == ["elm"]


@pytest.mark.parametrize("text", ["", "oak", "oak:c2hvcnQ=", "\x00"])
def test_a_copy_that_is_none_is_refused_without_being_printed(
    ring: Ring, tmp_path: Path, text: str
) -> None:
    ring(OAK)
    make.ana()
    with pytest.raises(CommandError, match="doesn't hold a key"):
        said("prove", copied(tmp_path, text))


def test_a_proof_holds_for_half_a_year(ring: Ring, settings: Settings) -> None:
    settings.DUET = settings.DUET | {"MODE": "production"}
    ring(OAK)
    make.ana()
    assert keys.warnings(NOW) == [
        "The key 'oak' has never been proved: run `manage.py keys prove` with your copy."
    ]
    assert [one.msg for one in doctor.keys_are_proved()] == keys.warnings(NOW)
    acts.prove(copy=parse_keyring(OAK), by=SYSTEM, now=NOW)
    assert keys.warnings(NOW + timedelta(days=180)) == []
    (sentence,) = keys.warnings(NOW + timedelta(days=181))
    assert "last proved 181 days ago" in sentence


def test_nobody_keeps_a_copy_of_a_demos_key(ring: Ring) -> None:
    ring(OAK)
    make.ana()
    assert list(doctor.keys_are_proved()) == []
    assert "look at" not in said("status")
    assert json.loads(said("status", "--json"))["warnings"] == []
