"""What is released to a couple: by whom, when, what of it, and that nothing tells why it isn't."""

from collections.abc import Callable

import pytest
from django.test import Client

from clients.models import AuditEntry, BreakGlass, Case, CoupleMember, Member, Person
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from intake.actions import releasing
from intake.actions.releasing import CannotRelease
from intake.models import Agreement, Release
from intake.rules import release as rules
from intake.rules import wording
from intake.rules.answers import Answered
from practice.models import Counselor, Practice
from tests import factories as make
from tests.factories import NOW
from tests.intake import cycle_cast as cast
from tests.practice.views import portal_walk
from tests.practice.views.test_desk import signed_in
from tests.practice.views.walk import relate, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def couple(practice: Practice, ana: Person, ben: Person) -> tuple[Person, Person]:
    return ana, ben


@pytest.fixture
def case(couple: tuple[Person, Person], iris: Counselor) -> Case:
    """Ana and Ben have answered, and both agree that it is shown to them."""
    case = make.case(*couple, counselor=iris)
    cast.round_of(case, *couple)
    cast.agree(case, *couple)
    return case


def release(case: Case, by: Actor, *parts: str, number: int = 1) -> Release:
    return releasing.release(case=case, number=number, parts=parts or rules.PARTS, by=by, now=NOW)


# --- the action ----------------------------------------------------------------------------------


def test_a_clinician_releases_what_both_agree_to(case: Case, iris: Counselor) -> None:
    row = release(case, iris.member.as_actor(), "repair", "dance")
    assert row.parts == ["dance", "repair"]
    assert {row.first.assignment.intake.person, row.second.assignment.intake.person} == {
        *Person.objects.filter(couples__couple=case.couple_id)
    }
    entry = AuditEntry.objects.get(verb="release.made")
    assert entry.detail == {"round": 1, "parts": ["dance", "repair"]}


def test_what_is_released_anew_takes_the_place_of_what_was(case: Case, iris: Counselor) -> None:
    by = iris.member.as_actor()
    first, second = release(case, by, "dance"), release(case, by, "repair")
    assert list(Release.objects.standing()) == [second]
    first.refresh_from_db()
    assert first.withdrawn_by == iris.member
    releasing.withdraw(case=case, by=by, now=NOW)
    assert not Release.objects.standing().exists()
    releasing.withdraw(case=case, by=by, now=NOW)


def nobody_of_theirs(case: Case) -> Member:
    return make.counselor("theo").member


def supervisor(case: Case) -> Member:
    uma = make.supervisor()
    relate(case, uma, "supervisor")
    return uma


def with_the_glass(case: Case) -> Member:
    gus = make.counselor("gus").member
    BreakGlass.objects.create(
        case=case, member=gus, reason="ill", opened_at=NOW, ends_at=NOW + BreakGlass.LONGEST
    )
    return gus


def admin(case: Case) -> Member:
    return make.admin()


@pytest.mark.parametrize("who", [nobody_of_theirs, supervisor, with_the_glass, admin])
def test_only_a_clinician_of_the_case_releases(
    case: Case,
    iris: Counselor,
    who: Callable[[Case], Member],
) -> None:
    member = who(case)
    opened = BreakGlass.objects.filter(member=member).values_list("case", flat=True)
    with pytest.raises(NotPermitted):
        release(case, member.as_actor(opened))
    with pytest.raises(NotPermitted):
        releasing.withdraw(case=case, by=member.as_actor(opened), now=NOW)
    assert not Release.objects.exists()


def test_a_co_counselor_is_a_clinician_of_the_case(case: Case) -> None:
    carl = make.counselor("carl").member
    relate(case, carl, "co_counselor")
    assert release(case, carl.as_actor()).released_by == carl


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (lambda case: Agreement.objects.update(withdrawn_at=NOW), rules.CONSENT),
        (lambda case: make.flag(case, Person.objects.first()), rules.FLAG),  # type: ignore[arg-type]
        (lambda case: CoupleMember.objects.filter(voice=1).update(left_at=NOW), rules.NOT_TWO),
    ],
    ids=["consent", "flag", "left"],
)
def test_what_is_missing_is_said(
    case: Case,
    iris: Counselor,
    change: Callable[[Case], object],
    missing: str,
) -> None:
    change(case)
    with pytest.raises(CannotRelease) as refused:
        release(case, iris.member.as_actor())
    assert refused.value.missing == (missing,)
    assert not Release.objects.exists()


def test_one_answer_is_no_couples(couple: tuple[Person, Person], iris: Counselor) -> None:
    case = make.case(*couple, counselor=iris)
    cast.round_of(case, *couple, without="B")
    cast.agree(case, *couple)
    for number in (1, 2):
        with pytest.raises(CannotRelease) as refused:
            release(case, iris.member.as_actor(), number=number)
        assert refused.value.missing == (rules.NOT_TWO,)


def rather_not(case: Case, person: Person, *, but: str = "", number: int = 1) -> None:
    """They would rather not say a single thing, but for one."""
    said = {
        item.id: Answered(non="skip", revision=1)
        for item in cast.definition().items
        if item.scale and item.id != but
    }
    cast.sent(case, person, said | ({but: Answered("4", revision=1)} if but else {}), number=number)


@pytest.mark.parametrize("but", ["", "F1.self"], ids=["nothing", "a feeling"])
def test_what_is_ones_view_alone_is_not_released(
    couple: tuple[Person, Person], iris: Counselor, but: str
) -> None:
    ana, ben = couple
    case = make.case(ana, ben, counselor=iris)
    cast.sent(case, ana, cast.vector("TV1")["A"])
    rather_not(case, ben, but=but)
    cast.agree(case, ana, ben)
    with pytest.raises(CannotRelease) as refused:
        release(case, iris.member.as_actor())
    assert refused.value.missing == (rules.ONE_VIEW,)
    address = f"/desk/cases/{case.pk}/cycle/"
    desk = signed_in(iris.member)
    seen = text(desk.get(address))
    assert "<h1>How Ana sees it</h1>" in seen
    assert "Release these parts" not in seen
    assert "much alike" not in seen
    # Both have sent theirs.
    assert "1 of 2 in" not in seen
    answer = desk.post(f"{address}release/", {"number": "1", "part_dance": "on"})
    assert answer.status_code == 422
    assert "one person's view" in text(answer)


def test_where_no_dance_is_named_nothing_is_released(
    couple: tuple[Person, Person], iris: Counselor
) -> None:
    case = make.case(*couple, counselor=iris)
    for person in couple:
        rather_not(case, person)
    cast.agree(case, *couple)
    with pytest.raises(CannotRelease) as refused:
        release(case, iris.member.as_actor())
    assert refused.value.missing == (rules.TOO_LITTLE,)


def test_a_release_of_one_view_shows_the_other_nothing(
    couple: tuple[Person, Person], iris: Counselor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = couple
    case = make.case(ana, ben, counselor=iris)
    cast.sent(case, ana, cast.vector("TV1")["A"])
    rather_not(case, ben)
    cast.agree(case, ana, ben)
    before = page(ben)
    with monkeypatch.context() as without:
        without.setattr(rules, "unfit", lambda _: ())
        release(case, iris.member.as_actor())
        # The control: it would tell Ben what Ana said.
        assert page(ben) != before
    assert page(ben) == before


def test_nothing_and_what_there_is_not_are_refused(case: Case, iris: Counselor) -> None:
    by = iris.member.as_actor()
    with pytest.raises(CannotRelease):
        releasing.release(case=case, number=1, parts=[], by=by, now=NOW)
    with pytest.raises(ValueError, match="home"):
        release(case, by, "home")


# --- the couple's page ---------------------------------------------------------------------------

NOTHING_YET = "There is nothing here yet. Your counselor goes through it with you in person."


def page(person: Person, name: str = "together") -> bytes:
    client = portal_walk.prove(person)
    answer = client.get(f"/portal/{name}/")
    assert answer.status_code == 200
    return portal_walk.same(answer)


def test_both_see_the_same(case: Case, couple: tuple[Person, Person], iris: Counselor) -> None:
    release(case, iris.member.as_actor())
    ana, ben = (page(one) for one in couple)
    assert ana == ben
    told = ana.decode()
    assert "a dance may be at work" in told
    assert "I need more time than the moment allows" in told
    assert "Which of you notices the first step" in told
    assert "They cannot tell whether a relationship is safe" in told


def test_only_the_released_parts_are_there(
    case: Case,
    couple: tuple[Person, Person],
    iris: Counselor,
) -> None:
    marks = {
        "dance": "a dance may be at work",
        "positions": "What each of you does",
        "feelings": "What lies underneath",
        "reasons": "When one of you needs space",
        "repair": "After a hard moment",
    }
    assert set(marks) == set(rules.PARTS)
    for part in rules.PARTS:
        release(case, iris.member.as_actor(), part)
        told = page(couple[0]).decode()
        assert [name for name, mark in marks.items() if mark in told] == [part]


def test_never_released_taken_back_and_flagged_are_the_same_bytes(
    case: Case,
    couple: tuple[Person, Person],
    iris: Counselor,
) -> None:
    ana, ben = couple
    by = iris.member.as_actor()
    before = [page(one) for one in couple]
    assert NOTHING_YET in before[0].decode()

    release(case, by)
    # The control: released, it is another page.
    assert page(ana) != before[0]

    ways: list[Callable[[], object]] = [
        lambda: make.flag(case, ben),
        lambda: Agreement.objects.filter(person=ana).update(withdrawn_at=NOW),
        lambda: Agreement.objects.filter(person=ben).update(withdrawn_at=NOW),
        lambda: CoupleMember.objects.filter(person=ben).update(left_at=NOW),
        lambda: releasing.withdraw(case=case, by=by, now=NOW),
    ]
    undo: list[Callable[[], object]] = [
        lambda: case.flags.all().delete(),
        lambda: Agreement.objects.update(withdrawn_at=None),
        lambda: Agreement.objects.update(withdrawn_at=None),
        lambda: CoupleMember.objects.update(left_at=None),
        lambda: None,
    ]
    for way, back in zip(ways, undo, strict=True):
        way()
        assert page(ana) == before[0]
        if way is not ways[3]:
            assert page(ben) == before[1]
        back()


def test_a_link_alone_opens_none_of_it(case: Case, couple: tuple[Person, Person]) -> None:
    client = portal_walk.sign_in(couple[0])
    for name in ("together", "reflection", "sharing"):
        answer = client.get(f"/portal/{name}/")
        assert answer["Location"] == f"/portal/prove/?then={name}"
    assert Client().get("/portal/together/")["Location"] == "/portal/"


def test_who_proves_themselves_is_led_back(couple: tuple[Person, Person]) -> None:
    portal_walk.prove(couple[0])
    client = portal_walk.sign_in(couple[0])
    answer = client.post("/portal/prove/", {"pin": portal_walk.PIN, "then": "together"})
    assert answer["Location"] == "/portal/together/"


def test_what_is_the_clinicians_never_reaches_a_client(
    case: Case,
    couple: tuple[Person, Person],
    iris: Counselor,
) -> None:
    ana, ben = couple
    told = dict(cast.vector("TV2")["B"] or {})
    told |= cast.answered({"F5.self": "4", "F6.self": "4", "R2.self": "3", "R2a.self": "a-lot"})
    skipped = cast.answered({"F4.self": None, "P1.partner": None})
    cast.sent(case, ana, dict(cast.vector("TV2")["A"] or {}) | skipped, number=2)
    cast.sent(case, ben, told, number=2)
    release(case, iris.member.as_actor(), number=2)
    definition = cast.definition()
    for person in couple:
        seen = page(person).decode()
        for key in (
            "scales.home2.a-lot",
            "scales.often5.skip",
            "scales.often5.unknown",
            "items.R2a.self",
        ):
            assert wording.text(definition, key, "en") not in seen
        assert "ask in person" not in seen.lower()
    # The control: the counselor's page has them.
    desk = text(signed_in(iris.member).get(f"/desk/cases/{case.pk}/cycle/"))
    assert wording.text(definition, "scales.home2.a-lot", "en") in desk
    assert "Ask in person, alone" in desk
    assert "not said" in desk


# --- banned stems --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("vector", ["TV1", "TV2", "TV4", "TV8"])
def test_no_banned_stem_reaches_a_client(
    couple: tuple[Person, Person],
    iris: Counselor,
    language: str,
    vector: str,
) -> None:
    Person.objects.update(language=language)
    couple = tuple(Person.objects.select_related("key").get(pk=one.pk) for one in couple)  # type: ignore[assignment]
    case = make.case(*couple, counselor=iris)
    cast.round_of(case, *couple, vector)
    cast.agree(case, *couple)
    release(case, iris.member.as_actor())
    stems = cast.definition().wording["banned_stems"]
    for name in ("together", "reflection", "sharing"):
        seen = page(couple[0], name).decode().partition("<main")[2].partition("</main>")[0]
        assert wording.banned(stems, {name: seen}) == []
    assert wording.banned(stems, {"control": "no diagnosis"})


# --- one's own -----------------------------------------------------------------------------------


def test_ones_own_reflection_is_made_of_ones_own_answers(
    case: Case, couple: tuple[Person, Person]
) -> None:
    ana, ben = couple
    before = page(ana, "reflection")
    assert b"I am scared that we could come apart" in before
    assert b"I worry that any words" not in before
    cast.sent(case, ben, cast.vector("TV2")["B"], number=2)
    make.flag(case, ben)
    make.flag(case, ana, kind="other")
    assert page(ana, "reflection") == before


def test_nobody_who_has_not_answered_has_a_reflection(couple: tuple[Person, Person]) -> None:
    make.case(*couple)
    assert b"There is nothing here yet" in page(couple[0], "reflection")


def test_sharing_is_given_and_taken_back_and_tells_nothing_of_the_other(
    couple: tuple[Person, Person],
    iris: Counselor,
) -> None:
    ana, ben = couple
    case = make.case(ana, ben, counselor=iris)
    client = portal_walk.prove(ana)
    before = portal_walk.same(client.get("/portal/sharing/"))
    cast.agree(case, ben)
    assert portal_walk.same(client.get("/portal/sharing/")) == before
    sent = {"case": str(case.pk), "agreed": "yes"}
    assert client.post("/portal/sharing/", sent)["Location"] == "/portal/sharing/"
    row = Agreement.objects.standing().get(person=ana)
    assert row.kind == "share"
    assert "take this back at any time" in row.text
    assert "You agreed to this on" in text(client.get("/portal/sharing/"))
    client.post("/portal/sharing/", sent | {"agreed": "no"})
    assert not Agreement.objects.standing().filter(person=ana).exists()
    assert Agreement.objects.standing().filter(person=ben).exists()


def test_a_case_of_others_is_none_of_theirs(case: Case) -> None:
    dana = make.dana(email="dana@example.org")
    make.case(dana, make.chris())
    client = portal_walk.prove(dana)
    sent = {"case": str(case.pk), "agreed": "yes"}
    assert client.post("/portal/sharing/", sent).status_code == 404
    assert client.post("/portal/sharing/", sent | {"x": "1"}).status_code == 400
    assert client.post("/portal/sharing/", {"case": "x", "agreed": "yes"}).status_code == 422
