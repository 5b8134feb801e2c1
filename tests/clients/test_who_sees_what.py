"""`.visible_to(actor)`: the one door to cases, appointments and attendances."""

from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AnonymousUser

from clients.models import Case, Member, Person
from clients.queries import people
from clients.rules.actors import Actor
from practice.models import Appointment, Attendance, Counselor
from tests import factories
from tests.factories import at

pytestmark = pytest.mark.django_db

Seen = tuple[set[UUID | None], set[UUID], set[UUID]]


@dataclass
class Diary:
    """Iris sees Ana and Ben together; Theo sees Chris alone, and holds a time for somebody."""

    iris: Counselor
    theo: Counselor
    couple: Appointment
    single: Appointment
    held: Appointment

    def part_of(self, name: str) -> Attendance:
        return next(
            attendance
            for attendance in Attendance.objects.select_related("person__key")
            if attendance.person.name.startswith(name)
        )


@pytest.fixture
def diary() -> Diary:
    factories.practice()
    iris, theo = factories.counselor("iris"), factories.counselor("theo")
    service = factories.service(counselors=[iris, theo])
    return Diary(
        iris,
        theo,
        factories.appointment(iris, service, factories.ana(), factories.ben(), start=at(1)),
        factories.appointment(theo, service, factories.chris(), start=at(1)),
        factories.hold(theo, service, start=at(2)),
    )


def _seen(actor: Actor) -> Seen:
    return (
        set(Case.objects.visible_to(actor).values_list("pk", flat=True)),
        set(Appointment.objects.visible_to(actor).values_list("pk", flat=True)),
        set(Attendance.objects.visible_to(actor).values_list("pk", flat=True)),
    )


def _all(diary: Diary) -> Seen:
    everybody = set(Attendance.objects.values_list("pk", flat=True))
    assert len(everybody) == 3
    return (
        {diary.couple.case_id, diary.single.case_id},
        {diary.couple.pk, diary.single.pk},
        everybody,
    )


def test_owner_staff_and_system_see_the_whole_diary_but_no_holds(diary: Diary) -> None:
    owner, staff = factories.admin().as_actor(), factories.front_desk().as_actor()
    for actor in (owner, staff, Actor.system()):
        assert _seen(actor) == _all(diary)


def test_a_counselor_sees_their_own_and_nobody_elses(diary: Diary) -> None:
    cases, appointments, attendances = _seen(diary.iris.member.as_actor())
    assert cases == {diary.couple.case_id}
    assert appointments == {diary.couple.pk}
    assert attendances == {diary.part_of("Ana").pk, diary.part_of("Ben").pk}


def test_a_counselor_who_is_owner_too_sees_all(diary: Diary) -> None:
    diary.iris.member.roles = ["counselor", "admin"]
    diary.iris.member.save(update_fields=["roles"])
    assert _seen(diary.iris.member.as_actor()) == _all(diary)


def test_a_person_sees_their_own_part_and_not_their_partners(diary: Diary) -> None:
    ana = diary.part_of("Ana")
    cases, appointments, attendances = _seen(Actor.of_person(ana.person_id))
    assert cases == set(), "a case is the practice's own view of them"
    assert appointments == {diary.couple.pk}
    assert attendances == {ana.pk}


def test_visitors_strangers_and_members_without_a_role_see_nothing(diary: Diary) -> None:
    nothing: Seen = (set(), set(), set())
    nobody = factories.member("nobody", roles=[])
    for actor in (
        Actor.visitor(),
        Actor.of_person(uuid4()),
        Actor.of_member(uuid4(), frozenset({"counselor"})),
        nobody.as_actor(),
    ):
        assert _seen(actor) == nothing


def test_a_person_is_no_member_of_the_same_id(diary: Diary) -> None:
    """Ids of two kinds never stand in for each other."""
    member: Member = diary.iris.member
    assert _seen(Actor.of_person(member.pk)) == (set(), set(), set())
    ana = diary.part_of("Ana")
    assert _seen(Actor.of_member(ana.person_id, frozenset({"counselor"}))) == (set(), set(), set())


def test_the_actor_behind_a_user_is_their_member_or_a_visitor() -> None:
    olive = factories.admin()
    assert people.actor_of(olive.user) == olive.as_actor()
    assert people.actor_of(AnonymousUser()) == Actor.visitor()
    stranger = type(olive.user).objects.create_user(username="stranger")
    assert people.actor_of(stranger) == Actor.visitor()
    olive.user.is_active = False
    olive.user.save()
    assert people.actor_of(olive.user) == Actor.visitor()


def test_a_link_opens_one_attendance_and_a_guess_none(diary: Diary) -> None:
    ana = diary.part_of("Ana")
    opened = Attendance.objects.opened_by(factories.token_hash(ana.token))
    assert list(opened) == [ana]
    assert not Attendance.objects.opened_by(factories.token_hash(ana.token[:-1])).exists()
    assert not Attendance.objects.opened_by(b"").exists()


def test_a_hold_is_its_holders_until_it_ends(diary: Diary) -> None:
    token_hash = factories.token_hash("a hold for tests")
    now = factories.NOW
    assert list(Appointment.objects.held_under(token_hash, now)) == [diary.held]
    assert diary.held.held_until is not None
    assert not Appointment.objects.held_under(token_hash, diary.held.held_until).exists()
    assert not Appointment.objects.held_under(factories.token_hash("other"), now).exists()


def test_a_second_and_restricted_case_takes_nobody_from_whoever_knows_them(diary: Diary) -> None:
    """Nor does anything tell of it: the person is known by the case that is seen."""
    ana, chris = diary.part_of("Ana").person, diary.part_of("Chris").person
    hers = factories.case(ana, counselor=diary.theo.member)
    Case.objects.filter(pk__in=[hers.pk, diary.single.case_id]).update(restricted_at=factories.NOW)
    desk = factories.front_desk().as_actor()
    for actor, seen in (
        (desk, {diary.couple.case_id}),
        (diary.iris.member.as_actor(), {diary.couple.case_id}),
        (diary.theo.member.as_actor(), {hers.pk, diary.single.case_id}),
    ):
        assert Person.objects.visible_to(actor).filter(pk=ana.pk).exists()
        assert set(Case.objects.visible_to(actor).values_list("pk", flat=True)) == seen
    assert Person.objects.visible_to(diary.theo.member.as_actor()).filter(pk=chris.pk).exists()
    assert not Person.objects.visible_to(desk).filter(pk=chris.pk).exists()
