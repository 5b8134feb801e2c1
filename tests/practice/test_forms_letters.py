"""Letters that bring somebody's own link: when one holds, what it says, and to whom it goes."""

from datetime import timedelta

import pytest
from django.db import transaction
from pytest_django import Settings

from clients.actions import messages
from clients.channels.letter import Letter
from clients.models import BlindIndex, Case, Message, Person
from intake.actions import giving
from intake.models import Assignment, Intake, Review
from practice.actions import contacts, forms, reviewing
from practice.models import Counselor, Practice, Service
from practice.queries import letters
from practice.queries.intake_letters import IntakeLetters
from practice.rules import neutral
from tests import factories as make
from tests import smtp_peer
from tests.clients.message_cast import talk_to
from tests.factories import NOW, SYSTEM
from tests.practice import forms_cast as cast
from tests.practice.test_letters import _Words

pytestmark = pytest.mark.django_db
PURPOSES = ("intake", "intake-nudge-1", "intake-nudge-2")


@pytest.fixture
def talk(settings: Settings) -> Service:
    settings.DUET = settings.DUET | {"BASE_URL": "https://elm.example.org"}
    make.practice()
    iris = make.counselor("iris", name="Iris Counselor-Canary")
    cast.published(cast.CHECK, cast.MOOD)
    cast.rules(cast.CHECK, cast.MOOD)
    return make.service(counselors=[iris], name="Couple session", invite_gate="private_check")


def _letter(name: str, purpose: str) -> Letter:
    rows = Message.objects.filter(subject_id=cast.link(name).pk, purpose=purpose)
    message = rows.select_related("person__key").get()
    subject = IntakeLetters(Practice.objects.get())
    subject.read([message])
    assert subject.still_due(message) is None
    return subject.render(message)


def _why_not(purpose: str = "intake") -> str | None:
    message = Message.objects.filter(subject_kind="intake", purpose=purpose).earliest("version")
    return IntakeLetters(Practice.objects.get()).still_due(message)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_letter_reveals_nothing(purpose: str, language: str, talk: Service) -> None:
    cast.book(talk)
    person = cast.link("Ana").person
    person.language = language
    person.save()
    letter = _letter("Ana", purpose)
    html = _Words()
    html.feed(letter.html)
    everything = "\n".join(
        [letter.subject, letter.sender_name, letter.text, " ".join(html.text)]
    ).replace(cast.link("Ana").token, "")
    found = neutral._REVEALING.search(everything)
    assert not found, found
    for canary in ("Canary", "Iris", "Ana", "Ben", "Alder", "Couple", "How it is going", "check",
                   "form", "appointment", "Elm Street Practice"):  # fmt: skip
        assert canary.lower() not in everything.lower(), canary
    assert not html.sources
    assert letter.attachments == ()
    assert cast.link("Ana").token in letter.text


def test_both_get_the_same_words_whatever_the_other_has_done(talk: Service) -> None:
    cast.book(talk)
    before = _letter("Ben", "intake")
    cast.send(cast.link("Ana"), cast.CHECK, cast.MOOD)
    ana_case = cast.link("Ana").case
    make.flag(ana_case, cast.link("Ana").person)
    assert _letter("Ben", "intake") == before
    assert cast.letters("Ben") == [(purpose, 1, "planned") for purpose in PURPOSES]


def test_it_names_the_moment_on_the_persons_own_clock(talk: Service) -> None:
    booked = cast.book(talk)
    ben = booked.attendances[1].person
    ben.language = "en"
    ben.save()
    assert "by Wednesday, 20 January 2027, 16:00 (Madrid time)" in _letter("Ben", "intake").text
    assert "Please see to it by" not in _letter("Ben", "intake-nudge-2").text


def test_a_letter_holds_only_while_something_is_open(talk: Service) -> None:
    cast.book(talk, None)
    link = cast.link("Ana")
    assert _why_not() is None
    cast.send(link, cast.CHECK)
    assert _why_not() is None
    cast.send(link, cast.MOOD)
    assert _why_not() == "all_sent"
    Assignment.objects.update(state="withdrawn")
    assert _why_not() == "withdrawn"
    Assignment.objects.update(state="open", closed_at=None)
    Intake.objects.update(round=2)
    assert _why_not() == "asked_anew"
    Intake.objects.update(ended_at=NOW)
    assert _why_not() == "ended"
    Message.objects.update(subject_id=link.person_id)
    assert _why_not() == "no_intake"


def test_it_is_sent_once_whoever_scans_and_never_again_when_it_was_sent(
    talk: Service, settings: Settings
) -> None:
    cast.book(talk)

    def scan(hours: float = 0) -> None:
        now = NOW + timedelta(hours=hours)
        messages.send_due(subjects=letters.subjects(), by=SYSTEM, now=now, clock=lambda: now)

    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        for _ in range(3):
            scan()
        subjects = sorted(str(letter["Subject"]) for letter in peer.taken)
        assert len(subjects) == 3
        assert subjects.count("You have a message") == 1  # Ana's; Ben reads another language
        cast.send(cast.link("Ana"), cast.CHECK, cast.MOOD)
        peer.taken.clear()
        scan(24 * 7 + 3)
        scan(24 * 7 + 3)
        # Ben's first reminder; none of Ana's: she has sent everything.
        assert cast.letters("Ana")[1] == ("intake-nudge-1", 1, "cancelled")
        assert cast.letters("Ben")[1] == ("intake-nudge-1", 1, "sent")


@pytest.mark.parametrize("replayed", [1, 5])
def test_planning_again_and_again_changes_nothing(talk: Service, replayed: int) -> None:
    booked = cast.book(talk)
    before = list(Message.objects.order_by("pk").values())
    for _ in range(replayed):
        for attendance in booked.attendances:
            with transaction.atomic():
                forms.replan_person(person=attendance.person, reason="again", by=SYSTEM, now=NOW)
    assert list(Message.objects.order_by("pk").values()) == before


def test_past_its_end_nothing_leaves(talk: Service) -> None:
    cast.book(talk, None)
    ends = Assignment.objects.earliest("expires_at").expires_at
    assert ends is not None
    assert {row.window_ends_at for row in Message.objects.filter(purpose="intake-nudge-2")} == {
        ends
    }
    giving.expire(by=SYSTEM, now=ends)
    assert Intake.objects.get().ended_at == ends


def _decided(words: str) -> None:
    iris = Counselor.objects.get(slug="iris").member.as_actor()
    review = Review.objects.select_related("case").get()
    if words:
        reviewing.decline(review=review, words=words, by=iris, now=NOW)
    else:
        reviewing.waitlist(review=review, by=iris, now=NOW)


def test_who_is_turned_away_is_told_that_there_is_something_to_read(talk: Service) -> None:
    cast.book(talk)
    _decided("Please turn to the centre by the river, canary-referral.")
    for name in ("Ana", "Ben"):
        assert ("intake-words", 1, "planned") in cast.letters(name)
        letter = _letter(name, "intake-words")
        assert "canary" not in letter.text + letter.html + str(letter.subject)
        assert not neutral.reveals(letter.text)
    Intake.objects.update(ended_at=NOW)
    assert _why_not("intake-words") == "ended"


def test_a_place_on_the_waiting_list_without_words_is_no_letter(talk: Service) -> None:
    cast.book(talk)
    _decided("")
    assert not Message.objects.filter(purpose="intake-words").exists()


# --- one address for two -------------------------------------------------------------------------


def _move_to(person: Person, email: str) -> None:
    contacts.change_contact(
        person=person, email=email, phone=None, language="en", zone="UTC", by=SYSTEM, now=NOW
    )


def _hand(case: Case, *persons: Person) -> None:
    forms.give_by_hand(
        case=case, persons=persons, slugs=[cast.MOOD], due_at=None, expires_at=None,
        by=SYSTEM, now=NOW,
    )  # fmt: skip


def _states() -> set[str]:
    return {state for name in ("Ana", "Ben") for _, _, state in cast.letters(name)}


def test_in_a_case_opened_by_hand_no_link_goes_to_an_address_of_both(talk: Service) -> None:
    ana, ben = make.ana(), make.ben(email="Ana@example.org")
    _hand(make.case(ana, ben), ana, ben)
    assert cast.forms("Ana") == cast.forms("Ben") == [(cast.MOOD, "open")]
    assert _states() == set()

    _move_to(ben, "ben@example.org")
    for name in ("Ana", "Ben"):
        assert cast.letters(name)[0] == ("intake", 1, "planned")


def test_an_address_that_becomes_the_others_after_the_last_session_stops_every_letter(
    talk: Service,
) -> None:
    ana, ben = make.ana(), make.ben()
    iris = Counselor.objects.get()
    held = make.appointment(iris, talk, ana, ben, start=make.at(-3), state="done")
    assert held.case is not None
    _hand(held.case, ana, ben)
    assert _states() == {"planned"}
    _move_to(ben, "Ana@example.org")
    assert _states() == {"cancelled"}


@pytest.mark.parametrize("purpose", ["intake", "intake-words"])
def test_a_letter_that_is_planned_does_not_leave_to_an_address_of_both(
    purpose: str, talk: Service
) -> None:
    cast.book(talk)
    if purpose == "intake-words":
        _decided("Please turn to the centre by the river.")
    assert _why_not(purpose) is None
    ana, ben = cast.link("Ana").person_id, cast.link("Ben").person_id
    (digest,) = BlindIndex.objects.filter(person=ana, kind="email").values_list("digest", flat=True)
    BlindIndex.objects.filter(person=ben, kind="email").update(digest=digest)
    assert _why_not(purpose) == "shared_address"


def test_by_hand_those_without_any_appointment_are_told_each_at_their_own(talk: Service) -> None:
    ana, ben = make.ana(), make.ben()
    _hand(make.case(ana, ben), ana, ben)
    assert _states() == {"planned"}


def test_once_somebody_came_a_partner_who_never_did_is_not_written_to(talk: Service) -> None:
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben)
    iris = Counselor.objects.get()
    make.appointment(iris, talk, ana, start=make.at(-3), state="done", case=case)
    _hand(case, ana, ben)
    assert cast.letters("Ana")[0] == ("intake", 1, "planned")
    assert cast.letters("Ben") == []
