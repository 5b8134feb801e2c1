"""Reads the environment: typed, NAME_FILE variants, one sentence when something is wrong."""

import base64
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from clients.rules.envelope import KeyRefused, parse_keyring

CONFIG_ERROR = 78  # EX_CONFIG of sysexits.h: "something was found in an unconfigured state"

# Every DUET_* name there is. docs/environment.md says what each does, and a test keeps both equal.
NAMES = frozenset(
    {
        "DUET_ALLOWED_HOSTS",
        "DUET_BASE_URL",
        "DUET_DATA_DIR",
        "DUET_EMBED_ORIGINS",
        "DUET_FROM_EMAIL",
        "DUET_MAILBOX_PORT",
        "DUET_METRICS_TOKEN",
        "DUET_MODE",
        "DUET_NOTES_KEY",
        "DUET_NOTES_KEY_FILE",
        "DUET_QUICK_EXIT_URL",
        "DUET_REDIS_PREFIX",
        "DUET_RETENTION_YEARS",
        "DUET_SECRET_KEY",
        "DUET_SECRET_KEY_FILE",
        "DUET_SMS_URL",
        "DUET_THROTTLE",
        "DUET_TRUSTED_PROXIES",
    }
)

# The keys of .env.example. Everybody can read them there, so they are for demo practices only.
SAMPLE_NOTES_KEY = "sample:ZHVldC1zYW1wbGUta2V5LW5vdC1mb3ItcmVhbC11c2U="
SAMPLE_SECRET_KEY = "sample-secret-key-not-for-real-use-0123456789"  # noqa: S105
# Of 32 bytes drawn at random, fewer than this many differ once in 10^25 times.
_FEWEST_BYTES = 12

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d{1,5})?")


class Misconfigured(Exception):
    """The environment cannot be served from; the message is one sentence for the operator."""


class Environment:
    """A reader over a mapping of names to texts; empty values count as absent."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values

    def refuse_unknown(self) -> None:
        """Refuse DUET_* names that nobody reads, since a typing error would pass in silence."""
        unknown = sorted(n for n in self._values if n.startswith("DUET_") and n not in NAMES)
        if unknown:
            raise Misconfigured(
                f"Unknown environment name {', '.join(unknown)}: docs/environment.md lists all."
            )

    def text(self, name: str, default: str = "") -> str:
        """Return the stripped value, or the default where it is absent or empty."""
        return self._values.get(name, "").strip() or default

    def secret(self, name: str) -> str:
        """Return NAME, or the content of the file NAME_FILE; refuses both and readable files."""
        value, path = self.text(name), self.text(f"{name}_FILE")
        if value and path:
            raise Misconfigured(f"Set {name} or {name}_FILE, not both.")
        return secret_file(Path(path), f"{name}_FILE") if path else value

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """Return one of the allowed words; refuses any other."""
        value = self.text(name, default)
        if value not in allowed:
            raise Misconfigured(f"{name} is {value!r}; it can be {' or '.join(allowed)}.")
        return value

    def switch(self, name: str, default: bool) -> bool:
        """Return True for `on` and False for `off`; refuses any other word."""
        return self.choice(name, ("on", "off"), "on" if default else "off") == "on"

    def number(self, name: str, default: int) -> int:
        """Return a whole number of 0 or more; refuses anything else."""
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdigit()):
            raise Misconfigured(f"{name} is {value!r}; it has to be a whole number.")
        return int(value)

    def words(self, name: str) -> list[str]:
        """Return the values of a list parted by commas or blanks."""
        return self.text(name).replace(",", " ").split()

    def origins(self, name: str) -> list[str]:
        """Return a list of origins as browsers write them; refuses `*`, `null` and paths."""
        found = [word.lower().rstrip("/") for word in self.words(name)]
        for origin in found:
            if not _ORIGIN.fullmatch(origin):
                raise Misconfigured(
                    f"{name} holds {origin!r}; each has to look like https://example.org."
                )
        return found

    def origin_url(self, name: str, default: str = "") -> str:
        """Return an http(s) address without its closing slash; refuses anything else."""
        value = self.text(name, default).rstrip("/")
        if not value:
            return ""
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise Misconfigured(f"{name} is {value!r}; it has to look like https://example.org.")
        return value


def secret_file(path: Path, name: str) -> str:
    """Return a secret file's text; refuses one that is missing, or that others can read.

    Its group may read a file that is somebody else's: so containers and systemd hand secrets to a
    process that isn't their owner.
    """
    try:
        about = path.stat()
        content = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{name} names {path}, which cannot be read.") from error
    if about.st_mode & stat.S_IRWXO:
        raise Misconfigured(f"Everybody can read {path} ({name}): run `chmod 600 {path}`.")
    if about.st_mode & stat.S_IRWXG and about.st_uid == os.geteuid():
        raise Misconfigured(f"Its group can read {path} ({name}): run `chmod 600 {path}`.")
    return content


def check_secret_key(secret_key: str, *, mode: str) -> None:
    """Refuse a key for cookies that is too short, or known to all."""
    if len(secret_key) < 32:
        raise Misconfigured("DUET_SECRET_KEY is too short: at least 32 characters.")
    if mode != "demo" and secret_key == SAMPLE_SECRET_KEY:
        raise Misconfigured(
            "DUET_SECRET_KEY is the sample key of .env.example: make one of your own."
        )


def check_notes_keys(raw: str, *, secret_key: str, mode: str) -> None:
    """Refuse key-encryption keys that are missing, malformed, known to all, or used twice."""
    try:
        ring = parse_keyring(raw)
    except KeyRefused as refusal:
        raise Misconfigured(str(refusal)) from refusal
    entries = raw.replace(",", "\n").split()
    if secret_key in entries or set(ring.keys.values()) & _as_bytes(secret_key):
        raise Misconfigured("DUET_NOTES_KEY is the same as DUET_SECRET_KEY: make one of its own.")
    sample = parse_keyring(SAMPLE_NOTES_KEY).keys["sample"]
    if mode != "demo" and sample in ring.keys.values():
        raise Misconfigured(
            "DUET_NOTES_KEY is the sample key of .env.example: make one of your own."
        )
    for key_id, key in ring.keys.items():
        if len(set(key)) < _FEWEST_BYTES:
            raise Misconfigured(
                f"The key '{key_id}' in DUET_NOTES_KEY wasn't drawn at random: docs/keys.md says"
                " how to make one."
            )


def _as_bytes(text: str) -> set[bytes]:
    """What a text may stand for: its own letters, base64 in both alphabets, hexadecimal."""
    found = {text.encode()}
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    with suppress(ValueError):
        found.add(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
    with suppress(ValueError):
        found.add(bytes.fromhex(text))
    return found
