"""What a role may do at all. Which rows it may do it to, `.visible_to` says; when, the policies.

A right that no role of somebody's gives is refused: there is nothing to take back, and so nothing
that a second role could bring back.
"""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

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
    # Ask somebody to fill in a form, and see that it came in; never what it says.
    GIVE_FORMS = "give_forms"
    # Open a case that one doesn't care for, with a reason, for an hour.
    BREAK_GLASS = "break_glass"
    # Say who cares for a case, and restrict who may know of it.
    MANAGE_CARE = "manage_care"
    # Answer what clients ask about their record: a copy, an erasure, a new code for their PIN.
    ANSWER_REQUESTS = "answer_requests"
    # Destroy a person's key, for good; to put down that they asked for it doesn't take this.
    ERASE = "erase"
    # Services, hours, rooms, members.
    MANAGE_PRACTICE = "manage_practice"
    # Who looked at what.
    SEE_ACCESS = "see_access"


class NotPermitted(Exception):
    """None of the actor's roles gives the right."""


RIGHTS: Mapping[str, frozenset[Right]] = {
    actors.FRONT_DESK: frozenset(
        {Right.SEE_DIARY, Right.KEEP_DIARY, Right.ANSWER_REQUESTS, Right.GIVE_FORMS}
    ),
    actors.REVIEWER: frozenset({Right.SEE_DIARY, Right.REVIEW, Right.GIVE_FORMS}),
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


# --- whose diary ---------------------------------------------------------------------------------


def can_keep_diary(actor: Actor, owner: UUID) -> bool:
    """Whether the actor books, moves, cancels and closes in the diary of the member `owner`.

    A counselor does in their own, also for cases that somebody else is assigned to. To care for a
    case together, or to have opened it, gives nothing in another's diary.
    """
    return _is_own(actor, owner) or can(actor, Right.KEEP_DIARY)


def check_keeps_diary(actor: Actor, owner: UUID) -> None:
    """Refuses (NotPermitted) whoever doesn't keep this diary, and whoever is no member."""
    if not can_keep_diary(actor, owner):
        raise NotPermitted(Right.KEEP_DIARY)


def can_answer_requests(actor: Actor, owner: UUID) -> bool:
    """Whether the actor accepts and declines what is asked for in this diary."""
    return can_keep_diary(actor, owner) or can(actor, Right.REVIEW)


def check_answers_requests(actor: Actor, owner: UUID) -> None:
    """Refuses (NotPermitted) whoever neither keeps this diary nor reviews."""
    if not can_answer_requests(actor, owner):
        raise NotPermitted(Right.REVIEW)


def can_say_asked(actor: Actor, owner: UUID) -> bool:
    """Whether the actor may say that a partner was asked in person: a clinician's word."""
    is_clinician = actor.kind == "system" or bool(actor.roles & {actors.ADMIN, actors.COUNSELOR})
    return is_clinician and can_keep_diary(actor, owner)


def check_says_asked(actor: Actor, owner: UUID) -> None:
    """Refuses (NotPermitted) whoever is no clinician, or doesn't keep this diary."""
    if not can_say_asked(actor, owner):
        raise NotPermitted(Right.KEEP_DIARY)


def can_set_hours(actor: Actor, owner: UUID | None) -> bool:
    """Whether the actor sets hours and time off: a counselor's own; the practice's with the right.

    No `owner` is the whole practice.
    """
    own = owner is not None and _is_own(actor, owner)
    return own or can(actor, Right.MANAGE_PRACTICE)


def check_sets_hours(actor: Actor, owner: UUID | None) -> None:
    """Refuses (NotPermitted) whoever may not set these hours."""
    if not can_set_hours(actor, owner):
        raise NotPermitted(Right.MANAGE_PRACTICE)


def _is_own(actor: Actor, owner: UUID) -> bool:
    return actor.kind == "member" and actor.id == owner and actors.COUNSELOR in actor.roles


# --- a case --------------------------------------------------------------------------------------


def can_book_for(actor: Actor, *, cares: bool) -> bool:
    """Whether the actor books again for those of a case: with the right, or who counsels them.

    `cares`: assigned or co-counselor. A supervisor looks on, and the broken glass is for reading.
    """
    return cares or can(actor, Right.KEEP_DIARY)


def check_books_for(actor: Actor, *, cares: bool) -> None:
    """Refuses (NotPermitted) whoever may not book for those of a case."""
    if not can_book_for(actor, cares=cares):
        raise NotPermitted(Right.KEEP_DIARY)


def can_see_contact(actor: Actor, *, opened: bool) -> bool:
    """Whether the actor sees how somebody is reached: for the work of the desk, or of the case."""
    return opened or can(actor, Right.KEEP_DIARY) or can(actor, Right.REVIEW)


def can_restrict(actor: Actor, counselor: UUID | None) -> bool:
    """Whether the actor says who may know of a case: its counselor, or with the right."""
    return _is_in_charge(actor, counselor)


def check_restricts(actor: Actor, counselor: UUID | None) -> None:
    """Refuses (NotPermitted) whoever may not restrict this case."""
    if not can_restrict(actor, counselor):
        raise NotPermitted(Right.MANAGE_CARE)


def can_close(actor: Actor, counselor: UUID | None) -> bool:
    """Whether the actor closes and reopens a case: its counselor, or with the right."""
    return _is_in_charge(actor, counselor)


def check_closes(actor: Actor, counselor: UUID | None) -> None:
    """Refuses (NotPermitted) whoever may not close or reopen this case."""
    if not can_close(actor, counselor):
        raise NotPermitted(Right.MANAGE_CARE)


def _is_in_charge(actor: Actor, counselor: UUID | None) -> bool:
    own = counselor is not None and _is_own(actor, counselor)
    return own or can(actor, Right.MANAGE_CARE)


# --- an intake -----------------------------------------------------------------------------------


def can_give_forms(actor: Actor, *, counsels: bool) -> bool:
    """Whether the actor gives those of a case a form: with the right, or who counsels them."""
    return counsels or can(actor, Right.GIVE_FORMS)


def check_gives_forms(actor: Actor, *, counsels: bool) -> None:
    """Refuses (NotPermitted) whoever may give those of a case no form."""
    if not can_give_forms(actor, counsels=counsels):
        raise NotPermitted(Right.GIVE_FORMS)


def can_review(actor: Actor, *, counsels: bool) -> bool:
    """Whether the actor decides on an intake: with the right, or who counsels them."""
    return counsels or can(actor, Right.REVIEW)


def check_reviews(actor: Actor, *, counsels: bool) -> None:
    """Refuses (NotPermitted) whoever may not decide on an intake."""
    if not can_review(actor, counsels=counsels):
        raise NotPermitted(Right.REVIEW)
