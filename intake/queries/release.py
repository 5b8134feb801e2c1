"""What a couple may see together, and what would have to be there for it.

Every condition is asked for at each look: whoever takes a consent back, or answers something that
raises a flag, ends it at that moment, and nobody is told why.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from clients.models import Case, CoupleMember, Person
from clients.rules.actors import PROOF_SECOND, Actor
from intake.models import Agreement, Flag, Release, Response
from intake.models.safety import safe_mode
from intake.queries.cycle import Round


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with a case's release: since when each one agrees, and what was released."""

    agreed: dict[UUID, Agreement]
    release: Release | None

    def agrees(self, person: Person) -> bool:
        """Whether this person agrees to be shown a summary together."""
        return person.pk in self.agreed


def standing(case: Case) -> Standing:
    """Who agrees and what is released; two statements."""
    agreed = Agreement.objects.standing().filter(case=case.pk, kind=Agreement.Kind.SHARE)
    released = Release.objects.standing().filter(case=case.pk).select_related("released_by")
    return Standing(
        {one.person_id: one for one in agreed.order_by("given_at")},
        released.select_related("released_by", "first__assignment").first(),
    )


def present(found: Round) -> bool:
    """Whether both whom a round is about are still part of the couple."""
    return len(found.voices) == 2 and not any(one.left for one in found.voices)


def agree(case: Case, persons: Iterable[Person]) -> set[UUID]:
    """Who of these agrees to be shown a summary together; one statement."""
    found = Agreement.objects.standing().filter(
        case=case.pk, kind=Agreement.Kind.SHARE, person__in=[one.pk for one in persons]
    )
    return set(found.values_list("person", flat=True))


# --- the couple's page ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Together:
    """What was released to a couple: the parts, and the answers that they are made of."""

    case: Case
    first: Response
    second: Response
    parts: tuple[str, ...]


def shown_to(actor: Actor) -> Together | None:
    """What this person may see together with their partner now, or None; three statements at most.

    None where nothing was released, it was taken back, a consent was, one of them has an open flag
    or has left: all of these are alike to whoever asks. A release doesn't come back by itself: what
    was agreed to, or flagged, after it takes a new one.
    """
    if actor.kind != "person" or actor.proof < PROOF_SECOND:
        return None
    members = CoupleMember.objects.select_related("person__key").order_by("voice")
    found = (
        Release.objects.standing()
        .filter(_both_are_there(actor), ~safe_mode("case"), case__couple__ended_at__isnull=True)
        .filter(_agreed("first"), _agreed("second"), ~Exists(_flagged_since()))
        .select_related(
            "case__couple__key",
            "first__assignment__instrument",
            "first__assignment__intake__person__key",
            "second__assignment__instrument",
            "second__assignment__intake__person__key",
        )
        .prefetch_related(Prefetch("case__couple__members", members))
        .order_by("-released_at", "pk")
        .first()
    )
    if found is None:
        return None
    return Together(found.case, found.first, found.second, tuple(found.parts))


def _both_are_there(actor: Actor) -> Q:
    """The actor is one of the two whose answers these are, and neither has left."""
    here = CoupleMember.objects.filter(couple=OuterRef("case__couple"), left_at__isnull=True)
    first = here.filter(person=OuterRef("first__assignment__intake__person"))
    second = here.filter(person=OuterRef("second__assignment__intake__person"))
    own = Q(first__assignment__intake__person=actor.id) | Q(
        second__assignment__intake__person=actor.id
    )
    return own & Q(Exists(first)) & Q(Exists(second))


def _agreed(side: str) -> Exists:
    return Exists(
        Agreement.objects.standing().filter(
            case=OuterRef("case"),
            person=OuterRef(f"{side}__assignment__intake__person"),
            kind=Agreement.Kind.SHARE,
            given_at__lte=OuterRef("released_at"),
        )
    )


def _flagged_since() -> QuerySet[Flag]:
    return Flag.objects.filter(case=OuterRef("case"), raised_at__gt=OuterRef("released_at"))


# --- a person's own word on sharing --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OwnWord:
    """A case of a person's with somebody else, and whether they agree to be shown a summary."""

    case: Case
    agreement: Agreement | None


def own_words(actor: Actor) -> list[OwnWord]:
    """The cases that a person is in with somebody, and what they said; two statements.

    Nothing here depends on the other one.
    """
    together = CoupleMember.objects.filter(person=actor.id, left_at__isnull=True)
    cases = list(
        Case.objects.filter(couple__in=together.values("couple"), closed_at__isnull=True)
        .select_related("counselor")
        .order_by("opened_at", "pk")
    )
    given = {
        one.case_id: one
        for one in Agreement.objects.visible_to(actor)
        .standing()
        .filter(case__in=[one.pk for one in cases], kind=Agreement.Kind.SHARE)
    }
    return [OwnWord(one, given.get(one.pk)) for one in cases]
