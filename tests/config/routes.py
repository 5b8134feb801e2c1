"""Every registered route with an address to ask it at, whatever app it comes from."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, product
from typing import Any, NamedTuple

from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve
from django.utils.regex_helper import normalize

# Tried one after the other where nothing real is given for a parameter.
_STAND_INS = ("A" * 22, str(uuid.UUID(int=7)), "7", "2027-01-11", "en", "x")


class Route(NamedTuple):
    """One pattern of the site, as `permissions` and the docs would write it."""

    pattern: str
    view: Callable[..., Any]
    addresses: tuple[str, ...]


def routes(**real: Sequence[str]) -> list[Route]:
    """All routes, each with the addresses made of what is `real` or of stand-ins."""
    found = []
    for pattern, regex, view in _walk(get_resolver().url_patterns):
        addresses = tuple(dict.fromkeys(_addresses(regex, view, real)))
        found.append(Route(pattern, view, addresses))
    return found


def _walk(
    patterns: list[URLPattern | URLResolver], said: str = "", regex: str = ""
) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    for one in patterns:
        own = one.pattern.regex.pattern.lstrip("^").rstrip("$")
        whole = regex + own.replace(r"\A", "").replace(r"\Z", "")
        if isinstance(one, URLResolver):
            yield from _walk(one.url_patterns, f"{said}{one.pattern}", whole)
        else:
            yield f"{said}{one.pattern}", whole, one.callback


def _addresses(
    regex: str, view: Callable[..., Any], real: dict[str, Sequence[str]]
) -> Iterator[str]:
    """Addresses that lead to the view: all that are made of what is real, or else one."""
    for template, names in normalize(regex):
        known = list(_made(template, names, view, real)) if set(names) <= real.keys() else []
        yield from known or islice(_made(template, names, view, {}), 1)


def _made(
    template: str,
    names: Sequence[str],
    view: Callable[..., Any],
    real: dict[str, Sequence[str]],
) -> Iterator[str]:
    for values in product(*(real.get(name, _STAND_INS) for name in names)):
        address = "/" + template % dict(zip(names, values, strict=True))
        if _leads_to(address, view):
            yield address


def _leads_to(address: str, view: Callable[..., Any]) -> bool:
    try:
        return resolve(address).func is view
    except Resolver404:
        return False
