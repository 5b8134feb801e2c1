"""Who read what beside their care: put down, raised to the admins, told each week."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from io import StringIO
from json import loads
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clients.actions import audit, reading
from clients.models import AuditEntry, CareRelation, Case, Member, Notice, Person
from clients.queries import reading as trail
from clients.rules import unusual
from tests import factories as make
from tests.factories import NOW, SYSTEM

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def opened(
    who: Member, case: Case | None, *persons: Person, at: datetime = NOW, verb: str = "case.read"
) -> None:
    """A member is shown these."""
    audit.record_reads(
        verb=verb,
        persons=[(one.pk, case.pk if case else None) for one in persons],
        by=who.as_actor(),
        now=at,
    )


def entries() -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(verb__endswith=".read"))


def findings() -> set[tuple[UUID | None, str]]:
    return {
        (entry.subject_id, entry.detail["kind"])
        for entry in AuditEntry.objects.filter(verb=trail.FOUND)
    }


def told(kind: str) -> set[str]:
    return set(Notice.objects.filter(kind=kind).values_list("member__name", flat=True))


# --- putting it down -----------------------------------------------------------------------------


def test_each_person_shown_has_an_entry_and_all_of_them_take_one_statement() -> None:
    sam = make.front_desk()
    persons = [make.person(name=f"Robin {number}") for number in range(20)]
    with CaptureQueriesContext(connection) as ran:
        opened(sam, None, *persons)
    assert len(ran) == 1
    assert {entry.person_id for entry in entries()} == {one.pk for one in persons}
    entry = entries()[0]
    assert (entry.subject_kind, entry.subject_id) == ("person", entry.person_id)
    assert (entry.actor_kind, entry.actor_id, entry.at) == ("member", sam.pk, NOW)


def test_the_same_look_within_a_minute_is_one() -> None:
    ana, ben = make.ana(), make.ben()
    case, sam, rita = make.case(ana, ben), make.front_desk(), make.reviewer()
    opened(sam, case, ana)
    opened(sam, case, ana, ben, at=NOW + timedelta(seconds=59))
    assert len(entries()) == 2
    opened(rita, case, ana)
    opened(sam, case, ana, verb="diary.read")
    opened(sam, case, ana, at=NOW + MINUTE)
    assert len(entries()) == 5


def test_what_is_read_through_the_broken_glass_says_so() -> None:
    ana = make.ana()
    case, theo = make.case(ana), make.counselor("theo").member
    audit.record_reads(
        verb="case.read",
        persons=[(ana.pk, case.pk)],
        details={ana.pk: {"answers": 2}},
        by=theo.as_actor([case.pk]),
        now=NOW,
    )
    assert entries()[0].detail == {"answers": 2, "glass": True}


def test_nobody_shown_is_nothing_put_down() -> None:
    with CaptureQueriesContext(connection) as ran:
        opened(make.front_desk(), None)
    assert [one for one in ran.captured_queries if "auditentry" in one["sql"]] == []


# --- who cares -----------------------------------------------------------------------------------


def beside() -> set[UUID]:
    """Whose looks were beside their care."""
    found = trail.reads(NOW - timedelta(days=9), NOW + timedelta(days=1)).filter(cares=False)
    return set(found.values_list("actor_id", flat=True))


def relate(case: Case, member: Member, since: int, until: int | None = None) -> None:
    CareRelation.objects.create(
        case=case,
        member=member,
        kind="co_counselor",
        since_at=NOW + timedelta(minutes=since),
        ended_at=None if until is None else NOW + timedelta(minutes=until),
    )


def test_the_counselor_and_those_who_stand_by_care_and_others_do_not() -> None:
    ana, iris = make.ana(), make.counselor("iris")
    case = make.case(ana, counselor=iris)
    carl, late, gone, sam = (make.member(name) for name in ("carl", "late", "gone", "sam"))
    relate(case, carl, -60)
    relate(case, late, 60)
    relate(case, gone, -60, -30)
    for member in (iris.member, carl, late, gone, sam):
        opened(member, case, ana)
        opened(member, None, ana, verb="person.read")
    assert beside() == {late.pk, gone.pk, sam.pk}


# --- the unusual ---------------------------------------------------------------------------------


def mass(who: Member, case: Case, count: int = unusual.MOST_IN_AN_HOUR + 1, **how: str) -> None:
    """Opened one after the other; that there are such persons plays no part."""
    shown = [(uuid4(), case.pk) for _ in range(count)]
    audit.record_reads(verb=how.get("verb", "case.read"), persons=shown, by=who.as_actor(), now=NOW)


def test_mass_reading_is_raised_to_the_admins_and_not_to_the_reader() -> None:
    olive, paul, sam = make.admin(), make.admin("paul"), make.front_desk()
    case = make.case(make.ana())
    mass(sam, case)
    mass(olive, case)
    assert reading.watch(by=SYSTEM, now=NOW + MINUTE) == 2
    assert findings() == {(sam.pk, "mass"), (olive.pk, "mass")}
    assert set(
        Notice.objects.values_list("member__name", "subject_id")
    ) == {
        ("Olive", _finding(sam)),
        ("Paul", _finding(sam)),
        ("Paul", _finding(olive)),
    }  # fmt: skip
    assert paul.pk not in {subject for subject, _ in findings()}


def _finding(of: Member) -> UUID:
    return AuditEntry.objects.get(verb=trail.FOUND, subject_id=of.pk).pk


def test_it_is_raised_once_for_each_member_kind_and_day() -> None:
    make.admin()
    sam, case = make.front_desk(), make.case(make.ana())
    mass(sam, case)
    assert [reading.watch(by=SYSTEM, now=NOW + n * MINUTE) for n in (1, 2, 3)] == [1, 0, 0]
    mass(sam, case)
    assert reading.watch(by=SYSTEM, now=NOW + 4 * MINUTE) == 0
    assert Notice.objects.count() == 1


def test_a_list_however_long_is_none() -> None:
    make.admin()
    sam, case = make.front_desk(), make.case(make.ana())
    for verb in unusual.LISTS:
        mass(sam, case, 500, verb=verb)
    assert reading.watch(by=SYSTEM, now=NOW + MINUTE) == 0
    mass(sam, case, 500)
    assert reading.watch(by=SYSTEM, now=NOW + MINUTE) == 1


@pytest.mark.parametrize(
    ("name", "email", "found"),
    [
        ("Lena Copperfold", "lena@example.org", True),
        ("Lena COPPERFOLD", None, True),
        ("Lena Brook-Copperfold", None, True),
        ("Sam Alder", None, False),
        ("Lena Alder", "sam@example.org", True),
        ("Lena Alder", "lena@example.org", False),
    ],
)
def test_ones_own_family_name_or_address_is_raised(
    name: str, email: str | None, *, found: bool
) -> None:
    make.admin()
    sam = make.member("sam", roles=["front_desk"], name="Sam Copperfold")
    sam.user.email = "Sam@example.org"
    sam.user.save(update_fields=["email"])
    person = make.person(name=name, email=email)
    opened(sam, make.case(person), person)
    reading.watch(by=SYSTEM, now=NOW + MINUTE)
    assert (findings() == {(sam.pk, "own_name")}) is found


def test_a_closed_case_is_raised_beside_care_and_after_it_was_closed() -> None:
    make.admin()
    ana, iris, sam = make.ana(), make.counselor("iris"), make.front_desk()
    case = make.case(ana, counselor=iris)
    opened(sam, case, ana, at=NOW - 5 * MINUTE)
    Case.objects.filter(pk=case.pk).update(state="closed", closed_at=NOW - 2 * MINUTE)
    opened(iris.member, case, ana)
    assert reading.watch(by=SYSTEM, now=NOW + MINUTE) == 0
    opened(sam, case, ana)
    assert reading.watch(by=SYSTEM, now=NOW + MINUTE) == 1
    assert findings() == {(sam.pk, "closed")}


def test_the_command_lists_what_was_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    sam, case = make.front_desk(), make.case(make.ana())
    mass(sam, case)
    reading.watch(by=SYSTEM, now=NOW + MINUTE)
    monkeypatch.setattr(timezone, "now", lambda: NOW + MINUTE)
    out = StringIO()
    call_command("audit", "unusual", stdout=out)
    assert out.getvalue() == "2027-01-11  Sam  mass  31 persons\nUnusual: 1.\n"
    out = StringIO()
    call_command("audit", "unusual", "--json", stdout=out)
    assert loads(out.getvalue()) == [
        {"day": "2027-01-11", "who": "Sam", "kind": "mass", "persons": 31}
    ]


# --- the week ------------------------------------------------------------------------------------

LAST_WEEK = NOW - timedelta(days=4)
MONDAY = date(2027, 1, 4)


def test_a_week_is_a_subject_and_comes_back_from_it() -> None:
    assert trail.week_of(LAST_WEEK.date()) == MONDAY
    assert trail.monday_of(trail.week_id(MONDAY)) == MONDAY
    assert trail.monday_of(uuid4()) is None


@pytest.fixture
def iris() -> Member:
    return make.counselor("iris").member


@pytest.fixture
def couple(iris: Member) -> tuple[Case, Person, Person]:
    ana, ben = make.ana(), make.ben()
    return make.case(ana, ben, counselor=iris), ana, ben


def rows(who: Member, at: datetime = LAST_WEEK) -> Iterable[tuple[UUID, UUID, int, int]]:
    low, high = trail.edges(trail.week_of(at.date()), NOW.tzinfo)  # type: ignore[arg-type]
    found = trail.beside_care(who.as_actor(), low, high)
    return [(one.member_id, one.person_id, one.opened, one.listed) for one in found]


def test_a_counselor_is_told_who_besides_those_who_care_looked(
    iris: Member, couple: tuple[Case, Person, Person]
) -> None:
    case, ana, ben = couple
    sam, theo = make.front_desk(), make.counselor("theo").member
    chris = make.chris()
    other = make.case(chris, counselor=theo)
    opened(sam, case, ana, ben, at=LAST_WEEK, verb="diary.read")
    opened(sam, case, ana, at=LAST_WEEK)
    opened(sam, case, ana, at=LAST_WEEK + MINUTE)
    opened(iris, case, ana, at=LAST_WEEK)
    opened(sam, other, chris, at=LAST_WEEK)
    opened(sam, case, ana)
    assert rows(iris) == [(sam.pk, ana.pk, 2, 1), (sam.pk, ben.pk, 0, 1)]
    assert rows(iris, NOW) == [(sam.pk, ana.pk, 1, 0)]
    assert rows(theo) == [(sam.pk, chris.pk, 1, 0)]


def test_a_broken_glass_makes_no_case_ones_own(couple: tuple[Case, Person, Person]) -> None:
    case, ana, _ = couple
    theo = make.counselor("theo").member
    opened(make.front_desk(), case, ana, at=LAST_WEEK)
    low, high = trail.edges(MONDAY, NOW.tzinfo)  # type: ignore[arg-type]
    assert trail.beside_care(theo.as_actor([case.pk]), low, high) == []


def test_an_admin_sees_totals_and_nothing_of_what_is_restricted_against_them(
    iris: Member, couple: tuple[Case, Person, Person]
) -> None:
    case, ana, ben = couple
    olive, sam = make.admin(), make.front_desk()
    opened(sam, case, ana, ben, at=LAST_WEEK)
    low, high = trail.edges(MONDAY, NOW.tzinfo)  # type: ignore[arg-type]
    (total,) = trail.readers(olive.as_actor(), low, high)
    assert (total.member_id, total.opened, total.listed) == (sam.pk, 2, 0)
    assert trail.readers(iris.as_actor(), low, high) == []
    Case.objects.filter(pk=case.pk).update(restricted_at=NOW)
    assert trail.readers(olive.as_actor(), low, high) == []


def test_the_report_is_told_once_to_whoever_has_something_in_it(
    iris: Member, couple: tuple[Case, Person, Person]
) -> None:
    case, ana, _ = couple
    make.admin()
    make.counselor("theo")
    opened(make.front_desk(), case, ana, at=LAST_WEEK)
    assert [reading.report_week(by=SYSTEM, now=NOW + n * MINUTE) for n in (0, 1)] == [2, 0]
    assert told("access_report") == {"Iris", "Olive"}
    assert {row.subject_id for row in Notice.objects.all()} == {trail.week_id(MONDAY)}
    assert reading.report_week(by=SYSTEM, now=NOW + timedelta(days=7)) == 0


def test_a_week_is_looked_through_once_for_all_members_and_not_again(
    couple: tuple[Case, Person, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, ana, _ = couple
    make.admin()
    looked = []
    for number in range(4):
        make.counselor(f"theo{number}")
    opened(make.front_desk(), case, ana, at=LAST_WEEK)
    reads = trail.reads

    def counted(low: datetime, high: datetime) -> QuerySet[Any, Any]:
        looked.append(low)
        return reads(low, high)

    monkeypatch.setattr(trail, "reads", counted)
    assert reading.report_week(by=SYSTEM, now=NOW) == 2
    assert len(looked) == 1
    # Not even when what was told is gone, and for whoever had nothing to be told.
    Notice.objects.all().delete()
    with CaptureQueriesContext(connection) as ran:
        assert reading.report_week(by=SYSTEM, now=NOW + MINUTE) == 0
    assert len(looked) == 1
    assert len(ran) <= 4
    entry = AuditEntry.objects.get(verb="reading.week_reported")
    assert entry.detail == {"week": MONDAY.isoformat(), "members": 2}


@pytest.mark.parametrize("shown_with_case", [True, False])
def test_whoever_is_told_is_whoever_has_something_in_the_report(
    iris: Member, couple: tuple[Case, Person, Person], *, shown_with_case: bool
) -> None:
    case, ana, _ = couple
    readers = [make.front_desk(), make.admin(), make.counselor("theo").member, iris]
    other = make.case(make.chris(), counselor=readers[2])
    low, high = trail.edges(MONDAY, NOW.tzinfo)  # type: ignore[arg-type]

    def same() -> None:
        found = trail.all_beside_care(low, high)
        for one in Member.objects.all():
            actor = one.as_actor()
            has = trail.beside_care(actor, low, high) or trail.readers(actor, low, high)
            assert trail.has_a_report(actor, found) is bool(has), one.name

    same()
    for reader in readers:
        opened(reader, case if shown_with_case else None, ana, at=LAST_WEEK)
        same()
    Case.objects.filter(pk=case.pk).update(restricted_at=NOW)
    same()
    opened(iris, other, make.chris(), at=LAST_WEEK)
    same()


def test_what_was_shown_without_a_case_counts_too(
    iris: Member, couple: tuple[Case, Person, Person]
) -> None:
    _, ana, _ = couple
    sam, olive, chris = make.front_desk(), make.admin(), make.chris()
    opened(sam, None, ana, chris, at=LAST_WEEK, verb="code.read")
    assert rows(iris) == [(sam.pk, ana.pk, 1, 0)]
    low, high = trail.edges(MONDAY, NOW.tzinfo)  # type: ignore[arg-type]
    (total,) = trail.readers(olive.as_actor(), low, high)
    assert total.opened == 1, "somebody without a case is nobody's to count"
