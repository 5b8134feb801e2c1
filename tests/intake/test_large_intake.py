"""A hundred thousand stored responses change neither how often a page asks nor how much it reads.

The rows are written by the database itself out of one that is there. What is sealed in them is
that one's and opens nowhere else: a page that opened them all would show it, and none does.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clients.models import Case
from clients.queries import keys
from clients.rules.actors import Actor
from intake.models import Assignment, Flag, Intake, Release, Response, Review
from practice.demo import cast, drawing, loading, setting
from practice.demo.cases import Writer
from practice.demo.copying import copy_in
from practice.demo.drawing import CaseDraft, PersonDraft
from practice.models import Consent, Counselor, Practice, Question, Service

RESPONSES: Final = 100_000
# Persons in care, how many cases each has, how many forms each was given for one; and who waits.
_PERSONS, _CASES, _EACH, _WAITING = 1_000, 10, 10, 200
# What one statement of a page may read of a table that grows, whether it takes the rows or not.
_ENOUGH: Final = 2_000
_GROWING: Final = frozenset(
    f"duet_intake_{one}"
    for one in ("intake", "assignment", "response", "agreement", "review", "reviewstep")
)
_TABLES: Final = ", ".join((*sorted(_GROWING), "duet_clients_case", "duet_clients_person"))

pytestmark = [pytest.mark.django_db, pytest.mark.faults, pytest.mark.timeout(900)]

# A Wednesday at noon in New York.
NOON = datetime(2027, 1, 13, 17, 0, tzinfo=UTC)
SYSTEM = Actor.system()
Call = Callable[[], Any]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock that views read stands still."""
    monkeypatch.setattr(timezone, "now", lambda: NOON)


def load() -> None:
    loading.load(cases=40, reset=True, by=SYSTEM, now=NOON)


# Of one that is there: a link for every case that has none, and so many forms behind each, sent.
_MANY: Final = (
    """
    INSERT INTO duet_clients_case
    SELECT row.*
      FROM duet_clients_case c
     CROSS JOIN generate_series(2, %(cases)s) n
     CROSS JOIN LATERAL jsonb_populate_record(c, jsonb_build_object(
             'id', gen_random_uuid(), 'opened_at', c.opened_at - n * interval '1 day')) row
     WHERE c.state = 'active'
       AND NOT EXISTS (SELECT FROM duet_intake_intake o WHERE o.case_id = c.id)
    """,
    """
    INSERT INTO duet_intake_intake
    SELECT row.*
      FROM duet_intake_intake i
     CROSS JOIN duet_clients_case c
     CROSS JOIN LATERAL jsonb_populate_record(i, jsonb_build_object(
             'id', gen_random_uuid(), 'case_id', c.id, 'person_id', c.person_id,
             'token_hash', sha256(c.id::text::bytea))) row
     WHERE i.id = %(intake)s
       AND NOT EXISTS (SELECT FROM duet_intake_intake o WHERE o.case_id = c.id)
    """,
    """
    WITH bare AS MATERIALIZED (
      SELECT i.id, CASE c.state WHEN 'enquiry' THEN 2 ELSE %(each)s END AS forms
        FROM duet_intake_intake i JOIN duet_clients_case c ON c.id = i.case_id
       WHERE i.id NOT IN (SELECT intake_id FROM duet_intake_assignment))
    INSERT INTO duet_intake_assignment
    SELECT row.*
      FROM duet_intake_assignment a
     CROSS JOIN bare
     CROSS JOIN generate_series(1, bare.forms) n
     CROSS JOIN LATERAL jsonb_populate_record(a, jsonb_build_object(
             'id', gen_random_uuid(), 'intake_id', bare.id, 'number', n)) row
     WHERE a.id = %(assignment)s
    """,
    """
    WITH bare AS MATERIALIZED (
      SELECT id FROM duet_intake_assignment
       WHERE state = 'sent' AND id NOT IN (SELECT assignment_id FROM duet_intake_response))
    INSERT INTO duet_intake_response
    SELECT row.*
      FROM duet_intake_response r
     CROSS JOIN bare
     CROSS JOIN LATERAL jsonb_populate_record(r, jsonb_build_object(
             'id', gen_random_uuid(), 'assignment_id', bare.id)) row
     WHERE r.assignment_id = %(assignment)s
    """,
    """
    INSERT INTO duet_intake_review
    SELECT row.*
      FROM duet_intake_review r
     CROSS JOIN duet_clients_case c
     CROSS JOIN LATERAL jsonb_populate_record(r, jsonb_build_object(
             'id', gen_random_uuid(), 'case_id', c.id)) row
     WHERE r.id = CASE c.state WHEN 'enquiry' THEN %(waits)s::uuid ELSE %(decided)s::uuid END
       AND NOT EXISTS (SELECT FROM duet_intake_review o WHERE o.case_id = c.id)
    """,
    # What earlier tests took back still swells the indexes, and the planner's picture of them.
    "SET CONSTRAINTS ALL IMMEDIATE",
    *(f"REINDEX TABLE {table}" for table in sorted(_GROWING)),
    f"ANALYZE {_TABLES}",
    "SET CONSTRAINTS ALL DEFERRED",
)


def add_many() -> None:
    """Persons and cases as the demo writes them, and what was given to them out of one row."""
    writer = Writer(_setting(), keys.index_key(), SYSTEM, NOON)
    for number in range(_PERSONS + _WAITING):
        person = PersonDraft(f"Ada Fernhill {number}", None, None, "en", cast.PRACTICE_ZONE)
        state = Case.State.ACTIVE if number < _PERSONS else Case.State.ENQUIRY
        writer.add(CaseDraft(10_000 + number, number % 3, (person,), state, []))
    for rows in writer.take_rows():
        copy_in(rows)
    mood = Response.objects.sent().filter(assignment__slug="phq-9").select_related("assignment")[0]
    values: dict[str, str | int] = {
        "intake": str(mood.assignment.intake_id),
        "assignment": str(mood.assignment_id),
        "each": _EACH,
        "cases": _CASES,
        "waits": str(Review.objects.open().filter(claimed_by__isnull=True)[0].pk),
        "decided": str(Review.objects.filter(decision="accepted")[0].pk),
    }
    with connection.cursor() as cursor:
        for statement in _MANY:
            cursor.execute(statement, values if "%(" in statement else None)
    assert Response.objects.count() > RESPONSES
    assert Review.objects.open().count() > _WAITING


def _setting() -> setting.Setting:
    """The demo's practice, as it was written."""
    slugs = [card.slug for card in drawing.draw(count=40, now=NOON).counselors]
    counselors = {one.slug: one for one in Counselor.objects.select_related("member", "room")}
    services = {one.slug: one for one in Service.objects.all()}
    members = {one.member.user.get_username(): one.member for one in counselors.values()}
    nothing: dict[str, list[Question]] = {slug: [] for slug in services}
    agreed: dict[str, list[Consent]] = {slug: [] for slug in services}
    return setting.Setting(
        Practice.objects.get(),
        members,
        [counselors[slug] for slug in slugs],
        services,
        nothing,
        agreed,
        {},
        "",
    )


def signed_in(username: str) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.get(username=username))
    return client


def pages() -> dict[str, Call]:
    """What the practice looks at day by day, and one form as its person opens it."""

    def get(client: Client, address: str) -> Call:
        return lambda: client.get(address)

    olive, rita, iris = signed_in("olive"), signed_in("rita"), signed_in("iris")
    released = Release.objects.get(case__counselor__user__username="iris")
    case = f"/desk/cases/{released.case_id}/"
    mine = Case.objects.filter(counselor__user__username="iris", person__isnull=False)
    alone = mine.filter(flags__severity="urgent").get()
    flag = Flag.objects.get(case=alone)
    of_rita = Review.objects.filter(claimed_by__user__username="rita", decided_at__isnull=True)
    waits = Assignment.objects.open().filter(intake__ended_at__isnull=True, slug="private-check")
    token = Intake.objects.get(pk=waits.order_by("pk")[0].intake_id).token
    return {
        "queue, reviewer": get(rita, "/desk/intake/"),
        "queue, counselor": get(iris, "/desk/intake/"),
        "queue, admin": get(olive, "/desk/intake/"),
        "review": get(rita, f"/desk/intake/{of_rita[0].pk}/"),
        "flag": get(iris, f"/desk/flags/{flag.pk}/"),
        "day": get(iris, "/desk/"),
        "cases": get(iris, "/desk/cases/"),
        "case": get(iris, case),
        "case, alone": get(iris, f"/desk/cases/{alone.pk}/"),
        "case's forms": get(iris, f"{case}forms/"),
        "cycle": get(iris, f"{case}cycle/"),
        "change": get(iris, f"{case}change/"),
        "change, alone": get(iris, f"/desk/cases/{alone.pk}/change/"),
        "form": get(Client(), f"/i/{token}/"),
        "api, responses": get(iris, "/api/v1/responses/"),
        "api, assignments": get(iris, "/api/v1/assignments/"),
    }


def statements(call: Call) -> list[str]:
    """What one opening of a page asks the database, once it has been open before."""
    call()
    with CaptureQueriesContext(connection) as seen:
        response = call()
    assert response.status_code in {200, 302}, response
    return [str(query["sql"]) for query in seen.captured_queries]


def rows_read(statement: str) -> Counter[str]:
    """How many rows of each growing table a statement looks at, whether it takes them or not."""
    if not statement.lstrip().startswith("SELECT"):
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


def most_read(asked: dict[str, list[str]]) -> dict[str, tuple[str, int]]:
    """For each page the growing table that one of its statements reads most of, if too much."""
    found = {}
    for name, each in asked.items():
        read = max(
            (most for one in each for most in rows_read(one).most_common(1)),
            key=lambda pair: pair[1],
            default=("", 0),
        )
        if read[1] > _ENOUGH:
            found[name] = read
    return found


def test_a_hundred_thousand_responses_change_no_page() -> None:
    load()
    calls = pages()
    few = {name: len(statements(call)) for name, call in calls.items()}
    add_many()
    many = {name: statements(call) for name, call in calls.items()}
    assert {name: len(each) for name, each in many.items()} == few
    assert most_read(many) == {}
    # The control: without the index by which a case's links are found, pages read them all.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'duet_intake_assignment'"
            " AND indexdef LIKE '%(intake_id%' AND indexname NOT LIKE '%once%'"
        )
        for (index,) in cursor.fetchall():
            cursor.execute(f'DROP INDEX "{index}"')
        cursor.execute("ALTER TABLE duet_intake_assignment DROP CONSTRAINT duet_assignment_once")
        assert most_read({name: statements(calls[name]) for name in ("case's forms", "change")})
        transaction.set_rollback(True)
    # And without those in whose order programs page through them, they read them all, too.
    for page, index in (
        ("api, responses", "duet_response_sent"),
        ("api, assignments", "duet_assignment_given"),
    ):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX {index}")
            assert page in most_read({page: statements(calls[page])})
            transaction.set_rollback(True)
