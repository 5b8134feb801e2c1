"""The queue of intakes, one review and one flag: by every role, and by whoever has none."""

import html
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clients.models import (
    AuditEntry,
    BreakGlass,
    Case,
    Member,
    Message,
    Notice,
    Person,
    SafeContact,
)
from clients.rules.envelope import Erased
from intake.actions import giving, reviewing
from intake.models import Assignment, Flag, Intake, Response, Review, ReviewStep
from intake.models.safety import FlagQuerySet
from practice.actions import booking, cases, erasure, forms
from practice.actions import reviewing as deciding
from practice.models import Appointment, Attendance, Counselor, FormRule, Practice, Service
from practice.queries.review_queue import PAGE
from tests import factories as make
from tests.factories import NOW, SYSTEM
from tests.intake.test_safety import CHECK
from tests.practice.views import walk
from tests.practice.views.conftest import SetClock
from tests.practice.views.test_desk import signed_in
from tests.practice.views.walk import relate

pytestmark = pytest.mark.django_db

QUEUE = "/desk/intake/"
WORDS = "Please tell us when you are free."
NOTE = "We spoke on the telephone, alone."
HOUR = timedelta(hours=1)


def page(review: Review, step: str = "") -> str:
    return f"{QUEUE}{review.pk}/{step}"


def flag_page(flag: Flag, step: str = "") -> str:
    return f"/desk/flags/{flag.pk}/{step}"


@pytest.fixture
def review(case: Case) -> Review:
    return make.review(case)


@pytest.fixture
def rita(case: Case) -> Member:
    return make.reviewer()


@pytest.fixture
def sam(case: Case) -> Member:
    return make.front_desk()


def persons(case: Case) -> list[Person]:
    assert case.couple is not None
    return [one.person for one in case.couple.members.order_by("voice")]


def sent(case: Case, person: Person, words: str, **kind: Any) -> Response:
    """Something of the person's that came in, for the practice unless said otherwise."""
    slug = kind.pop("slug", "practice-intake")
    visibility = kind.pop("visibility", "staff")
    instrument = make.instrument(
        {**make.MOOD, "id": slug, "title": slug.title(), "visibility": visibility}
    )
    intake = Intake.objects.filter(case=case, person=person).first() or make.intake(case, person)
    return make.response(make.assignment(intake, instrument), {"words": words}, **kind)


def checked(case: Case, person: Person, **answers: Any) -> Response:
    """A private check that came in."""
    intake = Intake.objects.filter(case=case, person=person).first() or make.intake(case, person)
    form = make.assignment(intake, make.instrument(CHECK))
    return make.response(form, answers, guarded=True)


def flagged(case: Case) -> Flag:
    ana, _ = persons(case)
    said = checked(case, ana, afraid="yes", words="kittiwake in private")
    return make.flag(case, ana, response=said, kind="individual-first")


def bare(response: Any) -> str:
    """A page without what differs at each time: the token against forgery."""
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", response.content.decode())


# --- the queue -----------------------------------------------------------------------------------


def test_a_row_says_who_how_far_until_when_and_whose(
    review: Review, case: Case, rita: Member, sam: Member
) -> None:
    ana, _ = persons(case)
    sent(case, ana, "Hello there")
    Review.objects.update(claimed_by=rita, claimed_at=NOW)
    shown = walk.text(signed_in(sam).get(QUEUE))
    for words in ("Ana Alder", "Ben Birch", "1 of 2 in", "Wed 13 Jan, 08:00", "Rita"):
        assert words in shown
    assert "booked for" in shown
    assert "Hello there" not in shown
    for person in persons(case):
        entry = AuditEntry.objects.get(person_id=person.pk, verb="queue.read")
        assert entry.case_id == case.pk


def test_what_is_due_first_stands_first_and_what_waits_for_an_answer_last(
    iris: Counselor, rita: Member, review: Review, clock: SetClock
) -> None:
    chris, dana = make.chris(), make.dana()
    make.review(make.case(dana, counselor=iris), due_at=NOW + HOUR)
    asked = make.review(make.case(chris, counselor=iris), due_at=NOW + HOUR)
    Review.objects.filter(pk=asked.pk).update(asked_at=NOW)
    clock(NOW + 2 * HOUR)
    shown = walk.text(signed_in(rita).get(QUEUE))
    places = [shown.index(name) for name in ("Dana Dogwood", "Ana Alder", "Chris Cedar")]
    assert places == sorted(places)
    assert shown.count("overdue") == 2
    assert shown.count("asked for more") == 1


def test_a_flag_comes_first_for_its_clinician_and_changes_nothing_for_others(
    iris: Counselor, rita: Member, review: Review, case: Case
) -> None:
    make.review(make.case(make.dana(), counselor=iris), due_at=NOW + HOUR)
    flagged(case)
    own = walk.text(signed_in(iris.member).get(QUEUE))
    assert own.index("Ana Alder") < own.index("Dana Dogwood")
    assert "look at this first" in own
    others = walk.text(signed_in(rita).get(QUEUE))
    assert others.index("Dana Dogwood") < others.index("Ana Alder")
    assert "look at this first" not in others


def test_the_queue_takes_as_many_statements_for_many_as_for_few_and_reads_nothing_sealed(
    iris: Counselor, talk: Service, rita: Member, review: Review, case: Case
) -> None:
    client = signed_in(rita)
    client.get(QUEUE)  # what is asked once for a process

    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as found:
            response = client.get(QUEUE)
        assert response.status_code == 200
        return [one["sql"] for one in found.captured_queries]

    few = statements()
    form = make.instrument(id="given")
    for number in range(PAGE + 5):
        one, two = (
            make.person(name=f"Person {number} {mark}", email=f"p{number}{mark}@example.org")
            for mark in "ab"
        )
        case = make.case(one, two, counselor=iris)
        make.review(case)
        make.response(make.assignment(make.intake(case, one), form), {"words": "Something"})
    many = statements()
    assert len(many) == len(few)
    for sql in many:
        assert "duet_intake_response" not in sql
        assert not re.search(r'"(answers|scores|note|words|reason)"', sql)
    assert "Older" in walk.text(client.get(QUEUE))
    assert "Newer" in walk.text(client.get(f"{QUEUE}?page=2"))


def test_an_empty_queue_says_what_will_be_there(rita: Member) -> None:
    assert "Nothing waits for a decision" in walk.text(signed_in(rita).get(QUEUE))
    assert "Nobody waits for a place" in walk.text(signed_in(rita).get(f"{QUEUE}?show=list"))
    assert "There are no more" in walk.text(signed_in(rita).get(f"{QUEUE}?page=3"))


def test_a_counselor_sees_their_own_cases_alone(theo: Counselor, review: Review) -> None:
    assert "Ana Alder" not in walk.text(signed_in(theo.member).get(QUEUE))
    assert signed_in(theo.member).get(page(review)).status_code == 404


def test_a_restricted_case_is_in_nobodys_queue_but_theirs(
    rita: Member, iris: Counselor, review: Review, case: Case
) -> None:
    case.restricted_at = NOW
    case.save(update_fields=["restricted_at"])
    assert "Ana Alder" not in walk.text(signed_in(rita).get(QUEUE))
    assert signed_in(rita).get(page(review)).status_code == 404
    assert "Ana Alder" in walk.text(signed_in(iris.member).get(QUEUE))


# --- one review ----------------------------------------------------------------------------------


def test_a_reviewer_reads_what_is_for_the_practice_and_nothing_else(
    rita: Member, review: Review, case: Case
) -> None:
    ana, ben = persons(case)
    sent(case, ana, "We argue about money")
    sent(case, ben, "For the counselor alone", slug="cycle", visibility="counselor")
    checked(case, ben, words="Told in private")
    shown = walk.text(signed_in(rita).get(page(review)))
    assert "We argue about money" in shown
    assert "For the counselor alone" not in shown
    assert "Told in private" not in shown
    # That they came in, everybody at the desk may know.
    assert "Private check" in shown
    entry = AuditEntry.objects.get(person_id=ana.pk, verb="review.read")
    assert entry.detail == {"forms": 1}


def test_the_front_desk_sees_how_far_it_is_and_decides_nothing(
    sam: Member, review: Review, case: Case
) -> None:
    ana, _ = persons(case)
    sent(case, ana, "We argue about money")
    make.review_step(review, words=WORDS)
    shown = walk.text(signed_in(sam).get(page(review)))
    assert "1 of 2 in" in shown
    assert "We argue about money" not in shown
    assert WORDS not in shown
    assert "<button" not in shown.split("<main")[1].split("</main>")[0]
    for step in ("claim/", "release/", "accept/", "resume/", "ask/", "decline/", "waitlist/"):
        assert signed_in(sam).post(page(review, step)).status_code == 403
    assert signed_in(sam).get(page(review, "decline/")).status_code == 403
    assert Review.objects.open().count() == 1


def buttons(member: Member, review: Review) -> set[str]:
    main = walk.text(signed_in(member).get(page(review))).split("<main")[1].split("</main>")[0]
    words = ("Accept", "Decline", "Claim it", "Give it back", "Take it over", "Take it up again")
    return {one for one in words if f">{one}<" in main}


def test_no_button_is_offered_that_would_be_refused(
    rita: Member, iris: Counselor, review: Review
) -> None:
    assert buttons(rita, review) == {"Accept", "Decline", "Claim it"}
    signed_in(rita).post(page(review, "claim/"))
    assert buttons(rita, review) == {"Accept", "Decline", "Give it back"}
    assert buttons(iris.member, review) == {"Take it over"}
    Appointment.objects.update(state=Appointment.State.CANCELLED, cancelled_at=NOW)
    signed_in(rita).post(page(review, "waitlist/"), {"words": "", "reason": ""})
    assert buttons(rita, review) == {"Take it up again"}
    signed_in(rita).post(page(review, "resume/"))
    assert buttons(rita, review) == set()


def test_accepting_takes_the_case_on_and_accepts_what_was_asked_for(
    rita: Member, review: Review, case: Case, couple: Appointment
) -> None:
    Appointment.objects.update(state=Appointment.State.REQUESTED)
    response = signed_in(rita).post(page(review, "accept/"))
    assert response.status_code == 302
    case.refresh_from_db()
    couple.refresh_from_db()
    review.refresh_from_db()
    assert (case.state, couple.state, review.decision) == ("active", "confirmed", "accepted")
    assert "Ana Alder" not in walk.text(signed_in(rita).get(QUEUE))


def test_a_second_decision_is_told_of_the_first(rita: Member, review: Review) -> None:
    other = signed_in(make.reviewer("rob"))
    other.post(page(review, "accept/"))
    late = signed_in(rita).post(page(review, "decline/"), {"words": WORDS, "reason": ""})
    assert late.status_code == 409
    assert "A colleague has decided this meanwhile: accepted." in walk.text(late)
    assert ReviewStep.objects.count() == 1


def test_what_a_colleague_claimed_is_taken_over_after_asking(rita: Member, review: Review) -> None:
    rob = make.reviewer("rob")
    signed_in(rita).post(page(review, "claim/"))
    assert signed_in(rob).post(page(review, "accept/")).status_code == 409
    asked = signed_in(rob).get(page(review, "take-over/"))
    assert "Ask first" in walk.text(asked)
    signed_in(rob).post(page(review, "take-over/"))
    assert signed_in(rob).post(page(review, "accept/")).status_code == 302
    assert Notice.objects.filter(member=rita, kind="review_taken").exists()


def test_declining_ends_it_and_says_where_else_to_turn(
    rita: Member, review: Review, case: Case, couple: Appointment
) -> None:
    ana, _ = persons(case)
    Appointment.objects.update(state=Appointment.State.REQUESTED)
    form = make.assignment(make.intake(case, ana), make.instrument())
    assert "Decline this intake?" in walk.text(signed_in(rita).get(page(review, "decline/")))
    empty = signed_in(rita).post(page(review, "decline/"), {"words": "", "reason": ""})
    assert empty.status_code == 422
    sent = {"words": "Please call the clinic in Oak Street.", "reason": "No place until May"}
    assert signed_in(rita).post(page(review, "decline/"), sent).status_code == 302
    for row in (case, couple, form, review):
        row.refresh_from_db()
    assert (case.state, couple.state, form.state) == ("closed", "cancelled", "withdrawn")
    step = ReviewStep.objects.get()
    assert (step.words, step.reason) == (sent["words"], sent["reason"])


def test_a_session_in_anothers_diary_is_not_cancelled_by_the_way(
    rita: Member, iris: Counselor, review: Review, couple: Appointment
) -> None:
    sent = {"words": "Please call the clinic in Oak Street.", "reason": ""}
    refused = signed_in(rita).post(page(review, "decline/"), sent)
    assert refused.status_code == 409
    assert "a diary that you don't keep" in walk.text(refused)
    assert Review.objects.open().exists()
    # Whose diary it is may.
    assert signed_in(iris.member).post(page(review, "decline/"), sent).status_code == 302
    couple.refresh_from_db()
    assert couple.state == "cancelled"


def test_whoever_waits_for_a_place_stands_on_a_list_of_their_own(
    rita: Member, review: Review, case: Case
) -> None:
    Appointment.objects.all().update(state=Appointment.State.CANCELLED, cancelled_at=NOW)
    signed_in(rita).post(page(review, "waitlist/"), {"words": "", "reason": ""})
    assert "Ana Alder" not in walk.text(signed_in(rita).get(QUEUE))
    assert "Ana Alder" in walk.text(signed_in(rita).get(f"{QUEUE}?show=list"))


def test_asking_for_more_gives_a_form_and_sends_a_letter_that_says_nothing(
    rita: Member, review: Review, case: Case
) -> None:
    make.instrument(id="practice-intake", title="About you")
    _, ben = persons(case)
    asked = {"who": str(ben.pk), "words": WORDS, "slug": ""}
    nothing = signed_in(rita).post(page(review, "ask/"), asked)
    assert (nothing.status_code, "They have nothing open" in walk.text(nothing)) == (422, True)
    done = signed_in(rita).post(page(review, "ask/"), asked | {"slug": "practice-intake"})
    assert done.status_code == 302
    step = ReviewStep.objects.get()
    assert (step.kind, step.person, step.words) == ("asked", ben, WORDS)
    given = Assignment.objects.get()
    assert (given.intake.person, given.state) == (ben, "open")
    letters = Message.objects.filter(subject_kind="intake")
    assert {one.person_id for one in letters} == {ben.pk}


# --- a closed case -------------------------------------------------------------------------------


@pytest.fixture
def ended(review: Review, case: Case, couple: Appointment) -> Review:
    """The case was closed while it waited."""
    Appointment.objects.update(state=Appointment.State.CANCELLED, cancelled_at=NOW)
    cases.close(case=case, by=make.admin().as_actor(), now=NOW)
    review.refresh_from_db()
    return review


def test_a_case_that_is_closed_waits_for_no_decision(rita: Member, ended: Review) -> None:
    assert "Ana Alder" not in walk.text(signed_in(rita).get(QUEUE))
    shown = walk.text(signed_in(rita).get(page(ended)))
    assert "the case was closed" in shown
    assert buttons(rita, ended) == set()
    step = ReviewStep.objects.get()
    assert (ended.decision, step.kind, step.by) == ("closed", "closed", ended.decided_by)
    assert AuditEntry.objects.filter(verb="review.closed", case_id=ended.case_id).count() == 1


def told(step: str) -> dict[str, str]:
    return {
        "accept/": {},
        "ask/": {"who": "all", "words": WORDS, "slug": "practice-intake"},
        "decline/": {"words": WORDS, "reason": ""},
        "waitlist/": {"words": "", "reason": ""},
    }[step]


@pytest.mark.parametrize("step", ["accept/", "ask/", "decline/", "waitlist/"])
@pytest.mark.parametrize("is_open", [False, True])
def test_nothing_is_decided_for_a_closed_case(
    rita: Member, ended: Review, case: Case, step: str, is_open: bool
) -> None:
    make.instrument(id="practice-intake", title="About you")
    if is_open:  # as they were left before, and as a page that was loaded before would have it
        fields: dict[str, Any] = {"decision": "", "decided_at": None, "decided_by": None}
        Review.objects.filter(pk=ended.pk).update(**fields)
    late = signed_in(rita).post(page(ended, step), told(step))
    assert late.status_code == 409
    assert "The case is closed. It is reopened first." in walk.text(late)
    case.refresh_from_db()
    assert case.state == Case.State.CLOSED
    assert not Review.objects.filter(decision__in=["accepted", "declined", "waitlisted"]).exists()
    # Nor does it stand in the queue.
    assert "Ana Alder" not in walk.text(signed_in(rita).get(QUEUE))


def test_an_enquiry_that_is_reopened_waits_again(rita: Member, ended: Review, case: Case) -> None:
    by = make.admin("ada").as_actor()
    for _ in range(2):
        cases.reopen(case=case, by=by, now=NOW + HOUR)
    again = Review.objects.open().get()
    assert (again.case_id, again.due_at) == (case.pk, NOW + 49 * HOUR)
    assert "Ana Alder" in walk.text(signed_in(rita).get(QUEUE))


@pytest.mark.parametrize("by", ["admin", "system"])
def test_an_enquiry_of_somebody_who_is_erased_waits_for_nothing(by: str, rita: Member) -> None:
    review = make.review(make.case(make.dana()))
    admin = make.admin()
    actor = admin.as_actor() if by == "admin" else SYSTEM
    assert review.case.person is not None
    erasure.erase(person=review.case.person, reason="request", by=actor, now=NOW)
    review.refresh_from_db()
    decided_by = admin if by == "admin" else None
    assert (review.decision, review.decided_by) == ("closed", decided_by)
    assert ">None," not in walk.text(signed_in(rita).get(page(review)))


# --- what changes meanwhile ----------------------------------------------------------------------


def test_what_is_sent_while_it_is_declined_stays_sent(
    rita: Member, review: Review, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    Appointment.objects.update(state=Appointment.State.CANCELLED, cancelled_at=NOW)
    ana, ben = persons(case)
    quick = make.assignment(make.intake(case, ana), make.instrument())
    slow = make.assignment(make.intake(case, ben), quick.instrument)
    withdraw = forms.withdraw

    def after_sending(*, assignment: Assignment, **others: Any) -> Assignment:
        sent = Assignment.objects.filter(pk=quick.pk, state="open")
        sent.update(state=Assignment.State.SENT, closed_at=NOW)
        return withdraw(assignment=assignment, **others)

    monkeypatch.setattr(forms, "withdraw", after_sending)
    done = signed_in(rita).post(page(review, "decline/"), told("decline/"))
    assert done.status_code == 302
    for form in (quick, slow):
        form.refresh_from_db()
    assert (quick.state, slow.state) == ("sent", "withdrawn")


REFUSED = [
    (giving.CaseClosed(), 409, "The case is closed."),
    (giving.NotOfCase(), 409, "is no part of this case any more"),
    (giving.StillOpen("practice-intake"), 409, "has this form open already"),
    (Erased("gone"), 409, "was erased"),
    (giving.Unpublished("practice-intake"), 422, "This form isn't given any more."),
]


@pytest.mark.parametrize(("refusal", "status", "sentence"), REFUSED)
def test_each_refusal_has_its_sentence(
    rita: Member,
    review: Review,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Exception,
    status: int,
    sentence: str,
) -> None:
    make.instrument(id="practice-intake", title="About you")

    def refuse(**_: Any) -> None:
        raise refusal

    monkeypatch.setattr(deciding, "ask_more", refuse)
    response = signed_in(rita).post(page(review, "ask/"), told("ask/"))
    assert response.status_code == status
    assert sentence in html.unescape(walk.text(response))


def test_a_move_lets_it_be_due_before_the_next_session(case: Case, couple: Appointment) -> None:
    review = reviewing.open_review(case=case, due_at=NOW + 48 * HOUR, by=SYSTEM, now=NOW)

    def due_at(appointment: Appointment, start: datetime) -> datetime:
        beside = booking.ByHand("They asked for it")
        booking.move(appointment=appointment, start=start, beside=beside, by=SYSTEM, now=NOW)
        review.refresh_from_db()
        return review.due_at

    # Nothing was given: in the time that the practice takes, or before a session that is sooner.
    soon = NOW + 20 * HOUR
    assert due_at(couple, soon) == soon
    assert due_at(couple, NOW + 100 * HOUR) == NOW + 48 * HOUR
    # Once something was given, before the session alone; and the sooner of two counts.
    make.assignment(make.intake(case, persons(case)[0]), make.instrument())
    assert due_at(couple, NOW + 200 * HOUR) == NOW + 200 * HOUR
    first = make.appointment(
        couple.counselor, couple.service, *persons(case), start=NOW + 60 * HOUR, case=case
    )
    assert due_at(couple, NOW + 300 * HOUR) == NOW + 60 * HOUR
    assert due_at(first, NOW + 400 * HOUR) == NOW + 300 * HOUR


# --- known here already --------------------------------------------------------------------------


def test_who_may_be_known_here_already_is_said_with_a_link(
    rita: Member, iris: Counselor, theo: Counselor, review: Review
) -> None:
    alone = make.case(make.ana(name="Anna Other"), counselor=theo)
    elsewhere = make.case(
        make.person(name="Ben Birch", email="b2@example.org"), make.dana(), counselor=theo
    )
    shown = walk.text(signed_in(rita).get(page(review)))
    assert "Somebody with Ana Alder's e-mail address is known here." in shown
    assert "Somebody with Ben Birch's name is known here." in shown
    assert "another partner" in shown
    for one in (alone, elsewhere):
        assert f"/desk/cases/{one.pk}/" in shown
    assert AuditEntry.objects.filter(verb="search.read", case_id=elsewhere.pk).count() == 2
    # Who doesn't decide isn't told.
    assert "known here" not in walk.text(signed_in(make.front_desk()).get(page(review)))


def test_an_ex_partner_and_a_counselor_of_both_are_named(
    rita: Member, iris: Counselor, theo: Counselor, review: Review, case: Case
) -> None:
    before = make.case(make.ana(), make.dana(), counselor=theo)
    assert before.couple is not None
    before.couple.ended_at = NOW
    before.couple.save(update_fields=["ended_at"])
    make.case(make.ana(), counselor=theo)
    make.case(make.ben(), counselor=theo)
    shown = walk.text(signed_in(rita).get(page(review)))
    assert "ex-partner, since Monday 11 January 2027" in shown
    assert "Theo sees both of them, each alone." in shown


def test_a_restricted_person_is_no_hint(
    rita: Member, iris: Counselor, theo: Counselor, review: Review
) -> None:
    client = signed_in(rita)
    before = bare(client.get(page(review)))
    hidden = make.case(make.ana(name="Anna Other"), make.ben(), counselor=theo)
    hidden.restricted_at = NOW
    hidden.save(update_fields=["restricted_at"])
    assert bare(client.get(page(review))) == before
    # The control: it is the restriction that hides them.
    Case.objects.filter(pk=hidden.pk).update(restricted_at=None)
    assert bare(client.get(page(review))) != before


# --- nobody infers a flag ------------------------------------------------------------------------


def seen_by(member: Member, case: Case, review: Review, flag: Flag) -> list[str]:
    client = signed_in(member)
    addresses = (QUEUE, page(review), f"/desk/cases/{case.pk}/", "/desk/", flag_page(flag))
    return [bare(client.get(address)) for address in addresses]


@pytest.mark.parametrize("role", ["front desk", "reviewer", "admin", "supervisor"])
def test_with_and_without_a_flag_others_are_shown_the_same_bytes(
    review: Review, case: Case, role: str
) -> None:
    make_one = {
        "front desk": make.front_desk,
        "reviewer": make.reviewer,
        "admin": make.admin,
        "supervisor": make.supervisor,
    }
    member = make_one[role]()
    flag = flagged(case)
    with_one = seen_by(member, case, review, flag)
    flag_id = flag.pk
    flag.delete()
    flag.pk = flag_id
    assert seen_by(member, case, review, flag) == with_one


def test_the_same_comparison_finds_one_where_flags_are_shown_to_all(
    review: Review, case: Case, sam: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with a queryset that forgets whose flags they are, all pages differ."""
    flag = flagged(case)
    without = seen_by(sam, case, review, flag)
    monkeypatch.setattr(FlagQuerySet, "visible_to", lambda found, _actor: found)
    differ = [a != b for a, b in zip(without, seen_by(sam, case, review, flag), strict=True)]
    assert differ == [True, True, True, False, True]


# --- one flag ------------------------------------------------------------------------------------


def test_a_clinician_reads_why_and_how_the_person_may_be_reached(
    iris: Counselor, case: Case
) -> None:
    ana, _ = persons(case)
    flag = flagged(case)
    make.safe_contact(ana, permission=SafeContact.Permission.NO)
    make.safe_contact(
        ana,
        channel=SafeContact.Channel.VOICE,
        permission=SafeContact.Permission.NEUTRAL,
        quiet=(1320, 420),
    )
    before = walk.domain_rows()
    shown = walk.text(signed_in(iris.member).get(flag_page(flag)))
    for words in (
        "Are you afraid?",
        "kittiwake in private",
        "ana@example.org",
        "no: not on this way",
        "only neutrally",
        "not between 22:00 and 07:00",
    ):
        assert words in shown
    assert "Ben" not in shown.split("<main")[1]
    entry = AuditEntry.objects.get(verb="answers.read")
    assert (entry.person_id, entry.subject_id, entry.detail) == (ana.pk, flag.pk, {"answers": True})
    # Looking changes nothing else.
    after = walk.domain_rows()
    assert {name for name in after if after[name] != before.get(name)} <= {
        "duet_clients.AuditEntry",
        "duet_site.Session",
    }


def test_of_what_isnt_sent_yet_only_the_answers_that_raised_it_are_shown(
    iris: Counselor, case: Case
) -> None:
    ana, _ = persons(case)
    form = make.assignment(make.intake(case, ana), make.instrument(CHECK))
    said = make.response(
        form, {"better-off": "daily", "words": "still writing"}, sent=False, guarded=True
    )
    flag = make.flag(case, ana, response=said, kind="self-harm", severity="urgent")
    shown = walk.text(signed_in(iris.member).get(flag_page(flag)))
    assert "Better off dead?" in shown
    assert "still writing" not in shown


def test_seen_is_put_down_by_a_button(iris: Counselor, case: Case) -> None:
    flag = flagged(case)
    client = signed_in(iris.member)
    client.get(flag_page(flag))
    flag.refresh_from_db()
    assert flag.seen_at is None
    assert client.post(flag_page(flag, "seen/")).status_code == 302
    assert Flag.objects.filter(seen_at=NOW, seen_by=iris.member).exists()


def test_it_is_closed_with_a_note_and_the_page_never_says_safe(iris: Counselor, case: Case) -> None:
    flag = flagged(case)
    client = signed_in(iris.member)
    short = client.post(flag_page(flag, "close/"), {"note": "ok"})
    assert (short.status_code, "at least ten letters" in walk.text(short)) == (422, True)
    assert client.post(flag_page(flag, "close/"), {"note": NOTE}).status_code == 302
    shown = walk.text(client.get(flag_page(flag)))
    assert NOTE in shown
    assert not re.search(r"\bsafe\b", shown.split("<main")[1].split("</main>")[0])
    late = client.post(flag_page(flag, "close/"), {"note": NOTE})
    assert late.status_code == 409


def test_asked_in_person_lets_the_partner_be_invited_once_no_flag_is_open(
    iris: Counselor, case: Case, couple: Appointment
) -> None:
    Attendance.objects.filter(role="partner").update(gate="private_check", gate_opened_at=None)
    first, second = flagged(case), make.flag(case, persons(case)[1])
    client = signed_in(iris.member)
    client.post(flag_page(first, "close/"), {"note": NOTE, "asked": "on"})
    assert Attendance.objects.get(role="partner").gate == "private_check"
    client.post(flag_page(second, "close/"), {"note": NOTE, "asked": "on"})
    assert Attendance.objects.get(role="partner").gate == "open"


def test_closing_alone_invites_nobody(iris: Counselor, case: Case, couple: Appointment) -> None:
    Attendance.objects.filter(role="partner").update(gate="private_check", gate_opened_at=None)
    flag = flagged(case)
    signed_in(iris.member).post(flag_page(flag, "close/"), {"note": NOTE})
    assert Attendance.objects.get(role="partner").gate == "private_check"


def test_an_escalated_flag_shows_its_supervisor_that_there_is_one_and_no_answer(
    iris: Counselor, case: Case
) -> None:
    uma = make.supervisor()
    relate(case, uma, "supervisor")
    flag = flagged(case)
    client = signed_in(uma)
    assert client.get(flag_page(flag)).status_code == 404
    Flag.objects.update(escalated_at=NOW)
    shown = walk.text(client.get(flag_page(flag)))
    assert "for the counselor and co-counselors" in shown
    assert "kittiwake" not in shown
    assert "Close it" not in shown
    assert client.post(flag_page(flag, "close/"), {"note": NOTE}).status_code == 403


def test_through_the_glass_it_is_read_and_nothing_else(theo: Counselor, case: Case) -> None:
    flag = flagged(case)
    BreakGlass.objects.create(
        case=case, member=theo.member, reason="Standing in", opened_at=NOW, ends_at=NOW + HOUR
    )
    client = signed_in(theo.member)
    shown = walk.text(client.get(flag_page(flag)))
    assert "kittiwake in private" in shown
    assert "I have seen it" not in shown
    for step in ("seen/", "close/"):
        assert client.post(flag_page(flag, step)).status_code == 403


def test_the_desk_leads_to_it(iris: Counselor, case: Case) -> None:
    from_notice = flagged(case)
    Notice.objects.create(
        member=iris.member, kind="flag", subject_kind="flag", subject_id=from_notice.pk, made_at=NOW
    )
    shown = walk.text(signed_in(iris.member).get("/desk/"))
    assert flag_page(from_notice) in shown
    assert "Somebody answered something that you should see" in shown


def test_admins_are_led_to_where_a_clinician_is_named(olive: Member, case: Case) -> None:
    Notice.objects.create(
        member=olive, kind="needs_clinician", subject_kind="case", subject_id=case.pk, made_at=NOW
    )
    assert f"/desk/cases/{case.pk}/care/" in walk.text(signed_in(olive).get("/desk/"))
    Case.objects.update(restricted_at=NOW)
    assert str(case.pk) not in walk.text(signed_in(olive).get("/desk/"))


# --- from a booking ------------------------------------------------------------------------------


def booked(service: Service) -> Appointment:
    """Somebody books on Tuesday at ten, by the public pages."""
    assert walk.book(Client(), service, **walk.ALONE).status_code == 302
    return Appointment.objects.get(state__in=Appointment.TAKES_PLACE)


def test_a_request_waits_for_a_decision_as_long_as_the_practice_takes(
    iris: Counselor, talk: Service
) -> None:
    Practice.objects.update(review_within_hours=5)
    talk.booking = Service.Booking.REQUEST
    talk.save(update_fields=["booking"])
    made = booked(talk)
    review = Review.objects.get()
    assert (review.case, review.due_at) == (made.case, NOW + 5 * HOUR)
    assert AuditEntry.objects.get(verb="review.opened").case_id == review.case_id


def test_a_first_booking_with_forms_is_due_before_its_session_and_follows_it(
    iris: Counselor, talk: Service
) -> None:
    make.instrument(id="practice-intake")
    FormRule.objects.create(slug="practice-intake")
    made = booked(talk)
    assert Review.objects.get().due_at == made.starts_at
    by = iris.member.as_actor()
    booking.move(appointment=made, start=make.at(2, "10:00"), by=by, now=NOW)
    assert Review.objects.get().due_at == make.at(2, "10:00")


def test_a_booking_that_asks_for_nothing_waits_for_nobody(iris: Counselor, talk: Service) -> None:
    booked(talk)
    assert not Review.objects.exists()
