"""What clients ask about their record, at the desk: who sees it, and what becomes of it."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clients.actions import access
from clients.models import AuditEntry, Case, DataKey, DataRequest, Member, Person
from clients.queries import data_requests
from practice.actions import erasure
from practice.models import Appointment, Counselor, Practice, Service
from practice.templatetags import duet_access, duet_portal
from tests import factories as make
from tests.factories import NOW, SYSTEM
from tests.practice.views import portal_walk, walk
from tests.practice.views.conftest import SetClock

pytestmark = pytest.mark.django_db

PAGE = "/desk/requests/"
DAY = timedelta(days=1)


def signed_in(member: Member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def ask(person: Person, kind: str = "copy", *, days_ago: int = 0) -> DataRequest:
    return access.ask_about_record(
        person=person, kind=DataRequest.Kind(kind), by=SYSTEM, now=NOW - days_ago * DAY
    )


def one_line(client: Client) -> str:
    response = client.get(PAGE)
    assert response.status_code == 200
    return " ".join(walk.text(response).split())


@pytest.fixture
def sam(practice: Practice) -> Client:
    return signed_in(make.front_desk())


@pytest.fixture
def ana(practice: Practice) -> Person:
    return make.ana()


@pytest.fixture
def enquiry(ana: Person, iris: Counselor) -> Case:
    """Ana's, which came to nothing yet."""
    return make.case(ana, counselor=iris)


# --- who sees what -------------------------------------------------------------------------------


def test_nothing_asked(sam: Client) -> None:
    assert "Nobody waits for an answer." in one_line(sam)
    assert "Answered last" not in one_line(sam)


def test_the_oldest_comes_first_with_its_days(sam: Client, ana: Person, enquiry: Case) -> None:
    ben, chris = make.ben(), make.chris()
    make.case(ben)
    make.case(chris)
    ask(chris, days_ago=1)
    ask(ana)
    ask(ben, "erasure", days_ago=12)
    page = one_line(sam)
    names = ("Ben Birch: Erasure", "Chris Cedar: A copy", "Ana Alder: A copy")
    assert sorted(names, key=page.index) == list(names)
    for words in ("waits for 12 days", "waits for a day", "asked today"):
        assert page.count(words) == 1
    assert f"manage.py person erase {ben.pk} --reason asked-for" in page
    assert f"manage.py person export {ana.pk}" in page


@pytest.mark.parametrize(
    ("at", "words"),
    [(make.at(0, "23:30"), "asked today"), (make.at(1, "00:30"), "waits for a day")],
)
def test_days_are_the_practices_own(
    ana: Person, enquiry: Case, clock: SetClock, at: datetime, words: str
) -> None:
    """Late on Monday in New York it is Tuesday in UTC: nobody waits for a day yet."""
    ask(ana)
    clock(at)
    assert words in one_line(signed_in(make.front_desk()))


@pytest.mark.parametrize("roles", [[], ["counselor"], ["supervisor"], ["reviewer"]])
def test_without_the_right_nobody_comes_in(
    ana: Person, enquiry: Case, iris: Counselor, roles: list[str]
) -> None:
    row = ask(ana)
    client = signed_in(make.member("zoe", roles=roles))
    assert client.get(PAGE).status_code == 403
    answered = client.post(f"{PAGE}{row.pk}/answer/", {"answer": "handed_over"})
    assert answered.status_code == 403
    assert PAGE not in walk.text(client.get("/desk/"))
    # Not even whose case it is.
    assert signed_in(iris.member).get(PAGE).status_code == 403
    row.refresh_from_db()
    assert row.answered_at is None


def test_of_a_restricted_client_nothing_is_there(ana: Person, enquiry: Case, sam: Client) -> None:
    row, absent = ask(ana), "00000000-0000-0000-0000-000000000007"
    Case.objects.filter(pk=enquiry.pk).update(restricted_at=NOW)
    assert "Ana Alder" not in one_line(sam)
    sent = {"answer": "handed_over"}
    forbidden = sam.post(f"{PAGE}{row.pk}/answer/", sent)
    missing = sam.post(f"{PAGE}{absent}/answer/", sent)
    assert forbidden.status_code == missing.status_code == 404
    assert walk.text(forbidden) == walk.text(missing)
    DataRequest.objects.update(answered_at=NOW, answer="handed_over")
    assert "Ana Alder" not in one_line(sam), "nor once it is answered"


def test_whom_the_page_shows_is_on_record(sam: Client, ana: Person, enquiry: Case) -> None:
    ask(ana)
    one_line(sam)
    assert AuditEntry.objects.get(verb="request.read").person_id == ana.pk


# --- what stands in the way ----------------------------------------------------------------------


@pytest.fixture
def seen(iris: Counselor, talk: Service, ana: Person) -> Appointment:
    """Ana came last week."""
    return make.appointment(iris, talk, ana, start=make.at(-7), state=Appointment.State.DONE)


def close(case: Case | None) -> None:
    assert case is not None
    Case.objects.filter(pk=case.pk).update(state=Case.State.CLOSED, closed_at=NOW)


def test_nothing_stands_in_the_way_of_an_enquiry(sam: Client, ana: Person, enquiry: Case) -> None:
    ask(ana, "erasure")
    assert "Nothing stands in the way of an erasure today." in one_line(sam)


def test_an_appointment_to_come_stands_in_the_way(
    sam: Client, ana: Person, iris: Counselor, talk: Service
) -> None:
    make.appointment(iris, talk, ana, start=make.at(2))
    ask(ana, "erasure")
    assert "an appointment is still to come. Cancel it first." in one_line(sam)


def test_an_open_case_stands_in_the_way(sam: Client, ana: Person, seen: Appointment) -> None:
    ask(ana, "erasure")
    assert "a case is still open. Close it first." in one_line(sam)


def test_the_time_to_keep_it_stands_in_the_way_until_it_is_over(
    sam: Client, ana: Person, seen: Appointment, clock: SetClock
) -> None:
    close(seen.case)
    ask(ana, "erasure")
    assert "the record is to be kept until Sunday 11 January 2037." in one_line(sam)
    clock(NOW + 3654 * DAY)
    later = signed_in(make.front_desk("sue"))
    assert "Nothing stands in the way" in one_line(later)


def test_a_partners_appointment_stands_in_nobody_elses_way(
    sam: Client, ana: Person, iris: Counselor, talk: Service
) -> None:
    """What each of them meets is their own: Ana came alone as well, Ben never."""
    ben = make.ben()
    make.appointment(iris, talk, ana, start=make.at(2))
    make.case(ben)
    ask(ana, "erasure")
    ask(ben, "erasure")
    page = one_line(sam)
    assert page.count("an appointment is still to come") == 1
    assert page.count("Nothing stands in the way") == 1


# --- answering -----------------------------------------------------------------------------------


def test_an_answer_is_put_down_and_told(sam: Client, ana: Person, enquiry: Case) -> None:
    row = ask(ana)
    desk = walk.text(sam.get("/desk/"))
    assert f'<a href="{PAGE}">A client asks for a copy' in desk
    response = sam.post(f"{PAGE}{row.pk}/answer/", {"answer": "handed_over"})
    assert response["Location"] == PAGE
    page = one_line(sam)
    assert "Nobody waits for an answer." in page
    assert "The copy was handed over, Sam" in page
    assert "A client asks for a copy" not in walk.text(sam.get("/desk/"))
    portal = portal_walk.prove(ana)
    assert "handed over to you" in walk.text(portal.get("/portal/requests/"))


@pytest.mark.parametrize(
    ("kind", "sent", "status"),
    [
        ("copy", {}, 422),
        ("copy", {"answer": ""}, 422),
        ("copy", {"answer": "kept_by_law"}, 422),
        ("erasure", {"answer": "erased"}, 422),
        ("erasure", {"answer": "handed_over"}, 422),
        ("erasure", {"answer": "nonsense\x00"}, 422),
        ("copy", {"answer": ["handed_over", "withdrawn"]}, 400),
        ("copy", {"answer": "handed_over", "answered_at": "2020-01-01"}, 400),
    ],
)
def test_what_doesnt_fit_is_refused(
    sam: Client, ana: Person, enquiry: Case, kind: str, sent: dict[str, str], status: int
) -> None:
    row = ask(ana, kind)
    response = sam.post(f"{PAGE}{row.pk}/answer/", sent)
    assert response.status_code == status
    assert "Ana Alder" in walk.text(response)
    row.refresh_from_db()
    assert row.answered_at is None


def test_what_is_answered_already_says_so(sam: Client, ana: Person, enquiry: Case) -> None:
    row = ask(ana)
    path = f"{PAGE}{row.pk}/answer/"
    sam.post(path, {"answer": "withdrawn"})
    response = sam.post(path, {"answer": "handed_over"})
    assert response.status_code == 422
    assert "That was answered already." in walk.text(response)
    assert sam.get(path).status_code == 405
    row.refresh_from_db()
    assert row.answer == "withdrawn"


def test_two_answer_at_once_and_the_second_is_told(
    sam: Client, ana: Person, enquiry: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's look comes before the other's answer, the action's under the lock after it."""
    row = ask(ana)
    found = data_requests.one

    def late(*args: object) -> DataRequest | None:
        seen = found(*args)  # type: ignore[arg-type]
        access.answer_request(request=row, answer="withdrawn", by=SYSTEM, now=NOW)
        return seen

    monkeypatch.setattr(data_requests, "one", late)
    response = sam.post(f"{PAGE}{row.pk}/answer/", {"answer": "handed_over"})
    assert response.status_code == 422
    assert "That was answered already." in walk.text(response)


def test_an_erasure_answers_by_itself(sam: Client, ana: Person, enquiry: Case) -> None:
    ask(ana, "erasure")
    erasure.erase(person=ana, reason="asked-for", by=SYSTEM, now=NOW)
    page = one_line(sam)
    assert "Nobody waits for an answer." in page
    assert "Erased person" in page
    assert "The record is erased" in page
    assert "A client asks for a copy" not in walk.text(sam.get("/desk/"))


def test_of_whoever_is_erased_that_is_the_only_answer(
    sam: Client, ana: Person, enquiry: Case
) -> None:
    row = ask(ana, "erasure")
    DataKey.objects.filter(pk=ana.key_id).update(wrapped=None, destroyed_at=NOW)
    page = one_line(sam)
    assert "This person is erased." in page
    assert page.count('type="radio"') == 1
    assert "Nothing stands in the way" not in page
    path = f"{PAGE}{row.pk}/answer/"
    assert sam.post(path, {"answer": "kept_by_law"}).status_code == 422
    assert sam.post(path, {"answer": "erased"}).status_code == 302


def test_every_answer_has_words_for_the_desk_and_for_the_client() -> None:
    for code in ("handed_over", "erased", "kept_by_law", "withdrawn", "not_their_record"):
        assert duet_access.answer_words(code) != code
        assert duet_portal.request_answer_words(code) not in {code, "answered: please ask us"}
    # What was put down before there was a list.
    assert duet_portal.request_answer_words("done") == "answered: please ask us"


# --- how much it takes ---------------------------------------------------------------------------


def test_it_takes_as_many_statements_for_many_as_for_few(
    sam: Client, ana: Person, iris: Counselor, talk: Service
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as ran:
            assert sam.get(PAGE).status_code == 200
        return len(ran)

    make.appointment(iris, talk, ana, make.ben(), start=make.at(1))
    ask(ana, "erasure")
    few = statements()
    for number in range(4):
        person = make.person(name=f"Robin {number}")
        make.appointment(iris, talk, person, start=make.at(2 + 7 * number))
        ask(person)
        ask(person, "erasure")
    assert statements() == few


def test_more_than_a_page_holds_says_so(
    sam: Client, ana: Person, enquiry: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_requests, "SHOWN", 1)
    ask(ana)
    assert "There are more than fit here" not in one_line(sam)
    ask(ana, "erasure", days_ago=1)
    page = one_line(sam)
    assert "There are more than fit here" in page
    assert "Ana Alder: Erasure" in page
    assert "Ana Alder: A copy" not in page
