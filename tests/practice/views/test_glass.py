"""The broken glass on the pages: what it opens, for how long, to be read only, and what is told."""

import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from pytest_django import Settings

from clients.models import AuditEntry, BreakGlass, CareRelation, Case, Member, Notice
from practice.models import Appointment, Counselor, Service
from tests import factories as make
from tests.practice.views import walk
from tests.practice.views.conftest import WORDS, SetClock
from tests.practice.views.test_desk import signed_in
from tests.practice.views.walk import case_page as address
from tests.practice.views.walk import relate

pytestmark = pytest.mark.django_db

WHY = "Iris is ill, and Ana called in distress."
BANNER = "your reason is on record"


def open_it(client: Client, case: Case, reason: str = WHY, **more: str) -> Any:
    return client.post(address(case, "open/"), {"reason": reason} | more)


@pytest.fixture
def named(case: Case, theo: Counselor) -> Member:
    """Theo may know of the case, and doesn't care for it."""
    relate(case, theo.member, "named")
    return theo.member


def test_an_hour_to_read_and_then_it_shuts_by_itself(
    case: Case, olive: Member, iris: Counselor, clock: SetClock
) -> None:
    client, other = signed_in(olive), signed_in(make.member("second", roles=["admin"]))
    asked = walk.text(client.get(address(case, "open/")))
    assert ">09:00</time> (New York time)" in asked
    assert "This is a demo" in asked
    assert open_it(client, case)["Location"] == address(case)
    page = walk.text(client.get(address(case)))
    assert f"{WORDS} for counselor" in page
    assert "You opened this case until <time" in page
    assert ">09:00</time>; your reason is on record." in page
    assert WHY not in page
    assert WORDS not in walk.text(other.get(address(case))), "for who broke it alone"
    assert BANNER not in walk.text(other.get(address(case)))
    clock(make.NOW + timedelta(minutes=59))
    client = signed_in(olive)
    assert WORDS in walk.text(client.get(address(case)))
    clock(make.NOW + timedelta(minutes=60))
    page = walk.text(client.get(address(case)))
    assert WORDS not in page
    assert BANNER not in page
    told = Notice.objects.get()
    assert (told.member, told.kind) == (iris.member, "glass_broken")


def test_every_page_of_the_case_says_so(
    case: Case, couple: Appointment, olive: Member, talk: Service
) -> None:
    client = signed_in(olive)
    appointment = f"/desk/appointments/{couple.pk}/"
    pages = (
        address(case),
        address(case, "care/"),
        appointment,
        f"{appointment}move/",
        f"{appointment}cancel/",
        f"/desk/book/?service={talk.slug}&counselor=iris&case={case.pk}",
    )
    assert not any(BANNER in walk.text(client.get(page)) for page in pages)
    open_it(client, case)
    assert all(BANNER in walk.text(client.get(page)) for page in pages)
    assert WORDS in walk.text(client.get(appointment))
    # Of another case nothing is opened.
    other = make.appointment(couple.counselor, talk, make.dana(), start=make.at(2))
    assert BANNER not in walk.text(client.get(f"/desk/appointments/{other.pk}/"))


def test_what_is_read_through_it_is_recorded_as_such(
    case: Case, couple: Appointment, olive: Member
) -> None:
    client = signed_in(olive)
    client.get(address(case))
    open_it(client, case)
    client.get(address(case))
    client.get(f"/desk/appointments/{couple.pk}/")
    entries = AuditEntry.objects.filter(actor_id=olive.pk, verb__endswith=".read")
    through = entries.filter(detail__glass__isnull=False)
    assert set(through.values_list("verb", flat=True)) == {"case.read", "appointment.read"}
    before = entries.filter(verb="case.read", detail__glass__isnull=True)
    assert before.exists(), "the control"


def test_it_is_for_reading(
    case: Case, couple: Appointment, named: Member, talk: Service, theo: Counselor
) -> None:
    client = signed_in(named)
    assert open_it(client, case).status_code == 302
    page = walk.text(client.get(f"/desk/appointments/{couple.pk}/"))
    assert WORDS in page
    for word in ("Move", "Cancel", "Book again for them", "I asked them in person"):
        assert f">{word}<" not in page
    for button in ("accept/", "cancel/", "close/", "move/"):
        sent = {"came": "yes"} if button == "close/" else {}
        path = f"/desk/appointments/{couple.pk}/{button}"
        assert client.post(path, sent).status_code == 403
    ben = couple.attendances.get(role="partner")
    assert client.post(f"/desk/attendances/{ben.pk}/open-gate/").status_code == 403
    assert client.get(address(case, "care/")).status_code == 403
    for page in ("restrict/", "lift/", "care/add/", "care/counselor/"):
        assert client.post(address(case, page)).status_code == 403
    sent = {"service": talk.slug, "counselor": "theo", "case": str(case.pk), "comes": "couple",
            "date": "2027-01-19", "time": "10:00", "reason": ""}  # fmt: skip
    assert client.post("/desk/book/", sent).status_code == 403
    assert Appointment.objects.count() == 1
    # The control: who cares for it together may book it in their own diary.
    CareRelation.objects.update(kind="co_counselor")
    assert client.post("/desk/book/", sent).status_code == 302


def test_through_it_alone_no_form_to_book_is_offered(
    case: Case, olive: Member, talk: Service, iris: Counselor
) -> None:
    client, form = signed_in(olive), f"/desk/book/?case={case.pk}"
    assert open_it(client, case).status_code == 302
    assert client.get(form).status_code == 200, "the control: an admin books for anybody"
    Case.objects.update(restricted_at=make.NOW)
    assert client.get(address(case)).status_code == 200
    for page in (form, f"{form}&service={talk.slug}&counselor=iris"):
        assert client.get(page).status_code == 403


@pytest.mark.parametrize("reason", ["." * 10, "\u200b" * 12])
def test_a_reason_that_says_nothing_opens_nothing(case: Case, olive: Member, reason: str) -> None:
    refused = open_it(signed_in(olive), case, reason)
    assert refused.status_code == 422
    assert "Please say it in at least ten characters." in walk.text(refused)
    assert not BreakGlass.objects.exists()


def test_what_is_restricted_afterwards_is_still_read_and_no_longer_kept(
    case: Case, couple: Appointment, olive: Member
) -> None:
    client = signed_in(olive)
    open_it(client, case)
    Case.objects.update(restricted_at=make.NOW)
    page = walk.text(client.get(f"/desk/appointments/{couple.pk}/"))
    assert WORDS in page
    assert ">Cancel<" not in page
    assert client.post(f"/desk/appointments/{couple.pk}/cancel/").status_code == 403
    assert client.get(address(case, "care/")).status_code == 403
    assert client.post(address(case, "lift/")).status_code == 403


@pytest.mark.parametrize("reason", ["", "too short", "         x", "x" * 501, "x" * 20 + "\x00"])
def test_a_reason_is_asked_for_and_stays_in_the_form(
    case: Case, olive: Member, reason: str
) -> None:
    refused = open_it(signed_in(olive), case, reason)
    assert refused.status_code == 422
    assert not BreakGlass.objects.exists()
    if reason == "too short":
        assert "at least ten characters" in walk.text(refused)
        assert "too short</textarea>" in walk.text(refused)


def test_a_field_too_many_is_refused(case: Case, olive: Member) -> None:
    assert open_it(signed_in(olive), case, minutes="600").status_code == 400
    assert not BreakGlass.objects.exists()


def test_without_the_right_there_is_no_way(case: Case, theo: Counselor, iris: Counselor) -> None:
    for member in (make.front_desk(), make.reviewer()):
        client = signed_in(member)
        assert client.get(address(case, "open/")).status_code == 403
        assert open_it(client, case).status_code == 403
    # Who cares for it is led to it.
    assert signed_in(iris.member).get(address(case, "open/"))["Location"] == address(case)
    assert not BreakGlass.objects.exists()


def test_who_stands_in_is_told_whose_case_it_is_and_nobodys_name(
    case: Case, theo: Counselor, iris: Counselor
) -> None:
    own = signed_in(theo.member)
    assert own.get(address(case)).status_code == 404
    asked = walk.text(own.get(address(case, "open/")))
    assert "It is a case of Iris." in asked
    assert address(case) + '"' not in asked, "no way back to a page that isn't there"
    refused = walk.text(open_it(own, case, "too short"))
    for page in (asked, refused):
        for canary in ("Ana", "Alder", "Ben", "Birch", "ana@example.org", WORDS):
            assert canary not in page
    assert not AuditEntry.objects.filter(actor_id=theo.member_id, verb="case.read").exists()
    assert open_it(own, case)["Location"] == address(case)
    page = walk.text(own.get(address(case)))
    assert BANNER in page
    assert WORDS in page
    assert Notice.objects.get().member == iris.member
    Case.objects.filter(pk=case.pk).update(counselor=None)
    una = signed_in(make.supervisor())
    assert "has no counselor yet" in walk.text(una.get(address(case, "open/")))


def test_a_restricted_case_is_as_absent_as_one_that_never_was(
    case: Case, theo: Counselor, olive: Member
) -> None:
    assert signed_in(theo.member).get(address(case, "open/")).status_code == 200, "the control"
    Case.objects.update(restricted_at=make.NOW)
    absent = Case(pk=uuid4())
    for member in (theo.member, make.supervisor(), olive):
        client = signed_in(member)
        for refused, missing in (
            [client.get(address(one, "open/")) for one in (case, absent)],
            [open_it(client, one) for one in (case, absent)],
        ):
            assert refused.status_code == missing.status_code == 404
            assert refused.content == missing.content
    assert not BreakGlass.objects.exists()


def test_the_button_pressed_twice_is_one_glass(case: Case, olive: Member) -> None:
    client = signed_in(olive)
    assert [open_it(client, case).status_code for _ in range(2)] == [302, 302]
    assert BreakGlass.objects.count() == Notice.objects.count() == 1


# --- outside a demo ------------------------------------------------------------------------------


@pytest.fixture
def real(settings: Settings) -> None:
    settings.DUET = {**settings.DUET, "MODE": "production"}


def prove(client: Client, member: Member, method: str, ago: float = 0) -> None:
    """As the sign-in leaves it in the session."""
    session = client.session
    session["account_authentication_methods"] = [{"method": method, "at": time.time() - ago}]
    session["account_authentication_methods_user"] = str(member.user.pk)
    session.save()


def has_an_app(member: Member) -> None:
    Authenticator.objects.create(user=member.user, type=Authenticator.Type.TOTP, data={})


def test_the_second_factor_is_asked_for_again_before_the_reason_is(
    case: Case, olive: Member, real: None
) -> None:
    has_an_app(olive)
    client = signed_in(olive)
    for method, ago in (("mfa", 301.0), ("password", 0.0)):
        prove(client, olive, method, ago)
        for answer in (client.get(address(case, "open/")), open_it(client, case)):
            assert answer.status_code == 302
            path = f"/accounts/again/code/?next=%2Fdesk%2Fcases%2F{case.pk}%2Fopen%2F"
            assert answer["Location"] == path
            assert WHY not in str(dict(client.session)), "what was typed isn't kept in a session"
    prove(client, olive, "mfa", 290)
    asked = client.get(address(case, "open/"))
    assert asked.status_code == 200
    assert "This is a demo" not in walk.text(asked)
    assert open_it(client, case)["Location"] == address(case)
    assert BreakGlass.objects.count() == 1


def test_with_a_passkey_alone_the_passkey_is_asked_for(
    case: Case, olive: Member, real: None
) -> None:
    Authenticator.objects.create(user=olive.user, type=Authenticator.Type.WEBAUTHN, data={})
    answer = signed_in(olive).get(address(case, "open/"))
    assert answer["Location"].startswith("/accounts/again/passkey/?next=")


def test_a_site_that_asks_for_no_factor_again_opens_nothing(
    case: Case, olive: Member, real: None, settings: Settings
) -> None:
    has_an_app(olive)
    settings.DUET = {**settings.DUET, "REAUTHENTICATE": ""}
    client = signed_in(olive)
    prove(client, olive, "mfa")
    assert client.get(address(case, "open/")).status_code == 403
    assert open_it(client, case).status_code == 403
    assert not BreakGlass.objects.exists()


def test_a_factor_that_was_taken_away_meanwhile_opens_nothing(
    case: Case, olive: Member, real: None, settings: Settings
) -> None:
    has_an_app(olive)
    client = signed_in(olive)
    prove(client, olive, "mfa")
    settings.DUET = {**settings.DUET, "STRONG_AUTH": "tests.clients.test_glass.is_strong"}
    Member.objects.filter(pk=olive.pk).update(roles=["admin"])
    olive.user.username = "weak"
    olive.user.save()
    answer = open_it(client, case)
    assert answer.status_code in {302, 403}
    assert not BreakGlass.objects.exists()
