"""One form that was sent, at the desk: by every role, and by whoever has none."""

from dataclasses import dataclass

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clients.models import AuditEntry, Case, Member, Person
from intake.models import Assignment, Response
from practice.models import Counselor
from tests import factories as make
from tests.factories import NOW
from tests.practice.views import portal_walk, walk
from tests.practice.views.test_desk import signed_in
from tests.practice.views.walk import relate

pytestmark = pytest.mark.django_db

CUTS = [
    {
        "subscale": "total",
        "operator": operator,
        "value": value,
        "label_staff": label,
        "citation": "Somebody 2027",
    }
    for operator, value, label in ((">=", 3, "Look closer"), (">=", 4, "Look at once"))
]
AUDIENCE = {"guarded": "counselor", "staff": "staff"}


@dataclass
class World:
    case: Case
    ana: Person
    mood: Response
    check: Response
    intake: Response
    begun: Response


@pytest.fixture
def world(iris: Counselor) -> World:
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben, counselor=iris)
    link = make.intake(case, ana)
    mood = make.instrument(cuts=CUTS, notice="Free to use.", statement="It says nothing of you.")
    said = {"close": "often", "calm": "skip", "words": "<b>Ana's words</b>"}
    sent = make.response(make.assignment(link, mood), said, scores={"total": "7/2"})
    check = make.instrument(id="private-check", title="Alone")
    guarded = make.response(
        make.assignment(link, check), {"words": "Ana alone"}, guarded=True, audience="counselor"
    )
    staff = make.instrument(id="practice-intake", title="About you")
    intake = make.response(
        make.assignment(link, staff), {"words": "Why Ana comes"}, audience="staff"
    )
    begun = make.response(make.assignment(link, mood, number=2), {"words": "Not sent"}, sent=False)
    return World(case, ana, sent, guarded, intake, begun)


def page(response: Response) -> str:
    return f"/desk/responses/{response.pk}/"


def test_answers_scores_and_cuts_stand_there_in_words(iris: Counselor, world: World) -> None:
    shown = walk.text(signed_in(iris.member).get(page(world.mood)))
    for words in (
        *("How it is going", "Ana", "1.0", "I feel close.", "Often", "Ana's words"),
        *("Total", "3.5", "Look closer", "Somebody 2027"),
        *("Free to use.", "It says nothing of you."),
    ):
        assert words in shown, words
    assert "Look at once" not in shown
    assert "<b>Ana" not in signed_in(iris.member).get(page(world.mood)).content.decode()


def test_too_little_was_answered_for_a_score(iris: Counselor, world: World) -> None:
    row = make.response(
        make.assignment(world.mood.assignment.intake, world.mood.assignment.instrument, number=3),
        {"close": "often"},
        scores={"total": None},
    )
    assert "too little was answered" in walk.text(signed_in(iris.member).get(page(row)))


def test_a_date_is_written_as_its_reader_writes_one(iris: Counselor, world: World) -> None:
    item = {"id": "born", "kind": "date", "text": "Your date of birth"}
    dated = make.instrument(id="dated", items=[*make.MOOD["items"], item])
    row = make.response(
        make.assignment(world.mood.assignment.intake, dated), {"born": "1990-05-01"}
    )
    shown = walk.text(signed_in(iris.member).get(page(row)))
    assert "May 1, 1990" in shown
    assert "1990-05-01" not in shown


def reads_of(world: World, member: Member) -> list[bool]:
    """Which of the four open, in order: mood, private check, for staff, not sent."""
    client = signed_in(member)
    rows = (world.mood, world.check, world.intake, world.begun)
    answers = [client.get(page(one)).status_code for one in rows]
    assert set(answers) <= {200, 404}
    return [one == 200 for one in answers]


def test_who_may_read_what(iris: Counselor, world: World) -> None:
    beside, above = make.counselor("carl").member, make.supervisor()
    relate(world.case, beside, "co_counselor")
    relate(world.case, above, "supervisor")
    assert reads_of(world, iris.member) == [True, True, True, False]
    assert reads_of(world, beside) == [True, True, True, False]
    assert reads_of(world, above) == [True, False, True, False]
    assert reads_of(world, make.reviewer()) == [False, False, True, False]
    for nobody in (make.front_desk(), make.admin(), make.counselor("theo").member):
        assert reads_of(world, nobody) == [False] * 4


def test_that_it_was_read_is_on_record_and_a_404_is_not(iris: Counselor, world: World) -> None:
    sam = make.front_desk()
    signed_in(sam).get(page(world.check))
    signed_in(iris.member).get(page(world.check))
    (entry,) = AuditEntry.objects.filter(verb="response.read")
    assert (entry.actor_id, entry.person_id) == (iris.member.pk, world.ana.pk)
    assert (entry.case_id, entry.subject_id) == (world.case.pk, world.check.pk)


def test_what_cant_be_opened_takes_no_page_down(iris: Counselor, world: World) -> None:
    key = world.ana.key
    type(key).objects.filter(pk=key.pk).update(wrapped=b"x" * 60)
    answer = signed_in(iris.member).get(page(world.mood))
    assert answer.status_code == 200
    assert "read (reported)" in walk.text(answer)


# --- on the page of the case ---------------------------------------------------------------------


def links(client: Client, world: World) -> set[Response]:
    body = client.get(f"/desk/cases/{world.case.pk}/").content.decode()
    rows = (world.mood, world.check, world.intake, world.begun)
    return {one for one in rows if page(one) in body}


def test_the_case_leads_to_what_may_be_read(iris: Counselor, world: World) -> None:
    above = make.supervisor()
    relate(world.case, above, "supervisor")
    assert links(signed_in(iris.member), world) == {world.mood, world.check, world.intake}
    assert links(signed_in(above), world) == {world.mood, world.intake}
    assert links(signed_in(make.reviewer()), world) == {world.intake}
    assert links(signed_in(make.front_desk()), world) == set()


def test_the_front_desk_sees_the_same_bytes_whatever_can_be_read(world: World) -> None:
    """That it was sent stands there for them anyway; who may read the answers changes nothing."""
    client, address = signed_in(make.front_desk()), f"/desk/cases/{world.case.pk}/"
    link, form = world.check.assignment.intake, world.mood.assignment.instrument
    row = make.assignment(link, form, number=9, state=Assignment.State.SENT)
    seen = []
    for kind in ("none", "guarded", "staff"):
        with transaction.atomic():
            if kind != "none":
                make.response(row, guarded=kind == "guarded", audience=AUDIENCE[kind])
            with CaptureQueriesContext(connection) as statements:
                answer = client.get(address)
            seen.append((portal_walk.same(answer), len(statements)))
            transaction.set_rollback(True)
    assert seen[0] == seen[1] == seen[2]
    assert "/desk/responses/" not in str(seen[0])


def test_a_page_takes_as_many_statements_however_much_was_answered(
    iris: Counselor, world: World
) -> None:
    client = signed_in(iris.member)

    def count() -> int:
        client.get(page(world.mood))
        with CaptureQueriesContext(connection) as statements:
            client.get(page(world.mood))
        return len(statements)

    before = count()
    for number in range(3, 9):
        given = make.assignment(
            world.mood.assignment.intake, world.mood.assignment.instrument, number=number
        )
        make.response(given, {"close": "often"}, now=NOW)
    assert count() == before
