"""What is asked again on a rhythm: of both at once, once, and whatever either of them does."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from clients.models import Case, Person
from intake.actions import giving
from intake.models import Assignment
from practice.actions import contacts, forms
from practice.models import Appointment, Attendance, Counselor, FormRule, Service
from practice.queries import forms as asked
from tests import factories as make
from tests.factories import NOW, SYSTEM
from tests.practice import forms_cast as cast
from tests.practice.forms_cast import MOOD

pytestmark = pytest.mark.django_db
WEEK = timedelta(weeks=1)


@pytest.fixture
def iris() -> Counselor:
    make.practice()
    return make.counselor("iris")


@pytest.fixture
def talk(iris: Counselor) -> Service:
    return make.service(counselors=[iris])


@pytest.fixture
def case(iris: Counselor, talk: Service) -> Case:
    """Ana and Ben, in care, with a session behind them."""
    found = make.appointment(iris, talk, make.ana(), make.ben(), start=make.at(-3), state="done")
    assert found.case is not None
    Case.objects.update(state="active")
    cast.published(MOOD)
    return found.case


def _rule(**fields: object) -> FormRule:
    values: dict[str, object] = {"slug": MOOD, "when": "every_weeks", "weeks": 4} | fields
    return FormRule.objects.create(**values)


def _give(now: datetime = NOW) -> int:
    return forms.give_rounds(by=SYSTEM, now=now)


def _numbers(name: str) -> list[int]:
    rows = Assignment.objects.select_related("intake__person__key").order_by("number")
    return [row.number for row in rows if row.intake.person.name.startswith(name)]


def _session(
    case: Case, iris: Counselor, talk: Service, start: datetime, state: str
) -> Appointment:
    persons = Person.objects.order_by("created_at", "pk")
    return make.appointment(iris, talk, *persons, start=start, state=state, case=case)


def test_both_are_asked_in_one_round_and_again_after_so_many_weeks(case: Case) -> None:
    _rule()
    assert (_give(), _give(), _give(NOW + 3 * WEEK)) == (1, 0, 0)
    assert (_numbers("Ana"), _numbers("Ben")) == ([1], [1])
    assert {row.origin for row in Assignment.objects.all()} == {"rhythm"}
    assert cast.letters("Ana")[0] == cast.letters("Ben")[0] == ("intake", 1, "planned")

    assert _give(NOW + 4 * WEEK) == 1
    assert (_numbers("Ana"), _numbers("Ben")) == ([1, 2], [1, 2])


def test_when_one_is_asked_does_not_tell_what_the_other_did(case: Case) -> None:
    """Sent, left open or flagged: the next round comes at the same moment, for both."""
    _rule()
    _give()
    cast.send(cast.link("Ana"), MOOD)
    make.flag(case, cast.link("Ben").person)
    assert _give(NOW + 4 * WEEK - timedelta(seconds=1)) == 0
    assert _give(NOW + 4 * WEEK) == 1
    assert cast.forms("Ana") == [(MOOD, "sent"), (MOOD, "open")]
    assert cast.forms("Ben") == [(MOOD, "expired"), (MOOD, "open")]


@pytest.mark.parametrize("state", ["enquiry", "paused", "closed"])
def test_only_cases_in_care_are_asked(case: Case, state: str) -> None:
    _rule()
    Case.objects.update(state=state, closed_at=NOW if state == "closed" else None)
    assert _give() == 0


def test_nobody_is_asked_before_their_first_session(case: Case) -> None:
    _rule()
    Appointment.objects.update(state="no_show")
    assert _give() == 0


def test_a_rule_of_a_service_is_for_those_who_come_for_it(case: Case, iris: Counselor) -> None:
    other = make.service("other", counselors=[iris])
    _rule(service=other)
    assert _give() == 0
    Appointment.objects.update(service=other)
    assert _give() == 1


def test_before_every_second_session(case: Case, iris: Counselor, talk: Service) -> None:
    _rule(when="every_second", weeks=None, short=True)
    second = _session(case, iris, talk, make.at(7), "confirmed")
    assert _give() == 0
    ahead = second.starts_at - timedelta(hours=24, days=3)
    assert (_give(ahead), _give(ahead + timedelta(hours=1))) == (1, 0)
    row = Assignment.objects.earliest("pk")
    assert row.due_at == second.starts_at - timedelta(hours=24)
    assert not row.short  # it has no short form

    second.state = "done"
    second.save()
    third = _session(case, iris, talk, make.at(14), "confirmed")
    assert _give(third.starts_at - timedelta(hours=24)) == 0
    third.state = "done"
    third.save()
    fourth = _session(case, iris, talk, make.at(21), "confirmed")
    assert _give(fourth.starts_at - timedelta(hours=24)) == 1
    assert _numbers("Ana") == [1, 2]


def test_two_rules_at_once_bring_one_letter(case: Case) -> None:
    cast.published("sleep")
    _rule()
    _rule(slug="sleep")
    assert _give() == 1
    planned = [one for one in cast.letters("Ana") if one[2] == "planned"]
    assert planned[0] == ("intake", 2, "planned")
    assert [purpose for purpose, _, _ in planned].count("intake") == 1


def test_a_partner_of_whom_nobody_said_that_it_is_safe_is_not_asked(case: Case) -> None:
    _rule()
    partner = Appointment.objects.get().attendances.get(role="partner")
    partner.gate, partner.gate_opened_at = "said_unsafe", None
    partner.save()
    assert _give() == 1
    assert (_numbers("Ana"), _numbers("Ben")) == ([1], [])


def test_a_partner_who_was_never_part_of_an_appointment_is_not_asked(
    iris: Counselor, talk: Service
) -> None:
    ana, ben = make.ana(), make.ben()
    alone = make.case(ana, ben)
    make.appointment(iris, talk, ana, start=make.at(-3), state="done", case=alone)
    Case.objects.update(state="active")
    cast.published(MOOD)
    _rule()
    assert _give() == 1
    assert (_numbers("Ana"), _numbers("Ben")) == ([1], [])


def test_nobody_is_asked_while_both_have_one_address(case: Case) -> None:
    _rule()
    ana, ben = Person.objects.order_by("created_at", "pk")
    contacts.change_contact(
        person=ben, email=ana.email, phone=None, language="en", zone="UTC", by=SYSTEM, now=NOW
    )
    assert _give() == 0


def test_what_isnt_published_any_more_is_left_out(case: Case) -> None:
    _rule(slug="unknown")
    _rule()
    assert _give() == 1
    assert _numbers("Ana") == [1]


# --- by hand meanwhile ---------------------------------------------------------------------------


def _hand(case: Case, *names: str) -> None:
    persons = [one for one in Person.objects.select_related("key") if one.name.startswith(names)]
    forms.give_by_hand(
        case=case, persons=persons, slugs=[MOOD], due_at=None, expires_at=None, by=SYSTEM, now=NOW
    )


def test_what_one_was_given_by_hand_does_not_move_the_others_round(case: Case) -> None:
    _rule()
    _hand(case, "Ana")
    assert _give() == 1
    assert _numbers("Ben") == [1]


def test_what_was_given_by_hand_is_not_ended_by_a_round(case: Case) -> None:
    _rule()
    _give()
    Assignment.objects.update(state="sent", closed_at=NOW)
    _hand(case, "Ana")
    assert _give(NOW + 4 * WEEK) == 1
    assert cast.forms("Ana") == [(MOOD, "sent"), (MOOD, "open")]
    assert cast.forms("Ben") == [(MOOD, "sent"), (MOOD, "open")]
    assert Assignment.objects.filter(origin="hand", state="open").count() == 1


# --- one case and the others ---------------------------------------------------------------------


@pytest.fixture
def two(case: Case, iris: Counselor, talk: Service) -> list[Case]:
    """Two cases that are due, in the order in which they are looked at."""
    make.appointment(iris, talk, make.chris(), start=make.at(-2), state="done")
    Case.objects.update(state="active")
    _rule()
    return list(Case.objects.order_by("pk"))


def test_a_case_with_nobody_to_ask_keeps_no_other_waiting(
    two: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "_BATCH", 1)
    Attendance.objects.filter(appointment__case=two[0]).update(
        gate="said_unsafe", gate_opened_at=None
    )
    assert _give() == 1
    assert set(Assignment.objects.values_list("intake__case", flat=True)) == {two[1].pk}


def test_a_case_that_fails_keeps_no_other_waiting(
    two: list[Case], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = giving.give_round

    def fails(**given: Any) -> object:
        if given["case"].pk == two[0].pk:
            raise ValueError("Ana's own words")
        return real(**given)

    monkeypatch.setattr(giving, "give_round", fails)
    assert _give() == 1
    assert set(Assignment.objects.values_list("intake__case", flat=True)) == {two[1].pk}
    assert f"Case {two[0].pk} can't be asked: ValueError" in caplog.text
    assert "Ana" not in caplog.text


def test_of_what_isnt_published_no_case_is_looked_at(
    two: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    FormRule.objects.update(slug="unknown")
    looked: list[object] = []

    def look(*given: object) -> bool:
        looked.append(given)
        return False

    monkeypatch.setattr(forms, "_give_round", look)
    assert (_give(), looked) == (0, [])


# --- killed, doubled ------------------------------------------------------------------------------


class Killed(BaseException):
    """The process dies here."""


def test_whoever_is_killed_on_the_way_has_given_a_whole_round_or_nothing(
    case: Case, iris: Counselor, talk: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.appointment(iris, talk, make.chris(), start=make.at(-2), state="done")
    Case.objects.update(state="active")
    _rule()
    real, calls = giving._given, []

    def dies(*args: object, **kwargs: object) -> object:
        calls.append(args)
        if len(calls) == 2:
            raise Killed
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(giving, "_given", dies)
    with pytest.raises(Killed):
        _give()
    first, rest = Assignment.objects.count(), None
    monkeypatch.undo()
    rest = _give()
    assert Assignment.objects.count() == 3
    assert (first, rest) in {(0, 2), (1, 1)}
    assert {tuple(_numbers(name)) for name in ("Ana", "Ben", "Chris")} == {(1,)}


def _at_once(act: Callable[[], object], times: int) -> None:
    barrier = threading.Barrier(times)

    def run() -> None:
        try:
            barrier.wait(timeout=30)
            act()
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(timeout=60)


@pytest.mark.django_db(transaction=True)
def test_two_beats_give_one_round(case: Case) -> None:
    _rule()
    for _ in range(5):
        _at_once(_give, 4)
    assert (_numbers("Ana"), _numbers("Ben")) == ([1], [1])


@pytest.mark.django_db(transaction=True)
def test_the_control_without_the_second_look_they_give_several(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes it one round is the look under the lock of the case."""
    rule = _rule()
    stale = asked.standing(rule, Case.objects.all(), NOW)
    monkeypatch.setattr(asked, "standing", lambda *_: stale)

    def both() -> None:
        for _ in range(2):
            forms.give_rounds(by=SYSTEM, now=NOW)

    both()
    assert _numbers("Ana") == [1, 2]
    with transaction.atomic():
        assert Assignment.objects.filter(state="expired").count() == 2
