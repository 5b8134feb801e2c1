"""Which answers a clinician must see, and when."""

from typing import Any

import pytest

from intake.rules.answers import Answered
from intake.rules.flags import raised
from tests.intake.rules.shipped import definition
from tests.intake.rules.small import chose, item, small

URGENT: dict[str, Any] = {"severity": "urgent", "kind": "now", "shows_help": True}
FLAGS: list[dict[str, Any]] = [
    {"item": "q1", "operator": ">", "value": 0, **URGENT},
    {"item": "q2", "operator": "!=", "value": 0, "severity": "high", "kind": "other"},
    {"item": "q3", "operator": "=", "value": "skip", "severity": "ask", "kind": "skipped"},
    {"item": "q4", "operator": "exists", "value": False, "severity": "ask", "kind": "left-out"},
]
FORM = small(staff_flags=FLAGS)


def kinds(answers: Any, *, sent: bool = True) -> list[str]:
    return [one.kind for one in raised(FORM, answers, sent=sent)]


def test_each_flag_by_its_answer() -> None:
    assert kinds(chose(q1=0, q2=0, q3=0, q4=0)) == []
    assert kinds(chose(q1=1, q2=0, q3=0, q4=0)) == ["now"]
    assert kinds(chose(q1=0, q2=2, q3=0, q4=0)) == ["other"]
    assert kinds(chose(q1=0, q2=0, q3="skip", q4=0)) == ["skipped"]
    assert kinds(chose(q1=0, q2=0, q3=0)) == ["left-out"]


def test_what_was_not_answered_raises_nothing_but_what_asks_for_that() -> None:
    assert kinds({}) == ["left-out"]
    assert kinds(chose(q1="skip", q2="skip", q3=1, q4=1)) == ["other"]


def test_before_it_is_sent_only_what_must_not_wait() -> None:
    assert kinds(chose(q1=1, q2=2, q3="skip"), sent=False) == ["now"]
    assert kinds({}, sent=False) == []


def test_what_is_not_asked_raises_nothing() -> None:
    form = small(
        items=[
            item("q1"),
            item("q2", show_when={"item": "q1", "operator": "=", "value": 1}),
            item("q3"),
            item("q4"),
        ],
        staff_flags=[{**FLAGS[0], "item": "q2"}],
        short_form=["q1"],
    )
    assert raised(form, chose(q1=0, q2=4), sent=True) == []
    assert len(raised(form, chose(q1=1, q2=4), sent=True)) == 1
    assert raised(form, chose(q1=1, q2=4), sent=True, short=True) == []


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("weight", [0, 1, 2, 3])
def test_the_ninth_item_of_the_phq_is_urgent_from_its_first_step_on(
    weight: int, sent: bool
) -> None:
    form = definition("phq-9")
    ninth = next(one for one in form.items if one.id.endswith("_9"))
    scale = form.scale_of(ninth)
    assert scale is not None
    option = next(one for one in scale.options if one.value == weight)
    found = raised(form, {ninth.id: Answered(option.code)}, sent=sent)
    assert [(one.severity, one.shows_help) for one in found] == [("urgent", True)] * (weight > 0)
    # Left out it isn't 0, and it raises nothing by itself.
    assert raised(form, {}, sent=sent) == []


@pytest.mark.parametrize(
    ("answers", "severities"),
    [
        pytest.param({"S2": "no", "S3": "no", "S4": "yes"}, set(), id="nothing"),
        pytest.param({"S2": "yes", "S3": "no", "S4": "yes"}, {"high"}, id="afraid"),
        pytest.param({"S2": "no", "S3": "yes", "S4": "yes"}, {"high"}, id="hurt"),
        pytest.param({"S2": "no", "S3": "no", "S4": "no"}, {"high"}, id="not-safe"),
        pytest.param({"S2": "no", "S3": "no", "S4": "not-sure"}, {"high"}, id="not-sure"),
        pytest.param({"S2": "skip", "S3": "no", "S4": "yes"}, {"ask"}, id="skipped-afraid"),
        pytest.param({"S2": "no", "S3": "skip", "S4": "yes"}, {"ask"}, id="skipped-hurt"),
        pytest.param({"S2": "no", "S3": "no", "S4": "skip"}, {"ask"}, id="skipped-safe"),
        pytest.param({"S2": "yes", "S3": "skip", "S4": "yes"}, {"high", "ask"}, id="both"),
    ],
)
def test_the_private_check(answers: dict[str, str], severities: set[str]) -> None:
    form = definition("private-check")
    said = {
        name: Answered(non="skip") if value == "skip" else Answered(value)
        for name, value in {"S1": "yes", **answers}.items()
    }
    assert {one.severity for one in raised(form, said, sent=True)} == severities
    # Not alone: nothing behind the first question was asked.
    assert raised(form, said | {"S1": Answered("no")}, sent=True) == []
