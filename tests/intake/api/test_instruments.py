"""Instruments through the API."""

from tests import factories as make
from tests.intake.api.conftest import Caller, World


def test_all_versions_and_those_in_use(api: Caller, world: World) -> None:
    make.instrument(version="2.0", state="draft")
    api.client.force_login(world.members["sam"].user)
    every = api.get("instruments/").json()["results"]
    assert {(one["slug"], one["version"]) for one in every} == {
        ("mood", "1.0"),
        ("mood", "2.0"),
        ("private-check", "1.0"),
    }
    used = api.get("instruments/", {"state": "published"}).json()["results"]
    assert ("mood", "2.0") not in {(one["slug"], one["version"]) for one in used}
    assert "definition" not in used[0]


def test_one_with_its_definition(api: Caller, world: World) -> None:
    make.instrument(version="2.0", state="draft")
    api.client.force_login(world.members["sam"].user)
    told = api.get("instruments/mood/").json()
    assert (told["version"], told["state"], told["from_fhir"]) == ("1.0", "published", False)
    assert told["definition"] == make.MOOD
    assert api.get("instruments/mood/", {"version": "2.0"}).json()["state"] == "draft"
    assert api.get("instruments/mood/", {"version": "3"}).status_code == 404
    assert api.get("instruments/nothing/").status_code == 404
