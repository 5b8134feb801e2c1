"""Whatever shows a person to a member leaves an entry that names the person: on every route.

The routes are asked for by the resolver, each with every id that there is, so that a new page is
part of it from its first day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.urls.converters import UUIDConverter

from clients.actions import audit
from clients.models import (
    AuditEntry,
    CareRelation,
    Case,
    DataRequest,
    Member,
    Message,
    Notice,
    Person,
)
from clients.queries import permissions
from practice.models import Appointment, Attendance, Counselor, Practice, Service
from tests import factories as make
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@dataclass
class World:
    """Somebody of each role, and everything of which a page could be made."""

    members: list[Member]
    words: dict[str, Person]
    ids: list[str]
    queries: list[dict[str, str]]


def someone(word: str) -> Person:
    """A person whose name, address and number nobody else has."""
    digits = "".join(str(ord(letter) % 10) for letter in word)[:4]
    return make.person(
        name=f"{word} {word}son", email=f"{word.lower()}@example.org", phone=f"+1201555{digits}"
    )


@pytest.fixture
def world(practice: Practice, iris: Counselor, talk: Service) -> World:
    words = {word: someone(word) for word in ("Zqana", "Zqben", "Zqchris", "Zqdana", "Zqeva")}
    ana, ben, chris, dana, eva = words.values()
    couple = make.appointment(iris, talk, ana, ben, start=make.at(1, "10:00"), gate="private_check")
    asked = make.appointment(
        iris, talk, chris, start=make.at(2, "10:00"), state=Appointment.State.REQUESTED
    )
    over = make.appointment(iris, talk, dana, start=make.at(-3, "10:00"))
    make.message(
        couple.attendances.get(role="booker"), state=Message.State.FAILED, reason="smtp_550"
    )
    late = make.case(eva, counselor=iris)
    DataRequest.objects.create(person=ben, kind="erasure", asked_at=NOW)
    DataRequest.objects.create(
        person=chris, kind="copy", asked_at=NOW, answered_at=NOW, answer="handed_over"
    )
    sam, olive, rita = make.front_desk(), make.admin(), make.reviewer()
    uma = make.supervisor()
    assert couple.case is not None
    relation = CareRelation.objects.create(
        case=couple.case, member=uma, kind="supervisor", since_at=NOW
    )
    with transaction.atomic():
        audit.record_reads(
            verb="case.read",
            persons=[(ana.pk, couple.case_id), (eva.pk, late.pk)],
            by=sam.as_actor(),
            now=NOW,
        )
    waits = make.review(couple.case)
    flag = make.flag(couple.case, ben)
    given = make.assignment(make.intake(couple.case, ben), make.instrument())
    said = make.response(given, {"words": "What Zqben wrote."}, audience="staff")
    rows = [couple, asked, over, late, relation, waits, flag, said, *words.values()]
    ids = [str(row.pk) for row in rows]
    ids += [str(pk) for pk in Attendance.objects.values_list("pk", flat=True)]
    ids += [str(pk) for pk in Case.objects.values_list("pk", flat=True)]
    ids += [str(pk) for pk in Notice.objects.values_list("pk", flat=True)]
    book = {"service": talk.slug, "counselor": iris.slug}
    return World(
        [sam, olive, rita, uma, iris.member],
        words,
        sorted(set(ids)),
        [{}, {"q": "Zqana", "show": "all", **book, "case": str(couple.case_id)}],
    )


def for_members() -> list[permissions.Route]:
    """Every route that members may open."""
    return [
        route
        for route in permissions.routes()
        if route.door in {"desk", "desk_api"} and "GET" in route.methods
    ]


def addresses(route: permissions.Route, world: World) -> Iterator[str]:
    """The route with every id that there is, in each of its places; a number is 1."""
    found = [
        pattern.pattern.converters
        for pattern in _patterns(get_resolver().url_patterns)
        if pattern.callback is route.view
    ]
    assert found, route
    names = list(found[0])
    choices = [world.ids if isinstance(found[0][name], UUIDConverter) else ["1"] for name in names]
    for chosen in product(*choices):
        yield reverse(route.name, kwargs=dict(zip(names, chosen, strict=True)))


def _patterns(patterns: list) -> Iterator[URLPattern]:  # type: ignore[type-arg]
    for one in patterns:
        if isinstance(one, URLPattern):
            yield one
        else:
            yield from _patterns(one.url_patterns)


@dataclass(frozen=True)
class Shown:
    """What one opening of a page showed to somebody, and what of that is on record."""

    route: str
    who: str
    words: frozenset[str]
    recorded: frozenset[str]

    @property
    def forgotten(self) -> frozenset[str]:
        return self.words - self.recorded


def look(client: Client, member: Member, world: World, route: str, address: str) -> Iterator[Shown]:
    """Open an address bare, and with what may stand in a query; each as if for the first time."""
    for query in world.queries:
        with transaction.atomic():
            before = set(_entries(member).values_list("pk", flat=True))
            response = client.get(address, query)
            body = response.content.decode(errors="replace").casefold()
            recorded = set(_entries(member).exclude(pk__in=before).values_list("person_id"))
            yield Shown(
                route,
                member.name,
                frozenset(word for word in world.words if word.casefold() in body),
                frozenset(word for word, person in world.words.items() if (person.pk,) in recorded),
            )
            transaction.set_rollback(True)
        if any(one in address for one in world.ids):
            return  # what it is about is said already


def _entries(member: Member):  # type: ignore[no-untyped-def]
    return AuditEntry.objects.filter(
        actor_kind="member", actor_id=member.pk, verb__regex=r"\.(read|exported)$"
    )


def walk(world: World, members: list[Member]) -> list[Shown]:
    """Each of these opens everything."""
    found: list[Shown] = []
    for member in members:
        client = Client()
        client.force_login(member.user)
        for route in for_members():
            for address in addresses(route, world):
                found += look(client, member, world, route.name, address)
    return found


# Some thousands of pages: every route with every id, for each of the five.
@pytest.mark.timeout(600)
def test_whoever_is_shown_is_on_record(world: World) -> None:
    found = walk(world, world.members)
    assert {one.route for one in found if one.forgotten} == set()
    # That the walk comes by somebody at all: these pages are known to name them.
    names = {one.route for one in found if one.words}
    assert names >= {
        "practice:desk",
        "practice:desk-appointment",
        "practice:desk-cancel",
        "practice:desk-move",
        "practice:desk-book",
        "practice:desk-access",
        "practice:desk-requests",
        "practice:desk-cases",
        "practice:desk-case",
        "practice:desk-intake",
        "practice:desk-review",
        "practice:desk-review-decline",
        "practice:desk-flag",
        "practice:desk-response",
    }
    assert set().union(*(one.words for one in found)) == set(world.words)
    # The API names nobody; but whose appointment it is can be known from its case.
    api = [one for one in found if one.route == "practice:api-appointments"]
    assert any(one.recorded and not one.words for one in api)


def test_whoever_is_found_by_name_is_on_record(world: World) -> None:
    sam = world.members[0]
    client = Client()
    client.force_login(sam.user)
    response = client.post(reverse("practice:desk-cases"), {"q": "Zqeva"})
    assert "Zqeva Zqevason" in response.content.decode()
    assert world.words["Zqeva"].pk in set(_entries(sam).values_list("person_id", flat=True))


def test_a_page_that_forgets_it_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without the one statement every page that names somebody is named here."""
    monkeypatch.setattr(audit, "record_reads", lambda **_: None)
    found = walk(world, world.members[:1])
    assert {one.route for one in found if one.forgotten} == {
        one.route for one in found if one.words
    }
    assert len({one.route for one in found if one.forgotten}) >= 7
