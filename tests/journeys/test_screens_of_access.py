"""Who looked, and what a member must be told: empty and full, on a phone, in light and dark."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from playwright.sync_api import expect

from clients.actions import audit, notices, reading
from tests import factories as make
from tests.journeys import steps
from tests.journeys.conftest import Clock, House, OpenBrowser
from tests.journeys.look import Look
from tests.journeys.test_screens import LONG

pytestmark = pytest.mark.browser


@pytest.fixture
def look() -> Iterator[Look]:
    look = Look()
    yield look
    assert not look.faults, "\n".join(look.faults)


def test_screens_of_who_looked_and_what_to_know(
    open_browser: OpenBrowser, house: House, clock: Clock, look: Look
) -> None:
    page = open_browser()
    olive, sam = make.admin(), make.front_desk()
    couple = (make.ana(name=LONG), make.chris())
    case = make.case(*couple, counselor=house.iris.member)
    steps.sign_in(page, "olive")
    page.goto("/desk/access/")
    look.at(page, "who looked, of an admin, nothing")
    page.get_by_role("button", name="Sign out").click()
    steps.sign_in(page, "iris")
    page.goto("/desk/access/")
    look.at(page, "who looked, of a counselor, nobody")

    for number, reader in enumerate((sam, make.counselor("theo", name=LONG).member)):
        for verb in ("case.read", "diary.read"):
            shown = [(one.pk, case.pk) for one in couple]
            at = make.NOW + timedelta(minutes=number)
            audit.record_reads(verb=verb, persons=shown, by=reader.as_actor(), now=at)
    strangers = [(uuid4(), case.pk) for _ in range(31)]
    audit.record_reads(verb="case.read", persons=strangers, by=sam.as_actor(), now=make.NOW)
    reading.watch(by=make.SYSTEM, now=make.NOW + timedelta(minutes=5))
    with transaction.atomic():
        for kind in ("glass_broken", "case_given", "data_request", "access_report"):
            notices.tell(
                members=[house.iris.member, olive],
                kind=kind,
                subject_kind="case" if kind != "access_report" else "other",
                subject_id=case.pk,
                by=make.SYSTEM,
                now=make.NOW,
            )
    page.reload()
    look.at(page, "who looked, of a counselor")
    page.goto("/desk/")
    expect(page.locator("main")).to_contain_text("For you to know")
    look.at(page, "desk, four things to know")
    page.get_by_role("button", name="Sign out").click()
    steps.sign_in(page, "olive")
    look.at(page, "desk, of an admin with things to know")
    page.goto("/desk/access/")
    look.at(page, "who looked, of an admin")
    page.goto("/desk/access/?week=2027-01-04")
    look.at(page, "who looked, another week")
