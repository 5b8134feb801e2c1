"""Filling in forms behind one's own link, on a phone, without JavaScript."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.sessions.models import Session
from django.utils.html import escape

from clients.models import AuditEntry, Case, Person
from clients.rules.actors import Actor
from intake.actions import answering
from intake.models import Agreement, Assignment, CasePolicy, Flag, Intake, Response
from intake.queries import taking
from tests import factories as make
from tests.intake import filling
from tests.intake.test_answering import ALL_KINDS, WHOLE
from tests.intake.views.browser import Browser
from tests.practice.views.conftest import SetClock

pytestmark = pytest.mark.django_db


def opened(phone: Browser, intake: Intake) -> Browser:
    """The link is opened and its button pressed."""
    phone.get(f"/i/{intake.token}/")
    phone.send()
    assert phone.at == "/i/"
    return phone


def into(phone: Browser, intake: Intake, slug: str) -> Browser:
    """In the form, the policy accepted."""
    opened(phone, intake)
    filling.accept(intake)
    phone.get(f"/i/{filling.assignment(intake, slug).pk}/")
    return phone


def alone(phone: Browser, intake: Intake, slug: str) -> Browser:
    """In a form other than the private check, which was sent."""
    filling.send(filling.assignment(intake, "private-check"))
    return into(phone, intake, slug)


def go_through(phone: Browser, *, last: bool = False) -> int:
    """Answer page by page, with the first (or last) choice; how many pages."""
    pages = 0
    while "/review/" not in phone.at:
        form = phone.fields()
        fill = {
            name: codes[-1 if last else 0]
            for name, codes in form.choices.items()
            if name.startswith("q-") and name not in form.sent
        }
        phone.send(fill, go="next")
        assert phone.answer.status_code == 200, phone.text
        if phone.at.endswith("/help/"):
            phone.get(phone.page.partition('class="cluster"')[2].split('"')[3])
        pages += 1
        assert pages < 60
    return pages


def test_the_whole_way_through_without_javascript(phone: Browser, mine: Intake) -> None:
    opened(phone, mine)
    assert "After the first one" in phone.text  # the private check first and alone
    phone.get(f"/i/{filling.assignment(mine, 'private-check').pk}/")
    assert phone.at == "/i/policy/"
    assert "never shared with your partner" in phone.text
    phone.send()
    agreed = Agreement.objects.get(kind="policy")
    assert (agreed.version, agreed.given_at) == ("1", make.NOW)
    assert "never shared" in agreed.text

    assert "somewhere private" in phone.text
    assert "Only the counselor who works with you" in phone.text
    assert "afraid" not in phone.text
    assert phone.fields().choices["q-S1"] == ["yes", "no", "not-sure"]
    assert go_through(phone) == 5
    phone.send()
    assert "Thank you. Received." in phone.text
    assert "We speak with each person individually first." in phone.text

    phone.get(f"/i/{filling.assignment(mine, 'cycle-reflection').pk}/")
    assert go_through(phone) == 25
    phone.send()
    assert "Thank you. Received." in phone.text
    sent = Response.objects.get(assignment__slug="cycle-reflection")
    assert sent.sent_at == make.NOW
    assert sent.audience == "person"
    assert Agreement.objects.standing().filter(kind="share").exists()


# --- the link ------------------------------------------------------------------------------------


def counts() -> tuple[int, ...]:
    tables = (Response, Agreement, Assignment, Intake, AuditEntry, Session)
    return tuple(one.objects.count() for one in tables)


def test_opening_the_link_changes_nothing_and_says_nothing(phone: Browser, mine: Intake) -> None:
    before = counts()
    answer = phone.get(f"/i/{mine.token}/")
    assert counts() == before
    assert not phone.client.cookies
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Cache-Control"] == "no-store, private"
    assert "<title>Elm Street</title>" in phone.page
    assert "5 short forms" in phone.text
    assert "23 minutes" in phone.text
    for told in ("Therapy", "Couple", "partner", "Ana", "Ben", "Iris"):
        assert told.lower() not in phone.page.lower()


def test_until_when_the_link_works_is_said_on_the_persons_own_clock(
    phone: Browser, mine: Intake
) -> None:
    """At 21:00 in New York it is the next day in UTC."""
    ends = datetime(2027, 3, 10, 2, tzinfo=UTC)
    Intake.objects.update(ends_at=ends)
    phone.get(f"/i/{mine.token}/")
    told = [phone.text]
    opened(phone, mine)
    told.append(phone.text)
    phone.get("/i/later/")
    told.append(phone.text)
    for text in told:
        assert "until Tuesday 9 March 2027, 21:00, New York time." in text


def test_no_page_changes_anything_when_it_is_looked_at(phone: Browser, mine: Intake) -> None:
    into(phone, mine, "private-check")
    phone.next(S1="yes")
    phone.next(S2="no")
    pk = filling.assignment(mine, "private-check").pk
    before = counts()
    for path in ("/i/", "/i/policy/", "/i/later/", f"/i/{pk}/", f"/i/{pk}/1/", f"/i/{pk}/2/help/"):
        assert phone.get(path).status_code == 200
    assert phone.get(f"/i/{pk}/review/").status_code == 200
    assert phone.get(f"/i/{pk}/sent/").status_code == 200
    assert counts() == before


def test_links_that_do_not_work_look_alike(phone: Browser, mine: Intake) -> None:
    def page_of(path: str) -> bytes:
        answer = phone.get(path)
        assert answer.status_code == 404
        return answer.content

    unknown = page_of(f"/i/{'x' * 22}/")
    assert page_of(f"/a/{'x' * 22}/") == unknown
    for path in ("/i/nothing", "/i/%0A/", f"/i/{mine.token}/more/", f"/i/{mine.pk}/"):
        assert page_of(path) == unknown
    Intake.objects.update(opened_at=make.NOW - timedelta(days=60), ends_at=make.NOW)
    assert page_of(f"/i/{mine.token}/") == unknown
    Intake.objects.update(ends_at=make.NOW + timedelta(days=1), ended_at=make.NOW)
    assert page_of(f"/i/{mine.token}/") == unknown


def test_without_the_button_nobody_is_in(phone: Browser, mine: Intake) -> None:
    phone.get(f"/i/{mine.token}/")
    pk = filling.assignment(mine, "private-check").pk
    for path in ("/i/", "/i/policy/", "/i/later/", f"/i/{pk}/", f"/i/{pk}/1/", f"/i/{pk}/review/"):
        assert phone.get(path).status_code == 404


def test_the_pages_close_after_half_an_hour_and_what_was_typed_is_shown(
    phone: Browser, mine: Intake, clock: SetClock
) -> None:
    alone(phone, mine, "mood")
    clock(make.NOW + timedelta(minutes=29))
    phone.next(close="often")  # a button keeps them open
    clock(make.NOW + timedelta(minutes=58))
    phone.next()
    clock(make.NOW + timedelta(minutes=89))
    answer = phone.next(words="A long & dear thought")
    assert answer.status_code == 404
    assert "Open the link in your message again" in phone.text
    assert "A long &amp; dear thought" in phone.page
    assert phone.client.get("/i/").status_code == 404
    saved = phone.client.post(f"{phone.at}save/", {"q-words": "x", "own": mine.pk})
    assert saved.status_code == 404


# --- what comes first ----------------------------------------------------------------------------


def test_the_private_check_comes_first_and_alone(phone: Browser, mine: Intake) -> None:
    opened(phone, mine)
    filling.accept(mine)
    pk = filling.assignment(mine, "phq-9").pk
    for path in (f"/i/{pk}/", f"/i/{pk}/1/", f"/i/{pk}/review/"):
        phone.get(path)
        assert phone.at == "/i/"
    data = {"own": str(mine.pk), "revision": "0", "q-1": "0", "go": "next"}
    assert phone.client.post(f"/i/{pk}/1/", data).status_code == 409
    assert not Response.objects.exists()


@pytest.mark.parametrize("ended", ["by its time", "by beat"])
def test_a_check_that_expired_opens_nothing_and_says_whom_to_ask(
    phone: Browser, mine: Intake, ended: str
) -> None:
    check = Assignment.objects.filter(intake=mine, slug="private-check")
    if ended == "by beat":
        check.update(state="expired", closed_at=make.NOW)
    else:
        check.update(expires_at=make.NOW)
    phone.get(f"/i/{mine.token}/")
    assert "ask us for a new link" in phone.text
    assert "short form" not in phone.text
    opened(phone, mine)
    filling.accept(mine)
    assert "ask us for a new link" in phone.text
    assert "Begin" not in phone.text
    pk = filling.assignment(mine, "phq-9").pk
    for path in (f"/i/{pk}/", f"/i/{pk}/1/", f"/i/{pk}/review/"):
        phone.get(path)
        assert phone.at == "/i/"
    data = {"own": str(mine.pk), "revision": "0", "q-1": "0", "go": "next"}
    for path in ("1/", "1/save/", "review/"):
        assert phone.client.post(f"/i/{pk}/{path}", data).status_code == 409
    assert not Response.objects.exists()


def test_whoever_is_not_alone_sees_nothing_more(phone: Browser, mine: Intake) -> None:
    into(phone, mine, "private-check")
    phone.next(S1="not-sure")
    assert phone.at == "/i/later/"
    assert "This answer was not kept" in phone.text
    assert "afraid" not in phone.page
    assert Response.objects.get().revision == 0
    pk = filling.assignment(mine, "private-check").pk
    phone.get(f"/i/{pk}/2/")
    assert "somewhere private" in phone.text  # nothing lies behind it yet


def test_it_is_asked_anew_in_every_visit(phone: Browser, mine: Intake) -> None:
    """Yesterday's "yes" says nothing about who looks on now; nothing that was said is shown."""
    into(phone, mine, "private-check")
    phone.next(S1="yes")
    phone.next(S2="no")
    other = into(Browser(), mine, "private-check")
    assert other.at.endswith("/1/")
    pk = filling.assignment(mine, "private-check").pk
    for path in (f"/i/{pk}/2/", f"/i/{pk}/review/"):
        other.get(path)
        assert other.at.endswith("/1/")
    assert "q-S1" not in other.fields().sent  # nor is it chosen beforehand
    other.next(S1="yes")
    other.get(f"/i/{pk}/")
    assert "ever hurt you" in other.text  # and then on where they were


@pytest.mark.parametrize("said", ["no", "not-sure"])
@pytest.mark.parametrize("meanwhile", [False, True], ids=["next", "autosave"])
def test_somebody_comes_in_and_what_was_said_alone_is_shown_no_more(
    phone: Browser, mine: Intake, said: str, meanwhile: bool
) -> None:
    """The same visit: what was opened by a "yes" is closed by whatever isn't one."""
    into(phone, mine, "private-check")
    phone.next(S1="yes")
    phone.next(S2="yes")
    pk = filling.assignment(mine, "private-check").pk
    phone.get(f"/i/{pk}/2/")
    assert phone.at.endswith("/2/")  # the control: before, it is open
    phone.get(f"/i/{pk}/1/")
    if meanwhile:
        form = {**phone.fields().sent, "q-S1": said}
        assert phone.client.post(f"/i/{pk}/1/save/", form).json()["saved"] is False
    else:
        phone.next(S1=said)
        assert phone.at == "/i/later/"
        assert "Nothing was kept" not in phone.text  # the answers of before are
    for path in ("", "2/", "2/help/", "3/", "review/"):
        phone.get(f"/i/{pk}/{path}")
        assert phone.at == f"/i/{pk}/1/"
        assert "ever hurt you" not in phone.page
    form = {**phone.fields().sent, "q-S2": "no", "go": "next"}
    for path in ("2/", "2/save/", "review/"):
        phone.client.post(f"/i/{pk}/{path}", form)
    kept = taking.answers_of(Response.objects.get(assignment=pk))
    assert kept["S2"].value == "yes"
    phone.get(f"/i/{pk}/1/")
    phone.next(S1="yes")
    phone.get(f"/i/{pk}/2/")
    assert phone.at.endswith("/2/")


@pytest.mark.parametrize(
    "changes", [{"kind": "no_secrets"}, {"version": "0"}, {"kind": ""}, {"more": "1"}]
)
def test_only_what_was_read_is_accepted(
    phone: Browser, mine: Intake, changes: dict[str, str]
) -> None:
    opened(phone, mine)
    phone.get(f"/i/{filling.assignment(mine, 'private-check').pk}/1/")
    assert phone.at == "/i/policy/"
    answer = phone.send(changes)
    assert answer.status_code in {400, 422}
    assert not Agreement.objects.exists()


def test_no_secrets_says_so(phone: Browser, mine: Intake) -> None:
    CasePolicy.objects.update(kind="no_secrets")
    opened(phone, mine)
    phone.get("/i/policy/")
    assert "keeps no secrets between you" in phone.text
    phone.send()
    assert Agreement.objects.get().slug == "no_secrets"


# --- resume, and two at once ---------------------------------------------------------------------


def test_another_device_goes_on_at_the_first_open_question(phone: Browser, mine: Intake) -> None:
    alone(phone, mine, "cycle-reflection")
    for _ in range(3):
        phone.next(**{"P1.self": "1"} if phone.at.endswith("/1/") else {})
    other = Browser()
    opened(other, mine)
    other.get(f"/i/{filling.assignment(mine, 'cycle-reflection').pk}/")
    assert other.at.endswith("/4/")
    other.get(other.at.replace("/4/", "/1/"))
    assert other.fields().sent["q-P1.self"] == ["1"]


def test_what_is_only_kept_meanwhile_is_not_done(phone: Browser, mine: Intake) -> None:
    alone(phone, mine, "cycle-reflection")
    form = phone.fields()
    answer = phone.client.post(f"{phone.at}save/", {**form.sent, "q-P1.self": "1"})
    assert answer.json() == {
        "saved": True,
        "revision": 1,
        "help": False,
        "errors": {},
        "conflicts": [],
    }
    phone.get(f"/i/{filling.assignment(mine, 'cycle-reflection').pk}/")
    assert phone.at.endswith("/1/")  # its second question was never seen to the end


def two_tabs(phone: Browser, mine: Intake) -> Browser:
    """Two tabs have the same page; the other one has answered and gone on."""
    alone(phone, mine, "mood")
    phone.next(close="often")
    phone.next(calm="often")
    other = Browser()
    opened(other, mine)
    other.get(phone.at)
    other.next(words="from the other tab")
    return other


def test_two_answers_to_one_question_are_both_offered(phone: Browser, mine: Intake) -> None:
    two_tabs(phone, mine)
    answer = phone.next(words="from this tab")
    assert answer.status_code == 409
    assert "from the other tab" in phone.text
    assert phone.fields().sent["q-words"] == ["from this tab"]
    kept = Response.objects.get(assignment__slug="mood")
    assert "from the other tab" in kept.answers
    assert phone.send(go="next").status_code == 422  # one of the two has to be chosen
    assert "choose which of the two" in phone.text


@pytest.mark.parametrize(("which", "kept"), [("mine", "this"), ("stored", "other")])
def test_the_one_that_was_chosen_is_kept(
    phone: Browser, mine: Intake, which: str, kept: str
) -> None:
    two_tabs(phone, mine)
    phone.next(words="from this tab")
    phone.send({"k-words": which}, go="next")
    assert phone.at.endswith("/review/")
    assert f"from {'this' if kept == 'this' else 'the other'} tab" in phone.text


def test_a_program_on_an_old_page_is_told_so(phone: Browser, mine: Intake) -> None:
    two_tabs(phone, mine)
    form = phone.fields()
    answer = phone.client.post(f"{phone.at}save/", {**form.sent, "q-words": "older"})
    assert (answer.status_code, answer.json()["conflicts"]) == (409, ["words"])
    answer = phone.client.post(f"{phone.at}save/", {**form.sent, "q-words": "from the other tab"})
    assert (answer.status_code, answer.json()["saved"]) == (200, True)


# --- errors --------------------------------------------------------------------------------------


KINDS: list[tuple[str, dict[str, Any], int]] = [
    ("1", {"q-who": "Ana", "q-born": "2027-01-12"}, 422),
    ("1", {"q-who": "a\u202eb\x00", "q-born": ""}, 422),
    ("2", {"q-ways": ["a", "z"]}, 422),
    ("3", {"q-more": "maybe"}, 422),
    ("5", {"q-many": "11"}, 422),
    ("6", {"q-close": "hacked"}, 422),
    ("6", {"q-close": ["often", "never"]}, 422),
    ("6", {"q-close": "often", "q-calm": "often"}, 400),
    ("8", {"q-agree": "false"}, 422),
    ("4", {"q-what": "not asked"}, 422),
    ("99", {"q-what": "no such page"}, 422),
]


@pytest.fixture
def kinds(mine: Intake) -> Assignment:
    filling.send(filling.assignment(mine, "private-check"))
    return make.assignment(mine, make.instrument(ALL_KINDS))


@pytest.mark.parametrize(("number", "data", "status"), KINDS, ids=lambda one: ascii(one)[:40])
@pytest.mark.parametrize("way", ["form", "autosave", "json"])
def test_a_bad_answer_is_refused_and_named(
    phone: Browser,
    mine: Intake,
    kinds: Assignment,
    number: str,
    data: dict[str, Any],
    status: int,
    way: str,
) -> None:
    opened(phone, mine)
    path = f"/i/{kinds.pk}/{number}/"
    whole = {"own": str(mine.pk), "revision": "0", **data}
    if way == "form":
        answer = phone.client.post(path, {**whole, "go": "next"})
    elif way == "autosave":
        answer = phone.client.post(f"{path}save/", whole)
    else:
        answer = phone.client.post(
            f"{path}save/",
            json.dumps(whole),
            content_type="application/json",
            headers={"X-Duet-Own": str(mine.pk)},
        )
    # What JSON can't carry is refused as JSON.
    assert answer.status_code == (
        400 if way == "json" and "q-who" in data and "\x00" in data["q-who"] else status
    )
    stored = taking.answers_of(Response.objects.filter(assignment=kinds).first())
    assert not any(one.value in ("hacked", "11", "maybe", "2027-01-12") for one in stored.values())
    assert not {"what", "ways", "close", "agree", "more", "many", "calm"} & {*stored}


def test_what_was_typed_stays_on_the_page_beside_the_error(
    phone: Browser, mine: Intake, kinds: Assignment
) -> None:
    opened(phone, mine)
    phone.get(f"/i/{kinds.pk}/1/")
    assert phone.next(who="Ana <b>& I</b>", born="2027-01-12").status_code == 422
    assert "This day lies ahead" in phone.text
    assert phone.fields().sent["q-born"] == ["2027-01-12"]
    assert phone.fields().sent["q-who"] == ["Ana <b>& I</b>"]
    assert 'href="#id_q-born"' in phone.page
    kept = taking.answers_of(Response.objects.get(assignment=kinds))
    assert kept["who"].value == "Ana <b>& I</b>"  # what can be taken is kept
    assert "born" not in kept


def test_what_is_needed_is_asked_for_before_one_goes_on_but_back_goes_back(
    phone: Browser, mine: Intake, kinds: Assignment
) -> None:
    opened(phone, mine)
    phone.get(f"/i/{kinds.pk}/8/")
    assert phone.next().status_code == 422
    assert "Please answer this before you go on" in phone.text
    phone.send(go="back")
    assert phone.at.endswith("/7/")


@pytest.mark.parametrize(
    "text",
    [
        "Wort " * 4000,
        '<div hx-get="/api/notes/1" hx-trigger="load">',
        "{% debug %}{{ settings.SECRET_KEY }}",
        "\nfirst line empty,\n\nthen one more\n",
        "Ünïcödé 👩‍👩‍👧 عربى",
    ],
    ids=["long", "html", "template", "lines", "scripts"],
)
def test_words_are_kept_and_shown_to_the_letter(phone: Browser, mine: Intake, text: str) -> None:
    alone(phone, mine, "mood")
    pk = filling.assignment(mine, "mood").pk
    phone.get(f"/i/{pk}/3/")
    phone.next(words=text)
    kept = taking.answers_of(Response.objects.get(assignment=pk))["words"].value
    assert kept == text
    assert escape(text.strip()).replace("\n", "<br>") in phone.page
    phone.get(f"/i/{pk}/3/")
    assert phone.fields().sent["q-words"] == [text]


def save_json(phone: Browser, mine: Intake, path: str, body: str | bytes) -> Any:
    headers = {"X-Duet-Own": str(mine.pk)}
    return phone.client.post(path, body, content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        b'{"q-words": "a\\ud800"}',
        b'{"q-words": "a\\u0000"}',
        b'{"q-words": NaN}',
        b'{"q-words": "a", "q-words": "b"}',
        b'{"q-words": {"$gt": ""}}',
        b"[1, 2]",
        b"{",
        b"\xff",
        b'{"q-unknown": "a"}',
    ],
)
def test_json_that_leaves_open_what_was_meant_is_refused(
    phone: Browser, mine: Intake, body: bytes
) -> None:
    alone(phone, mine, "mood")
    path = f"/i/{filling.assignment(mine, 'mood').pk}/3/save/"
    assert save_json(phone, mine, path, body).status_code == 400
    assert not Response.objects.filter(assignment__slug="mood", revision__gt=0).exists()


def test_too_much_is_refused_before_it_is_read(phone: Browser, mine: Intake) -> None:
    alone(phone, mine, "mood")
    path = f"/i/{filling.assignment(mine, 'mood').pk}/3/"
    whole = {"own": str(mine.pk), "revision": "0"}
    mega = "a" * 1_048_577
    flood = {f"q-{number}": "a" for number in range(1001)}
    plain = "application/x-www-form-urlencoded"
    for data in ({"q-words": mega}, flood):
        for way in ("", "save/"):
            body = urlencode(whole | data)
            answer = phone.client.post(path + way, body, content_type=plain)
            assert answer.status_code in {400, 413}
    assert save_json(phone, mine, path + "save/", json.dumps({"q-words": mega})).status_code in {
        400,
        413,
    }
    assert not Response.objects.filter(assignment__slug="mood").exists()


# --- sending -------------------------------------------------------------------------------------


def test_sending_out_of_order_names_what_is_missing(
    phone: Browser, mine: Intake, kinds: Assignment
) -> None:
    opened(phone, mine)
    answer = phone.client.post(
        f"/i/{kinds.pk}/review/", {"own": str(mine.pk), "signed_name": "Ana Alder"}
    )
    assert answer.status_code == 422
    page = answer.content.decode()
    assert f'href="/i/{kinds.pk}/1/#id_q-who"' in page
    assert f'href="/i/{kinds.pk}/8/#id_q-agree"' in page
    assert 'value="Ana Alder"' in page


def ready(phone: Browser, mine: Intake, kinds: Assignment) -> str:
    opened(phone, mine)
    by = Actor.of_person(mine.person_id)
    kinds = filling.assignment(mine, "kinds")
    answering.save(assignment=kinds, values=WHOLE, revision=0, by=by, now=make.NOW)
    phone.get(f"/i/{kinds.pk}/review/")
    return f"/i/{kinds.pk}/"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"signed_name": ""}, 422),
        ({"signed_name": "  "}, 422),
        ({"signed_name": "Ana\nAlder"}, 422),
        ({"signed_name": "Ana", "signed_on": "2027-01-13"}, 400),
        ({"signed_name": ["Ana", "Ben"]}, 400),
    ],
    ids=["none", "blank", "lines", "date", "two"],
)
def test_an_unsigned_form_is_not_sent_and_the_date_is_the_servers(
    phone: Browser, mine: Intake, kinds: Assignment, sent: dict[str, Any], status: int
) -> None:
    ready(phone, mine, kinds)
    assert phone.send(sent).status_code == status
    assert not Response.objects.filter(assignment=kinds, sent_at__isnull=False).exists()


def test_thanks_come_after_sending_only(phone: Browser, mine: Intake, kinds: Assignment) -> None:
    path = ready(phone, mine, kinds)
    phone.get(f"{path}sent/")
    assert "Thank you" not in phone.text
    assert phone.at.startswith(path)
    assert Response.objects.get(assignment=kinds).sent_at is None


def test_nothing_of_what_was_sent_is_read_back_or_changed(
    phone: Browser, mine: Intake, kinds: Assignment
) -> None:
    path = ready(phone, mine, kinds)
    form = {"own": str(mine.pk), "revision": "9", "q-who": "Else", "q-born": "", "go": "next"}
    phone.send({"signed_name": "Ana Alder"})
    assert phone.at == f"{path}sent/"
    pages = [phone.page]
    for name in ("", "1/", "8/", "review/", "sent/", "1/help/"):
        phone.get(path + name)
        pages.append(phone.page)
    phone.get("/i/")
    pages.append(phone.page)
    assert phone.client.post(f"{path}1/", form).status_code == 409
    assert phone.client.post(f"{path}1/save/", form).json() == {"saved": False, "closed": True}
    again = phone.client.post(f"{path}review/", {"own": str(mine.pk), "signed_name": "Else"})
    assert (again.status_code, again["Location"]) == (302, f"{path}sent/")  # a second tap
    for page in pages:
        assert "Alder" not in page
        assert "Who?" not in page
    assert "Else" not in Response.objects.get(assignment=kinds).answers


def sent_elsewhere(kinds: Assignment) -> None:
    Assignment.objects.filter(pk=kinds.pk).update(state="sent", closed_at=make.NOW)


def withdrawn(kinds: Assignment) -> None:
    Assignment.objects.filter(pk=kinds.pk).update(state="withdrawn", closed_at=make.NOW)


def asked_anew(kinds: Assignment) -> None:
    Assignment.objects.filter(slug="private-check").update(state="open", closed_at=None)


def other_policy(kinds: Assignment) -> None:
    CasePolicy.objects.update(kind="no_secrets")


MEANWHILE = [sent_elsewhere, withdrawn, asked_anew, other_policy]


def meanwhile(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], object]) -> None:
    """It happens after the page has looked at the form, and before it has its lock."""
    write = getattr(answering, name)

    def late(**more: Any) -> Any:
        act()
        return write(**more)

    monkeypatch.setattr(answering, name, late)


@pytest.mark.parametrize("act", MEANWHILE)
@pytest.mark.parametrize("way", ["1/", "1/save/", "review/"])
def test_what_happens_between_the_look_and_the_lock_is_no_error(
    phone: Browser,
    mine: Intake,
    kinds: Assignment,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[Assignment], None],
    way: str,
) -> None:
    path = ready(phone, mine, kinds)
    if act is other_policy:
        # Then the words of today are no longer the ones that were accepted.
        assert taking.has_accepted(mine)
    meanwhile(monkeypatch, "send" if way == "review/" else "save", lambda: act(kinds))
    data = {"own": str(mine.pk)}
    more = {"signed_name": "Ana"} if way == "review/" else {"revision": "1", "q-who": "Else"}
    answer = phone.client.post(path + way, data | more)
    if way == "review/" and act is sent_elsewhere:
        assert (answer.status_code, answer["Location"]) == (302, f"{path}sent/")
    else:
        assert answer.status_code == 409
    if way == "1/save/":
        assert answer.json() == {"saved": False, "closed": True}
    assert taking.answers_of(Response.objects.get(assignment=kinds))["who"].value == "Ana"


@pytest.mark.parametrize("way", ["4/", "4/save/"])
def test_what_another_device_hid_meanwhile_is_refused(
    phone: Browser,
    mine: Intake,
    kinds: Assignment,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    path = ready(phone, mine, kinds)
    phone.get(f"{path}3/")
    phone.next(more="yes")
    write, by = answering.save, Actor.of_person(mine.person_id)

    def hide() -> None:
        given = filling.assignment(mine, "kinds")
        write(assignment=given, values={"more": "no"}, revision=9, by=by, now=make.NOW)

    meanwhile(monkeypatch, "save", hide)
    data = {"own": str(mine.pk), "revision": "2", "q-what": "hidden by now"}
    answer = phone.client.post(path + way, data)
    assert answer.status_code == 422
    assert "hidden by now" not in Response.objects.get(assignment=kinds).answers
    if way == "4/save/":
        assert answer.json() == {"saved": False, "hidden": True}


def test_what_another_device_took_away_meanwhile_is_named_as_missing(
    phone: Browser, mine: Intake, kinds: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ready(phone, mine, kinds)
    by = Actor.of_person(mine.person_id)

    def take_away() -> None:
        given = filling.assignment(mine, "kinds")
        answering.save(assignment=given, values={"who": ""}, revision=9, by=by, now=make.NOW)

    meanwhile(monkeypatch, "send", take_away)
    answer = phone.client.post(f"{path}review/", {"own": str(mine.pk), "signed_name": "Ana"})
    assert answer.status_code == 422
    assert f'href="{path}1/#id_q-who"' in answer.content.decode()


def test_a_review_asks_for_nothing_that_was_answered_before_it_was_hidden(
    phone: Browser, mine: Intake, kinds: Assignment
) -> None:
    path = ready(phone, mine, kinds)
    phone.get(f"{path}3/")
    phone.next(more="yes")
    phone.next(what="a word that goes")
    phone.get(f"{path}3/")
    phone.next(more="no")
    phone.get(f"{path}review/")
    assert "a word that goes" not in phone.page


# --- help, and whose pages they are --------------------------------------------------------------


def last_thought(phone: Browser, mine: Intake) -> str:
    """The page with the question whose answer asks for help at once."""
    alone(phone, mine, "phq-9")
    given = filling.assignment(mine, "phq-9")
    path = f"/i/{given.pk}/{filling.page_of(given, 'phq9_9')}/"
    phone.get(path)
    return path


def test_help_stands_before_what_comes_next(phone: Browser, mine: Intake) -> None:
    path = last_thought(phone, mine)
    said = {name: codes[1] for name, codes in phone.fields().choices.items()}
    phone.send(said, go="next")
    assert phone.at == f"{path}help/"
    assert "You don" in phone.text
    assert Flag.objects.filter(person=mine.person_id).exists()  # before anything is sent
    phone.get(path)
    phone.send({"helped": "yes"}, go="next")  # a script has shown it already
    assert not phone.at.endswith("/help/")


def test_a_program_hears_at_once_that_help_is_to_be_shown(phone: Browser, mine: Intake) -> None:
    path = last_thought(phone, mine)
    for said, helps in ((0, False), (1, True), (1, True)):
        form = phone.fields()
        answer = phone.client.post(
            f"{path}save/", {**form.sent, "q-phq9_9": form.choices["q-phq9_9"][said]}
        )
        assert answer.json()["help"] is helps
        phone.get(path)


def test_two_in_one_browser_never_act_on_the_other_ones_forms(
    phone: Browser, mine: Intake, case: Case, ben: Person
) -> None:
    his = filling.give(case, ben)
    into(phone, mine, "private-check")
    her_page, path = phone.fields().sent, phone.at
    into(phone, his, "private-check")
    assert phone.at != path
    answer = phone.client.post(path, {**her_page, "q-S1": "yes", "go": "next"})
    assert answer.status_code == 404
    own = {**her_page, "own": str(his.pk)}
    before = Response.objects.count()
    for way in ("", "save/"):
        assert phone.client.post(path + way, {**own, "q-S1": "yes"}).status_code == 404
    for name in ("", "review/", "sent/"):
        assert phone.get(path.removesuffix("1/") + name).status_code == 404
    assert Response.objects.count() == before


def test_leaving_forgets_whose_forms_they_were(phone: Browser, mine: Intake, iris: Any) -> None:
    opened(phone, mine)
    phone.client.get("/exit/")
    assert phone.get("/i/").status_code == 404
    phone.client.force_login(iris.member.user)  # a member's own session goes on
    opened(phone, mine)
    phone.client.get("/exit/")
    assert phone.get("/i/").status_code == 404


def test_pages_and_questions_speak_the_persons_language(
    phone: Browser, shipped: None, iris: Any
) -> None:
    chris = make.chris()
    his = filling.give(make.case(chris, counselor=iris), chris)
    opened(phone, his)
    assert phone.answer["Content-Language"] == "es"
    assert "Unas preguntas para usted" in phone.text
    filling.accept(his)
    phone.get(f"/i/{filling.assignment(his, 'private-check').pk}/")
    assert "¿Está en un lugar privado" in phone.text
    assert 'lang="es"' in phone.page


def test_the_practices_words_stand_with_the_forms(
    phone: Browser, mine: Intake, case: Case, ana: Person, ben: Person
) -> None:
    review = make.review(case)
    make.review_step(review, kind="asked", words="Please add <your> goals.", person=ana)
    make.review_step(
        review, kind="asked", words="for Ben alone", person=ben, now=make.NOW + timedelta(hours=1)
    )
    opened(phone, mine)
    assert "Please add &lt;your&gt; goals." in phone.page
    assert "Ben" not in phone.page


def test_each_part_says_first_who_will_see_it(phone: Browser, mine: Intake) -> None:
    alone(phone, mine, "cycle-reflection")
    assert "Who will see this" in phone.text
    assert "only if each of you agrees" in phone.text
    phone.next(**{"P1.self": "1"})
    assert "Who will see this" not in phone.text  # the same part


def test_pages_take_few_statements_however_long_the_form(
    phone: Browser, mine: Intake, django_assert_max_num_queries: Any
) -> None:
    alone(phone, mine, "cycle-reflection")
    pk = filling.assignment(mine, "cycle-reflection").pk
    for path, most in (("/i/", 6), (f"/i/{pk}/2/", 9), (f"/i/{pk}/review/", 9)):
        with django_assert_max_num_queries(most):
            assert phone.client.get(path).status_code == 200
    filling.save(filling.assignment(mine, "cycle-reflection"))
    for path, most in (("/i/", 6), (f"/i/{pk}/2/", 9), (f"/i/{pk}/review/", 9)):
        with django_assert_max_num_queries(most):
            assert phone.client.get(path).status_code == 200
    phone.get(f"/i/{pk}/2/")
    data = {**phone.fields().sent, "q-W1.self": "4"}
    with django_assert_max_num_queries(19):
        assert phone.client.post(f"/i/{pk}/2/save/", data).status_code == 200
