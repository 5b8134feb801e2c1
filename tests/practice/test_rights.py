"""The actions themselves ask who it is: whatever page, program or command calls them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from clients.actions import people
from clients.models import AuditEntry, CareRelation, Member
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from practice.actions import booking, diary
from practice.models import Appointment, Counselor, Service
from tests import factories as make

pytestmark = pytest.mark.django_db

START = make.at(1)
NEW = people.NewPerson("Kim Kale", None, "+12015550109", "en", "America/New_York")
Act = Callable[[Actor], Any]


@pytest.fixture
def iris() -> Counselor:
    make.practice()
    return make.counselor("iris")


@pytest.fixture
def talk(iris: Counselor) -> Service:
    return make.service(counselors=[iris])


@pytest.fixture
def couple(iris: Counselor, talk: Service) -> Appointment:
    return make.appointment(iris, talk, make.ana(), make.ben(), start=START, gate="private_check")


@pytest.fixture
def acts(iris: Counselor, talk: Service, couple: Appointment) -> dict[str, Act]:
    """Everything that is done in a diary, in an order in which the system may do all of it."""
    now, over = make.NOW, START + timedelta(hours=2)
    ben = couple.attendances.get(role="partner")
    asked = make.appointment(iris, talk, make.dana(), start=make.at(2), state="requested")
    refused = make.appointment(iris, talk, make.chris(), start=make.at(3), state="requested")

    def by_hand(day: int, **whom: Any) -> Act:
        given = {"request": None, "case": None} | whom
        return lambda by: booking.book_by_hand(
            service=talk, counselor=iris, start=make.at(day), beside=None, by=by, now=now, **given
        )

    in_person = booking.Request(
        NEW, make_partner(), partner_safe_to_invite=False, partner_asked_in_person=True
    )
    return {
        "accept": lambda by: booking.accept(appointment=asked, by=by, now=now),
        "decline": lambda by: booking.cancel(appointment=refused, by=by, now=now),
        "open_gate": lambda by: booking.open_gate(
            attendance=ben, asked_in_person=True, by=by, now=now
        ),
        "confirm": lambda by: booking.confirm(attendance=ben, by=by, now=now),
        "move": lambda by: booking.move(
            appointment=couple, start=make.at(1, "14:00"), by=by, now=now
        ),
        "leave": lambda by: booking.leave(attendance=ben, reason="", by=by, now=now),
        "close": lambda by: booking.close(
            appointment=couple, came=True, by=by, now=over + timedelta(days=1)
        ),
        "cancel": lambda by: booking.cancel(appointment=asked, by=by, now=now),
        "book": by_hand(7, request=booking.Request(NEW)),
        "book, asked in person": by_hand(8, request=in_person),
        "book again": by_hand(9, case=couple.case),
        "hours": lambda by: diary.set_hours(
            counselor=iris, openings=[], zone="America/New_York", by=by, now=now
        ),
        "exception": lambda by: diary.set_exception(
            counselor=iris,
            on=make.MONDAY,
            openings=[],
            zone="America/New_York",
            by=by,
            now=now,
        ),
        "time off": lambda by: diary.take_time_off(
            counselor=iris, starts_at=START, ends_at=over, label="", by=by, now=now
        ),
        "everybody's time off": lambda by: diary.take_time_off(
            counselor=None, starts_at=START, ends_at=over, label="", by=by, now=now
        ),
        "reminders": lambda by: diary.set_reminders(
            service=None, minutes_before=[60], by=by, now=now
        ),
    }


def make_partner() -> people.NewPerson:
    return people.NewPerson("Lou Larch", "lou@example.org", None, "en", "America/New_York")


REQUESTS = {"accept", "decline"}
PRACTICE = {"everybody's time off", "reminders"}
HOURS = {"hours", "exception", "time off"}
# Who counsels the case decides whether its partner is invited, whoever keeps the diary: they alone
# know of its flags, and nobody else is to notice one.
COUNSELS = {"open_gate"}
CLINICIANS = {"book, asked in person"}


def related(couple: Appointment, member: Member, kind: str) -> Actor:
    assert couple.case is not None
    CareRelation.objects.create(case=couple.case, member=member, kind=kind, since_at=make.NOW)
    return member.as_actor()


def actors(couple: Appointment) -> dict[str, tuple[Actor, set[str]]]:
    """Who asks, and what of it all they may do; the rest is refused."""
    everything = {
        *("accept", "decline", "open_gate", "confirm", "move", "leave", "close", "cancel", "book"),
        *("book, asked in person", "book again"),
    }
    theo = make.counselor("theo").member
    assert couple.case is not None
    return {
        "visitor": (Actor.visitor(), set()),
        "nobody": (make.member("nobody", roles=[]).as_actor(), set()),
        "theo": (make.counselor("other").member.as_actor(), set()),
        "through the glass": (theo.as_actor(opened=[couple.case.pk]), set()),
        "co-counselor": (related(couple, make.counselor("co").member, "co_counselor"), COUNSELS),
        "supervisor": (related(couple, make.supervisor(), "supervisor"), set()),
        "reviewer": (make.reviewer().as_actor(), REQUESTS),
        "front desk": (make.front_desk().as_actor(), everything - COUNSELS - CLINICIANS),
        "admin": (make.admin().as_actor(), (everything | HOURS | PRACTICE) - COUNSELS),
        "iris": (couple.counselor.member.as_actor(), everything | HOURS),
    }


def permits(act: Act, by: Actor) -> bool:
    """Whether the action does as asked, or refuses for another reason than who asks."""
    try:
        act(by)
    except NotPermitted:
        return False
    return True


WHO = ["visitor", "nobody", "theo", "through the glass", "co-counselor", "supervisor", "reviewer",
       "front desk", "admin", "iris"]  # fmt: skip


@pytest.mark.parametrize("who", WHO)
def test_an_action_does_what_its_caller_may_do_and_nothing_else(
    who: str, acts: dict[str, Act], couple: Appointment
) -> None:
    by, may = actors(couple)[who]
    before = AuditEntry.objects.count()
    done = set()
    for name, act in acts.items():
        if permits(act, by):
            done.add(name)
    assert done == may
    if not may:
        assert AuditEntry.objects.count() == before


def test_the_system_does_all_of_it(acts: dict[str, Act]) -> None:
    """The control: each of them is refused for who asks, and for nothing else."""
    for name, act in acts.items():
        assert permits(act, Actor.system()), name


def test_attendees_do_nothing_that_is_the_practices(
    acts: dict[str, Act], couple: Appointment
) -> None:
    ana = couple.attendances.get(role="booker")
    by = Actor.of_person(ana.person_id, 2)
    refused = {name for name, act in acts.items() if name != "leave" and not permits(act, by)}
    assert refused == set(acts) - {"confirm", "move", "leave"}


def test_a_restricted_case_is_changed_by_nobody_else(
    acts: dict[str, Act], couple: Appointment
) -> None:
    assert couple.case is not None
    couple.case.restricted_at = make.NOW
    couple.case.save(update_fields=["restricted_at"])
    for member in (make.front_desk(), make.admin()):
        for name in ("open_gate", "confirm", "move", "leave", "close", "book again"):
            assert not permits(acts[name], member.as_actor()), name
    assert permits(acts["move"], couple.counselor.member.as_actor())
