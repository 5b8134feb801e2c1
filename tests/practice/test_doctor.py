"""What the doctor says of the forms that a practice asks for."""

import pytest

from practice import doctor
from practice.models import FormRule
from tests import factories as make
from tests.practice import forms_cast as cast

pytestmark = pytest.mark.django_db


def found() -> list[tuple[str, str]]:
    return [(str(one.id), str(one.msg)) for one in doctor.forms_come()]


def test_the_doctor_warns_where_no_form_comes_and_of_rules_that_give_nothing() -> None:
    assert found() == [], "a site without a practice asks for nothing"
    make.practice()
    ((none, _),) = found()
    assert none == "forms.none"
    cast.rules(cast.CHECK, cast.MOOD)
    cast.published(cast.MOOD)
    ((unpublished, said),) = found()
    assert unpublished == "forms.unpublished"
    assert cast.CHECK in said
    for one in doctor.forms_come():
        assert "manage.py instrument import --shipped" in (one.hint or "")
    cast.published(cast.CHECK)
    assert found() == []
    make.instrument(id="old", state="draft")
    cast.rules("old", active=False)
    assert found() == [], "what is switched off gives nothing, and is meant to"
    FormRule.objects.update(active=False)
    assert [one for one, _ in found()] == ["forms.none"]
    assert doctor.forms_come in doctor.CHECKS
