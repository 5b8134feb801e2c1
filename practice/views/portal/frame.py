"""What all pages of somebody's own have in common."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from clients import portal_cookie
from clients.actions.access import Opened
from clients.doors import PersonRequest
from clients.rules.actors import PROOF_SECOND
from practice.models import Practice
from practice.queries import pages


def neutral(practice: Practice | None) -> dict[str, str]:
    """The practice by the name that reveals nothing, and its telephone."""
    if practice is None:
        return {"name": "", "phone": ""}
    return {"name": practice.neutral_name, "phone": practice.phone}


def page(
    request: PersonRequest,
    name: str,
    context: Mapping[str, object] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """One of the pages, which says whose it is."""
    shared = {
        "practice": neutral(pages.practice()),
        "who": request.portal.person,
        "zone": request.portal.person.zone,
        "proved": request.portal.proof >= PROOF_SECOND,
    }
    template = f"duet/practice/portal_{name}.html"
    return render(request, template, shared | dict(context or {}), status=status)


def outside(
    request: HttpRequest, name: str, context: Mapping[str, object] | None = None, status: int = 200
) -> HttpResponse:
    """A page before anybody is signed in: nothing of a person is on it."""
    shared = {"practice": neutral(pages.practice())}
    template = f"duet/practice/portal_{name}.html"
    return render(request, template, shared | dict(context or {}), status=status)


def go_on(opened: Opened, to: str) -> HttpResponse:
    """On to a page, with the session's new token."""
    response = redirect(to if ":" in to else f"practice:{to}")
    portal_cookie.keep(response, opened)
    return response
