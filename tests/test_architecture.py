"""The rules of docs/architecture.md, held by a machine."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.models import Model
from django.urls import URLPattern, URLResolver, get_resolver

from clients.models.sealed import SealedText

ROOT = Path(__file__).resolve().parent.parent
APPS = ("clients", "intake", "practice")
OWN = (*APPS, "config")
DOORS = {"public", "visitor", "by_link", "portal", "portal_proved", "desk", "desk_api"}
RETENTION = tomllib.loads((ROOT / "docs" / "data-retention.toml").read_text())

# Public functions of actions' modules that are no actions, each with its reason.
NO_ACTIONS = {
    "clients.actions.messages.due_lately": "a step inside an action's transaction",
    "clients.actions.messages.ring": "rings the bell and writes no row",
    "clients.actions.people.index_rows": "computes rows for an action to write",
    "clients.actions.messages.lock": "a step inside an action's transaction",
    "clients.actions.messages.new_rows": "makes rows for an action to write",
    "clients.actions.rows.insert": "a step inside an action's transaction",
    "practice.actions.forms.wanted": "reads",
    "practice.actions.guard.lock_counselors": "a step inside an action's transaction",
    "practice.actions.guard.retake": "a step inside an action's transaction",
    "practice.actions.guard.take": "a step inside an action's transaction",
    "practice.actions.guard.take_overbooked": "a step inside an action's transaction",
    "practice.actions.planning.leads_of": "computes",
    "practice.actions.planning.may_write": "reads",
    "practice.actions.planning.plan": "makes rows for an action to write",
    "practice.actions.planning.quiet_hours": "reads",
    "practice.actions.planning.reminder_leads": "reads",
    "practice.actions.planning.too_many": "computes",
    "practice.actions.planning.wanted": "reads",
}


def sources(*packages: str) -> list[Path]:
    return sorted(
        path
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts
    )


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def our_models() -> list[type[Model]]:
    return [model for model in apps.get_models() if model.__module__.split(".")[0] in APPS]


def test_imports_point_down() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_rules_load_without_django() -> None:
    modules = [module_name(path) for app in APPS for path in sources(f"{app}/rules")]
    assert modules
    program = (
        "import sys, importlib\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print([name for name in ('django', 'celery', 'psycopg') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", sources(*OWN), ids=module_name)
def test_nothing_of_ours_is_imported_inside_a_function(path: Path) -> None:
    inside = [
        name
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        for name in imported(node)
        if name.split(".")[0] in OWN
    ]
    assert inside == []


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return []


@pytest.mark.parametrize("app", APPS)
def test_an_app_does_nothing_when_it_is_imported(app: str) -> None:
    assert (ROOT / app / "__init__.py").read_text() == ""


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def public_actions() -> Iterator[tuple[str, FunctionType]]:
    for app in APPS:
        for path in sources(f"{app}/actions"):
            name = module_name(path)
            for word, function in vars(import_module(name)).items():
                function = inspect.unwrap(function) if callable(function) else function
                if (
                    isinstance(function, FunctionType)
                    and function.__module__ == name
                    and not word.startswith("_")
                    and f"{name}.{word}" not in NO_ACTIONS
                ):
                    yield f"{name}.{word}", function


@pytest.mark.parametrize(
    "function", [pytest.param(function, id=name) for name, function in public_actions()]
)
def test_an_action_says_by_whom_and_when(function: FunctionType) -> None:
    parameters = inspect.signature(function).parameters
    assert {"by", "now"} <= set(parameters)
    for parameter in parameters.values():
        assert parameter.kind is parameter.KEYWORD_ONLY, parameter.name
    assert function.__doc__, "an action says in a sentence what it does and refuses"


def views_and_api() -> list[Path]:
    found = [path for app in APPS for path in sources(app)]
    return [path for path in found if {"views", "api"} & set(path.with_suffix("").parts)]


@pytest.mark.parametrize("path", views_and_api(), ids=module_name)
def test_a_query_of_a_view_starts_at_a_door(path: Path) -> None:
    parents = {
        child: parent
        for parent in ast.walk(ast.parse(path.read_text()))
        for child in ast.iter_child_nodes(parent)
    }
    bare = [
        f"line {node.lineno}"
        for node in parents
        if isinstance(node, ast.Attribute)
        and node.attr in {"objects", "_default_manager"}
        and not opens_a_door(parents.get(node))
    ]
    assert bare == []


def opens_a_door(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in {"visible_to", "public"}


# What members are shown is asked for in their name, or about a row that was found so.
DESK_QUERIES = ("practice.queries.caseload", "practice.queries.diary")
ASKED_FOR = ("Actor", "Appointment", "Case", "Iterable[Person]")
NAME_NOBODY = {
    "practice.queries.diary.busy": "says that a counselor has no time, and not why",
    "practice.queries.diary.offered": "who offers what stands on the public page",
}


@pytest.mark.parametrize("name", DESK_QUERIES)
def test_a_query_of_the_desk_is_asked_in_somebodys_name(name: str) -> None:
    functions = {
        word: inspect.signature(function)
        for word, function in vars(import_module(name)).items()
        if isinstance(function, FunctionType) and function.__module__ == name
    }
    assert len(functions) > 5
    without = [
        word
        for word, signature in functions.items()
        if not word.startswith("_")
        and f"{name}.{word}" not in NAME_NOBODY
        and annotation_of(signature) not in ASKED_FOR
    ]
    assert without == []


def annotation_of(signature: inspect.Signature) -> str:
    """What a function wants first, as one would write it."""
    first = next(iter(signature.parameters.values()), None)
    text = inspect.formatannotation(first.annotation) if first else ""
    return re.sub(r"\w+\.", "", text)


def routes(
    patterns: list[URLPattern | URLResolver], prefix: str = ""
) -> Iterator[tuple[str, Callable[..., Any]]]:
    for pattern in patterns:
        route = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route, pattern.callback


def test_every_view_has_a_door() -> None:
    found = dict(routes(get_resolver().url_patterns))
    assert len(found) > 5
    without = [route for route, view in found.items() if getattr(view, "door", None) not in DOORS]
    assert without == []


def test_every_model_is_mutable_or_immutable() -> None:
    assert set(RETENTION["models"]) == {model._meta.label for model in our_models()}
    for name, entry in RETENTION["models"].items():
        assert entry["change"] in {"mutable", "immutable"}, name


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model._meta.label)
def test_every_field_has_a_retention_and_an_encryption_class(model: type[Model]) -> None:
    entry = RETENTION["models"][model._meta.label]
    assert entry["retention"] in RETENTION["retention"]
    classes = {name: entry[name] for name in RETENTION["encryption"] if name in entry}
    listed = sorted(field for fields in classes.values() for field in fields)
    assert listed == sorted(field.name for field in model._meta.local_fields)
    sealed = {field.name for field in model._meta.local_fields if isinstance(field, SealedText)}
    assert set(classes.get("sealed", [])) == sealed
