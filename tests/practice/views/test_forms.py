"""Forms at the desk and on one's own page: who was given what, and never what it says."""

import pytest
from django.test import Client

from clients.models import AuditEntry, Case, Message
from intake.models import Assignment, Intake
from practice.models import Counselor, Practice, Service
from tests import factories as make
from tests.factories import NOW
from tests.practice import forms_cast as cast
from tests.practice.views import walk
from tests.practice.views.test_desk import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def booked(talk: Service) -> Case:
    cast.published(cast.CHECK, cast.MOOD)
    cast.rules(cast.MOOD, cast.CHECK)
    appointment = cast.book(talk).appointment
    assert appointment.case is not None
    return appointment.case


@pytest.fixture
def own(iris: Counselor) -> Client:
    return signed_in(iris.member)


@pytest.fixture
def staff(practice: Practice) -> Client:
    return signed_in(make.front_desk())


def boxes(*slugs: str, **fields: str) -> dict[str, str]:
    chosen = {f"form-{slug}": "on" for slug in slugs}
    return chosen | {f"person-{pk}": "on" for pk in fields.pop("to", "").split()} | fields


def test_the_desk_sees_what_came_in_and_by_when_the_rest_is_due(
    staff: Client, booked: Case
) -> None:
    cast.send(cast.link("Ana"), cast.CHECK)
    page = walk.text(staff.get(f"/desk/cases/{booked.pk}/"))
    assert page.count('<span class="who">How it is going') == 4
    assert "sent" in page
    assert "due" in page
    assert "Letter with the link: planned" in page


def test_a_form_is_given_by_hand_withdrawn_and_its_link_sent_again(
    staff: Client, booked: Case
) -> None:
    cast.published("sleep")
    ana = cast.link("Ana").person_id
    where = f"/desk/cases/{booked.pk}/forms/"
    assert "How it is going" in walk.text(staff.get(where))
    assert staff.post(where, boxes("sleep", to=str(ana), due="2027-01-20")).status_code == 302
    row = Assignment.objects.get(slug="sleep")
    assert row.due_at is not None
    assert row.due_at.isoformat() == "2027-01-20T23:00:00+00:00"
    assert cast.forms("Ben") == [(cast.CHECK, "open"), (cast.MOOD, "open")]

    assert staff.post(f"/desk/intakes/{row.intake_id}/again/").status_code == 302
    assert Intake.objects.get(pk=row.intake_id).round == 3
    assert staff.post(f"/desk/forms/{row.pk}/withdraw/").status_code == 302
    assert Assignment.objects.get(pk=row.pk).state == "withdrawn"
    assert Message.objects.filter(version=3, state="planned").exists()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "at least one form"),
        ({"form-sleep": "on"}, "at least one person"),
        ({"form-sleep": "on", "due": "2027-01-11"}, "at least one person"),
        ({"form-sleep": "on", "due": "2026-01-11"}, "within a year"),
        ({"form-sleep": "on", "due": "2029-01-11"}, "within a year"),
    ],
)
def test_what_is_wrong_is_said(
    staff: Client, booked: Case, data: dict[str, str], sentence: str
) -> None:
    cast.published("sleep")
    answer = staff.post(f"/desk/cases/{booked.pk}/forms/", data)
    assert answer.status_code == 422
    assert sentence in walk.text(answer)


def test_what_is_open_is_not_given_twice(staff: Client, booked: Case) -> None:
    ana = cast.link("Ana").person_id
    answer = staff.post(f"/desk/cases/{booked.pk}/forms/", boxes(cast.MOOD, to=str(ana)))
    assert answer.status_code == 422
    assert "still open for one of them" in walk.text(answer)


def test_who_gives_nothing_is_told_so_and_what_isnt_theirs_isnt_there(
    booked: Case, practice: Practice
) -> None:
    where, row = f"/desk/cases/{booked.pk}/forms/", Assignment.objects.first()
    assert row is not None
    paths = [f"/desk/forms/{row.pk}/withdraw/", f"/desk/intakes/{row.intake_id}/again/"]
    other = signed_in(make.counselor("theo").member)
    assert other.get(where).status_code == 404
    assert [other.post(path).status_code for path in paths] == [404, 404]
    named = make.supervisor()
    booked.care.create(member=named, kind="supervisor", since_at=NOW)
    looks_on = signed_in(named)
    assert looks_on.get(where).status_code == 403
    assert [looks_on.post(path).status_code for path in paths] == [403, 403]
    assert "Give a form" not in walk.text(looks_on.get(f"/desk/cases/{booked.pk}/"))


def test_looking_is_on_record_before_the_page(staff: Client, booked: Case) -> None:
    staff.get(f"/desk/cases/{booked.pk}/forms/")
    looks = AuditEntry.objects.filter(verb="case.read", case_id=booked.pk)
    assert looks.count() == 2


def test_a_closed_case_is_given_nothing(own: Client, booked: Case) -> None:
    Case.objects.update(state="closed", closed_at=NOW)
    assert own.get(f"/desk/cases/{booked.pk}/forms/").status_code == 403
