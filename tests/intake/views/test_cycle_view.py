"""The cycle at the desk: what it shows, to whom, and what it keeps silent about."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clients.models import AuditEntry, Case, CoupleMember, DataKey, Person
from intake.models import Flag
from intake.rules.answers import Answered
from practice.models import Counselor, Practice
from tests import factories as make
from tests.intake import cycle_cast as cast
from tests.practice.views import portal_walk
from tests.practice.views.test_desk import signed_in
from tests.practice.views.walk import relate, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(iris: Counselor) -> Client:
    return signed_in(iris.member)


def page(client: Client, case: Case, query: str = "") -> str:
    answer = client.get(f"/desk/cases/{case.pk}/cycle/{query}")
    assert answer.status_code == 200
    return text(answer)


def title(page: str) -> str:
    found = re.search(r"<h1>([^<]*)</h1>", page)
    assert found
    return found[1]


def test_nobody_has_answered(desk: Client, case: Case) -> None:
    assert "Nobody has answered yet" in page(desk, case)


def test_both_accounts_are_one_picture(desk: Client, case: Case, ana: Person, ben: Person) -> None:
    cast.round_of(case, ana, ben)
    told = page(desk, case)
    assert title(told) == "The cycle"
    assert "Ana reaches, Ben steps back." in told
    assert "most of their hard moments" in told
    assert "pursue / withdraw" in told
    assert (
        "Ana says that they let Ben know that their feelings make sense; Ben feels it less" in told
    )
    assert "May be news to Ana, of Ben: “Earlier in my life, speaking up got me put down" in told
    assert "Ben 19, Ana 44" in told
    assert "19, the lower of the two; 25 apart" in told
    # Exact values, half up: 84.375, 15.625, 18.75, 81.25; 82.8125 for the dance.
    for number in ("84", "16", "19", "81", "83"):
        assert f">{number}<" in told
    assert "It has not been tested as a psychological measure" in told
    assert "Tentative" not in told


def test_a_gap_between_two_views_is_said_in_words(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    cast.round_of(case, ana, ben, "TV2")
    told = page(desk, case)
    assert "Ana sees more reaching in Ben than Ben does (94 and 58)." in told
    assert "Ben sees more of their own stepping back than Ana does (33 and 6)." in told


def test_tentative_is_said_with_the_values(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    cast.round_of(case, ana, ben, "TV4")
    told = page(desk, case)
    assert "a little more reaching by Ana, or a little less stepping back by Ana" in told


def test_one_view_is_titled_so_and_counted(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    cast.round_of(case, ana, ben, without="B")
    told = page(desk, case)
    assert title(told) == "How Ana sees it"
    assert "1 of 2 in" in told
    assert "Only Ana's account is here: there is nothing to compare." in told
    assert "see it much alike" not in told
    assert "Release these parts" not in told


def test_a_short_round_has_what_was_asked_and_says_when_the_rest_was(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    cast.round_of(case, ana, ben)
    assert "left alone" in page(desk, case)
    cast.agree(case, ana, ben)
    asked = set(cast.definition().short_form)
    for person, answers in ((ana, cast.vector("TV1")["A"]), (ben, cast.vector("TV1")["B"])):
        short = {name: one for name, one in (answers or {}).items() if name in asked}
        cast.sent(case, person, short, number=2, now=make.NOW + timedelta(days=30), short=True)
    told = page(desk, case)
    for words in ("left alone", "feels outmatched", "both accounts", "Finding each other again:"):
        assert words not in told
    assert '<a href="?round=1">Asked last in round 1, ' in told
    # What wasn't asked can't be released.
    assert 'name="part_dance"' in told
    for part in ("feelings", "reasons", "repair"):
        assert f'name="part_{part}"' not in told
        assert f'name="part_{part}"' in page(desk, case, "?round=1")


def test_beside_a_short_form_a_whole_one_keeps_what_it_says(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    asked = set(cast.definition().short_form)
    answers = cast.vector("TV1")
    cast.sent(case, ana, answers["A"])
    short = {name: one for name, one in (answers["B"] or {}).items() if name in asked}
    cast.sent(case, ben, short, short=True)
    told = page(desk, case)
    assert "left alone" in told
    assert "Finding each other again" in told
    assert "short form" not in told
    assert "Ana reaches, Ben steps back." in told


def test_nothing_stands_out_is_said_of_what_was_asked(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    alike = {name: Answered(1) for name in cast.definition().short_form}
    for person in (ana, ben):
        cast.sent(case, person, alike, short=True)
    assert "In what each does, nothing stands out: they see it much alike." in page(desk, case)


@pytest.mark.parametrize("name", ["cycle", "change"])
def test_the_practice_is_named_in_full(desk: Client, case: Case, name: str) -> None:
    found = Practice.objects.get()
    Practice.objects.filter(pk=found.pk).update(name="The House of Two", neutral_name="Ferns")
    told = text(desk.get(f"/desk/cases/{case.pk}/{name}/"))
    assert "<span>The House of Two</span>" in told
    assert "Ferns" not in told


def test_too_few_answers_name_no_dance(desk: Client, case: Case, ana: Person, ben: Person) -> None:
    cast.round_of(case, ana, ben, "TV6")
    assert "There are not enough answers to name a dance." in page(desk, case)


def test_the_case_of_one_person_is_their_own_view(desk: Client, iris: Counselor) -> None:
    dana = make.dana()
    case = make.case(dana, counselor=iris)
    cast.sent(case, dana, cast.vector("TV1")["A"])
    told = page(desk, case)
    assert title(told) == "How Dana sees it"
    assert "1 of 2" not in told
    assert "<b>the other</b>" in told
    assert "What they may see together" not in told


def test_an_open_flag_silences_it(desk: Client, case: Case, ana: Person, ben: Person) -> None:
    cast.round_of(case, ana, ben)
    # The control.
    assert "Ana reaches" in page(desk, case)
    flag = make.flag(case, ben)
    told = page(desk, case)
    assert "The couple view is held" in told
    assert "There is an open flag" in told
    assert "Ana reaches" not in told
    assert "pursue" not in told
    assert "map-title" not in told
    assert "Release these parts" not in told
    assert told.count("of themselves") == 2
    flag.delete()
    assert "Ana reaches" in page(desk, case)


@pytest.mark.parametrize("name", ["cycle", "change"])
def test_for_a_supervisor_a_flag_that_was_not_escalated_changes_not_a_byte(
    desk: Client, case: Case, ana: Person, ben: Person, name: str
) -> None:
    for number in (1, 2):
        cast.round_of(case, ana, ben, number=number, day=number)
    cast.agree(case, ana, ben)
    uma = make.supervisor()
    relate(case, uma, "supervisor")
    client, address = signed_in(uma), f"/desk/cases/{case.pk}/{name}/"
    before = portal_walk.same(client.get(address))
    own = portal_walk.same(desk.get(address))
    flag = make.flag(case, ben)
    assert portal_walk.same(client.get(address)) == before
    told = before.decode()
    for word in ("flag", "held", "Ana reaches", "pursue"):
        assert word not in told
    # The controls: the counselor's page tells, and the supervisor's once it has come to them.
    assert portal_walk.same(desk.get(address)) != own
    if name == "cycle":
        Flag.objects.filter(pk=flag.pk).update(escalated_at=make.NOW)
        assert "There is an open flag" in text(client.get(address))


def test_rounds_are_compared_and_the_last_comes_first(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    for number, name in enumerate(("TV1", "TV2", "TV4"), 1):
        cast.round_of(case, ana, ben, name, number=number, day=30 * number)
    told = page(desk, case)
    assert "Both step back" in told.partition('id="over-time"')[0]
    assert told.count('class="panel"') == 3
    assert (
        "Ben reaches, Ana steps back."
        in page(desk, case, "?round=2").partition('id="over-time"')[0]
    )
    for query in ("?round=9", "?round=x", "?round=-1", "?round=٣", "?round=999999999"):
        assert page(desk, case, query).partition('id="over-time"')[0].count("Both step back")


def test_other_versions_are_not_put_together(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    cast.sent(case, ana, cast.vector("TV1")["A"])
    newer = make.instrument(cast.raw(), version="9.0.0", state="retired")
    cast.sent(case, ben, cast.vector("TV1")["B"], of=newer)
    told = page(desk, case)
    assert "They answered different versions" in told
    assert "Ana reaches" not in told


def test_who_left_stays_in_what_they_answered(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    cast.round_of(case, ana, ben)
    CoupleMember.objects.filter(person=ben).update(left_at=make.NOW)
    told = page(desk, case)
    assert "Ana reaches, Ben steps back." in told
    assert "Ben Birch" not in told.partition("<h1>")[0].partition("<main")[2]


def test_an_erased_account_is_said_to_be_unreadable(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    cast.round_of(case, ana, ben)
    DataKey.objects.filter(pk=ben.key.pk).update(wrapped=None, destroyed_at=make.NOW)
    told = page(desk, case)
    assert "can't be read any more" in told


# --- who may ------------------------------------------------------------------------------------


def test_only_those_who_open_the_case_see_it(case: Case, ana: Person, ben: Person) -> None:
    cast.round_of(case, ana, ben)
    members = [make.front_desk(), make.reviewer(), make.admin(), make.counselor("theo").member]
    for member in members:
        client = signed_in(member)
        for name in ("cycle", "change"):
            assert client.get(f"/desk/cases/{case.pk}/{name}/").status_code == 404
        assert client.post(f"/desk/cases/{case.pk}/cycle/release/").status_code == 404
    assert signed_in(members[0]).get(f"/desk/cases/{ana.pk}/cycle/").status_code == 404


def test_a_look_is_on_record_for_both(desk: Client, case: Case, ana: Person, ben: Person) -> None:
    cast.round_of(case, ana, ben)
    page(desk, case)
    desk.get(f"/desk/cases/{case.pk}/change/")
    for verb in ("cycle.read", "change.read"):
        found = AuditEntry.objects.filter(verb=verb).values_list("person_id", flat=True)
        assert set(found) == {ana.pk, ben.pk}


def test_a_counselor_releases_on_the_page_and_takes_it_back(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    cast.round_of(case, ana, ben)
    told = page(desk, case)
    assert "Once both have agreed" in told
    address = f"/desk/cases/{case.pk}/cycle/"
    sent = {"number": "1", "part_dance": "on", "part_repair": "on"}
    refused = desk.post(f"{address}release/", sent)
    assert refused.status_code == 422
    assert "Ana Alder hasn't agreed to it." in text(refused)
    assert "Ben Birch hasn't agreed to it." in text(refused)
    cast.agree(case, ana, ben)
    assert desk.post(f"{address}release/", sent)["Location"] == f"{address}?round=1"
    assert "by Iris" in page(desk, case)
    assert desk.post(f"{address}release/", {"number": "1"}).status_code == 422
    assert desk.post(f"{address}release/", {"number": "x"}).status_code == 422
    assert desk.post(f"{address}release/", sent | {"part_home": "on"}).status_code == 400
    assert desk.post(f"{address}withdraw/", {"x": "1"}).status_code == 400
    assert desk.post(f"{address}withdraw/")["Location"] == address
    assert "by Iris" not in page(desk, case)


def test_a_supervisor_reads_and_releases_nothing(case: Case, ana: Person, ben: Person) -> None:
    cast.round_of(case, ana, ben)
    cast.agree(case, ana, ben)
    uma = make.supervisor()
    relate(case, uma, "supervisor")
    client = signed_in(uma)
    assert "Release these parts" not in page(client, case)
    sent = {"number": "1", "part_dance": "on"}
    assert client.post(f"/desk/cases/{case.pk}/cycle/release/", sent).status_code == 403
    assert client.post(f"/desk/cases/{case.pk}/cycle/withdraw/").status_code == 403


@pytest.mark.parametrize("name", ["cycle", "change"])
def test_the_statements_are_as_many_whatever_there_is(
    desk: Client, case: Case, ana: Person, ben: Person, iris: Counselor, name: str
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert desk.get(f"/desk/cases/{case.pk}/{name}/").status_code == 200
        return len(caught)

    cast.round_of(case, ana, ben)
    statements()
    few = statements()
    for number in range(2, 6):
        cast.round_of(case, ana, ben, "TV2", number=number, day=number)
    others = make.dana(), make.chris()
    other = make.case(*others, counselor=iris)
    for number in range(1, 4):
        cast.round_of(other, *others, number=number)
    assert statements() == few
    assert few == {"cycle": 11, "change": 9}[name]
