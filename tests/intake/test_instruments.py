"""Instruments are taken in, attested, published and retired; what was published never changes."""

import copy
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from clients.models import AuditEntry, Member
from clients.rules.actors import ADMIN, COUNSELOR, FRONT_DESK, REVIEWER, SUPERVISOR, Actor
from clients.rules.permissions import NotPermitted
from intake.actions import instruments as acts
from intake.models import Instrument
from intake.queries import instruments
from intake.rules import wording
from intake.rules.definition import parse
from tests import factories
from tests.factories import NOW, SYSTEM
from tests.intake.rules.small import RAW, raw

pytestmark = pytest.mark.django_db

DRAFT, PUBLISHED, RETIRED = (
    Instrument.State.DRAFT,
    Instrument.State.PUBLISHED,
    Instrument.State.RETIRED,
)


@pytest.fixture
def ada() -> Member:
    return factories.member("ada", roles=[ADMIN])


def take(changed: dict[str, Any] | None = None, by: Actor = SYSTEM) -> Instrument:
    return acts.import_definition(raw=changed or raw(), by=by, now=NOW)


def put_in_use(row: Instrument, by: Actor = SYSTEM) -> Instrument:
    return acts.publish(instrument=row, by=by, now=NOW)


def verbs() -> list[str]:
    found = AuditEntry.objects.filter(subject_kind="instrument").order_by("at", "pk")
    return sorted(found.values_list("verb", flat=True))


# --- import --------------------------------------------------------------------------------------


def test_a_definition_comes_in_as_a_draft_with_its_hash(ada: Member) -> None:
    row = take(by=ada.as_actor())
    assert (row.slug, row.version, row.language, row.title) == ("small", "1.0.0", "en", "Small")
    assert (row.state, row.published_at, row.fhir) == (DRAFT, None, None)
    row.refresh_from_db()
    assert row.definition == RAW
    assert row.parsed == parse(RAW)
    entry = AuditEntry.objects.get(verb="instrument.imported")
    assert (entry.actor_id, entry.subject_id) == (ada.pk, row.pk)
    assert entry.detail == {"slug": "small", "version": "1.0.0"}


def test_the_same_again_changes_nothing() -> None:
    first = take()
    shuffled = dict(reversed(list(RAW.items())))
    assert take(shuffled).pk == first.pk
    assert verbs() == ["instrument.imported"]


def test_a_draft_is_replaced_and_its_attestation_with_it(ada: Member) -> None:
    first = take()
    acts.attest(instrument=first, basis="A licence", by=ada.as_actor(), now=NOW)
    second = take(raw(title="Smaller"))
    second.refresh_from_db()
    assert (second.pk, second.title) == (first.pk, "Smaller")
    assert second.definition["title"] == "Smaller"
    assert (second.attested_by, second.attested_at, second.attested_basis) == (None, None, "")


def test_a_published_version_is_not_replaced_and_a_new_one_is_another_row() -> None:
    first = put_in_use(take())
    assert take().pk == first.pk
    with pytest.raises(acts.VersionTaken):
        take(raw(title="Smaller"))
    second = take(raw(title="Smaller", version="1.0.1"))
    assert second.pk != first.pk
    acts.retire(instrument=first, by=SYSTEM, now=NOW)
    with pytest.raises(acts.VersionTaken):
        take(raw(title="Smaller"))


def test_the_database_holds_what_was_published() -> None:
    row = put_in_use(take())
    changes: list[dict[str, Any]] = [
        {"definition": raw(title="x")},
        {"title": "x"},
        {"version": "2"},
        {"state": DRAFT, "published_at": None},
    ]
    for change in changes:
        with pytest.raises(IntegrityError), transaction.atomic():
            Instrument.objects.filter(pk=row.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        row.delete()
    # The control: of a draft all that changes.
    draft = take(raw(version="2.0.0"))
    for change in changes[:2]:
        assert Instrument.objects.filter(pk=draft.pk).update(**change) == 1


def test_one_with_faults_is_refused_and_leaves_nothing() -> None:
    for changed in (
        raw(title=None),
        raw(scorer="cycle"),
        raw(
            test_vectors=[
                *RAW["test_vectors"],
                {"id": "x", "answers": {}, "expected": {"total": 1}},
            ]
        ),
    ):
        with pytest.raises(acts.DefinitionRefused) as refused:
            take(changed)
        assert refused.value.faults
    assert not Instrument.objects.exists()
    assert verbs() == []


def locked(**changes: Any) -> dict[str, Any]:
    found = raw(locked=True, **changes)
    found["text_hash"] = wording.text_hash(parse(found))
    return found


def other_words() -> dict[str, Any]:
    items = copy.deepcopy(RAW["items"])
    items[0]["text"] = "One, or so"
    return {"items": items, "version": "2.0.0"}


def test_words_of_a_locked_instrument_stay_also_in_its_next_version() -> None:
    take(locked())
    # With a hash that fits its own words, and unlocked as well.
    for changed in (locked(**other_words()), raw(**other_words()), raw(version="2.0.0")):
        with pytest.raises(acts.DefinitionRefused) as refused:
            take(changed)
        assert "makes a new instrument, with an id of its own" in str(refused.value)
    # The same words may come again, and other ones under another name.
    assert take(locked(version="2.0.0")).version == "2.0.0"
    assert take(raw(id="smaller", **other_words())).slug == "smaller"


# --- publish, retire -----------------------------------------------------------------------------


def test_one_version_is_published_and_the_former_retired() -> None:
    first = put_in_use(take())
    assert (first.state, first.published_at) == (PUBLISHED, NOW)
    second = put_in_use(take(raw(version="1.1.0")))
    first.refresh_from_db()
    assert (first.state, first.retired_at) == (RETIRED, NOW)
    found = instruments.published("small")
    assert found is not None
    assert found.pk == second.pk
    # And back again.
    put_in_use(first)
    second.refresh_from_db()
    assert (instruments.published("small"), second.state) == (first, RETIRED)
    assert verbs().count("instrument.published") == 3
    assert verbs().count("instrument.retired") == 2
    acts.retire(instrument=first, by=SYSTEM, now=NOW)
    assert instruments.published("small") is None
    assert instruments.find("small", "1.1.0") == second


def test_what_can_not_be_published_or_retired() -> None:
    row = take()
    with pytest.raises(acts.NotPublished):
        acts.retire(instrument=row, by=SYSTEM, now=NOW)
    put_in_use(row)
    with pytest.raises(acts.NotADraft):
        put_in_use(row)


def test_without_words_or_a_word_for_them_nothing_is_published(ada: Member) -> None:
    items = copy.deepcopy(RAW["items"])
    items[1]["text"] = None
    with pytest.raises(acts.Wordless) as refused:
        put_in_use(take(raw(items=items)))
    assert refused.value.keys == ["items.q2"]
    row = take(raw(licence={"basis": "attested"}))
    with pytest.raises(acts.NotAttested):
        put_in_use(row)
    attested = acts.attest(instrument=row, basis=" A letter ", by=ada.as_actor(), now=NOW)
    assert (attested.attested_by, attested.attested_at, attested.attested_basis) == (
        ada,
        NOW,
        "A letter",
    )
    assert put_in_use(row).state == PUBLISHED
    entry = AuditEntry.objects.get(verb="instrument.attested")
    # The trail names who; the words of the ground stay with the instrument.
    assert (entry.actor_id, "basis" in entry.detail) == (ada.pk, False)


def test_a_person_attests_and_not_the_system(ada: Member) -> None:
    row = take(raw(licence={"basis": "attested"}))
    with pytest.raises(NotPermitted):
        acts.attest(instrument=row, basis="A letter", by=SYSTEM, now=NOW)
    with pytest.raises(acts.NoBasis):
        acts.attest(instrument=row, basis="  ", by=ada.as_actor(), now=NOW)


@pytest.mark.parametrize("role", [COUNSELOR, FRONT_DESK, REVIEWER, SUPERVISOR])
def test_only_who_manages_the_practice(role: str) -> None:
    row = take()
    actor = factories.member("sam", roles=[role]).as_actor()
    for act in (
        lambda: take(by=actor),
        lambda: put_in_use(row, by=actor),
        lambda: acts.retire(instrument=row, by=actor, now=NOW),
        lambda: acts.attest(instrument=row, basis="x", by=actor, now=NOW),
        lambda: acts.load_shipped(by=actor, now=NOW),
    ):
        with pytest.raises(NotPermitted):
            act()


# --- what is shipped -----------------------------------------------------------------------------


def test_ours_and_the_free_ones_are_put_in_use_and_the_wordless_wait() -> None:
    loaded = {row.slug: row for row in acts.load_shipped(by=SYSTEM, now=NOW)}
    assert len(loaded) == len(instruments.shipped_files())
    for slug in ("cycle-reflection", "private-check", "practice-intake", "phq-9", "gad-7"):
        assert loaded[slug].state == PUBLISHED, slug
    for slug in ("cpq-2017", "rdas", "ras", "who-5"):
        assert loaded[slug].state == DRAFT, slug
        assert loaded[slug].parsed.wordless()
    entries = verbs()
    acts.load_shipped(by=SYSTEM, now=NOW)
    assert verbs() == entries


def test_what_the_practice_changed_or_retired_stays_so() -> None:
    acts.load_shipped(by=SYSTEM, now=NOW)
    phq = instruments.published("phq-9")
    assert phq is not None
    acts.retire(instrument=phq, by=SYSTEM, now=NOW)
    shipped = instruments.published("cycle-reflection")
    assert shipped is not None
    own = put_in_use(take({**shipped.definition, "version": "1.0.0-ours", "minutes": 9}))
    ras = instruments.find("ras")
    assert ras is not None
    items = [{**one, "text": "Words"} for one in ras.definition["items"]]
    filled = take({**ras.definition, "items": items})
    acts.load_shipped(by=SYSTEM, now=NOW)
    assert instruments.published("phq-9") is None
    assert instruments.published("cycle-reflection") == own
    filled.refresh_from_db()
    assert filled.definition["items"] == items


def test_a_new_version_that_is_shipped_waits_where_one_is_in_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = instruments.shipped_file("gad-2")
    assert source is not None
    monkeypatch.setattr(instruments, "SHIPPED", tmp_path)
    (tmp_path / "gad-2.yaml").write_bytes(source.read_bytes())
    (first,) = acts.load_shipped(by=SYSTEM, now=NOW)
    text = source.read_text().replace('version: "1.0.0"', 'version: "1.1.0"')
    (tmp_path / "gad-2.yaml").write_text(text)
    (second,) = acts.load_shipped(by=SYSTEM, now=NOW)
    assert (first.state, second.version, second.state) == (PUBLISHED, "1.1.0", DRAFT)


# --- at once -------------------------------------------------------------------------------------


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


def take_small(title: str) -> Callable[[], Instrument]:
    return lambda: take(raw(title=title))


@pytest.mark.django_db(transaction=True)
def test_of_two_imports_at_once_the_second_finds_the_first() -> None:
    found = second(take_small("Small 2"), after=take_small("Small 1"))
    row = Instrument.objects.get()
    assert (found, row.title) == (row, "Small 2")


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_it_would_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(acts, "_lock", lambda slug: list(instruments.versions(slug)))
    found = second(take_small("Small 2"), after=take_small("Small 1"))
    assert isinstance(found, IntegrityError)


@pytest.mark.django_db(transaction=True)
def test_of_two_versions_published_at_once_the_later_is_in_use() -> None:
    first, other = take(), take(raw(version="1.1.0"))
    found = second(lambda: put_in_use(other), after=lambda: put_in_use(first))
    assert found == other
    assert instruments.published("small") == other
