"""What becomes of what clients ask about their record: by whom, once, and only what fits it."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from clients.actions import access
from clients.models import AuditEntry, Case, DataKey, DataRequest, Notice, Person
from clients.queries import data_requests
from clients.rules import requests
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from clients.rules.requests import NotAnswerable, answers, check_answer
from tests import factories as make
from tests.factories import NOW, SYSTEM

pytestmark = pytest.mark.django_db


def ask(person: Person, kind: DataRequest.Kind = DataRequest.Kind.COPY) -> DataRequest:
    return access.ask_about_record(person=person, kind=kind, by=SYSTEM, now=NOW)


def answer(row: DataRequest, code: str, by: Actor = SYSTEM) -> DataRequest:
    return access.answer_request(request=row, answer=code, by=by, now=NOW)


def destroy_key(person: Person) -> None:
    DataKey.objects.filter(pk=person.key_id).update(wrapped=None, destroyed_at=NOW)


@pytest.fixture
def case(db: None) -> Case:
    make.practice()
    return make.case(make.ana(), counselor=make.counselor("iris"))


@pytest.fixture
def ana(case: Case) -> Person:
    assert case.person is not None
    return case.person


# --- the rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [requests.COPY, requests.ERASURE])
@pytest.mark.parametrize("erased", [True, False])
def test_what_is_offered_is_what_is_accepted(kind: str, erased: bool) -> None:
    every = {code for codes in requests.ANSWERS.values() for code in codes} | {requests.ERASED}
    for code in every | {"", "done", "no such code"}:
        try:
            check_answer(code, kind=kind, answered=False, erased=erased)
        except NotAnswerable:
            assert code not in answers(kind, erased=erased)
        else:
            assert code in answers(kind, erased=erased)


def test_codes_fit_their_column_and_kinds_are_those_of_the_model() -> None:
    assert set(requests.ANSWERS) == set(DataRequest.Kind.values)
    longest = DataRequest._meta.get_field("answer").max_length or 0
    for codes in requests.ANSWERS.values():
        assert all(len(code) <= longest for code in codes)


@pytest.mark.parametrize(
    ("code", "answered", "why"),
    [
        (requests.ERASED, False, "not_erased"),
        (requests.HANDED_OVER, False, "unfit"),
        ("nonsense", False, "unfit"),
        (requests.KEPT_BY_LAW, True, "answered"),
    ],
)
def test_a_refusal_says_why(code: str, answered: bool, why: str) -> None:
    with pytest.raises(NotAnswerable) as refused:
        check_answer(code, kind=requests.ERASURE, answered=answered, erased=False)
    assert refused.value.code == why


# --- the action ----------------------------------------------------------------------------------


def test_an_answer_is_put_down_with_who_gave_it(ana: Person) -> None:
    sam, olive = make.front_desk(), make.admin()
    row = ask(ana)
    other = ask(ana, DataRequest.Kind.ERASURE)
    answer(row, requests.HANDED_OVER, sam.as_actor())
    row.refresh_from_db()
    assert (row.answer, row.answered_by, row.answered_at) == ("handed_over", sam, NOW)
    entry = AuditEntry.objects.get(verb="request.answered")
    assert (entry.person_id, entry.subject_id, entry.actor_id) == (ana.pk, row.pk, sam.pk)
    assert entry.detail == {"kind": "copy", "answer": "handed_over"}
    # Nobody is told of it any more, on any desk or by mail; of the other one both still are.
    told = Notice.objects.filter(seen_at=None, next_try_at__isnull=False)
    assert {(one.member, one.subject_id) for one in told} == {(sam, other.pk), (olive, other.pk)}
    assert set(Notice.objects.filter(subject_id=row.pk).values_list("seen_at", "next_try_at")) == {
        (NOW, None)
    }


def test_a_request_is_answered_once(ana: Person) -> None:
    row = ask(ana)
    answer(row, requests.HANDED_OVER)
    with pytest.raises(NotAnswerable, match="answered"):
        answer(row, requests.WITHDRAWN)
    assert DataRequest.objects.get().answer == "handed_over"
    assert AuditEntry.objects.filter(verb="request.answered").count() == 1
    assert ask(ana).pk != row.pk, "and may be asked anew"


def test_erased_is_an_answer_only_where_the_key_is_destroyed(ana: Person) -> None:
    row = ask(ana, DataRequest.Kind.ERASURE)
    with pytest.raises(NotAnswerable, match="not_erased"):
        answer(row, requests.ERASED)
    destroy_key(ana)
    with pytest.raises(NotAnswerable, match="unfit"):
        answer(row, requests.KEPT_BY_LAW)
    assert answer(row, requests.ERASED).answer == "erased"


@pytest.mark.parametrize("who", ["visitor", "ana", "iris", "uma", "rita", "nobody"])
def test_nobody_answers_without_the_right(ana: Person, case: Case, who: str) -> None:
    assert case.counselor is not None
    actors: dict[str, Callable[[], Actor]] = {
        "visitor": Actor.visitor,
        "ana": lambda: Actor.of_person(ana.pk),
        "iris": case.counselor.as_actor,
        "uma": lambda: make.supervisor().as_actor(),
        "rita": lambda: make.reviewer().as_actor(),
        "nobody": lambda: make.member("nobody", roles=[]).as_actor(),
    }
    row = ask(ana)
    with pytest.raises(NotPermitted):
        answer(row, requests.HANDED_OVER, actors[who]())
    assert DataRequest.objects.get().answered_at is None


def test_of_whom_one_may_not_know_one_answers_nothing_also_through_the_glass(
    ana: Person, case: Case
) -> None:
    olive = make.admin()
    row = ask(ana)
    Case.objects.filter(pk=case.pk).update(restricted_at=NOW)
    for actor in (olive.as_actor(), olive.as_actor(opened=[case.pk])):
        assert data_requests.one(actor, row.pk) is None
        assert data_requests.to_answer(actor) == []
        with pytest.raises(NotPermitted):
            answer(row, requests.HANDED_OVER, actor)
    # The control: who is named for it may know, and has the right.
    case.care.create(member=olive, kind="named", since_at=NOW)
    assert data_requests.one(olive.as_actor(), row.pk) == row
    assert answer(row, requests.HANDED_OVER, olive.as_actor()).answered_by == olive


def test_the_list_is_in_order_and_no_longer_than_a_page(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_requests, "SHOWN", 2)
    sam = make.front_desk().as_actor()
    rows = []
    for number in range(4):
        person = make.person(name=f"Robin {number}")
        make.case(person)
        asked = NOW - timedelta(days=number)
        rows.append(DataRequest.objects.create(person=person, kind="copy", asked_at=asked))
    assert data_requests.to_answer(sam) == rows[:0:-1], "one more than a page, the oldest first"
    answer(rows[3], requests.HANDED_OVER)
    assert data_requests.to_answer(sam) == rows[2::-1]
    assert data_requests.answered(sam) == [rows[3]]
