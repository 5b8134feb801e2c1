"""Who may do what, read off the code: the routes' doors, the roles' rights, the models' rules."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import getclosurevars, isfunction
from typing import Any

from django.apps import apps
from django.db.models import Field, Model
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from clients.models import Case, Couple, Item, Person, SealedText
from clients.rules.actors import ROLES
from clients.rules.audience import Audience
from clients.rules.permissions import RIGHTS, Right
from clients.rules.standing import Standing, Whose, knows_of, reaches, reads

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Who comes and is no member; members come with their roles.
OUTSIDE = ("visitor", "link", "client", "client_proved")
MEMBER = "member"


# --- routes --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Route:
    """One registered route: who is let in at its door, to do what to what.

    Of an endpoint that is open to all for some methods, the others are `inside`: for members.
    """

    name: str
    path: str
    door: str
    admits: frozenset[str]
    about: str
    right: Right | None
    methods: tuple[str, ...]
    inside: frozenset[str]
    view: Callable[..., Any]

    def lets_in(self, role: str, method: str = "") -> bool:
        """Whether the door opens to somebody of this role, or to one from outside."""
        if role in OUTSIDE:
            return role in self.admits and method not in self.inside
        if self.inside and method not in self.inside:
            return MEMBER in self.admits
        return MEMBER in self.admits and (self.right is None or self.right in RIGHTS[role])


def routes() -> list[Route]:
    """Every registered route in the order of their addresses' search; a second name is left out."""
    found: dict[str, Route] = {}
    for name, path, view in _walk(get_resolver().url_patterns):
        methods = methods_of(view)
        opened = getattr(getattr(view, "cls", None), "open_to_all", None)
        said = Route(
            name,
            path,
            getattr(view, "door", ""),
            getattr(view, "admits", frozenset()),
            str(_said(view, "about") or "").replace("_", ""),
            _said(view, "right"),
            methods,
            frozenset(methods) - opened if opened else frozenset(),
            view,
        )
        found.setdefault(path, said)
    return list(found.values())


def _walk(
    patterns: list[URLPattern | URLResolver], prefix: str = "", space: str = ""
) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    for one in patterns:
        plain = isinstance(one.pattern, RoutePattern)
        path = prefix + (str(one.pattern) if plain else str(one.pattern).lstrip("^").rstrip("$"))
        if isinstance(one, URLResolver):
            inner = f"{space}{one.namespace}:" if one.namespace else space
            yield from _walk(one.url_patterns, path, inner)
        else:
            yield f"{space}{one.name or ''}", path, one.callback


def _said(view: Any, name: str) -> Any:
    """What a view says beside its door: the function, or the endpoint's class."""
    return getattr(view, name, None) or getattr(getattr(view, "cls", None), name, None)


def methods_of(view: Any) -> tuple[str, ...]:
    """Which methods a view takes: what its decorators and its class say."""
    kind = getattr(view, "view_class", None) or getattr(view, "cls", None)
    taken = set(METHODS)
    if kind is not None:
        taken = {name.upper() for name in kind.http_method_names if hasattr(kind, name)}
        taken |= {"HEAD"} if "GET" in taken else set()
    while view is not None:
        # Django's own `require_http_methods`, wherever among the decorators it stands.
        if isfunction(view):
            listed = getclosurevars(view).nonlocals.get("request_method_list")
            taken &= set(listed) if listed is not None else set(METHODS)
        view = getattr(view, "__wrapped__", None)
    return tuple(method for method in METHODS if method in taken)


# --- what routes are about -----------------------------------------------------------------------


# How a person is reached, apart from who they are.
_CONTACT, _REACHED = "contact", ("email", "phone")
# What opens something, and is shown to nobody.
_SECRET = ("token",)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object, or a part of it, that some see and others don't, with its columns."""

    name: str
    part: str
    audience: Audience | None
    whose: Whose
    sealed: tuple[str, ...]
    plain: tuple[str, ...]

    def seen(self, standing: Standing, rights: frozenset[Right], *, restricted: bool) -> bool:
        """Whether somebody who stands so to a row of it may see it."""
        if self.part == _CONTACT:
            return reaches(standing, rights, restricted=restricted)
        if self.audience is None:
            return knows_of(self.whose, standing, rights, restricted=restricted)
        return reads(self.audience, standing, rights, restricted=restricted)


def kinds() -> list[Kind]:
    """Every model whose rows are asked for through `.visible_to`.

    Items come once for each audience; of persons, how they are reached is a part by itself.
    """
    found: list[Kind] = []
    for model in apps.get_models():
        if hasattr(model._default_manager, "visible_to"):
            found += _kinds_of(model)
    return sorted(found, key=lambda kind: kind.name)


def _kinds_of(model: type[Model]) -> list[Kind]:
    fields: list[Field[Any, Any]] = list(model._meta.local_fields)
    sealed = tuple(
        field.name
        for field in fields
        if isinstance(field, SealedText) and field.name not in _SECRET
    )
    # Keys, fingerprints and the ids of other rows say nothing to anybody.
    plain = tuple(
        field.name
        for field in fields
        if not field.is_relation
        and not isinstance(field, SealedText)
        and field.get_internal_type() not in {"BinaryField", "UUIDField"}
    )
    name, whose = str(model._meta.model_name), _whose(model)
    # A model may say itself whose its rows are, and which of them are somebody else's than most.
    parts: Mapping[str, Whose] = getattr(model, "PARTS", {})
    said = [Kind(name, part, None, one, sealed, plain) for part, one in parts.items()]
    if issubclass(model, Item):
        by_audience = [Kind(name, f"for {one}", one, whose, sealed, plain) for one in Audience]
        return by_audience + said
    if said:
        return said
    reached = tuple(one for one in sealed if issubclass(model, Person) and one in _REACHED)
    known = Kind(name, "", None, whose, tuple(one for one in sealed if one not in reached), plain)
    return [known, *([Kind(name, _CONTACT, None, whose, reached, ())] if reached else [])]


def _whose(model: type[Model]) -> Whose:
    if issubclass(model, Case | Couple):
        return Whose.CASE
    names = {field.name for field in model._meta.local_fields}
    return Whose.DIARY if names & {"counselor", "appointment"} else Whose.PERSON


# --- the matrix ----------------------------------------------------------------------------------

# How somebody may stand to a row, and what such a column is called.
_STANDINGS = {
    "counsels the case": Standing.CARES,
    "supervises it": Standing.OVERSEES,
    "broke its glass": Standing.GLASS,
    "is named for it": Standing.NAMED,
    "keeps the diary": Standing.DIARY,
    "client, by a link": Standing.OWN_LINK,
    "client, proved": Standing.OWN_PROVED,
    "partner, proved": Standing.PARTNER,
}


def rows_seen(kind: Kind, role: str) -> str:
    """Of a kind, the rows that a role sees without having to do with them."""
    rights = RIGHTS[role]
    if kind.seen(Standing.NOBODY, rights, restricted=True):
        return "all"
    if kind.seen(Standing.NOBODY, rights, restricted=False):
        return "unrestricted"
    return "none"


def stands_to(kind: Kind) -> dict[str, bool]:
    """Whether those who have to do with a row see it, restricted or not, whatever their role."""
    none: frozenset[Right] = frozenset()
    return {
        said: kind.seen(standing, none, restricted=True) for said, standing in _STANDINGS.items()
    }


def methods_for(kind: str, role: str) -> list[str]:
    """The methods by which a role comes to this kind of object, through doors that are members'."""
    taken = {
        method
        for one in routes()
        for method in one.methods
        if one.about == kind and one.lets_in(role, method) and not one.lets_in("visitor", method)
    }
    return [method for method in METHODS if method in taken]


def everybody() -> tuple[str, ...]:
    """Those from outside, and every role."""
    return (*OUTSIDE, *ROLES)
