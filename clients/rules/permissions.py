"""What a role may do at all. Which rows it may do it to, `.visible_to` says; when, the policies.

A right that no role of somebody's gives is refused: there is nothing to take back, and so nothing
that a second role could bring back.
"""

from collections.abc import Mapping
from enum import StrEnum

from clients.rules import actors
from clients.rules.actors import Actor


class Right(StrEnum):
    """One thing that members may or may not do."""

    # Everybody's appointments, with the names of those who come; else only one's own.
    SEE_DIARY = "see_diary"
    # Book, move, cancel and close for everybody; else only in one's own diary.
    KEEP_DIARY = "keep_diary"
    # Read what clients wrote for the practice before they came, and accept requests.
    REVIEW = "review"
    # Open a case that one doesn't care for, with a reason, for an hour.
    BREAK_GLASS = "break_glass"
    # Say who cares for a case, and restrict who may know of it.
    MANAGE_CARE = "manage_care"
    # Answer what clients ask about their record: a copy, an erasure, a new code for their PIN.
    ANSWER_REQUESTS = "answer_requests"
    # Services, hours, rooms, members.
    MANAGE_PRACTICE = "manage_practice"
    # Who looked at what.
    SEE_ACCESS = "see_access"


class NotPermitted(Exception):
    """None of the actor's roles gives the right."""


RIGHTS: Mapping[str, frozenset[Right]] = {
    actors.FRONT_DESK: frozenset({Right.SEE_DIARY, Right.KEEP_DIARY, Right.ANSWER_REQUESTS}),
    actors.REVIEWER: frozenset({Right.SEE_DIARY, Right.REVIEW}),
    actors.COUNSELOR: frozenset({Right.BREAK_GLASS}),
    actors.SUPERVISOR: frozenset({Right.BREAK_GLASS}),
    actors.ADMIN: frozenset(Right) - {Right.REVIEW},
}

# Whoever reads clients' words or hands out rights proves twice who they are.
NEED_SECOND_FACTOR = frozenset({actors.COUNSELOR, actors.SUPERVISOR, actors.ADMIN})


def can(actor: Actor, right: Right) -> bool:
    """Whether any role of the actor's gives the right; the system itself has all of them."""
    if actor.kind == "system":
        return True
    return actor.kind == "member" and any(right in RIGHTS.get(role, ()) for role in actor.roles)


def check(actor: Actor, right: Right) -> None:
    """Refuses (NotPermitted) an actor without the right."""
    if not can(actor, right):
        raise NotPermitted(right)
