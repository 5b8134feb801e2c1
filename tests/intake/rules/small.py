"""A small instrument for the tests of rules: every kind of condition, subscale and flag."""

from typing import Any

from intake.rules.answers import Answered
from intake.rules.definition import Definition, parse

RAW: dict[str, Any] = {
    "id": "small",
    "version": "1.0.0",
    "language": "en",
    "title": "Small",
    "licence": {"basis": "own"},
    "scales": {
        "five": {
            "options": [{"code": f"c{one}", "value": one, "label": f"{one}"} for one in range(5)],
            "non_answers": [{"code": "skip", "label": "Not now"}],
        },
        "colour": {
            "options": [{"code": "red", "label": "Red"}, {"code": "blue", "label": "Blue"}],
        },
    },
    "items": [
        {"id": "q1", "scale": "five", "text": "One"},
        {"id": "q2", "scale": "five", "text": "Two"},
        {"id": "q3", "scale": "five", "text": "Three", "reverse": True},
        {"id": "q4", "scale": "five", "text": "Four"},
    ],
    "subscales": [
        {
            "id": "total",
            "label": "Total",
            "items": ["q1", "q2", "q3", "q4"],
            "method": "sum",
            "min_valid": 3,
            "missing": "prorate",
            "range": [0, 16],
        }
    ],
    "test_vectors": [
        {"id": "v1", "answers": {"q1": 1, "q2": 1, "q3": 1, "q4": 1}, "expected": {"total": 6}},
        {"id": "v2", "answers": {"q1": 1, "q2": 1, "q3": 1}, "expected": {"total": 6.6667}},
        {"id": "v3", "answers": {"q1": "c1", "q2": "skip"}, "expected": {"total": None}},
    ],
}


def raw(**changes: Any) -> dict[str, Any]:
    """The plain form, with some of its entries changed; none takes one out."""
    found = {**RAW, **changes}
    return {name: value for name, value in found.items() if value is not None}


def item(item_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": item_id, "scale": "five", "text": item_id, **fields}


def small(**changes: Any) -> Definition:
    return parse(raw(**changes))


def chose(**values: int | str | None) -> dict[str, Answered]:
    """Answers on the scale by their weight; "skip" is the non-answer, none no answer."""
    return {
        name: Answered(non="skip") if value == "skip" else Answered(f"c{value}")
        for name, value in values.items()
        if value is not None
    }
