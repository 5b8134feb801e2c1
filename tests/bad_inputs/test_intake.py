"""Bad inputs of what clients fill in: behind their own link, page by page."""

import json
import logging
import re
import socket
import unicodedata
from html import unescape
from io import StringIO
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from config import logs
from intake.actions import instruments
from intake.models import Assignment, Flag, Intake, Response
from intake.queries import taking
from practice.models import Practice
from tests import factories as make
from tests.bad_inputs import cases
from tests.bad_inputs.cases import Case
from tests.intake import browsing, filling
from tests.practice.views import walk

pytestmark = pytest.mark.django_db

# What the file calls a question, and which of ours it is.
QUESTION = {
    "free_text": "goals",
    "q_relationship": "relationship",
    "q_scale": "between",
    "consent": "consent_records",
    "birth_date": "birth_date",
}
FORM = "practice-intake"


def of_kinds(*kinds: str) -> list[Case]:
    return [case for case in cases.read() if case.surface == "intake" and case.kind in kinds]


@pytest.fixture
def intake(practice: Practice) -> Intake:
    """Ana and Ben were each given the practice's own form."""
    assert practice.pk
    instruments.load_shipped(by=make.SYSTEM, now=make.NOW)
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben, counselor=make.counselor("iris"))
    filling.give(case, ben, FORM)
    return filling.give(case, ana, FORM)


@pytest.fixture
def given(intake: Intake) -> Assignment:
    return filling.assignment(intake, FORM)


@pytest.fixture
def client(intake: Intake) -> Client:
    return browsing.come_in(intake)


def page_of(client: Client, given: Assignment, question: str) -> Any:
    """The page with this question, with all before it answered."""
    page = browsing.go_to(client, given.pk)
    for _ in range(50):
        if question in browsing.asked(page):
            return page
        sent = browsing.filled(page, given.instrument.parsed)
        page = client.post(browsing.here(page), sent, follow=True)
    raise AssertionError(question)


def stored(given: Assignment) -> dict[str, Any]:
    """What is kept by now, without the moments at which it was."""
    row = Response.objects.filter(assignment=given).first()
    return {name: (one.value, one.non) for name, one in taking.answers_of(row).items()}


def is_stated(case_id: str, response: Any) -> bool:
    return response.status_code in cases.case(case_id).expect["status"]


def put(client: Client, given: Assignment, question: str, value: Any) -> Any:
    """Answer one question of its page with this, the rest well."""
    page = page_of(client, given, question)
    sent = browsing.filled(page, given.instrument.parsed)
    return client.post(browsing.here(page), sent | {f"q-{question}": value})


# --- text ----------------------------------------------------------------------------------------

TEXTS = of_kinds("htmx_attribute_injection", "template_injection", "long_text")


@pytest.mark.parametrize("case", TEXTS, ids=str)
def test_text_is_kept_as_it_was_typed_and_does_nothing(
    client: Client, given: Assignment, case: Case
) -> None:
    text = cases.unwrap(case.input["value"], now=make.NOW)
    assert case.expect["class"] == "verbatim"
    assert put(client, given, "goals", text).status_code == 302
    assert stored(given)["goals"] == (unicodedata.normalize("NFC", text), "")
    # Shown again in its field, and at the last look: as text, and all of it.
    page = page_again(client, given, "goals")
    (field,) = re.findall(r"<textarea[^>]*>\n?(.*?)</textarea>", page, re.DOTALL)
    assert unescape(field) == text
    for shown in (page, client.get(f"/i/{given.pk}/review/").content.decode()):
        assert text.strip() in " ".join(unescape(shown).split("\n"))
        assert "<div hx-" not in shown
        assert "<div data-hx-" not in shown
        assert "SECRET" not in shown.replace("SECRET_KEY", "")
    assert "htmx" not in re.sub(r"<textarea.*?</textarea>", "", page, flags=re.DOTALL)


def page_again(client: Client, given: Assignment, question: str) -> str:
    """The page of a question that was answered before."""
    for number in range(1, 40):
        page = client.get(f"/i/{given.pk}/{number}/")
        if page.status_code == 200 and question in browsing.asked(page):
            return str(page.content.decode())
    raise AssertionError(question)


@pytest.mark.parametrize("case", of_kinds("body_1mb"), ids=str)
def test_an_answer_of_a_megabyte_is_refused(client: Client, given: Assignment, case: Case) -> None:
    text = cases.unwrap(case.input["value"], now=make.NOW)
    page = page_of(client, given, "goals")
    before = stored(given)
    address = browsing.here(page)
    sent = browsing.filled(page, given.instrument.parsed) | {"q-goals": text}
    for where in (address, f"{address}save/"):
        assert is_stated(case.id, client.post(where, sent))
        as_json = json.dumps({"q-goals": text})
        assert is_stated(case.id, send_json(client, f"{address}save/", as_json, sent["own"]))
    assert stored(given) == before


def test_one_character_too_many_is_refused_in_words_and_stays_on_the_page(
    client: Client, given: Assignment
) -> None:
    text = "a" * 20_001
    answer = put(client, given, "goals", text)
    assert answer.status_code == 422
    assert text in walk.text(answer)
    assert "20" in walk.text(answer)
    assert "goals" not in stored(given)


# --- choices, numbers, days ----------------------------------------------------------------------

CHOICES = of_kinds("unknown_choice", "multi_for_single", "scale_out_of_range", "birth_date_future")
MORE_CHOICES = [
    ("relationship", ""),
    ("relationship", "MARRIED"),
    ("relationship", "married "),
    ("relationship", "~none"),
    ("relationship", "~"),
    ("relationship", "skip"),
    ("between", "-1"),
    ("between", "5.5"),
    ("between", "1e1"),
    ("between", "٥"),
    ("between", "0x5"),
    ("between", "NaN"),
    ("between", ["5", "5"]),
    ("birth_date", "2027-02-30"),
    ("birth_date", "1899-12-31"),
    ("birth_date", "01.02.1990"),
    ("birth_date", "1990-05-01T10:00"),
    ("birth_date", "+990-05-01"),
    ("birth_date", ["1990-05-01", "1990-05-02"]),
    ("preferred_name", "Ana\nBen"),
    ("preferred_name", "a" * 101),
    ("preferred_name", ["Ana", "Ben"]),
    ("goals", "nul \x00"),
]


@pytest.mark.parametrize("case", CHOICES, ids=str)
def test_what_is_not_offered_is_refused(client: Client, given: Assignment, case: Case) -> None:
    value = cases.unwrap(case.input["value"], now=make.NOW)
    if case.kind == "birth_date_future":
        value = value[:10]
    question = QUESTION[case.input["field"]]
    answer = put(client, given, question, value)
    assert is_stated(case.id, answer), walk.text(answer)
    assert question not in stored(given)


@pytest.mark.parametrize(("question", "value"), MORE_CHOICES, ids=lambda _: "")
def test_nor_is_anything_like_it(
    client: Client, given: Assignment, question: str, value: Any
) -> None:
    answer = put(client, given, question, value)
    assert answer.status_code in {400, 422}, walk.text(answer)
    assert stored(given).get(question, (None, "")) == (None, "")


@pytest.mark.parametrize("case", of_kinds("answer_for_hidden_question"), ids=str)
def test_what_is_not_asked_is_not_answered(client: Client, given: Assignment, case: Case) -> None:
    """Neither on the page that comes instead, nor on its own, nor once it is hidden again."""
    page = page_of(client, given, "children")
    address = browsing.here(page)
    number = int(address.rstrip("/").rpartition("/")[2])
    answer = client.post(address, browsing.hidden(page) | {"q-children": "no", "go": "next"})
    assert answer.status_code == 302
    own = browsing.hidden(client.get(answer["Location"]))
    hidden = f"/i/{given.pk}/{number + 1}/"
    for where in (answer["Location"], hidden, f"{hidden}save/", f"{address}save/"):
        sent = own | {"q-children_who": case.input["value"], "go": "next"}
        assert is_stated(case.id, client.post(where, sent)), where
    assert "children_who" not in stored(given)
    # Asked, answered, and then hidden by another answer: dropped with the sending.
    definition = given.instrument.parsed
    page = client.get(address)
    client.post(address, browsing.hidden(page) | {"q-children": "yes", "go": "next"})
    page = client.get(hidden)
    client.post(hidden, browsing.filled(page, definition) | {"q-children_who": "Two of them"})
    assert "children_who" in stored(given)
    page = client.get(address)
    client.post(address, browsing.hidden(page) | {"q-children": "no", "go": "next"})
    browsing.complete(client, given, filling.but(filling.first, children="no"))
    assert "children_who" not in stored(given)


# --- consent and signature -----------------------------------------------------------------------


def last_look(client: Client, given: Assignment, **others: Any) -> Any:
    return browsing.fill(client, given, filling.but(filling.first, **others))


@pytest.mark.parametrize("case", of_kinds("consent_missing"), ids=str)
def test_nothing_is_sent_without_consent(client: Client, given: Assignment, case: Case) -> None:
    page = page_of(client, given, "consent_records")
    sent = browsing.filled(page, given.instrument.parsed)
    del sent["q-consent_records"]
    assert is_stated(case.id, client.post(browsing.here(page), sent))
    assert is_stated(case.id, browsing.send(client, given))
    assert not Response.objects.sent().exists()


@pytest.mark.parametrize("case", of_kinds("consent_string_false"), ids=str)
def test_no_other_word_is_consent(client: Client, given: Assignment, case: Case) -> None:
    for value in (case.input["value"], "no", "0", "off", "null", "YES", "yes please", "true"):
        answer = put(client, given, "consent_records", value)
        assert is_stated(case.id, answer), value
    assert (True, "") not in stored(given).values()
    assert is_stated(case.id, browsing.send(client, given))
    assert not Response.objects.sent().exists()


@pytest.mark.parametrize("case", of_kinds("signature_future_date"), ids=str)
def test_the_day_of_a_signature_is_the_servers(
    client: Client, given: Assignment, case: Case
) -> None:
    page = last_look(client, given)
    signed = browsing.hidden(page) | {"signed_name": "Ana Alder"}
    day = cases.unwrap(case.input["value"], now=make.NOW)
    for name in ("signed_on", "given_at", "sent_at", "date"):
        answer = client.post(f"/i/{given.pk}/review/", signed | {name: day})
        assert is_stated(case.id, answer), name
    assert not Response.objects.sent().exists()
    assert client.post(f"/i/{given.pk}/review/", signed).status_code == 302
    row = Response.objects.sent().get()
    assert row.sent_at == make.NOW
    assert {one.given_at for one in row.agreements.all()} == {make.NOW}


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\u202eana", "a\nb", "x" * 201, "\x00"])
def test_a_signature_is_a_name(client: Client, given: Assignment, name: str) -> None:
    page = last_look(client, given)
    answer = client.post(f"/i/{given.pk}/review/", browsing.hidden(page) | {"signed_name": name})
    assert answer.status_code == 422
    assert not Response.objects.sent().exists()


# --- the order of things -------------------------------------------------------------------------


def test_what_was_sent_changes_no_more(client: Client, given: Assignment) -> None:
    page = page_of(client, given, "brings")
    address, old = browsing.here(page), browsing.filled(page, given.instrument.parsed)
    browsing.complete(client, given)
    before = stored(given)
    # A second tap on the last button is told what became of the first.
    tap = client.post(f"/i/{given.pk}/review/", old | {"q-brings": "Something else"})
    assert (tap.status_code, tap["Location"]) == (302, f"/i/{given.pk}/sent/")
    for where in (address, f"{address}save/"):
        answer = client.post(where, old | {"q-brings": "Something else"})
        assert is_stated("IN-035", answer), where
    again = send_json(client, f"{address}save/", json.dumps({"q-brings": "Else"}), old["own"])
    assert is_stated("IN-035", again)
    assert stored(given) == before
    # Nor is it read back over the link.
    for where in ("/i/", f"/i/{given.pk}/", address, f"/i/{given.pk}/review/"):
        assert filling.WORDS not in walk.text(client.get(where, follow=True))


def test_nothing_is_sent_without_its_pages(client: Client, given: Assignment) -> None:
    browsing.go_to(client, given.pk)
    answer = browsing.send(client, given, name="Ana Alder")
    assert is_stated("IN-037", answer)
    text = walk.text(answer)
    assert "What would you like us to call you?" in text, "what is missing is listed"
    assert f"/i/{given.pk}/1/" in text
    assert not Response.objects.sent().exists()
    # The second page alone is not enough, either.
    page_of(client, given, "brings")
    assert is_stated("IN-037", browsing.send(client, given))
    assert not Response.objects.sent().exists()


def test_no_address_says_that_it_was_sent(client: Client, given: Assignment) -> None:
    page_of(client, given, "brings")
    before = walk.domain_rows()
    for address in (f"/i/{given.pk}/sent/", f"/i/{given.pk}/sent/?sent=1"):
        assert is_stated("IN-038", client.get(address))
    assert is_stated("IN-038", Client().get(f"/i/{given.pk}/sent/"))
    assert walk.domain_rows() == before


def test_an_older_tab_overwrites_nothing(client: Client, given: Assignment) -> None:
    page = page_of(client, given, "brings")
    address, tab = browsing.here(page), browsing.filled(page, given.instrument.parsed)
    newer = client.post(f"{address}save/", tab | {"q-brings": "From the second tab"})
    assert newer.status_code == 200
    older = tab | {"q-brings": "From the first tab"}
    as_program = client.post(f"{address}save/", older)
    assert is_stated("IN-040", as_program)
    answer = client.post(address, older)
    assert is_stated("IN-040", answer)
    assert "From the first tab" in walk.text(answer)
    assert "From the second tab" in walk.text(answer)
    assert stored(given)["brings"] == ("From the second tab", "")
    # A revision that nobody has had yet gives no right to overwrite.
    for revision in ("-1", "999999999", "9" * 30, "x", "٣"):
        ahead = client.post(f"{address}save/", older | {"revision": revision})
        assert ahead.status_code < 500
    chosen = browsing.hidden(answer) | {"q-brings": "From the first tab", "k-brings": "mine"}
    assert client.post(address, chosen | {"go": "next"}).status_code == 302
    assert stored(given)["brings"] == ("From the first tab", "")


# --- programs ------------------------------------------------------------------------------------


def send_json(client: Client, address: str, body: str | bytes, own: Any = "") -> Any:
    return client.post(
        address, body, content_type="application/json", headers={"X-Duet-Own": str(own)}
    )


BODIES = [
    '{"q-goals": "a\\ud800"}',
    '{"q-goals": "a", "q-goals": "b"}',
    '{"q-goals": NaN}',
    '{"q-goals": 1e400}',
    '{"q-goals": {"$ne": ""}}',
    '{"q-goals": [["a"]]}',
    '["q-goals"]',
    '"q-goals"',
    "null",
    "{",
    "[" * 100_000,
    '{"q-goals": "nul \\u0000"}',
    '{"free_text": "a"}',
]


def test_no_half_character_and_no_odd_json_is_stored(
    client: Client, given: Assignment, intake: Intake
) -> None:
    address = browsing.here(page_of(client, given, "goals"))
    before = stored(given)
    stated = cases.case("IN-044").input["request"]["body"]["$json"]
    for body in (stated, *BODIES):
        answer = send_json(client, f"{address}save/", body, intake.pk)
        assert is_stated("IN-044", answer), (body[:40], answer.status_code)
        assert stored(given) == before
    good = send_json(client, f"{address}save/", '{"q-goals": "Peace", "revision": 0}', intake.pk)
    assert good.status_code == 200, good.content


def test_a_flood_of_fields_is_refused(client: Client, given: Assignment) -> None:
    page = page_of(client, given, "goals")
    address, before = browsing.here(page), stored(given)
    count = cases.case("IN-045").input["request"]["form_fields"]
    flood = browsing.filled(page, given.instrument.parsed) | {
        f"q-goals{number}": "x" for number in range(count)
    }
    for where in (address, f"{address}save/"):
        assert is_stated("IN-045", client.post(where, flood)), where
    as_json = json.dumps({f"q-goals{number}": "x" for number in range(count)})
    assert is_stated("IN-045", send_json(client, f"{address}save/", as_json, flood["own"]))
    assert stored(given) == before


# --- in the other's place ------------------------------------------------------------------------


def rows() -> dict[str, Any]:
    """Every row but of the sessions, which say when they were used."""
    return {name: found for name, found in walk.domain_rows().items() if "Session" not in name}


def test_nothing_of_the_other_is_there(client: Client, given: Assignment, intake: Intake) -> None:
    browsing.fill(client, given)
    ben = browsing.come_in(Intake.objects.exclude(pk=intake.pk).get())
    before = rows()
    absent = "00000000-0000-0000-0000-000000000007"
    own = str(Intake.objects.exclude(pk=intake.pk).get().pk)
    for rest in ("", "1/", "2/", "1/help/", "review/", "sent/"):
        there, nowhere = ben.get(f"/i/{given.pk}/{rest}"), ben.get(f"/i/{absent}/{rest}")
        assert is_stated("IN-046", there), rest
        assert there.content == nowhere.content
    for rest in ("1/", "1/save/", "review/"):
        sent = {"own": own, "q-preferred_name": "Ben", "go": "next", "revision": "0"}
        there = ben.post(f"/i/{given.pk}/{rest}", sent)
        assert is_stated("IN-046", there), rest
        assert there.content == ben.post(f"/i/{absent}/{rest}", sent).content
    body = '{"q-preferred_name": "Ben"}'
    assert is_stated("IN-046", send_json(ben, f"/i/{given.pk}/1/save/", body, own))
    assert rows() == before


def test_a_try_at_the_others_form_is_in_the_log(
    client: Client, given: Assignment, intake: Intake
) -> None:
    """`404, A unchanged, attempt logged`; and no word of it in the log."""
    page_of(client, given, "brings")
    before = stored(given)
    ben = browsing.come_in(Intake.objects.exclude(pk=intake.pk).get())
    own = str(Intake.objects.exclude(pk=intake.pk).get().pk)
    written, handler = StringIO(), logging.StreamHandler()
    handler.setStream(written)
    handler.setFormatter(logs.formatter("words"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        sent = {"own": own, "q-brings": "zq9canary", "go": "next", "revision": "0"}
        assert is_stated("IN-047", ben.post(f"/i/{given.pk}/3/save/", sent))
    finally:
        root.removeHandler(handler)
    assert "404" in written.getvalue() or "Not Found" in written.getvalue()
    assert "zq9canary" not in written.getvalue()
    assert stored(given) == before


def test_a_page_of_somebody_else_is_of_no_use_in_this_browser(
    client: Client, given: Assignment, intake: Intake
) -> None:
    """Two use one browser, one after the other: a page left open acts on nobody."""
    page = page_of(client, given, "brings")
    address, left_open = browsing.here(page), browsing.filled(page, given.instrument.parsed)
    before = stored(given)
    browsing.come_in(Intake.objects.exclude(pk=intake.pk).get(), client)
    answer = client.post(address, left_open | {"q-brings": "Typed by Ana"})
    assert answer.status_code == 404
    assert stored(given) == before
    assert not Flag.objects.exists()


# --- a connection that breaks --------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_what_was_sent_is_there_once_though_the_answer_never_came(
    live_server: LiveServer, intake: Intake, given: Assignment
) -> None:
    client = browsing.come_in(intake)
    page = page_of(client, given, "brings")
    address = browsing.here(page)
    fields = browsing.filled(page, given.instrument.parsed) | {"q-brings": "Typed once"}
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())[0]
    body = urlencode(fields | {"csrfmiddlewaretoken": token}, doseq=True).encode()
    jar = "; ".join(f"{one.key}={one.value}" for one in client.cookies.values())
    server = urlsplit(live_server.url)
    assert server.hostname
    assert server.port
    lines = (
        f"POST {address} HTTP/1.1",
        f"Host: {server.netloc}",
        f"Cookie: {jar}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    for _ in range(2):  # and once more by whoever presses again
        with socket.create_connection((server.hostname, server.port), timeout=20) as line:
            line.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            assert line.recv(1), "it was read; nobody waits for the rest of the answer"
    row = Response.objects.get(assignment=given)
    answers = taking.answers_of(row)
    assert answers["brings"].value == "Typed once"
    text = page_again(client, given, "brings")
    assert text.count("Typed once") == 1
