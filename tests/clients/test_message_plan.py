"""The unsent rows of a subject follow what is wanted, whatever a sender is doing."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from clients.actions import messages
from clients.actions.messages import Replanned, Wanted
from clients.models import AuditEntry, Message, Person
from tests import factories
from tests.clients.message_cast import NOW, Plain, row, scan

pytestmark = pytest.mark.django_db

SUBJECT = uuid.UUID(int=7)


def wanted(person: Person, purpose: str = "reminder-120", version: int = 0) -> Wanted:
    return Wanted(
        purpose=purpose,
        person_id=person.pk,
        channel="email",
        version=version,
        due_at=NOW + timedelta(hours=1),
        window_ends_at=NOW + timedelta(hours=2),
        about_at=NOW + timedelta(hours=3),
    )


def plan(*wishes: Wanted, reason: str = "moved") -> Replanned:
    return messages.replan(
        subject_kind="plain",
        subject_id=SUBJECT,
        wanted=wishes,
        reason=reason,
        by=factories.SYSTEM,
        now=NOW,
    )


def about(person: Person, **fields: object) -> Message:
    return row(person, subject_id=SUBJECT, **fields)


def states() -> set[tuple[str, int, str]]:
    return set(Message.objects.values_list("purpose", "version", "state"))


def test_what_is_wanted_is_planned_and_nothing_changes_when_it_is_wanted_again() -> None:
    wish = wanted(factories.ana())
    assert plan(wish) == Replanned(planned=1)
    assert plan(wish) == Replanned()
    message = Message.objects.get()
    assert (message.state, message.planned_at) == ("planned", NOW)
    assert message.due_at == message.next_try_at == wish.due_at


def test_a_move_cancels_the_old_version_and_plans_the_new() -> None:
    ana = factories.ana()
    plan(wanted(ana))
    assert plan(wanted(ana, version=1), reason="moved") == Replanned(planned=1, cancelled=1)
    assert states() == {("reminder-120", 0, "cancelled"), ("reminder-120", 1, "planned")}
    assert Message.objects.get(version=0).reason == "moved"


def test_new_moments_of_the_same_message_are_taken_over() -> None:
    wish = wanted(factories.ana())
    plan(wish)
    earlier = replace(wish, due_at=NOW + timedelta(minutes=5))
    assert plan(earlier) == Replanned(changed=1)
    message = Message.objects.get()
    assert message.due_at == message.next_try_at == earlier.due_at


def test_a_message_in_back_off_keeps_waiting_when_nothing_changed() -> None:
    wish = wanted(factories.ana())
    plan(wish)
    later = wish.due_at + timedelta(minutes=4)
    Message.objects.update(next_try_at=later, attempts=3)
    plan(wish)
    assert Message.objects.get().next_try_at == later


@pytest.mark.parametrize("state", ["sent", "failed", "missed", "suppressed"])
def test_what_is_over_is_neither_cancelled_nor_planned_again(state: str) -> None:
    ana = factories.ana()
    about(ana, state=state, reason="x", sent_at=NOW if state == "sent" else None)
    assert plan() == Replanned()
    assert plan(wanted(ana)) == Replanned()
    assert Message.objects.get().state == state


def test_what_was_cancelled_is_planned_again_when_it_is_wanted_again() -> None:
    wish = wanted(factories.ana())
    plan(wish)
    plan(reason="cancelled")
    assert plan(wish) == Replanned(changed=1)
    message = Message.objects.get()
    assert (message.state, message.reason) == ("planned", "")


def test_a_cancelled_one_that_may_have_arrived_is_not_sent_again() -> None:
    ana = factories.ana()
    about(ana, state="cancelled", reason="moved", uncertain_at=NOW)
    assert plan(wanted(ana)) == Replanned()
    assert Message.objects.get().state == "cancelled"


def test_one_that_is_being_sent_right_now_is_left_alone_and_told() -> None:
    about(factories.ana(), state="sending")
    assert plan() == Replanned(on_its_way=1)
    assert Message.objects.get().state == "sending"


def test_one_that_is_being_sent_and_still_wanted_is_no_news() -> None:
    ana = factories.ana()
    about(ana, state="sending")
    assert plan(wanted(ana)) == Replanned()


def test_an_uncertain_one_is_cancelled_but_may_arrive() -> None:
    about(factories.ana(), state="uncertain", uncertain_at=NOW)
    assert plan() == Replanned(cancelled=1, on_its_way=1)
    assert Message.objects.get().state == "cancelled"


def test_a_claimed_one_is_cancelled_under_the_senders_hands() -> None:
    about(factories.ana(), state="claimed", next_try_at=NOW + timedelta(minutes=2))
    assert plan() == Replanned(cancelled=1)


def test_another_subjects_messages_are_not_touched() -> None:
    row(factories.ana())
    assert plan() == Replanned()
    assert Message.objects.get().state == "planned"


def test_two_persons_may_have_the_same_message() -> None:
    assert plan(wanted(factories.ana()), wanted(factories.ben())).planned == 2


def test_a_plan_takes_five_statements_at_most(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    ana = factories.ana()
    plan(wanted(ana), wanted(ana, "confirmation"))
    moved = replace(wanted(ana), due_at=NOW)
    new = [wanted(ana, f"reminder-{minutes}", version=1) for minutes in range(60, 70)]
    with django_assert_max_num_queries(7):  # two of them the savepoint around the tests' own
        assert plan(moved, *new) == Replanned(planned=10, changed=1, cancelled=1)


def test_planning_writes_no_audit_entry_of_its_own() -> None:
    ana = factories.ana()
    before = AuditEntry.objects.count()
    plan(wanted(ana))
    assert AuditEntry.objects.count() == before


def test_an_old_reminder_is_never_sent_after_a_move() -> None:
    ana = factories.ana()
    message = about(ana)
    plan(wanted(ana, version=1))
    subject = Plain()
    assert scan(subject) == messages.Outcome()
    assert message.pk not in subject.looked_at


# --- against a simple oracle ---------------------------------------------------------------------

OVER = ["sent", "failed", "missed", "suppressed"]
KEYS = st.tuples(st.sampled_from(["confirmation", "reminder-60"]), st.integers(0, 2))


@given(
    rows=st.dictionaries(KEYS, st.sampled_from(list(Message.State.values)), max_size=5),
    wishes=st.sets(KEYS, max_size=5),
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_plan_is_exactly_what_is_wanted_beside_what_is_over(
    rows: dict[tuple[str, int], str], wishes: set[tuple[str, int]], someone: Person
) -> None:
    Message.objects.all().delete()
    for (purpose, version), state in rows.items():
        about(
            someone,
            purpose=purpose,
            version=version,
            state=state,
            reason="x",
            sent_at=NOW if state == "sent" else None,
        )
    plan(*(wanted(someone, purpose, version) for purpose, version in wishes))
    expected = dict.fromkeys(wishes - set(rows), "planned")
    for key, state in rows.items():
        if state in OVER or state == "sending":
            expected[key] = state
        elif key in wishes:
            expected[key] = "uncertain" if state == "uncertain" else "planned"
        else:
            expected[key] = "cancelled"
    assert {(purpose, version): state for purpose, version, state in states()} == expected


@pytest.fixture
def someone() -> Person:
    return factories.ana()
