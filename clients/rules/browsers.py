"""What a browser calls itself, in the words that its owner knows it by."""

from typing import Final

# Each of these names itself after those below it.
_NAMES: Final = {
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
_SYSTEMS: Final = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")


def browser_words(agent: str) -> str:
    """`Firefox, Linux` out of a header of two hundred letters; empty where none is known."""
    name = next((said for sign, said in _NAMES.items() if f"{sign}/" in agent), "")
    system = next((one for one in _SYSTEMS if one in agent), "")
    return ", ".join(part for part in (name, system) if part)
