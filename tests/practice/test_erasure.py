"""Erasing a person: what goes, what stays, when it is refused, and a restore that undoes it."""

import io
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from clients import doctor
from clients.actions import audit, people
from clients.models import (
    AuditEntry,
    BlindIndex,
    Case,
    ClientPasskey,
    ClientPin,
    ClientSession,
    Couple,
    CoupleMember,
    DataKey,
    DataRequest,
    Erasure,
    Message,
    Person,
    SafeContact,
    SignInLink,
)
from clients.queries import access, erased_keys
from clients.queries import people as find
from clients.rules.actors import Actor
from clients.rules.envelope import Erased
from clients.rules.permissions import NotPermitted
from clients.rules.retention import MayNotErase, Standing, check_erasable, kept_until
from practice.actions import booking, erasure
from practice.forms import desk
from practice.models import Answer, Appointment, Attendance, BookedOnce, Question
from practice.queries import invariants
from tests import factories as make
from tests.factories import NOW, SYSTEM

pytestmark = pytest.mark.django_db

YEAR = timedelta(days=365)
LATER = NOW + 11 * YEAR
WORDS = ("Alder", "alder", "ana@example", "2015550101", "afraid of dogs", "the flu")


@pytest.fixture(autouse=True)
def own_folder(settings: Settings, tmp_path: Path) -> Path:
    """A list of erased keys for this test alone."""
    settings.DUET = settings.DUET | {"DATA_DIR": tmp_path}
    return tmp_path


@pytest.fixture
def couple() -> Appointment:
    """Ana and Ben were seen in January 2027, and their case was closed. Ana left much behind."""
    make.practice()
    iris = make.counselor("iris")
    service = make.service(counselors=[iris])
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben, counselor=iris)
    seen = make.appointment(
        iris, service, ana, ben, start=make.at(1), case=case, state=Appointment.State.DONE
    )
    Case.objects.filter(pk=case.pk).update(
        state=Case.State.CLOSED, closed_at=NOW + timedelta(days=7)
    )
    question = Question.objects.create(service=service, slug="worry", label="What worries you?")
    for part in seen.attendances.select_related("person__key"):
        mine = part.person_id == ana.pk
        part.cancel_reason = "I have the flu" if mine else "Work came up"
        part.save(update_fields=["cancel_reason"])
        text = "I am afraid of dogs" if mine else "Nothing much"
        Answer.objects.create(attendance=part, question=question, text=text)
        make.message(part, state="sent", sent_at=NOW, purpose="confirmation")
        BookedOnce.objects.create(
            key_hash=os.urandom(32), body_hash=os.urandom(32), attendance=part, created_at=NOW
        )
        signed_in(part.person)
    audit.seal(by=SYSTEM, now=NOW)
    return seen


def signed_in(person: Person) -> None:
    """Everything by which a person comes to their own page."""
    day = timedelta(days=1)
    SignInLink.objects.create(
        person=person, token_hash=os.urandom(32), token="t", made_at=NOW, ends_at=NOW + day
    )
    ClientSession.objects.create(
        person=person,
        token_hash=os.urandom(32),
        opened_at=NOW,
        seen_at=NOW,
        ends_at=NOW + day,
        browser="Firefox on Android",
    )
    ClientPin.objects.create(person=person, pin="a hash", set_at=NOW)
    ClientPasskey.objects.create(
        person=person, credential=os.urandom(64), name="Ana's phone", made_at=NOW
    )
    DataRequest.objects.create(person=person, kind="erasure", asked_at=NOW)


def person_of(appointment: Appointment, role: str = "booker") -> Person:
    return Person.objects.select_related("key").get(
        attendances__appointment=appointment, attendances__role=role
    )


def erase(person: Person, *, now: datetime = LATER, despite: str = "") -> Erasure:
    return erasure.erase(person=person, reason="asked-for", despite=despite, by=SYSTEM, now=now)


def rows() -> Iterator[str]:
    """Every row of every table of ours, as a dump has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'duet_%'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT {table}::text FROM {table}")
            yield from (row for (row,) in cursor.fetchall())


def readable() -> set[str]:
    """Every sealed text that the site can still open, and everything that stands there plainly."""
    found = set(rows())
    for model, columns in {
        Person: ("name", "email", "phone"),
        Attendance: ("token", "cancel_reason"),
        Answer: ("text",),
        SignInLink: ("token",),
        ClientPin: ("pin",),
    }.items():
        for row in model._base_manager.all():
            for column in columns:
                try:
                    found.add(str(getattr(row, column)))
                except Erased:
                    continue
    return found


def canaries() -> set[str]:
    texts = readable()
    return {word for word in WORDS if any(word in text for text in texts)}


# --- what goes, and what stays -------------------------------------------------------------------


def test_after_erasing_nothing_of_theirs_can_be_read(couple: Appointment) -> None:
    assert len(canaries()) >= 4  # the control: all that is looked for is there before
    ana = person_of(couple)
    erase(ana)
    assert canaries() == set()
    key = DataKey.objects.get(pk=ana.key_id)
    assert (key.wrapped, key.destroyed_at) == (None, LATER)
    for model in (BlindIndex, SafeContact, SignInLink, ClientSession, ClientPin, ClientPasskey):
        assert not model._base_manager.filter(person=ana.pk).exists(), model
    assert not BookedOnce.objects.filter(attendance__person=ana.pk).exists()
    assert find.persons_named(SYSTEM, "alder") == []


def test_the_partner_and_what_is_both_stays_whole(couple: Appointment) -> None:
    ben = person_of(couple, "partner")
    before = (CoupleMember.objects.count(), Attendance.objects.count(), Answer.objects.count())
    erase(person_of(couple))
    after = (CoupleMember.objects.count(), Attendance.objects.count(), Answer.objects.count())
    assert after == before
    assert Couple.objects.select_related("key").get().key.plain()
    ben = Person.objects.select_related("key").get(pk=ben.pk)
    assert (ben.name, ben.email) == ("Ben Birch", "ben@example.org")
    part = Attendance.objects.select_related("person__key").get(person=ben)
    assert (part.cancel_reason, part.answers.get().text) == ("Work came up", "Nothing much")
    assert ben.sign_in_links.exists()
    assert ben.sessions.exists()
    assert BookedOnce.objects.filter(attendance=part).exists()
    assert [one.pk for one in find.persons_named(SYSTEM, "birch")] == [ben.pk]


def test_the_partner_is_booked_for_again(couple: Appointment, client: Client) -> None:
    erase(person_of(couple))
    Case.objects.update(state=Case.State.ACTIVE, closed_at=None)
    case, iris = Case.objects.get(), couple.counselor
    left = CoupleMember.objects.get(left_at__isnull=False)
    assert (left.person_id, left.left_at) == (person_of(couple).pk, LATER)

    client.force_login(make.admin().user)
    where = {"case": str(case.pk), "service": couple.service.slug, "counselor": iris.slug}
    page = client.get("/desk/book/", where)
    assert page.status_code == 200
    assert "Ben Birch" in page.content.decode()
    booked = booking.book_by_hand(
        service=couple.service,
        counselor=iris,
        start=make.at(8),
        request=None,
        case=case,
        beside=None,
        by=SYSTEM,
        now=NOW,
    )
    (part,) = booked.appointment.attendances.select_related("person__key")
    assert part.person.name == "Ben Birch"


def test_a_name_that_cannot_be_opened_takes_no_choice_down(couple: Appointment) -> None:
    known = list(Person.objects.select_related("key").order_by("name"))
    DataKey.objects.filter(pk=known[0].key_id).update(wrapped=None, destroyed_at=LATER)
    known[0] = Person.objects.select_related("key").get(pk=known[0].pk)
    form = desk.KnownClients(None, zone="UTC", of=couple.service, known=known)
    choices = form.fields["comes"].choices  # type: ignore[attr-defined]
    assert (str(known[0].pk), "Erased person") in choices


def test_a_stone_and_an_entry_say_when_and_why(couple: Appointment) -> None:
    ana = person_of(couple)
    stone = erase(ana)
    assert (stone.person_id, stone.key_id, stone.erased_at) == (ana.pk, ana.key_id, LATER)
    assert stone.reason == "asked-for"
    entry = AuditEntry.objects.get(verb="person.erased")
    assert entry.person_id == ana.pk
    assert entry.detail == {"reason": "asked-for", "despite": "", "again": False}
    assert DataRequest.objects.get(person=ana).answer == "erased"
    assert DataRequest.objects.exclude(person=ana).get().answered_at is None


def test_what_was_to_be_sent_is_not(couple: Appointment) -> None:
    mine = Attendance.objects.select_related("appointment", "person").get(
        appointment=couple, role="booker"
    )
    theirs = Attendance.objects.select_related("appointment", "person").get(
        appointment=couple, role="partner"
    )
    waiting, other = make.message(mine), make.message(theirs)
    erase(mine.person)
    waiting.refresh_from_db()
    other.refresh_from_db()
    assert (waiting.state, waiting.reason) == (Message.State.CANCELLED, "erased")
    assert other.state == Message.State.PLANNED


def test_old_links_lead_nowhere(couple: Appointment, client: Client) -> None:
    mine, theirs = (
        Attendance.objects.select_related("person__key").get(appointment=couple, role=role)
        for role in ("booker", "partner")
    )
    hashes = {bytes(mine.token_hash), bytes(theirs.token_hash)}
    erase(mine.person)
    kept = {bytes(one) for one in Attendance.objects.values_list("token_hash", flat=True)}
    assert kept & hashes == {bytes(theirs.token_hash)}


def test_a_row_that_an_erasure_missed_opens_nothing(couple: Appointment) -> None:
    ana = person_of(couple)
    link, session = ana.sign_in_links.get(), ana.sessions.get()
    hashes = bytes(link.token_hash), bytes(session.token_hash)
    assert access.link(hashes[0], NOW) == link  # the control
    assert access.session(hashes[1], NOW) == session
    DataKey.objects.filter(pk=ana.key_id).update(wrapped=None, destroyed_at=NOW)
    assert access.link(hashes[0], NOW) is None
    assert access.session(hashes[1], NOW) is None
    assert access.sessions(ana.pk, NOW) == []


def test_twice_is_the_same_as_once(couple: Appointment) -> None:
    ana = person_of(couple)
    assert erase(ana) == erase(ana)
    assert AuditEntry.objects.filter(verb="person.erased").count() == 1
    assert len(erased_keys.listed()) == 1


def test_the_auditor_is_content_afterwards(couple: Appointment) -> None:
    erase(person_of(couple))
    audit.seal(by=SYSTEM, now=LATER)
    assert invariants.breaches(LATER) == []


def test_pages_show_an_alias_and_the_partner(couple: Appointment, client: Client) -> None:
    erase(person_of(couple))
    client.force_login(make.admin().user)
    page = client.get(f"/desk/appointments/{couple.pk}/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "Erased person" in text
    assert "Ben Birch" in text
    assert not [word for word in WORDS if word in text]


# --- refused -------------------------------------------------------------------------------------


def refusal(person: Person, now: datetime = LATER, despite: str = "") -> MayNotErase:
    with pytest.raises(MayNotErase) as refused:
        erase(person, now=now, despite=despite)
    assert not Erasure.objects.exists()
    assert erased_keys.listed() == {}
    return refused.value


def test_before_its_time_the_refusal_says_why_and_until_when(couple: Appointment) -> None:
    refused = refusal(person_of(couple), now=NOW + 2 * YEAR)
    assert (refused.why, refused.until) == ("kept", date(2037, 1, 18))
    assert "18 January 2027" in str(refused)
    assert "until 18 January 2037" in str(refused)


def test_a_legal_ground_overrides_the_time_and_is_put_on_record(couple: Appointment) -> None:
    stone = erase(person_of(couple), now=NOW + YEAR, despite="court-order")
    assert stone.despite == "court-order"
    assert AuditEntry.objects.get(verb="person.erased").detail["despite"] == "court-order"


@pytest.mark.parametrize("despite", ["", "court-order"])
def test_nobody_in_care_is_erased(couple: Appointment, despite: str) -> None:
    Case.objects.update(state=Case.State.ACTIVE, closed_at=None)
    assert refusal(person_of(couple), despite=despite).why == "open"


@pytest.mark.parametrize("despite", ["", "court-order"])
def test_nobody_who_still_comes_is_erased(couple: Appointment, despite: str) -> None:
    Appointment.objects.update(state=Appointment.State.CONFIRMED)
    refused = refusal(person_of(couple), now=couple.starts_at - timedelta(days=1), despite=despite)
    assert refused.why == "coming"


def test_whoever_left_the_appointment_does_not_come(couple: Appointment) -> None:
    Appointment.objects.update(state=Appointment.State.CONFIRMED)
    Attendance.objects.filter(role="booker").update(
        state=Attendance.State.CANCELLED, cancelled_at=NOW
    )
    before = couple.starts_at - timedelta(days=1)
    assert refusal(person_of(couple, "partner"), now=before).why == "coming"
    erase(person_of(couple), now=before, despite="court-order")


def test_an_enquiry_that_came_to_nothing_is_erased_at_once() -> None:
    dana = make.dana()
    case = make.case(dana)
    erase(dana, now=NOW + timedelta(days=1))
    case.refresh_from_db()
    assert case.state == Case.State.CLOSED


def test_an_enquiry_with_an_hour_that_took_place_is_care() -> None:
    make.practice()
    iris = make.counselor("iris")
    dana = make.dana()
    make.appointment(iris, make.service(counselors=[iris]), dana, start=make.at(1), state="done")
    assert refusal(dana).why == "open"


def test_whoever_left_the_couple_is_kept_from_then_on(couple: Appointment) -> None:
    Case.objects.update(state=Case.State.ACTIVE, closed_at=None)
    ana = person_of(couple)
    CoupleMember.objects.filter(person=ana).update(left_at=NOW + 2 * YEAR)
    assert refusal(ana, now=NOW + 11 * YEAR).until == date(2039, 1, 10)
    erase(ana, now=NOW + 13 * YEAR)


@pytest.mark.parametrize("code", ["Because Ana asked", "a", "x" * 40, "Ana"])
def test_a_reason_is_a_code_and_no_sentence(couple: Appointment, code: str) -> None:
    with pytest.raises(ValueError, match="small letters"):
        erasure.erase(person=person_of(couple), reason=code, by=SYSTEM, now=LATER)
    assert not Erasure.objects.exists()


def test_whoever_came_back_to_a_couple_is_in_care(couple: Appointment) -> None:
    Case.objects.update(state=Case.State.ACTIVE, closed_at=None)
    ana = person_of(couple)
    first = CoupleMember.objects.get(person=ana)
    CoupleMember.objects.filter(pk=first.pk).update(left_at=NOW + YEAR)
    CoupleMember.objects.create(couple=first.couple, person=ana, voice=2, joined_at=NOW + 2 * YEAR)
    assert refusal(ana, now=NOW + 13 * YEAR).why == "open"


def test_only_an_admin_erases_and_only_whom_they_may_know_of(couple: Appointment) -> None:
    def by(actor: Actor) -> Erasure:
        return erasure.erase(person=person_of(couple), reason="asked-for", by=actor, now=LATER)

    olive = make.admin().as_actor()
    others = (make.front_desk(), make.reviewer(), make.supervisor(), make.counselor("theo").member)
    for actor in (*(one.as_actor() for one in others), couple.counselor.member.as_actor()):
        with pytest.raises(NotPermitted):
            by(actor)
    with pytest.raises(NotPermitted):
        by(Actor.visitor())
    Case.objects.update(restricted_at=NOW)
    (case,) = Case.objects.all()
    for actor in (olive, replace(olive, opened=frozenset({case.pk}))):
        with pytest.raises(NotPermitted):
            by(actor)
    assert not Erasure.objects.exists()
    Case.objects.update(restricted_at=None)
    assert by(olive).person_id == person_of(couple).pk


@pytest.mark.parametrize(
    ("ended", "until"),
    [(date(2027, 3, 1), date(2037, 3, 1)), (date(2028, 2, 29), date(2038, 3, 1))],
)
def test_the_last_day_to_keep_a_record(ended: date, until: date) -> None:
    assert kept_until(ended, 10) == until
    standing = Standing(ended_on=ended)
    with pytest.raises(MayNotErase):
        check_erasable(standing, years=10, today=until)
    check_erasable(standing, years=10, today=until + timedelta(days=1))


# --- the list outside the database ---------------------------------------------------------------


def test_the_list_holds_the_key_the_moment_and_the_code(
    couple: Appointment, own_folder: Path
) -> None:
    ana = person_of(couple)
    erase(ana)
    path = own_folder / "erased-keys.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (line,) = path.read_text().splitlines()
    assert json.loads(line) == {
        "key": str(ana.key_id),
        "at": LATER.isoformat(),
        "reason": "asked-for",
    }


def test_a_list_that_cannot_be_written_erases_nobody(couple: Appointment, own_folder: Path) -> None:
    (own_folder / "erased-keys.jsonl").mkdir()
    with pytest.raises(CommandError, match="nothing was erased"):
        call_command(
            "person",
            "erase",
            str(person_of(couple).pk),
            "--reason=x-y",
            "--yes",
            "--despite-retention=court-order",
        )
    assert not Erasure.objects.exists()
    assert person_of(couple).name == "Ana Alder"


def test_a_line_that_was_cut_off_spoils_no_other(couple: Appointment, own_folder: Path) -> None:
    path = own_folder / "erased-keys.jsonl"
    old = UUID("00000000-0000-4000-8000-000000000000")
    line = json.dumps({"key": str(old), "at": NOW.isoformat(), "reason": "old"})
    path.write_text(f"{line}\n{line[:20]}")
    assert list(erased_keys.listed()) == [old]
    ana = person_of(couple)
    erase(ana)
    assert list(erased_keys.listed())[1:] == [ana.key_id]


@pytest.mark.parametrize("text", ["words\n", "[]\n", '{"key": 1}\n', "\n"])
def test_a_list_that_is_none_is_refused_with_its_line(own_folder: Path, text: str) -> None:
    (own_folder / "erased-keys.jsonl").write_text(text)
    with pytest.raises(erased_keys.ListRefused, match="Line 1 of"):
        erased_keys.listed()


# --- a restore -----------------------------------------------------------------------------------

TABLES = (
    "clients_datakey",
    "clients_person",
    "clients_blindindex",
    "clients_safecontact",
    "clients_signinlink",
    "clients_clientsession",
    "clients_clientpin",
    "clients_clientpasskey",
    "clients_message",
    "clients_couplemember",
    "clients_erasure",
    "practice_attendance",
)


def backup() -> dict[str, list[tuple[Any, ...]]]:
    """The rows as they stand now."""
    kept = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT * FROM duet_{table}")
            kept[table] = cursor.fetchall()
    return kept


def restore(kept: dict[str, list[tuple[Any, ...]]]) -> None:
    """Put the rows back as they were, over what is there."""
    with connection.cursor() as cursor:
        for table, rows_ in kept.items():
            cursor.execute(f"CREATE TEMP TABLE kept_{table} (LIKE duet_{table}) ON COMMIT DROP")
            for row in rows_:
                marks = ", ".join(["%s"] * len(row))
                cursor.execute(f"INSERT INTO kept_{table} VALUES ({marks})", row)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for table in TABLES:
            cursor.execute(
                "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
                f" AND a.attnum = i.indkey[0] WHERE i.indrelid = 'duet_{table}'::regclass"
                " AND i.indisprimary"
            )
            (key,) = cursor.fetchone()
            cursor.execute(
                "SELECT column_name FROM information_schema.columns"
                f" WHERE table_name = 'duet_{table}' AND column_name <> %s",
                [key],
            )
            columns = ", ".join(f'"{name}" = excluded."{name}"' for (name,) in cursor.fetchall())
            cursor.execute(
                f"DELETE FROM duet_{table} t WHERE NOT EXISTS"
                f" (SELECT FROM kept_{table} k WHERE k.{key} = t.{key})"
            )
            cursor.execute(
                f"INSERT INTO duet_{table} SELECT * FROM kept_{table}"
                f" ON CONFLICT ({key}) DO UPDATE SET {columns}"
            )
            cursor.execute(f"DROP TABLE kept_{table}")


def told(*arguments: str) -> str:
    out = io.StringIO()
    call_command("keys", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_what_a_restore_brings_back_is_erased_again(couple: Appointment) -> None:
    ana = person_of(couple)
    before, canaries_before = backup(), canaries()
    erase(ana)
    restore(before)
    assert canaries() == canaries_before  # the control: a restore does bring it back
    assert erased_keys.warnings() == [
        "1 erased records are back: run `manage.py keys replay-erasures` before anybody reads them."
    ]
    assert [one.msg for one in doctor.erased_records_are_gone()] == erased_keys.warnings()
    assert "Listed: 1. Erased again: 1." in told("replay-erasures")
    assert canaries() == set()
    assert not BlindIndex.objects.filter(person=ana).exists()
    stone = Erasure.objects.get()
    assert (stone.person_id, stone.erased_at, stone.reason) == (ana.pk, LATER, "asked-for")
    assert DataKey.objects.get(pk=ana.key_id).destroyed_at == LATER
    assert erased_keys.warnings() == []
    assert person_of(couple, "partner").name == "Ben Birch"
    assert "Listed: 1. Erased again: 0." in told("replay-erasures")
    assert len(erased_keys.listed()) == 1


def test_a_list_from_elsewhere_is_replayed_and_taken_over(
    couple: Appointment, own_folder: Path, settings: Settings
) -> None:
    """The new server's own data directory is empty."""
    before = backup()
    erase(person_of(couple))
    restore(before)
    elsewhere = own_folder / "erased-keys.jsonl"
    fresh = own_folder / "new"
    settings.DUET = settings.DUET | {"DATA_DIR": fresh}
    assert erased_keys.warnings() == []
    assert "Erased again: 1." in told("replay-erasures", str(elsewhere))
    assert (fresh / "erased-keys.jsonl").read_text() == elsewhere.read_text()
    with pytest.raises(CommandError, match="can't be read"):
        told("replay-erasures", str(own_folder / "none"))


def test_a_list_destroys_no_couples_and_no_index_key(couple: Appointment, own_folder: Path) -> None:
    lines = [
        json.dumps({"key": str(pk), "at": NOW.isoformat(), "reason": "forged"})
        for pk in DataKey.objects.exclude(purpose="person").values_list("pk", flat=True)
    ]
    (own_folder / "erased-keys.jsonl").write_text("\n".join(lines) + "\n")
    assert len(lines) >= 2
    assert f"Listed: {len(lines)}. Erased again: 0." in told("replay-erasures")
    assert not DataKey.objects.filter(wrapped=None).exists()


# --- the command ---------------------------------------------------------------------------------


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("person", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_erases_and_says_no_name(
    couple: Appointment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = person_of(couple)
    asked: list[str] = []
    answers = iter(["no", "yes"])

    def ask(question: str) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("builtins.input", ask)
    ground = "--despite-retention=court-order"
    with pytest.raises(CommandError, match="Nothing was erased"):
        command("erase", str(ana.pk), "--reason=asked-for", ground)
    out = command("erase", str(ana.pk), "--reason=asked-for", ground)
    assert asked == ["Erase Ana Alder for good? Type yes: "] * 2
    assert "Alder" not in out
    assert canaries() == set()
    with pytest.raises(CommandError, match="This person was erased on"):
        command("erase", str(ana.pk), "--reason=asked-for", "--yes")
    with pytest.raises(CommandError, match="nothing to hand out"):
        command("export", str(ana.pk))


def test_the_command_says_why_not(couple: Appointment) -> None:
    Case.objects.update(state=Case.State.CLOSED, closed_at=timezone.now())
    with pytest.raises(CommandError, match="is to be kept for 10 years: until"):
        command("erase", str(person_of(couple).pk), "--reason=asked-for", "--yes")
    with pytest.raises(CommandError, match="No person has the id"):
        command("erase", "00000000-0000-4000-8000-000000000000", "--reason=asked-for", "--yes")


# --- together with others ------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_erasing_and_a_rollback_leaves_a_line_and_a_living_record(couple: Appointment) -> None:
    """The list comes before the commit: what the power takes in between is erased by the replay."""

    class PowerCut(Exception):
        pass

    def erase_until_the_power_goes() -> None:
        with transaction.atomic():
            erase(person_of(couple))
            raise PowerCut

    with pytest.raises(PowerCut):
        erase_until_the_power_goes()
    assert person_of(couple).name == "Ana Alder"
    assert len(erased_keys.warnings()) == 1
    told("replay-erasures")
    assert canaries() == set()


def test_an_erased_person_is_not_changed_any_more(couple: Appointment) -> None:
    ana = person_of(couple)
    erase(ana)
    with pytest.raises(Erased):
        people.change_contact(
            person=ana,
            email="ana@example.org",
            phone=None,
            language="en",
            zone="UTC",
            by=SYSTEM,
            now=LATER,
        )
