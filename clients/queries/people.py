"""Find persons and members."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, OuterRef
from django.utils import timezone

from clients.models import BlindIndex, BreakGlass, Case, Member, Person, SafeContact
from clients.models.people import PersonQuerySet
from clients.queries import keys
from clients.rules import contact, envelope
from clients.rules.actors import Actor


def actor_of(user: AbstractBaseUser | AnonymousUser) -> Actor:
    """The actor behind a signed-in user; a visitor where the user is no member of the practice."""
    if not user.is_authenticated or not getattr(user, "is_active", False):
        return Actor.visitor()
    glasses = BreakGlass.objects.filter(member=OuterRef("pk"), ends_at__gt=timezone.now())
    opened = ArraySubquery(glasses.values("case"))
    member = Member.objects.filter(user=user.pk).annotate(opened=opened).first()
    return member.as_actor(member.opened) if member else Actor.visitor()


@dataclass(frozen=True, slots=True)
class Sought:
    """Whom somebody looks for: by the fingerprint of an address, of a number, or of each word."""

    kind: str
    digests: frozenset[bytes]

    @property
    def is_sure(self) -> bool:
        """Whether it is more than one word, by which many could be found at once."""
        return self.kind != BlindIndex.Kind.NAME or len(self.digests) > 1


def sought(text: str, *, region: str) -> Sought:
    """What was typed, as an address, a number or words of a name; one statement.

    Refuses (Refused) what is no address and no number, (LookupError) before anybody is known.
    """
    if "@" in text:
        kind, words = BlindIndex.Kind.EMAIL, {contact.search_form(contact.email(text))}
    elif sum(char.isdecimal() for char in text) > len(text) / 2:
        kind, words = BlindIndex.Kind.PHONE, {contact.phone(text, region=region)}
    else:
        kind, words = BlindIndex.Kind.NAME, set(contact.search_form(text).split())
    return _sought(kind, words)


def _sought(kind: str, words: Iterable[str]) -> Sought:
    key = keys.index_key()
    digests = (envelope.blind(key=key, kind=kind, normalised=word) for word in words)
    return Sought(kind, frozenset(digests))


def fitting(among: PersonQuerySet, wanted: Sought) -> PersonQuerySet:
    """Of these persons those who have each of the fingerprints that are looked for."""
    rows = BlindIndex.objects.filter(kind=wanted.kind, digest__in=list(wanted.digests))
    whole = rows.values("person").annotate(fitting=Count("pk")).filter(fitting=len(wanted.digests))
    return among.filter(pk__in=whole.values("person"))


def persons_sought(actor: Actor, wanted: Sought) -> list[Person]:
    """Persons that the actor sees and who are looked for; one statement."""
    return list(fitting(Person.objects.visible_to(actor), wanted).select_related("key"))


def persons_named(actor: Actor, text: str) -> list[Person]:
    """Persons that the actor sees whose name holds every word of `text`, by blind index."""
    return persons_sought(actor, _sought("name", contact.search_form(text).split()))


def persons_at(actor: Actor, *, email: str) -> list[Person]:
    """Persons with this e-mail address: it may be nobody, one, or two who share it."""
    return persons_sought(actor, _sought("email", [contact.search_form(contact.email(email))]))


def persons_of(case: Case) -> list[Person]:
    """The persons of a case who are still part of it, by their voice."""
    persons = Person.objects.select_related("key")
    if case.person_id:
        return list(persons.filter(pk=case.person_id))
    return list(
        persons.filter(couples__couple=case.couple_id, couples__left_at__isnull=True).order_by(
            "couples__voice"
        )
    )


def addresses(person_ids: Iterable[UUID]) -> dict[UUID, bytes]:
    """The fingerprints of these persons' e-mail addresses, of those who have one."""
    found = BlindIndex.objects.filter(person__in=list(person_ids), kind=BlindIndex.Kind.EMAIL)
    return {person_id: bytes(digest) for person_id, digest in found.values_list("person", "digest")}


def address(person: Person, index_key: bytes) -> bytes | None:
    """The fingerprint of a person's e-mail address, from the row at hand."""
    if not person.email:
        return None
    return envelope.blind(key=index_key, kind="email", normalised=contact.search_form(person.email))


def safe_contacts(person_id: UUID) -> dict[str, SafeContact]:
    """What a person said about each channel."""
    return {row.channel: row for row in SafeContact.objects.filter(person=person_id)}
