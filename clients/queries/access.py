"""Find a sign-in link, a session, and what somebody may prove with."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Exists, F, Q, QuerySet

from clients.models import (
    CareRelation,
    Case,
    ClientPasskey,
    ClientPin,
    ClientSession,
    DataRequest,
    Member,
    Person,
    SignInLink,
)
from clients.models.people import PersonQuerySet
from clients.queries import care, keys
from clients.rules import access, contact, envelope
from clients.rules.actors import ADMIN, Actor
from clients.rules.permissions import Right, can

_HOUR = timedelta(hours=1)


def digest_of(email: str) -> bytes:
    """The fingerprint of an address; the same work where no person is known yet."""
    try:
        index_key = keys.index_key()
    except LookupError:
        index_key = envelope.new_key()
    return envelope.blind(key=index_key, kind="email", normalised=contact.search_form(email))


def written_to_at(digest: bytes, *, of: PersonQuerySet, now: datetime) -> list[Person]:
    """Of these persons the newest at an address, as `not_crowded`; one statement."""
    return not_crowded(of.found_by([digest]), now)


def not_crowded(persons: PersonQuerySet, now: datetime) -> list[Person]:
    """The newest of these persons who haven't had too many links within the hour.

    Nobody is told how many there are: the caller answers the same for none.
    """
    lately = Count("sign_in_links", filter=Q(sign_in_links__made_at__gt=now - _HOUR))
    found = persons.select_related("key").annotate(lately=lately)
    few = found.filter(lately__lt=access.LINKS_AN_HOUR)
    return list(few.order_by("-created_at", "pk")[: access.LINKS_AT_ONCE])


def link(token_hash: bytes, now: datetime) -> SignInLink | None:
    """The link of this token, while it works; one statement."""
    found = SignInLink.objects.filter(token_hash=token_hash, used_at__isnull=True, ends_at__gt=now)
    there = found.filter(person__key__destroyed_at__isnull=True)
    return there.select_related("person__key").first()


def session(token_hash: bytes, now: datetime) -> ClientSession | None:
    """The open session of this token, with its person; one statement."""
    found = _open(now).filter(token_hash=token_hash)
    return found.select_related("person__key").first()


def open_session(pk: UUID, now: datetime) -> ClientSession | None:
    """The session of this id, while it is open; one statement."""
    return _open(now).filter(pk=pk).first()


def sessions(person_id: UUID, now: datetime) -> list[ClientSession]:
    """A person's open sessions, the one used last first."""
    return list(_open(now).filter(person=person_id).order_by("-seen_at", "pk"))


def _open(now: datetime) -> QuerySet[ClientSession]:
    return ClientSession.objects.filter(
        ended_at__isnull=True,
        ends_at__gt=now,
        seen_at__gt=now - access.IDLE,
        # A row that came to be beside an erasure opens nothing.
        person__key__destroyed_at__isnull=True,
    )


def pin(person_id: UUID) -> ClientPin | None:
    """The row of a person's PIN, whether or not one is set."""
    return ClientPin.objects.filter(person=person_id).select_related("person__key").first()


def passkeys(person_id: UUID) -> Sequence[ClientPasskey]:
    """A person's passkeys, the oldest first."""
    return list(ClientPasskey.objects.filter(person=person_id).order_by("made_at", "pk"))


def requests(person_id: UUID) -> list[DataRequest]:
    """What a person has asked about their record, the open ones first."""
    found = DataRequest.objects.filter(person=person_id)
    return list(found.order_by(F("answered_at").desc(nulls_first=True), "-asked_at")[:20])


def who_answers(person: Person) -> list[Member]:
    """The members who answer what this person asks: with the right, and who may know of them.

    Of a restricted client nobody at the desk hears. Then whoever counsels them does, or else cares
    for them or is named; where there is nobody, the admins, whom the notice tells no name. Always
    those who can sign in.
    """
    members = Member.objects.filter(user__is_active=True)
    found = _who_may_know([one for one in members if _answers(one)], person)
    if found:
        return found
    cases = Case.objects.filter(care.of_person(person))
    related = CareRelation.objects.filter(case__in=cases, ended_at__isnull=True)
    return (
        list(members.filter(pk__in=cases.values("counselor")))
        or list(members.filter(pk__in=related.values("member")))
        or list(members.filter(roles__contains=[ADMIN]))
    )


def _answers(member: Member) -> bool:
    return can(member.as_actor(), Right.ANSWER_REQUESTS)


def _who_may_know(members: list[Member], person: Person) -> list[Member]:
    """Of these members those who see the person; one statement for all of them."""
    if not members:
        return []
    them = Person.objects.filter(pk=person.pk)
    asked = [Exists(them.visible_to(one.as_actor())) for one in members]
    (seen,) = them.values_list(*asked)
    return [one for one, sees in zip(members, seen, strict=True) if sees]


def keeps_access(actor: Actor, person: Person) -> bool:
    """Whether a member gives this person codes and ends their sessions.

    With the right to answer what clients ask, or who counsels them; and only who sees them at all,
    a broken glass being for reading.
    """
    actor = actor.without_glass()
    may = can(actor, Right.ANSWER_REQUESTS) or care.counsels_person(actor, person)
    return may and Person.objects.visible_to(actor).filter(pk=person.pk).exists()
