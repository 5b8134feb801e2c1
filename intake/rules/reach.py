"""How somebody may be reached, from what they say in the private check."""

from collections.abc import Mapping
from typing import Final

from intake.rules.answers import Answers

# The question, and the answers that stand for each channel.
ITEM: Final = "S5"
_CHANNELS: Final[Mapping[str, str]] = {"email": "email", "sms": "text", "voice": "phone"}
_NO_WAY: Final = "do-not-contact"


def closed_channels(answers: Answers) -> tuple[str, ...]:
    """The channels on which nothing may come; none where the question wasn't answered.

    What isn't chosen isn't fine; "don't contact me" closes them all, whatever else is ticked.
    """
    said = answers.get(ITEM)
    chosen = set(said.value) if said and isinstance(said.value, list) else set()
    if not chosen:
        return ()
    return tuple(
        channel for channel, code in _CHANNELS.items() if code not in chosen or _NO_WAY in chosen
    )
