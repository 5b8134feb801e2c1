"""What members are told: once, on the desk and by a mail with nothing in it."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from clients.actions import messages, notices
from clients.actions.notices import Mailed
from clients.channels.letter import Letter
from clients.models import AuditEntry, Member, Notice
from clients.queries.notices import unseen
from tests import factories as make
from tests import smtp_peer
from tests.clients.message_cast import Clock, talk_to
from tests.factories import NOW, SYSTEM
from tests.smtp_peer import Behave, Peer

pytestmark = pytest.mark.django_db


@pytest.fixture
def peer(settings: Settings) -> Iterator[Peer]:
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        yield peer


def somebody(name: str, email: str | None = None) -> Member:
    member = make.front_desk(name)
    member.user.email = f"{name}@practice.example.org" if email is None else email
    member.user.save(update_fields=["email"])
    return member


def tell(*members: Member, kind: str = "glass_broken", about: UUID | None = None) -> UUID:
    about = about or uuid4()
    with transaction.atomic():
        notices.tell(
            members=members,
            kind=kind,
            subject_kind="case",
            subject_id=about,
            by=SYSTEM,
            now=NOW,
        )
    return about


def plain(member: Member, to: str, notice_id: UUID) -> Letter:
    return Letter(
        to=to,
        sender_name="Elm Street",
        subject="You have a message",
        text="A message waits for you.\n",
        html="<p>A message waits for you.</p>",
        message_id=f"{notice_id}@elm.example.org",
        language="en",
    )


def mail(clock: Clock | None = None) -> Mailed:
    clock = clock or Clock()
    return notices.mail_due(letter=plain, by=SYSTEM, now=clock(), clock=clock)


def counts(done: Mailed) -> tuple[int, int, int]:
    return done.told, done.later, done.given_up


# --- told ----------------------------------------------------------------------------------------


def test_a_member_is_told_once_of_one_thing() -> None:
    olive, paul = make.admin(), make.admin("paul")
    about = tell(olive, paul)
    tell(olive, about=about)
    tell(olive, kind="case_given", about=about)
    tell(olive)
    kinds = sorted(one.kind for one in unseen(olive.as_actor()))
    assert kinds == ["case_given", "glass_broken", "glass_broken"]
    assert len(unseen(paul.as_actor())) == 1
    assert {one.case_id for one in unseen(paul.as_actor())} == {about}


def test_taking_note_is_ones_own_and_on_record() -> None:
    olive, paul = make.admin(), make.admin("paul")
    tell(olive, paul)
    row = Notice.objects.get(member=olive)
    assert not notices.seen(notice_id=row.pk, by=paul.as_actor(), now=NOW)
    assert notices.seen(notice_id=row.pk, by=olive.as_actor(), now=NOW)
    assert not notices.seen(notice_id=row.pk, by=olive.as_actor(), now=NOW)
    assert unseen(olive.as_actor()) == []
    assert len(unseen(paul.as_actor())) == 1
    entry = AuditEntry.objects.get(verb="notice.seen")
    assert (entry.actor_id, entry.subject_id) == (olive.pk, row.pk)


def test_telling_rings_once_it_is_committed(
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(messages, "_ring", rung.append)
    with django_capture_on_commit_callbacks(execute=True):
        tell(make.admin())
        assert rung == []
    assert rung == ["practice.tasks.tell_members"]


# --- mailed --------------------------------------------------------------------------------------


def test_all_that_waits_for_a_member_is_one_mail(peer: Peer) -> None:
    olive = somebody("olive")
    tell(olive)
    tell(olive)
    assert counts(mail()) == (1, 0, 0)
    assert peer.to() == ["olive@practice.example.org"]
    assert counts(mail()) == (0, 0, 0)
    assert not Notice.objects.filter(mailed_at__isnull=True).exists()
    assert AuditEntry.objects.get(verb="notice.mailed").subject_id == olive.pk


def test_what_was_taken_note_of_is_not_mailed(peer: Peer) -> None:
    olive = somebody("olive")
    tell(olive)
    notices.seen(notice_id=Notice.objects.get().pk, by=olive.as_actor(), now=NOW)
    assert counts(mail()) == (0, 0, 0)
    assert peer.ids() == []


@pytest.mark.parametrize("email", ["", "Ümlaut@practice.example.org", "a\nb@practice.example.org"])
def test_a_broken_address_stops_nobody_else(peer: Peer, email: str) -> None:
    tell(somebody("olive", email=email), somebody("paul"))
    assert counts(mail()) == (1, 0, 1)
    assert counts(mail()) == (0, 0, 0)
    assert len(unseen(Member.objects.get(name="Olive").as_actor())) == 1


def test_who_left_the_practice_gets_no_mail(peer: Peer) -> None:
    olive = somebody("olive")
    olive.user.is_active = False
    olive.user.save(update_fields=["is_active"])
    tell(olive)
    assert counts(mail()) == (0, 0, 1)
    assert peer.ids() == []


def test_a_server_that_is_away_is_asked_again(settings: Settings) -> None:
    tell(somebody("olive"), somebody("paul"))
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = 1
    assert counts(mail()) == (0, 0, 0)
    with smtp_peer.running() as peer:
        talk_to(peer, settings)
        assert counts(mail()) == (2, 0, 0)
        assert len(peer.ids()) == 2


def test_a_refusal_for_now_is_tried_again_later_and_later(peer: Peer) -> None:
    tell(somebody("olive"), somebody("paul"))
    peer.by_recipient["olive@practice.example.org"] = Behave.TEMPORARY
    clock = Clock()
    assert counts(mail(clock)) == (1, 1, 0)
    for pause in (30, 60, 120):
        clock.go_on(seconds=pause - 1)
        assert counts(mail(clock)) == (0, 0, 0)
        clock.go_on(seconds=1)
        assert counts(mail(clock)) == (0, 1, 0)
    peer.by_recipient.clear()
    clock.go_on(hours=1)
    assert counts(mail(clock)) == (1, 0, 0)


def test_an_address_that_is_refused_for_good_is_given_up(peer: Peer) -> None:
    tell(somebody("olive"), somebody("paul"))
    peer.by_recipient["olive@practice.example.org"] = Behave.UNKNOWN
    assert counts(mail()) == (1, 0, 1)
    assert peer.to() == ["paul@practice.example.org"]
    clock = Clock(NOW + timedelta(days=1))
    assert counts(mail(clock)) == (0, 0, 0)


def test_a_mail_that_may_have_been_taken_is_sent_again(peer: Peer) -> None:
    """There is nothing in it: twice is better than never."""
    tell(somebody("olive"))
    peer.behave = Behave.DROP_AFTER_DATA
    clock = Clock()
    assert counts(mail(clock)) == (0, 1, 0)
    peer.behave = Behave.ACCEPT
    clock.go_on(minutes=1)
    assert counts(mail(clock)) == (1, 0, 0)
    assert len(peer.ids()) == 2
    assert len(set(peer.ids())) == 1


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_else_has_in_hand_is_passed_over(peer: Peer) -> None:
    """While one mail is leaving, another scan finds nobody to tell, and doesn't wait."""
    tell(somebody("olive"))
    beside: list[tuple[int, int, int]] = []

    def other_scan() -> None:
        try:
            beside.append(counts(mail()))
        finally:
            connection.close()

    def while_it_leaves(_letter: EmailMessage) -> None:
        thread = threading.Thread(target=other_scan)
        thread.start()
        thread.join(timeout=30)

    peer.on_letter = while_it_leaves
    assert counts(mail()) == (1, 0, 0)
    assert beside == [(0, 0, 0)]
    assert len(peer.ids()) == 1


def test_tries_end_after_some_days() -> None:
    pauses = [
        min(notices._FIRST_PAUSE * 2**number, notices._LONGEST_PAUSE)
        for number in range(notices._TRIES - 1)
    ]
    assert timedelta(days=1) < sum(pauses, timedelta()) < timedelta(days=4)
