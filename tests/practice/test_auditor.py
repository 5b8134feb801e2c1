"""The auditor finds each kind of breach, also where the constraint that prevents it is gone."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from clients.actions import audit
from clients.models import AuditEntry, BlindIndex, DataKey, Message, Person, SafeContact
from practice.actions import contacts
from practice.models import Appointment, Attendance
from practice.queries import invariants
from tests import factories
from tests.factories import NOW, SYSTEM, at

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def couple() -> Appointment:
    """Ana and Ben see Iris tomorrow at ten, in the garden room."""
    factories.practice()
    room = factories.room()
    iris = factories.counselor("iris", room=room)
    service = factories.service(counselors=[iris])
    appointment = factories.appointment(
        iris, service, factories.ana(), factories.ben(), start=at(1), room=room
    )
    audit.seal(by=SYSTEM, now=NOW)
    return appointment


def part_of(appointment: Appointment, role: str = "booker") -> Attendance:
    return appointment.attendances.select_related("person__key", "appointment").get(role=role)


def found() -> set[tuple[str, str]]:
    return {(breach.invariant, breach.what) for breach in invariants.breaches(NOW)}


def without(*constraints: str) -> None:
    """The database as somebody left it who dropped these constraints."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in constraints:
            cursor.execute(
                "SELECT conrelid::regclass FROM pg_constraint WHERE conname = %s", [name]
            )
            row = cursor.fetchone()
            if row:
                cursor.execute(f"ALTER TABLE {row[0]} DROP CONSTRAINT {name}")
            else:
                cursor.execute(f"DROP INDEX {name}")


def test_a_whole_database_has_no_breach(couple: Appointment) -> None:
    booker = part_of(couple)
    factories.message(booker, due_at=couple.starts_at - 48 * HOUR + 30 * HOUR)
    factories.message(booker, purpose="confirmation", state="sent", due_at=NOW - HOUR)
    assert invariants.breaches(NOW) == []


def test_an_empty_database_has_no_breach() -> None:
    assert invariants.breaches(NOW) == []


# --- each breach, made behind the actions' back --------------------------------------------------


def nobody_booked(couple: Appointment) -> None:
    Attendance.objects.filter(appointment=couple).update(role="partner")


def _second(couple: Appointment, **changes: object) -> None:
    """Another appointment half an hour later, of the same counselor and room."""
    other = Appointment.objects.get(pk=couple.pk)
    other.pk, other._state.adding = uuid4(), True
    start = couple.starts_at + 30 * MINUTE
    other.period = other.blocked = DateTimeTZRange(start, start + HOUR)
    for name, value in changes.items():
        setattr(other, name, value)
    other.save(force_insert=True)


def overlap(couple: Appointment) -> None:
    without("duet_appointment_no_overlap", "duet_appointment_no_room_overlap")
    _second(couple, room=None)


def overlap_in_a_room(couple: Appointment) -> None:
    without("duet_appointment_no_overlap", "duet_appointment_no_room_overlap")
    _second(couple, counselor=factories.counselor("theo"))


def endless(couple: Appointment) -> None:
    without("duet_appointment_blocked_finite", "duet_appointment_no_overlap")
    period = DateTimeTZRange(couple.starts_at - HOUR, None)
    Appointment.objects.filter(pk=couple.pk).update(blocked=period)


def no_offer(couple: Appointment) -> None:
    without("duet_appointment_says_its_offer")
    Appointment.objects.filter(pk=couple.pk).update(offered_under=None)


def doubled(couple: Appointment) -> None:
    without("duet_message_once")
    for _ in range(2):
        factories.message(part_of(couple), due_at=NOW + HOUR)


def told_twice(couple: Appointment) -> None:
    for version in (0, 1):
        factories.message(
            part_of(couple),
            purpose="confirmation",
            version=version,
            state="sent",
            due_at=NOW - HOUR,
        )


def told_twice_of_the_end(couple: Appointment) -> None:
    part = part_of(couple)
    couple.attendances.update(state="cancelled", cancelled_at=NOW - HOUR)
    for version in (0, 1):
        factories.message(part, purpose="cancelled", version=version, state="sent", due_at=NOW)


def overdue(couple: Appointment) -> None:
    factories.message(part_of(couple), due_at=NOW - 11 * MINUTE)


def unexplained(couple: Appointment) -> None:
    without("duet_message_said_why")
    factories.message(part_of(couple), state="failed")


def stuck(couple: Appointment) -> None:
    factories.message(
        part_of(couple), state="sending", due_at=NOW - 9 * MINUTE, next_try_at=NOW - 6 * MINUTE
    )


def orphan(couple: Appointment) -> None:
    row = factories.message(part_of(couple), due_at=NOW + HOUR)
    Message.objects.filter(pk=row.pk).update(subject_id=uuid4())


def open_though_cancelled(couple: Appointment) -> None:
    factories.message(part_of(couple), due_at=NOW + HOUR)
    Attendance.objects.filter(appointment=couple).update(state="cancelled", cancelled_at=NOW)


def open_though_moved(couple: Appointment) -> None:
    factories.message(part_of(couple), due_at=NOW + HOUR)
    Appointment.objects.filter(pk=couple.pk).update(sequence=1)


def open_for_another_time(couple: Appointment) -> None:
    row = factories.message(part_of(couple), due_at=NOW + HOUR)
    Message.objects.filter(pk=row.pk).update(about_at=couple.starts_at + HOUR)


def open_though_begun(couple: Appointment) -> None:
    row = factories.message(part_of(couple), due_at=NOW + HOUR)
    Message.objects.filter(pk=row.pk).update(about_at=NOW - 11 * MINUTE)


def sent_after_the_start(couple: Appointment) -> None:
    row = factories.message(part_of(couple), state="sent", sent_at=NOW)
    Message.objects.filter(pk=row.pk).update(about_at=NOW - 31 * timedelta(seconds=1))


def sent_after_cancelling(couple: Appointment) -> None:
    factories.message(part_of(couple), state="sent", sent_at=NOW)
    Attendance.objects.filter(appointment=couple).update(
        state="cancelled", cancelled_at=NOW - MINUTE
    )


def sent_after_moving(couple: Appointment) -> None:
    factories.message(part_of(couple), state="sent", sent_at=NOW)
    Appointment.objects.filter(pk=couple.pk).update(sequence=1, settled_at=NOW - MINUTE)


def _unrecorded(kind: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("TRUNCATE duet_clients_auditentry, duet_clients_auditseal")
    for model, name in ((Appointment, "appointment"), (Person, "person")):
        for row in model._default_manager.all():
            if name != kind:
                audit.record(verb="x", subject_kind=name, subject_id=row.pk, by=SYSTEM, now=NOW)


def appointment_unrecorded(couple: Appointment) -> None:
    _unrecorded("appointment")


def person_unrecorded(couple: Appointment) -> None:
    _unrecorded("person")


def case_unrecorded(couple: Appointment) -> None:
    _unrecorded("case")


def address_in_the_audit(couple: Appointment) -> None:
    audit.record(
        verb="x",
        subject_kind="x",
        subject_id=None,
        by=SYSTEM,
        now=NOW,
        detail={"to": "ana@example.org"},
    )


def address_in_a_reason(couple: Appointment) -> None:
    factories.message(part_of(couple), state="failed", reason="no ana@example.org here")


def written_to_behind_the_gate(couple: Appointment) -> None:
    factories.message(part_of(couple, "partner"), due_at=NOW + HOUR)
    Attendance.objects.filter(appointment=couple, role="partner").update(
        gate="said_unsafe", gate_opened_at=None
    )


def written_to_who_said_no(couple: Appointment) -> None:
    booker = part_of(couple)
    factories.safe_contact(booker.person, permission=SafeContact.Permission.NO, now=NOW - HOUR)
    factories.message(booker, state="sent", sent_at=NOW - MINUTE)


def hold_left_over(couple: Appointment) -> None:
    hold = factories.hold(couple.counselor, couple.service, start=at(2), until=NOW - 6 * MINUTE)
    audit.record(
        verb="appointment.held", subject_kind="appointment", subject_id=hold.pk, by=SYSTEM, now=NOW
    )


def swapped_names(couple: Appointment) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE duet_clients_person SET name = (SELECT name FROM duet_clients_person WHERE id ="
            " %s)",
            [part_of(couple).person_id],
        )


def swapped_tokens(couple: Appointment) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE duet_practice_attendance SET token = (SELECT token FROM"
            " duet_practice_attendance WHERE id = %s)",
            [part_of(couple).pk],
        )


def changed_entry(couple: Appointment) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE duet_clients_auditentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE duet_clients_auditentry SET verb = 'x' WHERE verb = 'case.opened'")


def unsealed_entry(couple: Appointment) -> None:
    audit.record(verb="x", subject_kind="x", subject_id=None, by=SYSTEM, now=NOW - 11 * MINUTE)


BREACHES: list[tuple[str, str, Callable[[Appointment], None]]] = [
    ("I1", "nobody booked", nobody_booked),
    ("I2", "overlaps another one of its counselor", overlap),
    ("I2", "overlaps another one in its room", overlap_in_a_room),
    ("I2", "empty or endless", endless),
    ("I2", "names neither the hours", no_offer),
    ("I3", "in the ledger twice", doubled),
    ("I3", "told twice that an appointment was made", told_twice),
    ("I3", "told twice that an appointment is off", told_twice_of_the_end),
    ("I4", "due for more than ten minutes", overdue),
    ("I4", "doesn't say why", unexplained),
    ("I5", "never came back", stuck),
    ("I6", "doesn't exist", orphan),
    ("I6", "about a cancelled appointment", open_though_cancelled),
    ("I6", "a time that was moved", open_though_moved),
    ("I6", "a time that was moved", open_for_another_time),
    ("I6", "has begun may still be sent", open_though_begun),
    ("I6", "after what it is about had begun", sent_after_the_start),
    ("I6", "had been cancelled", sent_after_cancelling),
    ("I6", "had been moved", sent_after_moving),
    ("I8", "an appointment that nobody is on record for", appointment_unrecorded),
    ("I8", "a person that nobody is on record for", person_unrecorded),
    ("I8", "a case that nobody is on record for", case_unrecorded),
    ("I8", "was changed after it was sealed", changed_entry),
    ("I8", "was never sealed", unsealed_entry),
    ("I9", "an audit entry holds", address_in_the_audit),
    ("I9", "a message's reason holds", address_in_a_reason),
    ("gate", "may not be written to", written_to_behind_the_gate),
    ("contact", "had said no", written_to_who_said_no),
    ("hold", "still takes up its time", hold_left_over),
    ("key", "duet_clients_person.name isn't sealed", swapped_names),
    ("key", "duet_practice_attendance.token isn't sealed", swapped_tokens),
    ("seal", "duet_practice_attendance.token can't be opened", swapped_tokens),
]


@pytest.mark.parametrize(("invariant", "words", "make"), BREACHES)
def test_the_auditor_finds(
    couple: Appointment, invariant: str, words: str, make: Callable[[Appointment], None]
) -> None:
    assert found() == set()
    make(couple)
    assert any(number == invariant and words in what for number, what in found()), found()


def test_every_invariant_that_is_checked_has_a_breach_here() -> None:
    assert {invariant for invariant, _, _ in BREACHES} == set(invariants.INVARIANTS)


# --- what is no breach ---------------------------------------------------------------------------


def test_what_was_overbooked_knowingly_may_overlap(couple: Appointment) -> None:
    factories.appointment(
        couple.counselor,
        couple.service,
        factories.chris(),
        start=couple.starts_at + 30 * MINUTE,
        overbooked=True,
        override_reason="Could not wait.",
    )
    assert found() == set()


def test_what_ends_when_the_next_begins_does_not_overlap(couple: Appointment) -> None:
    factories.appointment(couple.counselor, couple.service, factories.chris(), start=couple.ends_at)
    assert found() == set()


def test_a_cancelled_time_may_be_taken_again(couple: Appointment) -> None:
    couple.attendances.update(state="cancelled", cancelled_at=NOW)
    Appointment.objects.filter(pk=couple.pk).update(state="cancelled", cancelled_at=NOW)
    factories.appointment(
        couple.counselor, couple.service, factories.chris(), start=couple.starts_at
    )
    assert found() == set()


def test_the_letter_about_the_end_may_follow_it(couple: Appointment) -> None:
    Attendance.objects.filter(appointment=couple).update(
        state="cancelled", cancelled_at=NOW - MINUTE
    )
    factories.message(part_of(couple), purpose="cancelled", state="sent", due_at=NOW)
    factories.message(part_of(couple, "partner"), purpose="cancelled", due_at=NOW)
    assert found() == set()


def test_a_new_entry_may_wait_for_its_seal(couple: Appointment) -> None:
    audit.record(verb="x", subject_kind="x", subject_id=None, by=SYSTEM, now=NOW)
    assert found() == set()


def test_an_erased_persons_rows_are_no_breach(couple: Appointment) -> None:
    key = part_of(couple).person.key
    DataKey.objects.filter(pk=key.pk).update(wrapped=None, destroyed_at=NOW)
    BlindIndex.objects.filter(person__key=key).delete()
    assert found() == set()


# --- the command ---------------------------------------------------------------------------------


def test_the_command_says_that_all_holds(couple: Appointment) -> None:
    out = StringIO()
    call_command("auditor", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {
        "ok": True,
        "checked": list(invariants.INVARIANTS),
        "breaches": [],
    }


def test_the_command_names_each_breach_and_fails(couple: Appointment) -> None:
    nobody_booked(couple)
    plain, as_json = StringIO(), StringIO()
    with pytest.raises(SystemExit) as failed:
        call_command("auditor", stdout=plain)
    assert failed.value.code == 1
    assert f"I1  an appointment that nobody booked: {couple.pk}" in plain.getvalue()
    with pytest.raises(SystemExit):
        call_command("auditor", "--json", stdout=as_json)
    (breach,) = json.loads(as_json.getvalue())["breaches"]
    assert breach == {
        "invariant": "I1",
        "what": "an appointment that nobody booked",
        "subject": str(couple.pk),
    }


def test_an_agreed_wall_time_that_zone_data_left_behind_is_found(couple: Appointment) -> None:
    assert invariants.wall_time_disagreements(NOW) == []
    Appointment.objects.filter(pk=couple.pk).update(agreed_wall="2027-01-12T11:00")
    (found,) = invariants.wall_time_disagreements(NOW)
    assert (found.appointment, found.zone) == (couple.pk, "America/New_York")
    assert (found.agreed, found.shows) == ("2027-01-12T11:00", "2027-01-12T10:00")


def test_nothing_in_the_auditors_answer_is_personal(couple: Appointment) -> None:
    nobody_booked(couple)
    address_in_the_audit(couple)
    said = repr(invariants.breaches(NOW))
    assert "Ana" not in said
    assert "example.org" not in said
    assert AuditEntry.objects.exists()


def test_what_was_sent_before_a_gate_was_shut_is_no_breach(couple: Appointment) -> None:
    partner = part_of(couple, "partner")
    factories.message(partner, purpose="invitation", state="sent", due_at=NOW - HOUR)
    booker = part_of(couple).person
    contacts.change_contact(
        person=booker,
        email=partner.person.email,
        phone=None,
        language="en",
        zone=booker.zone,
        by=SYSTEM,
        now=NOW,
    )
    assert part_of(couple, "partner").gate == "shared_address"
    assert found() == set()
    # What is sent after it has shut is one.
    factories.message(partner, purpose="moved", state="sent", due_at=NOW + MINUTE)
    assert ("gate", "somebody who may not be written to has a message that was sent or may be") in (
        found()
    )
