"""Filling in forms behind one's own link, on a phone, without JavaScript."""

import pytest
from django.test import Client

from clients.models import AuditEntry
from intake.models import Agreement, Assignment, Flag, Intake, Response
from tests import factories as make
from tests.intake import filling
from tests.intake.views.browser import Browser

pytestmark = pytest.mark.django_db


def opened(phone: Browser, intake: Intake) -> Browser:
    """The link is opened and its button pressed."""
    phone.get(f"/i/{intake.token}/")
    phone.send()
    assert phone.at == "/i/"
    return phone


def into(phone: Browser, intake: Intake, slug: str) -> Browser:
    """In the form, the policy accepted."""
    opened(phone, intake)
    filling.accept(intake)
    phone.get(f"/i/{filling.assignment(intake, slug).pk}/")
    return phone


def alone(phone: Browser, intake: Intake, slug: str) -> Browser:
    """In a form other than the private check, which was sent."""
    filling.send(filling.assignment(intake, "private-check"))
    return into(phone, intake, slug)


def go_through(phone: Browser, *, last: bool = False) -> int:
    """Answer page by page, with the first (or last) choice; how many pages."""
    pages = 0
    while "/review/" not in phone.at:
        form = phone.fields()
        fill = {
            name: codes[-1 if last else 0]
            for name, codes in form.choices.items()
            if name.startswith("q-") and name not in form.sent
        }
        phone.send(fill, go="next")
        assert phone.answer.status_code == 200, phone.text
        if phone.at.endswith("/help/"):
            phone.get(phone.page.partition('class="cluster"')[2].split('"')[3])
        pages += 1
        assert pages < 60
    return pages


def test_the_whole_way_through_without_javascript(phone: Browser, mine: Intake) -> None:
    opened(phone, mine)
    assert "After the first one" in phone.text  # the private check first and alone
    phone.get(f"/i/{filling.assignment(mine, 'private-check').pk}/")
    assert phone.at == "/i/policy/"
    assert "never shared with your partner" in phone.text
    phone.send()
    agreed = Agreement.objects.get(kind="policy")
    assert (agreed.version, agreed.given_at) == ("1", make.NOW)
    assert "never shared" in agreed.text

    assert "somewhere private" in phone.text
    assert "Only the counselor who works with you" in phone.text
    assert "afraid" not in phone.text
    assert phone.fields().choices["q-S1"] == ["yes", "no", "not-sure"]
    assert go_through(phone) == 5
    phone.send()
    assert "Thank you. Received." in phone.text
    assert "We speak with each person individually first." in phone.text

    phone.get(f"/i/{filling.assignment(mine, 'cycle-reflection').pk}/")
    assert go_through(phone) > 25
    phone.send()
    assert "Thank you. Received." in phone.text
    sent = Response.objects.get(assignment__slug="cycle-reflection")
    assert sent.sent_at == make.NOW
    assert sent.audience == "person"
    assert Agreement.objects.standing().filter(kind="share").exists()
