"""Answers and scores through the API: for whom, and what of it is on record."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clients.actions import audit
from clients.models import AuditEntry, Member
from clients.rules.envelope import Unreadable
from intake.models import Response
from tests import factories as make
from tests.intake.api.conftest import Caller, World


def sign_in(api: Caller, member: Member) -> None:
    api.client.force_login(member.user)


def ids(answer: Any) -> set[str]:
    assert answer.status_code == 200, answer.json()
    return {one["id"] for one in answer.json()["results"]}


def on_record(member: Member, verb: str) -> set[tuple[Any, Any]]:
    rows = AuditEntry.objects.filter(actor_id=member.pk, verb=verb)
    return set(rows.values_list("person_id", "subject_id"))


def test_each_reads_the_responses_that_they_may(api: Caller, world: World) -> None:
    sign_in(api, world.members["iris"])
    mine = {str(one.pk) for one in (world.sent, world.partner, world.guarded)}
    assert ids(api.get("responses/")) == mine
    sign_in(api, world.members["theo"])
    assert ids(api.get("responses/")) == {str(world.foreign.pk)}
    for name in ("sam", "rita", "olive"):
        sign_in(api, world.members[name])
        assert ids(api.get("responses/")) == set(), name


def test_what_is_not_sent_yet_nobody_reads(api: Caller, world: World) -> None:
    sign_in(api, world.members["iris"])
    assert api.get(f"responses/{world.started.pk}/").status_code == 404


def test_filters(api: Caller, world: World) -> None:
    sign_in(api, world.members["iris"])
    assert ids(api.get("responses/", {"instrument": "private-check"})) == {str(world.guarded.pk)}
    assert ids(api.get("responses/", {"case": str(world.other.pk)})) == set()
    refused = api.get("responses/", {"case": "1"})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["case"])


def test_one_response_says_each_answer_in_words(api: Caller, world: World) -> None:
    sign_in(api, world.members["iris"])
    told = api.get(f"responses/{world.sent.pk}/").json()
    assert told["answers"][0] == {
        "item": "close",
        "question": "I feel close.",
        "value": "often",
        "words": "Often",
        "non_answer": None,
        "weight": 2,
    }
    assert [one["item"] for one in told["answers"]] == ["close", "calm", "words"]
    assert told["scores"] == {"total": 2}
    assert (told["person"], told["case"]) == (str(world.ana.pk), str(world.case.pk))
    assert str(world.ben.pk) not in str(told)


@pytest.mark.parametrize("name", ["theo", "sam", "rita", "olive"])
def test_the_guarded_one_is_for_those_who_counsel(api: Caller, world: World, name: str) -> None:
    sign_in(api, world.members["iris"])
    assert api.get(f"responses/{world.guarded.pk}/").json()["guarded"] is True
    sign_in(api, world.members[name])
    hidden = api.get(f"responses/{world.guarded.pk}/")
    absent = api.get("responses/00000000-0000-4000-8000-000000000000/")
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json() == absent.json()


def test_every_look_is_on_record_before_the_answer(
    api: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    iris = world.members["iris"]
    sign_in(api, iris)
    api.get(f"responses/{world.sent.pk}/")
    assert on_record(iris, "response.read") == {(world.ana.pk, world.sent.pk)}
    api.get("scores/")
    assert {person for person, _ in on_record(iris, "score.read")} == {world.ana.pk, world.ben.pk}

    def fails(**_: object) -> None:
        raise RuntimeError("no entry")

    monkeypatch.setattr(audit, "record_reads", fails)
    api.client.raise_request_exception = False
    refused = api.get(f"responses/{world.sent.pk}/")
    assert refused.status_code == 500
    assert "often" not in refused.content.decode()


def test_scores_leave_private_checks_out(api: Caller, world: World) -> None:
    sign_in(api, world.members["iris"])
    results = api.get("scores/", {"case": str(world.case.pk)}).json()["results"]
    assert {one["response"]: one["scores"] for one in results} == {
        str(world.sent.pk): {"total": 2},
        str(world.partner.pk): {"total": None},
    }


def test_a_score_that_cannot_be_opened_takes_no_list_down(
    api: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Response.scored

    def damaged(row: Response) -> Any:
        if row.pk == world.sent.pk:
            raise Unreadable
        return opened(row)

    monkeypatch.setattr(Response, "scored", damaged)
    sign_in(api, world.members["iris"])
    results = api.get("scores/").json()["results"]
    assert {one["response"]: one["scores"] for one in results} == {
        str(world.sent.pk): None,
        str(world.partner.pk): {"total": None},
    }
    found = api.get("fhir/Observation").json()["entry"]
    assert {one["search"]["mode"] for one in found} == {"outcome", "match"}
    assert api.get(f"responses/{world.sent.pk}/").status_code == 409


def test_pages_hold_each_row_once(api: Caller, world: World) -> None:
    sign_in(api, world.members["iris"])
    whole = [one["id"] for one in api.get("responses/").json()["results"]]
    seen: list[str] = []
    answer = api.get("responses/", {"page_size": "1"}).json()
    for _ in whole:
        seen += [one["id"] for one in answer["results"]]
        if answer["next"]:
            answer = api.client.get(answer["next"]).json()
    assert (seen, answer["next"]) == (whole, None)


@pytest.mark.parametrize("path", ["responses/", "scores/", "assignments/", "fhir/Observation"])
def test_more_rows_take_no_more_statements(api: Caller, world: World, path: str) -> None:
    sign_in(api, world.members["iris"])
    api.get(path)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert api.get(path).status_code == 200
        return len(captured)

    before = statements()
    for number in range(3, 13):
        given = make.assignment(world.sent.assignment.intake, world.mood, number=number)
        make.response(given, {"close": "often"}, scores={"total": None})
    assert statements() == before
    assert before <= 9


def test_nobody_and_somebody_else_are_refused(api: Caller, world: World) -> None:
    for path in ("responses/", "scores/", "assignments/", "instruments/", "fhir/Questionnaire"):
        assert api.get(path).status_code == 401
        assert api.post(path, {}).status_code in {401, 405}
