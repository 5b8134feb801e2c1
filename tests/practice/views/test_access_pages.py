"""Who looked, by the week; what a member must be told, on their desk; and what the mail says."""

from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from clients.actions import audit, notices
from clients.actions import reading as acts
from clients.models import AuditEntry, BreakGlass, Case, Member, Notice, Person
from clients.queries import reading
from practice.models import Counselor, Practice
from practice.rules import neutral
from practice.tasks import tell_members
from tests import factories as make
from tests import smtp_peer
from tests.clients.message_cast import talk_to
from tests.factories import NOW, SYSTEM
from tests.practice.views import walk
from tests.practice.views.conftest import SetClock
from tests.smtp_peer import Peer

pytestmark = pytest.mark.django_db

KINDS = {
    *("glass_broken", "unusual_reading", "access_report", "data_request", "record_unreadable"),
    *("case_given", "case_taken", "care_added", "care_ended"),
}


def signed_in(member: Member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def opened(who: Member, case: Case, *persons: Person, verb: str = "case.read") -> None:
    audit.record_reads(
        verb=verb, persons=[(one.pk, case.pk) for one in persons], by=who.as_actor(), now=NOW
    )


@pytest.fixture
def ana(practice: Practice) -> Person:
    return make.ana()


@pytest.fixture
def case(iris: Counselor, ana: Person) -> Case:
    return make.case(ana, make.ben(), counselor=iris)


# --- who looked ----------------------------------------------------------------------------------


def test_a_counselor_sees_who_looked_at_their_own_and_nothing_of_others(
    iris: Counselor, case: Case, ana: Person
) -> None:
    sam, chris = make.front_desk(), make.chris()
    opened(sam, case, ana)
    opened(sam, case, ana, verb="diary.read")
    opened(sam, make.case(chris, counselor=make.counselor("theo")), chris)
    page = walk.text(signed_in(iris.member).get("/desk/access/"))
    assert "Sam" in page
    assert "Ana Alder" in page
    assert "opened once · once in a list" in " ".join(page.split())
    assert "Chris Cedar" not in page
    assert "The whole practice" not in page


def test_seeing_who_looked_is_looking(iris: Counselor, case: Case, ana: Person) -> None:
    opened(make.front_desk(), case, ana)
    signed_in(iris.member).get("/desk/access/")
    entry = AuditEntry.objects.get(verb="access.read")
    assert (entry.actor_id, entry.person_id, entry.case_id) == (iris.member_id, ana.pk, case.pk)


def test_an_admin_sees_totals_and_no_client(case: Case, ana: Person) -> None:
    olive, sam = make.admin(), make.front_desk()
    opened(sam, case, ana)
    page = " ".join(walk.text(signed_in(olive).get("/desk/access/")).split())
    assert "opened 1 client beside their own · 0 in lists" in page
    assert "Ana Alder" not in page
    Case.objects.filter(pk=case.pk).update(restricted_at=NOW)
    assert "opened 1 client" not in walk.text(signed_in(olive).get("/desk/access/"))


def test_what_was_unusual_is_seen_by_the_others(case: Case, clock: SetClock) -> None:
    olive, paul = make.admin(), make.admin("paul")
    shown = [(uuid4(), case.pk) for _ in range(31)]
    audit.record_reads(verb="case.read", persons=shown, by=olive.as_actor(), now=NOW)
    acts.watch(by=SYSTEM, now=NOW + timedelta(minutes=1))
    sentence = "opened 31 clients' records in a short time"
    assert sentence in walk.text(signed_in(paul).get("/desk/access/"))
    assert sentence not in walk.text(signed_in(olive).get("/desk/access/"))


def test_weeks_go_back_and_not_ahead(iris: Counselor, case: Case, ana: Person) -> None:
    opened(make.front_desk(), case, ana)
    own = signed_in(iris.member)
    this = walk.text(own.get("/desk/access/"))
    assert "?week=2027-01-04" in this
    assert "?week=2027-01-18" not in this
    before = walk.text(own.get("/desk/access/?week=2027-01-06"))
    assert "?week=2027-01-11" in before
    assert "Ana Alder" not in before
    for week in ("2027-02-01", "9999-12-31", "yesterday", "2027-02-31", "0001-01-01"):
        assert own.get("/desk/access/", {"week": week}).status_code == 200


def test_the_page_takes_as_many_statements_for_many_as_for_few(
    iris: Counselor, case: Case, ana: Person
) -> None:
    own = signed_in(iris.member)

    def statements() -> int:
        with CaptureQueriesContext(connection) as ran:
            assert own.get("/desk/access/").status_code == 200
        return len(ran)

    opened(make.front_desk(), case, ana)
    few = statements()
    for number in range(5):
        person = make.person(name=f"Robin {number}")
        opened(make.reviewer(f"rita{number}"), make.case(person, counselor=iris), person)
    assert statements() == few


# --- on the desk ---------------------------------------------------------------------------------


def tell(member: Member, kind: str, subject: tuple[str, object]) -> None:
    with transaction.atomic():
        notices.tell(
            members=[member],
            kind=kind,
            subject_kind=subject[0],
            subject_id=subject[1],  # type: ignore[arg-type]
            by=SYSTEM,
            now=NOW,
        )


def test_every_kind_has_a_sentence_of_its_own_that_names_nobody(
    iris: Counselor, case: Case
) -> None:
    for kind in sorted(KINDS):
        tell(iris.member, kind, ("case", case.pk))
    page = walk.text(signed_in(iris.member).get("/desk/"))
    assert f'<a href="#notices"><b>{len(KINDS)}</b>' in page
    assert "There is something to look at." not in page
    assert page.count("I have taken note") == len(KINDS)
    assert "Ana Alder" not in page


@pytest.mark.parametrize("about", ["case", "glass", "week", "finding"])
def test_a_notice_leads_to_what_it_is_about(iris: Counselor, case: Case, about: str) -> None:
    glass = BreakGlass.objects.create(
        case=case,
        member=make.supervisor(),
        reason="why",
        opened_at=NOW,
        ends_at=NOW + timedelta(hours=1),
    )
    subject, kind, url = {
        "case": (case.pk, "case_given", f"/desk/cases/{case.pk}/"),
        "glass": (glass.pk, "glass_broken", f"/desk/cases/{case.pk}/"),
        "week": (
            reading.week_id(reading.week_of(NOW.date())),
            "access_report",
            "/desk/access/?week=2027-01-11",
        ),
        "finding": (uuid4(), "unusual_reading", "/desk/access/#unusual"),
    }[about]
    tell(iris.member, kind, (about, subject))
    assert f'<a href="{url}">' in walk.text(signed_in(iris.member).get("/desk/"))


def test_taking_note_takes_it_off_ones_own_desk(iris: Counselor, case: Case) -> None:
    tell(iris.member, "case_given", ("case", case.pk))
    row = Notice.objects.get()
    path = f"/desk/notices/{row.pk}/seen/"
    assert signed_in(make.admin()).post(path).status_code == 404
    own = signed_in(iris.member)
    assert own.get(path).status_code == 405
    assert "For you to know" in walk.text(own.get("/desk/"))
    assert own.post(path)["Location"] == "/desk/"
    assert "For you to know" not in walk.text(own.get("/desk/"))
    assert own.post(path).status_code == 404


# --- the mail ------------------------------------------------------------------------------------


@pytest.fixture
def peer(settings: Settings) -> Iterator[Peer]:
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        yield peer


def _told(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    html = letter.get_body(("html",))
    assert body is not None
    assert html is not None
    return f"{letter['From']} {letter['Subject']} {body.get_content()} {html.get_content()}"


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_mail_says_nothing_of_what_it_is_about(
    practice: Practice, iris: Counselor, case: Case, peer: Peer, language: str
) -> None:
    practice.language = language
    practice.save(update_fields=["language"])
    iris.member.user.email = "iris@practice.example.org"
    iris.member.user.save(update_fields=["email"])
    for kind in sorted(KINDS):
        tell(iris.member, kind, ("case", case.pk))
    assert tell_members() == {"told": 1, "later": 0, "given_up": 0}
    (letter,) = peer.taken
    told = _told(letter)
    assert "Elm Street <" in told
    assert "/desk/" in told
    assert not neutral.reveals(told.replace("http://", ""))
    for word in ("Ana", "Alder", str(case.pk), "Iris", "glass", "unusual", "report"):
        assert word not in told
    assert letter["Auto-Submitted"] == "auto-generated"


def test_without_a_practice_there_is_nobody_to_write_for(db: None) -> None:
    assert tell_members() == {}
