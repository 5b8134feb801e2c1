"""Change over time: what became of each score, for each and for the couple, and what is cited."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.test import Client

from clients.models import Case, Person
from intake.models import Instrument, Intake
from practice.models import Counselor
from tests import factories as make
from tests.intake import cycle_cast as cast
from tests.practice.views.test_desk import signed_in
from tests.practice.views.walk import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(iris: Counselor) -> Client:
    return signed_in(iris.member)


def raw(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((cast.FILE.parent / f"{name}.yaml").read_text())
    return found


def of(name: str, **changes: Any) -> Instrument:
    return make.instrument(raw(name), **changes)


def scored(
    case: Case, person: Person, asked: Instrument, totals: Sequence[int | None], *, first: int = 1
) -> None:
    """Each round's total, 30 days apart; None was not scored."""
    link = Intake.objects.filter(case=case, person=person).first() or make.intake(case, person)
    for number, total in enumerate(totals, first):
        scores = {one.id: None if total is None else str(total) for one in asked.parsed.subscales}
        given = make.assignment(link, asked, number=number)
        make.response(given, {}, scores=scores, now=make.NOW + timedelta(days=30 * number))


def page(client: Client, case: Case) -> str:
    answer = client.get(f"/desk/cases/{case.pk}/change/")
    assert answer.status_code == 200
    return text(answer)


def test_nothing_has_come_in(desk: Client, case: Case) -> None:
    assert "Nothing scored has come in yet." in page(desk, case)


def test_each_has_a_category_where_an_error_is_cited_and_the_couple_the_worse(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    rdas = of("rdas")
    scored(case, ana, rdas, [40, 52])
    scored(case, ben, rdas, [40, 51])
    told = page(desk, case)
    assert "Ana: +12, recovered." in told
    assert "Ben: +11, no reliable change." in told
    assert "Of the couple: no reliable change, the less favourable of both." in told
    assert "moving apart" not in told
    assert "Dotted: " in told
    assert "Shaded: within 11.6 points" in told
    assert "Anderson" in told
    assert told.count("<title") > 1


def test_one_better_and_the_other_worse_is_said(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    rdas = of("rdas")
    scored(case, ana, rdas, [40, 46, 53])
    scored(case, ben, rdas, [40, 30, 20])
    told = page(desk, case)
    assert "Ana: first to last +13, recovered; since the last time +7, no reliable" in told
    assert "They are moving apart" in told
    assert "Of the couple: deteriorated, the less favourable of both." in told


def test_the_projects_own_questions_show_the_difference_alone(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    cast.round_of(case, ana, ben, "TV1")
    cast.round_of(case, ana, ben, "TV2", number=2, day=30)
    told = page(desk, case)
    assert "Ana: +6, about the same." in told
    assert "Ana: −50." in told
    for word in ("reliable change.", "improved", "recovered", "deteriorated", "significant"):
        assert word not in told.partition("A gap means")[0]


def test_another_version_is_not_compared(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    older, newer = of("phq-9", version="0.9", state="retired"), of("phq-9")
    scored(case, ana, older, [20, 18])
    scored(case, ana, newer, [10, 4], first=3)
    told = page(desk, case)
    assert "From here version 1.0.0: not to be compared with before" in told
    assert "Ana: −6, improved." in told
    assert "Ben" not in told.partition("<section")[2]


def test_what_was_answered_once_is_a_number_and_no_picture(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    cast.round_of(case, ana, ben)
    told = page(desk, case)
    assert "Answered once so far" in told
    assert 'class="panel"' not in told
    cast.round_of(case, ana, ben, "TV1", number=2, day=30)
    told = page(desk, case)
    assert "Answered once so far" not in told
    assert told.count('class="panel"') == len(cast.definition().subscales)


def test_a_sentence_for_who_fills_a_form_in_is_not_the_staffs(
    desk: Client, case: Case, ana: Person
) -> None:
    scored(case, ana, of("phq-9"), [10, 9])
    assert "your counselor looks at it with you" not in page(desk, case)


def test_what_was_not_scored_is_a_gap(desk: Client, case: Case, ana: Person) -> None:
    scored(case, ana, of("phq-9"), [10, None, 9])
    told = page(desk, case)
    assert 'class="run"' not in told
    assert told.count('<circle class="full"') == 2
    assert "<td>–</td>" in told


def test_guarded_answers_and_forms_without_a_score_are_not_there(
    desk: Client, case: Case, ana: Person
) -> None:
    link = make.intake(case, ana)
    check = make.assignment(link, of("private-check"))
    make.response(check, {}, guarded=True)
    assert "Nothing scored has come in yet." in page(desk, case)


def test_what_sees_both_together_is_silent_while_a_flag_is_open(
    desk: Client, case: Case, ana: Person, ben: Person
) -> None:
    cast.round_of(case, ana, ben)
    scored(case, ana, of("phq-9"), [10, 9])
    flag = make.flag(case, ana)
    told = page(desk, case)
    assert "The couple view is held" in told
    assert "Finding each other again" not in told
    assert "Patient Health" in told
    flag.delete()
    assert "Finding each other again" in page(desk, case)
