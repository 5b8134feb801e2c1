"""Take instruments in, put them in use and take them out of it again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from clients.actions import audit
from clients.rules import permissions
from clients.rules.actors import Actor
from clients.rules.permissions import Right
from intake.models import Instrument
from intake.queries import instruments
from intake.rules import schema, soundness, wording
from intake.rules.definition import Definition, content_hash, parse
from intake.rules.fhir import reading
from intake.rules.source import Fault

# Words of our own, or words that may be used by anybody as long as the notice stands with them.
_FREE = frozenset({"own", "public-notice", "cc"})
_SHIPPED_IN_USE = frozenset({"own", "public-notice"})


class DefinitionRefused(Exception):
    """A definition isn't in order; `faults` says where and why."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(str(one) for one in faults))
        self.faults = faults


class VersionTaken(Exception):
    """This version was published with another content: what was once asked never changes."""


class NotADraft(Exception):
    """Only a draft, or a retired version, can be published."""


class NotPublished(Exception):
    """Only the published version can be retired."""


class Wordless(Exception):
    """Some of its words are still missing; `keys` names them."""

    def __init__(self, keys: list[str]) -> None:
        super().__init__(", ".join(keys))
        self.keys = keys


class NotAttested(Exception):
    """Nobody has said yet that the practice may use these words."""


class NoBasis(Exception):
    """An attestation says on which ground."""


@transaction.atomic
def import_definition(
    *,
    raw: Mapping[str, Any],
    fhir: Mapping[str, Any] | None = None,
    by: Actor,
    now: datetime,
) -> Instrument:
    """Take a definition in as a draft, in place of an older draft of the same version.

    What is there already stays as it is. Refuses (NotPermitted) without the right,
    (DefinitionRefused) one with faults, whose own examples don't come out, or with words of a
    locked instrument changed, (VersionTaken) another content under a version that was published.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    faults = schema.check(dict(raw))
    if faults:
        raise DefinitionRefused(*faults)
    definition = parse(raw)
    rows = _lock(definition.id)
    _check_words(definition, rows)
    digest = content_hash(raw)
    row = next((one for one in rows if one.version == definition.version), None)
    if row is not None and bytes(row.content_hash) == digest:
        return row
    if row is not None and row.state != Instrument.State.DRAFT:
        raise VersionTaken
    row = row or Instrument(slug=definition.id, version=definition.version)
    row.language = definition.language
    row.title = definition.title
    row.definition = dict(raw)
    row.fhir = dict(fhir) if fhir is not None else None
    row.content_hash = digest
    row.made_at = now
    # Whoever attested spoke of other words.
    row.attested_by_id, row.attested_at, row.attested_basis = None, None, ""
    row.save()
    _record("instrument.imported", row, by, now)
    return row


@transaction.atomic
def attest(*, instrument: Instrument, basis: str, by: Actor, now: datetime) -> Instrument:
    """Put on record who says that the practice may use the words, and on which ground.

    Refuses (NotPermitted) whoever is no member with the right: a person answers for it, and not
    the system; (NoBasis) without a ground.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    if by.kind != "member" or by.id is None:
        raise permissions.NotPermitted(Right.MANAGE_PRACTICE)
    basis = basis.strip()
    if not basis:
        raise NoBasis
    row = Instrument.objects.select_for_update(no_key=True).get(pk=instrument.pk)
    row.attested_by_id, row.attested_at, row.attested_basis = by.id, now, basis[:300]
    row.save(update_fields=["attested_by", "attested_at", "attested_basis"])
    _record("instrument.attested", row, by, now)
    return row


@transaction.atomic
def publish(*, instrument: Instrument, by: Actor, now: datetime) -> Instrument:
    """Put a version in use; the one that was in use is retired, and stays with who holds it.

    A version that was retired can come back. Refuses (NotPermitted) without the right, (NotADraft)
    the published one, (Wordless) one whose words are missing, (NotAttested) words of somebody else
    without a person's word that the practice may use them, (DefinitionRefused) one from a FHIR file
    in which only an expression says what is asked.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    rows = _lock(instrument.slug)
    row = next(one for one in rows if one.pk == instrument.pk)
    if row.state == Instrument.State.PUBLISHED:
        raise NotADraft
    definition = parse(row.definition)
    if missing := definition.wordless():
        raise Wordless(missing)
    if definition.licence.basis not in _FREE and row.attested_at is None:
        raise NotAttested
    if row.fhir and (hindrances := reading.hindrances(row.fhir)):
        raise DefinitionRefused(*hindrances)
    for former in rows:
        if former.state == Instrument.State.PUBLISHED:
            _retire(former, by, now)
    row.state = Instrument.State.PUBLISHED
    row.published_at = row.published_at or now
    row.retired_at = None
    row.save(update_fields=["state", "published_at", "retired_at"])
    _record("instrument.published", row, by, now)
    return row


@transaction.atomic
def retire(*, instrument: Instrument, by: Actor, now: datetime) -> Instrument:
    """Take the published version out of use: nobody is given it any more; who has it keeps it.

    Refuses (NotPermitted) without the right, (NotPublished) one that isn't in use.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    row = next(one for one in _lock(instrument.slug) if one.pk == instrument.pk)
    if row.state != Instrument.State.PUBLISHED:
        raise NotPublished
    _retire(row, by, now)
    return row


@transaction.atomic
def load_shipped(*, by: Actor, now: datetime) -> list[Instrument]:
    """Take in what came with the software, and put in use what may be used as it is.

    That is: our own and those whose notice permits it, where the practice has no version of them in
    use and has retired none. Those without words stay drafts, and so does what a practice has
    changed or retired. Doing it again changes nothing. Refuses (NotPermitted) without the right,
    (DefinitionRefused) a file with faults.
    """
    permissions.check(by, Right.MANAGE_PRACTICE)
    loaded = []
    for path in instruments.shipped_files():
        raw, faults = schema.read(path.read_bytes())
        if raw is None or faults:
            raise DefinitionRefused(*faults)
        if _is_kept_otherwise(raw):
            continue
        row = import_definition(raw=raw, by=by, now=now)
        definition = parse(raw)
        is_free = definition.licence.basis in _SHIPPED_IN_USE and not definition.wordless()
        used = instruments.versions(row.slug).exclude(state=Instrument.State.DRAFT)
        if is_free and not used.exists():
            row = publish(instrument=row, by=by, now=now)
        loaded.append(row)
    return loaded


def _is_kept_otherwise(raw: Mapping[str, Any]) -> bool:
    """Whether the practice holds this version with a content of its own."""
    row = instruments.find(raw["id"], raw["version"])
    return row is not None and bytes(row.content_hash) != content_hash(raw)


def _lock(slug: str) -> list[Instrument]:
    """All versions of an instrument; of two acts at once on one the second sees the first.

    The name is locked, and not only its rows: the first version has none yet.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('instrument ' || %s, 0))", [slug]
        )
    found = Instrument.objects.select_for_update(no_key=True).filter(slug=slug)
    return list(found.order_by("pk"))


def _check_words(definition: Definition, rows: list[Instrument]) -> None:
    """Refuses (DefinitionRefused) other words under the name of a locked instrument."""
    for row in rows:
        former = parse(row.definition)
        if not former.locked or former.wordless() or former.language != definition.language:
            continue
        if not definition.locked or wording.text_hash(definition) != wording.text_hash(former):
            raise DefinitionRefused(Fault(0, "text_hash", soundness.LOCKED))


def _retire(row: Instrument, by: Actor, now: datetime) -> None:
    row.state = Instrument.State.RETIRED
    row.retired_at = now
    row.save(update_fields=["state", "retired_at"])
    _record("instrument.retired", row, by, now)


def _record(verb: str, row: Instrument, by: Actor, now: datetime) -> None:
    audit.record(
        verb=verb,
        subject_kind="instrument",
        subject_id=row.pk,
        by=by,
        now=now,
        detail={"slug": row.slug, "version": row.version},
    )
