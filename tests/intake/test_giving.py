"""What is given to whom: one link for each person of a case, versions pinned, rounds numbered."""

import threading
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import OperationalError, connection

from clients.models import AuditEntry, Case, Person
from clients.rules.access import token_hash
from clients.rules.actors import Actor
from clients.rules.envelope import Erased
from clients.rules.permissions import NotPermitted
from intake.actions import giving
from intake.models import Assignment, CasePolicy, Instrument, Intake
from intake.rules import rhythm
from practice.actions import erasure
from tests import factories as make
from tests.factories import NOW, SYSTEM

pytestmark = pytest.mark.django_db

DUE, LATER = NOW + timedelta(days=3), NOW + timedelta(days=20)


def _published(*slugs: str) -> None:
    for slug in slugs:
        make.instrument(id=slug)


def _round(
    case: Case, persons: Sequence[Person], *slugs: str, by: Actor = SYSTEM, **changes: bool
) -> list[Intake]:
    return giving.give_round(
        case=case,
        persons=persons,
        slugs=slugs,
        origin=Assignment.Origin.HAND,
        due_at=DUE,
        expires_at=LATER,
        policy=CasePolicy.Kind.LIMITED,
        by=by,
        now=NOW,
        **changes,
    )


def _forms(intake: Intake) -> list[tuple[str, int, str]]:
    rows = Assignment.objects.filter(intake=intake).order_by("position")
    return [(row.slug, row.number, row.state) for row in rows]


def test_one_link_for_each_person_and_the_private_check_first() -> None:
    _published("mood", "private-check")
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben)

    first, second = _round(case, [ana, ben], "mood", "private-check")

    assert first.token != second.token
    assert bytes(first.token_hash) == token_hash(first.token)
    for one in (first, second):
        assert _forms(one) == [("private-check", 1, "open"), ("mood", 1, "open")]
    assert CasePolicy.objects.get().kind == "limited"
    told = AuditEntry.objects.filter(verb="intake.given")
    assert {row.person_id for row in told} == {ana.pk, ben.pk}


def test_a_second_round_goes_behind_the_same_link_and_has_one_number_for_both() -> None:
    _published("mood", "sleep")
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben)
    (own,) = _round(case, [ana], "mood")
    Assignment.objects.update(state="sent", closed_at=NOW)

    first, second = _round(case, [ben, ana], "mood", "sleep")

    assert (first.pk, first.token, first.round) == (own.pk, own.token, 2)
    assert _forms(first)[1:] == [("mood", 2, "open"), ("sleep", 1, "open")]
    assert _forms(second) == [("mood", 2, "open"), ("sleep", 1, "open")]


def test_what_was_given_stays_with_its_version() -> None:
    old = make.instrument()
    case = make.case(ana := make.ana())
    (intake,) = _round(case, [ana], "mood")
    Instrument.objects.update(state="retired", retired_at=NOW)
    make.instrument(version="2.0")

    assert Assignment.objects.get(intake=intake).instrument == old


def test_what_somebody_has_open_is_not_given_again_unless_it_is_replaced() -> None:
    _published("mood")
    case = make.case(ana := make.ana())
    (intake,) = _round(case, [ana], "mood")

    with pytest.raises(giving.StillOpen):
        _round(case, [ana], "mood")
    assert Intake.objects.get().round == 1
    _round(case, [ana], "mood", in_place_of_open=True)

    assert _forms(intake) == [("mood", 1, "expired"), ("mood", 2, "open")]


def test_it_refuses_what_is_not_published_and_who_is_not_of_the_case() -> None:
    make.instrument(state="draft")
    case, other = make.case(ana := make.ana()), make.ben()
    make.case(other)

    for slug in ("mood", "unknown"):
        with pytest.raises(giving.Unpublished):
            _round(case, [ana], slug)
    _published("sleep")
    with pytest.raises(giving.NotOfCase):
        _round(case, [other], "sleep")
    with pytest.raises(giving.NotOfCase):
        _round(case, [ana, other], "sleep")
    assert not Intake.objects.exists()


def test_it_refuses_who_was_erased_and_a_closed_case() -> None:
    _published("mood")
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben)
    erasure.erase(person=ben, reason="asked", despite="court", by=SYSTEM, now=NOW)

    with pytest.raises(Erased):
        _round(case, [ana, ben], "mood")
    Case.objects.update(state="closed", closed_at=NOW)
    with pytest.raises(giving.CaseClosed):
        _round(case, [ana], "mood")


def test_who_gives_is_the_desk_a_reviewer_or_whoever_counsels_them() -> None:
    _published("mood")
    iris, other = make.counselor("iris"), make.counselor("jon")
    case = make.case(ana := make.ana(), counselor=iris)
    may_not = [other.member.as_actor(), make.supervisor().as_actor(), Actor.visitor()]
    may_not.append(other.member.as_actor(opened=[case.pk]))

    for actor in may_not:
        with pytest.raises(NotPermitted):
            _round(case, [ana], "mood", by=actor)
    for actor in (iris.member.as_actor(), make.front_desk().as_actor(), make.admin().as_actor()):
        _round(case, [ana], "mood", by=actor, in_place_of_open=True)


def test_a_restricted_case_is_not_there_for_the_desk() -> None:
    _published("mood")
    case = make.case(ana := make.ana())
    Case.objects.update(restricted_at=NOW)

    with pytest.raises(NotPermitted):
        _round(case, [ana], "mood", by=make.front_desk().as_actor())


def test_only_what_is_open_is_withdrawn() -> None:
    _published("mood", "sleep")
    case = make.case(ana := make.ana())
    (intake,) = _round(case, [ana], "mood", "sleep")
    mood, sleep = Assignment.objects.order_by("slug")
    Assignment.objects.filter(pk=sleep.pk).update(state="sent", closed_at=NOW)

    for _ in range(2):
        giving.withdraw(assignment=mood, by=SYSTEM, now=NOW)
    with pytest.raises(giving.NotOpen):
        giving.withdraw(assignment=sleep, by=SYSTEM, now=NOW)

    assert _forms(intake) == [("mood", 1, "withdrawn"), ("sleep", 1, "sent")]
    assert AuditEntry.objects.filter(verb="assignment.withdrawn").count() == 1


def test_the_link_ends_when_all_time_is_over_and_the_next_round_has_a_new_one() -> None:
    _published("mood")
    case = make.case(ana := make.ana())
    (intake,) = _round(case, [ana], "mood")

    assert giving.expire(by=SYSTEM, now=LATER - timedelta(seconds=1)) == 0
    assert giving.expire(by=SYSTEM, now=LATER) == 1
    assert giving.expire(by=SYSTEM, now=LATER) == 0
    intake.refresh_from_db()
    assert (intake.ended_at, _forms(intake)) == (LATER, [("mood", 1, "expired")])

    (fresh,) = _round(case, [ana], "mood")
    assert fresh.token != intake.token
    assert _forms(fresh) == [("mood", 2, "open")]


def test_a_link_whose_time_is_over_ends_also_where_beat_was_not_there_yet() -> None:
    _published("mood")
    case = make.case(ana := make.ana())
    (intake,) = _round(case, [ana], "mood")
    Intake.objects.update(opened_at=NOW - timedelta(days=9), ends_at=NOW)
    Assignment.objects.update(expires_at=NOW)

    (fresh,) = _round(case, [ana], "mood")

    intake.refresh_from_db()
    assert fresh.pk != intake.pk
    assert (intake.ended_at, _forms(intake)) == (NOW, [("mood", 1, "expired")])


def test_asking_again_raises_the_round_while_something_is_open() -> None:
    _published("mood")
    case = make.case(ana := make.ana())
    (intake,) = _round(case, [ana], "mood")
    later = NOW + timedelta(days=1)

    again = giving.ask_again(intake=intake, by=SYSTEM, now=later)
    assert (again.round, again.asked_at) == (2, later)
    giving.withdraw(assignment=Assignment.objects.get(), by=SYSTEM, now=later)
    with pytest.raises(giving.NotOpen):
        giving.ask_again(intake=intake, by=SYSTEM, now=later)


def test_ending_takes_back_what_is_open_and_leaves_what_was_sent() -> None:
    _published("mood", "sleep")
    case = make.case(ana := make.ana())
    (intake,) = _round(case, [ana], "mood", "sleep")
    Assignment.objects.filter(slug="sleep").update(state="sent", closed_at=NOW)

    for _ in range(2):
        giving.end(intake=intake, reason="case_closed", by=SYSTEM, now=NOW)

    assert _forms(intake) == [("mood", 1, "withdrawn"), ("sleep", 1, "sent")]
    assert AuditEntry.objects.filter(verb="intake.ended").count() == 1


# --- at once -------------------------------------------------------------------------------------


def _until_somebody_waits() -> None:
    """Go on as soon as a connection waits for a lock of ours."""
    end = time.monotonic() + 20
    with connection.cursor() as cursor:
        while time.monotonic() < end:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("Nobody waits.")


def _moved_while_it_ends(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """A session moves while its case is closed, which comes once the forms are locked."""
    _published("mood")
    ana = make.ana()
    (intake,) = _round(make.case(ana), [ana], "mood")
    times = {
        row.pk: rhythm.Asked(LATER, LATER + timedelta(days=9)) for row in Assignment.objects.all()
    }
    refused: list[Exception] = []

    def ends() -> None:
        try:
            giving.end(intake=intake, reason="case_closed", by=SYSTEM, now=NOW)
        except OperationalError as error:
            refused.append(error)
        finally:
            connection.close()

    running = threading.Thread(target=ends)
    hold = giving._hold

    def held(rows: Iterable[UUID]) -> list[Assignment]:
        found = hold(rows)
        running.start()
        _until_somebody_waits()
        return found

    monkeypatch.setattr(giving, "_hold", held)
    try:
        giving.retime(times=times, by=SYSTEM, now=NOW)
    except OperationalError as error:
        refused.append(error)
    running.join(timeout=60)
    return refused


@pytest.mark.django_db(transaction=True)
def test_a_move_and_an_end_at_once_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _moved_while_it_ends(monkeypatch) == []
    (row,) = Assignment.objects.select_related("intake")
    assert (row.state, row.due_at, row.intake.ended_at) == ("withdrawn", LATER, NOW)


@pytest.mark.django_db(transaction=True)
def test_without_the_link_first_they_would_lock_each_other_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control."""
    monkeypatch.setattr(giving, "_hold_links", lambda _: None)
    (error,) = _moved_while_it_ends(monkeypatch)
    assert "deadlock detected" in str(error)
