"""Scores as FHIR R4 Observations: numbers as numbers, and a reason where there is none."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any
from uuid import uuid5

from intake.rules.definition import Definition, Subscale
from intake.rules.fhir import names
from intake.rules.fhir.plain import Node
from intake.rules.fhir.response import About
from intake.rules.vectors import plain as for_file


def write(
    definition: Definition, scores: Mapping[str, Fraction | None], about: About
) -> list[dict[str, Any]]:
    """An Observation for each score of a response, and of several a panel that names them.

    Their ids follow from the response's, so that each is the same whenever it is asked for.
    """
    found = [
        _score(definition, one, scores[one.id], about)
        for one in definition.subscales
        if one.id in scores
    ]
    if len(found) < 2:
        return found
    panel = _head("panel", about) | {
        "code": _concept(
            definition.code, (f"{names.PANEL}:{definition.id}", definition.id), definition.title
        ),
        "hasMember": [{"reference": f"Observation/{one['id']}"} for one in found],
    }
    return [panel, *found]


def _score(
    definition: Definition, subscale: Subscale, value: Fraction | None, about: About
) -> dict[str, Any]:
    own = (f"{names.SCORE}:{definition.id}", subscale.id)
    made = _head(f"score {subscale.id}", about) | {
        "code": _concept(subscale.code, own, subscale.label)
    }
    if value is None:
        absent = {"system": names.NO_ANSWER, "code": "unknown", "display": "Unknown"}
        words = "Too few questions were answered."
        return made | {"dataAbsentReason": {"coding": [absent], "text": words}}
    number = for_file(value)
    if isinstance(number, int):
        return made | {"valueInteger": number}
    unit = {"unit": "{score}", "system": names.UNITS, "code": "{score}"}
    return made | {"valueQuantity": {"value": number, **unit}}


def _head(what: str, about: About) -> dict[str, Any]:
    survey = {"system": names.OBSERVATION_CATEGORY, "code": "survey", "display": "Survey"}
    return {
        "resourceType": "Observation",
        "id": str(uuid5(about.id, what)),
        **about.meta,
        "status": "final",
        "category": [{"coding": [survey]}],
        "subject": about.respondent,
        "effectiveDateTime": about.at.isoformat(timespec="seconds"),
        "issued": about.at.isoformat(timespec="seconds"),
        "performer": [about.respondent],
        "derivedFrom": [{"reference": f"QuestionnaireResponse/{about.id}"}],
    }


def _concept(code: tuple[str, str] | None, own: tuple[str, str], words: str) -> Node:
    codings = [one for one in (code, own) if one]
    return {
        "coding": [{"system": system, "code": value} for system, value in codings],
        "text": words,
    }
