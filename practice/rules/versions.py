"""What a row looked like when somebody read it: changed since then, it isn't changed over."""

import hashlib
import json
from collections.abc import Mapping


def of(told: Mapping[str, object]) -> str:
    """The same for the same values, and another one for any other."""
    written = json.dumps(told, sort_keys=True, default=str, ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()[:32]
