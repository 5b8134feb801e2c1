"""What the practice may answer to somebody who asks about their record: a short list of codes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

COPY: Final = "copy"
ERASURE: Final = "erasure"

HANDED_OVER: Final = "handed_over"
ERASED: Final = "erased"
KEPT_BY_LAW: Final = "kept_by_law"
WITHDRAWN: Final = "withdrawn"
NOT_THEIR_RECORD: Final = "not_their_record"

ANSWERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        COPY: (HANDED_OVER, WITHDRAWN, NOT_THEIR_RECORD),
        ERASURE: (KEPT_BY_LAW, WITHDRAWN, NOT_THEIR_RECORD),
    }
)


class NotAnswerable(Exception):
    """The request can't be answered so; `code` is `answered`, `not_erased` or `unfit`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code: Final = code


def answers(kind: str, *, erased: bool) -> tuple[str, ...]:
    """What fits a request: of whoever is erased, nothing but that; of nobody else that."""
    return (ERASED,) if erased else ANSWERS[kind]


def check_answer(answer: str, *, kind: str, answered: bool, erased: bool) -> None:
    """Refuses (NotAnswerable) a second answer, "erased" of whoever isn't, and what doesn't fit."""
    if answered:
        raise NotAnswerable("answered")
    if answer not in answers(kind, erased=erased):
        raise NotAnswerable("not_erased" if answer == ERASED else "unfit")
