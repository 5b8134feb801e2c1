"""Who does something: the one value behind every `by=` and every `.visible_to(...)`."""

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

Kind = Literal["system", "member", "person", "visitor"]

FRONT_DESK = "front_desk"
REVIEWER = "reviewer"
COUNSELOR = "counselor"
SUPERVISOR = "supervisor"
ADMIN = "admin"
ROLES = (FRONT_DESK, REVIEWER, COUNSELOR, SUPERVISOR, ADMIN)

# How sure we are that a person is who the link says: a mail link proves little.
PROOF_LINK = 1
PROOF_SECOND = 2


@dataclass(frozen=True, slots=True)
class Actor:
    """A member of the practice, a person in care, a visitor without an account, or the system.

    `opened` are the cases that a member has broken the glass of, for as long as that lasts.
    """

    kind: Kind
    id: UUID | None = None
    roles: frozenset[str] = frozenset()
    proof: int = 0
    opened: frozenset[UUID] = frozenset()

    @classmethod
    def system(cls) -> "Actor":
        return cls("system")

    @classmethod
    def visitor(cls) -> "Actor":
        return cls("visitor")

    @classmethod
    def of_person(cls, person_id: UUID, proof: int = PROOF_LINK) -> "Actor":
        return cls("person", person_id, proof=proof)

    @classmethod
    def of_member(
        cls, member_id: UUID, roles: frozenset[str], opened: frozenset[UUID] = frozenset()
    ) -> "Actor":
        return cls("member", member_id, roles, opened=opened)

    def without_glass(self) -> "Actor":
        """The same actor as they write: a glass that they broke is for reading."""
        return replace(self, opened=frozenset()) if self.opened else self
