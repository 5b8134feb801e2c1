"""The page on which a practice says which forms come, and how what is said alone is kept."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clients.models import AuditEntry, Member
from practice.models import Counselor, FormRule, Practice, Service
from tests import factories as make
from tests.practice import forms_cast as cast
from tests.practice.views import walk
from tests.practice.views.test_desk import signed_in

pytestmark = pytest.mark.django_db

WHERE = "/desk/settings/forms/"
NEW = {
    "slug": cast.MOOD,
    "service": "",
    "when": "before_first",
    "weeks": "",
    "who": "each",
    "due_hours_before": "48",
    "position": "3",
}
KEPT = {
    "secrets_policy": "no_secrets",
    "review_within_hours": "24",
    "escalate_after_hours": "2",
}


@pytest.fixture
def owner(olive: Member) -> Client:
    cast.published(cast.CHECK, cast.MOOD)
    return signed_in(olive)


def test_a_rule_is_added_and_from_then_on_its_form_comes_with_a_booking(
    owner: Client, talk: Service
) -> None:
    added = owner.post(WHERE, {**NEW, "service": talk.slug, "short": "on"})
    assert added.status_code == 302
    rule = FormRule.objects.get()
    assert (rule.service, rule.slug) == (talk, cast.MOOD)
    assert (rule.who, rule.when) == ("each", "before_first")
    assert (rule.weeks, rule.short, rule.due_hours_before, rule.position) == (None, True, 48, 3)
    cast.book(talk)
    assert cast.forms("Ana") == [(cast.MOOD, "open")]
    entry = AuditEntry.objects.get(verb="form_rule.added")
    assert (entry.subject_id, entry.detail) == (
        rule.pk,
        {"form": cast.MOOD, "when": "before_first"},
    )
    page = walk.text(owner.get(WHERE))
    assert talk.name in page
    said = "before the first session · each of them · short form · due 48 hours before · place 3"
    assert said in page


@pytest.mark.parametrize(
    ("changes", "beside"),
    [
        ({"slug": "gone"}, "Select a valid choice"),
        ({"when": "every_weeks"}, "Please say after how many weeks."),
        ({"when": "every_weeks", "weeks": "53"}, "less than or equal to 52"),
        ({"weeks": "2"}, "Please leave this empty: it is for every so many weeks."),
        ({"due_hours_before": "-1"}, "greater than or equal to 0"),
        ({"position": "many"}, "Enter a whole number"),
        ({"who": "everybody"}, "Select a valid choice"),
    ],
)
def test_what_is_refused_stands_beside_its_field(
    owner: Client, changes: dict[str, str], beside: str
) -> None:
    refused = owner.post(WHERE, {**NEW, **changes})
    assert refused.status_code == 422
    assert refused.content.decode().count(beside) == 2  # above the form, and beside the field
    assert not FormRule.objects.exists()


def test_a_second_rule_for_the_same_is_refused_in_a_sentence(owner: Client) -> None:
    """Also for any service, where there is nothing to be the same."""
    assert owner.post(WHERE, NEW).status_code == 302
    refused = owner.post(WHERE, {**NEW, "who": "booker"})
    assert refused.status_code == 422
    assert "There is such a rule already" in refused.content.decode()
    assert FormRule.objects.get().who == "each"


def test_only_what_is_published_can_be_chosen_and_what_is_not_is_said(owner: Client) -> None:
    make.instrument(id="draft-one", title="A draft", state="draft")
    cast.rules("draft-one")
    page = owner.get(WHERE).content.decode()
    assert "A draft" not in page
    assert "draft-one" in page
    assert "No version of this form is published: nobody is given it." in page


def test_a_rule_is_changed_switched_off_and_on_again(owner: Client, talk: Service) -> None:
    cast.rules(cast.MOOD)
    rule = FormRule.objects.get()
    sent = {"who": "booker", "due_hours_before": "12", "position": "0"}
    assert owner.post(f"{WHERE}{rule.pk}/", sent).status_code == 302
    rule.refresh_from_db()
    assert (rule.who, rule.due_hours_before) == ("booker", 12)
    entry = AuditEntry.objects.get(verb="form_rule.changed")
    assert entry.detail == {"who": ["each", "booker"], "due_hours_before": [24, 12]}
    assert owner.post(f"{WHERE}{rule.pk}/", sent).status_code == 302
    assert AuditEntry.objects.filter(verb="form_rule.changed").count() == 1, "nothing was another"
    for said, active in (("no", False), ("yes", True)):
        assert owner.post(f"{WHERE}{rule.pk}/switch/", {"active": said}).status_code == 302
        rule.refresh_from_db()
        assert rule.active is active
        assert ("switched off" in owner.get(WHERE).content.decode()) is not active
    assert AuditEntry.objects.filter(verb="form_rule.changed").count() == 3
    owner.post(f"{WHERE}{rule.pk}/switch/", {"active": "no"})
    cast.book(talk)
    assert cast.forms("Ana") == []


def test_a_change_that_is_refused_opens_the_rule_with_what_was_typed(owner: Client) -> None:
    cast.rules(cast.MOOD, when="every_weeks", weeks=4)
    rule = FormRule.objects.get()
    sent = {"who": "each", "weeks": "99", "position": "0"}
    refused = owner.post(f"{WHERE}{rule.pk}/", sent)
    assert refused.status_code == 422
    page = refused.content.decode()
    assert "<details open>" in page
    assert 'value="99"' in page
    rule.refresh_from_db()
    assert rule.weeks == 4


def test_what_no_page_sends_is_refused(owner: Client) -> None:
    cast.rules(cast.MOOD)
    where = f"{WHERE}{FormRule.objects.get().pk}/"
    sent = {"who": "each", "due_hours_before": "1", "position": "0", "slug": "other"}
    assert owner.post(where, sent).status_code == 400
    assert owner.post(f"{where}switch/", {"active": "perhaps"}).status_code == 422
    absent = f"{WHERE}00000000-0000-4000-8000-000000000000/"
    assert owner.post(absent, sent).status_code == 404


def test_how_what_is_said_alone_is_kept_is_changed_on_record(
    owner: Client, practice: Practice
) -> None:
    assert owner.post(f"{WHERE}kept/", KEPT).status_code == 302
    practice.refresh_from_db()
    assert practice.secrets_policy == "no_secrets"
    assert (practice.review_within_hours, practice.escalate_after_hours) == (24, 2)
    assert AuditEntry.objects.get(verb="practice.changed").detail == {
        "secrets_policy": ["limited", "no_secrets"],
        "review_within_hours": [48, 24],
        "escalate_after_hours": [4, 2],
    }
    refused = owner.post(f"{WHERE}kept/", {**KEPT, "escalate_after_hours": "0"})
    assert refused.status_code == 422
    practice.refresh_from_db()
    assert practice.escalate_after_hours == 2


@pytest.mark.parametrize("who", ["front_desk", "reviewer", "counselor"])
def test_only_who_runs_the_practice_comes_there(who: str, owner: Client, iris: Counselor) -> None:
    member = iris.member if who == "counselor" else getattr(make, who)()
    client = signed_in(member)
    assert "Which forms come" not in client.get("/desk/").content.decode()
    assert "Which forms come" in owner.get("/desk/").content.decode()
    for method in (client.get, client.post):
        assert method(WHERE).status_code == 403
    assert client.post(f"{WHERE}kept/", KEPT).status_code == 403


def test_the_page_asks_as_often_for_many_rules_as_for_one(
    owner: Client, talk: Service, theo: Counselor
) -> None:
    def asked() -> int:
        owner.get(WHERE)
        with CaptureQueriesContext(connection) as seen:
            assert owner.get(WHERE).status_code == 200
        return len(seen.captured_queries)

    cast.rules(cast.MOOD)
    few = asked()
    for number in range(8):
        service = make.service(slug=f"service-{number}")
        cast.rules(cast.MOOD, cast.CHECK, service=service)
    assert asked() == few == 7
