"""Hold a time and book it through the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from clients.limits import Limit
from clients.models import AuditEntry, Message, Person
from clients.rules.access import token_hash
from practice.actions import idempotency
from practice.api import bookings
from practice.models import (
    Answer,
    Appointment,
    Attendance,
    BookedOnce,
    Consent,
    ConsentGiven,
    Counselor,
    Question,
    Service,
)
from practice.queries import offers
from tests import factories as make
from tests.practice.api.bodies import ANA, BEN, booking
from tests.practice.api.conftest import Caller
from tests.practice.views.conftest import SetClock

START = make.at(1, "10:00")


def hold(api: Caller, **changes: Any) -> Any:
    return api.post("holds/", {"service": "first-talk", "start": START.isoformat()} | changes)


def untouched() -> bool:
    """Nothing of a booking is stored."""
    return not (
        Person.objects.exists()
        or Appointment.objects.exclude(state="held").exists()
        or Message.objects.exists()
        or BookedOnce.objects.exists()
    )


def test_a_hold_is_answered_with_its_token_its_end_and_who(api: Caller, talk: Service) -> None:
    held = hold(api)
    assert held.status_code == 201
    assert held["Cache-Control"] == "private, no-store"
    told = held.json()
    assert told["counselor"] == "iris"
    assert told["start"] == "2027-01-12T10:00:00-05:00"
    assert told["end"] == "2027-01-12T10:50:00-05:00"
    row = Appointment.objects.get()
    assert bytes(row.hold_hash or b"") == token_hash(told["hold"])
    assert told["hold"] not in str(AuditEntry.objects.values_list())


def test_a_time_that_is_held_is_taken_for_others_with_the_next_ones_beside(
    api: Caller, talk: Service
) -> None:
    hold(api)
    second = hold(api)
    assert second.status_code == 409
    told = second.json()
    assert told["type"] == "urn:duet:slot_taken"
    assert told["next"][0].keys() == {"start", "end", "counselors"}
    assert told["next"][0]["start"] == "2027-01-12T11:00:00-05:00"


def test_a_hold_that_is_let_go_frees_its_time_and_letting_go_twice_is_no_fault(
    api: Caller, talk: Service
) -> None:
    token = hold(api).json()["hold"]
    for _ in range(2):
        gone = api.delete(f"holds/{token}/")
        assert (gone.status_code, gone.content) == (204, b"")
    assert hold(api).status_code == 201


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"start": "2027-01-12T10:00:00"}, 422, "start"),
        ({"start": "2027-01-12T10:00:00+99:00"}, 422, "start"),
        ({"start": "2027-01-12T10:07:00-05:00"}, 422, "start"),
        ({"start": "2027-01-10T10:00:00-05:00"}, 422, "start"),
        ({"start": 1_800_000_000}, 422, "start"),
        ({"start": None}, 422, "start"),
        ({"service": ["first-talk"]}, 422, "service"),
        ({"counselor": "omar"}, 422, "counselor"),
        ({"counselor_id": "1"}, 422, "counselor_id"),
        ({"state": "confirmed"}, 422, "state"),
    ],
)
def test_a_refused_hold_names_its_field(
    api: Caller, talk: Service, changes: dict[str, Any], status: int, field: str
) -> None:
    refused = hold(api, **changes)
    assert refused.status_code == status
    assert list(refused.json()["errors"]) == [field]
    assert not Appointment.objects.exists()


def test_a_booking_out_of_a_hold(api: Caller, talk: Service) -> None:
    token = hold(api).json()["hold"]
    booked = api.book(
        {"hold": token, "person": ANA, "partner": BEN, "partner_safe_to_invite": True}
    )
    assert booked.status_code == 201, booked.json()
    told = booked.json()
    appointment = Appointment.objects.get()
    assert told == {
        "appointment": str(appointment.pk),
        "status": "confirmed",
        "start": "2027-01-12T16:00:00+01:00",
        "end": "2027-01-12T16:50:00+01:00",
        "counselor": "iris",
        "manage_url": told["manage_url"],
    }
    ana, ben = Attendance.objects.select_related("person__key").order_by("role")
    assert (ana.person.name, ana.person.language) == ("Ana García", "es")
    assert told["manage_url"].endswith(f"/a/{ana.token}/")
    assert (ben.gate, ben.person.email) == (Attendance.Gate.OPEN, "ben@example.org")
    purposes = set(Message.objects.values_list("subject_id", "purpose"))
    assert {(ana.pk, "confirmation"), (ben.pk, "invitation")} <= purposes
    assert ben.token not in booked.content.decode()


def test_a_booking_straight_out_of_a_start(api: Caller, talk: Service) -> None:
    booked = api.book(booking())
    assert booked.status_code == 201
    row = Appointment.objects.get()
    assert (row.state, row.offered_under, row.starts_at) == ("confirmed", 1, START)
    assert row.case is not None
    assert row.case.person is not None


def test_a_request_service_is_answered_with_its_status(api: Caller, talk: Service) -> None:
    Service.objects.update(booking=Service.Booking.REQUEST)
    assert api.book(booking()).json()["status"] == "requested"


def test_a_partner_who_wasnt_called_safe_is_stored_and_not_written_to(
    api: Caller, talk: Service
) -> None:
    api.book(booking(partner=BEN))
    ben = Attendance.objects.get(role="partner")
    assert ben.gate == Attendance.Gate.SAID_UNSAFE
    assert not Message.objects.filter(person=ben.person).exists()


def test_the_answer_says_nothing_of_a_shared_address(api: Caller, talk: Service) -> None:
    one = api.book(booking(partner=BEN, partner_safe_to_invite=True), "one").json()
    same = BEN | {"email": "ana@example.org"}
    other = api.book(
        booking(start=make.at(2).isoformat(), partner=same, partner_safe_to_invite=True), "other"
    ).json()
    assert one.keys() == other.keys()
    assert one["status"] == other["status"]


def test_the_same_key_and_body_are_one_booking(api: Caller, talk: Service) -> None:
    first = api.book(booking())
    again = api.book(dict(reversed(booking().items())))
    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert (
        Appointment.objects.count() == Message.objects.filter(purpose="confirmation").count() == 1
    )


def test_the_same_key_with_another_body_is_refused(api: Caller, talk: Service) -> None:
    api.book(booking())
    refused = api.book(booking(start=make.at(1, "14:00").isoformat()))
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:duet:key_reused")
    assert Appointment.objects.count() == 1


def test_a_refused_booking_leaves_its_key_free(api: Caller, talk: Service) -> None:
    assert api.book(booking(person=ANA | {"email": "nonsense"})).status_code == 422
    assert untouched()
    assert api.book(booking()).status_code == 201


def test_a_key_is_forgotten_after_a_day(api: Caller, talk: Service, clock: SetClock) -> None:
    api.book(booking())
    later = make.NOW + idempotency.KEPT
    clock(later)
    assert api.book(booking(start=make.at(3).isoformat())).status_code == 201
    assert BookedOnce.objects.get().created_at == later
    assert idempotency.forget(by=make.SYSTEM, now=later + idempotency.KEPT) == 1
    assert Appointment.objects.count() == 2


@pytest.mark.parametrize("key", [None, "", " ", "with space", "k\u00e9y", "x" * 256, "tab\tbed"])
def test_a_booking_without_a_good_key_is_refused(
    api: Caller, talk: Service, key: str | None
) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    refused = api.post("bookings/", booking(), **headers)
    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == ["Idempotency-Key"]
    assert untouched()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"person": ...}, "person"),
        ({"person": "Ana"}, "person"),
        ({"person": ANA | {"email": None, "phone": None}}, "person.email"),
        ({"person": ANA | {"email": "ana@localhost"}}, "person.email"),
        ({"person": ANA | {"phone": "12"}}, "person.phone"),
        ({"person": ANA | {"phone": 12015550123}}, "person.phone"),
        ({"person": ANA | {"name": "A\u202ena"}}, "person.name"),
        ({"person": ANA | {"name": "a\nb"}}, "person.name"),
        ({"person": ANA | {"tz": "Mars/Olympus"}}, "person.tz"),
        ({"person": ANA | {"language": "xx"}}, "person.language"),
        ({"person": ANA | {"is_staff": True}}, "person.is_staff"),
        ({"partner": BEN | {"name": ""}}, "partner.name"),
        ({"partner": BEN | {"email": "b@@example.org"}}, "partner.email"),
        ({"partner": []}, "partner"),
        ({"partner_safe_to_invite": "yes"}, "partner_safe_to_invite"),
        ({"partner_safe_to_invite": 1}, "partner_safe_to_invite"),
        ({"service": ...}, "service"),
        ({"start": ...}, "start"),
        ({"start": "2027-01-12T10:00"}, "start"),
        ({"answers": {"nothing": "x"}}, "answers.nothing"),
        ({"answers": {"why": "x" * 2001}}, "answers.why"),
        ({"answers": {"why": 7}}, "answers.why"),
        ({"answers": []}, "answers"),
        ({"consents": [{"slug": "privacy", "version": 2}]}, "consents.privacy"),
        ({"consents": [{"slug": "other", "version": 1}, None]}, "consents.1"),
        ({"consents": [{"slug": "privacy"}]}, "consents.0.version"),
        ({"consents": []}, "consents.privacy"),
        ({"from_article": "a b"}, "from_article"),
        ({"appointment": "1"}, "appointment"),
        ({"status": "confirmed"}, "status"),
    ],
)
def test_a_refused_booking_names_its_field_and_stores_nothing(
    api: Caller, talk: Service, changes: dict[str, Any], field: str
) -> None:
    Question.objects.create(service=talk, slug="why", label="What brings you?")
    Consent.objects.create(
        service=talk, slug="privacy", version=1, text="We keep notes.", published_at=make.NOW
    )
    fine = {"consents": [{"slug": "privacy", "version": 1}]}
    refused = api.book(booking(**({"start": START.isoformat()} | fine | changes)))
    assert refused.status_code == 422, refused.content
    assert field in refused.json()["errors"], refused.json()
    assert untouched()
    # The control: without the change it is booked.
    assert api.book(booking(**fine)).status_code == 201


def test_answers_and_consents_are_stored_with_the_booker(api: Caller, talk: Service) -> None:
    why = Question.objects.create(service=talk, slug="why", label="Why?", required=True)
    Consent.objects.create(service=talk, slug="c", version=1, text="Yes?", published_at=make.NOW)
    sent = booking(
        partner=BEN,
        answers={"why": "We argue.\nOften."},
        consents=[{"slug": "c", "version": 1}],
        from_article="the-dance",
    )
    assert api.book(sent).status_code == 201
    answer = Answer.objects.select_related("attendance__person__key").get()
    assert (answer.question, answer.text) == (why, "We argue.\nOften.")
    assert answer.attendance.role == ConsentGiven.objects.get().attendance.role == "booker"
    assert Appointment.objects.get().from_article == "the-dance"


def test_a_service_for_one_takes_no_partner(api: Caller, talk: Service) -> None:
    Service.objects.update(attendees=Service.Attendees.ONE)
    refused = api.book(booking(partner=BEN))
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["partner"])


def test_a_hold_that_has_ended_says_so_and_the_key_is_free_again(
    api: Caller, talk: Service, clock: SetClock
) -> None:
    token = hold(api).json()["hold"]
    clock(make.NOW + timedelta(minutes=11))
    refused = api.book({"hold": token, "person": ANA})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:duet:hold_gone")
    assert untouched()
    assert api.book(booking()).status_code == 201


def test_a_hold_cant_be_turned_into_another_time(api: Caller, talk: Service) -> None:
    token = hold(api).json()["hold"]
    other = {"hold": token, "person": ANA, "start": make.at(1, "14:00").isoformat()}
    refused = api.book(other)
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["start"])
    same = {"hold": token, "person": ANA, "start": START.isoformat(), "service": "first-talk"}
    assert api.book(same).status_code == 201


def test_a_taken_start_is_409_with_the_next_times_and_one_beside_the_hours_is_422(
    api: Caller, talk: Service
) -> None:
    api.book(booking(), "first")
    taken = api.book(booking(), "second")
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:duet:slot_taken")
    assert taken.json()["next"][0]["start"] == "2027-01-12T17:00:00+01:00"
    beside = api.book(booking(start=make.at(1, "23:00").isoformat()), "third")
    assert (beside.status_code, beside.json()["type"]) == (422, "urn:duet:not_offered")
    assert list(beside.json()["errors"]) == ["start"]


def test_a_signed_in_browser_is_nobody_special_here(api: Caller, talk: Service) -> None:
    """No sign-in counts, so no cookie can be ridden on."""
    api.client.force_login(make.admin().user)
    api.client.handler.enforce_csrf_checks = True
    before = list(AuditEntry.objects.values_list("pk", flat=True))
    assert api.book(booking()).status_code == 201
    entries = AuditEntry.objects.exclude(pk__in=before).values_list("actor_kind", flat=True)
    assert set(entries) <= {"visitor", "system"}
    assert entries


def test_a_forged_signature_of_the_pages_forms_means_nothing_here(
    api: Caller, talk: Service
) -> None:
    sent = booking() | {"made": signing.dumps("x")}
    assert list(api.book(sent).json()["errors"]) == ["made"]


@pytest.mark.parametrize("more", [{}, {"partner": BEN, "partner_safe_to_invite": True}])
def test_a_booking_takes_six_statements_however_many_come_and_are_reminded(
    api: Caller, talk: Service, settings: Settings, more: dict[str, Any]
) -> None:
    """Terms, open times, the guard, the lock on the addresses, their letters, all new rows."""
    settings.DUET = settings.DUET | {"THROTTLE": True}
    api.book(booking(start=make.at(3).isoformat()), "makes-the-index-key")
    make.reminder(2880)
    make.reminder(120)
    with CaptureQueriesContext(connection) as ran:
        assert api.book(booking(**more)).status_code == 201
    statements = [one["sql"] for one in ran.captured_queries if "SAVEPOINT" not in one["sql"]]
    assert len(statements) == 6, statements


def test_a_time_whose_taker_leaves_meanwhile_was_taken_and_never_impossible(
    api: Caller, talk: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is called taken depends on the hours alone, which don't change in between."""
    monkeypatch.setattr(offers, "offers_at", lambda **asked: ())
    refused = api.book(booking())
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:duet:slot_taken")


@pytest.mark.parametrize("time", ["08:00", "10:10", "18:00"])
def test_beside_the_hours_nobody_learns_whether_somebody_comes(
    api: Caller, talk: Service, iris: Counselor, time: str
) -> None:
    make.appointment(iris, talk, start=make.at(1, time))
    refused = api.book(booking(start=make.at(1, time).isoformat()))
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:duet:not_offered")


def test_a_short_body_cant_ask_for_minutes_of_work(api: Caller, talk: Service) -> None:
    many: list[object] = [{} for _ in range(9_000)]
    refused = api.book(booking(consents=many))
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["consents"])
    refused = api.book(booking(answers={f"q{number}": "x" for number in range(9_000)}))
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["answers"])
    refused = api.book(booking(consents=[1] * 20_000))
    assert refused.status_code == 400
    assert len(refused.content) < 1_000


def test_a_text_agreed_to_twice_is_refused(api: Caller, talk: Service) -> None:
    Consent.objects.create(service=talk, slug="c", version=1, text="Yes?", published_at=make.NOW)
    twice = [{"slug": "c", "version": 2}, {"slug": "c", "version": 1}]
    assert "consents" in api.book(booking(consents=twice)).json()["errors"]


def test_past_the_limit_a_booking_is_still_answered_again(
    api: Caller, talk: Service, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DUET = settings.DUET | {"THROTTLE": True}
    cache.clear()
    monkeypatch.setattr(bookings, "BOOKINGS", Limit("bookings", 1, 3600))
    first = api.book(booking(), "first")
    assert first.status_code == 201
    assert api.book(booking(person={}), "with-a-mistake").status_code == 422
    assert api.book(booking(), "first").json() == first.json()
    assert api.book(booking(start=make.at(2).isoformat()), "second").status_code == 429
