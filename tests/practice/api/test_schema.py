"""What the schema says, held against what the API does, with requests that nobody thought of."""

import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
import schemathesis
from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections, transaction
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis.core.failures import FailureGroup

from clients.models import CareRelation, Member
from intake.models import Response
from practice.api import schema as schema_view
from practice.models import Appointment, Attendance, Consent, Counselor, Question, Service
from tests import factories as make
from tests.practice.api.bodies import ANA, BEN, booking
from tests.practice.api.conftest import Caller

# Beside some four hundred that are made by rule: every bound, every missing or doubled name.
DRAWN = 300 if os.environ.get("FAULTS") == "long" else 10

schemathesis.checks.load_all_checks()
CHECKS = schemathesis.checks.CHECKS

Real = dict[str, list[Any]]
HOURS: Real = {
    "slug": ["iris"],
    "If-Match": ['"iris-1"'],
    "start": ["09:00", "24:00"],
    "end": ["12:00"],
    "weekday": [5, 6],
}
FORMS: Real = {"slug": ["mood"], "questionnaire": ["mood"], "instrument": ["mood"]}
OF_FORMS = ("/api/v1/instruments/", "/api/v1/responses/", "/api/v1/scores/", "/api/v1/fhir/")
MEMBERS = (
    *("/api/v1/appointments/", "/api/v1/services/", "/api/v1/working-hours/"),
    *("/api/v1/assignments/", *OF_FORMS),
)
TOKEN = "t" * 32  # in the cookie and beside it, as a page of ours sends it
HELD, FREE, BOOKED = make.at(1, "10:00"), make.at(2, "10:00"), make.at(3, "10:00")


@pytest.fixture
def real(api: Caller, talk: Service) -> Real:
    """What a sender would have heard before: slugs, a hold, a link, open and taken starts."""
    Question.objects.create(service=talk, slug="why", label="What brings you?")
    Consent.objects.create(
        service=talk,
        slug="privacy",
        version=1,
        text="We keep notes.",
        required=False,
        published_at=make.NOW,
    )
    make.service("by-request", counselors=Counselor.objects.all(), booking=Service.Booking.REQUEST)
    api.book(booking(start=BOOKED.isoformat(), partner=BEN, partner_safe_to_invite=True))
    held = api.post("holds/", {"service": "first-talk", "start": HELD.isoformat()}).json()
    member = Client()
    olive = make.admin()
    member.force_login(olive.user)
    answered = sent(olive)
    case, chris = answered.assignment.intake.case, answered.assignment.intake.person
    links = [one.token for one in Attendance.objects.select_related("person__key")]
    return {
        "service": ["first-talk", "by-request"],
        "counselor": ["iris"],
        "start": [FREE.isoformat(), HELD.isoformat(), BOOKED.isoformat()],
        "from": ["2027-01-12"],
        "to": ["2027-01-15", "2027-03-01"],
        "tz": ["Europe/Berlin", "America/New_York"],
        "hold": [held["hold"]],
        "id": [str(one.pk) for one in Appointment.objects.exclude(state="held")],
        "cookie": [{"sessionid": member.cookies["sessionid"].value, "csrftoken": TOKEN}],
        "token": [*links, held["hold"]],
        "person": [ANA],
        "partner": [BEN],
        "answers": [{"why": "We argue."}],
        "consents": [[{"slug": "privacy", "version": 1}]],
        "slug": ["first-talk"],
        "counselors": [["iris"]],
        "responses": [str(answered.pk)],
        "case": [str(case.pk)],
        "persons": [[str(chris.pk)]],
        "patient": [str(chris.pk)],
        "instruments": [["news"]],
        "openings": [[{"weekday": 6, "start": "09:00", "end": "12:00"}]],
        "If-Match": [version(member, "services/first-talk/")],
    }


def sent(by: Member) -> Response:
    """A form that somebody sent, of a case that this member cares for; and one to give."""
    chris = make.chris()
    case = make.case(chris)
    CareRelation.objects.create(case=case, member=by, kind="co_counselor", since_at=make.NOW)
    make.instrument({**make.MOOD, "id": "news"})
    given = make.assignment(make.intake(case, chris), make.instrument())
    return make.response(given, {"close": "often"}, scores={"total": "2"})


def real_for(path: str, real: Real) -> Real:
    """What is real below an address."""
    if "working-hours" in path:
        return real | HOURS
    if path.startswith(OF_FORMS):
        return real | FORMS | {"id": real["responses"]}
    return real


def version(member: Client, path: str) -> str:
    """The version that somebody has read."""
    return str(member.get(f"/api/v1/{path}")["ETag"])


@contextmanager
def site(document: Any) -> Iterator[Any]:
    """A schema with the site behind it."""
    schema = schemathesis.openapi.from_dict(document)
    schema.app = WSGIHandler()
    # A server closes old connections around each request, and with them this test's transaction.
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    yield schema
    for signal in (signals.request_started, signals.request_finished):
        signal.connect(close_old_connections)


def told() -> Any:
    """The schema as it is served."""
    return Client().get("/api/schema/", {"format": "json"}).json()


@pytest.fixture
def described(real: Real) -> Iterator[Any]:
    with site(told()) as schema:
        yield schema


@pytest.fixture(scope="module")
def reached() -> Iterator[Counter[str]]:
    """What was answered with success; at the end each operation has to be among it."""
    found: Counter[str] = Counter()
    yield found
    assert len(found) == 31, found
    assert all(found.values()), found


def with_what_is_real(case: Any, real: Real) -> bool:
    """Put what is real in place of some of what was drawn; the draw itself decides of which."""
    drawn = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode())
    changed = False
    for part in (case.path_parameters, case.query, case.body, case.headers):
        if isinstance(part, MutableMapping):
            for name in sorted(part.keys() & real.keys()):
                drawn, choice = divmod(drawn, 8)
                if choice < 6:
                    part[name] = real[name][choice % len(real[name])]
                    changed = True
    return changed


@pytest.mark.timeout(1_800)
@schemathesis.pytest.from_fixture("described").parametrize()
@settings(max_examples=DRAWN, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_schema_says(case: Any, real: Real, reached: Counter[str]) -> None:
    changed = with_what_is_real(case, real_for(case.path, real))
    with transaction.atomic():
        signed_in = real["cookie"][0] if case.path.startswith(MEMBERS) else {}
        answer = case.call(cookies=signed_in, headers={"X-CSRFToken": TOKEN} if signed_in else {})
        transaction.set_rollback(True)
    reached[case.operation.label] += answer.status_code < 300
    # No schema can say which slugs exist, or what a hold is for; nor is it known whether a
    # request is still a wrong one once something real is in it.
    not_said = [CHECKS.get_one("positive_data_acceptance")]
    if changed:
        not_said.append(CHECKS.get_one("negative_data_rejection"))
    case.validate_response(answer, excluded_checks=not_said)


@pytest.mark.usefixtures("talk")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"name"', '"name"'),
        ('"200"', '"201"'),
        ('"application/json"', '"text/html"'),
        ('"attendees"', '"who"'),
        ('"instant"', '"at_once"'),
    ],
)
def test_an_answer_that_the_schema_did_not_say_is_noticed(before: str, after: str) -> None:
    """The control: the same checks over a schema that says something else."""
    document = json.loads(json.dumps(told()).replace(before, after))
    noticed = False
    with site(document) as schema:
        try:
            schema["/api/v1/services/"]["GET"].Case().call_and_validate()
        except FailureGroup:
            noticed = True
    assert noticed == (before != after)


@pytest.mark.parametrize("guarded", [True, False])
def test_two_who_ask_for_the_schema_at_once_are_served_one_by_one(
    monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """The library isn't made for threads: without the lock two of them meet inside it."""
    both = Barrier(2)
    met: list[bool] = []

    def inside(*_: Any, **__: Any) -> dict[str, Any]:
        try:
            both.wait(timeout=1)
        except BrokenBarrierError:
            met.append(False)
        else:
            met.append(True)
        return {}

    monkeypatch.setattr(SchemaGenerator, "get_schema", inside)
    if not guarded:
        monkeypatch.setattr(schema_view, "_ONE_AT_A_TIME", nullcontext())
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: told(), range(2)))
    assert met == [not guarded] * 2
