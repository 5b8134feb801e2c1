"""Bad inputs of single fields, at the fields of the forms that they are typed into."""

import unicodedata
from datetime import date

import pytest
from django.core.exceptions import ValidationError
from django.forms import Field

from clients.forms import fields
from practice.forms.zone import Zone
from practice.rules import wall
from tests.bad_inputs import cases
from tests.bad_inputs.cases import Case
from tests.factories import NOW

# The numbers of the file are German ones where they carry no country code.
FIELDS: dict[str, Field] = {
    "name": fields.name_field(),
    "email": fields.email_field(),
    "phone": fields.phone_field(region="DE"),
    "tz": Zone(),
    "reason_for_visit": fields.text_field(limit=2_000),
    "name_or_reason": fields.text_field(limit=2_000),
    "start": fields.Instant(),
}

# A part of these lies in what is sent later, which no rule for a field can show.
BEYOND_A_FIELD = {"BK-222"} | set(cases.MAPPED_ELSEWHERE)


def field_of(case: Case) -> str | None:
    """The field whose rule meets this case; None where it takes more than a rule."""
    if case.surface != "booking" or case.id in BEYOND_A_FIELD:
        return None
    field = case.input.get("field") or case.input.get("omit")
    return field if field in FIELDS else None


def local_time(case: Case) -> bool:
    return set(case.input.get("fields", {})) == {"date", "time", "tz"}


BY_FIELD = [case for case in cases.read() if field_of(case)]
BY_LOCAL_TIME = [case for case in cases.read() if local_time(case)]


@pytest.mark.parametrize("case", BY_FIELD, ids=str)
def test_a_field_meets_what_the_case_states(case: Case) -> None:
    name = field_of(case)
    assert name is not None
    value = None if "omit" in case.input else cases.unwrap(case.input["value"], now=NOW)
    expected = case.expect["class"]
    if expected == "reject":
        with pytest.raises(ValidationError) as refused:
            FIELDS[name].clean(value)
        assert all(" " in sentence for sentence in refused.value.messages), "said in words"
    elif expected == "verbatim":
        assert FIELDS[name].clean(value) == unicodedata.normalize("NFC", str(value))
    else:
        assert expected == "normalise"
        assert FIELDS[name].clean(value) == case.expect["to"]


@pytest.mark.parametrize("case", BY_LOCAL_TIME, ids=str)
def test_a_local_time_that_names_two_moments_is_refused(case: Case) -> None:
    fields = case.input["fields"]
    assert case.expect["class"] == "reject"
    with pytest.raises(wall.LocalTimeRefused, match="twice"):
        wall.resolve(date.fromisoformat(fields["date"]), fields["time"], fields["tz"])


def test_every_case_is_either_run_or_listed_as_not_mapped_yet() -> None:
    run = {case.id for case in [*BY_FIELD, *BY_LOCAL_TIME]} | set(cases.MAPPED_ELSEWHERE)
    listed = cases.not_mapped_yet()
    everything = {case.id for case in cases.read()}
    assert len(listed) == len(set(listed))
    assert run & set(listed) == set(), "mapped now: take it off the list"
    assert run | set(listed) == everything
    print(f"{len(run)} of {len(everything)} bad-input cases run, {len(listed)} not mapped yet")
