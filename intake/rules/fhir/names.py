"""The addresses that FHIR R4 gives to what we read and write. None of them is ever fetched."""

from typing import Final

_CORE: Final = "http://hl7.org/fhir/StructureDefinition"
_SDC: Final = "http://hl7.org/fhir/uv/sdc/StructureDefinition"

ORDINAL: Final = f"{_CORE}/ordinalValue"
# An option's weight, in the order in which they are looked for.
WEIGHTS: Final = (f"{_CORE}/itemWeight", ORDINAL, f"{_CORE}/questionnaire-ordinalValue")

HIDDEN: Final = f"{_CORE}/questionnaire-hidden"
LEAST: Final = f"{_CORE}/minValue"
MOST: Final = f"{_CORE}/maxValue"
CALCULATED: Final = frozenset(
    {
        f"{_SDC}/sdc-questionnaire-calculatedExpression",
        f"{_CORE}/questionnaire-calculatedExpression",
        f"{_CORE}/cqf-calculatedValue",
    }
)
SHOWN_BY_EXPRESSION: Final = f"{_SDC}/sdc-questionnaire-enableWhenExpression"

# An answer that says nothing, such as "I'd rather not say": its codes, and ours.
NO_ANSWER: Final = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
NO_ANSWER_CODES: Final = {"skip": "asked-declined", "unknown": "asked-unknown"}

CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
OBSERVATION_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
UNITS: Final = "http://unitsofmeasure.org"

CONTROL: Final = f"{_CORE}/questionnaire-itemControl"
CONTROLS: Final = "http://hl7.org/fhir/questionnaire-item-control"

# Ours, for what nobody else has given a code.
SILENT: Final = "urn:duet:no-answer"
INSTRUMENT: Final = "urn:duet:instrument"
SCALE: Final = "urn:duet:scale"
SCORE: Final = "urn:duet:score"
PANEL: Final = "urn:duet:panel"
