"""What was changed or swapped in the database is refused, shown as such, and named by the auditor.

Nothing else suffers: the list that it stands in is there, with everybody else's names.
"""

import json
import logging
import re
import tomllib
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.request import Request
from rest_framework.response import Response

from clients import doors
from clients.actions import people
from clients.api.endpoint import Endpoint
from clients.models import DataKey, Person
from clients.queries import seals
from clients.rules.envelope import Erased, Unreadable
from config.state import new_notes_key
from practice.models import Appointment, Attendance
from tests import factories as make
from tests.config.running import ROOT
from tests.factories import NOW
from tests.practice.views import portal_walk

pytestmark = pytest.mark.django_db

LOST = "Can't be read (reported)"


def flip(row: Person | Attendance | DataKey, column: str) -> None:
    """Change one bit of a stored value."""
    last = f"length({column}) - 1"
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {row._meta.db_table}"
            f" SET {column} = set_byte({column}, {last}, get_byte({column}, {last}) # 1)"
            " WHERE id = %s",
            [row.pk],
        )
        assert cursor.rowcount == 1


def swap(one: Person, other: Person, column: str) -> None:
    """Exchange two rows' stored values."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE duet_clients_person p SET {column} = o.{column} FROM duet_clients_person o"
            " WHERE p.id IN (%(a)s, %(b)s) AND o.id IN (%(a)s, %(b)s) AND o.id <> p.id",
            {"a": one.pk, "b": other.pk},
        )
        assert cursor.rowcount == 2


def fresh(person: Person) -> Person:
    return Person.objects.select_related("key").get(pk=person.pk)


def found() -> set[tuple[str, str, object]]:
    return {(one.table, one.column, one.row) for one in seals.damaged()}


# --- shown as such -------------------------------------------------------------------------------


def test_what_is_whole_is_shown_as_it_is() -> None:
    ana = fresh(make.ana())
    assert (ana.shown_name, ana.shown_email, ana.shown_phone) == (ana.name, ana.email, ana.phone)
    assert fresh(make.dana()).shown_email is None


@pytest.mark.parametrize("column", ["name", "email", "phone"])
def test_what_is_damaged_is_never_empty_and_is_reported_without_its_text(
    column: str, caplog: pytest.LogCaptureFixture
) -> None:
    ana = make.ana()
    flip(ana, column)
    with caplog.at_level(logging.ERROR):
        assert str(getattr(fresh(ana), f"shown_{column}")) == LOST
    (record,) = caplog.records
    told = f"A sealed value can't be opened: duet_clients_person.{column} of {ana.pk}"
    assert record.getMessage() == told


def test_what_was_swapped_between_persons_is_shown_as_damaged() -> None:
    ana, ben = make.ana(), make.ben()
    swap(ana, ben, "name")
    assert {str(fresh(ana).shown_name), str(fresh(ben).shown_name)} == {LOST}


def test_whose_key_was_erased_has_an_alias_and_nothing_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ana = make.ana()
    DataKey.objects.filter(pk=ana.key_id).update(wrapped=None, destroyed_at=NOW)
    person = fresh(ana)
    assert (str(person.shown_name), str(person.shown_email)) == ("Erased person", "Erased")
    assert caplog.records == []


@pytest.fixture
def desk(client: Client) -> Client:
    member = make.admin()
    client.force_login(member.user)
    return client


@pytest.fixture
def couple() -> Appointment:
    make.practice(zone="UTC")
    iris = make.counselor("iris", zone="UTC", weekdays=range(7), start=0, end=24 * 60)
    service = make.service(counselors=[iris])
    start = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    make.appointment(iris, service, make.chris(), start=start)
    return make.appointment(iris, service, make.ana(), make.ben(), start=start + timedelta(hours=1))


def test_a_damaged_record_takes_no_page_down(
    desk: Client, couple: Appointment, caplog: pytest.LogCaptureFixture
) -> None:
    ana = Person.objects.get(attendances__appointment=couple, attendances__role="booker")
    for column in ("name", "email", "phone"):
        flip(ana, column)
    today = desk.get("/desk/")
    page = desk.get(f"/desk/appointments/{couple.pk}/")
    for answer in (today, page):
        text = answer.content.decode()
        assert answer.status_code == 200
        assert "Can&#x27;t be read (reported)" in text
        assert "Ben Birch" in text
        assert "Alder" not in text
    assert "Chris Cedar" in today.content.decode()
    assert "Alder" not in caplog.text


# --- what needs it refuses -----------------------------------------------------------------------


def test_a_step_that_needs_what_is_damaged_is_refused_in_words(
    desk: Client, couple: Appointment, caplog: pytest.LogCaptureFixture
) -> None:
    ana = Person.objects.get(attendances__appointment=couple, attendances__role="booker")
    hand = {"case": str(couple.case_id), "service": couple.service.slug, "counselor": "iris"}
    time = {"date": f"{couple.starts_at + timedelta(days=1):%Y-%m-%d}", "time": "10:00"}
    flip(ana, "email")
    assert desk.get("/desk/book/", hand).status_code == 200
    refused = desk.post("/desk/book/", hand | time | {"comes": "couple"})
    assert refused.status_code == 409
    assert "This record can't be read" in refused.content.decode()
    assert "A view needs a sealed value that can't be opened: book" in caplog.text
    assert "Alder" not in caplog.text
    assert Appointment.objects.filter(case=couple.case_id).count() == 1


def test_a_damaged_address_can_not_be_replaced_unseen(couple: Appointment) -> None:
    ana = Person.objects.get(attendances__appointment=couple, attendances__role="booker")
    flip(ana, "email")
    with pytest.raises(Unreadable):
        people.change_contact(
            person=ana, email=None, phone=None, language="en", zone="UTC", by=make.SYSTEM, now=NOW
        )
    assert fresh(ana).zone == "America/New_York"


@pytest.mark.parametrize("door", [doors.public, doors.visitor, doors.by_link])
def test_every_door_answers_in_words(door: Callable[..., Any]) -> None:
    def opens(_request: HttpRequest) -> HttpResponse:
        raise Unreadable("words of somebody")

    request = RequestFactory().get("/")
    answer = door(opens)(request)
    assert answer.status_code == 409
    assert "words" not in answer.content.decode()


def test_so_does_a_persons_own_page(couple: Appointment) -> None:
    ana = Person.objects.get(attendances__appointment=couple, attendances__role="booker")
    client = portal_walk.prove(ana)
    flip(ana, "phone")
    answer = client.get("/portal/copy/")
    assert answer.status_code == 409
    assert "no-store" in answer["Cache-Control"]


def test_whoever_was_erased_is_gone_and_nothing_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def erased(_request: HttpRequest) -> HttpResponse:
        raise Erased

    request = RequestFactory().get("/")
    answer = doors.public(erased)(request)
    assert answer.status_code == 410
    assert caplog.records == []


@pytest.mark.parametrize(("error", "status"), [(Unreadable, 409), (Erased, 410)])
def test_the_api_says_so_too(error: type[Unreadable], status: int) -> None:
    class Failing(Endpoint):
        def get(self, _request: Request) -> Response:
            raise error("words of somebody")

    answer = Failing.as_view()(RequestFactory().get("/"))
    assert answer.status_code == status
    assert answer.data["type"] == f"urn:duet:{'erased' if status == 410 else 'unreadable'}"
    assert "words" not in str(answer.data)


def test_without_the_guard_the_page_would_fail(
    desk: Client, couple: Appointment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    monkeypatch.setattr(Person, "shown_name", property(lambda person: person.name))
    flip(Person.objects.get(attendances__appointment=couple, attendances__role="booker"), "name")
    assert desk.get("/desk/").status_code == 409


def test_templates_show_what_is_sealed_in_the_way_that_cannot_fail() -> None:
    bare = re.compile(r"\bperson\.(?:name|email|phone)\b|\banswer\.text\b|\.cancel_reason\b")
    texts = {path: path.read_text() for path in (ROOT / "templates").rglob("*.html")}
    assert [path.name for path, text in texts.items() if bare.search(text)] == []
    assert bare.search("{{ one.person.name }}")  # the control
    assert not bare.search("{{ one.person.shown_name }}")


# --- named by the auditor ------------------------------------------------------------------------


def test_a_whole_database_has_no_damage(couple: Appointment) -> None:
    assert found() == set()


def test_every_kind_of_damage_is_found(couple: Appointment) -> None:
    ana, ben = (
        Person.objects.get(attendances__appointment=couple, attendances__role=role)
        for role in ("booker", "partner")
    )
    attendance = Attendance.objects.get(appointment=couple, person=ana)
    flip(ana, "phone")
    swap(ana, ben, "email")
    flip(attendance, "token")
    chris = Person.objects.exclude(pk__in=[ana.pk, ben.pk]).get()
    flip(chris.key, "wrapped")
    assert found() == {
        ("duet_clients_person", "phone", ana.pk),
        ("duet_clients_person", "email", ana.pk),
        ("duet_clients_person", "email", ben.pk),
        ("duet_practice_attendance", "token", attendance.pk),
        ("duet_clients_datakey", "wrapped", chris.key_id),
        ("duet_clients_person", "name", chris.pk),
        ("duet_clients_person", "email", chris.pk),
        ("duet_practice_attendance", "token", chris.attendances.get().pk),
    }


def test_an_erased_person_is_no_damage() -> None:
    ana = make.ana()
    DataKey.objects.filter(pk=ana.key_id).update(wrapped=None, destroyed_at=NOW)
    assert found() == set()


def test_the_auditor_names_the_row(couple: Appointment) -> None:
    ana = Person.objects.get(attendances__appointment=couple, attendances__role="booker")
    flip(ana, "name")
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("auditor", "--json", stdout=out, stderr=StringIO())
    told = json.loads(out.getvalue())
    assert "seal" in told["checked"]
    assert {
        "invariant": "seal",
        "what": "duet_clients_person.name can't be opened",
        "subject": str(ana.pk),
    } in told["breaches"]
    assert "Alder" not in out.getvalue()


def test_every_sealed_column_of_the_site_is_tried() -> None:
    tried = {model._meta.label: columns for model, columns in seals.sealed_columns().items()}
    policy = tomllib.loads((ROOT / "docs" / "data-retention.toml").read_text())
    assert tried == {
        name: entry["sealed"] for name, entry in policy["models"].items() if "sealed" in entry
    }


def test_progress_is_told(couple: Appointment) -> None:
    seen: list[tuple[int, int]] = []
    list(seals.damaged(lambda done, total: seen.append((done, total))))
    assert seen[-1][0] == seen[-1][1] > 0


def test_a_wrong_ring_is_all_damage(couple: Appointment, settings: Settings) -> None:
    settings.DUET = settings.DUET | {"NOTES_KEYS": new_notes_key()}
    assert len(found()) > 10
