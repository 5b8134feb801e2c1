"""Reviews: when they are due, whose they are, and how one ends; decided twice at once, once."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from clients.models import AuditEntry, CareRelation, Case, Member, Notice, Person
from clients.rules import contact
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from intake.actions import giving, reviewing
from intake.models import Assignment, Instrument, Intake, Review, ReviewStep
from intake.models.review import ReviewQuerySet
from intake.queries import reviewing as queries
from intake.rules import review as rules
from intake.rules.review import Given, NotAllowed
from practice.models import Counselor
from tests import factories as make
from tests.factories import NOW, SYSTEM
from tests.races.test_one_slot import together

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
WORDS = "Please tell us when you are free."


@pytest.fixture
def iris() -> Counselor:
    make.practice()
    return make.counselor("iris")


@pytest.fixture
def rita() -> Member:
    return make.reviewer()


@pytest.fixture
def couple(iris: Counselor) -> Case:
    return make.case(make.ana(), make.ben(), counselor=iris)


def persons(case: Case) -> list[Person]:
    assert case.couple is not None
    return [one.person for one in case.couple.members.order_by("voice")]


def opened(case: Case, due_at: datetime = NOW + 500 * HOUR, within: int = 48) -> Review:
    return reviewing.open_review(case=case, due_at=due_at, within_hours=within, by=SYSTEM, now=NOW)


def sent(case: Case, person: Person, at: datetime, slug: str = "mood") -> Assignment:
    instrument = Instrument.objects.filter(slug=slug).first() or make.instrument(id=slug)
    intake = Intake.objects.filter(case=case, person=person).first()
    return make.assignment(
        intake or make.intake(case, person), instrument, state="sent", closed_at=at
    )


def came_in(case: Case, at: datetime) -> Review | None:
    return reviewing.came_in(case=case, by=SYSTEM, now=at)


# --- when it is due ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latest", "came", "due"),
    [
        (None, None, 48),
        (100, None, 100),
        (100, 10, 58),
        (40, 10, 40),
        (None, 10, 58),
        # What is due before it was opened is due at once.
        (-5, None, 0),
    ],
)
def test_it_is_due_after_the_first_form_and_before_the_session(
    latest: int | None, came: int | None, due: int
) -> None:
    found = rules.due(
        opened_at=NOW,
        latest_at=None if latest is None else NOW + latest * HOUR,
        came_in_at=None if came is None else NOW + came * HOUR,
        within=48 * HOUR,
    )
    assert found == NOW + due * HOUR


def test_the_first_form_that_comes_in_makes_it_due_and_the_second_changes_nothing(
    couple: Case,
) -> None:
    ana, ben = persons(couple)
    review = opened(couple)
    assert review.due_at == NOW + 500 * HOUR
    sent(couple, ana, NOW + HOUR)
    came_in(couple, NOW + HOUR)
    sent(couple, ben, NOW + 30 * HOUR)
    came_in(couple, NOW + 30 * HOUR)
    review.refresh_from_db()
    assert review.due_at == NOW + 49 * HOUR


def test_a_session_that_moves_moves_it_too_and_opens_no_second_one(couple: Case) -> None:
    first = opened(couple, due_at=NOW + 100 * HOUR)
    again = opened(couple, due_at=NOW + 60 * HOUR)
    assert (again.pk, again.due_at) == (first.pk, NOW + 60 * HOUR)
    assert opened(couple, due_at=NOW + 200 * HOUR).due_at == NOW + 200 * HOUR
    assert AuditEntry.objects.filter(verb="review.opened").count() == 1


def test_after_more_was_asked_for_the_time_runs_anew(couple: Case, rita: Member) -> None:
    ana, _ = persons(couple)
    review = opened(couple)
    sent(couple, ana, NOW + HOUR)
    came_in(couple, NOW + HOUR)
    reviewing.ask_more(review=review, words=WORDS, by=rita.as_actor(), now=NOW + 2 * HOUR)
    review.refresh_from_db()
    assert (review.asked_at, review.due_at) == (NOW + 2 * HOUR, NOW + 500 * HOUR)
    sent(couple, ana, NOW + 90 * HOUR, slug="more")
    came_in(couple, NOW + 90 * HOUR)
    review.refresh_from_db()
    assert (review.asked_at, review.due_at) == (None, NOW + 138 * HOUR)
    kinds = list(review.steps.order_by("at").values_list("kind", flat=True))
    assert kinds == ["asked", "reopened"]


def test_what_comes_in_without_a_review_is_no_fault(couple: Case) -> None:
    assert came_in(couple, NOW) is None


def test_a_case_without_a_counselor_is_somebodys_to_give(couple: Case) -> None:
    make.admin()
    couple.counselor = None
    couple.save(update_fields=["counselor"])
    opened(couple)
    assert Notice.objects.get().kind == "needs_clinician"


# --- how far it is -------------------------------------------------------------------------------


def test_who_is_in_has_sent_all_that_they_were_given(couple: Case) -> None:
    ana, ben = persons(couple)
    sent(couple, ana, NOW)
    sent(couple, ben, NOW)
    make.assignment(Intake.objects.get(person=ben), make.instrument(id="more"))
    given = queries.given([couple.pk])[couple.pk]
    assert set(given) == {Given(ana.pk, 1, 0), Given(ben.pk, 1, 1)}
    assert rules.how_many_in([ana.pk, ben.pk], given) == 1


def test_withdrawn_and_repeated_forms_count_for_nothing(couple: Case) -> None:
    ana, _ = persons(couple)
    sent(couple, ana, NOW)
    intake = Intake.objects.get(person=ana)
    make.assignment(intake, make.instrument(id="gone"), state="withdrawn")
    make.assignment(intake, make.instrument(id="again"), origin="rhythm")
    assert queries.given([couple.pk])[couple.pk] == [Given(ana.pk, 1, 0)]


def test_of_what_was_given_again_the_last_counts(couple: Case) -> None:
    ana, ben = persons(couple)
    for person, states in ((ana, ("expired", "sent")), (ben, ("sent", "expired"))):
        intake, form = make.intake(couple, person), make.instrument(id=f"of-{person.name[:3]}")
        for number, state in enumerate(states, 1):
            make.assignment(intake, form, number=number, state=state)
        make.assignment(intake, form, number=3, state="withdrawn")
    given = queries.given([couple.pk])[couple.pk]
    assert set(given) == {Given(ana.pk, 1, 0), Given(ben.pk, 0, 1)}
    assert rules.how_many_in([ana.pk, ben.pk], given) == 1


@pytest.mark.parametrize(
    ("came", "of", "asked", "standing"),
    [(0, 2, False, "none"), (1, 2, False, "some"), (2, 2, False, "all"), (2, 2, True, "asked")],
)
def test_how_it_stands_in_a_word(came: int, of: int, asked: bool, standing: str) -> None:
    assert rules.standing(came_in=came, of=of, asked=asked) == standing


# --- whose it is ---------------------------------------------------------------------------------


def test_a_colleague_takes_over_on_purpose_and_the_other_is_told(
    couple: Case, rita: Member, iris: Counselor
) -> None:
    review = opened(couple)
    reviewing.claim(review=review, by=rita.as_actor(), now=NOW)
    with pytest.raises(NotAllowed, match="claimed"):
        reviewing.claim(review=review, by=iris.member.as_actor(), now=NOW)
    with pytest.raises(NotAllowed, match="claimed"):
        reviewing.accept(review=review, by=iris.member.as_actor(), now=NOW)
    taken = reviewing.claim(review=review, take_over=True, by=iris.member.as_actor(), now=NOW)
    assert taken.claimed_by_id == iris.member.pk
    assert list(Notice.objects.values_list("member__name", "kind")) == [("Rita", "review_taken")]
    with pytest.raises(NotAllowed, match="not_claimed"):
        reviewing.release(review=review, by=rita.as_actor(), now=NOW)
    freed = reviewing.release(review=review, by=iris.member.as_actor(), now=NOW)
    assert freed.claimed_by is None


Act = Callable[[Review, Actor], Review]
ACTS: dict[str, Act] = {
    "claim": lambda review, by: reviewing.claim(review=review, by=by, now=NOW),
    "release": lambda review, by: reviewing.release(review=review, by=by, now=NOW),
    "ask": lambda review, by: reviewing.ask_more(review=review, words=WORDS, by=by, now=NOW),
    "accept": lambda review, by: reviewing.accept(review=review, by=by, now=NOW),
    "decline": lambda review, by: reviewing.decline(review=review, words=WORDS, by=by, now=NOW),
    "waitlist": lambda review, by: reviewing.waitlist(review=review, by=by, now=NOW),
    "resume": lambda review, by: reviewing.resume(review=review, within_hours=48, by=by, now=NOW),
}


@pytest.mark.parametrize("act", ACTS)
def test_only_reviewers_and_its_clinicians_decide(couple: Case, act: str) -> None:
    review = opened(couple)
    uma, theo = make.supervisor(), make.counselor("theo").member
    CareRelation.objects.create(case=couple, member=uma, kind="supervisor", since_at=NOW)
    others = [
        make.front_desk().as_actor(),
        make.admin().as_actor(),
        uma.as_actor(),
        theo.as_actor(),
        theo.as_actor([couple.pk]),
        Actor.of_person(persons(couple)[0].pk, proof=2),
    ]
    for actor in others:
        with pytest.raises(NotPermitted), transaction.atomic():
            ACTS[act](review, actor)
    assert not ReviewStep.objects.exists()


def test_a_restricted_case_isnt_there_for_a_reviewer(couple: Case, rita: Member) -> None:
    review = opened(couple)
    couple.restricted_at = NOW
    couple.save(update_fields=["restricted_at"])
    with pytest.raises(NotPermitted):
        reviewing.claim(review=review, by=rita.as_actor(), now=NOW)


# --- what comes of it ----------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["accept", "decline", "waitlist"])
def test_what_is_decided_is_out_of_the_queue_and_stays_decided(
    couple: Case, rita: Member, act: str
) -> None:
    review = opened(couple)
    decided = ACTS[act](review, rita.as_actor())
    assert (decided.decided_by_id, decided.decided_at) == (rita.pk, NOW)
    assert not Review.objects.open().exists()
    for again in ("claim", "release", "ask", "accept", "decline", "waitlist"):
        with pytest.raises(NotAllowed, match="decided"), transaction.atomic():
            ACTS[again](review, rita.as_actor())
    assert ReviewStep.objects.count() == 1
    entry = AuditEntry.objects.get(verb=f"review.{decided.decision}")
    assert (entry.case_id, entry.detail) == (couple.pk, {})


def test_words_for_one_are_sealed_with_their_own_key(couple: Case, rita: Member) -> None:
    _, ben = persons(couple)
    review = opened(couple)
    reviewing.ask_more(review=review, words=WORDS, person=ben, by=rita.as_actor(), now=NOW)
    step = ReviewStep.objects.select_related("person__key").get()
    assert (step.person, step.words, step.sealing_key()) == (ben, WORDS, ben.key)
    with connection.cursor() as cursor:
        cursor.execute("SELECT words FROM duet_intake_reviewstep")
        assert WORDS.encode() not in bytes(cursor.fetchone()[0])
    with pytest.raises(giving.NotOfCase):
        reviewing.ask_more(
            review=review, words=WORDS, person=make.chris(), by=rita.as_actor(), now=NOW
        )


@pytest.mark.parametrize("words", ["", "          ", "too short", "x" * 2001])
def test_words_say_something(couple: Case, rita: Member, words: str) -> None:
    review = opened(couple)
    with pytest.raises((NotAllowed, contact.Refused)), transaction.atomic():
        reviewing.decline(review=review, words=words, by=rita.as_actor(), now=NOW)
    assert Review.objects.open().exists()


def test_from_the_waiting_list_it_is_taken_up_again_once(couple: Case, rita: Member) -> None:
    review = opened(couple)
    reviewing.waitlist(review=review, by=rita.as_actor(), now=NOW)
    later = NOW + timedelta(days=30)
    again = reviewing.resume(review=review, within_hours=24, by=rita.as_actor(), now=later)
    assert (again.pk != review.pk, again.due_at) == (True, later + 24 * HOUR)
    with pytest.raises(NotAllowed, match="not_on_list"):
        reviewing.resume(review=review, within_hours=24, by=rita.as_actor(), now=later)


def test_what_was_done_is_read_by_those_who_decide(couple: Case, rita: Member) -> None:
    review = opened(couple)
    reviewing.ask_more(review=review, words=WORDS, by=rita.as_actor(), now=NOW)
    for member, count in ((rita, 1), (couple.counselor, 1), (make.admin(), 0)):
        assert member is not None
        assert len(queries.steps(member.as_actor(), couple)) == count


# --- at once -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.races
def test_of_many_who_decide_at_once_one_does() -> None:
    make.practice()
    case = make.case(make.ana(), make.ben(), counselor=make.counselor("iris"))
    review = make.review(case)
    actors = [make.reviewer(f"rita{number}").as_actor() for number in range(8)]

    def decide(index: int) -> str:
        try:
            ACTS["accept" if index % 2 else "decline"](review, actors[index])
        except NotAllowed as refused:
            return refused.code
        return "done"

    assert together(8, decide) == Counter({"decided": 7, "done": 1})
    assert ReviewStep.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.races
def test_without_the_lock_both_would_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: two who have both read it as open, which the lock forbids."""
    make.practice()
    case = make.case(make.ana(), make.ben(), counselor=make.counselor("iris"))
    review = make.review(case)
    actors = [make.reviewer(f"rita{number}").as_actor() for number in range(2)]
    both, check = threading.Barrier(2), rules.check_open
    monkeypatch.setattr(ReviewQuerySet, "select_for_update", lambda found, **_: found)

    def read(*, decided: bool) -> None:
        both.wait(30)
        check(decided=decided)

    monkeypatch.setattr(rules, "check_open", read)
    done = together(2, lambda index: ACTS["accept"](review, actors[index]).decision)
    assert done == Counter({"accepted": 2})
    assert ReviewStep.objects.count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.races
def test_of_many_who_open_one_at_once_there_is_one() -> None:
    make.practice()
    case = make.case(make.ana(), make.ben(), counselor=make.counselor("iris"))

    def begin(_: int) -> str:
        return str(opened(case).pk)

    assert len(together(8, begin)) == 1
