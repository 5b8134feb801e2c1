"""What is shipped: each file in order, locked words to the letter, keys without words, kind words.

The hashes stand here a second time on purpose: whoever changes a locked file has to change them in
two places, and so notices.
"""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from intake.rules import flags, schema, scoring, wording
from intake.rules.answers import Answered, by_weight
from intake.rules.definition import Definition, parse

CONTENT: Final = Path(__file__).parents[2] / "intake" / "content"
FILES: Final = sorted((CONTENT / "instruments").glob("*.yaml"))
ALL: Final = [*FILES, CONTENT / "taster.yaml"]
OWN: Final = ("cycle-reflection", "practice-intake", "private-check", "taster")
LOCKED: Final = {
    "gad-2": "83d77bd7a7288bf1f9101668d035b622b98e90eed6da11b64334833d947693f1",
    "gad-7": "f318d13842da3467366ea5f0cd6dc1f7232acb587729c8319e946faae4e64a98",
    "phq-2": "3f8db34088934ab0f37e02e35fa006bca7c2f77facc753e1568c0ab92805033c",
    "phq-9": "129cd60a2dcfdb4358e1d954f1b1342b3ec5b26bb7f7b6fe5c06d3edb1469f8d",
}
KEYS: Final = (
    "cpq-2017",
    "cpq-sf",
    "csi-16",
    "csi-4",
    "ecr-rs",
    "hits",
    "ras",
    "rdas",
    "who-5",
)
NOTICE: Final = (
    "Developed by Drs. Robert L. Spitzer, Janet B.W. Williams, Kurt Kroenke and colleagues, with an"
    " educational grant from Pfizer Inc. No permission required to reproduce, translate, display or"
    " distribute."
)


def definition(slug: str) -> Definition:
    path = next(one for one in ALL if one.stem == slug)
    raw, faults = schema.read(path.read_text(encoding="utf-8"))
    assert raw is not None, faults
    return parse(raw)


def said(of: Definition, answers: dict[str, Any]) -> dict[str, Answered]:
    found = {name: by_weight(of, name, value) for name, value in answers.items()}
    assert None not in found.values()
    return {name: one for name, one in found.items() if one is not None}


def test_nothing_is_shipped_that_this_file_does_not_name() -> None:
    assert {one.stem for one in ALL} == {*OWN, *LOCKED, *KEYS}


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_each_file_is_in_order_and_says_whose_it_is(path: Path) -> None:
    raw, faults = schema.read(path.read_text(encoding="utf-8"))
    assert [str(one) for one in faults] == []
    assert raw is not None
    found = parse(raw)
    assert found.id == path.stem
    assert found.source_citation
    assert found.copyright
    assert found.client_title
    assert path.stem in (CONTENT / "LICENSE").read_text(encoding="utf-8")
    assert path.stem in (CONTENT / "README.md").read_text(encoding="utf-8")
    if found.subscales:
        assert len(found.vectors) >= 3


@pytest.mark.parametrize("slug", [one.stem for one in FILES if one.stem != "cycle-reflection"])
def test_each_vector_scores_to_what_it_says(slug: str) -> None:
    found = definition(slug)
    for vector in found.vectors:
        given = said(found, vector.answers)
        scores = scoring.score(found, given)
        for subscale, expected in vector.expected.items():
            if subscale == "flags":
                raised = flags.raised(found, given, sent=True)
                assert [one.kind for one in raised] == expected, vector.id
                continue
            value = scores[subscale]
            if expected is None:
                assert value is None, (vector.id, subscale)
            else:
                assert value is not None, (vector.id, subscale)
                assert abs(value - Fraction(str(expected))) <= Fraction(1, 10_000), vector.id


@pytest.mark.parametrize("slug", sorted(LOCKED))
def test_a_locked_instrument_keeps_its_words_to_the_letter(slug: str) -> None:
    found = definition(slug)
    assert found.locked
    assert found.licence.basis == "public-notice"
    assert (found.notice, found.copyright) == (NOTICE, NOTICE)
    assert wording.text_hash(found) == found.text_hash == LOCKED[slug]
    # A translation is another instrument.
    assert found.translations == {}
    assert found.wordless() == []


def test_a_word_changed_in_a_locked_instrument_changes_its_hash() -> None:
    path = CONTENT / "instruments" / "phq-9.yaml"
    raw = yaml.safe_load(path.read_text(encoding="utf-8").replace("hopeless", "sad"))
    assert wording.text_hash(parse(raw)) != LOCKED["phq-9"]


def test_the_short_ones_are_the_first_two_items_of_the_long_ones() -> None:
    for short, whole in (("phq-2", "phq-9"), ("gad-2", "gad-7")):
        first, all_of = definition(short), definition(whole)
        assert [(one.text, one.code) for one in first.items] == [
            (one.text, one.code) for one in all_of.items[:2]
        ]
        assert first.intro == all_of.intro


@pytest.mark.parametrize("slug", KEYS)
def test_a_key_has_no_words_and_asks_for_an_attestation(slug: str) -> None:
    found = definition(slug)
    assert found.licence.basis == "attested"
    assert not found.locked
    assert not found.translations
    assert [one.text for one in found.items] == [None] * len(found.items)
    assert {one.help for one in found.items} == {""}
    labels = {one.label for scale in found.scales.values() for one in scale.options}
    assert all(label is None or re.fullmatch(r"\d", label) for label in labels)
    assert found.wordless()


def test_the_keys_count_what_was_published() -> None:
    spans = {
        slug: {one.id: (int(one.range[0]), int(one.range[1])) for one in definition(slug).subscales}
        for slug in KEYS
    }
    assert spans["cpq-2017"] == {"CC": (9, 81), "SDPW": (7, 63), "PDSW": (7, 63)}
    assert spans["csi-16"] == {"TOTAL": (0, 81)}
    assert spans["csi-4"] == {"TOTAL": (0, 21)}
    assert spans["rdas"]["TOTAL"] == (0, 69)
    assert spans["hits"] == {"TOTAL": (4, 20)}
    assert spans["who-5"] == {"TOTAL": (0, 100)}
    for slug in (*KEYS, *LOCKED, "practice-intake"):
        found = definition(slug)
        for subscale in found.subscales:
            assert _span(found, subscale.id) == subscale.range, (slug, subscale.id)
    assert {one.id for one in definition("ras").items if one.reverse} == {"Q4", "Q7"}
    assert {one.id for one in definition("cpq-2017").items if one.reverse} == {"Q1", "Q24", "Q26"}


def _span(found: Definition, subscale: str) -> tuple[Fraction | None, Fraction | None]:
    """The least and the greatest score that answers can have; found without trusting the file."""
    ends = []
    for take in (min, max):
        answers = {}
        for item in found.items:
            scale = found.scale_of(item)
            if scale is None or not item.scored:
                continue
            weights = [one.value for one in scale.options if one.value is not None]
            end = take(weights) if not item.reverse else min(weights) + max(weights) - take(weights)
            answers[item.id] = Answered(next(o.code for o in scale.options if o.value == end))
        ends.append(scoring.score(found, answers)[subscale])
    return ends[0], ends[1]


def test_every_threshold_and_every_change_is_cited_and_no_threshold_speaks_to_clients() -> None:
    for path in FILES:
        found = definition(path.stem)
        cited = [one.citation for one in found.cuts] + [one.citation for one in found.change]
        assert all(re.search(r"\d{4}|manual", one) for one in cited), path.stem
        assert not any(one.label_client for one in found.cuts)
    for slug in OWN:
        assert definition(slug).cuts == ()
        assert definition(slug).change == ()


@pytest.mark.parametrize(
    ("answers", "kinds"),
    [
        ({"S1": "yes", "S2": "no", "S3": "no", "S4": "yes"}, []),
        ({"S1": "yes", "S2": "yes", "S3": "no", "S4": "yes"}, ["individual-first"]),
        ({"S1": "yes", "S2": "no", "S3": "yes", "S4": "yes"}, ["individual-first"]),
        ({"S1": "yes", "S2": "no", "S3": "no", "S4": "not-sure"}, ["individual-first"]),
        ({"S1": "yes", "S2": "no", "S3": "no", "S4": "no"}, ["individual-first"]),
        ({"S1": "yes", "S2": "skip", "S3": "no", "S4": "yes"}, ["ask-in-person"]),
        (
            {"S1": "yes", "S2": "skip", "S3": "yes", "S4": "no"},
            ["ask-in-person", "individual-first"],
        ),
        ({"S1": "yes", "S2": "no", "S3": "no", "S4": "skip"}, ["ask-in-person"]),
        ({"S1": "no", "S2": "yes"}, []),
        ({"S1": "not-sure", "S3": "yes"}, []),
    ],
)
def test_the_private_check_flags_what_is_said_or_left_out(
    answers: dict[str, Any], kinds: list[str]
) -> None:
    found = definition("private-check")
    given = said(found, answers)
    raised = flags.raised(found, given, sent=True)
    assert sorted({one.kind for one in raised}) == kinds
    # Nobody hears of it before it is sent: somebody may have pressed the wrong one.
    assert flags.raised(found, given, sent=False) == []


@pytest.mark.parametrize(("answer", "flagged"), [(0, False), (1, True), (3, True), (None, False)])
def test_thoughts_of_self_harm_are_urgent_at_once_and_unanswered_is_never_0(
    answer: int | None, flagged: bool
) -> None:
    found = definition("phq-9")
    given = said(found, {} if answer is None else {"phq9_9": answer})
    for sent in (False, True):
        raised = flags.raised(found, given, sent=sent)
        assert [(one.severity, one.kind) for one in raised] == [("urgent", "self-harm")] * flagged
    assert scoring.score(found, given)["TOTAL"] is None


@pytest.mark.parametrize("item", ["Q1", "Q3"])
def test_hits_flags_any_hurt_or_threat_whatever_the_total(item: str) -> None:
    found = definition("hits")
    given = said(found, {f"Q{number}": 1 for number in range(1, 5)} | {item: 2})
    assert scoring.cuts_met(found, scoring.score(found, given)) == []
    assert [one.kind for one in flags.raised(found, given, sent=True)] == ["individual-first"]


@pytest.mark.parametrize("slug", OWN)
def test_our_own_words_are_all_there_in_spanish(slug: str) -> None:
    found = definition(slug)
    own = {name for name, words in wording.own_texts(found).items() if words}
    assert found.languages() == ("en", "es")
    assert set(found.translations["es"]) == own


# Of words in Spanish, beside the stems that the definition itself has.
BANNED: Final = ("calific", "diagnóstic", "trastorno", "tóxic", "maltratador", "culpable")


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("slug", OWN)
def test_our_own_words_never_label_anybody(slug: str, language: str) -> None:
    stems = [*definition("cycle-reflection").wording["banned_stems"], *BANNED]
    words = wording.texts(definition(slug), language)
    # The statement says what an instrument isn't, and so names it.
    told = {key: text for key, text in words.items() if key != "statement"}
    assert wording.banned(stems, told) == []
    # The control: the statement would be found.
    if (slug, language) == ("cycle-reflection", "en"):
        assert wording.banned(stems, words) == [("statement", "diagnos")]


@pytest.mark.parametrize("language", ["en", "es"])
def test_no_role_has_a_gender_and_nobody_is_promised_to_be_read_at_once(language: str) -> None:
    gendered = {
        "en": r"\b(he|she|his|her|him|husband|wife|man|woman|men|women|boyfriend|girlfriend)\b",
        "es": r"\b(él|ella|marido|esposo|esposa|mujer|hombre|novio|novia)\b",
    }[language]
    for slug in OWN:
        for key, text in wording.texts(definition(slug), language).items():
            assert not re.search(gendered, text, re.I), (slug, key)
            assert not re.search(r"immediately|right away|de inmediato", text, re.I), (slug, key)


def test_the_taster_is_never_given_to_anybody() -> None:
    assert CONTENT / "taster.yaml" not in FILES
    taster, cycle = definition("taster"), definition("cycle-reflection")
    for item in taster.items:
        source = cycle.item(f"{item.id}.self") or cycle.item(f"{item.id}.us")
        assert source is not None
        assert item.text == source.text
    assert {one.kind for one in taster.items} == {"boolean"}
