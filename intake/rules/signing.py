"""What a person puts their name to: the version of the form, and their answers to the letter."""

import hashlib
import json

from intake.rules.answers import Answers, dump


def written(answers: Answers) -> str:
    """Answers as they are stored: the same answers are always the same text."""
    return json.dumps(dump(answers), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def content_hash(instrument: bytes, answers: str) -> bytes:
    """The hash of what was sent: over the instrument's own, and the answers as they are stored."""
    return hashlib.sha256(instrument + answers.encode()).digest()
