"""One rule for each kind of text, one way to write a time, one JSON parser: nothing goes around.

Pages and API clean by the same fields (`clients/forms/fields.py`); a field of Django's or of the
REST framework's takes what ours refuse: control characters, times that come twice, odd addresses.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django import forms
from rest_framework import serializers

from clients.api import fields as api
from clients.api.serializers import Strict
from clients.forms import fields
from tests.test_architecture import OWN, ROOT, module_name, sources

# Fields that take text, times or structures by rules of their own.
OF_A_LIBRARY = re.compile(
    r"(?:forms|serializers|models)\.(?:Model|Typed)?(?:Char|Email|Slug|URL|Regex|Date|Time|DateTime"
    r"|SplitDateTime|Duration|JSON|File|Image|FilePath|Combo|GenericIPAddress|IPAddress|Dict|List"
    r"|Integer|Float|Decimal|UUID)Field"
)
# Where ours are made of them.
OURS_ARE_MADE_IN = {"clients.forms.fields", "clients.api.fields", "practice.forms.zone"}
# Other uses, each with its reason.
OTHERS = {
    "practice.forms.booking: ConsentBox": "compared with the version in force, nothing else passes",
    "practice.forms.desk: forms.UUIDField": "an id of ours: any other text is refused",
    "intake.forms.cycle: forms.UUIDField": "an id of ours: any other text is refused",
    "intake.forms.cycle: forms.IntegerField": "a round's number: any other text is refused",
    "practice.forms.rules: forms.IntegerField": "weeks, hours, a place: any other text is refused",
    "config.accounts.forms: _Credential": "read by the one JSON parser",
    "practice.forms.portal: _Answer": "read by the one JSON parser; its note is signed",
}
# Where JSON is read that nobody outside sent.
OWN_JSON = {
    "clients.rules.strict_json": "the one parser",
    "clients.queries.audit": "a file of this machine",
    "clients.queries.erased_keys": "a file of this machine",
    "config.cache": "what this site put into Redis",
    "config.state": "a file of this machine",
    "intake.rules.fhir.document": "numbers as they stand there, for a file that leaves as it came",
    "intake.rules.schema": "a file of ours",
    "intake.rules.source": "a definition's file, with its lines",
    "intake.views.filling": "a body that the one parser reads",
    "practice.queries.offers": "what PostgreSQL put together",
    "practice.queries.operations": "what PostgreSQL put together",
}
TEXT_FIELDS = (forms.CharField, forms.DateField, forms.DateTimeField, forms.TimeField)


def taken_from_a_library(text: str) -> Iterator[str]:
    """Fields of a library that a module makes, or makes classes of; answers may have any."""
    tree = ast.parse(text)
    answers = {
        node
        for one in ast.walk(tree)
        if isinstance(one, ast.ClassDef) and is_an_answer(one)
        for node in ast.walk(one)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(map(is_of_a_library, node.bases)):
            yield node.name
        elif isinstance(node, ast.Call) and node not in answers and is_of_a_library(node.func):
            yield name_of(node.func)


def is_an_answer(node: ast.ClassDef) -> bool:
    return "serializers.Serializer" in map(name_of, node.bases) or node.name.endswith("Out")


def name_of(node: ast.AST) -> str:
    return ast.unparse(node).partition("[")[0]


def is_of_a_library(node: ast.AST) -> bool:
    return bool(OF_A_LIBRARY.fullmatch(name_of(node))) and not name_of(node).startswith("models.")


def modules() -> Iterator[tuple[str, Path]]:
    for path in sources(*OWN):
        name = module_name(path)
        if ".models" not in name and name != "clients.api.schema":  # it describes answers
            yield name, path


def test_text_times_and_numbers_are_taken_by_the_shared_fields_alone() -> None:
    found = {
        f"{name}: {use}"
        for name, path in modules()
        if name not in OURS_ARE_MADE_IN
        for use in taken_from_a_library(path.read_text())
    }
    assert found == set(OTHERS)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("class F(Strict):\n    a = forms.CharField()", ["forms.CharField"]),
        ("class A(Strict):\n    a = serializers.EmailField()", ["serializers.EmailField"]),
        ("self.fields |= {'a': forms.DateTimeField()}", ["forms.DateTimeField"]),
        ("class G(forms.JSONField[Any]):\n    pass", ["G"]),
        ("class O(serializers.Serializer[Any]):\n    a = serializers.CharField()", []),
        ("a = fields.line_field(limit=5)", []),
    ],
)
def test_a_field_that_goes_around_is_noticed(written: str, found: list[str]) -> None:
    """The control."""
    assert list(taken_from_a_library(written)) == found


def all_of(kind: type[Any]) -> Iterator[type[Any]]:
    for one in kind.__subclasses__():
        yield one
        yield from all_of(one)


def ours(kind: type[Any]) -> list[type[Any]]:
    for name, path in modules():
        if {"forms", "api", "accounts"} & set(path.with_suffix("").parts):
            import_module(name)
    found = dict.fromkeys(all_of(kind))
    return [one for one in found if one.__module__.partition(".")[0] in OWN]


def test_every_form_has_shared_fields_only_whoever_it_descends_from() -> None:
    """Also what a form of ours has from one of a library's."""
    found = {
        f"{form.__module__}.{form.__name__}.{name}"
        for form in ours(forms.Form)
        for name, field in form.base_fields.items()
        if isinstance(field, TEXT_FIELDS) and type(field).__module__.partition(".")[0] not in OWN
    }
    # Ids of ours, as above.
    assert found == {"practice.forms.desk.Where.case", "intake.forms.cycle.Share.case"}


def test_every_form_of_a_page_refuses_what_it_does_not_know() -> None:
    loose = [
        f"{form.__module__}.{form.__name__}"
        for form in ours(forms.Form)
        if not issubclass(form, fields.Strict) and form is not fields.Strict
    ]
    # Of the pages around sign-in, whose views are a library's.
    assert [name for name in loose if not name.startswith("config.accounts.forms.")] == []


def test_every_body_and_query_of_the_api_has_shared_fields_only() -> None:
    bodies = ours(Strict)
    assert len(bodies) > 5
    for body in bodies:
        for name, field in body().fields.items():
            assert is_shared(field), f"{body.__name__}.{name}"


def is_shared(field: Any) -> bool:
    if isinstance(field, serializers.ListSerializer):
        return is_shared(field.child)
    if isinstance(field, api.Few):
        return is_shared(field.child)
    return isinstance(field, Strict | api.Cleaned) or type(field).__module__ == api.__name__


def test_every_text_of_the_api_is_cleaned_by_a_field_of_the_pages() -> None:
    """The few that aren't read no words: each is compared with what is known, or is ours signed."""
    compared = {api.Cursor, api.Id, api.PageSize, api.Phone}
    for kind in all_of(api.Cleaned):
        if kind in compared or issubclass(kind, api.Pattern):
            continue
        ruling = kind(**arguments(kind)).form_field()
        own = type(ruling).__module__.partition(".")[0] in OWN
        assert own or isinstance(ruling, forms.ChoiceField), kind


def arguments(kind: type[Any]) -> dict[str, Any]:
    given: dict[str, Any] = {"limit": 10, "of": ["a"], "most": 5, "least": 1, "salt": "x"}
    return {name: given[name] for name in inspect.signature(kind).parameters if name in given}


# --- JSON ----------------------------------------------------------------------------------------

JSON_READERS = re.compile(r"json\.loads?|JSONParser|request\.body|JSONDecoder")


def test_json_from_outside_is_read_by_one_parser() -> None:
    found = {
        name
        for name, path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute | ast.Name) and JSON_READERS.fullmatch(name_of(node))
    }
    assert found == set(OWN_JSON)
    assert (ROOT / "clients" / "api" / "parsing.py").read_text().count("strict_json.loads(") == 1
