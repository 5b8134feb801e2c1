"""`manage.py permissions`: who may see and do what, as the code has it."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from clients.queries import permissions
from clients.queries.permissions import Kind, Route
from clients.rules.actors import ROLES
from clients.rules.permissions import NEED_SECOND_FACTOR, RIGHTS, Right

_HEAD = """\
# Who may see and do what

Printed by `manage.py permissions` from the code itself: doors of routes, rights of roles, rules of
rows. A test asks every route in every role, and fails where an answer differs; another fails where
this file does. `permissions --json` says the same for programs.

A door says who comes in at all. Which rows somebody then sees, the second and the third table say;
what they don't see isn't there: the answer is that of an address that doesn't exist.
"""


class Command(BaseCommand):
    """Prints roles, kinds of objects, methods and fields: as a page of Markdown, or as JSON."""

    help = "Print who may see and do what, as the code has it."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        self.stdout.write(_as_json() if options["json"] else _as_page(), ending="\n")


def _as_json() -> str:
    told = {
        "roles": {
            role: {
                "rights": sorted(RIGHTS[role]),
                "second_factor": role in NEED_SECOND_FACTOR,
            }
            for role in ROLES
        },
        "objects": [_told(kind) for kind in permissions.kinds()],
        "routes": [
            {
                "name": one.name,
                "path": f"/{one.path}",
                "door": one.door,
                "about": one.about,
                "right": one.right,
                "methods": {method: _let_in(one, method) for method in one.methods},
            }
            for one in permissions.routes()
        ],
    }
    return json.dumps(told, indent=1)


def _told(kind: Kind) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "part": kind.part,
        "audience": kind.audience,
        "fields": {"sealed": list(kind.sealed), "plain": list(kind.plain)},
        "stands_to_it": permissions.stands_to(kind),
        "roles": {
            role: {
                "rows": permissions.rows_seen(kind, role),
                "methods": permissions.methods_for(kind.name, role),
            }
            for role in ROLES
        },
    }


def _let_in(route: Route, method: str) -> list[str]:
    return [who for who in permissions.everybody() if route.lets_in(who, method)]


# --- the page ------------------------------------------------------------------------------------


def _as_page() -> str:
    return "\n".join([_HEAD, *_rights(), *_rows(), *_standings(), *_routes()]).rstrip()


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(head)
    yield _line(names)
    yield _line(["---"] * len(names))
    yield from (_line(row) for row in rows)
    yield ""


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _mark(whether: bool) -> str:
    return "yes" if whether else "–"


def _rights() -> Iterator[str]:
    yield "## Rights of each role\n"
    yield from _table(
        ["Right", *map(_words, ROLES)],
        [
            *(
                [_words(right), *(_mark(right in RIGHTS[role]) for role in ROLES)]
                for right in Right
            ),
            ["second factor owed", *(_mark(role in NEED_SECOND_FACTOR) for role in ROLES)],
        ],
    )


def _rows() -> Iterator[str]:
    yield "## What each role sees without having to do with it\n"
    yield "`unrestricted`: all but what belongs to restricted clients. In brackets: by which"
    yield "methods the role comes to this kind of object, on pages and endpoints for members.\n"
    yield from _table(
        ["Kind", "Part", "Sealed fields", "Plain fields", *map(_words, ROLES)],
        [
            [
                kind.name,
                kind.part,
                ", ".join(kind.sealed),
                ", ".join(kind.plain),
                *(_cell(kind, role) for role in ROLES),
            ]
            for kind in permissions.kinds()
        ],
    )


def _cell(kind: Kind, role: str) -> str:
    rows = permissions.rows_seen(kind, role).replace("none", "–")
    return f"{rows} ({' '.join(permissions.methods_for(kind.name, role)) or '–'})"


def _standings() -> Iterator[str]:
    found = permissions.kinds()
    yield "## What somebody sees who has to do with it, whatever their role\n"
    yield from _table(
        ["Kind", "Part", *permissions.stands_to(found[0])],
        [
            [kind.name, kind.part, *map(_mark, permissions.stands_to(kind).values())]
            for kind in found
        ],
    )


def _routes() -> Iterator[str]:
    yield "## Routes\n"
    yield from _table(
        ["Route", "Address", "Door", "About", "Right", "Methods", "Lets in"],
        [
            [
                one.name,
                f"`/{one.path}`".replace("|", "\\|"),
                _words(one.door),
                one.about,
                _words(one.right or ""),
                " ".join(methods) or "–",
                _in_words(_let_in(one, methods[0] if methods else "")),
            ]
            for one in permissions.routes()
            for methods in _alike(one)
        ],
    )


def _alike(route: Route) -> list[list[str]]:
    """A route's methods, those apart that fewer come in with."""
    opened = [method for method in route.methods if method not in route.inside]
    inside = [method for method in route.methods if method in route.inside]
    return [found for found in (opened, inside) if found] or [[]]


def _in_words(let_in: list[str]) -> str:
    if let_in == list(permissions.everybody()):
        return "everybody"
    members = [role for role in let_in if role in ROLES]
    others = [_words(who) for who in let_in if who not in ROLES]
    if len(members) == len(ROLES):
        return ", ".join([*others, "every member"])
    return ", ".join([*others, *map(_words, members)])
