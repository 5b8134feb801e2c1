"""Answers of a case as a table: formula-safe, without private checks, and on record."""

import csv
import io

import pytest
from django.test import Client
from django.urls import reverse

from clients.models import AuditEntry
from intake.views.csv_export import COLUMNS, safe
from tests import factories as make
from tests.intake.api.conftest import World, clock, iris, practice, world

__all__ = ["clock", "iris", "practice", "world"]


def taken(world: World, name: str = "iris") -> list[dict[str, str]]:
    client = Client()
    client.force_login(world.members[name].user)
    answer = client.get(reverse("intake:responses-csv", args=[world.case.pk]))
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv"
    assert 'filename="responses.csv"' in answer["Content-Disposition"]
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_each_answer_and_each_score_has_a_row(world: World) -> None:
    rows = taken(world)
    assert tuple(rows[0]) == COLUMNS
    ana = [
        (one["kind"], one["item"], one["answer"], one["code"], one["value"])
        for one in rows
        if one["person"] == str(world.ana.pk)
    ]
    assert ana == [
        ("answer", "close", "Often", "often", "2"),
        ("answer", "calm", "Never", "never", "0"),
        ("answer", "words", "'=1+1 und Jäger", "", ""),
        ("score", "total", "", "", "2"),
    ]
    assert {one["instrument"] for one in rows} == {"mood"}
    # No score is an empty cell, and never 0.
    assert [one["value"] for one in rows if one["kind"] == "score"].count("") == 1


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_begins_a_formula(sign: str) -> None:
    assert safe(f"{sign}HYPERLINK(1)") == f"'{sign}HYPERLINK(1)"
    assert safe(f"a{sign}") == f"a{sign}"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@"])
@pytest.mark.parametrize("line", ["\n", "\r", "\r\n", "\n\n", "\n\t", ";", ';"'])
def test_nor_does_what_another_program_takes_for_a_cell(line: str, sign: str) -> None:
    assert safe(f"ok{line}{sign}HYPERLINK(1)") == f"ok{line}'{sign}HYPERLINK(1)"
    assert safe(f"ok{line}words {sign}") == f"ok{line}words {sign}"


def test_every_cell_stands_in_quotes(world: World) -> None:
    """So that a program which splits by semicolons finds no cell of its own in a line."""
    client = Client()
    client.force_login(world.members["iris"].user)
    answer = client.get(reverse("intake:responses-csv", args=[world.case.pk]))
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[0] == ",".join(f'"{one}"' for one in COLUMNS)
    assert all(one.startswith('"') and one.endswith('"') for one in lines)


def test_commas_quotes_and_lines_stay_in_their_cell(world: World) -> None:
    given = make.assignment(world.sent.assignment.intake, world.mood, number=3)
    words = 'One, "two"\r\nthree; four'
    make.response(given, {"words": words}, scores={})
    assert words in {one["answer"] for one in taken(world)}


@pytest.mark.parametrize("name", ["theo", "sam", "rita", "olive"])
def test_for_everybody_else_it_is_not_there(world: World, name: str) -> None:
    client = Client()
    client.force_login(world.members[name].user)
    hidden = client.get(reverse("intake:responses-csv", args=[world.case.pk]))
    assert hidden.status_code == 404
    assert not AuditEntry.objects.filter(verb="response.exported").exists()


def test_that_it_was_taken_out_is_on_record(world: World) -> None:
    taken(world)
    rows = AuditEntry.objects.filter(
        actor_id=world.members["iris"].pk, verb="response.exported", case_id=world.case.pk
    )
    assert {(one.person_id, one.detail["forms"]) for one in rows} == {
        (world.ana.pk, 1),
        (world.ben.pk, 1),
    }


def test_a_form_that_cannot_be_opened_says_so(world: World) -> None:
    key = world.ana.key
    type(key).objects.filter(pk=key.pk).update(wrapped=b"x" * 60)
    rows = [one for one in taken(world) if one["person"] == str(world.ana.pk)]
    assert [one["kind"] for one in rows] == ["unreadable"]
