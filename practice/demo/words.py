"""What the people of the demo practice answered: invented, and of every kind of dance.

An account is written in short: of oneself, of the partner, of both. Each group is one list of the
cycle's questions, each digit an answer from 0 to 4, and a dot what was left out or isn't known.
"""

from collections.abc import Mapping
from typing import Final

from intake.rules.answers import Answered

_LISTS: Final = (
    *(
        ("P", "1234", "self"),
        ("W", "1234", "self"),
        ("F", "1234567", "self"),
        ("R", "12345", "self"),
    ),
    *(("P", "1234", "partner"), ("W", "1234", "partner"), ("F", "1234567", "partner")),
    *(("R", "12345", "partner"), ("V", "1234", "us")),
)

# (first, second) of a couple, by what comes of both accounts.
DANCES: Final = {
    "reach and step back": (
        "4333 1011 3424101 01010 1101 3433 1111221 1.132 2133",
        "1011 3343 1212224 32140 4343 1100 1211000 00000 1114",
    ),
    "the other way, with gaps": (
        "1211 3323 1102233 13342 4443 0100 2..1000 00000 2222",
        "32.2 211. 443.01. 00100 01.. 434. ....1.. 110.3 1043",
    ),
    "both reach": (
        "3434 1110 2323112 11021 3343 1101 2212111 11010 2222",
        "4333 0111 3222101 01110 3334 1010 2321112 10111 2132",
    ),
    "both step back, near a line": (
        "2121 2222 1111213 21133 1101 3334 1111112 11111 3222",
        "0111 3333 2111113 31021 1212 2222 1111111 21121 2223",
    ),
    "quiet": (
        "1111 1211 1100001 00010 1110 1111 0100000 00000 4331",
        "1101 1121 0100001 00010 1111 1110 0100000 00000 3430",
    ),
    "switching": (
        "3233 3323 2222222 12222 3223 2332 2212222 22222 2222",
        "2332 3223 2122212 21222 3332 3223 2222122 12212 2132",
    ),
    "one stronger than the other": (
        "3332 1101 2311101 00100 1101 1111 1011101 01010 3222",
        "1110 1101 1110011 01000 3323 1011 2211001 00100 3321",
    ),
}

# Nothing is said that a clinician must see; somebody is afraid; something is left out.
CHECK_CALM: Final = {"S1": "yes", "S2": "no", "S3": "no", "S4": "yes"}
CHECK_AFRAID: Final = {"S1": "yes", "S2": "yes", "S3": "no", "S4": "not-sure"}
CHECK_LEFT_OUT: Final = {"S1": "yes", "S2": "skip", "S3": "no", "S4": "yes"}
# How somebody is reached, as the check asks it; what they said at the desk is their contact.
REACHED: Final = ("email", "portal-only")

# Of the nine questions, in order; the last one asks about harm.
MOODS: Final = ("221211100", "121111000", "111010000")
MOOD_URGENT: Final = "222221111"

BRINGS: Final = (
    "We have the same argument about the dishes, and it is never about the dishes.",
    "One of us talks, the other goes quiet. We would like to meet in the middle.",
    "After the move we lost the knack of talking to each other.",
    "I would like to understand why I leave the room.",
)
GOALS: Final = (
    "To say what I need before I am angry.",
    "A Sunday without the argument.",
    "That we find back to each other sooner.",
    "To be able to stay in the room, and to be let go when I can't.",
)
NOTE: Final = (
    "Spoken with alone, by telephone. Asked about the question that was left out; all calm."
)


def account(text: str, *, short: bool = False, calmer: int = 0) -> dict[str, Answered]:
    """One person's answers; `calmer` times the strong ones are a step weaker than at first."""
    found = {}
    for (letter, numbers, view), group in zip(_LISTS, text.split(), strict=True):
        if short and letter not in "PW":
            continue
        for number, sign in zip(numbers, group, strict=True):
            left_out = "unknown" if view == "partner" else "skip"
            weight = str(_calmed(int(sign), calmer)) if sign != "." else ""
            found[f"{letter}{number}.{view}"] = (
                Answered(weight, revision=1) if weight else Answered(non=left_out, revision=1)
            )
    if not short and found["R2.self"].value not in (None, "0"):
        found["R2a.self"] = Answered("hardly-any", revision=1)
    return found


def _calmed(weight: int, times: int) -> int:
    return max(weight - times, 2) if weight > 2 else weight


def said(codes: Mapping[str, object]) -> dict[str, Answered]:
    """Answers by their codes; "skip" is what somebody would rather not say."""
    return {
        item: Answered(non="skip", revision=1) if code == "skip" else Answered(code, revision=1)
        for item, code in codes.items()
    }
