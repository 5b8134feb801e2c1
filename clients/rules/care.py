"""What the state of a case allows to be changed about who cares for it."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from clients.rules import actors

COUNSELOR: Final = "counselor"
CO_COUNSELOR: Final = "co_counselor"
SUPERVISOR: Final = "supervisor"
NAMED: Final = "named"
# As what, and one of which roles that takes.
ROLE_NEEDED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        COUNSELOR: frozenset({actors.COUNSELOR}),
        CO_COUNSELOR: frozenset({actors.COUNSELOR}),
        SUPERVISOR: frozenset({actors.SUPERVISOR}),
        NAMED: frozenset(actors.ROLES),
    }
)
LEAST_REASON: Final = 10
MOST_REASON: Final = 500


class NotAllowed(Exception):
    """The state doesn't allow it; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code: Final = code


def check_active(*, active: bool) -> None:
    """Refuses (NotAllowed) a member who was shut out, who could neither be told nor do a thing."""
    if not active:
        raise NotAllowed("shut_out")


def check_assignable(*, closed: bool, roles: Iterable[str]) -> None:
    """Refuses (NotAllowed) a new counselor of a closed case, and a member who is none."""
    _check(COUNSELOR, closed=closed, roles=roles)


def check_relatable(
    *, kind: str, closed: bool, roles: Iterable[str], is_counselor: bool, standing: Collection[str]
) -> None:
    """Refuses (NotAllowed) a new relation to a closed case, one for which the role is missing,
    one of the case's own counselor, and one that stands already.
    """
    _check(kind, closed=closed, roles=roles)
    if is_counselor:
        raise NotAllowed("is_counselor")
    if kind in standing:
        raise NotAllowed("stands_already")


def can_relate(
    *, kind: str, closed: bool, roles: Iterable[str], is_counselor: bool, standing: Collection[str]
) -> bool:
    """Whether `check_relatable` would let it pass."""
    try:
        check_relatable(
            kind=kind, closed=closed, roles=roles, is_counselor=is_counselor, standing=standing
        )
    except NotAllowed:
        return False
    return True


def check_endable(*, ended: bool) -> None:
    """Refuses (NotAllowed) to end twice."""
    if ended:
        raise NotAllowed("ended_already")


def check_reason(text: str) -> None:
    """Refuses (NotAllowed) a reason to open a case that says too little, or too much to read.

    Letters and digits say something; dots, spaces and what nobody sees don't.
    """
    if sum(one.isalnum() for one in text) < LEAST_REASON:
        raise NotAllowed("reason_short")
    if len(text) > MOST_REASON:
        raise NotAllowed("reason_long")


def _check(kind: str, *, closed: bool, roles: Iterable[str]) -> None:
    if closed:
        raise NotAllowed("closed")
    if not ROLE_NEEDED[kind] & set(roles):
        raise NotAllowed("role_missing")
