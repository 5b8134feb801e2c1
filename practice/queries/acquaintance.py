"""Whether those of a case are known here already: as whom, with whom, and by whom.

Only of persons and cases that the actor may know of: who is restricted against them is no hint.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from django.db.models import Prefetch, Q

from clients.models import BlindIndex, Case, CoupleMember, Member, Person
from clients.queries import keys
from clients.rules import contact
from clients.rules.actors import Actor
from clients.rules.envelope import Erased, Unreadable

Sign = Literal["self", "email", "phone", "name"]
Kind = Literal["same_couple", "partner", "ex_partner", "alone"]
# More than so many are no hint any more.
_MOST: Final = 20
# The surest first.
_SIGNS: Final[tuple[Sign, ...]] = ("self", "email", "phone", "name")
# By the kind of a fingerprint, which says what two have in common.
_BY_KIND: Final[dict[str, Sign]] = {"email": "email", "phone": "phone", "name": "name"}


@dataclass(frozen=True, slots=True)
class Known:
    """One of the case's persons may be part of another case; `sign` says by what they are known.

    `others` are those who are there with them, `ended_at` since when they aren't any more.
    """

    person: Person
    sign: Sign
    kind: Kind
    case: Case
    found: Person
    others: tuple[Person, ...] = ()
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """All hints, and the counselors who see both of the case alone."""

    known: tuple[Known, ...] = ()
    sees_both: tuple[str, ...] = ()

    @property
    def shown(self) -> set[tuple[UUID, UUID]]:
        """Whom this tells of, each with their case."""
        return {
            (one.pk, known.case.pk) for known in self.known for one in (known.found, *known.others)
        }


def known(actor: Actor, case: Case, persons: Sequence[Person]) -> Found:
    """Where else those of a case are known; five statements at most."""
    alike = _alike(actor, persons)
    cases = _cases(actor, case, {one for found in alike.values() for one in found})
    by_id = {one.pk: one for one in persons}
    rows = [
        hint
        for other in cases
        for person_id, found in alike.items()
        for hint in _hints(other, by_id[person_id], found, set(by_id), alike)
    ]
    rows.sort(key=lambda one: (_SIGNS.index(one.sign), str(one.case.pk), str(one.found.pk)))
    return Found(tuple(rows[:_MOST]), _sees_both(case, rows, len(persons)))


def _alike(actor: Actor, persons: Sequence[Person]) -> dict[UUID, dict[UUID, Sign]]:
    """For each person those who share an address, a number or a whole name, and themselves."""
    found: dict[UUID, dict[UUID, Sign]] = {one.pk: {one.pk: "self"} for one in persons}
    wanted: dict[tuple[str, bytes], list[UUID]] = {}
    own = BlindIndex.objects.filter(person__in=[one.pk for one in persons])
    for person_id, kind, digest in own.exclude(kind="name").values_list("person", "kind", "digest"):
        wanted.setdefault((kind, bytes(digest)), []).append(person_id)
    for person in persons:
        whole = _whole_name(person)
        if whole is not None:
            wanted.setdefault(("name", whole), []).append(person.pk)
    if not wanted:
        return found
    rows = BlindIndex.objects.filter(
        digest__in=[digest for _, digest in wanted],
        person__in=Person.objects.visible_to(actor).values("pk"),
    ).exclude(person__in=list(found))
    for kind, digest, other in rows.values_list("kind", "digest", "person")[:200]:
        sign = _BY_KIND[kind]
        for person_id in wanted.get((kind, bytes(digest)), []):
            before = found[person_id].get(other, sign)
            found[person_id][other] = min(before, sign, key=_SIGNS.index)
    return found


def _whole_name(person: Person) -> bytes | None:
    """The fingerprint of a name of several words; of a single one half the town has it."""
    try:
        whole = contact.search_form(person.name)
    except (Erased, Unreadable):
        return None
    return keys.digest("name", whole) if " " in whole else None


def _cases(actor: Actor, case: Case, found: Iterable[UUID]) -> list[Case]:
    """The other cases of these persons that the actor may know of, also those they have left."""
    ids = list(found)
    members = CoupleMember.objects.select_related("person__key").order_by("voice", "joined_at")
    together = CoupleMember.objects.filter(person__in=ids).values("couple")
    rows = (
        Case.objects.visible_to(actor)
        .filter(Q(person__in=ids) | Q(couple__in=together))
        .exclude(pk=case.pk)
        .select_related("counselor", "couple", "person__key")
        .prefetch_related(Prefetch("couple__members", members))
        .order_by("-opened_at", "pk")
    )
    return list(rows[:_MOST])


def _hints(
    other: Case,
    person: Person,
    found: dict[UUID, Sign],
    persons: set[UUID],
    alike: dict[UUID, dict[UUID, Sign]],
) -> list[Known]:
    if other.person is not None:
        sign = found.get(other.person.pk)
        return [Known(person, sign, "alone", other, other.person)] if sign else []
    assert other.couple is not None  # noqa: S101 - the table has one or the other
    members = list(other.couple.members.all())
    partners = {one for each in persons - {person.pk} for one in alike[each]}
    hints = []
    for member in members:
        sign = found.get(member.person_id)
        if sign is None:
            continue
        others = tuple(one for one in members if one.person_id != member.person_id)
        ended = other.couple.ended_at or member.left_at or _last_left(others)
        kind: Kind = "ex_partner" if ended else "partner"
        if any(one.person_id in partners for one in others):
            kind = "same_couple"
        hints.append(
            Known(
                person,
                sign,
                kind,
                other,
                member.person,
                tuple(one.person for one in others),
                ended,
            )
        )
    return hints


def _last_left(members: Sequence[CoupleMember]) -> datetime | None:
    """When nobody was left beside somebody; None while anybody is."""
    left = [one.left_at for one in members]
    if not left or None in left:
        return None
    return max(one for one in left if one is not None)


def _sees_both(case: Case, rows: Iterable[Known], persons: int) -> tuple[str, ...]:
    """Counselors who see each of the two in a case of their own."""
    if case.couple_id is None:
        return ()
    alone: dict[Member, set[UUID]] = {}
    for one in rows:
        if one.kind == "alone" and one.case.counselor is not None:
            alone.setdefault(one.case.counselor, set()).add(one.person.pk)
    return tuple(sorted(who.name for who, seen in alone.items() if len(seen) == persons > 1))
