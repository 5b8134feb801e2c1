"""What a name, an address, a number and a line of text may be: cleaned, or refused in words.

The refusals follow what breaks in practice: control characters cut mail headers, bidirectional
overrides disguise names, and Django's own e-mail rule lets quoted local parts and localhost pass.
"""

import re
import unicodedata

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

NAME_LIMIT = 200
EMAIL_LIMIT = 254

_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_MARKS = re.compile("[\u200e\u200f\u061c\ufeff\u00ad]")
_TAGS = re.compile("[\U000e0000-\U000e007f]")
_FLAG_SEQUENCE = re.compile("\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f")
# Mail programs make links of bare domains too; "St.John" and "Ph.D" are names.
_LINK = re.compile(
    r"(?i)\b(?:https?|hxxps?|ftp|mailto|javascript|data|tel)\s*:|\bwww\.|://"
    r"|[\w-]\.[a-z]{2,}/"
    r"|[\w-]\.(?:com|net|org)\b"
    r"|[\w-]{2,}\.(?:info|biz|example|xyz|top|online|site|shop|club|click|link|live|app|ru|tk)\b"
)
# Letters by their category, yet nothing is seen of them.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f]")
# IDNA 2003, which Python speaks, makes another domain of these than today's registries do.
_DEVIANT = re.compile("[\u00df\u1e9e\u03c2\u200c\u200d]")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
# No letters (vanity numbers, extensions), no *67 and the like, no parameters.
_PHONE = re.compile(r"[\s(]*\+?[\d\s()./\u2010-\u2015\u2212-]+")

# Numbers nobody should be sent a text to: they cost the practice, or reach nobody.
_REACHABLE = {
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE,
    PhoneNumberType.VOIP,
    PhoneNumberType.PERSONAL_NUMBER,
}


class Refused(Exception):
    """A value that can't be taken; `code` is stable, `sentence` is for the one who typed it."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def _check_characters(text: str) -> None:
    if _BIDI.search(text):
        raise Refused("bidi", "Please leave out the characters that turn the writing direction.")
    if _TAGS.search(_FLAG_SEQUENCE.sub("", text)):
        raise Refused("tags", "Please leave out the invisible tag characters.")
    for char in text:
        category = unicodedata.category(char)
        if category in {"Cc", "Cs", "Co"} or (ord(char) & 0xFFFE) == 0xFFFE:
            raise Refused("characters", "Please use letters, digits and signs only.")
        # U+FFFD stands where somebody's program could not read what was typed.
        if 0xFDD0 <= ord(char) <= 0xFDEF or char == "\ufffd":
            raise Refused("characters", "Please use letters, digits and signs only.")


def _is_seen(char: str) -> bool:
    return not (char.isspace() or unicodedata.category(char) == "Cf" or _UNSEEN.match(char))


def one_line(text: str, *, limit: int = NAME_LIMIT) -> str:
    """One line of text as we store it: NFC, edges trimmed, inner white space single.

    Refuses (Refused) line breaks, control and private-use characters, surrogates,
    direction overrides, more than `limit` characters, and what is blank once cleaned.
    """
    text = text.strip(" \t\u00a0")
    if re.search("[\r\n\u2028\u2029\u0085\x0b\x0c]", text):
        raise Refused("line_break", "Please write this on one line.")
    text = text.replace("\t", " ")
    _check_characters(text)
    text = unicodedata.normalize("NFC", _MARKS.sub("", text))
    text = re.sub(r"\s+", " ", text).strip()
    if not any(_is_seen(char) for char in text):
        raise Refused("blank", "Please fill this in.")
    if len(text) > limit:
        raise Refused("too_long", f"Please use at most {limit} characters.")
    return text


def name(text: str) -> str:
    """A person's name: one line, and no address of a page in it (mails carry it to others)."""
    cleaned = one_line(text)
    if _LINK.search(cleaned):
        raise Refused("link", "Please write a name without a link in it.")
    return cleaned


def paragraph(text: str, *, limit: int) -> str:
    """Text of several lines as typed (NFC). Refuses NUL, surrogates and more than `limit`."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    if "\x00" in text or any(unicodedata.category(char) == "Cs" for char in text):
        raise Refused("characters", "Please leave out characters that can't be shown.")
    if len(text) > limit:
        raise Refused("too_long", f"Please use at most {limit} characters.")
    return text


def email(text: str) -> str:
    """An e-mail address, trimmed, its domain in lower-case A-labels; the local part as typed.

    Refuses (Refused) lists, display names, quoted local parts, address literals, single-label
    domains, encoded words, line breaks and more than 254 characters.
    """
    wrong = Refused("email", "This doesn't look like an e-mail address. Example: ana@example.org")
    text = text.strip(" \t\u00a0")
    if len(text) > EMAIL_LIMIT:
        raise Refused("too_long", f"Please use at most {EMAIL_LIMIT} characters.")
    local, at, domain = text.rpartition("@")
    if (
        not at
        or _DEVIANT.search(domain)
        or len(local) > 64
        or not _LOCAL.fullmatch(local)
        or "=?" in local
    ):
        raise wrong
    try:
        ascii_domain = unicodedata.normalize("NFC", domain).encode("idna").decode().lower()
    except UnicodeError:
        raise wrong from None
    labels = ascii_domain.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise wrong
    if labels[-1].isdigit() or len(local) + 1 + len(ascii_domain) > EMAIL_LIMIT:
        raise wrong
    return f"{local}@{ascii_domain}"


def phone(text: str, *, region: str) -> str:
    """A telephone number in E.164; `region` reads numbers without a country code.

    Refuses (Refused) short codes, premium, free, satellite and impossible numbers, extensions
    and anything with parameters.
    """
    wrong = Refused("phone", "This doesn't look like a telephone number. Example: +1 201 555 0123")
    text = unicodedata.normalize("NFKC", text.strip(" \t\u00a0"))
    one_line_form = not any(unicodedata.category(char) == "Cc" for char in text)
    if len(text) > 40 or not one_line_form or not _PHONE.fullmatch(text):
        raise wrong
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise wrong from None
    if number.extension or not phonenumbers.is_valid_number(number):
        # Ranges kept for films and tests (201-555-01xx) are possible, not valid: let those pass.
        if number.extension or not _is_example_range(number):
            raise wrong
    elif phonenumbers.number_type(number) not in _REACHABLE or _is_nowhere(number):
        raise wrong
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _is_nowhere(number: phonenumbers.PhoneNumber) -> bool:
    """Satellite and other numbers that belong to no country (region 001)."""
    return phonenumbers.region_code_for_number(number) == "001"


def _is_example_range(number: phonenumbers.PhoneNumber) -> bool:
    national = str(number.national_number)
    return number.country_code == 1 and len(national) == 10 and national[3:8] == "55501"


# Hyphens and apostrophes are typed in many ways, and Turkish has four letters for one i.
_ALIKE = str.maketrans({"\u2010": "-", "\u2013": "-", "\u2019": "'", "\u02bc": "'", "\u0131": "i"})


def search_form(text: str) -> str:
    """The form in which a value is compared: NFKC, case folded, single spaces, one kind of i."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("i\u0307", "i")
    return " ".join(unicodedata.normalize("NFKC", folded.translate(_ALIKE)).split())


def name_tokens(full_name: str) -> frozenset[str]:
    """The words of a name in search form, and their parts, to find a person by any of them."""
    whole = search_form(full_name)
    parts = re.split(r"[\s'-]+", whole)
    return frozenset(word for word in (whole, *whole.split(), *parts) if word)
