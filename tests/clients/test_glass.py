"""The broken glass: with a reason and a second factor, for an hour, reading, and never quietly."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from pytest_django import Settings

from clients.actions import care, glass
from clients.models import AuditEntry, BreakGlass, CareRelation, Case, Member, Notice
from clients.queries import care as find
from clients.queries import people
from clients.rules import care as policy
from clients.rules.actors import Actor
from clients.rules.contact import Refused
from clients.rules.permissions import NotPermitted
from tests import factories as make

pytestmark = pytest.mark.django_db

WHY = "Iris is ill, and Ana called in distress."
STRONG = {"olive"}


def is_strong(user: AbstractBaseUser) -> bool:
    """What the site says of its users."""
    return user.get_username() in STRONG


@pytest.fixture
def iris() -> Member:
    return make.counselor("iris").member


@pytest.fixture
def olive() -> Member:
    return make.admin()


@pytest.fixture
def case(iris: Member) -> Case:
    return make.case(make.ana(), make.ben(), counselor=iris)


@pytest.fixture
def real(settings: Settings) -> None:
    """A site that is no demo."""
    strong = "tests.clients.test_glass.is_strong"
    settings.DUET = {**settings.DUET, "MODE": "production", "STRONG_AUTH": strong}


def break_glass(case: Case, by: Actor, reason: str = WHY) -> BreakGlass:
    return glass.break_glass(case=case, reason=reason, by=by, now=make.NOW)


def test_it_opens_the_case_for_an_hour_and_says_so_to_who_cares(
    case: Case, olive: Member, iris: Member
) -> None:
    uma, sue = make.supervisor("uma"), make.supervisor("sue")
    for member in (uma, sue):
        care.relate(case=case, member=member, kind="supervisor", by=olive.as_actor(), now=make.NOW)
    CareRelation.objects.filter(member=sue).update(ended_at=make.NOW)
    row = break_glass(case, olive.as_actor())
    assert row.ends_at - row.opened_at == timedelta(hours=1)
    assert BreakGlass.objects.get().reason == WHY
    assert WHY.encode() not in bytes(BreakGlass.objects.values_list("reason", flat=True)[0] or b"")
    told = Notice.objects.filter(kind="glass_broken")
    assert {one.member for one in told} == {iris, uma}
    assert {one.subject_id for one in told} == {row.pk}
    entry = AuditEntry.objects.get(verb="case.glass_broken")
    assert (entry.case_id, entry.detail) == (case.pk, {"glass": str(row.pk)})
    through = olive.as_actor(opened=[case.pk])
    assert find.is_open(through, case)
    assert find.glass(through, case.pk, make.NOW) == row
    assert find.glass(through, case.pk, row.ends_at) is None
    assert find.glass(olive.as_actor(), case.pk, make.NOW) is None


def test_twice_is_the_same_as_once_and_afterwards_it_is_a_new_one(
    case: Case, olive: Member
) -> None:
    first = break_glass(case, olive.as_actor())
    assert break_glass(case, olive.as_actor(opened=[case.pk])) == first
    later = first.ends_at
    again = glass.break_glass(case=case, reason=WHY, by=olive.as_actor(), now=later)
    assert again != first
    assert Notice.objects.filter(kind="glass_broken").count() == 2


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("", "reason_short"),
        ("         .", "reason_short"),
        ("too short", "reason_short"),
        (" " * 20, "reason_short"),
        ("." * 10, "reason_short"),
        ("\u200b" * 12, "reason_short"),
        ("nine.nine\u200b.", "reason_short"),
    ],
)
def test_a_reason_says_something(case: Case, olive: Member, reason: str, code: str) -> None:
    with pytest.raises(policy.NotAllowed, match=code):
        break_glass(case, olive.as_actor(), reason)
    assert not BreakGlass.objects.exists()


def test_a_reason_is_short_enough_to_be_read(case: Case, olive: Member) -> None:
    with pytest.raises(Refused):
        break_glass(case, olive.as_actor(), "x" * 501)
    with pytest.raises(Refused):
        break_glass(case, olive.as_actor(), "x" * 20 + "\x00")
    assert break_glass(case, olive.as_actor(), "x" * 500)


def test_only_whose_role_gives_the_right(case: Case) -> None:
    for actor in (
        make.front_desk().as_actor(),
        make.reviewer().as_actor(),
        make.member("nobody", roles=[]).as_actor(),
        Actor.visitor(),
        Actor.of_person(uuid4(), 2),
    ):
        with pytest.raises(NotPermitted):
            break_glass(case, actor)
    assert not BreakGlass.objects.exists()
    assert not Notice.objects.exists()


def breakable(member: Member) -> set[Case]:
    return set(Case.objects.breakable_by(member.as_actor()))


def test_who_stands_in_for_a_colleague_opens_a_case_that_they_are_named_for_nowhere(
    case: Case, iris: Member
) -> None:
    for member in (make.counselor("theo").member, make.supervisor()):
        assert not Case.objects.visible_to(member.as_actor()).exists(), "the control"
        row = break_glass(case, member.as_actor())
        assert find.is_open(member.as_actor(opened=[case.pk]), case)
        told = Notice.objects.get(kind="glass_broken", subject_id=row.pk)
        assert told.member == iris


def test_a_restricted_case_is_not_there(case: Case, olive: Member, iris: Member) -> None:
    others = [olive, make.counselor("theo").member, make.supervisor()]
    assert all(breakable(one) == {case} for one in others), "the control"
    care.restrict(case=case, by=iris.as_actor(), now=make.NOW)
    for member in others:
        assert breakable(member) == set()
        with pytest.raises(NotPermitted):
            break_glass(case, member.as_actor())
    assert not Notice.objects.exists()


def test_without_the_right_there_is_nothing_to_break(case: Case, iris: Member) -> None:
    for member in (
        make.front_desk(),
        make.reviewer(),
        make.member("nobody", roles=[]),
        make.member("both", roles=["front_desk", "reviewer"]),
    ):
        assert breakable(member) == set()
    for actor in (Actor.visitor(), Actor.of_person(uuid4(), 2)):
        assert not Case.objects.breakable_by(actor).exists()
    assert breakable(iris) == {case}, "the control"


def test_a_member_who_is_named_for_a_restricted_case_may(
    case: Case, olive: Member, iris: Member
) -> None:
    theo = make.counselor("theo").member
    care.relate(case=case, member=theo, kind="named", by=olive.as_actor(), now=make.NOW)
    care.restrict(case=case, by=iris.as_actor(), now=make.NOW)
    assert break_glass(case, theo.as_actor())


def test_who_cares_for_it_needs_no_glass(case: Case, iris: Member) -> None:
    with pytest.raises(policy.NotAllowed, match="cares_already"):
        break_glass(case, iris.as_actor())


def test_an_open_glass_ends_when_the_case_is_restricted_for_writing_not_for_reading(
    case: Case, olive: Member, iris: Member
) -> None:
    """What was opened stays open for its hour, but for nothing new."""
    break_glass(case, olive.as_actor())
    care.restrict(case=case, by=iris.as_actor(), now=make.NOW)
    through = olive.as_actor(opened=[case.pk])
    assert find.is_open(through, case)
    assert not find.knows_of(through, case.pk)
    with pytest.raises(NotPermitted):
        care.lift(case=case, by=through, now=make.NOW)
    with pytest.raises(NotPermitted):
        break_glass(case, through)


def test_nobody_comes_in_with_a_password_alone(
    case: Case, olive: Member, iris: Member, real: None
) -> None:
    theo = make.counselor("theo").member
    care.relate(case=case, member=theo, kind="named", by=olive.as_actor(), now=make.NOW)
    with pytest.raises(glass.NoSecondFactor):
        break_glass(case, theo.as_actor())
    assert not BreakGlass.objects.exists()
    assert break_glass(case, olive.as_actor())


def test_a_site_that_says_nothing_of_second_factors_lets_nobody_in(
    case: Case, olive: Member, settings: Settings
) -> None:
    settings.DUET = {**settings.DUET, "MODE": "production", "STRONG_AUTH": ""}
    with pytest.raises(glass.NoSecondFactor):
        break_glass(case, olive.as_actor())
    # The control: a demo asks nobody.
    settings.DUET = {**settings.DUET, "MODE": "demo"}
    assert break_glass(case, olive.as_actor())


def test_the_actor_behind_the_user_has_opened_it(
    case: Case, olive: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: make.NOW)
    assert people.actor_of(olive.user).opened == frozenset()
    break_glass(case, olive.as_actor())
    assert people.actor_of(olive.user).opened == {case.pk}
