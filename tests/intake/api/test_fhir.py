"""The intake as FHIR over the API: Bundles that hold what each may read, and no private check."""

import json
from typing import Any

import pytest

from clients.models import AuditEntry
from intake.rules.fhir import reading
from tests import factories as make
from tests.intake.api.conftest import Caller, World
from tests.intake.fhir import forms


def bundle(api: Caller, path: str, query: dict[str, str] | None = None) -> list[dict[str, Any]]:
    answer = api.get(path, query)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/fhir+json"
    assert "no-store" in answer["Cache-Control"]
    told = answer.json()
    assert (told["resourceType"], told["type"]) == ("Bundle", "searchset")
    return [one["resource"] for one in told.get("entry", ())]


def test_forms_in_use(api: Caller, world: World) -> None:
    make.instrument(version="2.0", state="draft")
    api.client.force_login(world.members["sam"].user)
    found = bundle(api, "fhir/Questionnaire")
    assert {(one["url"], one["version"], one["status"]) for one in found} == {
        ("urn:duet:instrument:mood", "1.0", "active"),
        ("urn:duet:instrument:private-check", "1.0", "active"),
    }
    one = api.get("fhir/Questionnaire/mood").json()
    assert one in found
    assert api.get("fhir/Questionnaire/mood", {"version": "2.0"}).json()["status"] == "draft"
    assert api.get("fhir/Questionnaire/nothing").status_code == 404


def test_a_form_that_came_from_a_file_leaves_as_it_came(api: Caller, world: World) -> None:
    node = forms.nine("nested") | {"extension": [{"url": "http://x.org/y", "valueDecimal": 1.5}]}
    found, _ = reading.read(forms.raw(node))
    assert found
    row = make.instrument(found.raw, state="draft")
    row.fhir = found.fhir
    row.save(update_fields=["fhir"])
    api.client.force_login(world.members["sam"].user)
    told = api.get(f"fhir/Questionnaire/{row.slug}").json()
    assert json.dumps(told, sort_keys=True) == json.dumps(node, sort_keys=True)


def test_responses_hold_no_private_check_and_no_partner(api: Caller, world: World) -> None:
    api.client.force_login(world.members["iris"].user)
    found = bundle(api, "fhir/QuestionnaireResponse", {"case": str(world.case.pk)})
    assert {one["id"] for one in found} == {str(world.sent.pk), str(world.partner.pk)}
    mine = next(one for one in found if one["id"] == str(world.sent.pk))
    who = {"reference": f"Patient/{world.ana.pk}"}
    assert mine["subject"] == mine["author"] == mine["source"] == who
    assert str(world.ben.pk) not in json.dumps(mine)
    assert "meta" not in mine


def test_filters(api: Caller, world: World) -> None:
    api.client.force_login(world.members["iris"].user)
    path = "fhir/QuestionnaireResponse"
    found = bundle(api, path, {"patient": str(world.ben.pk)})
    assert [one["id"] for one in found] == [str(world.partner.pk)]
    assert bundle(api, path, {"questionnaire": "private-check"}) == []
    assert bundle(api, path, {"case": str(world.other.pk)}) == []
    for query in ({"patient": "Patient/1"}, {"_include": "*"}, {"_count": "many"}):
        assert api.get(path, query).status_code == 400


def test_pages(api: Caller, world: World) -> None:
    api.client.force_login(world.members["iris"].user)
    told = api.get("fhir/QuestionnaireResponse", {"_count": "1"}).json()
    links = {one["relation"]: one["url"] for one in told["link"]}
    assert set(links) == {"self", "next"}
    # Made of the site's address, and never of the Host header.
    assert links["next"].startswith("http")
    path = links["next"][links["next"].index("/api/") :]
    second = api.client.get(path).json()
    assert {one["relation"] for one in second["link"]} == {"self"}
    ids = {one["resource"]["id"] for page in (told, second) for one in page["entry"]}
    assert ids == {str(world.sent.pk), str(world.partner.pk)}


def test_a_private_check_by_its_id_for_those_who_counsel(api: Caller, world: World) -> None:
    path = f"fhir/QuestionnaireResponse/{world.guarded.pk}"
    api.client.force_login(world.members["iris"].user)
    told = api.get(path).json()
    assert {one["code"] for one in told["meta"]["security"]} == {"R", "SDV"}
    for name in ("theo", "sam", "rita", "olive"):
        api.client.force_login(world.members[name].user)
        assert api.get(path).status_code == 404


def test_scores(api: Caller, world: World) -> None:
    api.client.force_login(world.members["iris"].user)
    found = bundle(api, "fhir/Observation", {"patient": str(world.ana.pk)})
    assert [(one["valueInteger"], one["status"]) for one in found] == [(2, "final")]
    assert found[0]["derivedFrom"] == [{"reference": f"QuestionnaireResponse/{world.sent.pk}"}]
    none = bundle(api, "fhir/Observation", {"patient": str(world.ben.pk)})
    assert "dataAbsentReason" in none[0]


@pytest.mark.parametrize("name", ["sam", "rita", "olive"])
@pytest.mark.parametrize("path", ["fhir/QuestionnaireResponse", "fhir/Observation"])
def test_whoever_does_not_care_for_them_gets_nothing(
    api: Caller, world: World, path: str, name: str
) -> None:
    api.client.force_login(world.members[name].user)
    assert bundle(api, path) == []


def test_every_person_in_a_bundle_is_on_record(api: Caller, world: World) -> None:
    iris = world.members["iris"]
    api.client.force_login(iris.user)
    bundle(api, "fhir/QuestionnaireResponse")
    bundle(api, "fhir/Observation")
    for verb in ("response.read", "score.read"):
        rows = AuditEntry.objects.filter(actor_id=iris.pk, verb=verb)
        assert {(one.person_id, one.case_id, one.detail["forms"]) for one in rows} == {
            (world.ana.pk, world.case.pk, 1),
            (world.ben.pk, world.case.pk, 1),
        }


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_is_written(api: Caller, world: World, method: str) -> None:
    api.client.force_login(world.members["iris"].user)
    for path in ("fhir/Questionnaire", "fhir/QuestionnaireResponse", "fhir/Observation"):
        answer = getattr(api.client, method)(f"/api/v1/{path}")
        assert answer.status_code == 405
