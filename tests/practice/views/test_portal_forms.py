"""Forms on somebody's own page: what waits for them, and what they sent, with a second proof."""

from datetime import timedelta

import pytest

from clients.models import Person
from intake.models import Agreement, Assignment, Response
from practice.models import Service
from tests import factories as make
from tests.practice import forms_cast as cast
from tests.practice.views import portal_walk, walk

pytestmark = pytest.mark.django_db


@pytest.fixture
def both(talk: Service) -> tuple[Person, Person]:
    """Ana and Ben were given the same."""
    make.instrument(id=cast.CHECK)
    make.instrument(visibility="person")
    cast.rules(cast.CHECK, cast.MOOD)
    first, second = cast.book(talk).attendances
    return first.person, second.person


def _send(name: str) -> None:
    for row in Assignment.objects.filter(intake=cast.link(name)).select_related("instrument"):
        guarded = row.slug == cast.CHECK
        make.response(row, {"words": f"{name} says {row.slug}"}, guarded=guarded)


def test_what_waits_leads_to_ones_own_link_and_nothing_tells_of_the_other(
    both: tuple[Person, Person],
) -> None:
    ana, _ = both
    client = portal_walk.sign_in(ana)
    before = client.get("/portal/mine/")
    assert "2 forms, for you alone." in walk.text(before)
    assert f"/i/{cast.link('Ana').token}/" in walk.text(before)
    assert cast.link("Ben").token not in walk.text(before)

    _send("Ben")
    make.flag(cast.link("Ben").case, cast.link("Ben").person)
    assert portal_walk.same(client.get("/portal/mine/")) == portal_walk.same(before)

    _send("Ana")
    assert "for you alone" not in walk.text(client.get("/portal/mine/"))


def test_what_one_sent_is_read_back_after_the_second_proof_and_never_the_private_check(
    both: tuple[Person, Person],
) -> None:
    _send("Ana")
    _send("Ben")
    assert portal_walk.sign_in(both[0]).get("/portal/answers/").status_code == 302
    page = walk.text(portal_walk.prove(both[0]).get("/portal/answers/"))
    assert "Ana says mood" in page
    assert "What else?" in page
    for word in ("says private-check", "Ben says"):
        assert word not in page


def test_what_is_for_the_counselor_alone_is_not_read_back(both: tuple[Person, Person]) -> None:
    mood = Assignment.objects.get(intake=cast.link("Ana"), slug=cast.MOOD)
    make.response(mood, {"words": "Ana says mood"}, audience="counselor")
    page = walk.text(portal_walk.prove(both[0]).get("/portal/answers/"))
    assert "Ana says mood" not in page


def test_what_cant_be_opened_says_so_and_takes_no_page_down(both: tuple[Person, Person]) -> None:
    mood = Assignment.objects.get(intake=cast.link("Ana"), slug=cast.MOOD)
    row = make.response(mood, {"words": "Ana says mood"}, sent=False)
    Response.objects.filter(pk=row.pk).update(
        answers=b"broken", scores=b"broken", content_hash=b"x", scored_by="tests", sent_at=make.NOW
    )
    page = portal_walk.prove(both[0]).get("/portal/answers/")
    assert page.status_code == 200
    assert "read (reported)" in walk.text(page)


def test_what_was_agreed_to_in_forms_stands_in_the_words_that_were_read(
    both: tuple[Person, Person],
) -> None:
    ana, ben = both
    case = cast.link("Ana").case
    make.agreement(case, ana, kind=Agreement.Kind.POLICY, slug="limited", text="How we keep it.")
    make.agreement(case, ana, kind=Agreement.Kind.CONSENT, slug="fees", text="Ana pays by the end.")
    taken_back = make.NOW + timedelta(days=2)
    make.agreement(case, ana, text="We look at it as two.", version="7", withdrawn_at=taken_back)
    make.agreement(case, ben, text="What Ben agreed to.")
    page = walk.text(portal_walk.sign_in(ana).get("/portal/consents/"))
    for words in ("How we keep it.", "Ana pays by the end.", "We look at it as two.", "Version 7"):
        assert words in page
    assert page.count("You took this back on") == 1
    assert "Ben" not in page


def test_what_was_signed_within_a_private_check_is_not_shown(both: tuple[Person, Person]) -> None:
    _send("Ana")
    guarded = Response.objects.get(assignment__intake=cast.link("Ana"), guarded=True)
    make.agreement(cast.link("Ana").case, both[0], text="Of the check alone.", response=guarded)
    page = walk.text(portal_walk.sign_in(both[0]).get("/portal/consents/"))
    assert "Of the check alone." not in page
