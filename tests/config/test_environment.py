import base64
import os
from pathlib import Path

import pytest

from config.environment import (
    NAMES,
    SAMPLE_NOTES_KEY,
    SAMPLE_SECRET_KEY,
    Environment,
    Misconfigured,
    check_notes_keys,
    check_secret_key,
)
from config.redis_urls import broker_url, cache_url
from config.state import new_notes_key

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_mistyped_name_is_refused_and_named() -> None:
    with pytest.raises(Misconfigured, match="DUET_BASE_ULR"):
        Environment({"DUET_BASE_ULR": "x", "DUET_MODE": "demo"}).refuse_unknown()


def test_a_secret_comes_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("  words\n")
    file.chmod(0o600)
    assert Environment({"DUET_SECRET_KEY_FILE": str(file)}).secret("DUET_SECRET_KEY") == "words"


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [(0o644, "Everybody can read"), (0o602, "Everybody"), (0o640, "group"), (0o620, "group")],
)
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int, sentence: str) -> None:
    file = tmp_path / "secret"
    file.write_text("words")
    file.chmod(mode)
    with pytest.raises(Misconfigured, match=sentence) as refusal:
        Environment({"DUET_SECRET_KEY_FILE": str(file)}).secret("DUET_SECRET_KEY")
    assert f"chmod 600 {file}" in str(refusal.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_group_may_read_a_secret_that_is_somebody_elses(tmp_path: Path) -> None:
    """So a container hands a secret to a process that doesn't own it."""
    file = tmp_path / "secret"
    file.write_text("words")
    file.chmod(0o640)
    os.chown(file, 12345, -1)
    assert Environment({"DUET_SECRET_KEY_FILE": str(file)}).secret("DUET_SECRET_KEY") == "words"
    file.chmod(0o644)
    with pytest.raises(Misconfigured, match="Everybody can read"):
        Environment({"DUET_SECRET_KEY_FILE": str(file)}).secret("DUET_SECRET_KEY")


def test_a_secret_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        Environment({"DUET_NOTES_KEY_FILE": str(tmp_path / "none")}).secret("DUET_NOTES_KEY")


def test_a_secret_given_twice_is_refused() -> None:
    given = {"DUET_SECRET_KEY": "a", "DUET_SECRET_KEY_FILE": "/b"}
    with pytest.raises(Misconfigured, match="not both"):
        Environment(given).secret("DUET_SECRET_KEY")


@pytest.mark.parametrize("value", ["-1", "1.5", "many", "٣"])
def test_what_is_no_whole_number_is_refused(value: str) -> None:
    with pytest.raises(Misconfigured, match="whole number"):
        Environment({"DUET_TRUSTED_PROXIES": value}).number("DUET_TRUSTED_PROXIES", 0)


@pytest.mark.parametrize("value", ["example.org", "ftp://example.org", "https://", "javascript:x"])
def test_what_is_no_web_address_is_refused(value: str) -> None:
    with pytest.raises(Misconfigured, match="has to look like https"):
        Environment({"DUET_BASE_URL": value}).origin_url("DUET_BASE_URL")


def test_an_address_loses_its_closing_slash() -> None:
    given = Environment({"DUET_BASE_URL": "https://example.org/"})
    assert given.origin_url("DUET_BASE_URL") == "https://example.org"


def test_every_name_is_documented_and_every_documented_name_exists() -> None:
    text = (ROOT / "docs" / "environment.md").read_text()
    documented = {word.strip("`|") for word in text.split() if word.strip("|").startswith("`DUET_")}
    assert documented == NAMES


def test_a_good_key_passes() -> None:
    check_notes_keys(new_notes_key(), secret_key="s" * 50, mode="production")


SAMPLE = SAMPLE_NOTES_KEY.partition(":")[2]
# Drawn once and kept: a test's name is made of it, and has to be the same in each process.
KEY = "kd7a67e7f-UCRyLvPzv-54kT-nRrdevv3YEHUcRkZps"
OTHER = "NdwPxPfl9UuDCH2_jpISUezm4TslDSm2D_wpzuphC6k"


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ("", "isn't set"),
        (SAMPLE_NOTES_KEY, "sample key"),
        (f"k1:{KEY},{SAMPLE_NOTES_KEY}", "sample key"),
        (f"mine:{SAMPLE.rstrip('=')}", "sample key"),
        ("k1:c2hvcnQ=", "32 bytes"),
        ("k1:not base64 at all", "id:key|32 bytes"),
        ("without-an-id", "id:key"),
        (f"k1:{KEY},k2-{OTHER}", "id:key"),
        (f"k1:{KEY},k1:{'B' * 43}", "names the key 'k1' twice"),
        (f"k1:{KEY}\nk2:{KEY}=", "'k2' under another name too"),
        ("k1:" + "A" * 43, "wasn't drawn at random"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_with_one_sentence(keys: str, sentence: str) -> None:
    with pytest.raises(Misconfigured, match=sentence) as refusal:
        check_notes_keys(keys, secret_key="s" * 50, mode="production")
    assert "\n" not in str(refusal.value)
    assert KEY not in str(refusal.value)


RAW = base64.urlsafe_b64decode(KEY + "=")
SPELLINGS = {
    "the whole line": f"k1:{KEY}",
    "as it stands": KEY,
    "padded": f"{KEY}=",
    "standard": base64.b64encode(RAW).decode(),
    "hexadecimal": RAW.hex(),
    "HEXADECIMAL": RAW.hex().upper(),
}


@pytest.mark.parametrize("secret", SPELLINGS.values(), ids=SPELLINGS)
def test_a_key_that_is_the_secret_key_is_refused_however_it_is_written(secret: str) -> None:
    with pytest.raises(Misconfigured, match="same as DUET_SECRET_KEY"):
        check_notes_keys(f"k1:{KEY}", secret_key=secret, mode="demo")


def test_a_key_made_of_the_secret_keys_letters_is_refused() -> None:
    secret = "thirty-two letters for a secret!"
    key = base64.b64encode(secret.encode()).decode()
    with pytest.raises(Misconfigured, match="same as DUET_SECRET_KEY"):
        check_notes_keys(f"k1:{key}", secret_key=secret, mode="demo")


def test_the_sample_secret_key_is_for_a_demo_and_stands_in_the_sample() -> None:
    check_secret_key(SAMPLE_SECRET_KEY, mode="demo")
    assert SAMPLE_SECRET_KEY in (ROOT / ".env.example").read_text()
    with pytest.raises(Misconfigured, match="sample key"):
        check_secret_key(SAMPLE_SECRET_KEY, mode="production")


def test_the_sample_key_opens_a_demo_and_stands_in_the_sample() -> None:
    check_notes_keys(SAMPLE_NOTES_KEY, secret_key="s" * 50, mode="demo")
    assert SAMPLE_NOTES_KEY in (ROOT / ".env.example").read_text()


@pytest.mark.parametrize(
    ("given", "cache", "broker"),
    [
        ("redis://h:6379/2", "redis://h:6379/2", "redis://h:6379/2"),
        ("rediss://h/0", "rediss://h/0", "rediss://h/0?ssl_cert_reqs=required"),
        ("unix://:pw@/s?db=3", "unix://:pw@/s?db=3", "redis+socket://:pw@/s?virtual_host=3"),
        (
            "redis+socket://:pw@/s?virtual_host=1",
            "unix://:pw@/s?db=1",
            "redis+socket://:pw@/s?virtual_host=1",
        ),
    ],
)
def test_one_redis_address_is_spelled_for_both_readers(given: str, cache: str, broker: str) -> None:
    assert (cache_url(given), broker_url(given)) == (cache, broker)


def test_an_address_of_something_else_than_redis_is_refused() -> None:
    with pytest.raises(Misconfigured, match="REDIS_URL"):
        cache_url("amqp://localhost")


def test_origins_are_read_as_browsers_write_them() -> None:
    given = {"DUET_EMBED_ORIGINS": "https://Example.org/, http://localhost:8080"}
    assert Environment(given).origins("DUET_EMBED_ORIGINS") == [
        "https://example.org",
        "http://localhost:8080",
    ]


@pytest.mark.parametrize(
    "value",
    [
        "*",
        "null",
        "example.org",
        "https://*.example.org",
        "https://example.org/book",
        "https://ana@example.org",
        "https://",
        "javascript:alert(1)",
        "https://example.org null",
    ],
)
def test_what_is_no_origin_is_refused(value: str) -> None:
    with pytest.raises(Misconfigured, match="has to look like https"):
        Environment({"DUET_EMBED_ORIGINS": value}).origins("DUET_EMBED_ORIGINS")
