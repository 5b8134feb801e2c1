"""Bad inputs of the API: odd JSON, media types, queries, headers, keys; and neighbours of each.

The cases name the staff's appointments. Queries and tokens go there, and to the public lists;
bodies go to `holds/` and `bookings/`, which take the same kind of them.
"""

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from practice.models import Appointment, Attendance, BookedOnce, Consent, Counselor, Service
from tests import factories as make
from tests.bad_inputs import cases
from tests.bad_inputs.cases import Case
from tests.practice.api.bodies import booking
from tests.practice.api.conftest import V1, Caller
from tests.practice.views import walk

START = make.at(1, "10:00")
HOLD = {"service": "first-talk", "start": START.isoformat()}
JSON = "application/json"

RUN = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def of_kinds(*kinds: str) -> list[Case]:
    return [case for case in cases.read() if case.surface == "api" and case.kind in kinds]


def send(path: str, body: bytes, content_type: str = JSON, **headers: str) -> Any:
    """One request as it leaves a socket, whatever is in it; a failure of ours is a 500."""
    client = Client(raise_request_exception=False)
    headers.setdefault("Idempotency-Key", "a-key")
    return client.generic("POST", f"{V1}/{path}", body, content_type, headers=headers)


@contextmanager
def taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def is_problem(answer: Any) -> bool:
    """A refusal says what it is, in the API's one shape."""
    told = json.loads(answer.content)
    return (
        answer["Content-Type"] == "application/problem+json"
        and told["status"] == answer.status_code
        and told["type"].startswith("urn:duet:")
        and bool(told["title"])
    )


def nothing_stored() -> bool:
    return not Appointment.objects.exists() and not BookedOnce.objects.exists()


def raw(case: Case) -> bytes:
    """The body of a case as it was given, byte for byte."""
    body = case.input["request"]["body"]
    if isinstance(body, dict) and "$json" in body:
        return str(body["$json"]).encode()
    found = cases.unwrap(body, now=make.NOW)
    return found if isinstance(found, bytes) else str(found).encode()


# --- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["holds/", "bookings/"])
@pytest.mark.parametrize("case", of_kinds("json_structure"), ids=str)
def test_a_body_of_an_odd_build_is_refused(talk: Service, case: Case, path: str) -> None:
    answer = send(path, raw(case))
    assert answer.status_code in case.expect["status"], answer.content[:300]
    assert is_problem(answer)
    assert nothing_stored()


@pytest.mark.parametrize("path", ["holds/", "bookings/"])
@pytest.mark.parametrize("case", of_kinds("content_type", "xml_xxe", "csrf_json_as_text"), ids=str)
def test_a_body_of_another_media_type_is_refused(talk: Service, case: Case, path: str) -> None:
    request = case.input["request"]
    # The body is a good one: only what it is called differs.
    for body in (raw(case), json.dumps(HOLD if path == "holds/" else booking()).encode()):
        answer = send(path, body, request["content_type"], **request.get("headers", {}))
        assert answer.status_code in case.expect["status"]
        assert is_problem(answer)
    assert nothing_stored()


NUMBERS = {
    "AP-021": "-Infinity",
    "AP-022": "1e400",
    "AP-023": "-0",
}


@pytest.mark.parametrize(
    "number",
    [
        *NUMBERS.values(),
        *("Infinity", "NaN", "-NaN", "1e999999999", "-1e400", "9007199254740993", "1" * 5_000),
        *("-1", "0", "1.0", "1.5", "1e0", "0.1e1", "2147483648", "1E308", "01", "+1", "0x1", "1_0"),
        *('"1"', '"\uff11"', '"\u0661"', '"1 "', '"0x1"', "[1]", '{"a":1}', "true", "null", ".5"),
    ],
)
def test_a_number_that_is_no_plain_whole_one_is_refused(talk: Service, number: str) -> None:
    """Where a whole number is asked for: the version of a text that is agreed to."""
    consents = '[{"slug": "privacy", "version": NUMBER}]'
    Consent.objects.create(
        service=talk, slug="privacy", version=1, text="We keep notes.", published_at=make.NOW
    )
    body = json.dumps(booking(consents=["X"])).replace('["X"]', consents)
    for case in (case for case in cases.read() if case.id in NUMBERS):
        assert NUMBERS[case.id] in case.input["request"]["body"]["$json"]
    answer = send("bookings/", body.replace("NUMBER", number).encode())
    assert answer.status_code in {400, 422}, answer.content
    assert is_problem(answer)
    assert nothing_stored()
    with taken_back():
        assert send("bookings/", body.replace("NUMBER", "1").encode()).status_code == 201


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, identity", "x", "*"])
def test_a_packed_body_is_refused_unread(talk: Service, encoding: str) -> None:
    """AP-090: a packed body of a whole gigabyte."""
    (case,) = of_kinds("gzip_bomb_body")
    fill, times = case.input["request"]["body"]["$gzip_of"]["$repeat"]
    part = 1 << 20
    # Of many members, as the format allows: packing all of it in one go takes seconds.
    bomb = gzip.compress(fill.encode() * part) * (times // part)
    for body in (bomb, json.dumps(HOLD).encode()):
        answer = send("holds/", body, **{"Content-Encoding": encoding})
        assert answer.status_code in case.expect["status"]
        assert is_problem(answer)
    assert nothing_stored()


def test_a_body_that_is_too_long_is_refused(talk: Service) -> None:
    long = json.dumps(HOLD).encode() + b" " * (1 << 20)
    answer = send("holds/", long)
    assert answer.status_code == 413
    assert is_problem(answer)
    assert send("holds/", json.dumps(HOLD).encode() + b" " * 1_000).status_code == 201


ANY_TEXT = st.text(st.characters(codec=None), max_size=20)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True, allow_infinity=True)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ANY_TEXT, inner, max_size=5),
    max_leaves=15,
)
GOOD = booking(partner={"name": "Ben"}, answers={}, from_article="the-dance")


@RUN
@given(value=ANY_JSON)
def test_no_value_of_json_is_a_failure_of_ours(talk: Service, value: Any) -> None:
    for path in ("holds/", "bookings/"):
        with taken_back():
            answer = send(path, json.dumps(value).encode())
        assert answer.status_code in {400, 422}
        assert is_problem(answer)


@RUN
@given(name=st.sampled_from(sorted({*GOOD, "hold", "counselor"})), value=ANY_JSON)
@example(name="person", value={"name": "\ud800"})
@example(name="answers", value={"\x00": "x"})
@example(name="answers", value={"x" * 5_000: "x"})
@example(name="consents", value=[{"slug": "a", "version": 1}] * 5_000)
@example(name="consents", value=[[[[]]]])
@example(name="person", value={"name": {"first": "Ana"}})
def test_no_value_of_a_field_is_a_failure_of_ours(talk: Service, name: str, value: Any) -> None:
    with taken_back():
        answer = send("bookings/", json.dumps({**GOOD, name: value}).encode())
    assert answer.status_code in {201, 400, 409, 422}, answer.content
    if answer.status_code == 422:
        told = json.loads(answer.content)
        assert all(path.split(".")[0] == name for path in told["errors"]), told["errors"]


@RUN
@given(data=st.data())
def test_no_damage_to_a_good_body_is_a_failure_of_ours(talk: Service, data: Any) -> None:
    body = bytearray(json.dumps(GOOD).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body)))
        until = data.draw(st.integers(at, min(at + 9, len(body))))
        body[at:until] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b"\\ud800", b"\\u0000"])
        )
    with taken_back():
        answer = send("bookings/", bytes(body))
    assert answer.status_code in {201, 400, 409, 422}, answer.content


@RUN
@given(
    content_type=st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=40)
    | st.sampled_from(
        [
            *("", "application/json, text/html", "application/jsonp", "application/*", "*/*"),
            *("application/ld+json", "text/json", "application/json-patch+json", "json"),
            *("application/json; charset=utf-7", "application/json; charset=latin-1"),
            *("application/json;charset=", "application/json; charset=utf-8; charset=utf-16"),
            *("application/json; boundary=x", "multipart/form-data; boundary=\xff"),
        ]
    )
)
def test_no_media_type_is_a_failure_of_ours(talk: Service, content_type: str) -> None:
    with taken_back():
        answer = send("holds/", json.dumps(HOLD).encode(), content_type)
    plain = re.fullmatch(r"(?i)\s*application/json\s*(;.*)?", content_type, re.DOTALL)
    assert answer.status_code in ({201, 400, 415} if plain else {400, 415}), answer.content


# --- what members change -------------------------------------------------------------------------

NEW = {"slug": "couple-90", "name": "Ninety minutes", "minutes": 90}
# Our names for the file's.
OURS = {"duration_min": "minutes", "price": "price"}
NEW_SERVICES = [
    case
    for case in cases.read()
    if case.surface == "api"
    and case.input.get("request", {}).get("route") == "service_create"
    and set(case.input["request"]["body"]) <= set(OURS)
]


@pytest.fixture
def admin(api: Caller, talk: Service) -> Caller:
    api.client.force_login(make.admin().user)
    return api


@pytest.mark.parametrize("case", NEW_SERVICES, ids=str)
def test_a_service_of_an_impossible_length_or_price_is_refused(admin: Caller, case: Case) -> None:
    ((name, value),) = case.input["request"]["body"].items()
    answer = admin.post("services/", NEW | {OURS[name]: value})
    assert answer.status_code in case.expect["status"]
    assert OURS[name] in answer.json().get("errors", {OURS[name]: ""})
    assert is_problem(answer)
    assert list(Service.objects.values_list("slug", flat=True)) == ["first-talk"]
    with taken_back():
        assert admin.post("services/", NEW).status_code == 201


OPENING = {"weekday": 6, "start": "09:00", "end": "12:00"}
WEEK = {"tz": "Europe/Berlin", "openings": [OPENING]}
ANOTHERS: tuple[tuple[str, dict[str, dict[str, Any]]], ...] = (
    ("services/", {"POST": NEW}),
    ("services/first-talk/", {"PATCH": {"minutes": 5}, "PUT": NEW, "DELETE": {}}),
    ("working-hours/", {"POST": {"counselor": "iris", **OPENING}}),
    ("working-hours/iris/", {"PATCH": WEEK, "PUT": WEEK, "DELETE": {}}),
)


@pytest.mark.parametrize("case_id", ["AP-103", "AP-105", "AP-106"])
def test_who_may_not_neither_reads_nor_changes_what_is_anothers(
    api: Caller, talk: Service, iris: Counselor, case_id: str
) -> None:
    """Of the objects that the cases name the API has appointments; besides, what is offered."""
    stated = {*cases.case(case_id).expect["status"], 405}
    appointment = make.appointment(iris, talk, make.ana(), start=START)
    who = make.counselor("omar").member
    if case_id != "AP-103":
        api.client.force_login(who.user)
    if case_id == "AP-106":
        who.user.is_active = False
        who.user.save(update_fields=["is_active"])
    before = snapshot()
    for method in ("GET", "PUT", "PATCH", "DELETE", "POST"):
        answer = ask(api, method, f"appointments/{appointment.pk}/", {})
        assert answer.status_code in stated
    for path, bodies in ANOTHERS:
        for method, body in bodies.items():
            assert ask(api, method, path, body).status_code in stated, (method, path)
    listed = ask(api, "GET", "appointments/", {})
    assert listed.status_code in stated or listed.json()["results"] == []
    assert snapshot() == before


def ask(api: Caller, method: str, path: str, body: dict[str, Any]) -> Any:
    headers = {"If-Match": '"iris-1"'}
    return api.client.generic(method, f"{V1}/{path}", json.dumps(body), JSON, headers=headers)


def snapshot() -> list[Any]:
    return [
        *Service.objects.values_list(),
        *Counselor.objects.values_list("slug", "hours_version"),
        *Appointment.objects.values_list("pk", "state", "sequence"),
    ]


def test_there_is_no_route_that_changes_members(api: Caller, talk: Service) -> None:
    """AP-109: an account is changed by its owner on the pages, and by an admin on the machine."""
    case = cases.case("AP-109")
    admin, desk = make.admin("adam"), make.front_desk("fred")
    api.client.force_login(desk.user)
    body = json.dumps(case.input["request"]["body"])
    for path in ("users", "members", "accounts", "counselors"):
        for pk in (admin.pk, admin.user.pk):
            answer = api.client.patch(f"{V1}/{path}/{pk}/", body, content_type=JSON)
            assert answer.status_code in case.expect["status"]
    admin.user.refresh_from_db()
    assert admin.user.email == ""


# --- queries -------------------------------------------------------------------------------------

LISTS = ("services/", "counselors/", "slots/?service=first-talk", "appointments/")
NAMES = [
    *("service", "counselor", "from", "to", "tz", "hold"),
    *("state", "ordering", "page_size", "cursor", "page"),
]
QUERIES = of_kinds("ordering_injection", "filter_injection", "page_bad", "cursor_tampered")


@pytest.fixture
def desk(api: Caller, talk: Service) -> Caller:
    """Somebody who may see the whole diary, for the public it makes no difference."""
    make.appointment(Counselor.objects.get(), talk, start=make.at(3))
    api.client.force_login(make.admin().user)
    return api


def with_query(path: str, case: Case) -> str:
    return path + ("&" if "?" in path else "?") + urlencode(case.input["request"]["query"])


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("case", QUERIES, ids=str)
def test_a_list_takes_no_name_that_it_does_not_know(desk: Caller, case: Case, path: str) -> None:
    assert desk.get(path).status_code == 200
    answer = desk.get(with_query(path, case))
    assert answer.status_code in case.expect["status"]
    assert is_problem(answer)


@pytest.mark.parametrize("case", of_kinds("page_size"), ids=str)
def test_the_size_of_a_page_is_brought_into_bounds(desk: Caller, case: Case) -> None:
    assert case.expect["class"] == "normalise"
    answer = desk.get(with_query("appointments/", case))
    assert answer.status_code == 200
    assert len(answer.json()["results"]) == 1


@pytest.mark.parametrize("case", of_kinds("auth_header"), ids=str)
def test_a_token_that_is_none_is_refused(desk: Caller, case: Case) -> None:
    """Also beside a session that would do."""
    refused = desk.get("appointments/", **case.input["request"]["headers"])
    assert refused.status_code in case.expect["status"]
    assert is_problem(refused)


@RUN
@given(said=st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60))
@example(said="")
@example(said="Bearer " + "a" * 5_000)
@example(said="Basic OjpbXQ==")
@example(said="Basic \xff")
@example(said="Digest username=")
def test_no_authorization_is_a_failure_of_ours(desk: Caller, said: str) -> None:
    assert desk.get("appointments/", Authorization=said).status_code == 401
    assert desk.get("services/", Authorization=said).status_code == 200


@RUN
@given(
    query=st.lists(
        st.tuples(
            st.sampled_from(["service", "counselor", "from", "to", "tz", "hold", "page"])
            | ANY_TEXT,
            st.sampled_from(["first-talk", "iris", "2027-01-12", "UTC", "1", "-1"]) | ANY_TEXT,
        ),
        max_size=6,
    )
)
@example(query=[("service", "first-talk"), ("from", "2189-12-31"), ("to", "2190-01-01")])
@example(query=[("service", "first-talk"), ("from", "0001-01-01")])
@example(query=[("service", "first-talk"), ("from", "9999-12-31")])
@example(query=[("service", "first-talk"), ("from", "2189-12-31")])
@example(query=[("service", "first-talk"), ("from", "2000-01-01"), ("tz", "Pacific/Kiritimati")])
@example(query=[("service", "first-talk"), ("tz", "America/New_York\x00")])
@example(query=[("service", "first-talk"), ("tz", "/etc/localtime")])
@example(query=[("service", "first-talk"), ("tz", "posix/Europe/Berlin")])
@example(query=[("service", "first-talk"), ("tz", "localtime")])
@example(query=[("service", "first-talk"), ("from", "2027-02-29")])
@example(query=[("service", "first-talk"), ("from", "\u0662027-01-12")])
def test_no_query_is_a_failure_of_ours(desk: Caller, query: list[tuple[str, str]]) -> None:
    sent = urlencode(query, errors="surrogatepass")
    desk.client.raise_request_exception = False
    for path in ("services/", "slots/", "appointments/"):
        answer = desk.client.get(f"{V1}/{path}?{sent}")
        assert answer.status_code in {200, 400, 422}, answer.content


@pytest.mark.parametrize("case", of_kinds("path_nul", "underscore_route"), ids=str)
def test_an_address_that_leads_nowhere(talk: Service, case: Case) -> None:
    path = case.input["request"]["raw_path"]
    inside = path.replace("/api/", "/api/v1/")
    for address in (path, inside, inside + "/", "/api/v1/", "/api/v1/holds/../bookings/"):
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            answer = Client(raise_request_exception=False).generic(method, address)
            assert answer.status_code in {400, 404}, address


@RUN
@given(token=ANY_TEXT.filter(bool))
@example(token="a" * 22)
@example(token="a" * 5_000)
@example(token="%00")
@example(token="%2e%2e%2f")
@example(token="a" * 21 + "\u0430")
@example(token="a" * 21 + "%0a")
def test_no_token_is_a_failure_of_ours(talk: Service, token: str) -> None:
    client = Client(raise_request_exception=False)
    part = quote(token, safe="%", errors="surrogatepass")
    for method, path in (
        ("GET", f"attendances/{part}/"),
        ("POST", f"attendances/{part}/confirm/"),
        ("POST", f"attendances/{part}/cancel/"),
        ("DELETE", f"holds/{part}/"),
    ):
        answer = client.generic(method, f"{V1}/{path}", b"", JSON)
        assert answer.status_code in ({204, 404} if method == "DELETE" else {404})


# --- headers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", of_kinds("idempotency_key_bad"), ids=str)
@pytest.mark.parametrize("more", ["", "k", "k" * 300])
def test_a_key_that_is_no_plain_text_is_refused(
    api: Caller, talk: Service, case: Case, more: str
) -> None:
    key = case.input["request"]["headers"]["Idempotency-Key"] + more
    refused = api.book(booking(), key)
    assert refused.status_code in case.expect["status"]
    assert is_problem(refused)
    assert nothing_stored()


@RUN
@given(key=st.text(st.characters(codec="latin-1"), max_size=300))
def test_no_key_is_a_failure_of_ours(api: Caller, talk: Service, key: str) -> None:
    with taken_back():
        answer = api.book(booking(), key)
    good = re.fullmatch(r"[!-~]{1,255}", key)
    assert answer.status_code == (201 if good else 400)


@pytest.mark.parametrize("case", of_kinds("cors_foreign_origin", "cors_null_origin"), ids=str)
@pytest.mark.parametrize("path", LISTS)
def test_another_sites_page_reads_nothing(desk: Caller, case: Case, path: str) -> None:
    answer = desk.get(path, None, **case.input["request"]["headers"])
    assert answer.status_code in case.expect["status"]
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("case", of_kinds("odd_header", "auth_header"), ids=str)
@pytest.mark.parametrize("path", [f"{V1}/services/", "/", "/book/", "/accounts/login/", "/desk/"])
def test_an_odd_header_changes_nothing(talk: Service, case: Case, path: str) -> None:
    """What is public reads no `Authorization`."""
    headers = case.input["request"]["headers"]
    plain = Client().get(path)
    odd = Client(raise_request_exception=False).get(path, headers=headers)
    assert odd.status_code == plain.status_code or odd.status_code in {400, 406}
    if odd.status_code == 200:
        assert unsigned(odd) == unsigned(plain)


def unsigned(answer: Any) -> str:
    """A page without what is drawn anew for each browser."""
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode())


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "DELETE"])
@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method", "X-Original-Method"]
)
def test_no_header_makes_another_method_of_it(desk: Caller, method: str, header: str) -> None:
    link = Attendance.objects.select_related("person__key").get().token
    before = walk.domain_rows()
    for path in (f"attendances/{link}/cancel/", f"attendances/{link}/confirm/", "bookings/"):
        answer = desk.client.generic(
            method, f"{V1}/{path}?_method=POST", b"{}", JSON, headers={header: "POST"}
        )
        assert answer.status_code == 405
        assert "POST" in answer["Allow"]
    assert walk.domain_rows() == before


# --- how often -----------------------------------------------------------------------------------


def test_whoever_asks_a_thousand_times_is_told_when_to_come_back(
    api: Caller, talk: Service, settings: Settings
) -> None:
    """AP-130."""
    (case,) = of_kinds("rate_limit")
    settings.DUET = {**settings.DUET, "THROTTLE": True}
    for _ in range(case.input["repeat"]):
        answer = api.get("services/")
        if answer.status_code != 200:
            break
    assert answer.status_code in case.expect["status"]
    assert is_problem(answer)
    assert 0 < int(answer["Retry-After"]) <= 300


# --- one key -------------------------------------------------------------------------------------


def test_a_key_with_another_body_is_refused(api: Caller, talk: Service) -> None:
    """BK-232."""
    case = cases.case("BK-232")
    assert api.book(booking(), "K").status_code == 201
    for changes in (
        {"start": make.at(2).isoformat()},
        {"partner_safe_to_invite": True},
        {"from_article": "a"},
        {"person": booking()["person"] | {"name": "Eve"}},
    ):
        refused = api.book(booking(**changes), "K")
        assert refused.status_code in case.expect["status"]
    assert Appointment.objects.count() == 1
