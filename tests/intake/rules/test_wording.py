"""Words in a language, the hash of locked ones, and stems that no client reads."""

from intake.rules import wording
from tests.intake.rules.small import RAW, item, small

FORM = small(
    title="Own title",
    intro="Hello",
    items=[item("q1", help="Think of now"), item("q2", text=None)],
    wording={"results": {"good": "Well done"}, "banned_stems": ["diagnos"]},
    subscales=[],
    translations={"es": {"title": "Título", "items.q1": "Uno"}},
)


def test_a_text_in_its_language_or_in_the_instruments_own() -> None:
    assert wording.text(FORM, "title", "es") == "Título"
    assert wording.text(FORM, "title", "es-MX") == "Título"
    assert wording.text(FORM, "title", "fr") == "Own title"
    assert wording.text(FORM, "title", "en") == "Own title"
    assert wording.text(FORM, "intro", "es") == "Hello"
    assert wording.text(FORM, "wording.results.good", "es") == "Well done"
    assert wording.text(FORM, "items.q2", "es") == ""
    assert wording.text(FORM, "no.such.key", "es") == ""


def test_all_texts_at_once_are_the_same_ones() -> None:
    for language in ("en", "es", "es-MX", "fr"):
        texts = wording.texts(FORM, language)
        assert texts == {key: wording.text(FORM, key, language) for key in wording.own_texts(FORM)}


def test_what_has_a_key() -> None:
    keys = set(wording.own_texts(FORM))
    assert {"title", "intro", "items.q1", "items.q1.help", "items.q2"} <= keys
    assert {"scales.five.c0", "scales.five.skip", "wording.results.good"} <= keys
    assert not {key for key in keys if "banned" in key}


def test_the_hash_is_of_the_words_alone() -> None:
    before = wording.text_hash(small())
    assert wording.text_hash(small(title="Another", minutes=3, source_citation="x")) == before
    shuffled = dict(reversed(list(RAW["scales"].items())))
    assert wording.text_hash(small(scales=shuffled)) == before
    for changed in (
        small(intro="Hello"),
        small(notice="No permission required"),
        small(items=[*RAW["items"][:3], {**RAW["items"][3], "text": "Four!"}]),
        small(items=[RAW["items"][1], RAW["items"][0], *RAW["items"][2:]]),
        small(
            scales={
                "five": {"options": [*RAW["scales"]["five"]["options"], {"value": 5, "label": "x"}]}
            }
        ),
    ):
        assert wording.text_hash(changed) != before


def test_banned_stems_are_found_in_any_case() -> None:
    words = {"a": "This is no Diagnosis.", "b": "All is well."}
    assert wording.banned(["diagnos", "toxic"], words) == [("a", "diagnos")]
