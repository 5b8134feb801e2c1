"""Sign-in is limited by address and by name, and says the same of names that nobody has."""

import re

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from clients.limits import Limit
from clients.models import AuditEntry
from config import sign_in
from tests import factories as make

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-pass-phrase"


@pytest.fixture(autouse=True)
def iris(settings: Settings) -> User:
    settings.DUET = {**settings.DUET, "THROTTLE": True}
    cache.clear()
    return User.objects.create_user("iris", password=PASSWORD)


def attempt(name: str, password: str = "wrong", address: str = "192.0.2.1") -> tuple[int, str]:
    response = Client(REMOTE_ADDR=address).post(
        "/accounts/login/", {"login": name, "password": password}
    )
    hidden = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())
    return response.status_code, hidden.replace(name, "NAME")


def test_a_name_is_refused_after_its_tries_even_with_the_right_password() -> None:
    for _ in range(sign_in.BY_NAME_AND_ADDRESS.times):
        assert attempt("iris")[0] == 401
    status, page = attempt("iris", PASSWORD)
    assert status == 429
    assert "Please wait" in page
    assert 'value="NAME"' in page
    assert PASSWORD not in page
    assert attempt("Iris ")[0] == 429


def test_the_member_signs_in_from_elsewhere_meanwhile() -> None:
    for _ in range(sign_in.BY_NAME_AND_ADDRESS.times + 1):
        attempt("iris")
    assert attempt("iris", PASSWORD, address="198.51.100.7")[0] == 302


def test_the_answers_are_the_same_for_a_name_that_nobody_has() -> None:
    times = range(sign_in.BY_NAME_AND_ADDRESS.times + 1)
    assert [attempt("iris") for _ in times] == [attempt("nobody") for _ in times]


def test_an_address_is_refused_whichever_names_it_tries() -> None:
    for number in range(sign_in.BY_ADDRESS.times):
        assert attempt(f"name{number}")[0] == 401
    assert attempt("another")[0] == 429
    assert attempt("another", address="198.51.100.7")[0] == 401


def test_one_name_from_many_addresses_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "BY_NAME", Limit("by_name", 3, 900))
    for number in range(3):
        assert attempt("iris", address=f"192.0.2.{number}")[0] == 401
    assert attempt("iris", address="192.0.2.9")[0] == 429


def test_each_refusal_is_on_record_with_as_many_statements_whoever_it_was() -> None:
    member = make.front_desk()
    asked = []
    for name in ("sam", "nobody", "iris"):
        with CaptureQueriesContext(connection) as ran:
            assert attempt(name)[0] == 401
        asked.append(len(ran))
    assert len(set(asked)) == 1, asked
    entries = AuditEntry.objects.filter(verb="member.sign_in_refused")
    assert list(entries.order_by("at").values_list("subject_id", flat=True)) == [
        member.pk,
        None,
        None,
    ]
    assert {entry.actor_kind for entry in entries} == {"visitor"}
    assert all(entry.detail == {} for entry in entries)
