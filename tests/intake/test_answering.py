"""What an answer, a sent form and an agreement become; and what is refused, with nothing kept."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from clients.models import AuditEntry, Case, Person
from clients.queries import people
from clients.rules.actors import Actor
from intake.actions import answering, instruments
from intake.actions.answering import Saved
from intake.models import Agreement, Assignment, CasePolicy, Instrument, Intake, Response
from intake.queries import taking
from tests import factories as make
from tests.factories import MOOD, NOW
from tests.intake import filling
from tests.races.test_one_slot import together

pytestmark = pytest.mark.django_db

# What a form can ask, one of each kind.
ALL_KINDS: dict[str, Any] = {
    **MOOD,
    "id": "kinds",
    "visibility": "staff",
    "scales": {
        **MOOD["scales"],
        "ways": {"options": [{"code": "a", "label": "A"}, {"code": "b", "label": "B"}]},
    },
    "items": [
        {"id": "who", "kind": "text", "text": "Who?", "required": True, "page": "1"},
        {"id": "born", "kind": "date", "text": "Born?", "past": True, "page": "1"},
        {"id": "ways", "kind": "multi", "scale": "ways", "text": "Ways?"},
        {"id": "more", "kind": "boolean", "text": "More?"},
        {
            "id": "what",
            "kind": "long_text",
            "text": "What?",
            "show_when": {"item": "more", "operator": "=", "value": True},
        },
        {"id": "many", "kind": "integer", "text": "How many?", "least": 0, "most": 10},
        {"id": "close", "kind": "choice", "scale": "often", "text": "I feel close."},
        {"id": "calm", "kind": "choice", "scale": "often", "text": "I feel calm."},
        {
            "id": "agree",
            "kind": "consent",
            "text": "I agree.",
            "help": "To all of this.",
            "version": "3",
            "required": True,
        },
        {"id": "name", "kind": "signature", "text": "Your name"},
    ],
    "translations": {"es": {"items.agree": "Acepto.", "items.agree.help": "A todo esto."}},
}
WHOLE: dict[str, Any] = {"who": "Ana", "close": "often", "calm": "never", "agree": "yes"}


@pytest.fixture
def ana() -> Person:
    return make.ana()


@pytest.fixture
def case(ana: Person) -> Case:
    found = make.case(ana, make.ben(), counselor=make.counselor("iris"))
    CasePolicy.objects.create(case=found, kind=CasePolicy.Kind.LIMITED, set_at=NOW)
    return found


@pytest.fixture
def mine(case: Case, ana: Person) -> Intake:
    intake = make.intake(case, ana)
    filling.accept(intake)
    return intake


@pytest.fixture
def given(mine: Intake) -> Assignment:
    return make.assignment(mine, make.instrument(ALL_KINDS))


def by(given: Assignment) -> Actor:
    return Actor.of_person(given.intake.person_id)


def save(given: Assignment, revision: int = 0, **values: Any) -> Saved:
    return answering.save(assignment=given, values=values, revision=revision, by=by(given), now=NOW)


def send(given: Assignment, name: str = "Ana Alder") -> Response:
    return answering.send(assignment=given, signed_name=name, by=by(given), now=NOW)


def stored(given: Assignment) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Response.objects.get(assignment=given).answers)
    return found


def test_answers_are_kept_with_the_revision_at_which_they_were_put(given: Assignment) -> None:
    assert save(given, who="Ana", ways=["b", "a"]).revision == 1
    assert save(given, 1, more="yes").revision == 2
    assert stored(given) == {
        "more": {"r": 2, "v": True},
        "ways": {"r": 1, "v": ["a", "b"]},
        "who": {"r": 1, "v": "Ana"},
    }
    response = Response.objects.get()
    assert (response.audience, response.guarded, response.sent_at) == ("staff", False, None)


def test_whoever_has_read_the_latest_overwrites_it(given: Assignment) -> None:
    """The control: it is the revision alone that holds the other one back."""
    save(given, who="Ana")
    save(given, 1, who="from the other device")
    assert save(given, 2, who="from here").conflicts == ()
    assert stored(given)["who"]["v"] == "from here"


def test_the_same_answer_again_is_no_change_and_no_conflict(given: Assignment) -> None:
    save(given, who="Ana")
    save(given, 1, who="Anna")
    assert save(given, 0, who="Anna") == Saved(revision=2)
    assert AuditEntry.objects.filter(verb="response.saved").count() == 2


def test_what_was_answered_elsewhere_meanwhile_is_overwritten_by_nobody(given: Assignment) -> None:
    save(given, who="Ana")
    save(given, 1, who="from the other device")
    saved = save(given, 1, who="from here", more="yes")
    assert saved.conflicts == ("who",)
    assert stored(given)["who"]["v"] == "from the other device"
    assert "more" not in stored(given)  # all or nothing
    assert save(given, saved.revision, who="from here").conflicts == ()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("close", "hacked", "choice"),
        ("close", ["often", "never"], "several"),
        ("close", "~unknown", "choice"),
        ("ways", ["a", "c"], "choice"),
        ("many", "11", "most"),
        ("many", "-1", "least"),
        ("many", "1.5", "number"),
        ("many", "٣", "number"),
        ("born", "2027-01-12", "future"),
        ("born", "2026-02-30", "date"),
        ("born", "12/01/1990", "date"),
        ("agree", "false", "consent"),
        ("agree", "no", "consent"),
        ("who", "a\nb", "line_break"),
        ("who", "a\x00b", "characters"),
        ("who", "a\ud800", "characters"),
        ("who", "a" * 201, "too_long"),
        ("what", "not asked", "hidden"),
        ("name", "Ana", "unknown"),
        ("nothing", "Ana", "unknown"),
    ],
    ids=lambda one: ascii(one)[:20],
)
def test_an_answer_that_cannot_be_taken_is_refused_and_nothing_is_kept(
    given: Assignment, name: str, value: Any, code: str
) -> None:
    with pytest.raises(answering.Refused) as refused:
        save(given, **{"calm": "often", name: value})
    assert refused.value.wrong == {name: code}
    assert not Response.objects.exists()


def test_a_birth_date_of_today_is_taken(given: Assignment) -> None:
    """Today is the day on the person's own clock."""
    assert save(given, born="2027-01-11").revision == 1


def test_a_long_answer_is_kept_to_the_letter(given: Assignment) -> None:
    text = "Wort " * 4000
    save(given, more="yes", what=text)
    assert stored(given)["what"]["v"] == text
    with pytest.raises(answering.Refused):
        save(given, 1, what=text + "x")


def test_sent_is_whole_signed_scored_and_never_changes(given: Assignment) -> None:
    save(given, **WHOLE, more="yes", what="of my own")
    save(given, 1, more="no")
    response = send(given)
    kept = stored(given)
    assert "what" not in kept  # it isn't asked any more
    assert kept["name"]["v"] == "Ana Alder"
    row = Response.objects.get()
    assert json.loads(row.scores) == {"total": "2"}
    whole = bytes(given.instrument.content_hash) + row.answers.encode()
    assert bytes(row.content_hash or b"") == hashlib.sha256(whole).digest()
    given.refresh_from_db()
    assert (given.state, given.closed_at, response.sent_at) == ("sent", NOW, NOW)
    for again in (lambda: save(given, 9, who="Else"), lambda: send(given)):
        with pytest.raises(answering.Closed):
            again()


@pytest.mark.parametrize(
    ("answers", "name", "missing", "unsigned"),
    [
        ({}, "Ana", [(1, "who"), (8, "agree")], False),
        ({"who": "Ana"}, "Ana", [(8, "agree")], False),
        (WHOLE, "", [], True),
    ],
)
def test_an_empty_or_unsigned_form_cannot_be_complete(
    given: Assignment,
    answers: dict[str, Any],
    name: str,
    missing: list[tuple[int, str]],
    unsigned: bool,
) -> None:
    if answers:
        save(given, **answers)
    with pytest.raises(answering.Incomplete) as refused:
        send(given, name)
    assert list(refused.value.missing) == missing
    assert refused.value.unsigned is unsigned
    given.refresh_from_db()
    assert given.state == "open"
    assert not Agreement.objects.exclude(kind="policy").exists()


def test_a_form_without_any_answer_cannot_be_sent(mine: Intake) -> None:
    mood = make.assignment(mine, make.instrument(MOOD))
    save(mood, close="", words="")
    with pytest.raises(answering.Incomplete) as refused:
        send(mood, "")
    assert refused.value.empty
    save(mood, 9, close="~skip")  # that is an answer
    assert send(mood, "").sent_at == NOW


def test_a_consent_is_kept_in_the_words_and_the_language_that_were_read(
    given: Assignment, ana: Person
) -> None:
    ana.language = "es"
    ana.save(update_fields=["language"])
    given.intake.person.refresh_from_db()
    save(given, **WHOLE)
    send(given)
    agreed = Agreement.objects.get(kind="consent")
    assert (agreed.slug, agreed.version, agreed.language) == ("kinds.agree", "3", "es")
    assert agreed.text == "Acepto.\nA todo esto."
    assert agreed.signed_name == "Ana Alder"
    assert agreed.response == Response.objects.get()


def test_the_same_consent_in_a_later_round_stands_and_a_new_text_takes_its_place(
    given: Assignment, mine: Intake
) -> None:
    def next_round(number: int, **changes: Any) -> None:
        instrument = (
            make.instrument(ALL_KINDS, state=Instrument.State.RETIRED, **changes)
            if changes
            else given.instrument
        )
        again = make.assignment(mine, instrument, number=number)
        save(again, **WHOLE)
        send(again)

    save(given, **WHOLE)
    send(given)
    next_round(2)
    assert Agreement.objects.filter(kind="consent").count() == 1
    items = [{**one, "version": "4"} if one["id"] == "agree" else one for one in ALL_KINDS["items"]]
    next_round(3, version="2.0", items=items)
    assert Agreement.objects.filter(kind="consent").count() == 2
    assert Agreement.objects.standing().get(kind="consent").version == "4"


# --- sharing -------------------------------------------------------------------------------------


SHARED = {
    **MOOD,
    "id": "shared",
    "items": [*MOOD["items"], {"id": "share", "kind": "boolean", "text": "Show us both."}],
    "short_form": ["close"],
}


def sharing(mine: Intake, number: int, *, short: bool = False, **answers: Any) -> None:
    instrument = Instrument.objects.filter(slug="shared").first() or make.instrument(SHARED)
    given = make.assignment(mine, instrument, number=number, short=short)
    save(given, close="often", **answers)
    send(given, "")


def shares() -> int:
    return Agreement.objects.standing().filter(kind="share").count()


def test_sharing_is_an_agreement_and_ends_when_it_is_not_given_again(mine: Intake) -> None:
    sharing(mine, 1, share="yes")
    assert shares() == 1
    sharing(mine, 2, short=True)  # where it isn't asked, nothing changes
    assert shares() == 1
    sharing(mine, 3, share="no")
    assert shares() == 0
    sharing(mine, 4, share="yes")
    sharing(mine, 5)  # asked, and left open
    assert shares() == 0


def test_sharing_is_taken_back_by_the_person_alone(mine: Intake, case: Case, ana: Person) -> None:
    def say(agreed: bool, actor: Actor) -> None:
        answering.share(
            case=case,
            person=ana,
            agreed=agreed,
            version="1",
            words="Show us both.",
            language="en",
            by=actor,
            now=NOW,
        )

    herself = Actor.of_person(ana.pk)
    say(True, herself)
    say(True, herself)
    assert shares() == 1
    with pytest.raises(answering.NotTheirs):
        say(False, Actor.of_person(make.chris().pk))
    # A member or a program whose id is the person's is still somebody else.
    for other in (Actor.of_member(ana.pk, frozenset({"admin"})), replace(herself, kind="visitor")):
        with pytest.raises(answering.NotTheirs):
            say(False, other)
    assert shares() == 1
    say(False, herself)
    assert shares() == 0


def test_what_waited_for_the_lock_is_taken_back_no_earlier_than_it_was_given(
    case: Case, ana: Person
) -> None:
    """Two at once: the one that came first by its clock may get the lock second."""
    given = make.agreement(
        case, ana, kind="share", slug="summary", given_at=NOW + timedelta(seconds=1)
    )
    answering.share(
        case=case,
        person=ana,
        agreed=False,
        version="1",
        words="Show us both.",
        language="en",
        by=Actor.of_person(ana.pk),
        now=NOW,
    )
    given.refresh_from_db()
    assert given.withdrawn_at == given.given_at


# --- two at once ---------------------------------------------------------------------------------


def agree_in_threads(intake: Intake, which: str) -> Counter[str]:
    """Four devices say the same at the same moment; what became of it."""

    def act(_index: int) -> str:
        said: dict[str, Any] = {
            "words": "In these words.",
            "language": "en",
            "by": Actor.of_person(intake.person_id),
            "now": NOW,
        }
        try:
            if which == "policy":
                answering.accept_policy(intake=intake, kind="limited", **said)
            else:
                case, person = intake.case, intake.person
                answering.share(case=case, person=person, agreed=True, version="1", **said)
        except IntegrityError:
            return "failed"
        return "agreed"

    return together(4, act)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("which", ["policy", "share"])
def test_whoever_agrees_twice_at_once_has_agreed_once(case: Case, ana: Person, which: str) -> None:
    assert agree_in_threads(make.intake(case, ana), which) == {"agreed": 4}
    assert Agreement.objects.count() == 1
    assert AuditEntry.objects.filter(verb="agreement.given").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("which", ["policy", "share"])
def test_without_the_lock_all_but_one_fail(
    case: Case, ana: Person, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: all have looked before one of them writes."""
    everybody, write = threading.Barrier(4), Agreement.save

    def late(row: Agreement, **more: Any) -> None:
        everybody.wait(30)
        write(row, **more)

    monkeypatch.setattr(answering, "_lock_case", lambda case_id: None)
    monkeypatch.setattr(Agreement, "save", late)
    assert agree_in_threads(make.intake(case, ana), which) == {"agreed": 1, "failed": 3}


# --- what comes first, and who --------------------------------------------------------------------


def test_only_the_person_answers(given: Assignment, case: Case) -> None:
    others = [
        Actor.of_person(make.chris().pk),
        Actor.of_member(make.admin().pk, frozenset({"admin"})),
        Actor.visitor(),
    ]
    for other in others:
        calls: list[Callable[[], Any]] = [
            lambda other=other: answering.begin(  # type: ignore[misc]
                assignment=given, language="en", by=other, now=NOW
            ),
            lambda other=other: answering.save(  # type: ignore[misc]
                assignment=given, values={"who": "x"}, revision=0, by=other, now=NOW
            ),
            lambda other=other: answering.send(  # type: ignore[misc]
                assignment=given, signed_name="x", by=other, now=NOW
            ),
        ]
        for call in calls:
            with pytest.raises(answering.NotTheirs):
                call()


def test_nothing_private_before_it_is_accepted_how_it_is_kept(
    given: Assignment, case: Case
) -> None:
    Agreement.objects.all().delete()
    with pytest.raises(answering.PolicyFirst):
        save(given, who="Ana")
    filling.accept(given.intake)
    save(given, who="Ana")
    CasePolicy.objects.update(kind=CasePolicy.Kind.NO_SECRETS)  # other words: accepted anew
    with pytest.raises(answering.PolicyFirst):
        save(given, 1, who="Anna")


def test_the_private_check_comes_first_and_alone(given: Assignment, mine: Intake) -> None:
    instruments.load_shipped(by=make.SYSTEM, now=NOW)
    check = make.assignment(mine, Instrument.objects.get(slug="private-check"))
    with pytest.raises(answering.CheckFirst):
        save(given, who="Ana")
    filling.send(check)
    save(given, who="Ana")
    guarded = Response.objects.get(assignment=check)
    assert (guarded.guarded, guarded.audience) == (True, "counselor")


def check_of(mine: Intake, number: int, state: str = "open") -> Assignment:
    """One more private check: each is given later than the one before."""
    found = Instrument.objects.filter(slug="private-check").first()
    if found is None:
        instruments.load_shipped(by=make.SYSTEM, now=NOW)
        found = Instrument.objects.get(slug="private-check")
    given = make.assignment(mine, found, number=number)
    end_it(given, state)
    return given


def end_it(given: Assignment, state: str) -> None:
    closed = None if state == "open" else NOW
    Assignment.objects.filter(pk=given.pk).update(state=state, closed_at=closed)


def waits(given: Assignment) -> bool:
    """Whether the form waits: as the list says, and as the save does."""
    listed = {one.assignment: one.locked for one in taking.listed(given.intake, NOW)}
    try:
        answering.begin(assignment=given, language="en", by=by(given), now=NOW)
    except answering.CheckFirst:
        assert listed[given]
        return True
    assert not listed[given]
    return False


@pytest.mark.parametrize(
    ("checks", "locked"),
    [
        ([], False),  # the control: the practice asks for none
        (["sent"], False),
        (["open"], True),
        (["expired"], True),
        (["withdrawn"], True),
        (["expired", "sent"], False),
        (["sent", "expired"], True),
        (["sent", "open"], True),
        (["sent", "withdrawn"], False),
        (["expired", "withdrawn"], True),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, list) else "",
)
def test_only_a_private_check_that_was_sent_opens_the_rest(
    given: Assignment, mine: Intake, checks: list[str], locked: bool
) -> None:
    for number, state in enumerate(checks, 1):
        check_of(mine, number, state)
    assert waits(given) is locked


def test_a_new_link_opens_nothing_that_the_check_of_the_old_one_holds(
    mine: Intake, case: Case, ana: Person
) -> None:
    check_of(mine, 1, "expired")
    Intake.objects.update(ended_at=NOW)
    again = make.intake(case, ana)
    assert waits(make.assignment(again, make.instrument(ALL_KINDS)))
    end_it(check_of(again, 2), "sent")
    assert not waits(Assignment.objects.get(slug="kinds"))


def test_the_partners_check_opens_and_locks_nothing(given: Assignment, case: Case) -> None:
    ben = next(one for one in people.persons_of(case) if one.pk != given.intake.person_id)
    check_of(make.intake(case, ben), 1, "expired")
    assert not waits(given)


def test_whoever_is_not_alone_leaves_no_trace(mine: Intake) -> None:
    instruments.load_shipped(by=make.SYSTEM, now=NOW)
    check = make.assignment(mine, Instrument.objects.get(slug="private-check"))
    for said in ("no", "not-sure"):
        assert save(check, S1=said).stopped
    assert stored(check) == {}
    with pytest.raises(answering.Refused):
        save(check, S2="yes")  # what lies behind isn't asked
    assert save(check, S1="yes").revision == 1


@pytest.mark.parametrize("state", ["expired", "withdrawn"])
def test_what_has_ended_takes_nothing(given: Assignment, state: str) -> None:
    Assignment.objects.update(state=state, closed_at=NOW)
    with pytest.raises(answering.Closed):
        save(given, who="Ana")


def test_what_expires_takes_nothing_from_that_moment(given: Assignment) -> None:
    Assignment.objects.update(expires_at=NOW + timedelta(minutes=1))
    save(given, who="Ana")
    Assignment.objects.update(expires_at=NOW)
    with pytest.raises(answering.Closed):
        save(given, 1, who="Anna")


def test_a_new_version_changes_nothing_for_whoever_is_in_the_middle(given: Assignment) -> None:
    save(given, who="Ana")
    Instrument.objects.update(state="retired", retired_at=NOW)
    make.instrument(ALL_KINDS, version="2.0", items=ALL_KINDS["items"][:1])
    save(given, 1, **WHOLE)
    send(given)
    assert set(stored(given)) == {*WHOLE, "name"}


def test_the_audit_trail_holds_codes_and_counts_and_no_word(given: Assignment) -> None:
    word = "kittiwake"
    save(given, **WHOLE | {"who": word}, more="yes", what=word)
    send(given, f"Ana {word}")
    told = list(AuditEntry.objects.filter(subject_kind__in=("response", "agreement")))
    assert {one.verb for one in told} == {
        "response.begun",
        "response.saved",
        "response.sent",
        "agreement.given",
    }
    assert word not in json.dumps([one.detail for one in told])
    assert {one.person_id for one in told} == {given.intake.person_id}
