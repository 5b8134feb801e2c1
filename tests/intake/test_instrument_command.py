"""`manage.py instrument`: files in and out, and answers scored."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from clients.models import AuditEntry
from intake.actions import instruments as acts
from intake.models import Instrument
from intake.queries import instruments
from intake.rules import schema
from tests import factories
from tests.factories import NOW, SYSTEM

pytestmark = pytest.mark.django_db

CYCLE = instruments.SHIPPED / "cycle-reflection.yaml"


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("instrument", *map(str, arguments), stdout=out, stderr=StringIO())
    return out.getvalue()


def refusal(*arguments: object) -> str:
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    return str(refused.value)


def file(tmp_path: Path, content: str | bytes, name: str = "file.yaml") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- import, publish, export ---------------------------------------------------------------------


def test_what_is_shipped_comes_in_once(tmp_path: Path) -> None:
    first = run("import", "--shipped")
    assert "cycle-reflection 1.0.0: published" in first
    entries = AuditEntry.objects.filter(verb__startswith="instrument.").count()
    assert run("import", "--shipped") == first
    assert AuditEntry.objects.filter(verb__startswith="instrument.").count() == entries


def test_a_file_comes_in_as_a_draft_and_is_published(tmp_path: Path) -> None:
    assert run("import", CYCLE) == "cycle-reflection 1.0.0: draft\n"
    assert run("import", CYCLE, "--publish") == "cycle-reflection 1.0.0: published\n"
    assert run("import", CYCLE, "--publish") == "cycle-reflection 1.0.0: published\n"
    assert run("retire", "cycle-reflection") == "cycle-reflection 1.0.0: retired\n"
    assert run("publish", "cycle-reflection") == "cycle-reflection 1.0.0: published\n"
    assert run("list") == "cycle-reflection 1.0.0: published\n"


def test_what_goes_out_comes_in_again_as_it_was(tmp_path: Path) -> None:
    acts.load_shipped(by=SYSTEM, now=NOW)
    for row in Instrument.objects.all():
        told = run("export", row.slug, "--version", row.version)
        raw, faults = schema.read(told)
        assert (raw, faults) == (row.definition, [])
        shipped, _ = schema.read((instruments.SHIPPED / f"{row.slug}.yaml").read_bytes())
        assert raw == shipped
        assert list(raw or {})[:4] == ["id", "version", "language", "title"]


def test_it_goes_out_as_a_questionnaire_and_comes_in_as_one(tmp_path: Path) -> None:
    run("import", instruments.SHIPPED / "gad-7.yaml")
    told = json.loads(run("export", "gad-7", "--fhir"))
    assert (told["resourceType"], told["version"], told["status"]) == (
        "Questionnaire",
        "1.0.0",
        "draft",
    )
    told["version"], told["url"] = "2", "https://example.org/fhir/Questionnaire/gad-seven"
    told["name"] = "GadSeven"
    path = file(tmp_path, json.dumps(told), "file.json")
    line = run("import", path)
    assert line.endswith(" 2: draft\n")
    assert json.loads(run("export", line.split()[0], "--version", "2", "--fhir")) == told


def test_a_version_of_somebody_elses_words_is_attested_by_a_member(tmp_path: Path) -> None:
    member = factories.member("ada", roles=["admin"])
    name = member.user.get_username()
    raw, _ = schema.read((instruments.SHIPPED / "ras.yaml").read_bytes())
    assert raw is not None
    for item in raw["items"]:
        item["text"] = f"Words of {item['id']}"
    for scale in raw["scales"].values():
        for option in scale["options"]:
            option["label"] = option["label"] or str(option["value"])
    path = file(tmp_path, yaml.safe_dump(raw))
    run("import", path)
    assert "attest first" in refusal("publish", "ras")
    assert "No member" in refusal("attest", "ras", "--by", "nobody", "--basis", "a licence")
    assert "which ground" in refusal("attest", "ras", "--by", name, "--basis", "  ")
    assert run("attest", "ras", "--by", name, "--basis", "A letter of the author, 2027") == (
        f"ras {raw['version']}: attested by {name}.\n"
    )
    assert "published" in run("publish", "ras")


def test_without_words_nothing_is_published(tmp_path: Path) -> None:
    run("import", "--shipped")
    assert "words are missing" in refusal("publish", "ras")


def test_other_content_under_a_published_version_is_refused(tmp_path: Path) -> None:
    run("import", CYCLE, "--publish")
    changed = file(tmp_path, CYCLE.read_text().replace("minutes: 8", "minutes: 9"))
    assert "another version" in refusal("import", changed)
    retitled = (
        changed.read_text().replace('"1.0.0"', "1.0.0").replace("version: 1.0.0", "version: 1.0.1")
    )
    assert run("import", file(tmp_path, retitled), "--publish") == (
        "cycle-reflection 1.0.1: published\n"
    )
    assert Instrument.objects.get(version="1.0.0").state == Instrument.State.RETIRED


def test_what_is_wrong_is_said_with_its_line(tmp_path: Path) -> None:
    text = CYCLE.read_text().replace("scale: often5", "scale: often6", 1)
    line = text[: text.index("often6")].count("\n") + 1
    found = refusal("check", file(tmp_path, text)).splitlines()
    assert f"line {line}: items.P1.self.scale: No scale is named 'often6'." in found
    assert refusal("import", file(tmp_path, text)).splitlines() == found
    assert not Instrument.objects.exists()
    assert run("check", CYCLE) == "cycle-reflection 1.0.0 is in order.\n"


def test_a_file_whose_own_examples_do_not_come_out_is_refused(tmp_path: Path) -> None:
    text = CYCLE.read_text().replace("tentative: true", "tentative: false", 1)
    assert text != CYCLE.read_text()
    assert "test_vectors.TV4: 'tentative' comes out as True" in refusal(
        "import", file(tmp_path, text)
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"a: [\n", "line 2, column 1: This isn't YAML", id="yaml-that-ends"),
        pytest.param(b'{"a": 1\n "b"}', "line 2, column 2: This isn't JSON", id="json"),
        pytest.param(b"\xff\xfe", "isn't UTF-8", id="bytes"),
        pytest.param(b"", "mapping of names", id="empty"),
        pytest.param(b"- a\n", "mapping of names", id="list"),
        pytest.param(b"a: " + b"9" * 5000, "out of range", id="huge-number"),
        pytest.param(b"[" * 100_000, "deeper than 12", id="deep"),
        pytest.param(b"a: &x 1\nb: *x\n", "Anchors", id="alias"),
        pytest.param(b"x" * (1_048_576 + 1), "larger than 1 MB", id="large"),
        pytest.param(b'{"resourceType": "Patient"}', "", id="another-resource"),
    ],
)
def test_a_bad_file_is_refused_in_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = file(tmp_path, content)
    assert sentence in refusal("check", path)
    assert sentence in refusal("import", path)


def test_a_file_that_is_not_there_is_refused_in_a_sentence(tmp_path: Path) -> None:
    assert "can't be read" in refusal("check", tmp_path / "none.yaml")
    assert "can't be read" in refusal("check", tmp_path)
    assert "can't be read" in refusal("score", "phq-9", "--answers", tmp_path / "none.yaml")
    assert "Say which file" in refusal("import")
    assert "Say which file" in refusal("import", CYCLE, "--shipped")


# --- score ---------------------------------------------------------------------------------------


def scored(slug: str, path: Path) -> Any:
    return json.loads(run("score", slug, "--answers", path, "--json"))


def test_the_shipped_vectors_come_out_of_the_command(tmp_path: Path) -> None:
    cases = yaml.safe_load(CYCLE.read_text())["test_vectors"]
    for path in (CYCLE, file(tmp_path, json.dumps([{"answers": one["answers"]} for one in cases]))):
        found = scored("cycle-reflection", path)
        assert [one.keys() for one in found] == [one["expected"].keys() for one in cases]
        for one, case in zip(found, cases, strict=True):
            for name, expected in case["expected"].items():
                assert one[name] == pytest.approx(expected, abs=1e-4), (case["id"], name)


def test_one_object_gives_one_and_numbers_are_short(tmp_path: Path) -> None:
    cases = yaml.safe_load(CYCLE.read_text())["test_vectors"]
    path = file(tmp_path, json.dumps({"answers": cases[1]["answers"]}))
    found = scored("cycle-reflection", path)
    assert found["scores_B_self"] == {
        "PURSUE": 58.3333,
        "WITHDRAW": 33.3333,
        "F_REACH": 91.6667,
        "F_STEP": 12.5,
    }
    assert found["repair_A"] == 50
    assert isinstance(found["repair_A"], int)
    assert yaml.safe_load(run("score", "cycle-reflection", "--answers", path)) == found


def test_the_version_of_the_practice_goes_before_the_shipped_one(tmp_path: Path) -> None:
    path = file(tmp_path, json.dumps({"answers": {"A": None, "B": None}}))
    assert scored("cycle-reflection", path)["dance"] == "insufficient"
    answers = file(tmp_path, "answers: {close: 2, calm: never}\n", "answers.yaml")
    assert "no instrument mood" in refusal("score", "mood", "--answers", answers)
    factories.instrument()
    assert scored(factories.MOOD["id"], answers)["total"] == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param("", "Object 1 has no answers", id="nothing"),
        pytest.param("3", "Object 1 has no answers", id="a-number"),
        pytest.param("[1]", "Object 1 has no answers", id="a-list-of-numbers"),
        pytest.param("answers: 7", "must be an object with A and B", id="no-couple"),
        pytest.param("answers: {C: {}}", "must be an object with A and B", id="a-third"),
        pytest.param("answers: {A: 1}", "A must be an object", id="no-person"),
        pytest.param("answers: {A: {self: 1}}", "A.self must be", id="no-view"),
        pytest.param("answers: {A: {self: {P: 1}}}", "A.self.P must be a list", id="no-list"),
        pytest.param("answers: {A: {us: {P: [1]}}}", "A.us must be", id="wrong-list"),
        pytest.param("answers: {A: {self: {P: [1,1,1,1,1]}}}", "at most 4", id="too-many"),
        pytest.param("answers: {A: {self: {P: [5]}}}", "isn't on the scale of P1", id="too-much"),
        pytest.param("answers: {A: {self: {P: [1.5]}}}", "isn't on the scale", id="between"),
        pytest.param("answers: {A: {self: {P: [true]}}}", "isn't on the scale", id="a-truth"),
        pytest.param("answers: {A: {self: {P: [[1]]}}}", "isn't on the scale", id="nested"),
        pytest.param("answers: {A: {self: {P: [x]}}}", "isn't on the scale", id="a-word"),
        pytest.param("answers: {A: {self: {P: [-1]}}}", "isn't on the scale", id="negative"),
        pytest.param("answers: {A: {self: {P: [" + "9" * 4000 + "]}}}", "out of range", id="huge"),
        pytest.param('{"answers": {"A": {"self": {"P": [1e999]}}}}', "out of range", id="inf"),
    ],
)
def test_answers_that_are_none_are_refused_in_a_sentence(
    tmp_path: Path, content: str, sentence: str
) -> None:
    path = file(tmp_path, content)
    assert sentence in refusal("score", "cycle-reflection", "--answers", path, "--json")


def test_a_thousand_couples_are_scored_at_once(tmp_path: Path) -> None:
    case = yaml.safe_load(CYCLE.read_text())["test_vectors"][0]
    path = file(tmp_path, json.dumps([{"answers": case["answers"]}] * 1000))
    assert len(scored("cycle-reflection", path)) == 1000
