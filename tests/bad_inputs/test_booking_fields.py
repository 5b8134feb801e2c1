"""Bad inputs of a booking's fields, through the API and through the form, as far as each has them.

`test_fields.py` holds the rules themselves to the cases; here they have to be what decides.
"""

import html
import unicodedata
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st

from clients.models import Message, Person
from practice.models import Answer, Appointment, Attendance, Practice, Question, Service
from tests import factories as make
from tests.bad_inputs import cases
from tests.bad_inputs.cases import Case
from tests.bad_inputs.test_api import RUN, taken_back
from tests.bad_inputs.test_fields import BY_FIELD, field_of
from tests.practice.api.bodies import ANA, BEN, booking
from tests.practice.api.conftest import Caller
from tests.practice.views import walk

START = make.at(1, "10:00")
PERSON = {"name", "email", "phone", "tz"}
QUESTION = "question_why"
WHY = {"reason_for_visit", "name_or_reason"}


@pytest.fixture(autouse=True)
def in_germany(talk: Service) -> None:
    """The numbers of the file are German ones where they carry no country code."""
    Practice.objects.update(region="DE")
    Question.objects.create(service=talk, slug="why", label="What brings you?")


def value_of(case: Case) -> Any:
    return ... if "omit" in case.input else cases.unwrap(case.input["value"], now=make.NOW)


def stored(field: str, role: str = "booker") -> str:
    """What the database holds of it."""
    if field in WHY:
        return str(Answer.objects.select_related("attendance__person__key").get().text)
    person = Attendance.objects.select_related("person__key").get(role=role).person
    return str({"tz": person.zone}.get(field) or getattr(person, field))


def wanted(case: Case) -> str:
    """What the case says that is stored of it."""
    if case.expect["class"] == "normalise":
        return str(case.expect["to"])
    return unicodedata.normalize("NFC", str(value_of(case)))


def nothing_stored() -> bool:
    booked = Appointment.objects.exclude(state="held")
    return not (booked.exists() or Person.objects.exists() or Message.objects.exists())


def without(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not ...}


# --- the API -------------------------------------------------------------------------------------


def body_of(field: str, value: Any, who: str = "person") -> dict[str, Any]:
    if field in WHY:
        return booking(answers={"why": value})
    if field == "start":
        return booking(start=value)
    if who == "partner":
        return booking(partner=without(BEN | {field: value}))
    # With another way to be reached, so that it is this field that is refused.
    return booking(person=without(ANA | {field: value}))


def path_of(field: str, who: str = "person") -> str:
    return {"start": "start"}.get(field) or ("answers.why" if field in WHY else f"{who}.{field}")


@pytest.mark.parametrize("case", BY_FIELD, ids=str)
def test_the_api_meets_what_the_case_states(api: Caller, case: Case) -> None:
    field = str(field_of(case))
    answer = api.book(body_of(field, value_of(case)))
    check_api(answer, case, field, "person")


@pytest.mark.parametrize("case", [one for one in BY_FIELD if field_of(one) in PERSON], ids=str)
def test_the_api_meets_it_for_the_partner_too(api: Caller, case: Case) -> None:
    field = str(field_of(case))
    answer = api.book(body_of(field, value_of(case), "partner"))
    check_api(answer, case, field, "partner")


def check_api(answer: Any, case: Case, field: str, who: str) -> None:
    if case.expect["class"] == "reject":
        # A surrogate never gets as far as a field: no JSON that names one is read.
        assert answer.status_code in case.expect["status"], answer.content
        if answer.status_code == 422:
            assert list(answer.json()["errors"]) == [path_of(field, who)]
        assert nothing_stored()
    else:
        assert answer.status_code == 201, answer.content
        assert stored(field, "booker" if who == "person" else "partner") == wanted(case)


@pytest.mark.parametrize("case", [one for one in BY_FIELD if field_of(one) == "start"], ids=str)
def test_nobody_holds_a_start_that_cant_be_read(api: Caller, case: Case) -> None:
    hold = without({"service": "first-talk", "start": value_of(case)})
    refused = api.post("holds/", hold)
    assert refused.status_code in case.expect["status"]
    assert list(refused.json()["errors"]) == ["start"]
    assert not Appointment.objects.exists()


@pytest.mark.parametrize("case", [one for one in BY_FIELD if field_of(one) == "start"], ids=str)
def test_nobody_moves_to_a_start_that_cant_be_read(api: Caller, case: Case) -> None:
    link = api.book(booking()).json()["manage_url"].rstrip("/").rpartition("/")[2]
    refused = api.post(f"attendances/{link}/move/", without({"start": value_of(case)}))
    assert refused.status_code in case.expect["status"]
    assert list(refused.json()["errors"]) == ["start"]


# --- the form ------------------------------------------------------------------------------------


def typed(case: Case) -> Any:
    """What a browser sends of it: text only, and the line breaks of a form."""
    value = value_of(case)
    return ... if value is ... or value is None else str(value)


@pytest.mark.parametrize("case", BY_FIELD, ids=str)
def test_the_form_meets_what_the_case_states(client: Client, talk: Service, case: Case) -> None:
    field = str(field_of(case))
    name = "start" if field == "start" else QUESTION if field in WHY else field
    page = held(client, talk)
    sent = without(walk.filled(page, **walk.ALONE, phone="") | {name: typed(case)})
    if field == "email":
        # With another way to be reached, so that it is this field that is refused.
        sent["phone"] = "+12015550123"
    answer = client.post("/book/details/", raw_form(sent), "application/x-www-form-urlencoded")
    if case.expect["class"] == "reject":
        assert answer.status_code in case.expect["status"]
        assert nothing_stored()
    else:
        assert answer.status_code == 302, walk.text(answer)
        assert stored(field) == wanted(case)


def raw_form(sent: dict[str, Any]) -> str:
    """A form as a program may send it, half of a pair of surrogates included."""
    return urlencode(sent, errors="surrogatepass")


def held(client: Client, talk: Service) -> Any:
    assert walk.hold(client, talk, START).status_code == 302
    return walk.details(client)


@pytest.mark.parametrize("case", [one for one in BY_FIELD if field_of(one) in WHY], ids=str)
def test_what_was_typed_comes_back_as_text(client: Client, talk: Service, case: Case) -> None:
    """In a form that is refused for something else."""
    value = typed(case)
    sent = walk.filled(held(client, talk), **{QUESTION: value, "language": "xx"})
    answer = client.post("/book/details/", sent)
    assert answer.status_code == 422
    body = answer.content.decode()
    for piece in ("<script>alert", "<img", '<a href="java', "<math", "<form action", "<input auto"):
        if piece in value:
            assert piece not in body
            assert html.escape(piece)[:4] in body


# --- neighbours ----------------------------------------------------------------------------------

LETTERS = st.characters(categories=["L", "M", "Nd", "Zs", "P"])
HARM = st.sampled_from(
    [
        *(chr(code) for code in (*range(0x20), 0x7F, 0x85, 0x2028, 0x2029)),
        *(chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))),
        *("\ue000", "\ufdd0", "\uffff", "\U000e0041", "\U000f0000"),
    ]
).filter(lambda char: char != "\t")


@RUN
@given(
    before=st.text(LETTERS, min_size=1, max_size=20), harm=HARM, after=st.text(LETTERS, min_size=1)
)
def test_no_control_character_gets_into_a_name(
    api: Caller, before: str, harm: str, after: str
) -> None:
    with taken_back():
        refused = api.book(body_of("name", f"A{before}{harm}{after[:20]}A"))
    assert refused.status_code in {400, 422}


@RUN
@given(name=st.text(st.characters(codec="utf-8"), max_size=60))
@example(name="\u200b\u200c")
@example(name="\u3164")
@example(name="a" * 201)
@example(name="\U0001f469\u200d\U0001f469")
@example(name="\u00e9" * 200)
@example(name="e\u0301" * 200)
@example(name="\ufdfa" * 200)
@example(name="Z" + "\u0300" * 199)
def test_a_name_is_stored_as_it_is_answered_for_or_refused(api: Caller, name: str) -> None:
    with taken_back():
        answer = api.book(body_of("name", name))
        assert answer.status_code in {201, 400, 422}
        if answer.status_code == 201:
            kept = stored("name")
            assert kept == unicodedata.normalize("NFC", kept) == kept.strip()
            assert len(kept) <= 200


ATOM = "abcXYZ019!#$%&'*+/=?^_`{|}~.-"


@RUN
@given(
    local=st.text(ATOM, max_size=66) | st.text(max_size=10),
    domain=st.from_regex(r"[a-z0-9.-]{0,20}\.[a-z]{1,8}", fullmatch=True) | st.text(max_size=10),
)
@example(local='"a b"', domain="example.org")
@example(local="a", domain="[127.0.0.1]")
@example(local="a", domain="localhost")
@example(local="a,b@example.org", domain="example.org")
@example(local="a", domain="example.org\u202e")
@example(local="a", domain="example.org\n")
@example(local="a", domain="xn--a.org")
@example(local="a", domain="\ufe52example.org")
@example(local="a", domain="example.123")
@example(local="a", domain=f"{'a' * 64}.org")
@example(local="=?utf-8?q?a?=", domain="example.org")
@example(local="a\u0430", domain="example.org")
def test_an_address_is_one_plain_address_or_refused(api: Caller, local: str, domain: str) -> None:
    with taken_back():
        answer = api.book(body_of("email", f"{local}@{domain}"))
        assert answer.status_code in {201, 400, 422}
        if answer.status_code == 201:
            kept = stored("email")
            assert kept.isascii()
            assert kept.count("@") == 1
            assert not set(kept) & set(' ,;:<>()[]"\\')
            assert all(part for part in kept.replace("@", ".").split("."))


@RUN
@given(text=st.text("+0123456789 ()-./x#*pwtel:;=,", max_size=30) | st.text(max_size=20))
@example(text="+49 30 23125000;ext=1")
@example(text="tel:+493023125000")
@example(text="110")
@example(text="+49900123456")
@example(text="+870773111632")
@example(text="+1 900 555 0123")
@example(text="\u0660\u0661")
def test_a_number_is_stored_in_one_form_or_refused(api: Caller, text: str) -> None:
    with taken_back():
        answer = api.book(body_of("phone", text))
        assert answer.status_code in {201, 400, 422}
        if answer.status_code == 201:
            kept = Attendance.objects.select_related("person__key").get().person.phone
            assert kept is None or (kept[0] == "+" and kept[1:].isascii() and kept[1:].isdigit())
            assert kept is not None or not text.strip(" \t\u00a0")


@RUN
@given(zone=st.text(max_size=30) | st.sampled_from(["Europe/Berlin", "UTC", "GMT+1", "EST5EDT"]))
@example(zone="../../etc/passwd")
@example(zone="/usr/share/zoneinfo/UTC")
@example(zone="Europe/Berlin\x00")
@example(zone="europe/berlin")
@example(zone="posixrules")
@example(zone="Factory")
@example(zone="right/UTC")
@example(zone="tzdata.zi")
@example(zone="Europe")
@example(zone=".")
def test_no_zone_is_a_failure_of_ours(api: Caller, zone: str) -> None:
    with taken_back():
        assert api.book(body_of("tz", zone)).status_code in {201, 400, 422}


@RUN
@given(
    start=st.from_regex(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)?")
    | st.text(max_size=30)
    | st.datetimes().map(lambda moment: moment.isoformat() + "Z")
)
@example(start="0001-01-01T00:00:00+14:00")
@example(start="9999-12-31T23:59:59-14:00")
@example(start="2027-01-12T24:00:00Z")
@example(start="2027-01-12T10:00:60Z")
@example(start="2027-01-12T10:00:00+24:00")
@example(start="2027-01-12T10:00:00-00:00")
@example(start="2027-W02-2T10:00:00Z")
@example(start="\u0662027-01-12T10:00:00Z")
def test_no_start_is_a_failure_of_ours(api: Caller, start: str) -> None:
    for answer in (
        api.book(body_of("start", start)),
        api.post("holds/", {"service": "first-talk", "start": start}),
    ):
        assert answer.status_code in {400, 422}


# --- two who share an address --------------------------------------------------------------------


def test_two_who_share_an_address_get_no_private_link_there_and_the_desk_sees_it(
    api: Caller,
) -> None:
    """BK-097: it is taken all the same, since a refusal would ask one of them to explain."""
    same = BEN | {"email": ANA["email"].upper().replace("EXAMPLE.ORG", "Example.org")}
    assert api.book(booking(partner=same, partner_safe_to_invite=True)).status_code == 201
    ben = Attendance.objects.get(role="partner")
    assert ben.gate == Attendance.Gate.SHARED_ADDRESS
    assert not Message.objects.filter(person=ben.person).exists()
