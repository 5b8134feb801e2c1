"""Bodies as the contract has them."""

from typing import Any

from tests import factories as make

ANA = {
    "name": "Ana García",
    "email": "ana@example.org",
    "phone": "+12015550123",
    "tz": "Europe/Berlin",
    "language": "es",
}
BEN = {"name": "Ben Okafor", "email": "ben@example.org", "tz": "UTC", "language": "en"}


def booking(**changes: Any) -> dict[str, Any]:
    """Ana books the talk, alone, on Tuesday at ten; `...` leaves a field out."""
    body = {
        "service": "first-talk",
        "start": make.at(1).isoformat(),
        "person": ANA,
        "partner_safe_to_invite": False,
        "consents": [],
    }
    body |= changes
    return {name: value for name, value in body.items() if value is not ...}
