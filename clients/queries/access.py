"""Find a sign-in link, a session, and what somebody may prove with."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet

from clients.models import (
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
from clients.queries import keys
from clients.rules import access, contact, envelope
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
    return found.select_related("person__key").first()


def session(token_hash: bytes, now: datetime) -> ClientSession | None:
    """The open session of this token, with its person; one statement."""
    found = _open(now).filter(token_hash=token_hash)
    return found.select_related("person__key").first()


def sessions(person_id: UUID, now: datetime) -> list[ClientSession]:
    """A person's open sessions, the one used last first."""
    return list(_open(now).filter(person=person_id).order_by("-seen_at", "pk"))


def _open(now: datetime) -> QuerySet[ClientSession]:
    return ClientSession.objects.filter(
        ended_at__isnull=True, ends_at__gt=now, seen_at__gt=now - access.IDLE
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

    Of a restricted client nobody at the desk hears; then whoever counsels them does.
    """
    members = Member.objects.filter(user__is_active=True)
    able = [one for one in members if can(one.as_actor(), Right.ANSWER_REQUESTS)]
    theirs = Person.objects.filter(pk=person.pk)
    found = [one for one in able if theirs.visible_to(one.as_actor()).exists()]
    if found:
        return found
    cases = Case.objects.filter(Q(person=person) | Q(couple__members__person=person))
    return list(members.filter(pk__in=cases.values("counselor")))
