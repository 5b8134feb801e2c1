"""Closing a case and reopening it: by whom, when, and what it keeps out."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clients.actions import care as clients_care
from clients.models import AuditEntry, CareRelation, Case, Couple, CoupleMember
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from clients.rules.retention import MayNotErase
from practice.actions import booking, cases, erasure
from practice.actions.cases import StillComing
from practice.models import Appointment, Counselor, Service
from tests import factories as make

pytestmark = pytest.mark.django_db

NOW = make.NOW
LATER = make.at(8)


@pytest.fixture
def iris() -> Counselor:
    make.practice()
    return make.counselor("iris")


@pytest.fixture
def talk(iris: Counselor) -> Service:
    return make.service(counselors=[iris])


@pytest.fixture
def couple(iris: Counselor, talk: Service) -> Appointment:
    return make.appointment(iris, talk, make.ana(), make.ben(), start=make.at(1))


@pytest.fixture
def case(couple: Appointment) -> Case:
    assert couple.case is not None
    return couple.case


def by_hand(case: Case, iris: Counselor, talk: Service, by: Actor, day: int = 14) -> Appointment:
    return booking.book_by_hand(
        service=talk, counselor=iris, start=make.at(day), request=None, case=case, beside=None,
        by=by, now=LATER,
    ).appointment  # fmt: skip


def verbs(case: Case) -> list[str]:
    found = AuditEntry.objects.filter(case_id=case.pk, verb__in=["case.closed", "case.reopened"])
    return list(found.order_by("at", "pk").values_list("verb", flat=True))


def test_a_case_is_closed_and_reopened_and_twice_is_once(case: Case, iris: Counselor) -> None:
    by = iris.member.as_actor()
    for _ in range(2):
        closed = cases.close(case=case, by=by, now=LATER)
        assert (closed.state, closed.closed_at) == (Case.State.CLOSED, LATER)
    assert Couple.objects.get().ended_at == LATER
    for _ in range(2):
        opened = cases.reopen(case=case, by=by, now=LATER + timedelta(hours=1))
        assert (opened.state, opened.closed_at) == (Case.State.ACTIVE, None)
    assert Couple.objects.get().ended_at is None
    assert verbs(case) == ["case.closed", "case.reopened"]


def test_what_came_to_nothing_is_an_enquiry_again(case: Case, iris: Counselor) -> None:
    Appointment.objects.update(state="no_show")
    by = iris.member.as_actor()
    cases.close(case=case, by=by, now=LATER)
    assert cases.reopen(case=case, by=by, now=LATER).state == Case.State.ENQUIRY


@pytest.mark.parametrize("state", ["requested", "confirmed"])
def test_while_somebody_is_to_come_it_stays_open(case: Case, iris: Counselor, state: str) -> None:
    Appointment.objects.update(state=state)
    with pytest.raises(StillComing):
        cases.close(case=case, by=iris.member.as_actor(), now=NOW)
    case.refresh_from_db()
    assert (case.state, case.closed_at) == (Case.State.ENQUIRY, None)
    assert Couple.objects.get().ended_at is None
    assert verbs(case) == []
    # The control: without the question it would be closed over what is booked.
    clients_care.close(case=case, by=iris.member.as_actor(), now=NOW)
    case.refresh_from_db()
    assert case.state == Case.State.CLOSED


def who(case: Case) -> dict[str, Actor]:
    related = {"co_counselor": make.counselor("co").member, "supervisor": make.supervisor()}
    for kind, member in related.items():
        CareRelation.objects.create(case=case, member=member, kind=kind, since_at=NOW)
    return {
        "front desk": make.front_desk().as_actor(),
        "reviewer": make.reviewer().as_actor(),
        "co-counselor": related["co_counselor"].as_actor(),
        "supervisor": related["supervisor"].as_actor(),
        "through the glass": make.counselor("gus").member.as_actor(opened=[case.pk]),
        "another": make.counselor("theo").member.as_actor(),
        "nobody": make.member("nobody", roles=[]).as_actor(),
        "visitor": Actor.visitor(),
        "person": Actor.of_person(uuid4(), 2),
    }


def test_only_its_counselor_and_an_admin_do(case: Case, iris: Counselor) -> None:
    acts: tuple[Callable[..., Case], ...] = (cases.close, cases.reopen)
    for name, actor in who(case).items():
        for act in acts:
            with pytest.raises(NotPermitted):
                act(case=case, by=actor, now=LATER)
            assert verbs(case) == [], name
    olive = make.admin()
    for actor in (iris.member.as_actor(), olive.as_actor(), Actor.system()):
        for act in acts:
            act(case=case, by=actor, now=LATER)
    assert len(verbs(case)) == 6
    case.refresh_from_db()
    clients_care.restrict(case=case, by=iris.member.as_actor(), now=NOW)
    for act in acts:
        with pytest.raises(NotPermitted):
            act(case=case, by=olive.as_actor(opened=[case.pk]), now=LATER)


def test_nothing_is_booked_for_a_case_that_everybody_has_left(
    case: Case, iris: Counselor, talk: Service
) -> None:
    """As when both were erased: the desk says so, and nothing breaks."""
    couple = make.case(make.ana(), make.ben(), counselor=iris)
    CoupleMember.objects.filter(couple=couple.couple).update(left_at=LATER)
    with pytest.raises(booking.NobodyLeft):
        by_hand(couple, iris, talk, iris.member.as_actor())
    desk = Client()
    desk.force_login(make.front_desk().user)
    page = f"/desk/book/?case={couple.pk}&service={talk.slug}&counselor={iris.slug}"
    assert desk.get(page).status_code == 200
    sent = {"case": couple.pk, "service": talk.slug, "counselor": iris.slug}
    assert desk.post("/desk/book/", sent).status_code == 422


def test_nothing_is_booked_for_a_closed_case(case: Case, iris: Counselor, talk: Service) -> None:
    by = iris.member.as_actor()
    cases.close(case=case, by=by, now=LATER)
    for actor in (by, make.front_desk().as_actor(), make.admin().as_actor(), Actor.system()):
        with pytest.raises(booking.CaseClosed):
            # The row that the caller has at hand may be older than the closing.
            by_hand(case, iris, talk, actor)
    with pytest.raises(NotPermitted):
        by_hand(case, iris, talk, make.counselor("theo").member.as_actor())
    assert Appointment.objects.count() == 1
    cases.reopen(case=case, by=by, now=LATER)
    by_hand(case, iris, talk, by)
    with pytest.raises(StillComing):
        cases.close(case=case, by=by, now=LATER)


def test_closing_and_booking_lock_the_case(case: Case, iris: Counselor, talk: Service) -> None:
    """So of two at the same moment the second finds what the first has done."""
    by = iris.member.as_actor()
    acts: tuple[Callable[[], object], ...] = (
        lambda: by_hand(case, iris, talk, by),
        lambda: cases.reopen(case=case, by=by, now=LATER),
    )
    for act in acts:
        with CaptureQueriesContext(connection) as caught:
            act()
        locked = [one["sql"] for one in caught if "FOR NO KEY UPDATE" in one["sql"]]
        assert any('FROM "duet_clients_case"' in sql for sql in locked)


def test_closing_takes_a_fixed_number_of_statements(case: Case, iris: Counselor) -> None:
    by = iris.member.as_actor()

    def statements(act: Callable[[], object]) -> int:
        with CaptureQueriesContext(connection) as caught:
            act()
        return len([one for one in caught if "SAVEPOINT" not in one["sql"]])

    assert statements(lambda: cases.close(case=case, by=by, now=LATER)) == 7
    assert statements(lambda: cases.reopen(case=case, by=by, now=LATER)) == 5


def test_a_closed_case_is_what_an_erasure_waits_for(case: Case, iris: Counselor) -> None:
    person = case.couple.members.order_by("voice")[0].person  # type: ignore[union-attr]

    def why() -> str:
        with pytest.raises(MayNotErase) as refused:
            erasure.erase(person=person, reason="asked-for", by=Actor.system(), now=LATER)
        return refused.value.why

    assert why() == "open"
    cases.close(case=case, by=iris.member.as_actor(), now=LATER)
    assert why() == "kept"
