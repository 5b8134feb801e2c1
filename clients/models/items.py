"""Items: whatever a record is made of, each with the audience that may see it."""

from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from django.db import models
from django.db.models import Q

from clients.models.people import Case, CoupleMember
from clients.rules.actors import PROOF_SECOND, Actor
from clients.rules.audience import Audience, Side, seen_from
from clients.rules.permissions import Right, can

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = TypeVar("Row", bound="Item", covariant=True)


class ItemQuerySet(models.QuerySet[Row]):
    def visible_to(self, actor: Actor) -> Self:
        """The items whose audience the actor is part of; see `clients.rules.audience`.

        A person reads back what is theirs only with a second proof: a mail link proves too little.
        """
        if actor.kind == "system":
            return self
        seen = Q(pk__in=[])
        for side, rows in self._sides(actor).items():
            seen |= rows & Q(audience__in=seen_from(side))
        return self.filter(seen)

    def _sides(self, actor: Actor) -> "Mapping[Side, Q]":
        """For each side on which the actor may stand, the rows to which they stand so."""
        of_case, of_person = self.model.CASE, self.model.PERSON
        if actor.kind == "member":
            sides = {Side.CARES: Q(**{f"{of_case}__in": Case.objects.opened_to(actor)})}
            if can(actor, Right.REVIEW):
                known = Case.objects.visible_to(actor)
                sides[Side.REVIEWS] = Q(**{f"{of_case}__in": known})
            return sides
        if actor.kind == "person" and actor.proof >= PROOF_SECOND:
            couples = CoupleMember.objects.filter(person=actor.id, left_at__isnull=True)
            return {
                Side.OWN: Q(**{of_person: actor.id}),
                Side.TOGETHER: Q(**{f"{of_case}__couple__in": couples.values("couple")}),
            }
        return {}


class Item(models.Model):
    """One piece of a record. Its model says on which paths its case and its person are found."""

    CASE: ClassVar[str]
    PERSON: ClassVar[str]

    audience = models.CharField(
        max_length=9,
        choices=[(one.value, one.value) for one in Audience],
        default=Audience.COUNSELOR.value,
    )

    class Meta:
        abstract = True
