"""The caseload, a case's page and who cares for it: by every role, and by whoever has none."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clients.actions import care
from clients.models import AuditEntry, CareRelation, Case, Member
from clients.models.people import CaseQuerySet, PersonQuerySet
from clients.queries import reading
from practice.models import Appointment, Counselor, Practice, Service
from tests import factories as make
from tests.practice.views import walk
from tests.practice.views.conftest import WORDS
from tests.practice.views.test_desk import NEW, hand, signed_in
from tests.practice.views.walk import case_page as address
from tests.practice.views.walk import relate

pytestmark = pytest.mark.django_db

START = make.at(1, "10:00")
CANARIES = ("Ana Alder", "Ben Birch", "Alder", "ana@example.org", "2015550101", WORDS)


def find(client: Client, text: str) -> Any:
    return client.post("/desk/cases/", {"q": text})


# --- the list ------------------------------------------------------------------------------------


def test_who_comes_next_stands_first_and_who_does_not_come_stands_last(
    iris: Counselor, talk: Service, olive: Member
) -> None:
    make.case(make.person(name="Nobody Booked"), counselor=iris)
    make.appointment(iris, talk, make.person(name="Later Larch"), start=make.at(3))
    soon = make.appointment(iris, talk, make.person(name="Soon Spruce"), start=make.at(1))
    make.appointment(iris, talk, make.person(name="Gone Gorse"), start=make.at(-7), state="done")
    make.appointment(iris, talk, make.person(name="Off Oak"), start=make.at(2), state="cancelled")
    make.appointment(iris, talk, case=soon.case, start=make.at(8))
    page = walk.text(signed_in(olive).get("/desk/cases/"))
    names = re.findall(r"(Nobody|Later|Soon|Gone|Off) ", page.split("</h1>")[1])
    assert names[:2] == ["Soon", "Later"]
    assert set(names[2:]) == {"Nobody", "Gone", "Off"}
    assert page.count("nothing booked") == 3


def test_a_counselor_sees_their_own_and_those_they_care_for(
    iris: Counselor, theo: Counselor, talk: Service, case: Case
) -> None:
    dana = make.appointment(theo, talk, make.dana(), start=START)
    own = signed_in(iris.member)
    for show in ("", "?show=mine", "?show=all"):
        page = walk.text(own.get(f"/desk/cases/{show}"))
        assert "Ana Alder" in page
        assert "Dana" not in page
    assert dana.case is not None
    relate(dana.case, iris.member, "co_counselor")
    assert "Dana" in walk.text(own.get("/desk/cases/"))
    assert "Dana" in walk.text(own.get("/desk/"))


@pytest.mark.parametrize("role", ["front_desk", "reviewer", "admin"])
def test_who_sees_the_diary_may_know_of_every_case(role: str, case: Case) -> None:
    client = signed_in(make.member(role, roles=[role]))
    page = walk.text(client.get("/desk/cases/"))
    assert "Ana Alder" in page
    assert "Ben Birch" in page
    assert WORDS not in page
    assert "Ana Alder" not in walk.text(client.get("/desk/cases/?show=mine"))


def test_a_supervisor_sees_the_cases_that_they_supervise(case: Case, practice: Practice) -> None:
    uma = make.supervisor()
    client = signed_in(uma)
    assert "will stand here" in walk.text(client.get("/desk/cases/"))
    relate(case, uma, "supervisor")
    assert "Ana Alder" in walk.text(client.get("/desk/cases/"))
    assert "Ana Alder" in walk.text(client.get("/desk/"))


@pytest.mark.parametrize(
    "text", ["ana", "ALDER ana", "ana@EXAMPLE.org", "+1 201 555 0101", "201-555-0101"]
)
def test_a_case_is_found_by_name_address_or_number(olive: Member, case: Case, text: str) -> None:
    make.case(make.dana())
    page = walk.text(find(signed_in(olive), text))
    assert "Ana Alder" in page
    assert "Dana" not in page


@pytest.mark.parametrize(
    "text", ["al", "ana birch", "x@example", "@", "12", "%", "+1 201 555 0199"]
)
def test_what_finds_nobody_says_so(olive: Member, case: Case, text: str) -> None:
    answer = find(signed_in(olive), text)
    assert answer.status_code == 200
    assert "Nobody was found" in walk.text(answer)
    assert "Ana Alder" not in walk.text(answer)


def test_in_an_empty_practice_nobody_is_found_and_the_first_step_is_offered(
    olive: Member,
) -> None:
    client = signed_in(olive)
    assert "Nobody was found" in walk.text(find(client, "ana"))
    page = walk.text(client.get("/desk/cases/"))
    assert "begins with a booking" in page
    assert 'href="/desk/book/"' in page
    reviewer = signed_in(make.reviewer())
    assert 'href="/desk/book/"' not in walk.text(reviewer.get("/desk/cases/"))


@pytest.mark.parametrize("text", ["", "\x00", "a\nb", "x" * 201])
def test_a_search_that_is_none_is_refused(olive: Member, text: str) -> None:
    assert find(signed_in(olive), text).status_code == 422


def test_a_search_takes_its_own_field_and_stays_out_of_the_address(
    olive: Member, case: Case
) -> None:
    client = signed_in(olive)
    assert client.post("/desk/cases/", {"q": "ana", "counselor": "iris"}).status_code == 400
    # By address nothing is searched for: all are there.
    make.case(make.dana())
    assert "Dana" in walk.text(client.get("/desk/cases/?q=ana"))


@pytest.mark.parametrize("number", ["0", "-1", "x", "99999999999", "٣", "1.5", "\x00", ""])
def test_a_page_that_is_none_is_the_first(olive: Member, case: Case, number: str) -> None:
    assert "Ana Alder" in walk.text(signed_in(olive).get("/desk/cases/", {"page": number}))


def test_fifty_stand_on_a_page(olive: Member, iris: Counselor) -> None:
    for _ in range(51):
        make.case(make.ana(), counselor=iris)
    client = signed_in(olive)
    first = walk.text(client.get("/desk/cases/"))
    assert first.count("Ana Alder") == 50
    assert "page=2" in first
    assert walk.text(client.get("/desk/cases/?page=2")).count("Ana Alder") == 1
    assert "no more cases" in walk.text(client.get("/desk/cases/?page=3"))


def test_the_pages_take_as_many_statements_for_many_as_for_few(
    olive: Member, iris: Counselor, talk: Service, couple: Appointment, case: Case
) -> None:
    client = signed_in(olive)

    def statements(path: str) -> int:
        client.get(path)
        with CaptureQueriesContext(connection) as caught:
            assert client.get(path).status_code == 200
        return len(caught)

    pages = ("/desk/cases/", address(case), address(case, "care/"))
    few = [statements(path) for path in pages]
    for day in range(2, 6):
        make.appointment(iris, talk, make.ana(), make.ben(), start=make.at(day))
        make.appointment(
            iris, talk, *(one.person for one in couple.attendances.all()),
            case=case, start=make.at(day, "13:00"),
        )  # fmt: skip
        relate(case, make.member(f"m{day}", roles=["counselor"]), "co_counselor")
    assert [statements(path) for path in pages] == few
    assert few <= [8, 16, 11]


# --- cases of others ------------------------------------------------------------------------------

SURE = ("ana alder", "Alder, Ana".replace(",", ""), "ana@example.org", "+1 201 555 0101")
OTHERS = "A case of Iris, opened 11 Jan 2027"


def shown(answer: Any) -> str:
    """The page, but for what the searcher wrote, which stands in the field."""
    return re.sub(r'(name="q") value="[^"]*"', r"\1", walk.text(answer))


@pytest.mark.parametrize("text", SURE)
@pytest.mark.parametrize("role", ["counselor", "supervisor"])
def test_who_may_break_the_glass_finds_the_case_of_a_colleague_and_no_name(
    role: str, case: Case, text: str
) -> None:
    client = signed_in(make.member(role, roles=[role]))
    page = shown(find(client, text))
    assert "Cases of others" in page
    assert page.count(OTHERS) == 1
    assert f'href="{address(case, "open/")}"' in page
    assert f'href="{address(case)}"' not in page
    assert not any(canary in page for canary in (*CANARIES, "Ben", "ben@"))


@pytest.mark.parametrize("text", ["ana", "Alder", "ana ana", "ANA ana", "ana birch", "ana al"])
def test_nobody_is_found_by_one_word_or_by_a_word_too_many(
    case: Case, theo: Counselor, text: str
) -> None:
    page = shown(find(signed_in(theo.member), text))
    assert OTHERS not in page
    assert "by two words of the name" in page
    assert not AuditEntry.objects.filter(verb="search.read").exists()


@pytest.mark.parametrize("role", ["front_desk", "reviewer", "admin"])
def test_who_knows_of_all_cases_has_no_second_list(role: str, case: Case) -> None:
    client = signed_in(make.member(role, roles=[role]))
    for text in SURE:
        page = shown(find(client, text))
        assert "Cases of others" not in page
        assert "Ana Alder" in page
        Case.objects.update(restricted_at=make.NOW)
        page = shown(find(client, text))
        assert "Cases of others" not in page
        assert not any(canary in page for canary in CANARIES)
        Case.objects.update(restricted_at=None)


def test_a_case_that_one_knows_of_stands_in_the_first_list_alone(
    case: Case, theo: Counselor
) -> None:
    relate(case, theo.member, "named")
    page = walk.text(find(signed_in(theo.member), "ana alder"))
    assert "Ana Alder" in page
    assert OTHERS not in page


def test_nobody_is_found_who_has_a_restricted_case_whatever_other_case_they_have(
    case: Case, couple: Appointment, theo: Counselor, iris: Counselor
) -> None:
    ana, ben = (couple.attendances.get(role=role).person for role in ("booker", "partner"))
    alone = make.case(ana, counselor=iris)
    own = signed_in(theo.member)
    assert shown(find(own, "ana alder")).count(OTHERS) == 2, "the control"
    care.restrict(case=alone, by=iris.member.as_actor(), now=make.NOW)
    assert OTHERS not in shown(find(own, "ana alder"))
    # Her partner has no case that is restricted: the one that both are part of is found by him.
    assert shown(find(own, ben.name)).count(OTHERS) == 1
    care.restrict(case=case, by=iris.member.as_actor(), now=make.NOW)
    for text in (*SURE, ben.name):
        assert OTHERS not in shown(find(own, text))


def test_of_whoever_has_left_the_couple_its_case_is_not_found(
    case: Case, couple: Appointment, theo: Counselor
) -> None:
    member = couple.attendances.get(role="booker").person.couples.get()
    member.left_at = member.joined_at
    member.save(update_fields=["left_at"])
    own = signed_in(theo.member)
    assert OTHERS not in shown(find(own, "ana alder"))
    assert OTHERS in shown(find(own, "ben birch"))


def test_looking_for_somebody_elses_client_is_on_record_for_each_found(
    case: Case, couple: Appointment, theo: Counselor
) -> None:
    own = signed_in(theo.member)
    find(own, "ana alder")
    ana = couple.attendances.get(role="booker").person_id
    entry = AuditEntry.objects.get(actor_id=theo.member_id, verb__endswith=".read")
    assert (entry.verb, entry.person_id, entry.case_id) == ("search.read", ana, case.pk)
    seen = reading.looks(make.NOW - timedelta(hours=1), make.NOW + timedelta(hours=1))
    (look,) = seen[theo.member_id]
    assert (look.person, look.cares) == (ana, False)


def test_ten_cases_of_others_at_most_are_told_of_and_put_on_record(
    iris: Counselor, theo: Counselor
) -> None:
    for day in range(12):
        make.case(make.ana(), counselor=iris, now=make.at(-day))
    page = shown(find(signed_in(theo.member), "ana alder"))
    assert page.count("A case of Iris") == 10
    assert "opened 11 Jan 2027" in page
    assert "opened 31 Dec 2026" not in page
    assert AuditEntry.objects.filter(verb="search.read").count() == 10


def test_without_its_guard_the_second_list_would_show_a_restricted_case(
    case: Case, theo: Counselor, iris: Counselor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the tests above: the case is found where nothing keeps it back."""
    care.restrict(case=case, by=iris.member.as_actor(), now=make.NOW)
    own = signed_in(theo.member)
    assert OTHERS not in shown(find(own, "ana alder"))
    monkeypatch.setattr(CaseQuerySet, "breakable_by", lambda rows, _actor: rows)
    assert OTHERS not in shown(find(own, "ana alder")), "the persons are kept back, too"
    monkeypatch.setattr(PersonQuerySet, "not_hidden_from", lambda rows, _actor: rows)
    assert OTHERS in shown(find(own, "ana alder"))


# --- one case ------------------------------------------------------------------------------------


def test_who_cares_for_a_case_reads_it(iris: Counselor, case: Case, olive: Member) -> None:
    uma, theo = make.supervisor(), make.counselor("theo").member
    relate(case, uma, "supervisor")
    relate(case, theo, "co_counselor")
    for member in (iris.member, uma, theo):
        page = walk.text(signed_in(member).get(address(case)))
        assert f"{WORDS} for staff" in page
        assert f"{WORDS} for counselor" in page
        assert "ana@example.org" in page
        assert "Open it for an hour" not in page


@pytest.mark.parametrize(
    ("role", "reads", "may_break"),
    [("front_desk", (), False), ("reviewer", ("staff",), False), ("admin", (), True)],
)
def test_who_does_not_care_for_it_sees_the_diarys_part(
    role: str, reads: tuple[str, ...], may_break: bool, case: Case
) -> None:
    page = walk.text(signed_in(make.member(role, roles=[role])).get(address(case)))
    assert "Ana Alder" in page
    assert "ana@example.org" in page
    assert "Tue 12 Jan, 10:00" in page
    assert "What they say is for those who care for this case" in page
    for audience in ("staff", "counselor"):
        assert (f"{WORDS} for {audience}" in page) == (audience in reads)
    assert ("What brings you?" in page) == bool(reads), "not even that there is an answer"
    assert ("Open it for an hour" in page) == may_break


def test_a_named_member_sees_who_it_is_and_no_contact(case: Case, theo: Counselor) -> None:
    relate(case, theo.member, "named")
    page = walk.text(signed_in(theo.member).get(address(case)))
    assert "Ana Alder" in page
    assert "ana@example.org" not in page
    assert WORDS not in page
    assert "Book again for them" not in page
    booked = case.appointments.get()
    page = walk.text(signed_in(theo.member).get(f"/desk/appointments/{booked.pk}/"))
    assert "Ana Alder" in page
    assert "ana@example.org" not in page


def test_absent_and_forbidden_look_alike(case: Case, theo: Counselor) -> None:
    own = signed_in(theo.member)
    nobody = signed_in(make.member("nobody", roles=[]))
    absent = Case(pk=make.case(make.dana()).pk)
    Case.objects.filter(pk=absent.pk).delete()
    pages = ("", "care/", "restrict/")
    for client in (own, nobody):
        for page in pages:
            refused, missing = client.get(address(case, page)), client.get(address(absent, page))
            assert refused.status_code == missing.status_code == 404
            assert refused.content == missing.content
        for page in ("restrict/", "lift/"):
            assert client.post(address(case, page)).status_code == 404


def test_looking_is_put_on_record(case: Case, olive: Member) -> None:
    client = signed_in(olive)
    client.get("/desk/cases/")
    client.get(address(case))
    listed = AuditEntry.objects.filter(verb="caseload.read")
    read = AuditEntry.objects.filter(verb="case.read")
    assert {one.case_id for one in listed} == {one.case_id for one in read} == {case.pk}
    assert len({one.person_id for one in read}) == 2
    assert {one.subject_id for one in read} == {case.pk}


def test_looking_changes_nothing_else(case: Case, olive: Member) -> None:
    client = signed_in(olive)
    before = walk.domain_rows()
    for page in ("", "care/", "restrict/", "open/"):
        assert client.get(address(case, page)).status_code == 200
    client.get("/desk/cases/")
    find(client, "ana")
    after = walk.domain_rows()
    for rows in (before, after):
        rows.pop("duet_clients.AuditEntry")
    assert after == before


# --- restricted ----------------------------------------------------------------------------------


def test_a_restricted_case_is_nowhere_for_others(
    case: Case, couple: Appointment, iris: Counselor, theo: Counselor, talk: Service, olive: Member
) -> None:
    """Not in a list, a count, a search, a page, an error or the API."""
    make.message(couple.attendances.get(role="booker"), state="failed", reason="smtp_550")
    care.restrict(case=case, by=iris.member.as_actor(), now=make.NOW)
    ben = couple.attendances.get(role="partner")
    others = [
        make.front_desk(),
        make.reviewer(),
        olive,
        make.supervisor(),
        theo.member,
    ]
    day = {"date": "2027-01-12", "time": "10:00", "reason": "urgent"}
    for member in others:
        client = signed_in(member)
        answers = [
            client.get("/desk/"),
            client.get("/desk/cases/?show=all"),
            *(find(client, text) for text in ("ana", "ana@example.org", "+12015550101")),
            client.get("/api/v1/appointments/"),
            client.get(f"/api/v1/appointments/{couple.pk}/"),
            *(client.get(address(case, page)) for page in ("", "care/", "restrict/", "open/")),
            *(client.post(address(case, page), {"q": "x"}) for page in ("lift/", "open/")),
            client.get(f"/desk/appointments/{couple.pk}/"),
            *(client.get(f"/desk/appointments/{couple.pk}/{one}/") for one in ("move", "cancel")),
            *(
                client.post(f"/desk/appointments/{couple.pk}/{one}/", {"came": "yes"})
                for one in ("accept", "cancel", "close", "move")
            ),
            client.post(f"/desk/attendances/{ben.pk}/open-gate/"),
            client.get(f"/desk/book/?service={talk.slug}&counselor=iris&case={case.pk}"),
            client.post("/desk/book/", {"service": talk.slug, "counselor": "iris"} | NEW | day),
        ]
        for answer in answers:
            for canary in CANARIES:
                # What the searcher wrote stands in the field.
                page = re.sub(r'(name="q") value="[^"]*"', r"\1", walk.text(answer))
                assert canary not in page, answer.request
    case.refresh_from_db()
    couple.refresh_from_db()
    assert case.restricted_at is not None
    assert couple.state == Appointment.State.CONFIRMED
    # The control: its counselor still finds it, by each of these.
    own = signed_in(iris.member)
    for text in ("ana", "ana@example.org", "+12015550101"):
        assert "Ana Alder" in walk.text(find(own, text))
    assert "restricted" in walk.text(own.get(address(case)))


def test_the_front_desk_is_told_that_a_restricted_clients_time_is_busy(
    case: Case, couple: Appointment, iris: Counselor, talk: Service
) -> None:
    staff = signed_in(make.front_desk())
    seen = walk.text(hand(staff, talk, START))
    assert "Ana Alder" in seen, "the control"
    care.restrict(case=case, by=iris.member.as_actor(), now=make.NOW)
    refused = hand(staff, talk, START)
    assert refused.status_code == 409
    page = walk.text(refused)
    assert "Something else lies at that time." in page
    assert re.search(r"Tue 12 Jan, 10:00</time>–10:50</span><span class=\"who\">Busy", page)
    assert not any(canary in page for canary in CANARIES)
    other = make.appointment(iris, talk, make.dana(), start=make.at(1, "14:00"))
    wanted = {"date": "2027-01-12", "time": "10:00", "reason": "urgent"}
    moved = staff.post(f"/desk/appointments/{other.pk}/move/", wanted)
    assert moved.status_code == 409
    assert "Busy" in walk.text(moved)
    assert not any(canary in walk.text(moved) for canary in CANARIES)


def test_a_visitors_hold_looks_the_same_and_one_that_is_over_is_not_in_the_way(
    iris: Counselor, talk: Service
) -> None:
    make.hold(iris, talk, start=START)
    make.hold(iris, talk, start=make.at(1, "14:00"), token="another", until=make.NOW - timedelta(1))
    staff = signed_in(make.front_desk())
    assert "Busy" in walk.text(hand(staff, talk, START))
    assert hand(staff, talk, make.at(1, "14:00")).status_code == 302


# --- who cares for it ----------------------------------------------------------------------------


def test_an_admin_says_who_cares_for_a_case(
    case: Case, olive: Member, theo: Counselor, iris: Counselor
) -> None:
    client = signed_in(olive)
    page = walk.text(client.get(address(case, "care/")))
    assert "co-counselor: reads the record" in page
    sent = {"member": str(theo.member.pk), "kind": "co_counselor"}
    assert client.post(address(case, "care/add/"), sent)["Location"] == address(case, "care/")
    relation = CareRelation.objects.get()
    assert relation.member == theo.member
    assert "Theo" in walk.text(client.get(address(case)))
    assert client.post(address(case, "care/add/"), sent).status_code == 422
    end = f"/desk/care/{relation.pk}/end/"
    assert client.get(end).status_code == 405
    assert client.post(end, {"who": "me"}).status_code == 422
    assert client.post(end).status_code == 302
    assert client.post(end).status_code == 404
    sent = {"counselor": str(theo.member.pk)}
    assert client.post(address(case, "care/counselor/"), sent).status_code == 302
    case.refresh_from_db()
    assert case.counselor == theo.member
    assert signed_in(iris.member).get(address(case)).status_code == 404


def test_forms_of_care_take_their_own_fields_and_known_members(
    case: Case, olive: Member, iris: Counselor
) -> None:
    client, sam = signed_in(olive), make.front_desk()
    add, assign = address(case, "care/add/"), address(case, "care/counselor/")
    for path, sent, status in (
        (add, {}, 422),
        (add, {"member": str(case.pk), "kind": "named"}, 422),
        (add, {"member": str(sam.pk), "kind": "owner"}, 422),
        (add, {"member": str(sam.pk), "kind": "co_counselor"}, 422),
        (add, {"member": str(sam.pk), "kind": "named", "case": str(case.pk)}, 400),
        (add, {"member": str(iris.member.pk), "kind": "named"}, 422),
        (assign, {"counselor": str(sam.pk)}, 422),
        (assign, {"counselor": "\x00"}, 422),
    ):
        assert client.post(path, sent).status_code == status, (path, sent)
        assert client.get(path).status_code == 405
    assert not CareRelation.objects.exists()


@pytest.mark.parametrize("role", ["front_desk", "reviewer"])
def test_nobody_else_says_so(role: str, case: Case, theo: Counselor, iris: Counselor) -> None:
    relation = relate(case, theo.member, "co_counselor")
    member = make.member(role, roles=[role])
    supervisor = make.supervisor()
    relate(case, supervisor, "supervisor")
    sent = {"member": str(member.pk), "kind": "named"}
    for who in (member, theo.member, supervisor):
        client = signed_in(who)
        assert "Who cares for it" not in walk.text(client.get(address(case)))
        for page in ("care/", "restrict/"):
            assert client.get(address(case, page)).status_code == 403
        assert client.post(address(case, "care/add/"), sent).status_code == 403
        chosen = {"counselor": str(theo.member.pk)}
        assert client.post(address(case, "care/counselor/"), chosen).status_code == 403
        assert client.post(f"/desk/care/{relation.pk}/end/").status_code == 403
        assert client.post(address(case, "restrict/")).status_code == 403
        assert client.post(address(case, "lift/")).status_code == 403
    case.refresh_from_db()
    assert (case.counselor, case.restricted_at) == (iris.member, None)
    assert CareRelation.objects.filter(ended_at__isnull=True).count() == 2


def test_the_counselor_restricts_their_case_and_says_nothing_of_who_cares(
    case: Case, iris: Counselor, theo: Counselor
) -> None:
    own = signed_in(iris.member)
    page = walk.text(own.get(address(case, "care/")))
    assert "Restrict it" in page
    assert "Somebody else, too" not in page
    sent = {"member": str(theo.member.pk), "kind": "co_counselor"}
    assert own.post(address(case, "care/add/"), sent).status_code == 403
    assert "Restrict this case?" in walk.text(own.get(address(case, "restrict/")))
    assert own.post(address(case, "restrict/"), {"x": "1"}).status_code == 422
    assert own.post(address(case, "restrict/"))["Location"] == address(case)
    case.refresh_from_db()
    assert case.restricted_at is not None
    assert own.post(address(case, "lift/"))["Location"] == address(case, "care/")


def test_an_admin_who_restricts_is_told_that_it_shuts_them_out(case: Case, olive: Member) -> None:
    client = signed_in(olive)
    assert "You aren't among them" in walk.text(client.get(address(case, "restrict/")))
    relation = relate(case, olive, "named")
    assert "You aren't among them" not in walk.text(client.get(address(case, "restrict/")))
    CareRelation.objects.filter(pk=relation.pk).update(ended_at=make.NOW)
    assert client.post(address(case, "restrict/"))["Location"] == "/desk/cases/"
    assert client.get(address(case)).status_code == 404
    assert client.post(address(case, "lift/")).status_code == 404


# --- closed --------------------------------------------------------------------------------------


def test_the_counselor_closes_a_case_when_nothing_is_to_come_and_reopens_it(
    case: Case, couple: Appointment, iris: Counselor
) -> None:
    own = signed_in(iris.member)
    page = walk.text(own.get(address(case, "care/")))
    assert "No new appointment can be booked for a closed case" in page
    assert "the record is kept until 2037." in page
    refused = own.post(address(case, "close/"))
    assert refused.status_code == 422
    assert "Something is still booked for this case." in walk.text(refused)
    case.refresh_from_db()
    assert case.closed_at is None
    own.post(f"/desk/appointments/{couple.pk}/cancel/")
    for page in ("close/", "reopen/"):
        assert own.get(address(case, page)).status_code == 405
        assert own.post(address(case, page), {"x": "1"}).status_code == 422
    assert own.post(address(case, "close/"))["Location"] == address(case, "care/")
    closed = Case.objects.get(pk=case.pk)
    assert (closed.state, closed.closed_at) == (Case.State.CLOSED, make.NOW)
    page = walk.text(own.get(address(case, "care/")))
    assert "This case is closed" in page
    assert "the record is kept until 2037." in page
    assert "Book again for them" not in walk.text(own.get(address(case)))
    assert own.post(address(case, "reopen/"))["Location"] == address(case, "care/")
    case.refresh_from_db()
    assert case.closed_at is None
    assert "Book again for them" in walk.text(own.get(address(case)))


def test_for_a_closed_case_nothing_is_booked_until_it_is_open_again(
    case: Case, couple: Appointment, olive: Member, talk: Service
) -> None:
    Appointment.objects.update(state="cancelled", cancelled_at=make.NOW)
    staff, admin = signed_in(make.front_desk()), signed_in(olive)
    assert admin.post(address(case, "close/")).status_code == 302
    sent = {"service": talk.slug, "counselor": "iris", "case": str(case.pk), "comes": "couple",
            "date": "2027-01-19", "time": "10:00", "reason": ""}  # fmt: skip
    form = walk.text(staff.get(f"/desk/book/?service={talk.slug}&counselor=iris&case={case.pk}"))
    for beside in ("", "They asked for it."):
        refused = staff.post("/desk/book/", sent | {"reason": beside})
        assert refused.status_code == 422
        for page in (form, walk.text(refused)):
            assert "This case is closed. Its counselor or an admin reopens it" in page
    assert Appointment.objects.count() == 1
    assert staff.post(address(case, "reopen/")).status_code == 403
    assert admin.post(address(case, "reopen/")).status_code == 302
    assert staff.post("/desk/book/", sent).status_code == 302, "the control"


def test_nobody_else_closes_a_case(case: Case, theo: Counselor) -> None:
    Appointment.objects.update(state="cancelled", cancelled_at=make.NOW)
    relate(case, theo.member, "co_counselor")
    uma = make.supervisor()
    relate(case, uma, "supervisor")
    breaker, stranger = make.counselor("gus").member, make.counselor("otto").member
    through = signed_in(breaker)
    through.post(address(case, "open/"), {"reason": "Iris is ill, and Ana called."})
    for client, status in (
        (signed_in(make.front_desk()), 403),
        (signed_in(make.reviewer()), 403),
        (signed_in(theo.member), 403),
        (signed_in(uma), 403),
        (through, 403),
        (signed_in(stranger), 404),
    ):
        for page in ("close/", "reopen/"):
            assert client.post(address(case, page)).status_code == status
    case.refresh_from_db()
    assert case.closed_at is None


# --- whose diary ---------------------------------------------------------------------------------

BUTTONS = ("accept/", "cancel/", "close/", "move/")


@pytest.mark.parametrize("who", ["reviewer", "supervisor", "co_counselor"])
def test_who_sees_an_appointment_does_not_for_that_keep_it(
    who: str, case: Case, couple: Appointment, theo: Counselor, talk: Service
) -> None:
    member = {
        "reviewer": make.reviewer,
        "supervisor": make.supervisor,
        "co_counselor": lambda: theo.member,
    }[who]()
    if who != "reviewer":
        relate(case, member, who)
    client = signed_in(member)
    page = walk.text(client.get(f"/desk/appointments/{couple.pk}/"))
    assert "Ana Alder" in page
    for word in ("Move", "Cancel", "It took place"):
        assert f">{word}<" not in page
    for button in BUTTONS:
        sent = {"came": "yes"} if button == "close/" else {}
        answer = client.post(f"/desk/appointments/{couple.pk}/{button}", sent)
        # Accepting is a reviewer's; there is nothing to accept.
        expected = 422 if (who, button) == ("reviewer", "accept/") else 403
        assert answer.status_code == expected, button
    for page in ("cancel/", "move/"):
        assert client.get(f"/desk/appointments/{couple.pk}/{page}").status_code == 403
    ben = couple.attendances.get(role="partner")
    # Who counsels the case decides on its partner, whoever keeps the diary.
    asked = client.post(f"/desk/attendances/{ben.pk}/open-gate/", {"asked": "yes"})
    assert asked.status_code == (302 if who == "co_counselor" else 403)
    couple.refresh_from_db()
    assert (couple.state, couple.starts_at) == (Appointment.State.CONFIRMED, START)
    if who != "co_counselor":
        assert client.get("/desk/book/").status_code == 403
        assert hand(client, talk, make.at(1, "14:00")).status_code == 403
        assert ">Book by hand<" not in walk.text(client.get("/desk/"))
    assert Appointment.objects.count() == 1


def test_a_reviewer_answers_requests_and_books_nothing(iris: Counselor, talk: Service) -> None:
    rita = signed_in(make.reviewer())
    first = make.appointment(iris, talk, start=START, state="requested")
    second = make.appointment(iris, talk, start=make.at(2), state="requested")
    page = walk.text(rita.get(f"/desk/appointments/{first.pk}/"))
    assert ">Accept<" in page
    assert ">Decline<" in page
    assert ">Move<" not in page
    assert "Book again" not in page
    assert rita.post(f"/desk/appointments/{first.pk}/accept/").status_code == 302
    assert rita.get(f"/desk/appointments/{second.pk}/cancel/").status_code == 200
    assert rita.post(f"/desk/appointments/{second.pk}/cancel/").status_code == 302
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("confirmed", "cancelled")
    assert rita.post(f"/desk/appointments/{first.pk}/cancel/").status_code == 403


def test_a_co_counselor_books_for_the_case_in_their_own_diary_alone(
    case: Case, theo: Counselor, iris: Counselor, talk: Service
) -> None:
    own = signed_in(theo.member)
    sent = {"service": talk.slug, "counselor": "theo", "case": str(case.pk),
            "comes": "couple", "date": "2027-01-19", "time": "10:00", "reason": ""}  # fmt: skip
    assert own.post("/desk/book/", sent).status_code == 404
    relation = relate(case, theo.member, "named")
    assert own.post("/desk/book/", sent).status_code == 403
    assert own.get(f"/desk/book/?case={case.pk}").status_code == 403
    CareRelation.objects.filter(pk=relation.pk).update(kind="co_counselor")
    assert own.post("/desk/book/", sent | {"counselor": "iris"}).status_code == 422
    assert own.post("/desk/book/", sent).status_code == 302
    assert Appointment.objects.filter(counselor=theo, case=case).count() == 1


def test_the_front_desk_and_an_admin_keep_everybodys_diary(
    couple: Appointment, olive: Member, talk: Service
) -> None:
    staff, admin = signed_in(make.front_desk()), signed_in(olive)
    wanted = {"start": make.at(1, "14:00").isoformat()}
    assert staff.post(f"/desk/appointments/{couple.pk}/move/", wanted).status_code == 302
    assert hand(staff, talk, START).status_code == 302
    assert admin.post(f"/desk/appointments/{couple.pk}/cancel/").status_code == 302


def test_whoever_has_lost_the_role_keeps_no_diary_any_more(
    couple: Appointment, iris: Counselor
) -> None:
    """The appointments stay in their diary, to be seen; the role is what keeps it."""
    Member.objects.filter(pk=iris.member_id).update(roles=[])
    own = signed_in(iris.member)
    assert own.get(f"/desk/appointments/{couple.pk}/").status_code == 200
    assert own.post(f"/desk/appointments/{couple.pk}/cancel/").status_code == 403
