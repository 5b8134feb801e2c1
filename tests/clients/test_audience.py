"""Who sees which item: the table itself, and the query held against it side by side."""

from itertools import product
from uuid import UUID

import pytest
from django.utils import timezone

from clients.models import BreakGlass, CareRelation, Member, Person
from clients.queries import people
from clients.rules.actors import PROOF_SECOND, Actor
from clients.rules.audience import SEEN_FROM, Audience, Side, sees
from practice.models import Answer, Attendance, Question
from tests import factories as make

pytestmark = pytest.mark.django_db


def test_no_audience_is_wider_than_it_says() -> None:
    assert all(sees(one, frozenset({Side.CARES})) for one in Audience)
    nobody = frozenset[Side]()
    assert not any(sees(one, nobody) for one in Audience)
    assert [one for one in Audience if sees(one, frozenset({Side.OWN}))] == [
        Audience.PERSON,
        Audience.STAFF,
    ]
    assert [one for one in Audience if sees(one, frozenset({Side.TOGETHER}))] == [Audience.COUPLE]
    assert [one for one in Audience if sees(one, frozenset({Side.REVIEWS}))] == [Audience.STAFF]


def test_the_narrowest_is_the_default() -> None:
    assert Answer().audience == Audience.COUNSELOR
    assert SEEN_FROM[Audience.COUNSELOR] == min(SEEN_FROM.values(), key=len)


@pytest.fixture
def told() -> dict[str, Answer]:
    """Ana and Ben come to Iris together; each has said something to each audience."""
    make.practice()
    iris, theo = make.counselor("iris"), make.counselor("theo")
    talk = make.service(counselors=[iris, theo])
    make.appointment(iris, talk, make.ana(), make.ben(), start=make.at(1))
    make.appointment(theo, talk, make.chris(), start=make.at(1))
    found: dict[str, Answer] = {}
    for one in Attendance.objects.filter(appointment__counselor=iris).select_related("person__key"):
        for audience in Audience:
            question = Question.objects.create(
                service=talk, slug=f"{one.role}-{audience}", label="What brings you?"
            )
            found[f"{one.role}-{audience}"] = Answer.objects.create(
                attendance=one, question=question, text="Words.", audience=audience
            )
    return found


def _sides(told: dict[str, Answer]) -> list[tuple[Actor, str, frozenset[Side]]]:
    """Everybody who may ask, about whose words, and how they stand to them."""
    case = told["booker-couple"].attendance.appointment.case
    assert case is not None
    iris = case.counselor
    assert iris is not None
    carers: dict[str, Member] = {}
    for kind in CareRelation.Kind:
        carers[kind] = make.member(f"{kind}", roles=["supervisor"])
        CareRelation.objects.create(case=case, member=carers[kind], kind=kind, since_at=make.NOW)
    gone = make.member("gone", roles=["counselor"])
    CareRelation.objects.create(
        case=case, member=gone, kind="co_counselor", since_at=make.NOW, ended_at=make.NOW
    )
    theo = make.counselor("theodora").member
    ana = told["booker-person"].attendance.person_id
    ben = told["partner-person"].attendance.person_id
    both, neither = ("booker", "partner"), frozenset[Side]()

    def person(pk: UUID) -> Actor:
        return Actor.of_person(pk, PROOF_SECOND)

    own = frozenset({Side.OWN, Side.TOGETHER})
    cares = frozenset({Side.CARES})
    rows: list[tuple[Actor, tuple[str, ...], frozenset[Side]]] = [
        (iris.as_actor(), both, cares),
        (carers["co_counselor"].as_actor(), both, cares),
        (carers["supervisor"].as_actor(), both, cares),
        (carers["named"].as_actor(), both, neither),
        (gone.as_actor(), both, neither),
        (theo.as_actor(), both, neither),
        (theo.as_actor(opened=[case.pk]), both, cares),
        (make.admin().as_actor(), both, neither),
        (make.front_desk().as_actor(), both, neither),
        (make.reviewer().as_actor(), both, frozenset({Side.REVIEWS})),
        (make.supervisor().as_actor(), both, neither),
        (Actor.visitor(), both, neither),
        (person(ana), ("booker",), own),
        (person(ana), ("partner",), frozenset({Side.TOGETHER})),
        (person(ben), ("partner",), own),
        (person(ben), ("booker",), frozenset({Side.TOGETHER})),
        (Actor.of_person(ana), both, neither),
        (person(make.chris(email="c2@example.org").pk), both, neither),
    ]
    return [(actor, whose, sides) for actor, roles, sides in rows for whose in roles]


def test_the_query_says_what_the_table_says(told: dict[str, Answer]) -> None:
    for (actor, whose, sides), audience in product(_sides(told), Audience):
        item = told[f"{whose}-{audience}"]
        found = Answer.objects.visible_to(actor).filter(pk=item.pk).exists()
        assert found == sees(audience, sides), (actor, whose, audience)


def test_whoever_reviews_sees_nothing_of_a_restricted_client(told: dict[str, Answer]) -> None:
    case = told["booker-staff"].attendance.appointment.case
    assert case is not None
    rita = make.reviewer().as_actor()
    assert Answer.objects.visible_to(rita).count() == 2
    case.restricted_at = make.NOW
    case.save(update_fields=["restricted_at"])
    assert not Answer.objects.visible_to(rita).exists()


def test_whoever_has_left_the_couple_reads_nothing_of_it(told: dict[str, Answer]) -> None:
    ben = Actor.of_person(told["partner-person"].attendance.person_id, PROOF_SECOND)
    mine = {told["partner-person"], told["partner-staff"]}
    together = {told["partner-couple"], told["booker-couple"]}
    assert set(Answer.objects.visible_to(ben)) == mine | together
    assert ben.id is not None
    member = Person.objects.get(pk=ben.id).couples.get()
    member.left_at = member.joined_at
    member.save(update_fields=["left_at"])
    assert set(Answer.objects.visible_to(ben)) == mine


def test_a_broken_glass_lasts_an_hour(
    told: dict[str, Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = make.NOW
    monkeypatch.setattr(timezone, "now", lambda: now)
    case = told["booker-staff"].attendance.appointment.case
    assert case is not None
    theo = make.counselor("theodora").member
    BreakGlass.objects.create(
        case=case,
        member=theo,
        reason="She called.",
        opened_at=make.NOW,
        ends_at=make.NOW + BreakGlass.LONGEST,
    )
    assert people.actor_of(theo.user).opened == {case.pk}
    now += BreakGlass.LONGEST
    assert people.actor_of(theo.user).opened == frozenset()
