"""Who cares for a case: said by whom, in which state, and what it lets them see."""

from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from clients.actions import care
from clients.models import AuditEntry, CareRelation, Case, Member, Notice
from clients.queries import care as find
from clients.queries.notices import unseen
from clients.rules import care as policy
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from tests import factories as make

pytestmark = pytest.mark.django_db

Kind = CareRelation.Kind


@pytest.fixture
def iris() -> Member:
    return make.counselor("iris").member


@pytest.fixture
def theo() -> Member:
    return make.counselor("theo").member


@pytest.fixture
def uma() -> Member:
    return make.supervisor()


@pytest.fixture
def olive() -> Actor:
    return make.admin().as_actor()


@pytest.fixture
def case(iris: Member) -> Case:
    return make.case(make.ana(), make.ben(), counselor=iris)


def relate(case: Case, member: Member, kind: str, by: Actor) -> CareRelation:
    return care.relate(case=case, member=member, kind=kind, by=by, now=make.NOW)


def close(case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(state=Case.State.CLOSED, closed_at=make.NOW)


def knows(member: Member, case: Case) -> bool:
    return Case.objects.visible_to(member.as_actor()).filter(pk=case.pk).exists()


def told() -> set[tuple[str, str]]:
    return set(Notice.objects.values_list("member__name", "kind"))


# --- a relation ----------------------------------------------------------------------------------


def test_a_relation_opens_the_case_until_it_ends(case: Case, theo: Member, olive: Actor) -> None:
    assert not knows(theo, case)
    row = relate(case, theo, Kind.CO_COUNSELOR, olive)
    assert find.is_open(theo.as_actor(), case)
    assert find.counsels(theo.as_actor(), case)
    assert [one.member for one in find.team(case)] == [theo]
    care.end(relation=row, by=olive, now=make.NOW)
    assert not knows(theo, case)
    assert find.team(case) == []
    verbs = AuditEntry.objects.filter(case_id=case.pk).values_list("verb", "detail")
    assert ("case.care_added", {"member": str(theo.pk), "kind": "co_counselor"}) in verbs
    assert ("case.care_ended", {"member": str(theo.pk), "kind": "co_counselor"}) in verbs
    assert told() == {("Theo", "care_added"), ("Iris", "care_added"), ("Iris", "care_ended")}


def test_a_supervisor_reads_and_counsels_nobody(case: Case, uma: Member, olive: Actor) -> None:
    relate(case, uma, Kind.SUPERVISOR, olive)
    assert find.is_open(uma.as_actor(), case)
    assert not find.counsels(uma.as_actor(), case)


def test_a_named_member_may_know_of_a_case_and_reads_nothing(
    case: Case, theo: Member, olive: Actor
) -> None:
    relate(case, theo, Kind.NAMED, olive)
    assert knows(theo, case)
    assert not find.is_open(theo.as_actor(), case)


def test_a_relation_takes_the_role_and_a_case_that_goes_on(
    case: Case, iris: Member, theo: Member, uma: Member, olive: Actor
) -> None:
    nobody = make.member("nobody", roles=[])
    for member, kind, code in (
        (uma, Kind.CO_COUNSELOR, "role_missing"),
        (theo, Kind.SUPERVISOR, "role_missing"),
        (nobody, Kind.NAMED, "role_missing"),
        (iris, Kind.CO_COUNSELOR, "is_counselor"),
        (iris, Kind.NAMED, "is_counselor"),
    ):
        with pytest.raises(policy.NotAllowed) as refused:
            relate(case, member, kind, olive)
        assert refused.value.code == code
    relate(case, theo, Kind.CO_COUNSELOR, olive)
    with pytest.raises(policy.NotAllowed, match="stands_already"):
        relate(case, theo, Kind.CO_COUNSELOR, olive)
    close(case)
    with pytest.raises(policy.NotAllowed, match="closed"):
        relate(case, uma, Kind.SUPERVISOR, olive)
    with pytest.raises(policy.NotAllowed, match="closed"):
        care.assign(case=case, member=theo, by=olive, now=make.NOW)
    # The control: the database alone refuses the doubled one only.
    CareRelation.objects.create(case=case, member=uma, kind=Kind.SUPERVISOR, since_at=make.NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        CareRelation.objects.create(case=case, member=uma, kind=Kind.SUPERVISOR, since_at=make.NOW)


def test_whoever_was_shut_out_is_neither_offered_nor_taken(
    case: Case, theo: Member, uma: Member, olive: Actor
) -> None:
    assert {theo, uma} <= set(find.candidates(case))
    get_user_model().objects.filter(pk__in=[theo.user_id, uma.user_id]).update(is_active=False)
    assert not {theo, uma} & set(find.candidates(case))
    with pytest.raises(policy.NotAllowed, match="shut_out"):
        relate(case, uma, Kind.SUPERVISOR, olive)
    with pytest.raises(policy.NotAllowed, match="shut_out"):
        care.assign(case=case, member=theo, by=olive, now=make.NOW)
    case.refresh_from_db()
    assert case.counselor != theo
    assert not CareRelation.objects.exists()


def test_a_relation_ends_once(case: Case, theo: Member, olive: Actor) -> None:
    row = relate(case, theo, Kind.CO_COUNSELOR, olive)
    care.end(relation=row, by=olive, now=make.NOW)
    with pytest.raises(policy.NotAllowed, match="ended_already"):
        care.end(relation=row, by=olive, now=make.NOW)


def test_nobody_else_says_who_cares(case: Case, iris: Member, theo: Member, olive: Actor) -> None:
    row = relate(case, theo, Kind.CO_COUNSELOR, olive)
    before = AuditEntry.objects.count()
    for actor in (
        iris.as_actor(),
        theo.as_actor(),
        make.front_desk().as_actor(),
        make.reviewer().as_actor(),
        make.supervisor().as_actor(),
        Actor.visitor(),
        Actor.of_person(uuid4(), 2),
    ):
        with pytest.raises(NotPermitted):
            relate(case, theo, Kind.NAMED, actor)
        with pytest.raises(NotPermitted):
            care.assign(case=case, member=theo, by=actor, now=make.NOW)
        with pytest.raises(NotPermitted):
            care.end(relation=row, by=actor, now=make.NOW)
    assert AuditEntry.objects.count() == before


# --- the counselor -------------------------------------------------------------------------------


def test_whoever_gets_a_case_back_is_told_again(
    case: Case, iris: Member, theo: Member, olive: Actor
) -> None:
    for member in (theo, iris, theo):
        care.assign(case=case, member=member, by=olive, now=make.NOW)
    for member, kinds in (
        (theo, ["case_given", "case_given", "case_taken"]),
        (iris, ["case_given", "case_taken", "case_taken"]),
    ):
        found = unseen(member.as_actor())
        assert sorted(one.kind for one in found) == kinds
        assert {one.case_id for one in found} == {case.pk}


def test_another_counselor_has_the_case_and_the_first_one_no_more(
    case: Case, iris: Member, theo: Member, olive: Actor
) -> None:
    relate(case, theo, Kind.CO_COUNSELOR, olive)
    care.assign(case=case, member=theo, by=olive, now=make.NOW)
    assert find.is_open(theo.as_actor(), case)
    assert not knows(iris, case)
    assert find.team(Case.objects.get(pk=case.pk)) == [], "the counselor is nothing besides"
    assert {("Theo", "case_given"), ("Iris", "case_taken")} <= told()
    count = AuditEntry.objects.count()
    care.assign(case=case, member=theo, by=olive, now=make.NOW)
    assert AuditEntry.objects.count() == count


def test_a_case_is_given_to_counselors_only(case: Case, uma: Member, olive: Actor) -> None:
    with pytest.raises(policy.NotAllowed, match="role_missing"):
        care.assign(case=case, member=uma, by=olive, now=make.NOW)


# --- restricted ----------------------------------------------------------------------------------


def test_a_restricted_case_is_gone_for_all_but_those_who_care_or_are_named(
    case: Case, iris: Member, theo: Member, olive: Actor
) -> None:
    sam, rita = make.front_desk(), make.reviewer()
    relate(case, sam, Kind.NAMED, olive)
    care.restrict(case=case, by=olive, now=make.NOW)
    assert knows(iris, case)
    assert knows(sam, case)
    assert not knows(rita, case)
    assert not Case.objects.visible_to(olive).exists(), "who restricts is not among them by that"
    for attempt in (
        lambda: care.lift(case=case, by=olive, now=make.NOW),
        lambda: relate(case, theo, Kind.CO_COUNSELOR, olive),
        lambda: care.assign(case=case, member=theo, by=olive, now=make.NOW),
    ):
        with pytest.raises(NotPermitted):
            attempt()
    care.lift(case=case, by=iris.as_actor(), now=make.NOW)
    assert knows(rita, case)
    verbs = set(AuditEntry.objects.filter(case_id=case.pk).values_list("verb", flat=True))
    assert {"case.restricted", "case.unrestricted"} <= verbs


def test_an_admin_who_is_named_keeps_a_restricted_case(case: Case, olive: Actor) -> None:
    relate(case, Member.objects.get(pk__in=[olive.id]), Kind.NAMED, olive)
    care.restrict(case=case, by=olive, now=make.NOW)
    assert Case.objects.visible_to(olive).exists()
    care.lift(case=case, by=olive, now=make.NOW)
    case.refresh_from_db()
    assert case.restricted_at is None


def test_only_its_counselor_and_an_admin_restrict_a_case(
    case: Case, theo: Member, uma: Member, olive: Actor
) -> None:
    relate(case, theo, Kind.CO_COUNSELOR, olive)
    relate(case, uma, Kind.SUPERVISOR, olive)
    for actor in (
        theo.as_actor(),
        uma.as_actor(),
        make.front_desk().as_actor(),
        make.reviewer().as_actor(),
        Actor.visitor(),
    ):
        with pytest.raises(NotPermitted):
            care.restrict(case=case, by=actor, now=make.NOW)
    case.refresh_from_db()
    assert case.restricted_at is None


def test_twice_restricted_is_the_same_as_once(case: Case, iris: Member) -> None:
    for _ in range(2):
        care.restrict(case=case, by=iris.as_actor(), now=make.NOW)
    assert AuditEntry.objects.filter(verb="case.restricted").count() == 1
    for _ in range(2):
        care.lift(case=case, by=iris.as_actor(), now=make.NOW)
    assert AuditEntry.objects.filter(verb="case.unrestricted").count() == 1
