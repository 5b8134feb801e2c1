"""Names, addresses and numbers: what is cleaned, what is refused, and how they are compared."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.rules import contact
from clients.rules.contact import Refused


@given(st.text(max_size=300))
def test_a_line_of_any_text_is_either_refused_or_clean(text: str) -> None:
    try:
        cleaned = contact.one_line(text)
    except Refused:
        return
    assert cleaned == unicodedata.normalize("NFC", cleaned)
    assert cleaned == " ".join(cleaned.split())
    assert 0 < len(cleaned) <= contact.NAME_LIMIT
    assert not {unicodedata.category(char) for char in cleaned} & {"Cc", "Cs", "Co", "Zl", "Zp"}
    assert contact.one_line(cleaned) == cleaned


@given(st.text(max_size=60))
def test_any_text_as_an_address_is_refused_or_fits_a_mail_header(text: str) -> None:
    try:
        address = contact.email(text)
    except Refused:
        return
    assert address.isascii()
    assert not set(address) & set(' \t\r\n,;:<>"()[]\\')
    assert contact.email(address) == address


@given(st.text(alphabet="+0123456789 ()-./x*#;,٣９", max_size=40))
def test_any_text_as_a_number_is_refused_or_in_e164(text: str) -> None:
    try:
        number = contact.phone(text, region="US")
    except Refused:
        return
    assert number.startswith("+")
    assert number[1:].isdecimal()
    assert number.isascii()
    assert contact.phone(number, region="DE") == number


@pytest.mark.parametrize(
    "text",
    [
        *("evil.com", "see evil.example/x", "bit.ly/x", "HTTP://x", "hxxp:x", "www.x.y"),
        *("me@evil.com", "javascript:alert(1)", "//evil.org"),
    ],
)
def test_a_link_in_a_name_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="without a link"):
        contact.name(text)


@pytest.mark.parametrize("text", ["St.John Smith", "Ph.D Anna", "Mai.Ly", "a.organ", "Mr. D. O."])
def test_a_dot_in_a_name_makes_no_link(text: str) -> None:
    assert contact.name(text) == text


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\u3164\u3164", "\u2800", "\ufeff", "\u00ad"])
def test_what_nobody_can_see_is_blank(text: str) -> None:
    with pytest.raises(Refused, match="fill this in"):
        contact.one_line(text)


@pytest.mark.parametrize("text", ["a@straße.example", "a@ΣΑΣς.example", "a@b\u200dc.example"])
def test_a_domain_that_two_standards_read_differently_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        contact.email(text)


@pytest.mark.parametrize(
    "text",
    [
        *("*67 2015550123", "+1 201 555 0123 x9", "+1-201-555-0123,9", "+1 201 555 0123#9"),
        *("911", "112", "0900 1234567", "+1 900 555 0123", "+1 800 555 0123"),
        *("+881 6 1234 5678", "+882 16 1234 5678", "1-800-FLOWERS", "tel:+12015550123"),
        *("++12015550123", "+1 201 555 0123\x00", "+", ""),
    ],
)
def test_a_number_that_costs_or_reaches_nobody_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="telephone number"):
        contact.phone(text, region="DE")


def test_numbers_kept_for_stories_pass() -> None:
    assert contact.phone("(201) 555-0199", region="US") == "+12015550199"
    with pytest.raises(Refused):
        contact.phone("(201) 555-0299 1", region="US")


def test_only_the_domain_of_an_address_is_lower_cased() -> None:
    assert contact.email("Ana.B+x@Mail.EXAMPLE.org") == "Ana.B+x@mail.example.org"


def test_text_of_several_lines_is_kept_as_typed_but_for_line_ends() -> None:
    assert contact.paragraph(" a\r\n\tb \n", limit=20) == " a\n\tb \n"
    with pytest.raises(Refused, match="at most 3"):
        contact.paragraph("abcd", limit=3)
    with pytest.raises(Refused, match="can't be shown"):
        contact.paragraph("a\x00", limit=20)
    with pytest.raises(Refused, match="can't be shown"):
        contact.paragraph("a\ud800", limit=20)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("İSTANBUL", "istanbul"),
        ("Işık", "ışık"),
        ("ISIK", "ısık"),
        ("Straße", "STRASSE"),
        ("Ｊｅａｎ\u2011Luc", "jean-luc"),
        ("O’Neil", "o'neil"),
        ("Zoe\u0308", "ZOË"),
        ("  Ana \u2003 Alder ", "ana alder"),
    ],
)
def test_two_spellings_of_one_name_compare_alike(one: str, other: str) -> None:
    assert contact.search_form(one) == contact.search_form(other)


def test_two_names_do_not_compare_alike() -> None:
    assert contact.search_form("Аnna") != contact.search_form("Anna")  # the first A is Cyrillic


def test_a_name_is_found_by_its_words_and_their_parts() -> None:
    assert contact.name_tokens("Anne-Marie O’Neil") == {
        *("anne-marie o'neil", "anne-marie", "o'neil", "anne", "marie", "o", "neil")
    }


@given(st.text(max_size=80))
def test_comparing_never_fails_and_settles_at_once(text: str) -> None:
    once = contact.search_form(text)
    assert contact.search_form(once) == once
