"""What tests of pages do as a browser without JavaScript does it, and what they look at."""

import re
from datetime import datetime
from html import unescape
from typing import Any

from django.apps import apps
from django.test import Client

from clients.models import CareRelation, Case, Member
from practice.models import Service
from tests import factories as make

ANA = {
    "name": "Ana Alder",
    "email": "ana@example.org",
    "phone": "",
    "language": "en",
    "tz": "America/New_York",
}
ALONE = {"who": "one"}
BEN = {
    "who": "couple",
    "partner_name": "Ben Birch",
    "partner_email": "ben@example.org",
    "partner_phone": "",
    "partner_safe": "yes",
    "partner_tz": "Europe/Madrid",
    "partner_language": "es",
}


def text(response: Any) -> str:
    """The page as it was sent, with entities read."""
    return unescape(response.content.decode())


def hidden(response: Any, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'<input[^>]*name="{name}"[^>]*>', response.content.decode())
    assert found, f"no field {name}"
    value = re.search(r'value="([^"]*)"', found[0])
    return unescape(value[1]) if value else ""


def hold(client: Client, talk: Service, start: datetime, /, **fields: str) -> Any:
    """Press the button of a time."""
    sent = {
        "service": talk.slug,
        "counselor": "",
        "start": start.isoformat(),
        "who": "",
        "tz": "America/New_York",
    }
    return client.post("/book/hold/", sent | fields)


def details(client: Client) -> Any:
    """The form after a hold."""
    response = client.get("/book/details/")
    assert response.status_code == 200
    return response


def filled(page: Any, /, **fields: str) -> dict[str, str]:
    """What the form sends: its hidden fields and what was typed."""
    kept = {name: hidden(page, name) for name in ("made", "service", "counselor", "start")}
    return kept | {"website": ""} | ANA | fields


def book(client: Client, talk: Service, start: datetime | None = None, /, **fields: str) -> Any:
    """From a time to an appointment."""
    assert hold(client, talk, start or make.at(1, "10:00")).status_code == 302
    return client.post("/book/details/", filled(details(client), **fields))


def domain_rows() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of ours, to be compared before and after."""
    return {
        model._meta.label: sorted(map(_plain, model._default_manager.values_list()), key=repr)
        for model in apps.get_models()
        if model._meta.app_label.startswith("duet_")
    }


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)


def case_page(case: Case, page: str = "") -> str:
    """The address of a case's page, or of one below it."""
    return f"/desk/cases/{case.pk}/{page}"


def relate(case: Case, member: Member, kind: str) -> CareRelation:
    """Let a member have to do with a case."""
    return CareRelation.objects.create(case=case, member=member, kind=kind, since_at=make.NOW)
