"""A copy of one person's record: all that is theirs, and nothing of the partner's."""

import io
import json
import os
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from clients.actions import audit
from clients.models import AuditEntry, ClientSession, DataKey, Person
from clients.rules.audience import Audience
from clients.rules.envelope import Erased
from practice.models import Answer, Appointment, Attendance, Consent, ConsentGiven, Question
from practice.queries import record
from tests import factories as make
from tests.factories import NOW, SYSTEM

pytestmark = pytest.mark.django_db

# All that is Ben's, in words and in numbers that name him.
BENS = ("Ben", "Birch", "ben@example", "2015550102", "Work came up", "He never listens", "Safari")


@pytest.fixture
def couple() -> Appointment:
    """Ana and Ben come to Iris; each has written, agreed, cancelled and looked on their own."""
    make.practice()
    iris = make.counselor("iris")
    service = make.service(counselors=[iris])
    ana, ben = make.ana(), make.ben()
    row = make.appointment(iris, service, ana, ben, start=make.at(1))
    question = Question.objects.create(service=service, slug="worry", label="What worries you?")
    consent = Consent.objects.create(
        service=service, slug="terms", version=2, text="The rules of the house", published_at=NOW
    )
    for part in row.attendances.select_related("person__key", "appointment"):
        mine = part.person_id == ana.pk
        part.cancel_reason = "I was ill" if mine else "Work came up"
        part.save(update_fields=["cancel_reason"])
        Answer.objects.create(
            attendance=part,
            question=question,
            text="We argue about money" if mine else "He never listens",
            audience=Audience.STAFF,
        )
        ConsentGiven.objects.create(attendance=part, consent=consent, given_at=NOW)
        make.message(part, purpose="confirmation", state="sent", sent_at=NOW)
        ClientSession.objects.create(
            person=part.person,
            token_hash=os.urandom(32),
            browser="Firefox on Android" if mine else "Safari on a Mac",
            opened_at=NOW,
            seen_at=NOW,
            ends_at=NOW + timedelta(hours=1),
        )
    return row


def person_of(appointment: Appointment, role: str = "booker") -> Person:
    return Person.objects.select_related("key").get(
        attendances__appointment=appointment, attendances__role=role
    )


def text_of(person: Person) -> str:
    return json.dumps(record.of_person(person, with_shut=True), ensure_ascii=False)


def test_all_that_is_theirs_is_in_it(couple: Appointment) -> None:
    told: dict[str, Any] = record.of_person(person_of(couple), with_shut=True)
    assert told["person"]["name"] == "Ana Alder"
    assert told["person"]["email"] == "ana@example.org"
    assert told["person"]["phone"] == "+12015550101"
    assert {row["channel"] for row in told["contact"]} == {"email", "sms", "voice"}
    (appointment,) = told["appointments"]
    assert appointment["starts_at"] == couple.starts_at.isoformat()
    assert appointment["counselor"] == "Iris"
    assert appointment["your_reason"] == "I was ill"
    (answer,) = appointment["your_answers"]
    assert (answer["question"], answer["answer"]) == ("What worries you?", "We argue about money")
    (consent,) = appointment["your_consents"]
    assert (consent["text"], consent["version"]) == ("The rules of the house", 2)
    (message,) = told["messages"]
    assert (message["purpose"], message["state"]) == ("confirmation", "sent")
    (session,) = told["access"]["sessions"]
    assert session["browser"] == "Firefox on Android"


def test_nothing_of_the_partners_is_in_it(couple: Appointment) -> None:
    bens = text_of(person_of(couple, "partner"))
    assert [word for word in BENS if word not in bens] == []  # the control: it is in his own
    anas = text_of(person_of(couple))
    assert [word for word in BENS if word in anas] == []
    ben = person_of(couple, "partner")
    part = Attendance.objects.get(person=ben)
    for row in (ben.pk, ben.key_id, part.pk, couple.pk, couple.case_id):
        assert str(row) not in anas


def test_what_is_for_the_counselor_alone_is_not_handed_out(couple: Appointment) -> None:
    Answer.objects.update(audience=Audience.COUNSELOR)
    assert "We argue about money" not in text_of(person_of(couple))


def test_whoever_has_left_is_not_told_that_the_partner_still_comes(couple: Appointment) -> None:
    ana = person_of(couple)
    own = Attendance.objects.filter(person=ana)
    own.update(
        state=Attendance.State.CANCELLED,
        cancelled_at=NOW,
        left_period=couple.period,
        left_sequence=0,
    )
    left = record.of_person(ana, with_shut=True)
    Appointment.objects.update(state=Appointment.State.CANCELLED, cancelled_at=NOW, sequence=1)
    # What the ledger says of a letter that never left, after the other has moved.
    make.message(own.get(), purpose="cancelled", version=1, state="suppressed", reason="contact_no")
    assert record.of_person(ana, with_shut=True) == left
    assert "cancelled" in json.dumps(left["appointments"])


def test_whom_nothing_may_be_written_to_yet_is_told_of_nothing(couple: Appointment) -> None:
    ben = person_of(couple, "partner")
    shown = record.of_person(ben, with_shut=False)
    assert shown == record.of_person(ben, with_shut=True)  # the control: the gate is open
    Attendance.objects.filter(person=ben).update(
        gate=Attendance.Gate.PRIVATE_CHECK, gate_opened_at=None
    )
    told: dict[str, Any] = record.of_person(ben, with_shut=False)
    assert (told["appointments"], told["messages"]) == ([], [])
    whole: dict[str, Any] = record.of_person(ben, with_shut=True)
    assert (len(whole["appointments"]), len(whole["messages"])) == (1, 1)
    ana = record.of_person(person_of(couple), with_shut=False)
    assert ana == record.of_person(person_of(couple), with_shut=True)


def test_who_looked_is_told_by_role_and_day(couple: Appointment) -> None:
    ana, ben = person_of(couple), person_of(couple, "partner")
    theo, olive = make.counselor("theo").member, make.admin("olive")
    for member, person, hours in (
        (theo, ana, 0),
        (theo, ana, 1),
        (olive, ana, 26),
        (olive, ben, 26),
    ):
        audit.record(
            verb="appointment.read",
            subject_kind="appointment",
            subject_id=couple.pk,
            person_id=person.pk,
            by=member.as_actor(),
            now=NOW + timedelta(hours=hours),
        )
    assert record.who_looked(ana.pk) == [
        {"day": "2027-01-11", "role": "counselor", "what": "appointment.read", "times": 2},
        {"day": "2027-01-12", "role": "admin", "what": "appointment.read", "times": 1},
    ]
    assert "Theo" not in text_of(ana)
    assert "Olive" not in text_of(ana)


def test_an_erased_person_has_no_record(couple: Appointment) -> None:
    ana = person_of(couple)
    DataKey.objects.filter(pk=ana.key_id).update(wrapped=None, destroyed_at=NOW)
    with pytest.raises(Erased):
        record.of_person(person_of(couple), with_shut=True)


# --- the command ---------------------------------------------------------------------------------


def test_the_command_prints_it_and_is_on_record(couple: Appointment) -> None:
    ana = person_of(couple)
    out = io.StringIO()
    call_command("person", "export", str(ana.pk), stdout=out)
    assert json.loads(out.getvalue())["person"]["name"] == "Ana Alder"
    entry = AuditEntry.objects.get(verb="person.exported")
    assert (entry.person_id, entry.actor_kind) == (ana.pk, SYSTEM.kind)
    assert entry.detail == {}


def test_the_command_writes_a_new_private_file(couple: Appointment, tmp_path: Path) -> None:
    ana, file = person_of(couple), tmp_path / "ana.json"
    out = io.StringIO()
    call_command("person", "export", str(ana.pk), "--out", str(file), stdout=out)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["person"]["name"] == "Ana Alder"
    assert "Ana Alder" not in out.getvalue()
    with pytest.raises(CommandError, match="is there already"):
        call_command("person", "export", str(ana.pk), "--out", str(file))


def _answered(couple: Appointment) -> None:
    """Both have sent a form and their private check, in words that name them."""
    assert couple.case is not None
    forms = [make.instrument(visibility="person"), make.instrument(id="private-check")]
    for role, name in (("booker", "Ana"), ("partner", "Ben")):
        person = person_of(couple, role)
        link = make.intake(couple.case, person)
        for form in forms:
            guarded = form.slug == "private-check"
            make.response(
                make.assignment(link, form),
                {"words": f"{name} says {form.slug}"},
                guarded=guarded,
            )
        make.agreement(couple.case, person, text=f"{name} may show it")


def test_forms_are_in_it_as_their_person_may_read_them_and_never_the_private_check(
    couple: Appointment,
) -> None:
    _answered(couple)
    ana = person_of(couple)
    for with_shut in (True, False):
        text = json.dumps(record.of_person(ana, with_shut=with_shut))
        assert "Ana says mood" in text
        assert "Ana may show it" in text
        for word in ("says private-check", "Ben says", "Ben may"):
            assert word not in text
    told: dict[str, Any] = record.of_person(ana, with_shut=False)
    assert [row["time"] for row in told["forms"]] == [1]
    assert [row["state"] for row in told["forms"]] == ["sent"]
