"""What was given, through the API: how it stands, who gives, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest

from clients.models import AuditEntry
from intake.models import Assignment
from tests import factories as make
from tests.intake.api.conftest import Caller, World


def test_the_front_desk_sees_how_it_stands_and_no_answers(api: Caller, world: World) -> None:
    sam = world.members["sam"]
    api.client.force_login(sam.user)
    answer = api.get("assignments/", {"case": str(world.case.pk)})
    states = [(one["person"], one["instrument"], one["state"]) for one in answer.json()["results"]]
    assert (str(world.ana.pk), "mood", "sent") in states
    assert (str(world.ana.pk), "mood", "open") in states
    assert "often" not in answer.content.decode()
    looked = AuditEntry.objects.filter(actor_id=sam.pk, verb="assignment.read")
    assert set(looked.values_list("person_id", flat=True)) == {world.ana.pk, world.ben.pk}


def test_a_counselor_sees_those_of_their_own_cases(api: Caller, world: World) -> None:
    api.client.force_login(world.members["theo"].user)
    results = api.get("assignments/").json()["results"]
    assert {one["case"] for one in results} == {str(world.other.pk)}


def body(world: World, **changes: Any) -> dict[str, Any]:
    return {
        "case": str(world.case.pk),
        "persons": [str(world.ana.pk), str(world.ben.pk)],
        "instruments": ["news"],
        **changes,
    }


@pytest.fixture
def news(world: World) -> str:
    return make.instrument({**make.MOOD, "id": "news"}).slug


@pytest.mark.usefixtures("news")
@pytest.mark.parametrize(("name", "status"), [("iris", 201), ("sam", 201), ("theo", 422)])
def test_who_gives(api: Caller, world: World, name: str, status: int) -> None:
    api.client.force_login(world.members[name].user)
    answer = api.post("assignments/", body(world, short=False))
    assert answer.status_code == status, answer.json()
    if status == 201:
        assert {one["person"] for one in answer.json()["results"]} == {
            str(world.ana.pk),
            str(world.ben.pk),
        }
    assert Assignment.objects.filter(slug="news").exists() == (status == 201)


@pytest.mark.usefixtures("news")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"instruments": ["nothing"]}, "instruments"),
        ({"instruments": []}, "instruments"),
        ({"instruments": ["mood"]}, "instruments"),
        ({"persons": ["00000000-0000-4000-8000-000000000000"]}, "persons"),
        ({"persons": []}, "persons"),
        ({"case": "00000000-0000-4000-8000-000000000000"}, "case"),
        ({"due_at": (make.NOW - timedelta(minutes=1)).isoformat()}, "due_at"),
        ({"due_at": "tomorrow"}, "due_at"),
        (
            {
                "due_at": (make.NOW + timedelta(days=9)).isoformat(),
                "expires_at": (make.NOW + timedelta(days=8)).isoformat(),
            },
            "expires_at",
        ),
        ({"short": "yes"}, "short"),
        ({"origin": "service"}, "origin"),
    ],
)
def test_what_is_refused(api: Caller, world: World, changes: dict[str, Any], field: str) -> None:
    api.client.force_login(world.members["iris"].user)
    before = Assignment.objects.count()
    refused = api.post("assignments/", body(world, **changes))
    assert (refused.status_code, list(refused.json()["errors"])) == (422, [field])
    assert Assignment.objects.count() == before
