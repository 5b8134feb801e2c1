"""How persons stand to the practice: each as if asked for alone, in four statements."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clients.models import Case, CoupleMember, Person
from clients.rules.retention import Standing
from practice.models import Appointment, Attendance
from practice.queries import standing
from tests import factories as make
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DONE = Appointment.State.DONE


@pytest.fixture
def persons() -> dict[str, Person]:
    """Each of them stands otherwise to the practice."""
    make.practice()
    iris = make.counselor("iris")
    talk = make.service(counselors=[iris])
    who = {name: make.person(name=f"{name} Reed") for name in EXPECTED}
    make.case(who["enquires"])
    make.appointment(iris, talk, who["comes"], who["left an hour"], start=make.at(1))
    Attendance.objects.filter(person=who["left an hour"]).update(
        state=Attendance.State.CANCELLED, cancelled_at=NOW
    )
    make.appointment(iris, talk, who["came"], start=make.at(-3), state=DONE)
    over = make.appointment(iris, talk, who["is done"], who["left"], start=make.at(-9), state=DONE)
    assert over.case is not None
    Case.objects.filter(pk=over.case.pk).update(state="closed", closed_at=NOW + timedelta(days=2))
    CoupleMember.objects.filter(person=who["left"]).update(left_at=NOW)
    back = make.case(who["came back"], make.person())
    Case.objects.filter(pk=back.pk).update(state="active")
    own = CoupleMember.objects.filter(person=who["came back"])
    own.update(left_at=NOW)
    assert back.couple is not None
    back.couple.members.create(person=who["came back"], voice=2, joined_at=NOW)
    return who


EXPECTED = {
    "enquires": Standing(),
    "comes": Standing(coming=1),
    "left an hour": Standing(),
    "came": Standing(open_cases=1),
    "is done": Standing(ended_on=date(2027, 1, 13)),
    # The case was closed later, which is when the care of both ended.
    "left": Standing(ended_on=date(2027, 1, 13)),
    "came back": Standing(open_cases=1),
}


def test_each_stands_as_they_do_alone(persons: dict[str, Person]) -> None:
    ids = {one.pk: name for name, one in persons.items()}
    together = standing.of_persons(ids, NOW)
    assert {ids[pk]: found for pk, found in together.items()} == EXPECTED
    for pk in ids:
        assert standing.of_persons([pk], NOW) == {pk: together[pk]}


def test_it_takes_four_statements_for_any_number(persons: dict[str, Person]) -> None:
    for some in ([], list(persons.values())[:1], list(persons.values())):
        with CaptureQueriesContext(connection) as ran:
            standing.of_persons([one.pk for one in some], NOW)
        assert len(ran) <= 4
