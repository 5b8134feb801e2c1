"""When a partner may be invited: both checks and no flag, or asked; by who counsels them."""

import re
from typing import Any

import pytest
from django.test import Client

from clients.actions import people
from clients.models import Case, Message, Notice
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from intake.models import Flag
from practice.actions import booking, contacts
from practice.models import Appointment, Attendance, Counselor, Service
from practice.rules import gate as rules
from tests import factories as make
from tests.factories import NOW, SYSTEM
from tests.practice import forms_cast as cast
from tests.practice.forms_cast import CHECK
from tests.practice.views import walk
from tests.practice.views.test_desk import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def iris() -> Counselor:
    make.practice()
    return make.counselor("iris")


@pytest.fixture
def talk(iris: Counselor) -> Service:
    return make.service(counselors=[iris], invite_gate="private_check")


@pytest.fixture
def couple(talk: Service) -> Appointment:
    cast.published(CHECK)
    cast.rules(CHECK)
    return cast.book(talk).appointment


def _partner(appointment: Appointment) -> Attendance:
    return Attendance.objects.select_related("person__key").get(
        appointment=appointment, role="partner"
    )


def _case() -> Case:
    return Case.objects.get()


def _flagged() -> Flag:
    return make.flag(_case(), cast.link("Ben").person)


def _close(flag: Flag, by: Counselor) -> None:
    flag.closed_at, flag.closed_by, flag.note = NOW, by.member, "We spoke."
    flag.save()


def _invite(
    appointment: Appointment, by: Counselor | None = None, *, asked: bool = False
) -> Attendance:
    actor = by.member.as_actor() if by else SYSTEM
    partner = _partner(appointment)
    return booking.open_gate(attendance=partner, asked_in_person=asked, by=actor, now=NOW)


def _both_send() -> None:
    for name in ("Ana", "Ben"):
        cast.send(cast.link(name), CHECK)


def _again(
    appointment: Appointment, service: Service, day: int = 11, *, by: Actor = SYSTEM
) -> Appointment:
    return booking.book_by_hand(
        service=service,
        counselor=appointment.counselor,
        start=make.at(day, "10:00"),
        request=None,
        case=appointment.case,
        beside=None,
        by=by,
        now=NOW,
    ).appointment


def test_both_checks_open_no_gate_by_themselves(couple: Appointment) -> None:
    _both_send()
    contacts.change_language(
        person=_partner(couple).person, language="en", zone="UTC", by=SYSTEM, now=NOW
    )
    contacts.change_contact(
        person=_partner(couple).person, email="b@example.org", phone=None, language="en",
        zone="UTC", by=SYSTEM, now=NOW,
    )  # fmt: skip
    assert _partner(couple).gate == Attendance.Gate.PRIVATE_CHECK
    assert not Message.objects.filter(purpose="invitation").exists()


def test_with_both_checks_the_counselor_invites(couple: Appointment, iris: Counselor) -> None:
    cast.send(cast.link("Ana"), CHECK)
    with pytest.raises(booking.GateStaysShut) as shut:
        _invite(couple, iris)
    assert shut.value.why == Attendance.Gate.PRIVATE_CHECK
    _both_send()
    assert _invite(couple, iris).gate == Attendance.Gate.OPEN
    assert Message.objects.filter(purpose="invitation", state="planned").exists()


def test_asking_in_person_serves_for_the_checks(couple: Appointment, iris: Counselor) -> None:
    assert _invite(couple, iris, asked=True).gate == Attendance.Gate.OPEN


@pytest.mark.parametrize("asked", [True, False])
def test_an_open_flag_keeps_it_shut_whatever_was_asked(
    couple: Appointment, iris: Counselor, asked: bool
) -> None:
    _both_send()
    flag = _flagged()
    with pytest.raises(booking.GateStaysShut) as shut:
        _invite(couple, iris, asked=asked)
    assert shut.value.why == booking.FLAG
    _close(flag, iris)
    assert _partner(couple).gate == Attendance.Gate.PRIVATE_CHECK
    assert _invite(couple, iris, asked=asked).gate == Attendance.Gate.OPEN


def test_the_control_without_the_look_at_flags_it_would_open(
    couple: Appointment, iris: Counselor, monkeypatch: pytest.MonkeyPatch
) -> None:
    _both_send()
    _flagged()
    monkeypatch.setattr(booking, "is_in_safe_mode", lambda _: False)
    assert _invite(couple, iris).gate == Attendance.Gate.OPEN


def _same(answer: Any) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", walk.text(answer))


def _desk(couple: Appointment, client: Client) -> tuple[int, str, str]:
    """What somebody at the desk reads of it, and is told when they try."""
    page = client.get(f"/desk/appointments/{couple.pk}/")
    answer = client.post(f"/desk/attendances/{_partner(couple).pk}/open-gate/", {"asked": "yes"})
    assert "The counselor of this case decides on this." in walk.text(answer)
    return answer.status_code, _same(page), _same(answer)


@pytest.mark.parametrize("who", ["front desk", "admin", "reviewer"])
def test_whoever_does_not_counsel_them_gets_one_refusal_with_a_flag_and_without(
    who: str, couple: Appointment, iris: Counselor
) -> None:
    made = {"front desk": make.front_desk, "admin": make.admin, "reviewer": make.reviewer}
    client = signed_in(made[who]())
    before = _desk(couple, client)
    _flagged()
    assert _desk(couple, client) == before
    assert before[0] == 403
    assert _partner(couple).gate == Attendance.Gate.PRIVATE_CHECK


def test_a_gate_that_is_open_stays_so_and_the_letters_go_on(
    couple: Appointment, iris: Counselor
) -> None:
    make.reminder(2880)
    _invite(couple, iris, asked=True)
    planned = set(Message.objects.filter(state="planned").values_list("pk", flat=True))
    _flagged()
    contacts.change_contact(
        person=_partner(couple).person, email="b@example.org", phone=None, language="en",
        zone="UTC", by=SYSTEM, now=NOW,
    )  # fmt: skip
    assert _partner(couple).gate == Attendance.Gate.OPEN
    assert set(Message.objects.filter(state="planned").values_list("pk", flat=True)) == planned


def test_while_a_flag_is_open_nobody_is_invited_to_anything_new(
    couple: Appointment, iris: Counselor, talk: Service
) -> None:
    free = make.service("free", counselors=[iris], invite_gate="said_safe")
    _invite(couple, iris, asked=True)
    assert _partner(_again(couple, talk)).gate == Attendance.Gate.OPEN
    flag = _flagged()
    held = [_again(couple, talk, 14), _again(couple, free, 15)]
    assert {_partner(one).gate for one in held} == {"private_check"}
    _close(flag, iris)
    assert {_partner(one).gate for one in held} == {"private_check"}
    assert {_invite(one, iris, asked=True).gate for one in held} == {"open"}


def test_who_cannot_know_of_a_flag_books_as_ever_and_the_clinician_is_told(
    couple: Appointment, iris: Counselor, talk: Service
) -> None:
    sam = make.front_desk().as_actor()
    _invite(couple, iris, asked=True)
    before = _partner(_again(couple, talk, by=sam)).gate
    flag = _flagged()
    assert _partner(_again(couple, talk, 14, by=sam)).gate == before == Attendance.Gate.OPEN
    told = Notice.objects.get(kind="booked_while_flagged")
    assert (told.member, told.subject_id) == (iris.member, flag.pk)
    own = _again(couple, talk, 15, by=iris.member.as_actor())
    assert _partner(own).gate == Attendance.Gate.PRIVATE_CHECK


def test_a_new_address_opens_nothing_while_a_flag_is_open(iris: Counselor) -> None:
    free = make.service("free", counselors=[iris], invite_gate="said_safe")
    ben = people.NewPerson("Ben Birch", None, None, "en", "UTC")
    appointment = cast.book(free, ben).appointment
    assert _partner(appointment).gate == Attendance.Gate.NO_CONTACT
    make.flag(_case(), _partner(appointment).person)
    contacts.change_contact(
        person=_partner(appointment).person, email="b@example.org", phone=None, language="en",
        zone="UTC", by=SYSTEM, now=NOW,
    )  # fmt: skip
    assert _partner(appointment).gate == Attendance.Gate.PRIVATE_CHECK


def test_that_a_consultation_was_called_safe_does_not_open_what_waits_for_the_checks(
    iris: Counselor, talk: Service
) -> None:
    free = make.service("free", counselors=[iris], invite_gate="said_safe")
    first = cast.book(free).appointment
    assert _partner(first).gate == Attendance.Gate.OPEN
    assert _partner(_again(first, free)).gate == Attendance.Gate.OPEN
    waits = _again(first, talk, 14)
    assert _partner(waits).gate == Attendance.Gate.PRIVATE_CHECK
    _invite(waits, iris, asked=True)
    assert _partner(_again(first, talk, 15)).gate == Attendance.Gate.OPEN


def test_by_the_broken_glass_a_gate_is_not_opened(couple: Appointment) -> None:
    other = make.counselor("gus").member.as_actor(opened=[_case().pk])
    with pytest.raises(NotPermitted):
        booking.open_gate(attendance=_partner(couple), asked_in_person=True, by=other, now=NOW)
    assert _partner(couple).gate == Attendance.Gate.PRIVATE_CHECK


def test_the_counselors_page_offers_to_invite_once_both_checks_are_in(
    couple: Appointment, iris: Counselor
) -> None:
    own = signed_in(iris.member)
    page = f"/desk/appointments/{couple.pk}/"
    assert "I asked them in person" in walk.text(own.get(page))
    _both_send()
    assert ">Invite<" in walk.text(own.get(page))
    own.post(f"/desk/attendances/{_partner(couple).pk}/open-gate/")
    assert _partner(couple).gate == Attendance.Gate.OPEN


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("checks", [True, False])
@pytest.mark.parametrize("service", ["said_safe", "private_check"])
def test_a_held_couples_gate_is_the_one_that_waits(service: str, checks: bool, asked: bool) -> None:
    assert (
        rules.partner_gate(
            invite_gate=service,
            said_safe=True,
            has_contact=True,
            same_address_as_booker=False,
            asked_in_person=asked,
            checks_done=checks,
            held=True,
        )
        == rules.PRIVATE_CHECK
    )
