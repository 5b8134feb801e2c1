"""Every page takes the same few statements, and reads as few rows, however large the practice.

A page that asks once for each row is caught by a larger demo, one that reads through the past by
thousands of bookings of each counselor's that are over.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver
from django.utils import timezone

from clients.actions import audit
from clients.models import Case, DataRequest, Member, Person
from clients.rules.access import token_hash
from clients.rules.actors import Actor
from intake.models import Flag, Response, Review
from practice import urls
from practice.demo import loading
from practice.models import Appointment, Attendance, Counselor, Service, TimeOff
from practice.queries import diary, invariants, offers
from practice.views import visit
from tests.practice.views import portal_walk

LONG = os.environ.get("FAULTS") == "long"
SMALL, LARGE = 40, 10_000 if LONG else 400
PAST = 10_000 if LONG else 4_000  # bookings of each counselor's that are over

pytestmark = [pytest.mark.django_db, pytest.mark.faults, pytest.mark.timeout(900)]

# A Wednesday at noon in New York.
NOON = datetime(2027, 1, 13, 17, 0, tzinfo=UTC)
SYSTEM = Actor.system()
Call = Callable[[], Any]

# How many statements each page takes: by its name, or by its name and how it is asked for.
STATEMENTS = {
    "home": 3,
    "book": 3,
    "book, times of anybody": 3,
    "book, times of one": 3,
    "book, nothing open": 4,
    "details": 6,
    "done": 3,
    "attendance": 2,
    "attendance-move": 3,
    "attendance-cancel": 2,
    "attendance-calendar": 2,
    "attendance-unknown": 0,
    "attendance-mine": 3,
    "attendance-mine-move": 4,
    "attendance-mine-cancel": 3,
    "attendance-mine-calendar": 3,
    "desk": 15,
    "desk, of one": 15,
    "desk, own": 15,
    "desk-requests": 11,
    "desk-book": 8,
    "desk-book, times": 7,
    "desk-book, for a case": 10,
    "desk-appointment": 12,
    "desk-cancel": 7,
    "desk-move": 8,
    "desk-cases": 7,
    "desk-cases, own": 7,
    "desk-cases, found": 9,
    "desk-cases, others": 9,
    "desk-case": 22,
    "desk-case, own": 23,
    "desk-forms": 12,
    "desk-form-rules": 7,
    "desk-intake": 9,
    "desk-intake, own": 9,
    "desk-review": 20,
    "desk-flag": 9,
    "desk-response": 8,
    "desk-glass": 6,
    "desk-care": 9,
    "desk-restrict": 8,
    "desk-access": 8,
    "desk-code": 7,
    "exit": 0,
    "exit-help": 1,
    "portal": 1,
    "portal-sent": 1,
    "portal-in": 2,
    "portal-in-unknown": 1,
    "portal-mine": 5,
    "portal-consents": 4,
    "portal-answers": 4,
    "portal-looks": 5,
    "portal-safe-contact": 3,
    "portal-contact": 2,
    "portal-sessions": 3,
    "portal-requests": 3,
    "portal-copy": 18,
    "portal-prove": 2,
    "portal-pin": 2,
    "portal-proofs": 5,
    "api-services": 4,
    "api-counselors": 2,
    "api-slots": 1,
    "api-assignments": 6,
    "api-appointments": 7,
    "api-appointments, own": 7,
    "api-appointment": 6,
    "api-attendance": 2,
    "api-service": 5,
    "api-working-hours": 5,
    "api-working-hours-of": 5,
}
# A person's own pages, each under its name, once both proofs are given.
PORTAL = (
    *("mine", "consents", "answers", "looks", "safe-contact", "contact", "sessions", "requests"),
    *("copy", "prove", "pin", "proofs"),
)
# What is only ever posted to, and a page without a statement of its own.
NO_PAGE = {
    *("hold", "release", "attendance-confirm", "attendance-mine-confirm", "desk-accept"),
    *("desk-care-counselor", "desk-care-add", "desk-care-end", "desk-lift"),
    *("desk-sessions", "attendance-portal", "attendance-mine-portal", "portal-appointment"),
    *("portal-passkey", "portal-sign-out", "portal-sessions-end", "portal-session-end"),
    *("portal-prove-passkey", "portal-pin-other", "portal-pin-remove", "portal-passkey-add"),
    "portal-passkey-remove",
    *("desk-case-close", "desk-case-reopen", "desk-notice-seen", "desk-request-answer"),
    *("desk-form-rule", "desk-form-rule-switch", "desk-form-rules-kept"),
    *("desk-form-withdraw", "desk-form-again", "desk-flag-seen", "desk-flag-close"),
    *("desk-review-claim", "desk-review-take-over", "desk-review-release", "desk-review-ask"),
    *("desk-review-accept", "desk-review-decline", "desk-review-waitlist", "desk-review-resume"),
    *("desk-close", "desk-open-gate", "api-holds", "api-hold", "api-bookings", "api-confirm"),
    *("api-move", "api-cancel", "api-unknown", "api-schema", "api-docs"),
}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock that views read stands still."""
    monkeypatch.setattr(timezone, "now", lambda: NOON)


def load(cases: int) -> None:
    loading.load(cases=cases, reset=True, by=SYSTEM, now=NOON)


def signed_in(username: str) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.get(username=username))
    return client


def pages() -> dict[str, Call]:
    """Every page that can be opened, ready to be opened; two browsers have been used before."""
    coming = Attendance.objects.select_related("person__key", "appointment").filter(
        appointment__state="confirmed",
        appointment__counselor__slug="iris",
        appointment__period__startswith__gt=NOON + timedelta(days=2),
    )
    link = coming.filter(gate="open", role="booker").order_by("token_hash")[0].token
    about = coming.filter(role="partner").order_by("token_hash")[0].appointment
    theo = Counselor.objects.get(slug="theo")
    TimeOff.objects.create(
        counselor=theo, period=DateTimeTZRange(NOON, NOON + timedelta(days=9)), label="Away"
    )

    def get(client: Client, address: str) -> Call:
        return lambda: client.get(address)

    _ask_about_records()
    visitor, owner, iris = Client(), signed_in("olive"), signed_in("iris")
    beside = signed_in("theo")
    own = coming.get(token_hash=token_hash(link))
    mine = _remembering(lambda session: visit.keep_own(session, own, NOON))
    looker = Member.objects.get(user__username="olive").as_actor()
    audit.record_reads(verb="person.read", persons=[(own.person_id, None)], by=looker, now=NOON)
    client = portal_walk.prove(own.person)
    proved = {name: get(client, f"/portal/{name}/") for name in PORTAL}
    note = portal_walk.link_for(own.person).token
    sent = visit.Sent(own.pk, own.person_id, "", NOON)
    booked = _remembering(lambda session: visit.keep_sent(session, "a form's mark", sent))

    week = (NOON + timedelta(days=5)).date().isoformat()
    full = NOON.date().isoformat()
    desk = f"/desk/appointments/{about.pk}/"
    in_care = Case.objects.filter(counselor__user__username="iris", couple__isnull=False)
    in_care = in_care.filter(appointments__state="done").filter(
        appointments__in=coming.values("appointment")
    )
    case = f"/desk/cases/{in_care[0].pk}/"
    booker = Person.objects.get(couples__couple=in_care[0].couple_id, couples__voice=0)
    by_hand = "/desk/book/?service=consultation&counselor=iris"
    claimed = Review.objects.open().filter(claimed_by__user__username="rita")
    waits = claimed.filter(case__couple__isnull=False, case__flags__isnull=True)[0]
    flag = Flag.objects.filter(severity="urgent", case__counselor__user__username="iris")[0]
    answered = Response.objects.sent().filter(
        assignment__intake__case__counselor__user__username="iris",
        assignment__intake__case__couple__isnull=False,
    )[0]
    return {
        "home": get(visitor, "/"),
        "book": get(visitor, "/book/"),
        "book, times of anybody": get(visitor, f"/book/?service=couple-session&from={week}"),
        "book, times of one": get(
            visitor, f"/book/?service=consultation&counselor=iris&from={week}"
        ),
        "book, nothing open": get(
            visitor, f"/book/?service=long-session&counselor=theo&from={full}"
        ),
        "details": get(_holding(), "/book/details/"),
        "done": get(booked, "/book/done/"),
        "attendance": get(visitor, f"/a/{link}/"),
        "attendance-move": get(visitor, f"/a/{link}/move/"),
        "attendance-cancel": get(visitor, f"/a/{link}/cancel/"),
        "attendance-calendar": get(visitor, f"/a/{link}/appointment.ics"),
        "attendance-unknown": get(visitor, "/a/mistyped/"),
        "attendance-mine": get(mine, "/a/"),
        "attendance-mine-move": get(mine, "/a/move/"),
        "attendance-mine-cancel": get(mine, "/a/cancel/"),
        "attendance-mine-calendar": get(mine, "/a/appointment.ics"),
        "desk-code": get(owner, f"/desk/persons/{booker.pk}/code/"),
        "exit": get(visitor, "/exit/"),
        "exit-help": get(visitor, "/exit/help/"),
        "portal": get(visitor, "/portal/"),
        "portal-sent": get(visitor, "/portal/sent/"),
        "portal-in": get(visitor, f"/portal/in/{note}/"),
        "portal-in-unknown": get(visitor, "/portal/in/mistyped/"),
        **{f"portal-{name}": call for name, call in proved.items()},
        "desk": get(owner, "/desk/"),
        "desk, of one": get(owner, "/desk/?counselor=iris"),
        "desk, own": get(iris, "/desk/"),
        "desk-requests": get(owner, "/desk/requests/"),
        "desk-book": get(owner, "/desk/book/"),
        "desk-book, times": get(owner, by_hand),
        "desk-book, for a case": get(owner, f"{by_hand}&case={about.case_id}"),
        "desk-appointment": get(owner, desk),
        "desk-cancel": get(owner, f"{desk}cancel/"),
        "desk-move": get(owner, f"{desk}move/"),
        "desk-cases": get(owner, "/desk/cases/"),
        "desk-cases, own": get(iris, "/desk/cases/"),
        "desk-cases, found": lambda: owner.post("/desk/cases/", {"q": booker.email}),
        "desk-cases, others": lambda: beside.post("/desk/cases/", {"q": booker.email}),
        "desk-case": get(owner, case),
        "desk-case, own": get(iris, case),
        "desk-glass": get(owner, f"{case}open/"),
        "desk-care": get(owner, f"{case}care/"),
        "desk-restrict": get(owner, f"{case}restrict/"),
        "desk-access": get(owner, "/desk/access/"),
        "desk-forms": get(iris, f"{case}forms/"),
        "desk-form-rules": get(owner, "/desk/settings/forms/"),
        "desk-intake": get(owner, "/desk/intake/"),
        "desk-intake, own": get(iris, "/desk/intake/"),
        "desk-review": get(signed_in("rita"), f"/desk/intake/{waits.pk}/"),
        "desk-flag": get(iris, f"/desk/flags/{flag.pk}/"),
        "desk-response": get(iris, f"/desk/responses/{answered.pk}/"),
        "api-services": get(visitor, "/api/v1/services/"),
        "api-counselors": get(visitor, "/api/v1/counselors/"),
        "api-slots": get(
            visitor,
            f"/api/v1/slots/?service=consultation&counselor=iris&from={full}&to={week}"
            "&tz=America/New_York",
        ),
        "api-assignments": get(iris, "/api/v1/assignments/"),
        "api-appointments": get(owner, "/api/v1/appointments/"),
        "api-appointments, own": get(iris, "/api/v1/appointments/"),
        "api-appointment": get(owner, f"/api/v1/appointments/{about.pk}/"),
        "api-service": get(owner, "/api/v1/services/consultation/"),
        "api-working-hours": get(owner, "/api/v1/working-hours/"),
        "api-working-hours-of": get(owner, "/api/v1/working-hours/iris/"),
        "api-attendance": get(visitor, f"/api/v1/attendances/{link}/"),
    }


def _ask_about_records() -> None:
    """One in eight has asked for an erasure, and has been answered or waits."""
    persons = list(Person.objects.order_by("pk").values_list("pk", flat=True))
    DataRequest.objects.bulk_create(
        DataRequest(person_id=person, kind="erasure", asked_at=NOON, **answered)
        for person in persons[::8]
        for answered in ({}, {"answered_at": NOON, "answer": "kept_by_law"})
    )


def _hold(client: Client | None = None) -> Any:
    """Press the button of a time."""
    service = Service.objects.get(slug="consultation")
    found = offers.next_times(
        service=service, counselor=None, after=NOON + timedelta(days=1), now=NOON
    )
    sent = {"service": service.slug, "counselor": "", "who": "", "tz": "America/New_York"}
    sent["start"] = found[0].start.isoformat()
    return (client or Client()).post("/book/hold/", sent)


def _holding() -> Client:
    """A browser that holds a time."""
    client = Client()
    assert _hold(client).status_code == 302
    return client


def _remembering(keep: Callable[[Any], None]) -> Client:
    """A browser whose session somebody's button has written."""
    client = Client()
    session = client.session
    keep(session)
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    return client


def _statements(call: Call) -> list[str]:
    """What one opening of a page asks the database, once it has been open before."""
    call()
    with CaptureQueriesContext(connection) as seen:
        response = call()
    assert response.status_code in {200, 302, 404}, response
    return [str(query["sql"]) for query in seen.captured_queries]


def _counts() -> dict[str, int]:
    return {name: len(_statements(call)) for name, call in pages().items()}


def test_every_page_takes_the_same_statements_in_a_small_practice_and_in_a_large_one() -> None:
    load(SMALL)
    small = _counts()
    load(LARGE)
    assert Case.objects.count() == LARGE
    large = _counts()
    assert large == small
    assert small == STATEMENTS
    if LONG:
        while audit.seal(by=SYSTEM, now=NOON):
            pass
        assert invariants.breaches(NOON) == []


def test_a_page_that_asks_once_for_each_row_would_be_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: without the attendees read along, each row asks for its own."""
    monkeypatch.setattr(diary, "_with_people", lambda found: found)
    load(SMALL)
    assert _counts() != STATEMENTS


def test_no_page_is_left_out() -> None:
    def names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
        for one in patterns:
            if isinstance(one, URLResolver):
                yield from names(one.url_patterns)
            else:
                yield str(one.name)

    counted = {name.partition(",")[0] for name in STATEMENTS}
    assert counted | NO_PAGE == set(names(urls.urlpatterns))
    assert counted.isdisjoint(NO_PAGE)


# --- what lies in the past -----------------------------------------------------------------------

# Rows like one that is there, a hundred minutes apart, each with its one attendee and letter; by
# turns of each case of the counselor's.
_PAST = (
    """
    INSERT INTO duet_practice_appointment
    SELECT row.*
      FROM duet_practice_appointment a
     CROSS JOIN generate_series(1, %(past)s) n
     CROSS JOIN LATERAL (SELECT %(before)s - n * interval '100 minutes' AS ends) e
     CROSS JOIN LATERAL (SELECT tstzrange(ends - interval '1 hour', ends) AS span) s
     CROSS JOIN LATERAL (SELECT array_agg(k.id) AS cases
                           FROM duet_clients_case k
                           JOIN duet_practice_counselor c ON c.member_id = k.counselor_id
                          WHERE c.id = a.counselor_id) k
     CROSS JOIN LATERAL jsonb_populate_record(a, jsonb_build_object(
             'id', gen_random_uuid(), 'period', span, 'blocked', span,
             'case_id', cases[1 + n %% cardinality(cases)])) row
     WHERE a.id IN (SELECT DISTINCT ON (counselor_id) id
                      FROM duet_practice_appointment
                     WHERE state = 'done' AND NOT overbooked ORDER BY counselor_id, id)
    """,
    """
    INSERT INTO duet_practice_attendance
    SELECT row.*
      FROM duet_practice_appointment a
     CROSS JOIN duet_practice_attendance t
     CROSS JOIN LATERAL jsonb_populate_record(t, jsonb_build_object(
             'id', gen_random_uuid(), 'appointment_id', a.id,
             'token_hash', sha256(a.id::text::bytea))) row
     WHERE upper(a.period) < %(before)s
       AND t.id = (SELECT one.id
                     FROM duet_practice_attendance one
                    WHERE one.role = 'booker' AND one.state = 'confirmed'
                      -- Nobody whose own page is opened: those have something to come.
                      AND one.person_id NOT IN (
                            SELECT p.person_id
                              FROM duet_practice_attendance p
                              JOIN duet_practice_appointment at ON at.id = p.appointment_id
                             WHERE upper(at.period) > %(now)s)
                    ORDER BY one.id LIMIT 1)
    """,
    """
    INSERT INTO duet_clients_message
    SELECT row.*
      FROM duet_practice_attendance t
      JOIN duet_practice_appointment a ON a.id = t.appointment_id
      JOIN duet_clients_message m ON m.id IN (
             (SELECT id FROM duet_clients_message WHERE state = 'sent' LIMIT 1),
             (SELECT id FROM duet_clients_message WHERE state = 'failed' LIMIT 1))
     CROSS JOIN LATERAL jsonb_populate_record(m, jsonb_build_object(
             'id', gen_random_uuid(), 'subject_id', t.id, 'person_id', t.person_id,
             'version', (m.state = 'failed')::int, 'about_at', lower(a.period))) row
     WHERE upper(a.period) < %(before)s
    """,
    # What earlier tests took back still swells the indexes, and the planner's picture of them.
    "SET CONSTRAINTS ALL IMMEDIATE",
    "REINDEX TABLE duet_practice_appointment",
    "REINDEX TABLE duet_practice_attendance",
    "REINDEX TABLE duet_clients_message",
    "ANALYZE duet_practice_appointment, duet_practice_attendance, duet_clients_message",
)
_GROWING = {"duet_practice_appointment", "duet_practice_attendance", "duet_clients_message"}
# A page may read this many rows of a table that grows: a quarter of one counselor's past.
_ENOUGH = 1_000


def add_a_past() -> None:
    """Bookings of each counselor's that have been over for long."""
    with connection.cursor() as cursor:
        for statement in _PAST:
            cursor.execute(
                statement, {"past": PAST, "before": NOON - timedelta(days=200), "now": NOON}
            )
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    counselors = Counselor.objects.count()
    assert Appointment.objects.filter(state="done").count() > PAST * counselors
    assert Attendance.objects.filter(appointment__state="done").count() > PAST * counselors


def _rows_read(statement: str) -> Counter[str]:
    """How many rows of each growing table a statement looks at, whether it takes them or not."""
    if not statement.startswith("SELECT") and not statement.lstrip().startswith("SELECT"):
        return Counter()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}")
        ((plan,),) = cursor.fetchall()
    read: Counter[str] = Counter()
    steps = [plan[0]["Plan"]]
    while steps:
        step = steps.pop()
        steps += step.get("Plans", [])
        if step.get("Relation Name") in _GROWING:
            passed_by = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
            rows = step["Actual Rows"] + sum(step.get(name, 0) for name in passed_by)
            read[step["Relation Name"]] += int(rows * step["Actual Loops"])
    return read


def _most_rows_read(calls: dict[str, Call]) -> dict[str, tuple[str, int]]:
    """For each page the growing table that it reads most of, where that is too much."""
    found = {}
    for name, call in calls.items():
        read = sum((_rows_read(one) for one in _statements(call)), Counter())
        for table, rows in read.most_common(1):
            if rows > _ENOUGH:
                found[name] = (table, rows)
    return found


@pytest.mark.parametrize("username", ["iris", "olive"])
def test_shut_gates_are_found_without_the_past_when_the_planner_knows_nothing(
    username: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the tables were analyzed: as after a restore, or with a sample that misleads."""
    load(SMALL)
    monkeypatch.setattr(f"{__name__}._PAST", _PAST[:-1])
    add_a_past()
    actor = Member.objects.get(user__username=username).as_actor()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL random_page_cost = 1.1")
    with CaptureQueriesContext(connection) as seen:
        assert diary.shut_gates(actor, NOON, None).rows
    read = sum((_rows_read(str(query["sql"])) for query in seen.captured_queries), Counter())
    assert max(read.values()) < _ENOUGH, read


def test_no_page_reads_through_the_past_and_without_its_index_one_would() -> None:
    load(SMALL)
    calls = pages()
    add_a_past()
    assert _most_rows_read(calls | {"holding": _hold}) == {}
    # The control.
    for page, indexes in (
        ("api-slots", ("duet_appointment_counselor",)),
        ("desk", ("duet_appointment_ends", "duet_appointment_counselor")),
        ("desk", ("duet_message_trouble",)),
    ):
        with transaction.atomic(), connection.cursor() as cursor:
            for index in indexes:
                cursor.execute(f"DROP INDEX {index}")
            assert page in _most_rows_read({page: calls[page]}), indexes
            transaction.set_rollback(True)
