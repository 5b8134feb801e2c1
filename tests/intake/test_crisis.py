"""Crisis lines: loaded once and then the practice's own, verified by a member, shown everywhere."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.template.loader import render_to_string
from django.utils import timezone

from clients.models import AuditEntry
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from intake.actions import crisis
from intake.models import CrisisLine
from intake.queries.crisis import HOLDS_FOR, lines, stale
from practice import doctor
from tests import factories as make
from tests.factories import NOW, SYSTEM

pytestmark = pytest.mark.django_db
TODAY = NOW.date()


def load() -> int:
    return crisis.load_shipped(by=SYSTEM, now=NOW)


def run(*words: str) -> str:
    out = StringIO()
    call_command("crisis", *words, stdout=out)
    return out.getvalue()


def page(country: str, **context: Any) -> str:
    found = lines(country, "en")
    return render_to_string("duet/intake/_help.html", {"lines": found, **context})


def test_shipped_lines_are_loaded_once_and_what_the_practice_changed_stays() -> None:
    assert load() == 3
    hotline = CrisisLine.objects.get(kind="violence")
    CrisisLine.objects.filter(pk=hotline.pk).update(label="The hotline", active=False)
    CrisisLine.objects.filter(phone="988").update(hours="always")
    assert load() == 0
    hotline.refresh_from_db()
    assert (hotline.label, hotline.active) == ("The hotline", False)
    assert CrisisLine.objects.get(phone="988").hours == "always"
    assert CrisisLine.objects.count() == 3
    assert AuditEntry.objects.get(verb="crisis_lines.loaded").detail == {"lines": 3}


def test_a_loaded_line_counts_as_unverified_until_a_member_verifies_it_and_again_later() -> None:
    load()
    assert len(stale(TODAY, ["US"])) == 3
    line = CrisisLine.objects.get(phone="988")
    admin = make.admin()
    crisis.verify(line=line, on=TODAY, by=admin.as_actor(), now=NOW)
    line.refresh_from_db()
    assert (line.verified_on, line.verified_by) == (TODAY, admin)
    assert line not in stale(TODAY + HOLDS_FOR, ["US"])
    assert line in stale(TODAY + HOLDS_FOR + timedelta(days=1), ["US"])
    assert stale(TODAY, ["DE"]) == []
    assert AuditEntry.objects.filter(verb="crisis_line.verified", actor_id=admin.pk).exists()


def test_only_who_manages_the_practice_verifies_and_the_system_called_nobody() -> None:
    load()
    line = CrisisLine.objects.get(phone="988")
    for by in (make.front_desk().as_actor(), SYSTEM, Actor.visitor()):
        with pytest.raises(NotPermitted):
            crisis.verify(line=line, on=TODAY, by=by, now=NOW)
    assert CrisisLine.objects.get(pk=line.pk).verified_on is None


def test_a_line_of_ones_own_needs_a_way_to_reach_it_and_a_name_of_its_own() -> None:
    load()
    own = {"country": "us", "kind": "other", "label": "The night line"}
    with pytest.raises(crisis.LineRefused):
        crisis.add(values=own, by=SYSTEM, now=NOW)
    row = crisis.add(values=own | {"phone": "555-0100"}, by=SYSTEM, now=NOW)
    assert (row.country, lines("US", "en")[-1]) == ("US", row)
    with pytest.raises(crisis.LineRefused):
        crisis.add(values=own | {"country": "US", "phone": "555-0199"}, by=SYSTEM, now=NOW)
    crisis.show(line=row, shown=False, by=SYSTEM, now=NOW)
    assert row not in lines("US", "en")


def test_of_one_kind_the_line_in_the_readers_language_comes_first_and_none_is_left_out() -> None:
    load()
    values = {"country": "US", "kind": "violence", "phone": "555-0100", "label": "Línea"}
    crisis.add(values=values | {"languages": ["es"]}, by=SYSTEM, now=NOW)
    crisis.add(values=values | {"label": "Linie", "languages": ["de"]}, by=SYSTEM, now=NOW)
    hotline = "National Domestic Violence Hotline"
    assert [one.label for one in lines("US", "en")][2:] == [hotline, "Línea", "Linie"]
    assert [one.label for one in lines("US", "es-MX")][2:] == [hotline, "Línea", "Linie"]
    assert [one.label for one in lines("US", "de")][2:] == ["Linie", hotline, "Línea"]


def test_the_help_names_each_way_as_a_link_and_never_dials_by_itself() -> None:
    load()
    shown = page("US")
    for link in ('href="tel:911"', 'href="tel:988"', 'href="sms:988"', 'href="tel:18007997233"'):
        assert link in shown
    assert "Text START to 88788" in shown
    assert "local emergency number" in shown
    assert "notice" not in shown
    assert 'role="status"' in page("US", urgent=True)


def test_where_no_line_is_known_the_help_says_to_call_the_local_number() -> None:
    load()
    assert "local emergency number" in page("ZZ")
    assert "tel:" not in page("ZZ")


def test_the_doctor_warns_of_lines_that_nobody_verified_and_of_none_at_all() -> None:
    practice = make.practice()
    assert [one.id for one in doctor.crisis_lines_hold()] == ["crisis.none"]
    load()
    assert [one.id for one in doctor.crisis_lines_hold()] == ["crisis.stale"] * 3
    CrisisLine.objects.update(verified_on=timezone.localdate(), verified_by=make.admin())
    assert list(doctor.crisis_lines_hold()) == []
    practice.region = "DE"
    practice.save()
    assert [one.id for one in doctor.crisis_lines_hold()] == ["crisis.none"]


def test_the_command_loads_lists_adds_hides_and_verifies() -> None:
    assert "3 lines" in run("load")
    run("add", "US", "other", "The night line", "--phone", "555-0100", "--language", "en")
    line = CrisisLine.objects.get(label="The night line")
    assert f"{line.pk} US The night line (555-0100): not verified" in run("list")
    admin = make.admin()
    run("verify", str(line.pk), "--by", admin.user.get_username())
    run("hide", str(line.pk))
    assert "hidden" in run("list")
    run("show", str(line.pk))
    line.refresh_from_db()
    assert line.active
    assert line.verified_by == admin
    for refused in (
        ("verify", str(line.pk), "--by", "nobody"),
        ("verify", str(line.pk), "--by", make.front_desk().user.get_username()),
        ("hide", "00000000-0000-4000-8000-000000000000"),
        ("add", "US", "other", "No way to reach it"),
    ):
        with pytest.raises(CommandError):
            run(*refused)
