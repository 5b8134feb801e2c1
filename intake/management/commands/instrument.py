"""`manage.py instrument`: questionnaires as data, from files and to files."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.utils import OperationalError, ProgrammingError
from django.utils import timezone

from clients.models import Member
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from intake.actions import instruments as acts
from intake.models import Instrument
from intake.queries import instruments
from intake.rules import schema, vectors
from intake.rules.definition import Definition, parse
from intake.rules.fhir import reading, writing
from intake.rules.source import LARGEST, Fault, Unreadable, load

# Answers of a thousand couples are half a megabyte.
_LARGEST_ANSWERS = 16 * LARGEST
_MOST_ANSWERS = 2_000_000


class Command(BaseCommand):
    """Takes definitions in, checks them, hands them out, and scores answers by them."""

    help = "Import, check, export, publish and score questionnaires; see docs/instruments.md."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        taken = commands.add_parser("import", help="take a definition in, as a draft")
        taken.add_argument("file", nargs="?", type=Path, help="YAML, JSON or a FHIR Questionnaire")
        taken.add_argument("--publish", action="store_true", help="and put it in use")
        taken.add_argument(
            "--shipped", action="store_true", help="those that came with the software"
        )
        check = commands.add_parser("check", help="say what is wrong with a definition")
        check.add_argument("file", type=Path)
        export = commands.add_parser("export", help="print a definition")
        export.add_argument("slug")
        export.add_argument("--version", dest="of_version", help="without it: the published one")
        export.add_argument("--fhir", action="store_true", help="as a FHIR R4 Questionnaire")
        score = commands.add_parser("score", help="score answers as the published version does")
        score.add_argument("slug")
        score.add_argument("--answers", type=Path, required=True, metavar="FILE")
        score.add_argument("--json", action="store_true", help="print JSON; without it, YAML")
        attest = commands.add_parser("attest", help="say that the practice may use the words")
        attest.add_argument("slug")
        attest.add_argument("--version", dest="of_version", help="without it: the newest draft")
        attest.add_argument("--by", required=True, metavar="USER", help="who answers for it")
        attest.add_argument("--basis", required=True, help="on which ground, in words")
        for name, told in (("publish", "put a version in use"), ("retire", "take it out of use")):
            one = commands.add_parser(name, help=told)
            one.add_argument("slug")
            one.add_argument("--version", dest="of_version", help="without it: the newest")
        commands.add_parser("list", help="what there is")

    def handle(self, *, what: str, **options: Any) -> None:
        doing: dict[str, Callable[..., None]] = {
            "import": self._import,
            "check": self._check,
            "export": self._export,
            "score": self._score,
            "attest": self._attest,
            "publish": self._publish,
            "retire": self._retire,
            "list": self._list,
        }
        try:
            doing[what](now=timezone.now(), **options)
        except acts.DefinitionRefused as refusal:
            raise CommandError(_lines(refusal.faults)) from None
        except _REFUSALS as refusal:
            raise CommandError(_SENTENCES[type(refusal)]) from None

    def _import(
        self, *, file: Path | None, publish: bool, shipped: bool, now: datetime, **_: object
    ) -> None:
        if shipped is (file is not None):
            raise CommandError("Say which file, or --shipped.")
        by = Actor.system()
        if file is None:
            for row in acts.load_shipped(by=by, now=now):
                self.stdout.write(_line(row))
            return
        raw, fhir, notes = _definition(_content(file, LARGEST))
        for note in notes:
            self.stderr.write(f"note: {note}")
        row = acts.import_definition(raw=raw, fhir=fhir, by=by, now=now)
        if publish and row.state != Instrument.State.PUBLISHED:
            row = acts.publish(instrument=row, by=by, now=now)
        self.stdout.write(_line(row))

    def _check(self, *, file: Path, **_: object) -> None:
        raw, _fhir, notes = _definition(_content(file, LARGEST))
        for note in notes:
            self.stderr.write(f"note: {note}")
        self.stdout.write(f"{raw['id']} {raw['version']} is in order.")

    def _export(self, *, slug: str, of_version: str | None, fhir: bool, **_: object) -> None:
        row = _find(slug, of_version)
        if fhir:
            found = writing.questionnaire(row.parsed, fhir=row.fhir, state=row.state)
            self.stdout.write(_as_json(found), ending="")
            return
        told = yaml.safe_dump(
            schema.in_order(row.definition), sort_keys=False, allow_unicode=True, width=100
        )
        self.stdout.write(told, ending="")

    def _score(self, *, slug: str, answers: Path, json: bool, **_: object) -> None:
        given = _values(_content(answers, _LARGEST_ANSWERS))
        found = _scored(_for_scoring(slug), given)
        self.stdout.write(_as_json(found) if json else _as_yaml(found), ending="")

    def _attest(
        self,
        *,
        slug: str,
        of_version: str | None,
        by: str,
        basis: str,
        now: datetime,
        **_: object,
    ) -> None:
        row = _newest(slug, of_version)
        acts.attest(instrument=row, basis=basis, by=_member(by).as_actor(), now=now)
        self.stdout.write(f"{row.slug} {row.version}: attested by {by}.")

    def _publish(self, *, slug: str, of_version: str | None, now: datetime, **_: object) -> None:
        row = acts.publish(instrument=_newest(slug, of_version), by=Actor.system(), now=now)
        self.stdout.write(_line(row))

    def _retire(self, *, slug: str, of_version: str | None, now: datetime, **_: object) -> None:
        row = acts.retire(instrument=_find(slug, of_version), by=Actor.system(), now=now)
        self.stdout.write(_line(row))

    def _list(self, **_: object) -> None:
        for row in Instrument.objects.order_by("slug", "made_at"):
            self.stdout.write(_line(row))


_SENTENCES: dict[type[Exception], str] = {
    acts.VersionTaken: (
        "This version was published with another content, which never changes: "
        "give the definition another version."
    ),
    acts.NotADraft: "This version is published already.",
    acts.NotPublished: "Only the published version can be retired.",
    acts.Wordless: (
        "Some of its words are missing: fill in every text in the file and import it again."
    ),
    acts.NotAttested: "Its words belong to somebody else: attest first that you may use them.",
    acts.NoBasis: "Say on which ground the words may be used.",
    NotPermitted: "Only a member of the practice with the right to manage it may do this.",
}
_REFUSALS = tuple(_SENTENCES)


# --- files ---------------------------------------------------------------------------------------


def _content(path: Path, largest: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no file"
        raise CommandError(f"{path} can't be read: {reason}.") from None
    if len(content) > largest:
        raise CommandError(f"{path} is larger than {largest // LARGEST} MB.")
    return content


def _definition(
    content: bytes,
) -> tuple[dict[str, Any], dict[str, Any] | None, tuple[str, ...]]:
    """A definition, the FHIR file it comes from if it does, and notes. Refuses one with faults."""
    if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" and b'"resourceType"' in content:
        found, faults = reading.read(content)
        if found is None:
            raise CommandError(_lines(faults))
        return found.raw, found.fhir, (*found.notes, *map(str, found.hindrances))
    raw, faults = schema.read(content)
    if raw is None or faults:
        raise CommandError(_lines(faults))
    return raw, None, ()


def _values(content: bytes) -> Any:
    try:
        return load(content, largest=_LARGEST_ANSWERS, most_values=_MOST_ANSWERS, lines=False).value
    except Unreadable as refusal:
        raise CommandError(str(refusal.fault)) from None


def _lines(faults: list[Fault] | tuple[Fault, ...]) -> str:
    return "\n".join(str(one) for one in faults)


# --- rows ----------------------------------------------------------------------------------------


def _find(slug: str, version: str | None) -> Instrument:
    row = instruments.find(slug, version)
    if row is None:
        raise CommandError(f"There is no instrument {' '.join(filter(None, (slug, version)))}.")
    return row


def _newest(slug: str, version: str | None) -> Instrument:
    row = instruments.versions(slug).exclude(state=Instrument.State.PUBLISHED).first()
    return row if row is not None and version is None else _find(slug, version)


def _member(name: str) -> Member:
    users = get_user_model()
    row = Member.objects.filter(**{f"user__{users.USERNAME_FIELD}": name}).first()
    if row is None:
        raise CommandError(f"No member of the practice signs in as '{name}'.")
    return row


def _line(row: Instrument) -> str:
    return f"{row.slug} {row.version}: {row.state}"


# --- scores --------------------------------------------------------------------------------------


def _for_scoring(slug: str) -> Definition:
    """The published version; or else the one that came with the software, or else the newest."""
    try:
        row = instruments.published(slug)
    except (OperationalError, ProgrammingError):
        # Scoring needs no database; where none answers, there is no version of the practice's own.
        return _shipped(slug)
    if row is None and instruments.shipped_file(slug) is None:
        row = _find(slug, None)
    return row.parsed if row else _shipped(slug)


def _shipped(slug: str) -> Definition:
    path = instruments.shipped_file(slug)
    if path is None:
        raise CommandError(f"There is no instrument {slug}.")
    raw, faults = schema.read(path.read_bytes())
    if raw is None or faults:
        raise CommandError(_lines(faults))
    return parse(raw)


def _scored(definition: Definition, given: Any) -> Any:
    """The result of each object's answers, in the same order; of one object its own."""
    if isinstance(given, dict) and "answers" not in given and "test_vectors" in given:
        given = given["test_vectors"]
    if isinstance(given, list):
        return [vectors.plain(one) for one in _each(definition, given)]
    return vectors.plain(next(_each(definition, [given])))


def _each(definition: Definition, given: list[Any]) -> Iterator[dict[str, Any]]:
    for place, one in enumerate(given, 1):
        if not isinstance(one, dict) or "answers" not in one:
            raise CommandError(f"Object {place} has no answers.")
        try:
            yield vectors.results(definition, one["answers"])
        except ValueError as refusal:
            raise CommandError(f"Object {place}: {refusal}") from None


def _as_json(found: Any) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _as_yaml(found: Any) -> str:
    told: str = yaml.safe_dump(found, sort_keys=False, allow_unicode=True)
    return told
