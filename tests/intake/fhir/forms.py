"""Questionnaires and responses in the shapes of public files, in words of our own.

Public files of one and the same screener differ in how they nest, where the answers stand and
where their weights do. Each shape here has nine questions with weights 0 to 3, one more with
answers of its own, and a total.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Node = dict[str, Any]
Shape = Literal["flat", "nested", "contained", "coding", "strings"]
SHAPES: tuple[Shape, ...] = ("flat", "nested", "contained", "coding", "strings")

ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
WEIGHTS = (
    "http://hl7.org/fhir/StructureDefinition/itemWeight",
    ORDINAL,
    "http://hl7.org/fhir/StructureDefinition/questionnaire-ordinalValue",
)
CALCULATED = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression"
BY_EXPRESSION = (
    "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression"
)
LOCAL = "http://example.org/answers"
OFTEN = ("never", "some days", "most days", "every day")
HARD = ("not hard", "a bit hard", "hard", "very hard")


def weight(value: float, url: str = ORDINAL) -> list[Node]:
    """The extension that says what an option is worth."""
    return [{"url": url, "valueDecimal": value}]


def options(words: Sequence[str], *, url: str = ORDINAL, system: str = LOCAL) -> list[Node]:
    """Options with a code each, and their weight on the option."""
    return [
        {"valueCoding": coding(one, system), "extension": weight(place, url)}
        for place, one in enumerate(words)
    ]


def coding(words: str, system: str = LOCAL) -> Node:
    """A code made of the words; blanks in it as some public files have them."""
    found = {"system": system, "code": words, "display": words.capitalize()}
    return {name: value for name, value in found.items() if value}


def choice(link_id: str, words: Sequence[str] = OFTEN, **more: Any) -> Node:
    """A question to choose from."""
    return {
        "linkId": link_id,
        "type": "choice",
        "text": f"How about {link_id}?",
        "answerOption": options(words),
        **more,
    }


def form(*items: Node, **more: Any) -> Node:
    """A Questionnaire."""
    return {
        "resourceType": "Questionnaire",
        "url": "http://example.org/Questionnaire/nine",
        "version": "1.2",
        "name": "Nine",
        "title": "Nine questions",
        "status": "active",
        "language": "en",
        "item": list(items),
        **more,
    }


def nine(shape: Shape, *, url: str = ORDINAL, total: Mapping[str, Any] | None = None) -> Node:
    """Nine questions, a tenth with other answers, and a total, in one of the public shapes."""
    asked = [choice(f"/q{number}") for number in range(1, 10)]
    more: Node = {}
    for one in asked:
        if shape == "flat":
            one["answerOption"] = options(OFTEN, url=url, system="")
        elif shape == "coding":
            one["answerOption"] = [
                {"valueCoding": coding(words) | {"extension": weight(place, url)}}
                for place, words in enumerate(OFTEN)
            ]
        elif shape == "strings":
            one["answerOption"] = [
                {"valueString": words, "extension": weight(place, url)}
                for place, words in enumerate(OFTEN)
            ]
        elif shape == "contained":
            del one["answerOption"]
            one["answerValueSet"] = "#often"
            more = {"contained": [value_set("often", OFTEN, url)]}
        else:
            one["answerOption"] = options(OFTEN, url=url)
    if shape == "nested":
        inner = {"linkId": "g/2", "type": "group", "text": "And also", "item": asked[5:]}
        asked = [
            {"linkId": "g", "type": "group", "text": "How often?", "item": [*asked[:5], inner]}
        ]
    tenth = choice("/q10", HARD)
    sum_of = {"linkId": "/total", "type": "decimal", "text": "Total score", **(total or {})}
    return form(*asked, tenth, sum_of, **more)


def value_set(name: str, words: Sequence[str], url: str = ORDINAL) -> Node:
    """A value set inside a file; its concepts carry the weights."""
    concepts = [
        {"code": one, "display": one.capitalize(), "extension": weight(place, url)}
        for place, one in enumerate(words)
    ]
    return {
        "resourceType": "ValueSet",
        "id": name,
        "url": f"http://example.org/ValueSet/{name}",
        "status": "active",
        "compose": {"include": [{"system": LOCAL, "concept": concepts}]},
    }


def calculated(expression: str, language: str = "text/fhirpath") -> Node:
    """What makes an item a computed one."""
    value = {"language": language, "expression": expression}
    return {"extension": [{"url": CALCULATED, "valueExpression": value}]}


def response(answers: Mapping[str, Any], *, kind: str = "valueCoding", **more: Any) -> Node:
    """A QuestionnaireResponse, flat however the form nests."""
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": "http://example.org/Questionnaire/nine",
        "status": "completed",
        "item": [
            {"linkId": link_id, "answer": [{kind: value}]} for link_id, value in answers.items()
        ],
        **more,
    }


def said(*places: int, shape: Shape = "flat") -> Node:
    """The answers at these places of the nine questions, in this order."""
    kind = "valueString" if shape == "strings" else "valueCoding"
    system = "" if shape == "flat" else LOCAL
    values = {
        f"/q{number}": OFTEN[place] if kind == "valueString" else coding(OFTEN[place], system)
        for number, place in enumerate(places, start=1)
    }
    return response(values, kind=kind)


def raw(node: Node) -> bytes:
    """As a file."""
    return json.dumps(node, indent=2, ensure_ascii=False).encode()
