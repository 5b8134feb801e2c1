"""What somebody says in the private check about how to reach them is heeded at once."""

import pytest

from clients.models import SafeContact
from clients.rules.actors import Actor
from intake.actions import answering, giving, instruments
from intake.models import Assignment, Flag, Response
from intake.rules.answers import Answered
from intake.rules.reach import closed_channels
from tests import factories as make
from tests.factories import NOW, SYSTEM

ALL = ("email", "sms", "voice")


@pytest.mark.parametrize(
    ("chosen", "closed"),
    [
        (None, ()),
        ([], ()),
        (["email"], ("sms", "voice")),
        (["email", "text", "phone"], ()),
        (["portal-only"], ALL),
        (["portal-only", "phone"], ("email", "sms")),
        (["do-not-contact"], ALL),
        (["do-not-contact", "email"], ALL),
    ],
)
def test_what_is_not_chosen_is_closed(chosen: list[str] | None, closed: tuple[str, ...]) -> None:
    said = {} if chosen is None else {"S5": Answered(chosen)}
    assert closed_channels(said) == closed


@pytest.mark.django_db
def test_once_sent_nothing_comes_on_a_channel_that_is_not_safe() -> None:
    make.practice()
    instruments.load_shipped(by=SYSTEM, now=NOW)
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben, counselor=make.counselor("iris"))
    make.safe_contact(ana, permission=SafeContact.Permission.YES, quiet=(0, 60))
    intake = giving.give(
        case=case, person=ana, slugs=["private-check"], origin="hand", due_at=None,
        expires_at=None, policy="limited", by=SYSTEM, now=NOW,
    )  # fmt: skip
    own = Actor.of_person(ana.pk)
    assignment = Assignment.objects.select_related("intake__person__key", "instrument").get()
    answering.accept_policy(
        intake=intake, kind="limited", words="…", language="en", by=own, now=NOW
    )
    said = {"S1": "yes", "S2": "no", "S3": "no", "S4": "yes", "S5": ["phone"]}
    answering.save(assignment=assignment, values=said, revision=0, by=own, now=NOW)
    assert not SafeContact.objects.filter(permission="no").exists()
    answering.send(assignment=assignment, by=own, now=NOW)
    permissions = dict(SafeContact.objects.filter(person=ana).values_list("channel", "permission"))
    assert permissions == {"email": "no", "sms": "no", "voice": "neutral"}
    assert SafeContact.objects.get(person=ana, channel="email").quiet_until == 60
    assert not SafeContact.objects.filter(person=ben, permission="no").exists()


@pytest.mark.django_db
def test_a_conflict_keeps_nothing_and_lets_no_urgent_word_wait() -> None:
    make.practice()
    instruments.load_shipped(by=SYSTEM, now=NOW)
    ana = make.ana()
    case = make.case(ana, make.ben(), counselor=make.counselor("iris"))
    intake = giving.give(
        case=case, person=ana, slugs=["phq-9"], origin="hand", due_at=None,
        expires_at=None, policy="limited", by=SYSTEM, now=NOW,
    )  # fmt: skip
    own = Actor.of_person(ana.pk)
    answering.accept_policy(
        intake=intake, kind="limited", words="…", language="en", by=own, now=NOW
    )
    assignment = Assignment.objects.select_related("intake__person__key", "instrument").get()
    definition = assignment.instrument.parsed
    found = next(one for one in definition.items if one.id.endswith("9"))
    item, options = found.id, definition.scales[found.scale].options
    never, daily = (next(o.code for o in options if o.value == value) for value in (0, 3))
    answering.save(assignment=assignment, values={item: never}, revision=0, by=own, now=NOW)
    saved = answering.save(assignment=assignment, values={item: daily}, revision=0, by=own, now=NOW)
    assert (saved.conflicts, saved.helps) == ((item,), (item,))
    assert Response.objects.get().said()[item].value == never
    assert Flag.objects.get().severity == "urgent"
