"""Words that must not leave in a message: what they name is nobody's business but the reader's."""

import re
from typing import Final

# Stems, so that plurals and compounds count too ("psychotherapist", "mytherapy.example"). English,
# Spanish, and what neighbours say, since practices type some of these texts themselves.
_ANYWHERE: Final = (
    *("therap", "terap", "thérap", "psych", "psic", "psik", "counsel", "consejer", "beratung"),
    *("couple", "pareja", "paar", "coppia", "marriage", "matrimon", "conyug", "cónyug"),
    *("relationship", "partner", "spouse", "husband", "esposo", "esposa", "marido"),
    *("questionnaire", "cuestionario", "clinic", "clínic", "diagnos", "pursue", "withdraw"),
)
# Parts of harmless words too (obsession, particle, fundamental): these count at a word's start.
_AT_START: Final = (
    *("session", "sesión", "sesion", "intake", "article", "artículo", "articulo"),
    *("mental", "marital", "wife", "couns", "conflict"),
)
_REVEALING: Final = re.compile(
    rf"{'|'.join(_ANYWHERE)}|(?<![^\W\d_])(?:{'|'.join(_AT_START)})", re.IGNORECASE
)


def reveals(text: str) -> bool:
    """Whether a text names, in any word of it, what the practice does or whom it sees."""
    return _REVEALING.search(text) is not None
